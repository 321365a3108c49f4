/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exact-match cache: what the tables last said of two addresses, a protocol and a port. Who was denied asks again, and then the
 * answer is one line instead of some ten, each of them on a page of its own.
 *
 * Nothing is decided here. An entry holds what find_atom(), is_host(), zw_find_cell() and zw_failsafe_cell() return for its key, and
 * that depends on the generation's tables alone. Each generation has a cache of its own, so an entry is right for as long as it
 * stands. What depends on more, on time, on the attach point, on flows, is asked for each packet anew.
 *
 * Direct-mapped: a key has one place, and there it replaces another. Each CPU has its own cache, and programs on one CPU do
 * not nest: an entry has one writer, which is its only reader. The hash is not keyed: who makes packets collide makes them cost what
 * they would cost without a cache. An entry of zeros is no packet's, since none goes to an unspecified address.
 *
 * User space, which decides a packet now and then and under one policy after the other, has none.
 */
#ifndef ZW_MATCH_CACHE_H
#define ZW_MATCH_CACHE_H

#include "work.h"

#define NO_MATCH 0xffffffffu /* beyond all entries: the tables were not asked where the packet's ends are */

#ifdef __bpf__

const volatile __u32 zw_match_entries = 1; /* of a CPU, a power of two */

ZW_ONE_VALUE(zw_matches, sizeof(struct zw_match));

/* Multiplicative hashing (Knuth), of the halves of both addresses and the rest; the factors are odd and otherwise any. */
static __always_inline __u32 match_hash(const __u64 *ends, __u32 what)
{
	__u64 h = ends[0] * 0x9e3779b97f4a7c15ull + ends[1] * 0xc2b2ae3d27d4eb4full + ends[2] * 0x165667b19e3779f9ull +
		  ends[3] * 0x27d4eb2f165667c5ull + what * 0xd6e8feb86659fd93ull;

	return (h ^ h >> 32) * 0x9e3779b97f4a7c15ull >> 32;
}

/* This CPU's entry number n; NULL: there is none. */
static __always_inline struct zw_match *match_at(__u64 n)
{
	const __u64 size = (__u64)zw_cpus * zw_match_entries * sizeof(struct zw_match);
	__u8 *base = only_value(&zw_matches);
	__u64 at = ((__u64)bpf_get_smp_processor_id() * zw_match_entries + n) * sizeof(struct zw_match);

	barrier_var(at);
	if (at > size - sizeof(struct zw_match))
		return NULL;
	return (struct zw_match *)(base + at);
}

/* The atoms of both ends, as locate() finds them; w->cell: what zw_find_cell() would say, or ZW_MATCH_NO_CELL. */
static __always_inline void locate_cached(struct work *w)
{
	const struct packet *p = &w->packet;
	const address_half *ends = (const address_half *)p->ends.source;
	const __u32 what = p->ends.port | (__u32)p->ends.protocol << 16 | (__u32)p->family << 24;
	struct outcome *o = &w->outcome;
	struct zw_match *m;

	w->match = match_hash(ends, what) & (zw_match_entries - 1);
	m = match_at(w->match);
	if (m && !((m->ends[0] ^ ends[0]) | (m->ends[1] ^ ends[1]) | (m->ends[2] ^ ends[2]) | (m->ends[3] ^ ends[3]) |
		   (m->what ^ what))) {
		o->source = m->source;
		o->destination = m->destination;
		w->cell = m->cell;
		w->from_host = m->from_host;
		return;
	}
	locate(p, o);
	w->cell = ZW_MATCH_NO_CELL;
	w->from_host = is_host(o->source);
	if (!m)
		return;
	for (int i = 0; i < 4; i++)
		m->ends[i] = ends[i];
	m->what = what;
	m->source = o->source;
	m->destination = o->destination;
	m->from_host = w->from_host;
	m->cell = ZW_MATCH_NO_CELL;
	m->failsafe = ZW_MATCH_NO_CELL;
}

/* The cell of a packet that locate_cached() has seen. */
static __always_inline void keep_cell(struct work *w, __u32 cell)
{
	struct zw_match *m = match_at(w->match);

	w->cell = cell;
	if (m)
		m->cell = cell;
}

/* What zw_failsafe_cell() says of the packet, both of whose ends are known. */
static __always_inline __u32 failsafe_cell(const struct work *w)
{
	const struct outcome *o = &w->outcome;
	struct zw_match *m = match_at(w->match);
	__u32 cell;

	if (m && m->failsafe != ZW_MATCH_NO_CELL)
		return m->failsafe;
	cell = zw_failsafe_cell(o->source, o->destination, w->packet.ends.protocol, w->packet.ends.port);
	if (m)
		m->failsafe = cell;
	return cell;
}

#else

static inline void locate_cached(struct work *w)
{
	locate(&w->packet, &w->outcome);
	w->cell = ZW_MATCH_NO_CELL;
	w->from_host = is_host(w->outcome.source);
}

static inline void keep_cell(struct work *w, __u32 cell)
{
	w->cell = cell;
}

static inline __u32 failsafe_cell(const struct work *w)
{
	const struct outcome *o = &w->outcome;

	return zw_failsafe_cell(o->source, o->destination, w->packet.ends.protocol, w->packet.ends.port);
}

#endif

/* What the tables say of a first packet. */
static __always_inline __u32 first_cell(struct work *w)
{
	const struct packet *p = &w->packet;
	const struct outcome *o = &w->outcome;

	if (w->cell == ZW_MATCH_NO_CELL)
		keep_cell(w, zw_find_cell(o->source, o->destination, p->ends.protocol, p->ends.port));
	return current_cell(w->cell, &w->packet.asked);
}

#endif
