/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sockets of this process's network namespace that anybody may speak to (sockets.c).
 */
#ifndef ZW_LISTENERS_H
#define ZW_LISTENERS_H

#include <linux/types.h>
#include <stdbool.h>

/* A TCP socket that listens, or a UDP socket that takes packets from anybody. */
struct listener {
	__u8 protocol;
	int family; /* 4, 6, or 0: IPv6 on all addresses, and IPv4 with them */
	__u32 address[4]; /* wire order; zero: any */
	__be16 port;
};

/* Calls take for every listener, returning false ends it. 0 or -errno, silent. */
typedef bool listener_take(const struct listener *listener, void *data);
int sockets_walk_listeners(listener_take *take, void *data);

#endif
