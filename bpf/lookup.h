/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From addresses and ports to a cell, through the tables that zonewall.h describes: one block of 64-byte lines. Sections
 * are reached by constants of the layout and an index below their constant size, search lines and blocks by a line number
 * from a table, which is checked. So a damaged table can give a wrong answer (a drop), never a wrong read. An absent answer
 * is 0: atom 0, class 0, cell 0 (a drop).
 */
#ifndef ZW_LOOKUP_H
#define ZW_LOOKUP_H

#include "packet.h"

ZW_CONSTANT struct zw_layout zw_layout;

#ifdef __bpf__

#include "maps.h"

ZW_ONE_VALUE(zw_tables, 64);

static __always_inline const __u8 *tables_base(void)
{
	return only_value(&zw_tables);
}

#else

static const __u8 *zw_tables_bytes;

static __always_inline const __u8 *tables_base(void)
{
	return zw_tables_bytes;
}

#endif

/* The line, of which as many as `whole` stand together (a constant); NULL if they are not all in the tables. */
static __always_inline const void *table_lines(__u64 line, const __u64 whole)
{
	const __u64 size = (__u64)zw_layout.lines * 64;
	__u64 at = line * 64;

	barrier_var(at);
	if (size < whole * 64 || at > size - whole * 64)
		return NULL;
	return tables_base() + at;
}

/* Element number i of a section of `count`; NULL beyond. */
static __always_inline const void *section_at(__u32 line, __u64 i, __u64 count, const __u64 size)
{
	barrier_var(i);
	if (i >= count)
		return NULL;
	return tables_base() + (__u64)line * 64 + i * size;
}

static __always_inline __u32 section_word(__u32 line, __u64 i, __u64 count)
{
	const __u32 *word = section_at(line, i, count, 4);

	return word ? *word : 0;
}

static __always_inline __u32 block_word(__u32 line, __u32 i)
{
	const __u32 *block = table_lines(line, ZW_BLOCK_WORDS * 4 / 64);

	barrier_var(i); /* kernels before 6.18 want to see the mask */
	return block ? block[i & (ZW_BLOCK_WORDS - 1)] : 0;
}

/*
 * The value behind the bounds that are <= key, without branches: each lane of 0x10000 + key - bound has bit 16 set if the
 * bound is <= key, and the lanes of the product's top one add up how many.
 */
static __always_inline __u32 search_line(const struct zw_line *line, __u32 key)
{
	const __u64 keys = (0x10000ull + (key & 0xffff)) * ZW_LANES, reached = 0x10000ull * ZW_LANES;
	__u64 n = 0;

	for (int i = 0; i < ZW_LINE_BOUNDS / 3; i++)
		n += (keys - line->bounds[i]) & reached;
	n = n * ZW_LANES >> (42 + 16);
	barrier_var(n);
	return n <= ZW_LINE_BOUNDS ? line->value[n] : 0;
}

/* The answer for key (16 bits) in the search tree whose root is this line. */
ZW_GLOBAL __u32 zw_search_tree(__u32 line, __u32 key)
{
	for (int i = 0; i < ZW_SEARCH_DEPTH; i++) {
		const struct zw_line *l = table_lines(line, 1);
		__u32 value;

		if (!l)
			return 0;
		value = search_line(l, key);
		if (!(value & ZW_LINK))
			return value;
		line = value & ~ZW_LINK;
	}
	return 0;
}

/* The same; most trees are one line, and no call. */
static __always_inline __u32 search(__u32 line, __u32 key)
{
	const struct zw_line *l = table_lines(line, 1);
	__u32 value = l ? search_line(l, key) : 0;

	return value & ZW_LINK ? zw_search_tree(value & ~ZW_LINK, key) : value;
}

#define LANES16 0x0001000100010001ull

/* The lanes of 16 bits that are 0, all ones in the answer, and 0 for all others. (Warren, "Hacker's Delight", 2nd edition, 6-1) */
static __always_inline __u64 zero_lanes(__u64 lanes)
{
	const __u64 low = 0x7fff * LANES16;
	__u64 zero = ~(((lanes & low) + low) | lanes | low);

	return (zero << 1) - (zero >> 15);
}

/* Atom number i of those that begin at this line: a sparse line's whose keys are too many. */
ZW_GLOBAL __u32 zw_crowded_atom(__u32 line, __u32 i)
{
	const __u16 *atoms = table_lines(line + i / ZW_SPARSE_LINE_ATOMS, 1);

	return atoms ? atoms[i & (ZW_SPARSE_LINE_ATOMS - 1)] : 0;
}

static __always_inline bool is_sparse(__u32 step)
{
	return (step & ZW_SPARSE) == ZW_SPARSE;
}

/* The atom of a key among sparse ones, without branches for which of them it is, since that is chance. */
static __always_inline __u32 sparse_atom(__u32 step, __u32 key)
{
	const __u32 bits = step >> ZW_SPARSE_SHIFT & 15;
	const struct zw_sparse *s = table_lines((step & ZW_SPARSE_LINE) + (key >> (16 - bits)), 1);
	__u64 keys = key * LANES16, differs = 0;

	if (!s)
		return 0;
	if (s->differs[3] >> 48)
		return zw_crowded_atom(s->key[0], key & 0xffff >> bits);
	for (int i = 0; i < 4; i++)
		differs |= s->differs[i] & zero_lanes(s->key[i] ^ keys);
	differs |= differs >> 32;
	differs |= differs >> 16;
	return (differs & 0xffff) ^ s->key[3] >> 48;
}

/* What the next 16 bits of an address lead to from a step that is ZW_BLOCK, ZW_NEXT or an atom. */
static __always_inline __u32 next_step(__u32 step, __u32 key)
{
	if (step & ZW_BLOCK) {
		step = block_word(step & ZW_STEP_INDEX, key >> 8);
		if (step & ZW_BLOCK)
			return block_word(step & ZW_STEP_INDEX, key);
	}
	return step & ZW_NEXT ? search(step & ZW_STEP_INDEX, key) : step;
}

/* An address as the classifier wants it: a global function's argument. */
struct address {
	__u32 word[4]; /* wire order */
};

static __always_inline __u32 chunk16(const struct address *a, __u32 i)
{
	__u32 word = bpf_ntohl(a->word[i >> 1 & 3]);

	return i & 1 ? word & 0xffff : word >> 16;
}

/* The upper (0) or the lower (1) half, host order. */
static __always_inline __u64 half(const struct address *a, const __u32 i)
{
	return (__u64)bpf_ntohl(a->word[2 * i]) << 32 | bpf_ntohl(a->word[2 * i + 1]);
}

static __always_inline bool tail_matches(const struct zw_tail *t, const struct address *a)
{
	return (half(a, 0) & t->mask[0]) == t->prefix[0] && (half(a, 1) & t->mask[1]) == t->prefix[1];
}

/* The atom of an address among lone prefixes. Without branches: which of them holds it, is chance. */
static __always_inline __u32 lone_atom(const struct zw_lone *l, const struct address *a)
{
	__u64 high = half(a, 0), low = half(a, 1), held = 0;
	__u32 atom = 0;

	for (int i = 0; i < ZW_LONE_PREFIXES; i++) {
		__u64 open = l->open[i], shift = open & 63, all = -(open >> 6 & 1); /* of the lower half, bits are open */
		__u64 prefix = (__u64)l->high[i] << 32 | l->middle[i];
		__u64 differ = ((high ^ prefix) << 16 >> 16) >> (shift & all) | ((low ^ l->low[i]) >> shift & ~all);
		__u64 holds = (__s64)((differ - 1) & ~differ) >> 63;

		atom |= l->inside[i] & holds;
		held |= holds;
	}
	return atom | (l->outside & ~held);
}

/* How many steps these tables need is one of their constants, so that the verifier follows no more. */
ZW_GLOBAL __u32 zw_atom6(const struct address *a)
{
	const __u32 steps = zw_layout.steps6;
	__u32 value, chunk = 1;

	if (!a)
		return 0;
	value = section_word(zw_layout.root6, chunk16(a, 0), ZW_ROOT_WORDS);
	for (__u32 i = 0; i < steps; i++) {
		if (value & ZW_LONE) {
			const struct zw_lone *l = table_lines(value & ZW_STEP_INDEX, 1);

			return l ? lone_atom(l, a) & ZW_STEP_INDEX : 0;
		}
		if (value & ZW_TAIL) {
			const struct zw_tail *t = table_lines(value & ZW_STEP_INDEX, 1);

			if (!t)
				return 0;
			value = tail_matches(t, a) ? t->inside : t->outside;
			chunk = t->chunk;
		} else if (is_sparse(value)) {
			return sparse_atom(value, chunk16(a, chunk));
		} else if (value & (ZW_NEXT | ZW_BLOCK)) {
			value = next_step(value, chunk16(a, chunk));
			chunk++;
		} else {
			break;
		}
	}
	return value & (ZW_STEPS | ZW_LONE) ? 0 : value;
}

static __always_inline __u32 atom4(__be32 address)
{
	__u32 a = bpf_ntohl(address), step = section_word(zw_layout.root4, a >> 16, ZW_ROOT_WORDS);

	return is_sparse(step) ? sparse_atom(step, a & 0xffff) : next_step(step, a & 0xffff) & ZW_STEP_INDEX;
}

static __always_inline __u32 atom6(const __u32 *address)
{
	struct address a;

	__builtin_memcpy(a.word, address, 16);
	return zw_atom6(&a);
}

/* Atom of an address of the packet's family. */
static __always_inline __u32 find_atom(int family, const __u32 *address)
{
	return family == 4 ? atom4(address[0]) : atom6(address);
}

/* The same, for where it is rarely asked for: a call instead of the code. */
ZW_GLOBAL __u32 zw_atom4(__be32 address)
{
	return atom4(address);
}

static __always_inline __u32 find_atom_rarely(int family, const __u32 *address)
{
	return family == 4 ? zw_atom4(address[0]) : atom6(address);
}

static __always_inline const struct zw_atom *get_atom(__u32 atom)
{
	return section_at(zw_layout.atoms, atom, zw_layout.atom_count, sizeof(struct zw_atom));
}

static __always_inline bool is_host(__u32 atom)
{
	const struct zw_atom *a = get_atom(atom);

	return a && (a->flags & ZW_ATOM_HOST);
}

/* Does the source set (from 1) hold the atom? What is not in the tables is in no set. */
static __always_inline bool is_in_source(__u32 source_set, const struct zw_atom *atom)
{
	__u32 word = section_word(zw_layout.origins, (__u64)(source_set - 1) * zw_layout.origin_words + (atom->origin >> 5),
				  (__u64)zw_layout.source_sets * zw_layout.origin_words);

	if (source_set > zw_layout.source_sets || atom->origin >> 5 >= zw_layout.origin_words)
		return false;
	return word >> (atom->origin & 31) & 1;
}

static __always_inline __u32 port_table(__u8 protocol)
{
	switch (protocol) {
	case PROTO_TCP:
		return zw_layout.ports[ZW_PORT_TCP];
	case PROTO_UDP:
		return zw_layout.ports[ZW_PORT_UDP];
	case PROTO_SCTP:
		return zw_layout.ports[ZW_PORT_SCTP];
	case PROTO_ICMP:
		return zw_layout.ports[ZW_PORT_ICMP];
	case PROTO_ICMPV6:
		return zw_layout.ports[ZW_PORT_ICMPV6];
	default:
		return 0;
	}
}

static __always_inline __u32 port_class(__u8 protocol, __u16 port)
{
	__u32 table = port_table(protocol);
	const __u16 *class = table ? section_at(table, port, 65536, 2) : section_at(zw_layout.protocols, protocol, 256, 2);

	return class ? *class : 0;
}

/* The row of a pair of classes that may have one of its own. */
static __always_inline __u32 own_row(__u32 source, __u32 destination, __u32 otherwise)
{
	const __u32 buckets = zw_layout.matrix[ZW_MATRIX_POLICY].pair_buckets;
	__u32 at = zw_pair_hash(source, destination);

	for (int i = 0; i < ZW_PAIR_PROBES; i++, at++) {
		const struct zw_pair_bucket *b =
			section_at(zw_layout.matrix[ZW_MATRIX_POLICY].pairs, at & (buckets - 1), buckets, sizeof(*b));

		if (!b)
			return 0;
		for (int j = 0; j < ZW_PAIRS_A_BUCKET; j++)
			if (b->pair[j].source == source && b->pair[j].destination == destination)
				return b->pair[j].row;
		if (b->used < ZW_PAIRS_A_BUCKET)
			break;
	}
	return otherwise;
}

/* The default row of a pair of groups: the source group's usual one, unless its bit says otherwise. */
static __always_inline __u32 default_row(__u32 source, __u32 destination)
{
	const __u32 destinations = zw_layout.matrix[ZW_MATRIX_POLICY].default_destinations;
	const __u32 usual = zw_layout.matrix[ZW_MATRIX_POLICY].usual;
	__u64 record = (__u64)source * zw_usual_words(destinations), words = (__u64)(zw_layout.lines - usual) * (64 / 4);
	__u32 bits = section_word(usual, record + 1 + (destination >> 5), words);

	if (!(bits >> (destination & 31) & 1))
		return section_word(usual, record, words);
	return section_word(zw_layout.matrix[ZW_MATRIX_POLICY].defaults, (__u64)source * destinations + destination,
			    zw_layout.matrix[ZW_MATRIX_POLICY].default_count);
}

/* The row of a pair of atoms. */
static __always_inline __u32 find_row(const enum zw_matrix_id m, __u32 source, __u32 destination)
{
	const struct zw_atom *from = get_atom(source), *to = get_atom(destination);
	__u32 row;

	if (!from || !to)
		return 0;
	if (m != ZW_MATRIX_POLICY || !zw_layout.matrix[m].pair_buckets)
		return section_word(zw_layout.matrix[m].pairs,
				    (__u64)from->classes[m].source * zw_layout.matrix[m].destinations + to->classes[m].destination,
				    zw_layout.matrix[m].pair_count);
	row = default_row(from->group[0], to->group[1]);
	if (!(row & ZW_PAIRS))
		return row;
	return own_row(from->classes[m].source, to->classes[m].destination, row & ~ZW_PAIRS);
}

/* The cell of one matrix for a pair of atoms and a protocol's port. */
static __always_inline __u32 find_cell(const enum zw_matrix_id m, __u32 source, __u32 destination, __u8 protocol, __u16 port)
{
	__u32 row = find_row(m, source, destination);

	return row & ZW_LINK ? search(row & ~ZW_LINK, port_class(protocol, port)) : row;
}

/* What stands in the tables for a flow's first packet: a cell, or one that names a variant. */
ZW_GLOBAL __u32 zw_find_cell(__u32 source, __u32 destination, __u32 protocol, __u32 port)
{
	return find_cell(ZW_MATRIX_POLICY, source, destination, protocol, port);
}

/* The failsafe entry (a cell) that matches, or a cell that does not allow. */
ZW_GLOBAL __u32 zw_failsafe_cell(__u32 source, __u32 destination, __u32 protocol, __u32 port)
{
	return find_cell(ZW_MATRIX_FAILSAFE, source, destination, protocol, port);
}

/*
 * What such a cell says. As long as this host has no address, `to: host` of a failsafe entry is every destination, but only for
 * what enters (`towards`: it is this host that the packet is for, if it is for nobody else) and for its answers, which leave: what
 * this host would forward is let in, and not out.
 */
static __always_inline __u32 failsafe_towards(__u32 cell, bool towards)
{
	if (cell & ZW_CELL_AT_BOOT)
		return towards ? cell & ~ZW_CELL_AT_BOOT : 0;
	return cell;
}

#endif
