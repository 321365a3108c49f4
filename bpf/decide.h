/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * zw_decide(): the stages of design section 5, in their order, for a parsed packet. Shared by every hook and by the
 * simulation in user space; knows no context, reads no clock, counts nothing.
 */
#ifndef ZW_DECIDE_H
#define ZW_DECIDE_H

#include "flow.h"
#include "lookup.h"

struct outcome {
	__u32 reason; /* enum zw_reason */
	__u32 cell; /* that decided: its rule and flags; 0: none */
	__u32 generation; /* whose numbering the cell's rule is in */
	__u32 source, destination; /* atoms; ZW_NO_ATOM */
	__u32 is_new; /* a first packet: opened a flow, or was denied by policy */
};

/*
 * All that is known of the packet at hand. It lies in a per-CPU map (programs on one CPU do not nest) and not on the
 * stack: the verifier follows every byte of a stack, and the many ways through the parser would multiply.
 */
struct work {
	struct packet packet;
	struct outcome outcome;
	struct scratch scratch;
};

static __always_inline void end(struct outcome *o, __u32 reason, __u32 cell, __u32 generation)
{
	o->reason = reason;
	o->cell = cell;
	o->generation = generation;
}

/* Stage spoof, ingress only: nobody else may use an address of this host. */
static __always_inline bool is_spoofed(const struct packet *p, const struct outcome *o)
{
	const struct zw_atom *atom;

	if (!p->ingress)
		return false;
	atom = get_atom(o->source);
	return atom && (atom->flags & ZW_ATOM_HOST);
}

static __always_inline bool is_host(__u32 atom)
{
	const struct zw_atom *a = get_atom(atom);

	return a && (a->flags & ZW_ATOM_HOST);
}

/* Neighbour discovery (RFC 4861 6.1, 7.1: hop limit 255 proves that no router forwarded it) and MLD (RFC 3810). */
static __always_inline bool is_essential_icmpv6(const struct packet *p)
{
	__u8 type = p->ends.port >> 8;

	switch (type) {
	case 133:
	case 135:
	case 136:
		return p->ttl == 255;
	case 134:
		return p->ttl == 255 && p->ingress && is_link_local6(p->ends.source);
	case 130:
	case 131:
	case 132:
	case 143:
		return p->ttl == 1 && is_multicast6(p->ends.destination);
	default:
		return false;
	}
}

/* DHCP as a client (RFC 2131, RFC 8415). */
static __always_inline bool is_essential_udp(const struct packet *p, const struct outcome *o)
{
	const struct ends *e = &p->ends;
	__u16 sport = bpf_ntohs(e->sport), dport = bpf_ntohs(e->dport);

	if (p->family == 4) {
		if (!p->ingress)
			return sport == 68 && dport == 67 && (!e->source[0] || is_host(o->source));
		return sport == 67 && dport == 68 &&
		       (e->destination[0] == 0xffffffff || p->own_mac || is_host(o->destination));
	}
	if (!is_link_local6(e->source))
		return false;
	if (p->ingress)
		return sport == 547 && dport == 546 && is_link_local6(e->destination);
	return sport == 546 && dport == 547 && e->destination[0] == bpf_htonl(0xff020000) && !e->destination[1] &&
	       e->destination[2] == bpf_htonl(1) && e->destination[3] == bpf_htonl(2);
}

static __always_inline bool is_essential(const struct packet *p, const struct outcome *o)
{
	if (p->fragment != FRAGMENT_NONE)
		return false;
	if (p->ends.protocol == PROTO_ICMPV6)
		return is_essential_icmpv6(p);
	if (p->ends.protocol == PROTO_IGMP && p->family == 4)
		return p->ttl == 1 && bpf_ntohl(p->ends.destination[0]) >> 28 == 0xe;
	if (p->ends.protocol == PROTO_UDP)
		return is_essential_udp(p, o);
	return false;
}

/* The six combinations of SYN, FIN, RST, ACK that a TCP sends (RFC 9293 3.5, 3.10). */
static __always_inline bool are_flags_possible(__u8 tcp_flags)
{
	switch (tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) {
	case TCP_SYN:
	case TCP_SYN | TCP_ACK:
	case TCP_ACK:
	case TCP_FIN | TCP_ACK:
	case TCP_RST:
	case TCP_RST | TCP_ACK:
		return true;
	default:
		return false;
	}
}

static __always_inline bool is_opening_syn(const struct packet *p)
{
	return p->ends.protocol == PROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/*
 * Is this live flow allowed? Decided under this generation: as it was. Under any other: its first packet is decided
 * again (source and destination are the atoms of the packet's, or the quoted packet's, ends), and an allowed flow is
 * stamped. Returns the cell, or 0 if the flow is revoked.
 */
static __always_inline __u32 flow_cell(struct zw_flow *flow, bool from_opener, __u8 protocol, __u32 source, __u32 destination)
{
	__u64 stamp = flow->stamp;
	__u32 cell;

	if (stamp >> 32 == zw_layout.generation)
		return (__u32)stamp;
	cell = zw_policy_cell(from_opener ? source : destination, from_opener ? destination : source, protocol, flow->port);
	if (!(cell & ZW_CELL_ALLOW))
		return 0;
	flow->stamp = flow_stamp(zw_layout.generation, cell);
	return cell;
}

/* Stage flow for a packet that is no opening SYN. */
static __always_inline void decide_flow(const struct packet *p, struct zw_flow *flow, bool second, struct outcome *o)
{
	bool from_opener = is_from_opener(flow, second);
	__u64 stamp = flow->stamp;
	__u32 cell;

	cell = flow_cell(flow, from_opener, p->ends.protocol, o->source, o->destination);
	if (!cell) {
		end(o, ZW_DROP_REVOKED, (__u32)stamp, stamp >> 32);
		return;
	}
	flow_advance(flow, p, from_opener);
	flow_count(flow, p, from_opener);
	end(o, ZW_ALLOW_FLOW, cell, zw_layout.generation);
}

/*
 * Stage related: an ICMP error about a packet of a live flow that stage flow would allow. Returns the flow's cell, or 0.
 * scratch holds what the error quotes.
 */
ZW_GLOBAL __u32 zw_related_cell(const struct packet *p, const struct scratch *s)
{
	const struct ends *q;
	union flow_key key;
	struct zw_flow *flow;
	bool second;

	if (!p || !s || !is_same_address(p->ends.destination, s->quoted.source))
		return 0;
	q = &s->quoted;
	second = flow_key(p->family, q, &key);
	flow = flow_lookup(p->family, &key);
	if (!flow || !is_live(flow, p->now))
		return 0;
	return flow_cell(flow, is_from_opener(flow, second), q->protocol, find_atom(p->family, q->source),
			 find_atom(p->family, q->destination));
}

static __always_inline bool decide_related(const struct packet *p, const struct scratch *s, struct outcome *o)
{
	__u32 cell;

	if (!p->has_quoted)
		return false;
	cell = zw_related_cell(p, s);
	if (!cell)
		return false;
	end(o, ZW_ALLOW_RELATED, cell, zw_layout.generation);
	return true;
}

/* Remembers an allowed first packet, if its kind leaves a flow. Returns whether it does. */
ZW_GLOBAL int zw_open_flow(const struct packet *p, __u32 cell)
{
	struct zw_flow flow = {};
	union flow_key key;

	if (!p)
		return 0;
	flow.state = opening_state(p);
	if (flow.state == ZW_FLOW_FREE)
		return 0;
	flow.stamp = flow_stamp(zw_layout.generation, cell);
	flow.seen = p->now;
	flow.opened = p->now;
	flow.flags = flow_key(p->family, &p->ends, &key) ? ZW_FLOW_OPENER : 0;
	flow.port = p->ends.port;
	flow.packets[0] = p->packets;
	flow.bytes[0] = p->bytes;
	flow_store(p->family, &key, &flow);
	return 1;
}

/* Stage policy. flow: the live flow that a SYN repeats, or NULL. */
static __always_inline void decide_policy(const struct packet *p, struct zw_flow *flow, bool second, struct outcome *o)
{
	__u32 cell = zw_policy_cell(o->source, o->destination, p->ends.protocol, p->ends.port);

	if (!(cell & ZW_CELL_ALLOW)) {
		o->is_new = 1;
		end(o, cell & ZW_CELL_RULE ? ZW_DROP_RULE : ZW_DROP_DEFAULT, cell, zw_layout.generation);
		return;
	}
	end(o, cell & ZW_CELL_RULE  ? ZW_ALLOW_RULE : cell & ZW_CELL_INTRA ? ZW_ALLOW_INTRA_ZONE : ZW_ALLOW_DEFAULT, cell,
	    zw_layout.generation);
	if (!flow || is_closing(flow)) {
		o->is_new = zw_open_flow(p, cell);
		return;
	}
	flow_count(flow, p, is_from_opener(flow, second));
}

/* Stages flow, related, state and policy. */
static __always_inline void decide_state(const struct packet *p, const struct scratch *s, struct outcome *o)
{
	union flow_key key;
	bool second = flow_key(p->family, &p->ends, &key), tcp = p->ends.protocol == PROTO_TCP, syn = is_opening_syn(p);
	bool icmp = p->ends.protocol == PROTO_ICMP || p->ends.protocol == PROTO_ICMPV6;
	struct zw_flow *flow = NULL;

	/* Only echo messages have flows, and a request is found only where its sender opened. */
	if (!icmp || p->ends.echo)
		flow = flow_lookup(p->family, &key);
	if (flow && !is_live(flow, p->now))
		flow = NULL;
	barrier_var(flow); /* else clang remembers its absence apart, where the verifier does not see it */
	if (flow && !syn) {
		decide_flow(p, flow, second, o);
		return;
	}
	if (icmp && decide_related(p, s, o))
		return;
	if (tcp && !syn && (zw_layout.tcp_strict || (p->tcp_flags & TCP_SYN))) {
		end(o, ZW_DROP_TCP_STATE, 0, zw_layout.generation);
		return;
	}
	decide_policy(p, flow, second, o);
}

/*
 * Failsafe, over stages flow, related, state and policy: the packet itself, or, unless it is a SYN, the packet with its
 * ends and ports exchanged. ICMP has no ports to exchange.
 */
static __always_inline void decide_failsafe(const struct packet *p, struct outcome *o)
{
	__u16 port = p->ends.port;
	__u32 cell = zw_failsafe_cell(o->source, o->destination, p->ends.protocol, port);

	if (!(cell & ZW_CELL_ALLOW) && !is_opening_syn(p)) {
		if (p->ends.protocol == PROTO_TCP || p->ends.protocol == PROTO_UDP || p->ends.protocol == PROTO_SCTP)
			port = bpf_ntohs(p->ends.sport);
		cell = zw_failsafe_cell(o->destination, o->source, p->ends.protocol, port);
	}
	if (!(cell & ZW_CELL_ALLOW))
		return;
	o->is_new = 0;
	end(o, ZW_ALLOW_FAILSAFE, cell, zw_layout.generation);
}

/* The atoms of both ends, once the addresses were read. */
static __always_inline void locate(const struct packet *p, struct outcome *o)
{
	if (!p->has_addresses)
		return;
	o->source = find_atom(p->family, p->ends.source);
	o->destination = find_atom(p->family, p->ends.destination);
}

ZW_GLOBAL int zw_decide(struct work *w)
{
	const __u32 generation = zw_layout.generation;
	const struct packet *p;
	struct outcome *o;

	if (!w)
		return 0;
	p = &w->packet;
	o = &w->outcome;
	locate(p, o);
	if (is_spoofed(p, o))
		end(o, ZW_DROP_SPOOFED, 0, generation);
	else if (is_essential(p, o))
		end(o, ZW_ALLOW_ESSENTIAL, 0, generation);
	else if (p->ends.protocol == PROTO_TCP && p->fragment != FRAGMENT_LATER && !p->cut_first && !are_flags_possible(p->tcp_flags))
		end(o, ZW_DROP_TCP_STATE, 0, generation);
	else if (p->fragment == FRAGMENT_LATER || p->cut_first)
		end(o, ZW_DROP_FRAGMENT, 0, generation);
	else {
		decide_state(p, &w->scratch, o);
		if (zw_layout.has_failsafe && ZW_REASON_IS_DROP(o->reason))
			decide_failsafe(p, o);
	}
	return 0;
}

#endif
