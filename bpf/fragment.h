/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage fragment. A first fragment that was allowed is remembered in the flow table's fragment buckets, as a
 * flow that nobody refreshes: for 30 s, by source, destination, identification and protocol, in this direction
 * only. Its slot keeps what is needed to decide it again: cell, port, and in the first window word, the note,
 * whether that was asked the other way round (bit 16) and its transport protocol (bits 17-24), and the bytes of the
 * datagram up to the end of its fixed header, or of what an ICMP error's first fragment quotes (bits 0-15).
 */
#ifndef ZW_FRAGMENT_H
#define ZW_FRAGMENT_H

#include "match_cache.h"
#include "tls.h"

#define NOTE_HOLDS 0xffff
#define NOTE_REVERSED (1u << 16)
#define NOTE_PROTOCOL_SHIFT 17

static __always_inline void fragment_ends(const struct packet *p, struct ends *e)
{
	__builtin_memset(e, 0, sizeof(*e));
	__builtin_memcpy(e->source, p->ends.source, 16);
	__builtin_memcpy(e->destination, p->ends.destination, 16);
	e->sport = p->fragment_id >> 16;
	e->dport = p->fragment_id & 0xffff;
	e->protocol = p->fragment_protocol;
	e->echo = ECHO_REQUEST; /* the direction is part of the key */
}

static __always_inline bool find_fragment(const struct packet *p, struct quote *q, struct flow *f)
{
	fragment_ends(p, &q->ends);
	return p->family == 4 ? find_in_table(&q->ends, p->now, &q->lookup, f, false, true) :
				find_in_table(&q->ends, p->now, &q->lookup, f, true, true);
}

/* The cell that allows a remembered first fragment under this generation, or 0. */
static __always_inline __u32 fragment_cell(const struct flow *f, __u8 protocol, __u64 note, struct work *w)
{
	const struct outcome *o = &w->outcome;
	struct packet *p = &w->packet;
	const __u64 terms = f->terms;
	__u32 cell, from, to;

	if (is_decided(f, &p->asked))
		return terms;
	need_atoms(w);
	from = note & NOTE_REVERSED ? o->destination : o->source;
	to = note & NOTE_REVERSED ? o->source : o->destination;
	cell = policy_cell(from, to, protocol, terms >> 32 & 0xffff, &p->asked);
	if (zw_layout.has_tls && !takes_over(terms, cell))
		cell = 0;
	if (!(cell & ZW_CELL_ALLOW) && zw_layout.has_failsafe)
		cell = failsafe_towards(zw_failsafe_cell(from, to, protocol, terms >> 32 & 0xffff),
					note & NOTE_REVERSED ? !p->ingress : p->ingress);
	return cell & ZW_CELL_ALLOW ? cell : 0;
}

/* A later fragment: the cell that allowed its first one, or 0. */
ZW_GLOBAL __u32 zw_later_cell(struct work *w)
{
	struct packet *p;
	struct flow f;
	__u32 len;
	__u64 note;

	if (!w)
		return 0;
	p = &w->packet;
	len = p->ip_len - p->fragment_start;
	if (p->fragment_at + len > 65535 || (p->fragment_more && (len & 7)) || !find_fragment(p, &w->quote, &f))
		return 0;
	note = load_word(&f.slot->window[0]);
	if (((note ^ f.head_word) & FLOW_VERSION) || p->fragment_at < (note & NOTE_HOLDS))
		return 0;
	return fragment_cell(&f, note >> NOTE_PROTOCOL_SHIFT & 0xff, note, w);
}

/*
 * What a later fragment needs to know of an allowed first one: 48 bits. What decided was the headers, of an ICMP error also
 * what it quotes, of a rule with `tls` what a ClientHello begins with: no later fragment may write over that.
 */
static __always_inline __u64 make_note(const struct packet *p, const struct outcome *o)
{
	__u32 end = p->is_icmp_error ? p->ip_len :
		    zw_layout.has_tls && (o->cell & ZW_CELL_TLS) && p->payload_len >= HELLO_BYTES ?
				       p->header_len + HELLO_BYTES :
				       p->transport + fixed_header(p->ends.protocol);
	__u32 decisive = end - p->fragment_start;

	if (decisive > NOTE_HOLDS)
		decisive = NOTE_HOLDS;
	return decisive | (o->is_reversed ? NOTE_REVERSED : 0) |
	       (__u64)p->ends.protocol << NOTE_PROTOCOL_SHIFT;
}

/* Does the memory say of this first fragment what would be said again? */
static __always_inline bool is_remembered(const struct flow *f, const struct outcome *o, __u64 note)
{
	return flow_generation(f) == o->generation && f->terms == (o->cell | (__u64)o->port << 32) &&
	       load_word(&f->slot->window[0]) == (note | (f->head_word & FLOW_VERSION));
}

/*
 * A first fragment was decided: remembers it if it was allowed, and forgets another of its key. The second hook of a
 * forwarded one finds it remembered; opening it again would take a slot of others, this jiffy's being let alone.
 */
ZW_GLOBAL int zw_remember_first(struct work *w)
{
	const struct packet *p;
	struct outcome *o;
	struct flow f;
	bool dropped;

	if (!w)
		return 0;
	p = &w->packet;
	o = &w->outcome;
	dropped = ZW_REASON_IS_DROP(o->reason);
	if (find_fragment(p, &w->quote, &f)) {
		bool again = !dropped && is_remembered(&f, o, make_note(p, o));

		if (again)
			exchange_word(&f.slot->aux, f.aux_word, (f.aux_word & FLOW_VERSION) | (p->now & FLOW_BITS48));
		else
			let_go(&f.slot->head, f.head_word);
		zw_flow_note(&w->quote.lookup, p->family);
		if (again)
			return 0;
	}
	if (dropped)
		return 0;
	w->quote.lookup.opening = (struct opening){
		.now = p->now,
		.generation = o->generation,
		.cell = o->cell,
		.state = ZW_FLOW_UDP, /* 30 s */
		.port = o->port,
		.window = { make_note(p, o) },
		.alone = zw_layout.simulate,
	};
	return flow_open(&w->quote.lookup, p->family);
}

static __always_inline void decide_later(struct work *w)
{
	struct outcome *o = &w->outcome;
	__u32 cell = zw_later_cell(w);

	end(o, cell ? ZW_ALLOW_FRAGMENT : ZW_DROP_FRAGMENT, cell, zw_layout.generation);
}

#endif
