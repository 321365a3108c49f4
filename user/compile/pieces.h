/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pieces: the port classes as far as one list of entries tells them apart.
 */
#ifndef ZW_COMPILE_PIECES_H
#define ZW_COMPILE_PIECES_H

#include "compile/entries.h"

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

#endif
