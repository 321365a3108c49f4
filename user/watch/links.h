/* SPDX-License-Identifier: GPL-2.0-only */
/* Tells when interfaces, what is attached to them, or their addresses change (rtnetlink). */
#ifndef ZW_LINKS_H
#define ZW_LINKS_H

#include <stdbool.h>

/* A socket that becomes readable when something changes in this network namespace. Returns it, or -errno. */
int links_open(void);

/* Takes all that has come. If messages were missed, both have changed. */
void links_read(int fd, bool *ret_links, bool *ret_addresses);

#endif
