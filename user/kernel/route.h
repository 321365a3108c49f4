/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * By which interface packets to an address leave this network namespace now, as the kernel's routes have it for this
 * host's own packets without a mark. What comes from there comes in by it, too, unless routes are asymmetric.
 */
#ifndef ZW_ROUTE_H
#define ZW_ROUTE_H

#include <linux/types.h>

struct mnl_socket;

/* A socket for many questions; NULL and errno. mnl_socket_close() ends it. */
struct mnl_socket *route_open(void);

/* family 4, 6. 0; -ENETUNREACH or another -errno: there is no such way. Of this host's addresses it is the loopback. */
int route_interface(struct mnl_socket *socket, int family, const __u32 *address, unsigned *ret_ifindex);

#endif
