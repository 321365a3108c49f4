// SPDX-License-Identifier: GPL-2.0-only
#include "compile/sparse.h"

#include <stdbool.h>

/* The runs at..last, as far as they are keys first..end of one line. */
struct group {
	const struct run *runs;
	size_t at, last;
	uint32_t first, end; /* end: the next line's first key */
};

static uint32_t run_first(const struct group *g, size_t i)
{
	return g->runs[i].key > g->first ? g->runs[i].key : g->first;
}

static uint32_t run_end(const struct group *g, size_t i)
{
	return i < g->last ? g->runs[i + 1].key : g->end;
}

/* The group that follows, of so many keys; its first run is the last one's last, or the run behind. */
static void next_group(struct group *g, size_t count, uint32_t keys)
{
	g->first = g->end;
	g->end += keys;
	g->at = g->last + 1 < count && g->runs[g->last + 1].key == g->first ? g->last + 1 : g->last;
	for (g->last = g->at; g->last + 1 < count && g->runs[g->last + 1].key < g->end; g->last++)
		;
}

/* The value of more than half of the keys, if there is one; else any (Boyer and Moore, "MJRTY", 1981). */
static uint32_t majority(const struct group *g)
{
	uint32_t value = 0, lead = 0;

	for (size_t i = g->at; i <= g->last; i++) {
		uint32_t keys = run_end(g, i) - run_first(g, i);

		if (g->runs[i].value == value) {
			lead += keys;
		} else if (keys > lead) {
			value = g->runs[i].value;
			lead = keys - lead;
		} else {
			lead -= keys;
		}
	}
	return value;
}

static size_t keys_beside(const struct group *g, uint32_t outside)
{
	size_t keys = 0;

	for (size_t i = g->at; i <= g->last; i++)
		if (g->runs[i].value != outside)
			keys += run_end(g, i) - run_first(g, i);
	return keys;
}

static bool is_crowded(const struct group *g)
{
	return keys_beside(g, majority(g)) > ZW_SPARSE_KEYS;
}

/* Of the atoms of a crowded line's keys. */
static size_t atoms_len(const struct group *g)
{
	return (g->end - g->first) * sizeof(uint16_t);
}

/* How many lines it takes with so many bits; `limit` or more: too many. */
static size_t lines_for(const struct run *runs, size_t count, unsigned bits, size_t limit)
{
	struct group g = { .runs = runs };
	size_t lines = (size_t)1 << bits;

	for (uint32_t n = 0; n < 1u << bits && lines < limit; n++) {
		next_group(&g, count, 0x10000 >> bits);
		if (is_crowded(&g))
			lines += (atoms_len(&g) + sizeof(struct zw_line) - 1) / sizeof(struct zw_line);
	}
	return lines;
}

int sparse_bits(const struct run *runs, size_t count, size_t limit)
{
	int best = -1;

	for (size_t i = 0; i < count; i++)
		if (runs[i].value > 0xffff)
			return -1;
	for (unsigned bits = 0; bits <= ZW_SPARSE_BITS_MAX && (size_t)1 << bits < limit; bits++) {
		size_t lines = lines_for(runs, count, bits, limit);

		if (lines < limit) {
			limit = lines;
			best = bits;
		}
	}
	return best;
}

/* Unused lanes are 0, which differs in nothing from what is outside. */
static void fill_line(struct zw_sparse *line, const struct group *g)
{
	const uint64_t outside = majority(g);
	unsigned lane = 0;

	line->key[3] = outside << 48;
	for (size_t i = g->at; i <= g->last; i++) {
		if (g->runs[i].value == outside)
			continue;
		for (uint64_t key = run_first(g, i); key < run_end(g, i); key++, lane++) {
			line->key[lane / 4] |= key << lane % 4 * 16;
			line->differs[lane / 4] |= (g->runs[i].value ^ outside) << lane % 4 * 16;
		}
	}
}

static int fill_crowded(struct lines *lines, uint32_t line, const struct group *g)
{
	struct zw_sparse *sparse;
	uint16_t *atoms;
	uint32_t first;
	int err = lines_add_bytes(lines, atoms_len(g), &first);

	if (err)
		return err;
	sparse = lines_at(lines, line);
	sparse->key[0] = first;
	sparse->differs[3] = 1ull << 48;
	atoms = lines_at(lines, first);
	for (size_t i = g->at; i <= g->last; i++)
		for (uint32_t key = run_first(g, i); key < run_end(g, i); key++)
			atoms[key - g->first] = g->runs[i].value;
	return 0;
}

int sparse_build(struct lines *lines, const struct run *runs, size_t count, unsigned bits, uint32_t *ret_step, unsigned *ret_reads)
{
	struct group g = { .runs = runs };
	uint32_t line;
	int err = lines_add(lines, (size_t)1 << bits, &line);

	if (err)
		return err;
	*ret_reads = 1;
	for (uint32_t n = 0; n < 1u << bits && !err; n++) {
		next_group(&g, count, 0x10000 >> bits);
		if (!is_crowded(&g)) {
			fill_line(lines_at(lines, line + n), &g);
			continue;
		}
		*ret_reads = 2;
		err = fill_crowded(lines, line + n, &g);
	}
	*ret_step = ZW_SPARSE | bits << ZW_SPARSE_SHIFT | line;
	return err;
}
