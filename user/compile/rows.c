// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/rows.h"

static int grow_cells(struct rows *rows, size_t count)
{
	if (count <= rows->cell_room)
		return 0;
	free(rows->cell);
	free(rows->words);
	rows->cell = malloc(count * sizeof(*rows->cell));
	rows->words = malloc(count * sizeof(*rows->words));
	rows->cell_room = rows->cell && rows->words ? count : 0;
	return rows->cell_room ? 0 : -ENOMEM;
}

#define UNDECIDED 0xffffffffu /* ZW_LINK is in it: never a cell */

/*
 * The first entry that matches a piece decides it: each piece is closed once, so the work is the entries' runs plus
 * the pieces. A piece that `pass` closes is opened again when the next tier begins.
 */
static void decide(struct rows *rows, const struct services *services, const struct entries *entries,
		   const uint32_t *list, size_t count)
{
	struct pieces *pieces = &rows->pieces;
	size_t passed = 0;

	for (size_t i = 0; i < pieces->count; i++)
		rows->cell[i] = UNDECIDED;
	for (size_t i = 0; i < count; i++) {
		const struct entry *entry = &entries->all.v[list[i]];
		size_t runs;
		const struct class_run *run = services_runs(services, entry->service, &runs);

		if (passed && entry->tier != entries->all.v[list[i - 1]].tier) {
			for (uint32_t p = 0; p < pieces->count; p++)
				pieces->next[p] = rows->cell[p] == UNDECIDED ? p : p + 1;
			passed = 0;
		}
		for (size_t j = 0; j < runs; j++) {
			uint32_t first, end;

			pieces_of(pieces, &run[j], &first, &end);
			for (uint32_t p = pieces_open(pieces->next, first); p < end;
			     p = pieces_open(pieces->next, p)) {
				pieces->next[p] = p + 1;
				if (entry->action == ACTION_PASS)
					passed++;
				else
					rows->cell[p] = entry->cell;
			}
		}
	}
}

/* Names the row by its runs, and stores it if it is new. */
static int keep(struct rows *rows, struct lines *lines, uint32_t default_cell, uint32_t *ret_row)
{
	struct pieces *pieces = &rows->pieces;
	uint32_t *words = rows->words;
	size_t n = 0, known = sets_count(&rows->runs);
	uint64_t hash = 0;
	uint32_t number;
	int err;

	rows->scratch.count = 0;
	for (size_t i = 0; i < pieces->count; i++) {
		struct run run = { .key = pieces->points[i], .value = rows->cell[i] };

		if (run.value == UNDECIDED)
			run.value = default_cell;
		if (rows->scratch.count && rows->scratch.v[rows->scratch.count - 1].value == run.value)
			continue;
		err = array_push(&rows->scratch, run);
		if (err)
			return err;
		words[n++] = run.key;
		words[n++] = run.value;
		hash = sets_spread(hash ^ ((uint64_t)run.key << 32 | run.value));
	}
	err = sets_intern(&rows->runs, words, n, hash, &number);
	if (err)
		return err;
	if (number < known) {
		*ret_row = rows->row.v[number];
		return 0;
	}
	*ret_row = rows->scratch.v[0].value;
	if (rows->scratch.count > 1) {
		err = search_build(lines, rows->scratch.v, rows->scratch.count, ret_row);
		if (err)
			return err;
		*ret_row |= ZW_LINK;
	}
	return array_push(&rows->row, *ret_row);
}

int rows_make(struct rows *rows, const struct services *services, const struct entries *entries,
	      const uint32_t *list, size_t count, struct lines *lines, uint32_t *ret_row)
{
	int err = pieces_cut(&rows->pieces, services, entries->all.v, list, count);

	if (!err)
		err = grow_cells(rows, 2 * rows->pieces.count + 2);
	if (err)
		return err;
	if (variants_needed(entries->all.v, list, count))
		err = variants_decide(&rows->variants, &rows->pieces, services, entries->all.v, list, count,
				      entries->default_cell, rows->cell);
	else
		decide(rows, services, entries, list, count);
	return err ? err : keep(rows, lines, entries->default_cell, ret_row);
}

/* Counts a match in the open pieces of an entry's services; the last one closes them. Was there one? */
static bool match_pieces(struct rows *rows, const struct services *services, const struct entry *entry, unsigned depth)
{
	struct pieces *pieces = &rows->pieces;
	size_t runs;
	const struct class_run *run = services_runs(services, entry->service, &runs);
	bool found = false;

	for (size_t i = 0; i < runs; i++) {
		uint32_t first, end;

		pieces_of(pieces, &run[i], &first, &end);
		for (uint32_t p = pieces_open(pieces->next, first); p < end; p = pieces_open(pieces->next, p + 1)) {
			if (++rows->cell[p] == depth)
				pieces->next[p] = p + 1;
			found = true;
		}
	}
	return found;
}

int rows_live(struct rows *rows, const struct services *services, const struct entries *entries, const uint32_t *list,
	      size_t count, unsigned depth, uint32_t *ret_live, size_t *ret_count)
{
	struct pieces *pieces = &rows->pieces;
	size_t live = 0;
	int err;

	*ret_count = count;
	if (count <= depth) {
		memcpy(ret_live, list, count * sizeof(*list));
		return 0;
	}
	err = pieces_cut(pieces, services, entries->all.v, list, count);
	if (!err)
		err = grow_cells(rows, pieces->count);
	if (err)
		return err;
	if (depth == 1 && variants_needed(entries->all.v, list, count))
		return variants_live(&rows->variants, pieces, services, entries->all.v, list, count, ret_live, ret_count);
	for (size_t i = 0; i < count; i++) {
		const struct entry *entry = &entries->all.v[list[i]];

		for (uint32_t p = 0; p < pieces->count && (!i || entry->tier != entries->all.v[list[i - 1]].tier); p++) {
			pieces->next[p] = p;
			rows->cell[p] = 0;
		}
		if (match_pieces(rows, services, entry, depth))
			ret_live[live++] = list[i];
	}
	*ret_count = live;
	return 0;
}

unsigned rows_reads(const struct rows *rows)
{
	unsigned most = 0;

	for (size_t i = 0; i < sets_count(&rows->runs); i++) {
		size_t words;

		sets_get(&rows->runs, i, &words);
		if (words > 2 && search_depth(words / 2) > most) /* one run is its cell */
			most = search_depth(words / 2);
	}
	return most;
}

void rows_clear(struct rows *rows)
{
	sets_clear(&rows->runs);
	array_free(&rows->row);
	array_free(&rows->scratch);
	pieces_clear(&rows->pieces);
	variants_clear(&rows->variants);
	free(rows->cell);
	free(rows->words);
	memset(rows, 0, sizeof(*rows));
}
