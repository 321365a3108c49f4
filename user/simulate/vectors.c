// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/vectors.h"

#include "base/util.h"

/* A pair of kinds that changes otherwise than its groups do. */
struct exception {
	uint32_t source, destination, delta;
};

struct search {
	const struct joint *joint;
	struct deltas *deltas;
	struct vectors *vectors;
	ARRAY(struct exception) exceptions;
	ARRAY(uint32_t) list;
};

/* --- Groups ------------------------------------------------------------------------------------------------------- */

/* Of each group of a side: its groups in both generations, its failsafe number. */
struct group_numbers {
	uint32_t *group[DIFF_SIDES], *failsafe;
};

static int number_groups(const struct joint *joint, enum side side, struct group_numbers *numbers)
{
	const struct kinds *kinds = &joint->kinds[side];
	size_t n;

	for (int i = 0; i < DIFF_SIDES; i++)
		numbers->group[i] = array_new(kinds->group_count, sizeof(uint32_t));
	numbers->failsafe = array_new(kinds->group_count, sizeof(uint32_t));
	if (!numbers->group[0] || !numbers->group[1] || !numbers->failsafe)
		return -ENOMEM;
	for (size_t i = 0; i < kinds->group_count; i++) {
		uint32_t kind = lists_get(&kinds->members, i, &n)[0];
		uint32_t element = lists_get(&kinds->elements, kind, &n)[0];

		for (int j = 0; j < DIFF_SIDES; j++)
			numbers->group[j][i] = cells_policy_group(space_cells(joint->space[j]), side,
								  joint->elements[element].atom[j]);
		numbers->failsafe[i] = joint->failsafe_of[element];
	}
	return 0;
}

static void clear_numbers(struct group_numbers *numbers)
{
	free(numbers->group[0]);
	free(numbers->group[1]);
	free(numbers->failsafe);
}

/*
 * The rows of a group of sources and each group of destinations: of one generation, then of the other, since cells.c has one
 * at hand at a time.
 */
static int read_rows(const struct search *search, const struct group_numbers numbers[2], uint32_t source,
		     uint32_t *rows[DIFF_SIDES])
{
	size_t count = search->joint->kinds[SIDE_DESTINATION].group_count;
	int err = 0;

	for (int side = 0; side < DIFF_SIDES; side++)
		for (size_t i = 0; i < count && !err; i++)
			err = cells_group_row(space_cells(search->joint->space[side]),
					      numbers[SIDE_SOURCE].group[side][source],
					      numbers[SIDE_DESTINATION].group[side][i], &rows[side][i]);
	return err;
}

static int find_base(struct search *search, const struct group_numbers numbers[2], uint32_t source,
		     uint32_t *rows[DIFF_SIDES])
{
	int err = read_rows(search, numbers, source, rows);

	search->list.count = 0;
	for (size_t i = 0; i < search->joint->kinds[SIDE_DESTINATION].group_count && !err; i++) {
		const uint32_t pair[] = { rows[DIFF_OLD][i], rows[DIFF_NEW][i] };
		uint32_t delta;

		err = deltas_find(search->deltas, pair, numbers[SIDE_SOURCE].failsafe[source],
				  numbers[SIDE_DESTINATION].failsafe[i], &delta);
		if (err || delta == DELTA_NONE)
			continue;
		err = array_push(&search->list, i);
		if (!err)
			err = array_push(&search->list, delta);
	}
	return err ? err
		   : list_number(&search->vectors->bases, search->list.v, search->list.count,
				 &search->vectors->base_of[source]);
}

static int find_bases(struct search *search)
{
	const struct kinds *kinds = search->joint->kinds;
	struct group_numbers numbers[2] = { 0 };
	uint32_t *rows[DIFF_SIDES];
	int err = number_groups(search->joint, SIDE_SOURCE, &numbers[SIDE_SOURCE]);

	for (int i = 0; i < DIFF_SIDES; i++)
		rows[i] = array_new(kinds[SIDE_DESTINATION].group_count, sizeof(uint32_t));
	if (!err)
		err = number_groups(search->joint, SIDE_DESTINATION, &numbers[SIDE_DESTINATION]);
	if (!err && (!rows[0] || !rows[1]))
		err = -ENOMEM;
	for (size_t i = 0; i < kinds[SIDE_SOURCE].group_count && !err; i++)
		err = find_base(search, numbers, i, rows);
	for (int i = 0; i < 2; i++) {
		free(rows[i]);
		clear_numbers(&numbers[i]);
	}
	return err;
}

/* What changes towards a group. */
static uint32_t base_delta(const struct vectors *vectors, uint32_t source_group, uint32_t group)
{
	size_t count, low = 0, high;
	const uint32_t *pair = sets_get(&vectors->bases, vectors->base_of[source_group], &count);

	for (high = count / 2; low < high;) {
		size_t middle = (low + high) / 2;

		if (pair[2 * middle] < group)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count / 2 && pair[2 * low] == group ? pair[2 * low + 1] : DELTA_NONE;
}

/* --- Pairs by themselves -------------------------------------------------------------------------------------------- */

static int ask_pair(struct search *search, uint32_t source, uint32_t destination)
{
	const struct joint *joint = search->joint;
	const struct kinds *from = &joint->kinds[SIDE_SOURCE], *to = &joint->kinds[SIDE_DESTINATION];
	struct exception exception = { source, destination, DELTA_NONE };
	uint32_t rows[DIFF_SIDES];
	size_t n;
	int err = 0;

	for (int i = 0; i < DIFF_SIDES && !err; i++)
		err = joint_row(joint, i, source, destination, &rows[i]);
	if (!err)
		err = deltas_find(
			search->deltas, rows, joint->failsafe_of[lists_get(&from->elements, source, &n)[0]],
			joint->failsafe_of[lists_get(&to->elements, destination, &n)[0]], &exception.delta);
	if (err ||
	    exception.delta == base_delta(search->vectors, from->group[source], to->group[destination]))
		return err;
	return array_push(&search->exceptions, exception);
}

/* Kinds of a class; none if no address that a packet can have is of it. */
static const uint32_t *kinds_of_class(const struct kinds *kinds, enum diff_side side, uint32_t class,
				      size_t *ret_count)
{
	*ret_count = 0;
	return class < kinds->of_class[side].count ? lists_get(&kinds->of_class[side], class, ret_count)
						   : NULL;
}

static int ask_classes(struct search *search, enum diff_side side, uint32_t source, uint32_t destination)
{
	size_t from_count, to_count;
	const uint32_t *from = kinds_of_class(&search->joint->kinds[SIDE_SOURCE], side, source, &from_count);
	const uint32_t *to =
		kinds_of_class(&search->joint->kinds[SIDE_DESTINATION], side, destination, &to_count);
	int err = 0;

	for (size_t i = 0; i < from_count; i++)
		for (size_t j = 0; j < to_count && !err; j++)
			err = ask_pair(search, from[i], to[j]);
	return err;
}

static int visit_old(void *search, uint32_t source, uint32_t destination)
{
	return ask_classes(search, DIFF_OLD, source, destination);
}

static int visit_new(void *search, uint32_t source, uint32_t destination)
{
	return ask_classes(search, DIFF_NEW, source, destination);
}

static int compare_exceptions(const void *a, const void *b)
{
	const struct exception *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return x->destination < y->destination ? -1 : x->destination > y->destination;
}

static int find_exceptions(struct search *search)
{
	int err = cells_walk_pairs(space_cells(search->joint->space[DIFF_OLD]), visit_old, search);

	if (!err)
		err = cells_walk_pairs(space_cells(search->joint->space[DIFF_NEW]), visit_new, search);
	if (!err && search->exceptions.count)
		qsort(search->exceptions.v, search->exceptions.count, sizeof(*search->exceptions.v),
		      compare_exceptions);
	return err;
}

/* --- Both ----------------------------------------------------------------------------------------------------------- */

/* Both generations may have brought up a pair: it is taken once. */
static int number_vector(struct search *search, uint32_t source, size_t *at)
{
	const struct exception *e = search->exceptions.v;
	int err;

	search->list.count = 0;
	err = array_push(&search->list,
			 search->vectors->base_of[search->joint->kinds[SIDE_SOURCE].group[source]]);
	for (; *at < search->exceptions.count && e[*at].source == source; ++*at) {
		if (*at && !compare_exceptions(&e[*at - 1], &e[*at]))
			continue;
		if (!err)
			err = array_push(&search->list, e[*at].destination);
		if (!err)
			err = array_push(&search->list, e[*at].delta);
	}
	return err ? err
		   : list_number(&search->vectors->all, search->list.v, search->list.count,
				 &search->vectors->of[source]);
}

int vectors_find(const struct joint *joint, struct deltas *deltas, struct vectors *vectors)
{
	struct search search = { .joint = joint, .deltas = deltas, .vectors = vectors };
	const struct kinds *kinds = &joint->kinds[SIDE_SOURCE];
	size_t at = 0;
	int err;

	vectors->base_of = array_new(kinds->group_count, sizeof(*vectors->base_of));
	vectors->of = array_new(kinds->count, sizeof(*vectors->of));
	err = vectors->base_of && vectors->of ? find_bases(&search) : -ENOMEM;
	if (!err)
		err = find_exceptions(&search);
	for (size_t i = 0; i < kinds->count && !err; i++)
		err = number_vector(&search, i, &at);
	array_free(&search.exceptions);
	array_free(&search.list);
	return err;
}

void vectors_clear(struct vectors *vectors)
{
	sets_clear(&vectors->bases);
	sets_clear(&vectors->all);
	free(vectors->base_of);
	free(vectors->of);
}
