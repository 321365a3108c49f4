/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flows: which packets answer which, and for how long (design sections 5 and 8). State answers "is this a
 * reply?", never "is this allowed?". How flows are kept is flow_table.h's matter.
 *
 * TCP, by state and what is seen (o: from the opener, r: from the other side; "." leaves the state; times in
 * zonewall.h). A flag is seen only if tcp_window.h says that it counts: a RST at the end of its window, a FIN that
 * continues and acknowledges, an ACK that acknowledges. A packet of which nothing counts passes and leaves the state:
 *
 *                 SYN o   SYN+ACK r   ACK o         ACK r   FIN            RST
 *   SYN           .       SYN_ACK     .             .       FIN            RESET
 *   SYN_ACK       .       .           ESTABLISHED   .       FIN            RESET
 *   ESTABLISHED   .       .           .             .       FIN            RESET
 *   PICKED_UP     new     .           ESTABLISHED   .       FIN            RESET
 *   FIN           .       .           .             .       CLOSING*       RESET
 *   CLOSING       new     .           .             .       .              RESET
 *   RESET         new     .           .             .       .              .
 *
 * (*) when the other side had sent the first FIN. "new": a SYN that policy allows opens a new flow in its place.
 * A RST only shortens the flow's life. In a simultaneous open (RFC 9293 3.5) the other side's SYN is decided by
 * policy, and its SYN+ACK answers the opener's SYN like any other. A flow is confirmed as it becomes ESTABLISHED,
 * UDP_CONFIRMED or SCTP_CONFIRMED, if its bucket has room for one more confirmed flow; if not, it asks again when
 * its time is next written.
 */
#ifndef ZW_FLOW_H
#define ZW_FLOW_H

#include "flow_count.h"
#include "flow_maps.h"
#include "lookup.h"
#include "tcp_window.h"

/*
 * Has the sender opened the flow? 1 or 0: which end is the lower one is chance, so nothing branches on it (see is_greater()),
 * as the compiler would on a bool.
 */
static __always_inline __u32 is_from_opener(const struct flow *f, const struct flow_key *k)
{
	__u32 same = f->head_word / FLOW_OPENER;

	same = (same ^ k->second ^ 1) & 1;
	barrier_var(same);
	return same;
}

/* Finds the live flow of a packet, or of a quoted one. l is left as flow_open() and flow_advance() want it. */
static __always_inline bool flow_find(int family, const struct ends *e, __u64 now, struct lookup *l, struct flow *f)
{
	return family == 4 ? find_in_table(e, now, l, f, false, false) : find_in_table(e, now, l, f, true, false);
}

/* The table above, for the flags that count of a packet that is not a bare SYN. head: the flow's, with its FIN. */
static __always_inline __u32 next_tcp_state(__u64 head, __u8 tcp_flags, bool from_opener)
{
	__u32 state = flow_state(head);

	if (tcp_flags & TCP_RST)
		return ZW_FLOW_TCP_RESET;
	if (state == ZW_FLOW_TCP_RESET || state == ZW_FLOW_TCP_CLOSING)
		return state;
	if ((head & FLOW_FIN_OPENER) && (head & FLOW_FIN_OTHER))
		return ZW_FLOW_TCP_CLOSING;
	if (head & (FLOW_FIN_OPENER | FLOW_FIN_OTHER))
		return ZW_FLOW_TCP_FIN;
	if (state == ZW_FLOW_TCP_SYN && (tcp_flags & TCP_SYN))
		return ZW_FLOW_TCP_SYN_ACK;
	if ((state == ZW_FLOW_TCP_SYN_ACK || state == ZW_FLOW_TCP_PICKED_UP) && (tcp_flags & TCP_ACK) && from_opener)
		return ZW_FLOW_TCP_ESTABLISHED;
	return state;
}

/* UDP and SCTP are confirmed when the opener sends again after a reply. */
static __always_inline __u32 next_state(__u32 state, bool from_opener)
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

static __always_inline bool is_confirmed_state(__u32 state)
{
	return state == ZW_FLOW_TCP_ESTABLISHED || state == ZW_FLOW_UDP_CONFIRMED || state == ZW_FLOW_SCTP_CONFIRMED;
}

/* The head after this packet of the flow; not yet whether it is confirmed. tcp_flags: those that count. */
static __always_inline __u64 next_head(__u64 head, const struct packet *p, __u8 tcp_flags, __u32 from_opener)
{
	__u32 state;

	if (p->ends.protocol == PROTO_TCP) {
		/* Nearly all packets: the connection stands, and nobody ends it. */
		if ((head & (FLOW_STATE | FLOW_FIN_OPENER | FLOW_FIN_OTHER)) == ZW_FLOW_TCP_ESTABLISHED << 8 &&
		    !(tcp_flags & (TCP_FIN | TCP_RST)))
			return head;
		if (tcp_flags & TCP_FIN)
			head |= from_opener ? FLOW_FIN_OPENER : FLOW_FIN_OTHER;
		state = next_tcp_state(head, tcp_flags, from_opener);
	} else {
		state = next_state(flow_state(head), from_opener);
	}
	return (head & ~FLOW_STATE) | (__u64)state << 8;
}

/*
 * Writes the head. If another CPU has just changed it, what this packet says is said again of the new one, once more: a
 * FIN is not repeated. Only who changes it a third time in between makes it lost.
 */
static __always_inline void change_head(struct flow *f, __u64 head, const struct packet *p, __u8 tcp_flags,
					__u32 from_opener)
{
	__u64 word;

	if (head == f->head_word)
		return;
	if (exchange_word(&f->slot->head, f->head_word, head)) {
		f->head_word = head;
		return;
	}
	word = load_word(&f->slot->head);
	if (((word ^ f->head_word) & FLOW_VERSION) || !is_flow_live(word))
		return;
	exchange_word(&f->slot->head, word, next_head(word, p, tcp_flags, from_opener));
}

static __always_inline __u32 flow_generation(const struct flow *f)
{
	return (f->head_word & FLOW_GENERATION) >> FLOW_GENERATION_SHIFT;
}

/*
 * This generation allows the flow, by this cell. The cell is written first: between the two writes, another CPU
 * that still sees the old generation decides again and comes to the same cell.
 */
static __always_inline void flow_restamp(struct flow *f, __u64 terms, __u32 generation, __u32 cell)
{
	__u64 version = f->head_word & FLOW_VERSION,
	      head = (f->head_word & ~FLOW_GENERATION) | (__u64)generation << FLOW_GENERATION_SHIFT;

	if (exchange_word(&f->slot->cell, terms | version, (terms & ~0xffffffffull) | cell | version) &&
	    exchange_word(&f->slot->head, f->head_word, head))
		f->head_word = head;
}

static __always_inline bool has_room(struct lookup *l, const struct packet *p)
{
	return zw_flow_make_room(l, p->now, zw_timeouts.jiffies[ZW_FLOW_OTHER], p->family);
}

/*
 * Confirms the flow, if its bucket has room: it may take the place of one idle for 600 s. Two CPUs may find room for one
 * more at once. So who has taken it looks again: both have by then, and at least one sees the other and takes it back.
 */
static __always_inline void confirm(struct flow *f, struct lookup *l, const struct packet *p)
{
	__u64 head = f->head_word | FLOW_CONFIRMED;

	if (!has_room(l, p) || !exchange_word(&f->slot->head, f->head_word, head))
		return;
	f->head_word = head;
	if (!has_room(l, p))
		exchange_word(&f->slot->head, head, head & ~FLOW_CONFIRMED);
}

/* A packet of the flow was allowed: its state, and its time if that is old. */
static __always_inline void flow_advance(struct flow *f, struct lookup *l, const struct packet *p, __u32 from_opener)
{
	bool tcp = p->ends.protocol == PROTO_TCP;
	__u8 tcp_flags = tcp ? follow_windows(f, p, from_opener) : 0;
	__u64 head = next_head(f->head_word, p, tcp_flags, from_opener);
	bool due = head != f->head_word || flow_age(f->aux_word, p->now) >= (zw_layout.simulate ? 1 : FLOW_REFRESH);

	change_head(f, head, p, tcp_flags, from_opener);
	if (!due)
		return;
	if (!(f->head_word & FLOW_CONFIRMED)) { /* else it was here before */
		zw_flow_settle(l, 0, 0, 0, p->family);
		if (is_confirmed_state(flow_state(f->head_word)))
			confirm(f, l, p);
	}
	exchange_word(&f->slot->aux, f->aux_word, (f->aux_word & FLOW_VERSION) | (p->now & FLOW_BITS48));
	zw_flow_note(l, p->family);
}

/* Packets and bytes each way, where the packet is counted. */
static __always_inline void flow_count(struct flow *f, struct lookup *l, const struct packet *p, __u32 from_opener)
{
	const __u32 side = from_opener ^ 1;
	struct traffic moved;

	if (!p->counted)
		return;
	add_recent(&f->slot->recent[side], p->packets, p->bytes, &moved);
	if (moved.packets)
		zw_flow_settle(l, moved.packets, moved.bytes, side, p->family);
}

/* The state in which an allowed first packet opens a flow; ZW_FLOW_FREE: it leaves none. */
static __always_inline __u32 opening_state(const struct packet *p)
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

#endif
