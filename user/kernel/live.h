/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A live connection, as the kernel's sockets or its connection tracking tell it, in the words of the flow table.
 */
#ifndef ZW_LIVE_H
#define ZW_LIVE_H

#include <stdbool.h>

#include "flow_table.h"

struct live {
	int family; /* 4, 6: of the packets, not of the socket */
	struct ends ends; /* as of the opener's packets; if it is not known who opened, source is the local end */
	__u32 state; /* enum zw_flow_state */
	bool is_confirmed;
	bool is_opener_known;
	bool fin_source, fin_destination; /* TCP: which ends have sent FIN */
	__u32 inode; /* of its socket; 0: it was not a socket that told it */
};

/* Hooks never see what stays on this host. */
static inline bool live_is_local(const struct live *live)
{
	const __u32 *source = live->ends.source, *destination = live->ends.destination;

	if (is_same_address(source, destination))
		return true;
	if (live->family == 4)
		return bpf_ntohl(source[0]) >> 24 == 127 || bpf_ntohl(destination[0]) >> 24 == 127;
	return is_loopback6(source) || is_loopback6(destination);
}

/* The same connection, opened by the other end. */
static inline void live_reverse(struct live *live)
{
	struct live old = *live;

	memcpy(live->ends.source, old.ends.destination, sizeof(old.ends.source));
	memcpy(live->ends.destination, old.ends.source, sizeof(old.ends.source));
	live->ends.sport = old.ends.dport;
	live->ends.dport = old.ends.sport;
	live->ends.port = bpf_ntohs(old.ends.sport);
	live->fin_source = old.fin_destination;
	live->fin_destination = old.fin_source;
}

/* Called for each connection; returns false to end. */
typedef bool live_take(const struct live *live, void *data);

#endif
