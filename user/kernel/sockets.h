/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sockets of this process's network namespace, by sock_diag(7): TCP sockets that are connected, or on the way there
 * or away, and connected UDP sockets. The kernel loads its module for that if it has to, as it does for ss(8).
 */
#ifndef ZW_SOCKETS_H
#define ZW_SOCKETS_H

#include <linux/netlink.h>

#include "kernel/listeners.h"
#include "kernel/live.h"

/* What one message of an answer tells. */
enum socket_kind { SOCKET_OTHER, SOCKET_LISTENS, SOCKET_LIVES };
enum socket_kind sockets_parse(const struct nlmsghdr *message, __u8 protocol, struct listener *ret_listener,
			       struct live *ret_live);

/* Sorted by port: whether one of them listens on this address and port. */
bool sockets_listen(const struct listener *listeners, size_t count, int family, const __u32 *address, __be16 port);

/*
 * Calls take for every connection. One on a port where this namespace listens was opened by the other side, and so was
 * one that is being accepted; one that is being connected by this. Of others the opener is not known. 0 or -errno,
 * silent.
 */
int sockets_walk(live_take *take, void *data);

#endif
