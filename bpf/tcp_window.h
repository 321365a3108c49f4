/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP's sequence numbers, as far as a firewall needs them: whether a RST, a FIN or an ACK is one of the connection, or
 * was made up by somebody who does not see it (RFC 9293 3.10.7.4, RFC 5961).
 *
 * The slot of a flow has a word for each side, its window: what this side has sent and the other has not
 * acknowledged, as seen here.
 *
 *   end 32 | (unacknowledged bytes, at most 65,534, + 1) 16 << 32 | version << 48
 *
 * A sequence number is in the window from (end - unacknowledged) to end, both included. While nothing is under way, that
 * is one number. 48 zero bits: nothing is known yet.
 *
 * Example: the opener's SYN has sequence number 1000. Its window is 1001..1001. It sends 100 bytes: 1001..1101. They are
 * acknowledged: 1101..1101. A RST from it counts at 1101 only.
 *
 * A packet `continues` its side if its sequence number is in the sender's window, and it `acknowledges` if what it
 * acknowledges is in the other side's. Who sees neither direction has to guess 32 bits for one of them while little is
 * under way, 16 while much is. So what ends a flow early needs more than one of them:
 *
 *   RST   counts at either end of its sender's window: what the sender sends next, or, answering a segment, what that
 *         acknowledged. In between RFC 5961 lets no host reset.
 *   FIN   counts if it continues and acknowledges.
 *   ACK   counts (to confirm a flow) if it acknowledges.
 *
 * One of them is enough to move the windows, so that a segment which comes before the one it follows does not end the
 * tracking. What neither continues nor acknowledges passes as a packet of the flow, but moves nothing. Nor does an
 * opener alone move the other side's window before it has answered it (SYN, SYN_ACK, PICKED_UP): who forges the opener
 * knows its numbers, but not the other side's.
 *
 * A SYN+ACK says where the other side begins, if it acknowledges the SYN. After a SYN with another number, which leaves a
 * flow as it is, any does. Two answers with different numbers (SYN cookies, anycast): the one that the opener takes up
 * shows as soon as the other side sends more. A SYN in a connection that both ends have forgotten without a word leaves
 * the old windows for as long as that flow lives: its FIN and RST then do not count, and it lives longer than it need.
 *
 * Two CPUs, with one direction each, change both words at once: what one sends the other acknowledges. An update that is
 * lost would leave a FIN behind the window, where it does not count, and it is not said again; so words are exchanged,
 * twice if need be. Who finds the slot given to another flow meanwhile changes nothing: the word's version is another.
 *
 * While a flow waits for its opener's first byte (tls.h), that byte's number is the opener's window: the opener's packets
 * without payload do not move it, wherever they are, and the other side, to which no payload came, can acknowledge no
 * other number. If it is not known, what the other side acknowledges says it. A FIN of the opener's that counts ends
 * the waiting: nothing more will come.
 */
#ifndef ZW_TCP_WINDOW_H
#define ZW_TCP_WINDOW_H

#include "flow_table.h"
#include "lookup.h"

#define UNACKED_MAX 65534u
#define WINDOW_TRIES 2
#define UNANSWERED_STATES (1u << ZW_FLOW_TCP_SYN | 1u << ZW_FLOW_TCP_SYN_ACK | 1u << ZW_FLOW_TCP_PICKED_UP)

enum { SIDE_OPENER, SIDE_OTHER }; /* of a packet's sender: from_opener ^ 1, of its receiver: from_opener */

static __always_inline __u64 make_window(__u32 end, __u32 unacked)
{
	return end | (__u64)((unacked < UNACKED_MAX ? unacked : UNACKED_MAX) + 1) << 32;
}

static __always_inline __u32 unacked(__u64 window)
{
	return (window >> 32) - 1;
}

/* 1 or 0, by arithmetic and not by branches: the verifier would follow each for all that comes after. 0 for no window. */
static __always_inline __u32 is_in_window(__u64 window, __u32 number)
{
	const __u32 before_end = (__u32)window - number;
	__u64 beyond = (__u64)before_end - (window >> 32);

	barrier_var(beyond);
	return beyond >> 63;
}

/* The side has sent what lies between seq and end. */
static __always_inline __u64 window_sent(__u64 window, __u32 seq, __u32 end)
{
	__u32 more = end - (__u32)window;

	if (!window)
		return make_window(end, end - seq);
	return (__s32)more > 0 ? make_window(end, unacked(window) + more) : window;
}

/* The other side acknowledges what lies before ack; perhaps more than was seen here. */
static __always_inline __u64 window_acknowledged(__u64 window, __u32 ack)
{
	__u32 left = (__u32)window - ack;

	if (!window || (__s32)left < 0)
		return make_window(ack, 0);
	return left < unacked(window) ? make_window((__u32)window, left) : window;
}

/* A side's window: none yet, if the word is another version's. Without branches, as is_in_window(). */
static __always_inline __u64 load_window(const struct flow *f, __u32 side)
{
	__u64 word = load_word(&f->slot->window[side]), same = ((word ^ f->head_word) >> 48) - 1;

	barrier_var(same);
	return word & (__u64)((__s64)same >> 63) & ~FLOW_VERSION;
}

/* Returns false if another CPU has changed the window meanwhile, or the flow is of another version. */
static __always_inline bool change_window(struct flow *f, __u32 side, __u64 old, __u64 window)
{
	const __u64 version = f->head_word & FLOW_VERSION;

	return window == old || exchange_word(&f->slot->window[side], old | version, window | version);
}

/* The side, whose window was read, has sent what lies between seq and end. anew: what was known of it before does not count. */
static __always_inline void note_sent(struct flow *f, __u32 side, __u64 window, bool anew, __u32 seq, __u32 end)
{
	for (int i = 0; i < WINDOW_TRIES; i++) {
		if (change_window(f, side, window, window_sent(anew ? 0 : window, seq, end)))
			return;
		window = load_window(f, side);
	}
}

/* What this side, whose window was read, has sent is acknowledged up to ack. */
static __always_inline void note_acknowledged(struct flow *f, __u32 side, __u64 window, __u32 ack)
{
	for (int i = 0; i < WINDOW_TRIES; i++) {
		if (change_window(f, side, window, window_acknowledged(window, ack)))
			return;
		window = load_window(f, side);
	}
}

/* The first number behind a SYN, of any other packet its own: SYN and FIN take one each (RFC 9293 3.4). */
static __always_inline __u32 seq_start(const struct packet *p)
{
	return p->seq + !!(p->tcp_flags & TCP_SYN);
}

/* Where the packet ends in its sender's sequence numbers. */
static __always_inline __u32 seq_end(const struct packet *p)
{
	return seq_start(p) + p->payload_len + !!(p->tcp_flags & TCP_FIN);
}

/* The window that an allowed first packet opens its own side with; the other side has to say its own. */
static __always_inline __u64 opening_window(const struct packet *p)
{
	return window_sent(0, seq_start(p), seq_end(p));
}

/* The opener says its SYN again: with another number, any SYN+ACK may be the answer. */
static __always_inline void repeat_opening(struct flow *f, const struct packet *p)
{
	__u32 state = flow_state(f->head_word);
	__u64 window = load_window(f, SIDE_OPENER);

	if ((state == ZW_FLOW_TCP_SYN || state == ZW_FLOW_TCP_SYN_ACK) && !is_in_window(window, seq_start(p)))
		change_window(f, SIDE_OPENER, window, 0);
}

/* While the opening is not answered, a RST counts by what it acknowledges (RFC 9293 3.10.7.3). */
static __always_inline bool is_reset(const struct packet *p, __u32 state, __u32 from_opener, __u64 mine, __u64 others)
{
	__u32 back = (__u32)mine - p->seq;

	if (state == ZW_FLOW_TCP_SYN && !from_opener)
		return (p->tcp_flags & TCP_ACK) && is_in_window(others, p->ack);
	return mine && (!back || back == unacked(mine));
}

/* Returns the flags that count of a SYN+ACK: all, of one that answers. */
static __always_inline __u8 follow_syn_ack(struct flow *f, const struct packet *p, __u32 from_opener)
{
	__u64 others = load_window(f, SIDE_OPENER);
	__u32 state = flow_state(f->head_word);

	if (from_opener || (state != ZW_FLOW_TCP_SYN && state != ZW_FLOW_TCP_SYN_ACK) ||
	    (others && !is_in_window(others, p->ack)))
		return 0;
	note_sent(f, SIDE_OTHER, load_window(f, SIDE_OTHER), true, seq_start(p), seq_end(p));
	note_acknowledged(f, SIDE_OPENER, others, p->ack);
	return p->tcp_flags;
}

/* Follows the windows, for a packet that is no bare SYN, and returns those of its flags that count. */
static __always_inline __u8 follow_windows(struct flow *f, const struct packet *p, __u32 from_opener)
{
	const __u32 side = from_opener ^ 1, other = from_opener;
	const __u64 mine = load_window(f, side), others = load_window(f, other);
	__u32 state = flow_state(f->head_word);
	const __u32 answered = (UNANSWERED_STATES >> state & 1) ^ 1, continues = is_in_window(mine, p->seq);
	const __u32 acknowledges = is_in_window(others, p->ack) & p->tcp_flags / TCP_ACK;
	bool waits;

	if (p->tcp_flags & TCP_RST)
		return is_reset(p, state, from_opener, mine, others) ? TCP_RST : 0;
	if (p->tcp_flags & TCP_SYN)
		return follow_syn_ack(f, p, from_opener);
	if (!(continues | acknowledges) && (mine | others))
		return 0;
	if (zw_layout.has_tls && (from_opener & continues & acknowledges & p->tcp_flags / TCP_FIN))
		f->waits = false;
	waits = zw_layout.has_tls && f->waits;
	/* The other side acknowledges, but is elsewhere than it was thought to be before the opener has answered it. */
	if (!waits || !from_opener)
		note_sent(f, side, mine, !(answered | from_opener | continues), p->seq, seq_end(p));
	if (waits && !from_opener ? continues && !others : acknowledges | (answered & p->tcp_flags / TCP_ACK))
		note_acknowledged(f, other, others, p->ack);
	return p->tcp_flags & ~(((continues & acknowledges) ^ 1) * TCP_FIN | (acknowledges ^ 1) * TCP_ACK);
}

#endif
