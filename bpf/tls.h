/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage tls: a flow that a rule with `tls` lets in must begin with a TLS handshake, or carries no payload at all.
 *
 * Until the opener has spoken the flow is WAITING (tls_state.h). Its first byte is number ISN+1, which is the opener's
 * window meanwhile (tcp_window.h). Segments without payload pass; others are dropped until the one that begins with that
 * byte comes: their senders say them again. By that one the flow is CHECKED, or its payload is dropped from now on.
 *
 * A ClientHello begins so (RFC 8446 4.1.2, 5.1; RFC 5246 likewise):
 *
 *   byte   0: 22, handshake   1-2: record version 3, any   3-4: length   5: 1, ClientHello   6-8: length
 *   9-10: client_version, 0x0303 since TLS 1.2 (1.3 says the same, and what it is in an extension)
 *
 * These must stand in the segment that holds the first byte. It is the datagram that counts: a first fragment has
 * payload, in it or behind it, and is what is looked at; what was read of it, no later fragment may write over
 * (fragment.h).
 *
 * The bytes may lie outside of what the program can read at once, and are wanted of few packets. So decide() says that it
 * wants them (HELLO_WANTED), having changed nothing, and is asked again with them: see decide_fully() in zonewall.bpf.c.
 *
 * Two CPUs may look at two first segments of one flow at once. Who changes the word decides; the other's segment is
 * dropped, as is one that meets a new generation's change of the word.
 */
#ifndef ZW_TLS_H
#define ZW_TLS_H

#include "flow.h"
#include "tls_state.h"

enum hello { HELLO_UNKNOWN, HELLO_WANTED, HELLO_NONE, HELLO_OLD, HELLO_1_2 };

/* bytes: HELLO_BYTES of a segment's payload. */
static __always_inline enum hello read_hello(const __u8 *bytes)
{
	if (bytes[0] != 22 || bytes[1] != 3 || bytes[5] != 1)
		return HELLO_NONE;
	return load16(bytes + 9) >= 0x0303 ? HELLO_1_2 : HELLO_OLD;
}

/* Does any rule ask? */
static __always_inline bool reads_hello(void)
{
	return zw_layout.has_tls || zw_layout.has_staged_tls;
}

static __always_inline bool has_payload(const struct packet *p)
{
	return p->payload_len || p->fragment == FRAGMENT_FIRST;
}

/* A cell with what a ClientHello of this kind makes of the flow. HELLO_NONE: with nothing. */
static __always_inline __u32 with_hello(__u32 cell, __u8 hello)
{
	return (cell & ~ZW_TLS_STATE) | (hello == HELLO_1_2 ? ZW_TLS_CHECKED_1_2 : hello == HELLO_OLD ? ZW_TLS_CHECKED : 0);
}

/* Asks for the first bytes of the payload, if they can be a ClientHello. False: they are known by now. */
static __always_inline bool wants_hello(struct packet *p)
{
	if (p->payload_len < HELLO_BYTES)
		p->hello = HELLO_NONE;
	else if (p->hello == HELLO_UNKNOWN)
		p->hello = HELLO_WANTED;
	return p->hello == HELLO_WANTED;
}

/* Ends the waiting. cell: the flow's, as it was decided by; false if another CPU has changed it. */
static __always_inline bool settle(struct flow *f, __u32 cell, __u32 settled)
{
	__u64 word = load_word(&f->slot->cell);

	if (((word ^ f->head_word) & FLOW_VERSION) || ((__u32)word & ~ZW_CELL_HOSTS) != cell)
		return false;
	return exchange_word(&f->slot->cell, word, (word & ~(__u64)ZW_TLS_STATE) | (settled & ZW_TLS_STATE));
}

/* The segment with the first byte, or one that is taken for it: byte `first` must be its first, too. */
static __always_inline bool passes_first(struct packet *p, struct flow *f, __u32 *cell, __u32 first)
{
	__u32 settled = with_hello(*cell, seq_start(p) == first ? p->hello : HELLO_NONE);
	bool passes = is_checked(settled, *cell);

	if (!passes)
		settled &= ~ZW_TLS_STATE;
	if (!settle(f, *cell, settled))
		return false;
	*cell = settled;
	f->waits = false;
	return passes;
}

/*
 * A packet of a flow that *cell allows, which has ZW_CELL_TLS: does it pass? If it is the one that the flow waits for,
 * *cell becomes what the flow's then is. True with p->hello == HELLO_WANTED: nothing is decided yet.
 */
static __always_inline bool passes_tls(struct packet *p, struct flow *f, bool from_opener, __u32 *cell)
{
	__u32 state = *cell & ZW_TLS_STATE;
	__u64 window;

	if (state & ZW_TLS_CHECKED)
		return true;
	f->waits = state == ZW_TLS_WAITING;
	if (!has_payload(p))
		return true;
	window = load_window(f, SIDE_OPENER);
	if (!f->waits || !from_opener || !window || (__u32)window - seq_start(p) >= p->payload_len)
		return false;
	return wants_hello(p) || passes_first(p, f, cell, window);
}

/*
 * A SYN that opens a flow by *cell, or one that a flow without ZW_CELL_TLS lets be. *cell becomes what the flow's is.
 * As above.
 */
static __always_inline bool passes_tls_opening(struct packet *p, __u32 *cell)
{
	if (!has_payload(p)) {
		*cell |= ZW_TLS_WAITING;
		return true;
	}
	if (wants_hello(p))
		return true;
	*cell = with_hello(*cell, p->hello);
	return is_checked(*cell, *cell);
}

#endif
