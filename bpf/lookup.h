/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From addresses and ports to a cell, through the tables that zonewall.h describes. The tables are one block of
 * 64-byte lines; tables_at() is the only way into them and checks every offset against their size, so a damaged table
 * can give a wrong answer (a drop), never a wrong read. An absent answer is 0: atom 0, class 0, cell 0 (a drop).
 */
#ifndef ZW_LOOKUP_H
#define ZW_LOOKUP_H

#include "packet.h"

ZW_CONSTANT struct zw_layout zw_layout;

#ifdef __bpf__

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, 4);
	__uint(value_size, 64);
} zw_tables SEC(".maps");

static __always_inline const __u8 *tables_base(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&zw_tables, &zero);
}

#else

static const __u8 *zw_tables_bytes;

static __always_inline const __u8 *tables_base(void)
{
	return zw_tables_bytes;
}

#endif

/* `size` bytes at an offset from the tables' first line; NULL if that is outside. */
static __always_inline const void *tables_at(__u64 line, __u64 offset, __u64 size)
{
	const __u8 *base = tables_base();
	__u64 at = line * 64 + offset, end = (__u64)zw_layout.lines * 64;

	if (!base)
		return NULL;
	barrier_var(base); /* no arithmetic before the check: kernels before 6.18 see a null there */
	barrier_var(at);
	if (end < size || at > end - size)
		return NULL;
	return base + at;
}

static __always_inline __u32 table_word(__u32 line, __u64 index)
{
	const __u32 *word = tables_at(line, index * 4, 4);

	return word ? *word : 0;
}

/* Number of bounds <= key, without branches: the sign of bound - key - 1. */
static __always_inline __u32 search_line(const struct zw_line *line, __u32 key)
{
	__u64 n = 0;

	for (int i = 0; i < ZW_LINE_BOUNDS; i++)
		n += (__u32)(line->bound[i] - key - 1) >> 31;
	barrier_var(n);
	return n <= ZW_LINE_BOUNDS ? line->value[n] : 0;
}

/* The answer for key (16 bits) in the search tree whose root is this line. */
ZW_GLOBAL __u32 zw_search(__u32 line, __u32 key)
{
	for (int i = 0; i < ZW_SEARCH_DEPTH; i++) {
		const struct zw_line *l = tables_at(line, 0, sizeof(*l));
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

/* An address as the classifier wants it: a global function's argument. */
struct address {
	__u32 word[4]; /* wire order */
};

static __always_inline __u32 chunk16(const struct address *a, __u32 i)
{
	__u32 word = bpf_ntohl(a->word[i >> 1 & 3]);

	return i & 1 ? word & 0xffff : word >> 16;
}

static __always_inline bool tail_matches(const struct zw_tail *t, const struct address *a)
{
	__u64 high = (__u64)bpf_ntohl(a->word[0]) << 32 | bpf_ntohl(a->word[1]);
	__u64 low = (__u64)bpf_ntohl(a->word[2]) << 32 | bpf_ntohl(a->word[3]);

	return (high & t->mask[0]) == t->prefix[0] && (low & t->mask[1]) == t->prefix[1];
}

/* Every step reads at least 16 bits more of the address, or ends: at most 8 tails and 7 searches. */
ZW_GLOBAL __u32 zw_atom6(const struct address *a)
{
	__u32 value, chunk = 1;

	if (!a)
		return 0;
	value = table_word(zw_layout.root6, chunk16(a, 0));
	for (int i = 0; i < 15; i++) {
		if (value & ZW_TAIL) {
			const struct zw_tail *t = tables_at(value & ZW_STEP_INDEX, 0, sizeof(*t));

			if (!t)
				return 0;
			value = tail_matches(t, a) ? t->inside : t->outside;
			chunk = t->chunk;
		} else if (value & ZW_NEXT) {
			value = zw_search(value & ZW_STEP_INDEX, chunk16(a, chunk));
			chunk++;
		} else {
			break;
		}
	}
	return value & ZW_STEP_INDEX;
}

static __always_inline __u32 atom4(__be32 address)
{
	__u32 a = bpf_ntohl(address);
	__u32 value = table_word(zw_layout.root4, a >> 16);

	return value & ZW_NEXT ? zw_search(value & ZW_STEP_INDEX, a & 0xffff) : value;
}

/* Atom of an address of the packet's family. */
static __always_inline __u32 find_atom(int family, const __u32 *address)
{
	struct address a;

	if (family == 4)
		return atom4(address[0]);
	__builtin_memcpy(a.word, address, 16);
	return zw_atom6(&a);
}

static __always_inline const struct zw_atom *get_atom(__u32 atom)
{
	return tables_at(zw_layout.atoms, (__u64)atom * sizeof(struct zw_atom), sizeof(struct zw_atom));
}

/* Does the source set (from 1) hold the atom? What is not in the tables is in no set. */
static __always_inline bool is_in_source(__u32 source_set, const struct zw_atom *atom)
{
	__u32 word = table_word(zw_layout.origins, (__u64)(source_set - 1) * zw_layout.origin_words + (atom->origin >> 5));

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
	const __u16 *class = table ? tables_at(table, port * 2, 2) : tables_at(zw_layout.protocols, protocol * 2, 2);

	return class ? *class : 0;
}

/* A row of a sparse matrix: its own, or the default one of the two groups. */
static __always_inline __u32 sparse_row(__u32 source, __u32 destination, const struct zw_atom *from,
					const struct zw_atom *to)
{
	const __u32 buckets = zw_layout.matrix[ZW_MATRIX_POLICY].pair_buckets;
	__u32 at = zw_pair_hash(source, destination);

	for (int i = 0; i < ZW_PAIR_PROBES; i++, at++) {
		const struct zw_pair_bucket *b = tables_at(
			zw_layout.matrix[ZW_MATRIX_POLICY].pairs + (__u64)(at & (buckets - 1)), 0, 64);

		if (!b)
			return 0;
		for (int j = 0; j < ZW_PAIRS_A_BUCKET; j++)
			if (b->pair[j].source == source && b->pair[j].destination == destination)
				return b->pair[j].row;
		if (b->used < ZW_PAIRS_A_BUCKET)
			break;
	}
	return table_word(zw_layout.matrix[ZW_MATRIX_POLICY].defaults,
			  (__u64)from->group[0] * zw_layout.matrix[ZW_MATRIX_POLICY].default_destinations +
				  to->group[1]);
}

/* The cell of one matrix for a pair of atoms and a port class. */
static __always_inline __u32 find_cell(const enum zw_matrix_id m, __u32 source, __u32 destination, __u32 port)
{
	const struct zw_atom *from = get_atom(source), *to = get_atom(destination);
	__u32 s, d, row;

	if (!from || !to)
		return 0;
	s = from->classes[m].source;
	d = to->classes[m].destination;
	if (m == ZW_MATRIX_POLICY && zw_layout.matrix[m].pair_buckets)
		row = sparse_row(s, d, from, to);
	else
		row = table_word(zw_layout.matrix[m].pairs, (__u64)s * zw_layout.matrix[m].destinations + d);
	return zw_search(row, port);
}

/* What the policy says of a flow's first packet between two atoms. */
ZW_GLOBAL __u32 zw_policy_cell(__u32 source, __u32 destination, __u32 protocol, __u32 port)
{
	return find_cell(ZW_MATRIX_POLICY, source, destination, port_class(protocol, port));
}

/* The failsafe entry (a cell) that matches, or a cell that does not allow. */
ZW_GLOBAL __u32 zw_failsafe_cell(__u32 source, __u32 destination, __u32 protocol, __u32 port)
{
	return find_cell(ZW_MATRIX_FAILSAFE, source, destination, port_class(protocol, port));
}

#endif
