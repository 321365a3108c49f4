// SPDX-License-Identifier: GPL-2.0-only
#include "compile/address.h"

#include "compile/sparse.h"

#define CHUNK_BITS 16
#define ROOT_WORDS 65536

/* A prefix around which all is one atom: a tail, or one of a struct zw_lone. Which, its parent says. */
struct lone {
	u128 low, high;
	uint32_t inside, outside;
};

struct builder {
	struct lines *lines;
	const struct interval *v;
	size_t count;
	unsigned chunks; /* of an address: 2 or 8 */
	ARRAY(struct run) runs; /* a stack: each tree under construction has its runs on top */
	ARRAY(struct lone) lone; /* prefixes of the root's key at hand */
	uint32_t lone_line; /* the last line of lone prefixes of that key; 0: none */
};

/* In a step, instead of ZW_TAIL: the number of a struct lone. */
#define LONE ZW_LINK

/* What an index leads to, and how many lines the worst address reads from there. */
struct step {
	uint32_t value;
	unsigned reads;
};

/* Intervals first..last: those that meet a region which begins at `base` and is fixed down to chunk `level`. */
struct region {
	size_t first, last;
	unsigned level;
	u128 base;
};

static unsigned shift_of(const struct builder *b, unsigned chunk)
{
	return CHUNK_BITS * (b->chunks - 1 - chunk);
}

static uint16_t chunk_of(const struct builder *b, u128 address, unsigned chunk)
{
	return address >> shift_of(b, chunk);
}

/* The last address of the aligned block of chunk `chunk` that holds the address. */
static u128 block_end(const struct builder *b, u128 address, unsigned chunk)
{
	return address | (((u128)1 << shift_of(b, chunk)) - 1);
}

static u128 start(const struct builder *b, size_t i)
{
	return interval_start(&b->v[i]);
}

static u128 end(const struct builder *b, size_t i)
{
	if (i + 1 < b->count)
		return start(b, i + 1) - 1;
	return b->chunks == 2 ? ADDR_MAX4 : ADDR_MAX6;
}

static int step_build(struct builder *b, const struct region *region, struct step *ret_step);

/* The run from `key` on has this value; it joins the run before it in the same tree if that has the same. */
static int push_run(struct builder *b, size_t bottom, uint16_t key, uint32_t value)
{
	struct run run = { .key = key, .value = value };

	if (b->runs.count > bottom && b->runs.v[b->runs.count - 1].value == value)
		return 0;
	return array_push(&b->runs, run);
}

/*
 * One key of a tree, or several if one interval holds them all: what stands there. `at` is the interval that holds the
 * key's first address, and moves to the one that holds the next key's. Returns the next key, or a negative error.
 */
static int64_t next_key(struct builder *b, const struct region *region, size_t bottom, uint32_t key,
			size_t *at, unsigned *reads)
{
	unsigned shift = shift_of(b, region->level);
	u128 first = region->base + ((u128)key << shift), last = block_end(b, first, region->level);
	struct region child = { .first = *at, .last = *at, .level = region->level + 1, .base = first };
	struct step step = { .value = b->v[*at].atom };
	int err = 0;

	if (end(b, *at) < last) {
		while (child.last < region->last && start(b, child.last + 1) <= last)
			child.last++;
		err = step_build(b, &child, &step);
		if (step.reads > *reads)
			*reads = step.reads;
		*at = child.last;
	} else {
		u128 region_last = region->base + (((u128)0xffff << shift) | (((u128)1 << shift) - 1));
		u128 until = end(b, *at) < region_last ? end(b, *at) : region_last;

		/* The last key that is wholly inside the interval. */
		last = block_end(b, until, region->level) == until
			       ? until
			       : block_end(b, until, region->level) - ((u128)1 << shift);
	}
	if (!err)
		err = push_run(b, bottom, key, step.value);
	if (err)
		return err;
	if (*at < region->last && end(b, *at) == last)
		(*at)++;
	return (int64_t)chunk_of(b, last, region->level) + 1;
}

/* Runs of which a search tree would read more lines than blocks do. */
#define TREE_RUNS 100

/* Index of the run that holds the key, from `at` on. */
static size_t run_of(const struct run *runs, size_t count, size_t at, uint32_t key)
{
	while (at + 1 < count && runs[at + 1].key <= key)
		at++;
	return at;
}

static int tail_add(struct builder *b, u128 prefix, u128 mask, uint32_t inside, uint32_t outside, unsigned chunk,
		    uint32_t *ret_step)
{
	struct zw_tail tail = {
		.prefix = { prefix >> 64, prefix },
		.mask = { mask >> 64, mask },
		.inside = inside,
		.outside = outside,
		.chunk = chunk,
	};
	uint32_t line;
	int err = lines_add(b->lines, 1, &line);

	if (err)
		return err;
	*(struct zw_tail *)lines_at(b->lines, line) = tail;
	*ret_step = ZW_TAIL | line;
	return 0;
}

/* Where a lone prefix can only be a tail. */
static int settle(struct builder *b, uint32_t *step)
{
	const struct lone *lone;

	if (!(*step & LONE))
		return 0;
	lone = &b->lone.v[*step & ZW_STEP_INDEX];
	return tail_add(b, lone->low, ~(lone->high - lone->low), lone->inside, lone->outside, b->chunks - 1, step);
}

static int tree_of_runs(struct builder *b, struct run *runs, size_t count, uint32_t *ret_step)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = settle(b, &runs[i].value);
	if (!err)
		err = search_build(b->lines, runs, count, ret_step);
	*ret_step |= ZW_NEXT;
	return err;
}

/* A block for the low byte of keys that begin with `high`. */
static int low_block_build(struct builder *b, struct run *runs, size_t count, uint32_t high, uint32_t *ret_step)
{
	uint32_t line;
	size_t at = 0;
	int err = lines_add_bytes(b->lines, ZW_BLOCK_WORDS * sizeof(uint32_t), &line);

	for (uint32_t low = 0; low < ZW_BLOCK_WORDS && !err; low++) {
		at = run_of(runs, count, at, high << 8 | low);
		err = settle(b, &runs[at].value);
		((uint32_t *)lines_at(b->lines, line))[low] = runs[at].value;
	}
	*ret_step = ZW_BLOCK | line;
	return err;
}

/* Are these keys no more than a few lone prefixes in one atom? */
static bool are_lone(const struct builder *b, const struct run *runs, size_t count, size_t *ret_prefixes, uint32_t *ret_outside)
{
	size_t prefixes = 0;
	uint32_t outside = 0;

	for (size_t i = 0; i < count; i++)
		if (runs[i].value & LONE) {
			outside = b->lone.v[runs[i].value & ZW_STEP_INDEX].outside;
			prefixes++;
		}
	for (size_t i = 0; i < count; i++)
		if (outside != (runs[i].value & LONE ? b->lone.v[runs[i].value & ZW_STEP_INDEX].outside : runs[i].value))
			return false;
	*ret_prefixes = prefixes;
	*ret_outside = outside;
	return prefixes && prefixes <= ZW_LONE_PREFIXES;
}

static void put_lone(struct zw_lone *line, unsigned at, const struct lone *lone)
{
	u128 size = lone->high - lone->low;

	line->low[at] = lone->low;
	line->middle[at] = lone->low >> 64;
	line->high[at] = lone->low >> 96;
	line->inside[at] = lone->inside;
	for (line->open[at] = 0; size; size >>= 1)
		line->open[at]++;
}

/* The keys' lone prefixes, into the last line of such if they fit there. */
static int lone_build(struct builder *b, const struct run *runs, size_t count, size_t prefixes, uint32_t outside, uint32_t *ret_step)
{
	struct zw_lone *line = b->lone_line ? lines_at(b->lines, b->lone_line) : NULL;
	int err = 0;

	if (!line || line->outside != outside || line->used + prefixes > ZW_LONE_PREFIXES) {
		err = lines_add(b->lines, 1, &b->lone_line);
		if (err)
			return err;
		line = lines_at(b->lines, b->lone_line);
		line->outside = outside;
	}
	for (size_t i = 0; i < count; i++)
		if (runs[i].value & LONE)
			put_lone(line, line->used++, &b->lone.v[runs[i].value & ZW_STEP_INDEX]);
	for (unsigned i = line->used; i < ZW_LONE_PREFIXES; i++) {
		line->low[i] = line->low[0];
		line->middle[i] = line->middle[0];
		line->high[i] = line->high[0];
		line->inside[i] = line->inside[0];
		line->open[i] = line->open[0];
	}
	*ret_step = ZW_LONE | b->lone_line;
	return 0;
}

/* What stands in a high block: an atom, lone prefixes, a search tree of one line, or a low block. */
static int high_word_build(struct builder *b, struct run *runs, size_t count, uint32_t high, uint32_t *ret_step)
{
	uint32_t outside;
	size_t prefixes;

	if (are_lone(b, runs, count, &prefixes, &outside))
		return lone_build(b, runs, count, prefixes, outside, ret_step);
	if (search_depth(count) > 1)
		return low_block_build(b, runs, count, high, ret_step);
	*ret_step = runs[0].value;
	return count == 1 ? settle(b, ret_step) : tree_of_runs(b, runs, count, ret_step);
}

static int high_block_build(struct builder *b, struct run *runs, size_t count, uint32_t *ret_step, unsigned *ret_reads)
{
	uint32_t line, word = 0;
	size_t at = 0, last;
	int err = lines_add_bytes(b->lines, ZW_BLOCK_WORDS * sizeof(uint32_t), &line);

	*ret_reads = 1;
	for (uint32_t high = 0; high < ZW_BLOCK_WORDS && !err; high++) {
		at = run_of(runs, count, at, high << 8);
		last = run_of(runs, count, at, high << 8 | 0xff);
		err = high_word_build(b, runs + at, last - at + 1, high, &word);
		((uint32_t *)lines_at(b->lines, line))[high] = word;
		if (word & (ZW_NEXT | ZW_BLOCK))
			*ret_reads = 2;
	}
	*ret_step = ZW_BLOCK | line;
	return err;
}

/* The lines that a search tree, or blocks, would take for runs of atoms. */
static size_t lines_of(const struct run *runs, size_t count)
{
	size_t lines = ZW_BLOCK_WORDS * sizeof(uint32_t) / sizeof(struct zw_line), at = 0, last;

	if (count <= TREE_RUNS)
		return search_lines(count);
	for (uint32_t high = 0; high < ZW_BLOCK_WORDS; high++, at = last) {
		at = run_of(runs, count, at, high << 8);
		last = run_of(runs, count, at, high << 8 | 0xff);
		if (search_depth(last - at + 1) > 1)
			lines += ZW_BLOCK_WORDS * sizeof(uint32_t) / sizeof(struct zw_line);
		else if (last > at)
			lines++;
	}
	return lines;
}

/* Runs of one key as sparse keys, if these take fewer lines than a search tree or blocks; ret_reads: lines that a key reads at most. */
static int key_build(struct builder *b, struct run *runs, size_t count, uint32_t *ret_step, unsigned *ret_reads)
{
	int bits = sparse_bits(runs, count, lines_of(runs, count));

	if (bits >= 0)
		return sparse_build(b->lines, runs, count, bits, ret_step, ret_reads);
	if (count > TREE_RUNS)
		return high_block_build(b, runs, count, ret_step, ret_reads);
	*ret_reads = search_depth(count);
	return tree_of_runs(b, runs, count, ret_step);
}

/* A search tree or blocks over chunk `region->level`. */
static int tree_build(struct builder *b, const struct region *region, struct step *ret_step)
{
	size_t bottom = b->runs.count, at = region->first;
	unsigned below = 0, reads;
	int64_t key = 0;
	int err;

	while (key <= 0xffff) {
		key = next_key(b, region, bottom, key, &at, &below);
		if (key < 0)
			return key;
	}
	err = key_build(b, b->runs.v + bottom, b->runs.count - bottom, &ret_step->value, &reads);
	ret_step->reads = below + reads;
	b->runs.count = bottom;
	return err;
}

/* The part low..high of a region, covered by intervals first..last, outside of which all is one atom. */
struct part {
	size_t first, last;
	u128 low, high;
	uint32_t outside;
};

static bool is_prefix(u128 low, u128 high)
{
	u128 size = high - low; /* all ones below the prefix length */

	return !(size & (size + 1)) && !(low & size);
}

/*
 * Is a tail at least as good as a search tree? If the part is one prefix, or has one key of the region's next chunk. A tree of
 * one line may say the same; but a tail can stand in a block.
 */
static bool fits_tail(const struct builder *b, const struct region *region, const struct part *part)
{
	u128 block = ~block_end(b, 0, region->level);

	return (part->low & block) == (part->high & block) ||
	       (part->first == part->last && is_prefix(part->low, part->high));
}

/* What surrounds the part is the first interval's atom, the last one's, or both's. */
static bool find_tail(const struct builder *b, const struct region *region, struct part *ret_part)
{
	size_t first = region->first, last = region->last;
	u128 region_end = block_end(b, region->base, region->level - 1);
	struct part both = { first + 1, last - 1, start(b, first + 1), start(b, last) - 1, b->v[last].atom };
	struct part above = { first, last - 1, region->base, start(b, last) - 1, b->v[last].atom };
	struct part below = { first + 1, last, start(b, first + 1), region_end, b->v[first].atom };

	if (b->v[first].atom == b->v[last].atom && fits_tail(b, region, &both))
		*ret_part = both;
	else if (fits_tail(b, region, &above))
		*ret_part = above;
	else if (fits_tail(b, region, &below))
		*ret_part = below;
	else
		return false;
	return true;
}

/* Its parent makes it a tail, or puts it beside others. */
static int lone_add(struct builder *b, const struct part *part, uint32_t inside, struct step *ret_step)
{
	struct lone lone = { .low = part->low, .high = part->high, .inside = inside, .outside = part->outside };

	*ret_step = (struct step){ .value = LONE | b->lone.count, .reads = 1 };
	return array_push(&b->lone, lone);
}

static int tail_build(struct builder *b, const struct region *region, const struct part *part,
		      struct step *ret_step)
{
	u128 low = part->low, high = part->high, mask;
	struct step inside = { .value = b->v[part->first].atom };
	struct region child = { .first = part->first, .last = part->last, .level = region->level };
	int err;

	if (part->first == part->last && is_prefix(low, high))
		return lone_add(b, part, inside.value, ret_step);
	while (child.level < b->chunks - 1 && chunk_of(b, low, child.level) == chunk_of(b, high, child.level))
		child.level++;
	mask = ~block_end(b, 0, child.level - 1);
	child.base = low & mask;
	/* The child's block may reach into the surrounding intervals. */
	if (child.base < low)
		child.first--;
	if (block_end(b, low, child.level - 1) > high)
		child.last++;
	err = tree_build(b, &child, &inside);
	if (err)
		return err;
	ret_step->reads = inside.reads + 1;
	return tail_add(b, child.base, mask, inside.value, part->outside, child.level, &ret_step->value);
}

static int step_build(struct builder *b, const struct region *region, struct step *ret_step)
{
	struct part part;

	*ret_step = (struct step){ .value = b->v[region->first].atom };
	if (region->first == region->last)
		return 0;
	if (b->chunks == 8 && region->level && region->level < b->chunks - 1 && find_tail(b, region, &part))
		return tail_build(b, region, &part, ret_step);
	return tree_build(b, region, ret_step);
}

/* The root is made like a tree of chunk 0, but written out as one word a key. */
static int root_build(struct builder *b, uint32_t root, unsigned *reads)
{
	struct region all = { .last = b->count - 1 };
	int64_t key = 0;
	size_t at = 0;

	while (key <= 0xffff) {
		int64_t next = next_key(b, &all, b->runs.count, key, &at, reads);

		int err = next < 0 ? next : settle(b, &b->runs.v[0].value);

		if (err)
			return err;
		b->runs.count = b->lone.count = 0;
		b->lone_line = 0;
		for (; key < next; key++)
			((uint32_t *)lines_at(b->lines, root))[key] = b->runs.v[0].value;
	}
	return 0;
}

int address_build(struct lines *lines, int family, const struct intervals *intervals, uint32_t *ret_root,
		  unsigned *ret_reads)
{
	struct builder b = {
		.lines = lines,
		.v = intervals->all.v,
		.count = intervals->all.count,
		.chunks = family == 4 ? 2 : 8,
	};
	unsigned reads = 0;
	int err = lines_add_bytes(lines, ROOT_WORDS * sizeof(uint32_t), ret_root);

	if (!err)
		err = root_build(&b, *ret_root, &reads);
	array_free(&b.runs);
	array_free(&b.lone);
	if (!err)
		*ret_reads = reads + 1;
	return err;
}
