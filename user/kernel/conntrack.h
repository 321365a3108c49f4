/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connections that the kernel's own tracking (nf_conntrack) knows in this process's network namespace, by
 * ctnetlink. It also knows forwarded ones, and who opened them.
 */
#ifndef ZW_CONNTRACK_H
#define ZW_CONNTRACK_H

#include <linux/netlink.h>

#include "kernel/live.h"

/*
 * Whether it may be asked. Asking makes the kernel load what it lacks, and nobody wants a firewall to bring another's
 * machinery. CONNTRACK_ABSENT: nothing is tracked here. CONNTRACK_MUTE: connections are tracked, but what answers for
 * them (nf_conntrack_netlink) does not seem to be there. root: "", or in tests a folder that stands for /.
 */
enum conntrack_presence { CONNTRACK_ABSENT, CONNTRACK_MUTE, CONNTRACK_PRESENT };
enum conntrack_presence conntrack_presence(const char *root);

/*
 * One entry: the views of a flow that it gives, 0 to 2. Where addresses are translated, hooks on the two sides of the
 * translation see other ends.
 *
 * The opener is known, but not of a TCP connection that was older than its tracking; then source is the end that
 * tracking saw first.
 */
unsigned conntrack_parse(const struct nlmsghdr *message, struct live ret_views[2]);

/* Calls take for every view of every entry. 0 or -errno, silent. */
int conntrack_walk(live_take *take, void *data);

#endif
