/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A flow's packets and bytes each way. They are counted in a word of the slot, whose line the packet has read anyway, and
 * moved to the flow's account when that word is full: every 4,095 packets or 1,048,575 bytes, which is some 700 full
 * frames. What a flow has is the sum of both; an account of another version is not yet the flow's.
 *
 *   recent   bytes 20 | packets 12 << 20
 *
 * Plain adds: of two CPUs that count packets of one direction at once, one may be lost, and if one of them moves the word
 * at that moment, what it moved may be counted twice. A CPU that found the flow before its slot went to another counts its
 * packet, or what it moves, there. Rules' counters are exact.
 */
#ifndef ZW_FLOW_COUNT_H
#define ZW_FLOW_COUNT_H

#include "flow_table.h"

#define RECENT_PACKETS_SHIFT 20
#define RECENT_PACKETS_MAX 4095u
#define RECENT_BYTES_MAX 0xfffffu

struct traffic {
	__u64 packets, bytes;
};

static __always_inline struct traffic recent_traffic(__u32 recent)
{
	return (struct traffic){ recent >> RECENT_PACKETS_SHIFT, recent & RECENT_BYTES_MAX };
}

static __always_inline __u32 recent_word(__u32 packets, __u32 bytes)
{
	return packets << RECENT_PACKETS_SHIFT | bytes;
}

/* Adds to a slot's word. What it cannot hold, itself included, goes to *ret_moved: that has packets then, else none. */
static __always_inline void add_recent(__u32 *recent, __u32 packets, __u32 bytes, struct traffic *ret_moved)
{
	struct traffic sum = recent_traffic(*recent);

	sum.packets += packets;
	sum.bytes += bytes;
	if (sum.packets > RECENT_PACKETS_MAX || sum.bytes > RECENT_BYTES_MAX) {
		*recent = 0;
		*ret_moved = sum;
		return;
	}
	*recent = recent_word(sum.packets, sum.bytes);
	ret_moved->packets = 0;
}

#endif
