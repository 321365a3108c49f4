/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP's sequence numbers, as far as a firewall needs them: whether a RST, a FIN or an ACK is one of the connection, or
 * was made up by somebody who does not see it (RFC 9293 3.10.7.4, RFC 5961).
 *
 * The account of a flow has a word for each side, its window: what this side has sent and the other has not
 * acknowledged, as seen here.
 *
 *   end 32 | (unacknowledged bytes, at most 65,534, + 1) 16 << 32 | version << 48
 *
 * A sequence number is in the window from (end - unacknowledged) to end, both included. While nothing is under way, that
 * is one number: the only one at which RFC 5961 lets a RST close a connection. 48 zero bits: nothing is known yet.
 *
 * Example: the opener's SYN has sequence number 1000. Its window is 1001..1001. It sends 100 bytes: 1001..1101. They are
 * acknowledged: 1101..1101. A RST from it counts at 1101 only.
 *
 * A packet belongs to its flow's numbers ("fits") if its sequence number is in the sender's window, or what it
 * acknowledges is in the other side's: so that a segment which comes before the one it follows does not end the
 * tracking, while who sees neither direction has to guess 32 bits. Of a flow of which nothing is known the first packet
 * fits. What does not fit passes as a packet of the flow, but moves nothing. A SYN+ACK that answers the opening says
 * where both sides begin.
 *
 * The words are stored plainly. Two CPUs with one direction each can lose one of two updates: the next packet that fits
 * sets it right, and until then a RST at the lost number does not count. A CPU that found the flow before its slot went
 * to another can leave a word of the old version there: to the new flow that is a window of which nothing is known yet.
 */
#ifndef ZW_TCP_WINDOW_H
#define ZW_TCP_WINDOW_H

#include "flow_table.h"

#define UNACKED_MAX 65534u

enum { SIDE_OPENER, SIDE_OTHER };

static __always_inline __u64 make_window(__u32 end, __u32 unacked)
{
	return end | (__u64)((unacked < UNACKED_MAX ? unacked : UNACKED_MAX) + 1) << 32;
}

static __always_inline __u32 unacked(__u64 window)
{
	return (window >> 32) - 1;
}

static __always_inline bool is_in_window(__u64 window, __u32 number)
{
	return window && (__u32)window - number <= unacked(window);
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

static __always_inline __u64 load_window(const struct flow *f, int side)
{
	__u64 word = load_word(&f->account->window[side]);

	return (word ^ f->head_word) & FLOW_VERSION ? 0 : word & ~FLOW_VERSION;
}

static __always_inline void store_window(struct flow *f, int side, __u64 old, __u64 window)
{
	if (window != old)
		*(volatile __u64 *)&f->account->window[side] = window | (f->head_word & FLOW_VERSION);
}

/* Where the packet ends in its sender's sequence numbers: SYN and FIN take one each (RFC 9293 3.4). */
static __always_inline __u32 seq_end(const struct packet *p)
{
	return p->seq + p->payload_len + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
}

/* The windows that an allowed first packet opens a flow with; the other side of a SYN is not known yet. */
static __always_inline void open_windows(const struct packet *p, __u64 window[2])
{
	__u32 first = p->seq + !!(p->tcp_flags & TCP_SYN);

	window[SIDE_OPENER] = window_sent(0, first, seq_end(p));
	window[SIDE_OTHER] = p->tcp_flags & TCP_ACK ? make_window(p->ack, 0) : 0;
}

/* A RST counts in its sender's window; while the opening is not answered, by what it acknowledges (RFC 9293 3.10.7.3). */
static __always_inline bool is_reset_in_window(const struct packet *p, __u32 state, bool from_opener, __u64 mine,
					       __u64 others)
{
	if (state == ZW_FLOW_TCP_SYN && !from_opener)
		return (p->tcp_flags & TCP_ACK) && is_in_window(others, p->ack);
	return is_in_window(mine, p->seq);
}

/*
 * Follows the windows, and returns the flags of this packet that count: SYN, ACK and FIN only if it fits, ACK only if
 * it acknowledges what the other side sent, RST only in window.
 */
static __always_inline __u8 follow_windows(struct flow *f, const struct packet *p, bool from_opener)
{
	const int side = from_opener ? SIDE_OPENER : SIDE_OTHER, other = !from_opener ? SIDE_OPENER : SIDE_OTHER;
	__u64 mine = load_window(f, side), others = load_window(f, other);
	__u32 state = flow_state(f->head_word);
	__u8 flags = p->tcp_flags;
	bool acknowledges = (flags & TCP_ACK) && is_in_window(others, p->ack);

	if (flags & TCP_RST)
		return is_reset_in_window(p, state, from_opener, mine, others) ? TCP_RST : 0;
	if ((flags & TCP_SYN) && !from_opener && (state == ZW_FLOW_TCP_SYN || state == ZW_FLOW_TCP_SYN_ACK)) {
		store_window(f, side, mine, window_sent(0, p->seq + 1, seq_end(p)));
		store_window(f, other, others, make_window(p->ack, 0));
		return flags;
	}
	if (!acknowledges && (mine ? !is_in_window(mine, p->seq) : others != 0))
		return 0;
	/* Picked up by what the opener acknowledged: the other side must have sent it. */
	if (state == ZW_FLOW_TCP_PICKED_UP && !from_opener && (!mine || (__s32)(seq_end(p) - (__u32)mine) < 0))
		acknowledges = false;
	store_window(f, side, mine, window_sent(mine, p->seq, seq_end(p)));
	if (flags & TCP_ACK)
		store_window(f, other, others, window_acknowledged(others, p->ack));
	return acknowledges ? flags : flags & ~TCP_ACK;
}

#endif
