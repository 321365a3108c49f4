/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Matrices: which row a pair of (source class, destination class) has.
 *
 * Entries with the same two ends make a "combination". A pair's row depends on the combinations that hold both its
 * classes, and these are met in two steps, so that memory and time follow what rules say, not the product of classes.
 *
 * 1. Some ends are "grouped". Classes with the same grouped ends are a group, and each pair of groups has a default
 *    row, decided by the combinations of grouped ends and of `any`. Ends that have a rule with `any` on the other side
 *    must be grouped. Of the others, those with most classes are, as long as that makes the tables smaller: zones are,
 *    hosts and CIDRs in rules are mostly not. So a rule between two zones costs one default row, though each literal
 *    inside of a zone makes a class of its own.
 * 2. Combinations with an end that is not grouped name their pairs of classes, one source class after the other.
 *    Pairs whose row is not their groups' default row are written down.
 *
 * If all classes together are few, all ends are grouped; then groups are classes, and the default rows are the matrix.
 * Pairs with equal combinations are decided once: a "base" is what groups share, a "case" a base and what is named.
 */
#ifndef ZW_COMPILE_MATRIX_H
#define ZW_COMPILE_MATRIX_H

#include "compile/entries.h"
#include "compile/rows.h"

/* Pairs that combinations name, counted as often as they are named; and default rows. Beyond: an error. */
#define NAMED_PAIRS_MAX ((uint64_t)1 << 28)
#define DEFAULT_ROWS_MAX ((uint64_t)1 << 25)

#define NONE 0xffffffffu

/* Filled from the top to the bottom. */
struct matrix {
	const struct entries *entries;
	const struct services *services;
	bool dense; /* all ends are grouped */

	struct sets combinations; /* source end, destination end */
	struct lists entries_of; /* entries of each combination, ascending */
	struct lists live_of; /* of each combination: those that can decide (matrix_live, depth 1) */
	struct lists by_source; /* combinations without `any`, by source end */
	uint32_t *any[2]; /* of each source (destination) end: its combination with any, or NONE */
	uint32_t any_any;

	bool *grouped[2]; /* each end */
	struct sets groups[2]; /* grouped ends of each group */
	uint32_t *group_of[2]; /* of each class */
	struct lists groups_of; /* groups of each destination end */
	struct sets wild[2]; /* combinations with any that hold a group */
	uint32_t *wild_of[2]; /* of each group */

	struct sets bases; /* source wild, destination wild, combinations of grouped ends, ascending */
	ARRAY(uint32_t) base_case; /* of each base: the case with nothing named */
	uint32_t *base_of; /* of each pair of groups, source group by source group */

	struct sets cases; /* base, named combinations, ascending */
	ARRAY(uint32_t) row; /* of each case */
	ARRAY(uint8_t) origins; /* of each case: of which origins (policy/packets.h) there are packets between its pairs */
	ARRAY(struct zw_pair) pairs; /* whose row is not the default one of their groups; ascending */
};

/* What stopped the compiler, for the message. */
struct matrix_trouble {
	uint64_t pairs; /* how many pairs (or default rows) it would take */
	const struct rule *rule; /* names most of them; NULL: none does */
	uint64_t rule_sources, rule_destinations; /* classes of its ends */
	bool defaults; /* it is the default rows */
};

static inline size_t matrix_class_count(const struct matrix *m, int side)
{
	return sets_count(&m->entries->side[side].classes);
}

static inline size_t matrix_group_count(const struct matrix *m, int side)
{
	return sets_count(&m->groups[side]);
}

/* The two ends of a combination. */
static inline const uint32_t *matrix_ends_of(const struct matrix *m, uint32_t combination)
{
	size_t n;

	return sets_get(&m->combinations, combination, &n);
}

/* Are both ends of a combination without any grouped? Then it is a matter of groups. */
static inline bool matrix_is_grouped(const struct matrix *m, uint32_t combination)
{
	const uint32_t *end = matrix_ends_of(m, combination);

	return m->grouped[0][end[0]] && m->grouped[1][end[1]];
}

/* groups.c: all from `dense` to wild_of. 0, -ENOMEM, -E2BIG with trouble. */
int matrix_group(struct matrix *matrix, uint64_t dense_bytes, struct matrix_trouble *trouble);

/*
 * dense_bytes: up to this size the matrix is a plain array. 0, -ENOMEM; -E2BIG: over the budget of lines, or over a
 * limit above (then trouble->pairs is set).
 */
int matrix_build(struct matrix *matrix, const struct entries *entries, const struct services *services,
		 uint64_t dense_bytes, struct rows *rows, struct lines *lines,
		 struct matrix_trouble *trouble);

/* pairs.c: appends the pairs, dense or in buckets, and tells where. */
int matrix_write(const struct matrix *matrix, struct lines *lines, struct zw_matrix *ret_layout);

/*
 * Of each combination the entries that are among the first `depth` of their tier to match some service, ascending. Rules
 * with the same ends stand together in every case: the others are not among the first of any. 0 or -ENOMEM.
 */
int matrix_live(const struct matrix *matrix, struct rows *rows, unsigned depth, struct lists *ret_lists);

/*
 * The entries of a case in evaluation order: of those that `lists` has of each combination. ret_entries is reused from
 * call to call. 0 or -ENOMEM.
 */
struct case_entries {
	ARRAY(uint64_t) list; /* as much again behind it to sort with */
	ARRAY(uint32_t) entry;
};
int matrix_case(const struct matrix *matrix, const struct lists *lists, uint32_t number, struct case_entries *ret_entries);
void case_entries_clear(struct case_entries *entries);

void matrix_clear(struct matrix *matrix);

#endif
