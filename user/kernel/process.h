/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes, as /proc tells of them. pid is a number or "self".
 */
#ifndef ZW_PROCESS_H
#define ZW_PROCESS_H

#include <stddef.h>
#include <stdint.h>

long process_parent(const char *pid); /* 0: none, or not known */
void process_name(const char *pid, char *ret_name, size_t len); /* "sshd"; "" if not known */

/* Adds the inodes of the sockets that it has open to an array that grows by array_grow. 0 or -ENOMEM. */
int process_sockets(const char *pid, uint32_t **inodes, size_t *count);

#endif
