/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What changes for a pair of kinds (joint.h): from the rows that it has in both generations to a "delta", a list of
 * changes, each with the places (protocols and ports) where it holds. Equal deltas, changes and sets of places have the
 * same number, so that pairs are compared by one number; rows that were met together before are not looked at again.
 */
#ifndef ZW_DELTA_H
#define ZW_DELTA_H

#include "simulate/joint.h"
#include "simulate/place_line.h"
#include "simulate/terms.h"

/* What two generations make of a packet. Without padding: it is compared as words. */
struct change {
	uint32_t kind; /* enum diff_kind */
	uint32_t cause[DIFF_SIDES]; /* enum zw_reason << 20 | rule's number, 0 none */
	uint32_t terms[DIFF_SIDES]; /* of DIFF_TERMS: numbers, see terms.h */
	uint32_t failsafe[DIFF_SIDES]; /* of DIFF_TERMS, if it is part of the change: the entry's number, 0 none */
	uint32_t sports; /* first << 16 | last */
};
#define CHANGE_REASON(cause) ((enum zw_reason)((cause) >> 20))
#define CHANGE_RULE(cause) ((cause)&ZW_CELL_RULE)
#define CHANGE_WORDS (sizeof(struct change) / sizeof(uint32_t))

struct deltas;

/* sources and joint are borrowed until deltas_free. 0 or -ENOMEM. */
int deltas_new(const struct diff_source sources[DIFF_SIDES], const struct joint *joint,
	       struct deltas **ret_deltas);
void deltas_free(struct deltas *deltas);

/*
 * The delta of rows of the policy matrix between two numbers of failsafe classes (joint.h). DELTA_NONE: nothing changes.
 * 0 or -ENOMEM.
 */
#define DELTA_NONE 0
int deltas_find(struct deltas *deltas, const uint32_t rows[DIFF_SIDES], uint32_t failsafe_source,
		uint32_t failsafe_destination, uint32_t *ret_delta);

/* The numbers of change, places, change, places, ... Borrowed until the next deltas_find. */
const uint32_t *deltas_get(const struct deltas *deltas, uint32_t delta, size_t *ret_count);
const struct change *deltas_change(const struct deltas *deltas, uint32_t change);
/* first, last, first, last, ...: ascending, not adjacent. */
const uint32_t *deltas_places(const struct deltas *deltas, uint32_t places, size_t *ret_count);

/* Of which origins (joint.h) is there a packet to one of these places, from these source ports? */
unsigned deltas_origins(const struct deltas *deltas, uint32_t places, uint32_t sports);

/* Of cells' terms; borrowed. */
const struct terms *deltas_terms(const struct deltas *deltas);

#endif
