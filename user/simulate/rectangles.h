/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pairs of kinds (joint.h) that change, put together: each change's pairs and places as few rectangles, sources ×
 * destinations × places, as simple merging finds. They do not overlap, and together they are exactly what changes.
 *
 * Sources whose changes towards all destinations are the same are one row; for a change and a set of places each row has
 * a set of destinations; rows with equal sets are one rectangle. The same is done with the sides exchanged, and whichever
 * takes fewer rectangles stays, change by change.
 *
 * No pair of kinds is looked at by itself but where one of the generations keeps it by itself (cells_walk_pairs): of all
 * others, pairs of groups tell. So the work grows with the tables, not with addresses × addresses.
 */
#ifndef ZW_RECTANGLES_H
#define ZW_RECTANGLES_H

#include "simulate/delta.h"

struct rectangle {
	uint32_t change, places; /* numbers, see delta.h */
	size_t start[2], count[2]; /* by enum side: kinds.v[start..start + count) */
};

struct rectangles {
	ARRAY(struct rectangle) all; /* those of a change stand together */
	ARRAY(uint32_t) kinds;
};

/* 0 or -ENOMEM. The caller clears it in any case. */
int rectangles_find(const struct joint *joint, struct deltas *deltas, struct rectangles *rectangles);
void rectangles_clear(struct rectangles *rectangles);

#endif
