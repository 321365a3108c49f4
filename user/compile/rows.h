/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows: what a list of entries decides for each port class (design 4.3), as a search tree; equal rows are stored once.
 */
#ifndef ZW_COMPILE_ROWS_H
#define ZW_COMPILE_ROWS_H

#include "compile/entries.h"
#include "compile/lines.h"
#include "compile/pieces.h"
#include "compile/variants.h"

struct rows {
	struct sets runs; /* key, cell, key, cell... of each row */
	ARRAY(uint32_t) row; /* as zonewall.h has it: a cell, or ZW_LINK | line */
	struct pieces pieces;
	struct variants variants;
	uint32_t *cell; /* of each piece */
	uint32_t *words; /* the row under construction, as `runs` keeps it */
	ARRAY(struct run) scratch;
	size_t cell_room;
};

/*
 * The row that the entries of the list make: indices into entries->all, ascending. 0, -ENOMEM, -E2BIG
 * (over budget), -ERANGE (variants_decide()).
 */
int rows_make(struct rows *rows, const struct services *services, const struct entries *entries,
	      const uint32_t *list, size_t count, struct lines *lines, uint32_t *ret_row);

/*
 * The entries of the list that are among the first `depth` of their tier to match some service, in their order; ret_live has
 * room for `count`. With depth 1, those that can decide, where rules end or are staged, too. 0 or -ENOMEM.
 */
int rows_live(struct rows *rows, const struct services *services, const struct entries *entries, const uint32_t *list,
	      size_t count, unsigned depth, uint32_t *ret_live, size_t *ret_count);
unsigned rows_reads(const struct rows *rows); /* lines that the look-up of a port class reads in the worst row */
void rows_clear(struct rows *rows);

#endif
