/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packets of a pair of atoms: the rows that decide them, and these rows walked together, as runs of port classes
 * that no row tells apart.
 *
 * Three cells have a say: policy's, failsafe's, and failsafe's for the packet with its ends exchanged. The last is that of
 * the packet's own class for what has no source port, of its source port's class for UDP and SCTP, and does not count for
 * TCP (space.h).
 */
#ifndef ZW_PAIR_H
#define ZW_PAIR_H

#include "simulate/cells.h"
#include "simulate/places.h"

struct pair {
	uint32_t policy, failsafe,
		exchanged; /* rows; exchanged: failsafe's for the pair the other way round */
};

/* 0 or -ENOMEM. */
int pair_read(struct cells *cells, uint32_t source, uint32_t destination, struct pair *ret_pair);

/* Pairs that were met, so that each is looked at once; the tag tells apart what the rows do not. Zeroed: empty. */
struct pair_key {
	struct pair pair;
	uint32_t tag; /* less than UINT32_MAX; + 1 here, so that 0 is an unused slot */
};

struct pair_set {
	struct pair_key *slot; /* an open hash */
	size_t size, count;
};

int pair_set_add(struct pair_set *set, const struct pair *pair, uint32_t tag); /* 1 if it is new, 0 if not, or -ENOMEM */
void pair_set_empty(struct pair_set *set); /* for others; it may keep its room */
void pair_set_clear(struct pair_set *set);

/* Does failsafe let some packet of the pair pass? */
bool pair_has_failsafe(const struct cells *cells, const struct pair *pair);

/* Port classes first..end - 1, and the cells that they meet. */
struct pair_run {
	uint32_t first, end;
	uint32_t policy, failsafe, exchanged;
};

/* A place in a row's runs. */
struct cursor {
	const struct cell_run *run, *last;
};

struct pair_walk {
	struct cursor row[3];
	uint32_t class, classes;
};

/* Runs from the first class to the last. The walk is valid until the next cells_row. */
struct pair_walk pair_walk(const struct cells *cells, const struct pair *pair);
bool pair_next(struct pair_walk *walk, struct pair_run *ret_run); /* false: there are no more */

/* The same of one row. */
struct pair_walk row_walk(const struct cells *cells, uint32_t row);

static inline bool cell_allows(uint32_t cell)
{
	return cell & ZW_CELL_ALLOW;
}

/* What stage policy gives as the reason (bpf/decide.h). */
static inline enum zw_reason cell_reason(uint32_t cell)
{
	if (cell & ZW_CELL_RULE)
		return cell_allows(cell) ? ZW_ALLOW_RULE : ZW_DROP_RULE;
	if (!cell_allows(cell))
		return ZW_DROP_DEFAULT;
	return cell & ZW_CELL_INTRA ? ZW_ALLOW_INTRA_ZONE : ZW_ALLOW_DEFAULT;
}

#endif
