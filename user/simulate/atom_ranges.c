// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/atom_ranges.h"

#include "base/util.h"

#define CHUNK_BITS 16

struct walker {
	const uint8_t *tables;
	const struct zw_layout *layout;
	unsigned chunks; /* of an address: 2 or 8 */
	struct atom_ranges ranges;
};

/* A search tree, or a part of one: its keys are chunk `chunk` of the addresses that begin with `base`. */
struct tree {
	uint32_t line;
	u128 base;
	unsigned chunk;
	unsigned low, high; /* keys that lead here, both included */
	unsigned depth; /* lines above this one */
};

static int walk_step(struct walker *w, uint32_t step, u128 base, unsigned chunk);

static const void *line_at(const struct walker *w, uint32_t line)
{
	return line < w->layout->lines ? w->tables + (size_t)line * sizeof(struct zw_line) : NULL;
}

static unsigned shift_of(const struct walker *w, unsigned chunk)
{
	return CHUNK_BITS * (w->chunks - 1 - chunk);
}

/* The last address that begins with `base`, which is fixed down to before this chunk. */
static u128 block_end(const struct walker *w, u128 base, unsigned chunk)
{
	return chunk < w->chunks ? base | (((u128)0xffff << shift_of(w, chunk)) | (((u128)1 << shift_of(w, chunk)) - 1)) :
				   base;
}

static int emit(struct walker *w, u128 first, u128 last, uint32_t atom)
{
	struct atom_ranges *ranges = &w->ranges;

	if (atom >= w->layout->atom_count)
		return -EINVAL;
	if (ranges->count && ranges->v[ranges->count - 1].atom == atom) {
		ranges->v[ranges->count - 1].last = last;
		return 0;
	}
	if (array_grow(&ranges->v, ranges->count, sizeof(*ranges->v)))
		return -ENOMEM;
	ranges->v[ranges->count++] = (struct atom_range){ first, last, atom };
	return 0;
}

/* Keys first..last of a tree, which all lead to `value`. */
static int walk_keys(struct walker *w, const struct tree *tree, unsigned first, unsigned last, uint32_t value)
{
	unsigned shift = shift_of(w, tree->chunk);
	int err = 0;

	if (!(value & ZW_STEPS))
		return emit(w, tree->base | (u128)first << shift,
			    block_end(w, tree->base | (u128)last << shift, tree->chunk + 1), value);
	for (unsigned key = first; key <= last && !err; key++)
		err = walk_step(w, value, tree->base | (u128)key << shift, tree->chunk + 1);
	return err;
}

/* value[n] holds for the keys from bound[n - 1] to before bound[n]. */
static int walk_tree(struct walker *w, const struct tree *tree)
{
	const struct zw_line *line = line_at(w, tree->line);
	int err = 0;

	if (!line || tree->depth >= ZW_SEARCH_DEPTH || tree->chunk >= w->chunks)
		return -EINVAL;
	for (unsigned n = 0; n <= ZW_LINE_BOUNDS && !err; n++) {
		unsigned first = n ? zw_line_bound(line, n - 1) : 0, end = n < ZW_LINE_BOUNDS ? zw_line_bound(line, n) : 0x10000;
		struct tree part = *tree;

		part.low = first > tree->low ? first : tree->low;
		part.high = end - 1 < tree->high ? end - 1 : tree->high;
		if (!end || first > 0xffff || part.low > part.high)
			continue;
		part.line = line->value[n] & ~ZW_LINK;
		part.depth++;
		err = line->value[n] & ZW_LINK ? walk_tree(w, &part) :
						 walk_keys(w, tree, part.low, part.high, line->value[n]);
	}
	return err;
}

/* A tail for the addresses base..end; chunk: the first that is not read yet. */
static int walk_tail(struct walker *w, uint32_t line, u128 base, u128 end, unsigned chunk)
{
	const struct zw_tail *tail = line_at(w, line);
	u128 mask, first, last;
	int err = 0;

	if (!tail || tail->chunk < chunk || tail->outside & ZW_STEPS || tail->inside & ZW_TAIL)
		return -EINVAL;
	mask = (u128)tail->mask[0] << 64 | tail->mask[1];
	first = (u128)tail->prefix[0] << 64 | tail->prefix[1];
	last = first | ~mask;
	if (first < base || last > end || ~mask & (~mask + 1))
		return -EINVAL;
	if (first > base)
		err = emit(w, base, first - 1, tail->outside);
	if (!err)
		err = tail->inside & (ZW_NEXT | ZW_BLOCK) ? walk_step(w, tail->inside, first, tail->chunk) :
					       emit(w, first, last, tail->inside);
	if (!err && last < end)
		err = emit(w, last + 1, end, tail->outside);
	return err;
}

/* The lone prefix of a line that follows an address and begins by `end`; its number, or -1. Behind `used` are copies. */
static int next_lone(const struct zw_lone *lone, u128 at, u128 end, struct range *ret_range)
{
	int found = -1;

	for (unsigned i = 0; i < lone->used && i < ZW_LONE_PREFIXES; i++) {
		u128 first = at >> 112 << 112 | (u128)lone->high[i] << 96 | (u128)lone->middle[i] << 64 | lone->low[i];
		u128 last = first | (((u128)1 << (lone->open[i] & 127)) - 1);

		if (first < at || last > end || (found >= 0 && first > ret_range->first))
			continue;
		*ret_range = (struct range){ first, last };
		found = i;
	}
	return found;
}

/* The addresses base..end among the lone prefixes of a line, which may hold others' as well. */
static int walk_lone(struct walker *w, uint32_t line, u128 base, u128 end)
{
	const struct zw_lone *lone = line_at(w, line);
	struct range range;
	int err = lone ? 0 : -EINVAL, i;

	while (!err && (i = next_lone(lone, base, end, &range)) >= 0) {
		if (range.first > base)
			err = emit(w, base, range.first - 1, lone->outside);
		if (!err)
			err = emit(w, range.first, range.last, lone->inside[i]);
		if (err || range.last == end)
			return err;
		base = range.last + 1;
	}
	return err ? err : emit(w, base, end, lone->outside);
}

/* The first key from `at` on that a line of sparse keys holds: its lane, or -1. */
static int next_sparse(const struct zw_sparse *sparse, unsigned at, unsigned *ret_key)
{
	int found = -1;

	for (int i = 0; i < ZW_SPARSE_KEYS; i++) {
		unsigned key = zw_sparse_lane(sparse->key, i);

		if (!zw_sparse_lane(sparse->differs, i) || key < at || (found >= 0 && key > *ret_key))
			continue;
		*ret_key = key;
		found = i;
	}
	return found;
}

/* The keys from tree->low to tree->high, too many of which differ: each has its atom. */
static int walk_crowded(struct walker *w, const struct tree *tree, uint32_t line)
{
	unsigned keys = tree->high - tree->low + 1;
	const uint16_t *atoms = line_at(w, line);
	int err = atoms && line_at(w, line + (keys - 1) / ZW_SPARSE_LINE_ATOMS) ? 0 : -EINVAL;

	for (unsigned i = 0; i < keys && !err; i++)
		err = walk_keys(w, tree, tree->low + i, tree->low + i, atoms[i]);
	return err;
}

/* The keys of a line of sparse ones, from tree->low to tree->high. Their answers are final. */
static int walk_sparse_line(struct walker *w, const struct tree *tree)
{
	const struct zw_sparse *sparse = line_at(w, tree->line);
	unsigned at = tree->low, key = 0, outside = sparse ? zw_sparse_lane(sparse->key, ZW_SPARSE_KEYS) : 0;
	int err = sparse ? 0 : -EINVAL, i;

	if (sparse && zw_sparse_lane(sparse->differs, ZW_SPARSE_KEYS))
		return walk_crowded(w, tree, sparse->key[0]);
	while (!err && (i = next_sparse(sparse, at, &key)) >= 0) {
		if (key > tree->high)
			return -EINVAL;
		if (key > at)
			err = walk_keys(w, tree, at, key - 1, outside);
		if (!err)
			err = walk_keys(w, tree, key, key, outside ^ zw_sparse_lane(sparse->differs, i));
		at = key + 1;
	}
	return err || at > tree->high ? err : walk_keys(w, tree, at, tree->high, outside);
}

/* Sparse keys: chunk `chunk` of the addresses that begin with `base`. */
static int walk_sparse(struct walker *w, uint32_t step, u128 base, unsigned chunk)
{
	unsigned bits = step >> ZW_SPARSE_SHIFT & 15, keys = 0x10000 >> bits;
	struct tree tree = { .base = base, .chunk = chunk, .line = step & ZW_SPARSE_LINE };
	int err = bits <= ZW_SPARSE_BITS_MAX && chunk < w->chunks ? 0 : -EINVAL;

	for (; tree.low <= 0xffff && !err; tree.low += keys, tree.line++) {
		tree.high = tree.low + keys - 1;
		err = walk_sparse_line(w, &tree);
	}
	return err;
}

/* A block over bits of chunk `chunk` of addresses that begin with `base`: its high byte's, or its low byte's. */
static int walk_block(struct walker *w, uint32_t line, u128 base, unsigned chunk, bool high)
{
	const uint32_t *word = line_at(w, line);
	int err = word && w->layout->lines - line >= ZW_BLOCK_WORDS / 16 && chunk < w->chunks ? 0 : -EINVAL;

	for (unsigned i = 0; i < ZW_BLOCK_WORDS && !err; i++) {
		unsigned first = high ? i << 8 : (base >> shift_of(w, chunk) & 0xff00) | i;
		struct tree tree = { .base = base & ~((u128)0xffff << shift_of(w, chunk)), .chunk = chunk, .low = first,
				     .high = first | (high ? 0xff : 0), .line = word[i] & ZW_STEP_INDEX };

		if (high && (word[i] & ZW_BLOCK))
			err = walk_block(w, tree.line, base | (u128)first << shift_of(w, chunk), chunk, false);
		else if (high && (word[i] & ZW_NEXT))
			err = walk_tree(w, &tree);
		else if (high && (word[i] & ZW_LONE))
			err = walk_lone(w, tree.line, tree.base | (u128)tree.low << shift_of(w, chunk),
					block_end(w, tree.base | (u128)tree.high << shift_of(w, chunk), chunk + 1));
		else if (high && (word[i] & ZW_TAIL))
			err = walk_tail(w, tree.line, tree.base | (u128)tree.low << shift_of(w, chunk),
					block_end(w, tree.base | (u128)tree.high << shift_of(w, chunk), chunk + 1), chunk + 1);
		else
			err = walk_keys(w, &tree, tree.low, tree.high, word[i]);
	}
	return err;
}

/* All addresses that begin with `base`, whose next chunk is this one. */
static int walk_step(struct walker *w, uint32_t step, u128 base, unsigned chunk)
{
	if (step & ZW_TAIL)
		return walk_tail(w, step & ZW_STEP_INDEX, base, block_end(w, base, chunk), chunk);
	if ((step & ZW_SPARSE) == ZW_SPARSE)
		return walk_sparse(w, step, base, chunk);
	if (step & ZW_BLOCK)
		return walk_block(w, step & ZW_STEP_INDEX, base, chunk, true);
	if (step & ZW_NEXT)
		return walk_tree(w, &(struct tree){ .line = step & ZW_STEP_INDEX, .base = base, .chunk = chunk, .high = 0xffff });
	return emit(w, base, block_end(w, base, chunk), step);
}

int atom_ranges_read(const void *tables, const struct zw_layout *layout, int family, struct atom_ranges *ret_ranges)
{
	struct walker w = { .tables = tables, .layout = layout, .chunks = family == 4 ? 2 : 8 };
	uint32_t line = family == 4 ? layout->root4 : layout->root6;
	const uint32_t *root = line_at(&w, line);
	int err = root && layout->lines - line >= 65536 * 4 / sizeof(struct zw_line) ? 0 : -EINVAL;

	for (uint32_t key = 0; key <= 0xffff && !err; key++)
		err = walk_step(&w, root[key], (u128)key << shift_of(&w, 0), 1);
	if (err)
		atom_ranges_clear(&w.ranges);
	else
		*ret_ranges = w.ranges;
	return err;
}

size_t atom_ranges_at(const struct atom_ranges *ranges, u128 at)
{
	size_t low = 0, high = ranges->count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (ranges->v[middle].first <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

void atom_ranges_clear(struct atom_ranges *ranges)
{
	free(ranges->v);
	*ranges = (struct atom_ranges){ 0 };
}
