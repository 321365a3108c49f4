/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exact-match cache: what the tables last said of two addresses, a protocol, a port and a source set. Who was denied asks again, and
 * then the answer is one line instead of some ten.
 *
 * Nothing is decided here. A match says what is_host(), is_strange() and zw_find_cell() return for its key, and whether
 * zw_failsafe_cell() allows nothing; that depends on the generation's tables alone. Each generation has a cache of its own, so a match
 * is right for as long as it stands. What depends on more, on time, on flows, on which way a packet goes, is asked for each
 * packet anew.
 *
 * A key has one line. An IPv4 packet's match is one of four there: one that is found changes places with the first, a new one
 * comes before all others, and the last one goes. An IPv6 packet's match is the whole line, and all of its parts have protocol
 * and port: where others have come in between, it is nobody's.
 *
 * Each CPU has its own cache, and programs on one CPU do not nest: a match has one writer, which is its only reader. The hash is
 * not keyed: who makes packets collide makes them cost what they would cost without a cache. Zeros are no packet's match, since
 * none goes to an unspecified address.
 *
 * User space, which decides a packet now and then and under one policy after the other, has none.
 */
#ifndef ZW_MATCH_CACHE_H
#define ZW_MATCH_CACHE_H

#include "work.h"

#define NO_MATCH 0xffffffffu /* beyond all of them */

/*
 * Is the source, whose atom this is, outside the set that the attach point has? Unspecified sources that stage parse lets through
 * have no address to be wrong yet.
 */
static __always_inline bool is_strange(const struct packet *p, __u32 source)
{
	const struct zw_atom *atom;

	if (!zw_layout.source_sets || !p->source_set || is_unspecified(p->ends.source))
		return false;
	atom = get_atom(source);
	return !atom || !is_in_source(p->source_set, atom);
}

/* Asks the tables about the packet's ends: both atoms, and what a match says of them. */
ZW_GLOBAL __u32 zw_look_up_ends(struct work *w)
{
	struct outcome *o;

	if (!w)
		return 0;
	o = &w->outcome;
	locate(&w->packet, o);
	return ZW_MATCH_NO_CELL | (is_host(o->source) ? ZW_MATCH_FROM_HOST : 0) |
	       (is_host(o->destination) ? ZW_MATCH_TO_HOST : 0) | (is_strange(&w->packet, o->source) ? ZW_MATCH_STRANGE : 0);
}

/* Of a packet whose flow, or match, said what the tables would. */
static __always_inline void need_atoms(struct work *w)
{
	if (w->outcome.source == ZW_NO_ATOM)
		zw_look_up_ends(w);
}

#ifdef __bpf__

const volatile __u32 zw_match_entries = ZW_MATCHES_LINE; /* of a CPU, a power of two */
const volatile __u64 zw_match_bytes = ZW_MATCHES_LINE * sizeof(struct zw_match); /* of all CPUs */

ZW_ONE_VALUE(zw_matches, sizeof(struct zw_match));

/* Match number n, from which on so many (a constant) stand; NULL: they do not. */
static __always_inline struct zw_match *match_at(__u64 n, const __u32 whole)
{
	__u8 *base = only_value(&zw_matches);
	__u64 at = n * sizeof(struct zw_match);

	barrier_var(at);
	if (at > zw_match_bytes - whole * sizeof(struct zw_match))
		return NULL;
	barrier_var(at); /* clang 16 would add first, and no verifier knows what is compared afterwards */
	return (struct zw_match *)(base + at);
}

/* What tells keys apart, in as many parts (a constant) as the packet's match has. Returns all but the addresses. */
static __always_inline __u32 match_key(const struct packet *p, const int parts, __u64 *ret_ends)
{
	const address_half *ends = (const address_half *)p->ends.source;

	if (parts == 1)
		ret_ends[0] = p->ends.source[0] | (__u64)p->ends.destination[0] << 32;
	for (int i = 0; i < parts && parts > 1; i++)
		ret_ends[i] = ends[i];
	return p->ends.port | (__u32)p->ends.protocol << 16 | (parts > 1 ? ZW_MATCH_IPV6 : 0) |
	       (zw_layout.source_sets ? p->source_set << ZW_MATCH_SET_SHIFT : 0);
}

/* Multiplicative hashing (Knuth); the factors are odd and otherwise any. */
static __always_inline __u32 match_hash(const __u64 *ends, const int parts, __u32 what)
{
	__u64 h = ends[0] * 0x9e3779b97f4a7c15ull + what * 0xd6e8feb86659fd93ull;

	if (parts > 1)
		h += ends[1] * 0xc2b2ae3d27d4eb4full + ends[2] * 0x165667b19e3779f9ull + ends[3] * 0x27d4eb2f165667c5ull;
	return (h ^ h >> 32) * 0x9e3779b97f4a7c15ull >> 32;
}

/* Is a match, of so many parts, the one of this key? */
static __always_inline bool is_match(const struct zw_match *m, const int parts, const __u64 *ends, __u32 what)
{
	__u64 differ = 0;

	for (int i = 0; i < parts; i++)
		differ |= (m[i].ends ^ ends[i]) | ((m[i].what ^ what) & ~ZW_MATCH_NO_FAILSAFE);
	return !differ;
}

static __always_inline void exchange_matches(struct zw_match *a, struct zw_match *b)
{
	struct zw_match first = *a;

	*a = *b;
	*b = first;
}

/* What a line says of the packet, or, after it has made room for it, the tables do. */
static __always_inline void ask_cached(struct work *w, const int parts)
{
	__u64 ends[ZW_MATCHES_LINE];
	const __u32 what = match_key(&w->packet, parts, ends), entries = zw_match_entries;
	struct zw_match *m;

	w->hash = match_hash(ends, parts, what);
	/* Asked again: with a call here the verifier has a tenth less of the stages to follow than with the number in memory. */
	w->match = bpf_get_smp_processor_id() * entries + (w->hash & (entries - ZW_MATCHES_LINE));
	m = match_at(w->match, ZW_MATCHES_LINE);
	if (!m) {
		w->said = zw_look_up_ends(w);
		return;
	}
	for (int i = 0; i < ZW_MATCHES_LINE; i += parts) {
		if (is_match(m + i, parts, ends, what)) {
			if (i)
				exchange_matches(m, m + i);
			w->said = m->said;
			return;
		}
	}
	w->said = zw_look_up_ends(w);
	for (int i = ZW_MATCHES_LINE - 1; i >= parts; i--)
		m[i] = m[i - 1];
	for (int i = 0; i < parts; i++) {
		m[i].ends = ends[i];
		m[i].what = what;
	}
	m->said = w->said;
}

/* What the tables say of the packet's ends: w->said; also its cell, if they were asked for it. */
static __always_inline void ask_ends(struct work *w)
{
	if (zw_layout.source_sets && w->packet.source_set >= ZW_MATCH_SETS) {
		w->match = NO_MATCH;
		w->hash = 0;
		w->said = zw_look_up_ends(w);
	} else if (w->packet.family == 4) {
		ask_cached(w, 1);
	} else {
		ask_cached(w, ZW_MATCHES_LINE);
	}
}

/* The match of a packet whose ends were asked for, or NULL. */
static __always_inline struct zw_match *own_match(const struct work *w)
{
	return match_at(w->match, 1);
}

#else

static inline void ask_ends(struct work *w)
{
	w->match = NO_MATCH;
	w->said = zw_look_up_ends(w);
}

static inline struct zw_match *own_match(const struct work *w)
{
	(void)w;
	return NULL;
}

#endif

/* What the tables say of a first packet. */
static __always_inline __u32 first_cell(struct work *w)
{
	const struct packet *p = &w->packet;
	const struct outcome *o = &w->outcome;
	struct zw_match *m;

	if (w->said & ZW_MATCH_NO_CELL) {
		need_atoms(w);
		w->said &= ~(ZW_MATCH_NO_CELL | ZW_MATCH_CELL);
		w->said |= zw_find_cell(o->source, o->destination, p->ends.protocol, p->ends.port) & ZW_MATCH_CELL;
		m = own_match(w);
		if (m)
			m->said = w->said;
	}
	return current_cell(w->said & ZW_MATCH_CELL, &w->packet.asked);
}

/* What zw_failsafe_cell() says of the packet, or 0 where that does not allow. */
static __always_inline __u32 failsafe_cell(struct work *w)
{
	const struct outcome *o = &w->outcome;
	struct zw_match *m = own_match(w);
	__u32 cell;

	if (m && (m->what & ZW_MATCH_NO_FAILSAFE))
		return 0;
	need_atoms(w);
	cell = zw_failsafe_cell(o->source, o->destination, w->packet.ends.protocol, w->packet.ends.port);
	if (m && !(cell & ZW_CELL_ALLOW))
		m->what |= ZW_MATCH_NO_FAILSAFE;
	return cell;
}

#endif
