// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/rectangles.h"

#include "base/util.h"
#include "compile/sort.h"
#include "simulate/vectors.h"

/* Pairs of numbers, sorted by the first and then the second. */
struct pairs {
	ARRAY(uint64_t) v;
};

static int add_pair(struct pairs *pairs, uint32_t first, uint32_t second)
{
	return array_push(&pairs->v, (uint64_t)first << 32 | second);
}

static int sort_pairs(struct pairs *pairs)
{
	if (array_reserve(&pairs->v, pairs->v.count))
		return -ENOMEM;
	sort_u64(pairs->v.v, pairs->v.v + pairs->v.count, pairs->v.count);
	return 0;
}

/* The pairs with the same first number as the one at `at`: their second numbers are v[at..end). */
static size_t end_of(const struct pairs *pairs, size_t at)
{
	size_t end = at;

	while (end < pairs->v.count && pairs->v.v[end] >> 32 == pairs->v.v[at] >> 32)
		end++;
	return end;
}

struct merger {
	const struct joint *joint;
	struct deltas *deltas;
	struct vectors vectors;
	struct lists sources_of; /* of each vector */
	uint32_t *delta_of; /* of each destination, of the vector at hand */
	ARRAY(uint32_t) touched, list;
	struct sets parts; /* change, places */
	struct sets ends; /* kinds of destinations */
	struct sets rows; /* part, end: a rectangle */
	struct pairs vectors_of; /* row, vector */
	struct rectangles *result;
};

/* --- A vector's rectangles ---------------------------------------------------------------------------------------- */

static int touch(struct merger *m, uint32_t destination, uint32_t delta)
{
	m->delta_of[destination] = delta;
	return array_push(&m->touched, destination);
}

/* What changes towards each kind of destination: `touched` names all that change, some of them twice. */
static int spread_vector(struct merger *m, uint32_t vector)
{
	const struct kinds *to = &m->joint->kinds[SIDE_DESTINATION];
	size_t count, base_count, n;
	const uint32_t *exception = sets_get(&m->vectors.all, vector, &count);
	const uint32_t *base = sets_get(&m->vectors.bases, exception[0], &base_count);
	int err = 0;

	m->touched.count = 0;
	for (size_t i = 0; i < base_count; i += 2) {
		const uint32_t *kind = lists_get(&to->members, base[i], &n);

		for (size_t j = 0; j < n && !err; j++)
			err = touch(m, kind[j], base[i + 1]);
	}
	for (size_t i = 1; i < count && !err; i += 2)
		err = touch(m, exception[i], exception[i + 1]);
	return err;
}

/* Part and destination, of everything that changes. */
static int list_parts(struct merger *m, struct pairs *pairs)
{
	int err = 0;

	for (size_t i = 0; i < m->touched.count && !err; i++) {
		uint32_t destination = m->touched.v[i], part;
		size_t count;
		const uint32_t *pair = deltas_get(m->deltas, m->delta_of[destination], &count);

		m->delta_of[destination] = DELTA_NONE;
		for (size_t j = 0; j < count && !err; j += 2) {
			err = list_number(&m->parts, pair + j, 2, &part);
			if (!err)
				err = add_pair(pairs, part, destination);
		}
	}
	return err;
}

/* The second numbers of pairs at..end as a list. */
static int take_list(struct merger *m, const struct pairs *pairs, size_t at, size_t end)
{
	int err = 0;

	m->list.count = 0;
	for (size_t i = at; i < end && !err; i++)
		err = array_push(&m->list, (uint32_t)pairs->v.v[i]);
	return err;
}

static int add_rows(struct merger *m, uint32_t vector, struct pairs *pairs)
{
	int err = sort_pairs(pairs);

	for (size_t at = 0, end; at < pairs->v.count && !err; at = end) {
		uint32_t row[] = { pairs->v.v[at] >> 32, 0 }, number;

		end = end_of(pairs, at);
		err = take_list(m, pairs, at, end);
		if (!err)
			err = list_number(&m->ends, m->list.v, m->list.count, &row[1]);
		if (!err)
			err = list_number(&m->rows, row, ARRAY_LEN(row), &number);
		if (!err)
			err = add_pair(&m->vectors_of, number, vector);
	}
	return err;
}

static int walk_vectors(struct merger *m)
{
	struct pairs pairs = { 0 };
	int err = 0;

	for (uint32_t vector = 0; vector < sets_count(&m->vectors.all) && !err; vector++) {
		pairs.v.count = 0;
		err = spread_vector(m, vector);
		if (!err)
			err = list_parts(m, &pairs);
		if (!err)
			err = add_rows(m, vector, &pairs);
	}
	array_free(&pairs.v);
	return err ? err : sort_pairs(&m->vectors_of);
}

/* --- Rectangles of a change --------------------------------------------------------------------------------------- */

static const uint32_t *part_of(const struct merger *m, uint32_t row)
{
	size_t n;

	return sets_get(&m->parts, sets_get(&m->rows, row, &n)[0], &n);
}

static const uint32_t *end_of_row(const struct merger *m, uint32_t row, size_t *ret_count)
{
	size_t n;

	return sets_get(&m->ends, sets_get(&m->rows, row, &n)[1], ret_count);
}

static void begin_side(const struct rectangles *r, struct rectangle *rectangle, enum side side)
{
	rectangle->start[side] = r->kinds.count;
	rectangle->count[side] = 0;
}

static int add_kinds(struct rectangles *r, struct rectangle *rectangle, enum side side, const uint32_t *kinds,
		     size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = array_push(&r->kinds, kinds[i]);
	rectangle->count[side] += count;
	return err;
}

/* All sources of a row: `at` is where its vectors begin. */
static int add_sources(struct merger *m, struct rectangle *rectangle, size_t at)
{
	size_t end = end_of(&m->vectors_of, at), count;
	int err = 0;

	for (; at < end && !err; at++) {
		const uint32_t *kinds = lists_get(&m->sources_of, (uint32_t)m->vectors_of.v.v[at], &count);

		err = add_kinds(m->result, rectangle, SIDE_SOURCE, kinds, count);
	}
	return err;
}

static int emit_row(struct merger *m, uint32_t row, const size_t *vectors_at)
{
	const uint32_t *part = part_of(m, row), *end;
	struct rectangle rectangle = { .change = part[0], .places = part[1] };
	size_t count;
	int err;

	begin_side(m->result, &rectangle, SIDE_SOURCE);
	err = add_sources(m, &rectangle, vectors_at[row]);
	end = end_of_row(m, row, &count);
	begin_side(m->result, &rectangle, SIDE_DESTINATION);
	if (!err)
		err = add_kinds(m->result, &rectangle, SIDE_DESTINATION, end, count);
	return err ? err : array_push(&m->result->all, rectangle);
}

/* The rows of one change, turned round: columns are lists of places and the rows that have a destination there. */
struct columns {
	struct sets all;
	struct pairs destinations; /* column, destination */
};

static int compare_words(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Rows at..end of `pairs` hold a destination: one column for each set of places. */
static int add_columns(struct merger *m, struct pairs *pairs, size_t at, size_t end, struct columns *columns)
{
	uint32_t destination = pairs->v.v[at] >> 32, column;
	int err = 0;

	for (size_t i = at; i < end; i++) /* the destination is known: sort by places, then rows */
		pairs->v.v[i] = (uint64_t)part_of(m, pairs->v.v[i])[1] << 32 | (uint32_t)pairs->v.v[i];
	qsort(pairs->v.v + at, end - at, sizeof(*pairs->v.v), compare_words);
	for (size_t i = at, j; i < end && !err; i = j) {
		m->list.count = 0;
		err = array_push(&m->list, pairs->v.v[i] >> 32);
		for (j = i; j < end && pairs->v.v[j] >> 32 == pairs->v.v[i] >> 32 && !err; j++)
			err = array_push(&m->list, (uint32_t)pairs->v.v[j]);
		if (!err)
			err = list_number(&columns->all, m->list.v, m->list.count, &column);
		if (!err)
			err = add_pair(&columns->destinations, column, destination);
	}
	return err;
}

static int turn(struct merger *m, const uint32_t *rows, size_t count, struct columns *columns)
{
	struct pairs pairs = { 0 };
	int err = 0;

	for (size_t i = 0; i < count; i++) {
		size_t n;
		const uint32_t *end = end_of_row(m, rows[i], &n);

		for (size_t j = 0; j < n && !err; j++)
			err = add_pair(&pairs, end[j], rows[i]);
	}
	if (!err)
		err = sort_pairs(&pairs);
	for (size_t at = 0, end; at < pairs.v.count && !err; at = end) {
		end = end_of(&pairs, at);
		err = add_columns(m, &pairs, at, end, columns);
	}
	array_free(&pairs.v);
	return err ? err : sort_pairs(&columns->destinations);
}

/* `at`: where the column's destinations begin. */
static int emit_column(struct merger *m, const struct columns *columns, size_t at, const size_t *vectors_at)
{
	size_t end = end_of(&columns->destinations, at), count;
	const uint32_t *column = sets_get(&columns->all, columns->destinations.v.v[at] >> 32, &count);
	struct rectangle rectangle = { .change = part_of(m, column[1])[0], .places = column[0] };
	int err = 0;

	begin_side(m->result, &rectangle, SIDE_SOURCE);
	for (size_t i = 1; i < count && !err; i++)
		err = add_sources(m, &rectangle, vectors_at[column[i]]);
	begin_side(m->result, &rectangle, SIDE_DESTINATION);
	for (; at < end && !err; at++)
		err = add_kinds(m->result, &rectangle, SIDE_DESTINATION,
				&(uint32_t){ columns->destinations.v.v[at] }, 1);
	return err ? err : array_push(&m->result->all, rectangle);
}

static int emit_change(struct merger *m, const uint32_t *rows, size_t count, const size_t *vectors_at)
{
	struct columns columns = { 0 };
	int err = count > 1 ? turn(m, rows, count, &columns) : 0;

	if (err || count == 1 || sets_count(&columns.all) >= count)
		for (size_t i = 0; i < count && !err; i++)
			err = emit_row(m, rows[i], vectors_at);
	else
		for (size_t at = 0; at < columns.destinations.v.count && !err;
		     at = end_of(&columns.destinations, at))
			err = emit_column(m, &columns, at, vectors_at);
	sets_clear(&columns.all);
	array_free(&columns.destinations.v);
	return err;
}

/* --- All ---------------------------------------------------------------------------------------------------------- */

static int emit(struct merger *m)
{
	size_t rows = sets_count(&m->rows);
	_cleanup_free_ size_t *vectors_at = array_new(rows, sizeof(*vectors_at));
	struct pairs by_change = { 0 };
	int err = vectors_at ? 0 : -ENOMEM;

	for (size_t at = 0; at < m->vectors_of.v.count && !err; at = end_of(&m->vectors_of, at))
		vectors_at[m->vectors_of.v.v[at] >> 32] = at;
	for (size_t i = 0; i < rows && !err; i++)
		err = add_pair(&by_change, part_of(m, i)[0], i);
	if (!err)
		err = sort_pairs(&by_change);
	for (size_t at = 0, end; at < by_change.v.count && !err; at = end) {
		_cleanup_free_ uint32_t *list = NULL;

		end = end_of(&by_change, at);
		list = array_new(end - at, sizeof(*list));
		for (size_t i = at; list && i < end; i++)
			list[i - at] = by_change.v.v[i];
		err = list ? emit_change(m, list, end - at, vectors_at) : -ENOMEM;
	}
	array_free(&by_change.v);
	return err;
}

/* Which sources have each vector. */
static int index_vectors(struct merger *m)
{
	size_t count = m->joint->kinds[SIDE_SOURCE].count;
	int err = lists_new(&m->sources_of, sets_count(&m->vectors.all));

	for (size_t i = 0; i < count && !err; i++)
		lists_expect(&m->sources_of, m->vectors.of[i]);
	if (!err)
		err = lists_ready(&m->sources_of);
	for (size_t i = 0; i < count && !err; i++)
		lists_put(&m->sources_of, m->vectors.of[i], i);
	return err;
}

int rectangles_find(const struct joint *joint, struct deltas *deltas, struct rectangles *rectangles)
{
	struct merger m = { .joint = joint, .deltas = deltas, .result = rectangles };
	int err = vectors_find(joint, deltas, &m.vectors);

	m.delta_of = array_new(joint->kinds[SIDE_DESTINATION].count, sizeof(*m.delta_of));
	if (!err && !m.delta_of)
		err = -ENOMEM;
	if (!err)
		err = index_vectors(&m);
	if (!err)
		err = walk_vectors(&m);
	if (!err)
		err = emit(&m);
	vectors_clear(&m.vectors);
	lists_clear(&m.sources_of);
	free(m.delta_of);
	array_free(&m.touched);
	array_free(&m.list);
	array_free(&m.vectors_of.v);
	sets_clear(&m.parts);
	sets_clear(&m.ends);
	sets_clear(&m.rows);
	return err;
}

void rectangles_clear(struct rectangles *rectangles)
{
	array_free(&rectangles->all);
	array_free(&rectangles->kinds);
}
