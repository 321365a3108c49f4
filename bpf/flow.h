/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flows: which packets answer which, and for how long (design sections 5 and 8).
 *
 * State answers "is this a reply?", never "is this allowed?". A flow is found by its five-tuple in canonical order, so
 * one lookup serves both directions; ZW_FLOW_OPENER tells which endpoint opened it. ICMP echo flows carry their
 * opener in the key: two hosts that ping each other with one identifier have two flows.
 *
 * TCP, by state and what is seen (o: from the opener, r: from the other side; "." leaves the state; times in zonewall.h):
 *
 *                 SYN o   SYN+ACK r   ACK o         ACK r   FIN            RST
 *   SYN           .       SYN_ACK     .             .       FIN            RESET
 *   SYN_ACK       .       .           ESTABLISHED   .       FIN            RESET
 *   ESTABLISHED   .       .           .             .       FIN            RESET
 *   PICKED_UP     .       .           .             ESTABL. FIN            RESET
 *   FIN           .       .           .             .       CLOSING*       RESET
 *   CLOSING       new     .           .             .       .              RESET
 *   RESET         new     .           .             .       .              .
 *
 * (*) when the other side had sent the first FIN. "new": a SYN that policy allows opens a new flow in its place.
 * A RST only shortens the flow's life. Fields are written without locks: the worst outcome of two CPUs at once is a
 * state that one more packet sets right, or a lost refresh of `seen` within the same tick.
 */
#ifndef ZW_FLOW_H
#define ZW_FLOW_H

#include "packet.h"

ZW_CONSTANT struct zw_timeouts zw_timeouts;

union flow_key {
	struct zw_flow_key4 v4;
	struct zw_flow_key6 v6;
};

#ifdef __bpf__

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct zw_flow_key4);
	__type(value, struct zw_flow);
} zw_flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct zw_flow_key6);
	__type(value, struct zw_flow);
} zw_flows6 SEC(".maps");

static __always_inline struct zw_flow *flow_lookup(int family, const union flow_key *key)
{
	if (family == 4)
		return bpf_map_lookup_elem(&zw_flows4, &key->v4);
	return bpf_map_lookup_elem(&zw_flows6, &key->v6);
}

static __always_inline void flow_store(int family, const union flow_key *key, const struct zw_flow *flow)
{
	if (family == 4)
		bpf_map_update_elem(&zw_flows4, &key->v4, flow, BPF_ANY);
	else
		bpf_map_update_elem(&zw_flows6, &key->v6, flow, BPF_ANY);
}

#else

/* The native side brings its own table: see user/simulate/decision.c. */
static struct zw_flow *flow_lookup(int family, const union flow_key *key);
static void flow_store(int family, const union flow_key *key, const struct zw_flow *flow);

#endif

static __always_inline bool is_greater6(const __u32 *a, const __u32 *b)
{
	for (int i = 0; i < 4; i++)
		if (a[i] != b[i])
			return bpf_ntohl(a[i]) > bpf_ntohl(b[i]);
	return false;
}

/* Is the source the second endpoint of the key? */
static __always_inline bool is_source_second(int family, const struct ends *e)
{
	if (family == 4) {
		if (e->source[0] != e->destination[0])
			return bpf_ntohl(e->source[0]) > bpf_ntohl(e->destination[0]);
	} else {
		if (is_greater6(e->source, e->destination))
			return true;
		if (is_greater6(e->destination, e->source))
			return false;
	}
	return bpf_ntohs(e->sport) > bpf_ntohs(e->dport);
}

/* pad[0] of a key: for ICMP echo 1 + the index of the opener, who sends requests; else 0. */
static __always_inline __u8 echo_opener(const struct ends *e, bool second)
{
	if (e->echo == ECHO_NONE)
		return 0;
	return 1 + (e->echo == ECHO_REQUEST ? second : !second);
}

/* Fills key; returns whether the source is its second endpoint. */
static __always_inline bool flow_key(int family, const struct ends *e, union flow_key *key)
{
	bool second = is_source_second(family, e);

	__builtin_memset(key, 0, sizeof(*key));
	if (family == 4) {
		key->v4.address[0] = second ? e->destination[0] : e->source[0];
		key->v4.address[1] = second ? e->source[0] : e->destination[0];
		key->v4.port[0] = second ? e->dport : e->sport;
		key->v4.port[1] = second ? e->sport : e->dport;
		key->v4.protocol = e->protocol;
		key->v4.pad[0] = echo_opener(e, second);
		return second;
	}
	for (int i = 0; i < 4; i++) {
		key->v6.address[0][i] = second ? e->destination[i] : e->source[i];
		key->v6.address[1][i] = second ? e->source[i] : e->destination[i];
	}
	key->v6.port[0] = second ? e->dport : e->sport;
	key->v6.port[1] = second ? e->sport : e->dport;
	key->v6.protocol = e->protocol;
	key->v6.pad[0] = echo_opener(e, second);
	return second;
}

/* A flow past its timeout does not exist. */
static __always_inline bool is_live(const struct zw_flow *flow, __u32 now)
{
	__u8 state = flow->state;

	if (state == ZW_FLOW_FREE || state >= ZW_FLOW_STATES)
		return false;
	return now - flow->seen <= zw_timeouts.ticks[state];
}

static __always_inline bool is_from_opener(const struct zw_flow *flow, bool source_second)
{
	return !!(flow->flags & ZW_FLOW_OPENER) == source_second;
}

static __always_inline bool is_closing(const struct zw_flow *flow)
{
	return flow->state == ZW_FLOW_TCP_CLOSING || flow->state == ZW_FLOW_TCP_RESET;
}

/* The table above, for a packet that is not a bare SYN. flags: the flow's ZW_FLOW_FIN_ bits, with this packet's. */
static __always_inline __u8 next_tcp_state(__u8 state, __u8 flags, __u8 tcp_flags, bool from_opener)
{
	if (tcp_flags & TCP_RST)
		return ZW_FLOW_TCP_RESET;
	if (state == ZW_FLOW_TCP_RESET || state == ZW_FLOW_TCP_CLOSING)
		return state;
	if ((flags & ZW_FLOW_FIN_OPENER) && (flags & ZW_FLOW_FIN_OTHER))
		return ZW_FLOW_TCP_CLOSING;
	if (flags & (ZW_FLOW_FIN_OPENER | ZW_FLOW_FIN_OTHER))
		return ZW_FLOW_TCP_FIN;
	if (state == ZW_FLOW_TCP_SYN && (tcp_flags & TCP_SYN) && !from_opener)
		return ZW_FLOW_TCP_SYN_ACK;
	if (state == ZW_FLOW_TCP_SYN_ACK && !(tcp_flags & TCP_SYN) && from_opener)
		return ZW_FLOW_TCP_ESTABLISHED;
	if (state == ZW_FLOW_TCP_PICKED_UP && !from_opener)
		return ZW_FLOW_TCP_ESTABLISHED;
	return state;
}

/* UDP and SCTP are confirmed when the opener sends again after a reply. */
static __always_inline __u8 next_state(__u8 state, bool from_opener)
{
	switch (state) {
	case ZW_FLOW_UDP:
		return from_opener ? state : ZW_FLOW_UDP_REPLIED;
	case ZW_FLOW_UDP_REPLIED:
		return from_opener ? ZW_FLOW_UDP_CONFIRMED : state;
	case ZW_FLOW_SCTP:
		return from_opener ? state : ZW_FLOW_SCTP_REPLIED;
	case ZW_FLOW_SCTP_REPLIED:
		return from_opener ? ZW_FLOW_SCTP_CONFIRMED : state;
	default:
		return state;
	}
}

/* A packet of a live flow was allowed: move its state and refresh it, writing only what changes. */
static __always_inline void flow_advance(struct zw_flow *flow, const struct packet *p, bool from_opener)
{
	__u8 flags = flow->flags, state = flow->state;

	if (p->ends.protocol == PROTO_TCP) {
		if (p->tcp_flags & TCP_FIN)
			flags |= from_opener ? ZW_FLOW_FIN_OPENER : ZW_FLOW_FIN_OTHER;
		state = next_tcp_state(state, flags, p->tcp_flags, from_opener);
	} else {
		state = next_state(state, from_opener);
	}
	if (flags != flow->flags)
		flow->flags = flags;
	if (state != flow->state)
		flow->state = state;
	if (flow->seen != p->now)
		flow->seen = p->now;
}

/* Packets and bytes each way. */
static __always_inline void flow_count(struct zw_flow *flow, const struct packet *p, bool from_opener)
{
	if (!p->counted)
		return;
	if (from_opener) {
		flow->packets[0] += p->packets;
		flow->bytes[0] += p->bytes;
	} else {
		flow->packets[1] += p->packets;
		flow->bytes[1] += p->bytes;
	}
}

/* The state in which an allowed first packet opens a flow; ZW_FLOW_FREE: it leaves none. */
static __always_inline __u8 opening_state(const struct packet *p)
{
	switch (p->ends.protocol) {
	case PROTO_TCP:
		if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
			return ZW_FLOW_TCP_SYN;
		return (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_ACK ? ZW_FLOW_TCP_PICKED_UP :
											      ZW_FLOW_FREE;
	case PROTO_UDP:
		return ZW_FLOW_UDP;
	case PROTO_SCTP:
		return ZW_FLOW_SCTP;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return p->ends.echo == ECHO_REQUEST ? ZW_FLOW_ICMP : ZW_FLOW_FREE;
	default:
		return ZW_FLOW_OTHER;
	}
}

static __always_inline __u64 flow_stamp(__u32 generation, __u32 cell)
{
	return (__u64)generation << 32 | cell;
}

#endif
