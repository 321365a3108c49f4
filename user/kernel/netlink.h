/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dumps over netlink, of this process's network namespace.
 */
#ifndef ZW_NETLINK_H
#define ZW_NETLINK_H

#include <libmnl/libmnl.h>

/*
 * Sends the request on a bus (NETLINK_ROUTE, ...) as a dump and feeds each message of the answer to the callback, which
 * returns MNL_CB_OK, or MNL_CB_STOP to end it. The request's flags and sequence number are set here. Silent.
 * 0 or -errno; -ENOENT or -EPROTONOSUPPORT is how kernels say that they lack what was asked for.
 */
int netlink_dump(int bus, struct nlmsghdr *request, mnl_cb_t callback, void *data);

#endif
