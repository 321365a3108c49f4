// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/reach_ends.h"

#include "base/util.h"

/* Where stages parse and essentials tell addresses apart. */
static const struct {
	int family;
	u128 first, last;
} blocks[] = {
#define HIGH(word) ((u128)(word) << 112)
	{ 4, 0, 0 },
	{ 4, 0x7f000000, 0x7fffffff },
	{ 4, 0xe0000000, 0xefffffff },
	{ 4, 0xffffffff, 0xffffffff },
	{ 6, 0, 0 },
	{ 6, 1, 1 },
	{ 6, (u128)0xffff << 32, ((u128)0xffff << 32) + 0xffffffff },
	{ 6, HIGH(0xfe80), HIGH(0xfec0) - 1 },
	{ 6, HIGH(0xff00), HIGH(0xff02) + 0x10001 },
	{ 6, HIGH(0xff02) + 0x10002, HIGH(0xff02) + 0x10002 },
	{ 6, HIGH(0xff02) + 0x10003, ADDR_MAX6 },
	/* These are like all others, but nobody would take them for an example. */
	{ 4, 1, 0x00ffffff },
	{ 6, 2, HIGH(1) - 1 },
};

/* The block's number, 0 outside all; ret_last: up to here all addresses are in it, or outside all. */
static uint32_t block_of(const struct addr *addr, u128 *ret_last)
{
	*ret_last = addr->family == 4 ? ADDR_MAX4 : ADDR_MAX6;
	for (uint32_t i = 0; i < ARRAY_LEN(blocks); i++) {
		if (blocks[i].family != addr->family || blocks[i].last < addr->value)
			continue;
		if (blocks[i].first <= addr->value) {
			*ret_last = blocks[i].last;
			return i + 1;
		}
		if (blocks[i].first <= *ret_last)
			*ret_last = blocks[i].first - 1;
	}
	return 0;
}

/*
 * The second address of a piece stands for it as a source, the third as a destination, if there are so many. People know
 * the first as the network's name, and the same address at both ends is a poor example.
 */
static u128 example_of(enum side side, u128 first, u128 last)
{
	unsigned nth = side == SIDE_SOURCE ? 1 : 2;

	return last - first < nth ? last : first + nth;
}

/* The pieces of first..last, which are all of one atom. */
static int add_pieces(struct space *space, enum side side, int family, struct range range, uint32_t atom,
		      struct reach_ends *ends)
{
	const struct zw_atom *a = cells_atom(space_cells(space), atom);

	for (bool end = false; !end;) {
		struct reach_end *new;
		u128 last;
		uint32_t block = block_of(&(struct addr){ family, range.first }, &last);

		end = last >= range.last;
		last = end ? range.last : last;
		if (array_grow(&ends->v, ends->count, sizeof(*ends->v)))
			return -ENOMEM;
		new = &ends->v[ends->count++];
		*new = (struct reach_end){
			.example = { family, example_of(side, range.first, last) },
			.atom = atom,
			.kind = cells_kind(space_cells(space), side, atom),
			.block = block,
			.flags = a->flags,
			.origin = a->origin,
			.is_host = a->flags & ZW_ATOM_HOST,
		};
		range.first = last + 1;
	}
	return 0;
}

static int compare_traits(const struct reach_end *x, const struct reach_end *y)
{
	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	if (x->flags != y->flags)
		return x->flags < y->flags ? -1 : 1;
	return x->origin < y->origin ? -1 : x->origin > y->origin;
}

static int compare_ends(const void *a, const void *b)
{
	const struct reach_end *x = a, *y = b;
	int order = compare_traits(x, y);

	if (order)
		return order;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->example.value < y->example.value ? -1 : x->example.value > y->example.value;
}

/* One of each kind and traits stays; traits get their numbers. */
static void unite(struct reach_ends *ends)
{
	struct reach_end *v = ends->v;
	size_t kept = 0;

	qsort(v, ends->count, sizeof(*v), compare_ends);
	for (size_t i = 0; i < ends->count; i++) {
		bool other = !kept || compare_traits(&v[i], &v[kept - 1]);

		if (!other && v[i].kind == v[kept - 1].kind)
			continue;
		ends->traits_count += other;
		v[kept] = v[i];
		v[kept++].traits = ends->traits_count - 1;
	}
	ends->count = kept;
}

int reach_ends_find(struct space *space, enum side side, int family, const struct ranges *set,
		    struct reach_ends *ret_ends)
{
	const struct range *v = family == 4 ? set->v4 : set->v6;
	size_t count = family == 4 ? set->v4_count : set->v6_count;
	const struct atom_ranges *atoms = space_ranges(space, family);
	struct reach_ends ends = { 0 };
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		for (size_t r = atom_ranges_at(atoms, v[i].first);
		     r < atoms->count && atoms->v[r].first <= v[i].last && !err; r++) {
			const struct range piece = {
				atoms->v[r].first > v[i].first ? atoms->v[r].first : v[i].first,
				atoms->v[r].last < v[i].last ? atoms->v[r].last : v[i].last,
			};

			err = add_pieces(space, side, family, piece, atoms->v[r].atom, &ends);
		}
	if (!err && ends.count)
		unite(&ends);
	if (err)
		reach_ends_clear(&ends);
	*ret_ends = ends;
	return err;
}

void reach_ends_clear(struct reach_ends *ends)
{
	free(ends->v);
	*ends = (struct reach_ends){ 0 };
}
