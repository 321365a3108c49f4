/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Matrices: which row a pair of (source class, destination class) has.
 *
 * Entries with the same two ends make a "combination". A pair's row depends on the combinations that hold both its
 * classes. Those with `any` on a side depend on one class alone: the sets of them are "groups", and a pair of groups
 * has a default row. Only pairs that a combination without `any` names are looked at one by one, one source class after
 * the other, so memory and time follow their number, never the product of the classes. Pairs with equal combinations
 * are decided once ("cases").
 */
#ifndef ZW_COMPILE_MATRIX_H
#define ZW_COMPILE_MATRIX_H

#include "compile/entries.h"
#include "compile/rows.h"

/* Pairs that combinations name, counted as often as they are named; and default rows. Beyond: an error. */
#define NAMED_PAIRS_MAX ((uint64_t)1 << 28)
#define DEFAULT_ROWS_MAX ((uint64_t)1 << 23)

#define NONE 0xffffffffu

/* Filled from the top to the bottom. */
struct matrix {
	const struct entries *entries;
	const struct services *services;

	struct sets combinations; /* source end, destination end */
	struct lists entries_of; /* entries of each combination, ascending */
	struct lists by_source; /* combinations without `any`, by source end */
	uint32_t *any[2]; /* of each source (destination) end: its combination with any, or NONE */
	uint32_t any_any;

	struct sets groups[2]; /* combinations with any that hold the classes of each group */
	uint32_t *group_of[2]; /* of each class */

	struct sets cases; /* source group, destination group, combinations without any, ascending */
	ARRAY(uint32_t) row; /* of each case; the defaults come first, source group by source group */
	ARRAY(uint8_t) real; /* of each case: a pair has it whose classes have addresses of one family */
	ARRAY(struct zw_pair) pairs; /* whose row is not the default one of their groups; ascending */
};

/* What stopped the compiler, for the message. */
struct matrix_trouble {
	uint64_t pairs; /* how many pairs (or default rows) it would take */
	const struct rule *rule; /* names most of them; NULL: none does */
	uint64_t rule_sources, rule_destinations; /* classes of its ends */
	bool defaults; /* it is the default rows */
};

/* 0, -ENOMEM; -E2BIG: over the budget of lines, or over a limit above (then trouble->pairs is set). */
int matrix_build(struct matrix *matrix, const struct entries *entries, const struct services *services,
		 struct rows *rows, struct lines *lines, struct matrix_trouble *trouble);

/* Appends the pairs, dense or in buckets, and tells where. A dense matrix of more than 2^32 pairs is -E2BIG. */
int matrix_write(const struct matrix *matrix, bool dense, struct lines *lines, struct zw_matrix *ret_layout);
uint64_t matrix_dense_bytes(const struct matrix *matrix);

/* The entries of a case, in evaluation order, in list (borrowed until the next call). 0 or -ENOMEM. */
struct case_entries {
	ARRAY(uint64_t) list; /* as much again behind it to sort with */
	ARRAY(uint32_t) entry;
};
int matrix_case(const struct matrix *matrix, uint32_t number, struct case_entries *ret_entries);
void case_entries_clear(struct case_entries *entries);

void matrix_clear(struct matrix *matrix);

#endif
