/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows: what a list of entries decides for each port class (design 4.3), as a search tree; equal rows are stored once.
 */
#ifndef ZW_COMPILE_ROWS_H
#define ZW_COMPILE_ROWS_H

#include "compile/entries.h"
#include "compile/lines.h"

/*
 * Working space: the port classes of one list of entries, cut where one of its services begins or ends. Piece i is the
 * classes points[i] .. points[i + 1] - 1.
 */
struct pieces {
	uint64_t *
		points; /* `count` of them, then the number of classes; as much again behind them to sort with */
	size_t count, room;
	uint32_t *piece_at; /* of each class that is a point: its piece. PORT_CLASSES_MAX + 2 */
	uint32_t *
		next; /* of each piece: itself if it is open, else a later one on the way to the next open one */
};

/* Cuts the port classes for entries[list[0..count)]. 0 or -ENOMEM. */
int pieces_cut(struct pieces *pieces, const struct services *services, const struct entry *entries,
	       const uint32_t *list, size_t count);
void pieces_clear(struct pieces *pieces);

/* Pieces of a class run: *ret_first .. *ret_end - 1. */
static inline void pieces_of(const struct pieces *pieces, const struct class_run *run, uint32_t *ret_first,
			     uint32_t *ret_end)
{
	*ret_first = pieces->piece_at[run->first];
	*ret_end = pieces->piece_at[run->last + 1];
}

/* The first open piece from `piece` on; pieces->count if there is none. */
static inline uint32_t pieces_open(uint32_t *next, uint32_t piece)
{
	while (next[piece] != piece) {
		next[piece] = next[next[piece]];
		piece = next[piece];
	}
	return piece;
}

struct rows {
	struct sets runs; /* key, cell, key, cell... of each row */
	ARRAY(uint32_t) row; /* as zonewall.h has it: a cell, or ZW_LINK | line */
	struct pieces pieces;
	uint32_t *cell; /* of each piece */
	uint32_t *words; /* the row under construction, as `runs` keeps it */
	ARRAY(struct run) scratch;
	size_t cell_room;
};

/*
 * The row that the entries of the list make: indices into entries->all, ascending. 0, -ENOMEM, -E2BIG
 * (over budget).
 */
int rows_make(struct rows *rows, const struct services *services, const struct entries *entries,
	      const uint32_t *list, size_t count, struct lines *lines, uint32_t *ret_row);

/*
 * The entries of the list that are among the first `depth` of their tier to match some service, in their order; ret_live has
 * room for `count`. 0 or -ENOMEM.
 */
int rows_live(struct rows *rows, const struct services *services, const struct entries *entries, const uint32_t *list,
	      size_t count, unsigned depth, uint32_t *ret_live, size_t *ret_count);
unsigned rows_reads(const struct rows *rows); /* lines that the look-up of a port class reads in the worst row */
void rows_clear(struct rows *rows);

#endif
