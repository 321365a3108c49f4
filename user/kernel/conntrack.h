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
 * Whether it may be asked. Asking makes the kernel load what it lacks, which nobody wants of a firewall of another
 * kind: CONNTRACK_ABSENT is answered where nothing is tracked, CONNTRACK_MUTE where connections are tracked but the
 * module to ask (nf_conntrack_netlink) is not there, as far as can be seen without asking.
 */
enum conntrack_presence { CONNTRACK_ABSENT, CONNTRACK_MUTE, CONNTRACK_PRESENT };
enum conntrack_presence conntrack_presence(void);

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
