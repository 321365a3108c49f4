/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xdp-filter by IP (xdp-tools), as its own command loads it, on an interface: it drops what comes from any of
 * pairs.h's hosts and passes the rest. That is all it can say of that policy.
 */
#ifndef ZW_FILTER_H
#define ZW_FILTER_H

#include <stdint.h>

struct filter;

/* NULL: there is no xdp-filter, or it does not load here; it has told why. */
struct filter *filter_load(int family, const char *interface);
void filter_unload(struct filter *filter);

int filter_program(const struct filter *filter);
uint64_t filter_dropped(const struct filter *filter); /* packets, by its own statistics */

#endif
