// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/matrix.h"

/* Default rows, source group by source group. */
static int write_defaults(const struct matrix *m, struct lines *lines, uint32_t *ret_line)
{
	size_t count = matrix_group_count(m, 0) * matrix_group_count(m, 1);
	uint32_t *row;
	int err = lines_add_bytes(lines, count * sizeof(*row), ret_line);

	if (err)
		return err;
	row = lines_at(lines, *ret_line);
	for (size_t i = 0; i < count; i++)
		row[i] = m->row.v[m->base_case.v[m->base_of[i]]];
	return 0;
}

/* Says in the default row of each pair that has a row of its own that there is one. */
static void mark_defaults(const struct matrix *m, uint32_t *row)
{
	for (size_t i = 0; i < m->pairs.count; i++) {
		size_t source = m->group_of[0][m->pairs.v[i].source], destination = m->group_of[1][m->pairs.v[i].destination];

		row[source * matrix_group_count(m, 1) + destination] |= ZW_PAIRS;
	}
}

/* The row that most have, if more than half of them do (Boyer and Moore's vote); else one of them. */
static uint32_t usual_row(const uint32_t *row, size_t count)
{
	uint32_t usual = row[0];
	size_t votes = 0;

	for (size_t i = 0; i < count; i++) {
		if (!votes)
			usual = row[i];
		votes += row[i] == usual ? 1 : -1;
	}
	return usual;
}

static int write_usual(const struct matrix *m, struct lines *lines, struct zw_matrix *layout)
{
	size_t sources = matrix_group_count(m, 0), count = matrix_group_count(m, 1), words = zw_usual_words(count);
	int err = lines_add_bytes(lines, sources * words * sizeof(uint32_t), &layout->usual);
	const uint32_t *row;
	uint32_t *record;

	if (err)
		return err;
	row = lines_at(lines, layout->defaults);
	record = lines_at(lines, layout->usual);
	for (size_t s = 0; s < sources; s++, row += count, record += words) {
		record[0] = usual_row(row, count);
		for (size_t d = 0; d < count; d++)
			record[1 + d / 32] |= (uint32_t)(row[d] != record[0]) << d % 32;
	}
	return 0;
}

static bool place(struct zw_pair_bucket *buckets, size_t count, const struct zw_pair *pair)
{
	uint32_t at = zw_pair_hash(pair->source, pair->destination);

	for (int i = 0; i < ZW_PAIR_PROBES; i++, at++) {
		struct zw_pair_bucket *bucket = &buckets[at & (count - 1)];

		if (bucket->used < ZW_PAIRS_A_BUCKET) {
			bucket->pair[bucket->used++] = *pair;
			return true;
		}
	}
	return false;
}

/* Fills the smallest table in which every pair finds a place; it begins three quarters full at most. */
static int write_buckets(const struct matrix *m, struct lines *lines, struct zw_matrix *layout)
{
	size_t count = 1, placed;
	struct zw_pair_bucket *bucket;
	int err;

	while (count * 15 < m->pairs.count * 4)
		count *= 2;
	for (;; count *= 2) {
		size_t before = lines->all.count;

		err = lines_add(lines, count, &layout->pairs);
		if (err)
			return err;
		bucket = lines_at(lines, layout->pairs);
		memset(bucket, 0xff, count * sizeof(*bucket));
		for (size_t i = 0; i < count; i++)
			bucket[i].used = 0;
		for (placed = 0; placed < m->pairs.count; placed++)
			if (!place(bucket, count, &m->pairs.v[placed]))
				break;
		if (placed == m->pairs.count)
			break;
		lines->all.count = before;
	}
	layout->pair_count = m->pairs.count;
	layout->pair_buckets = count;
	return 0;
}

int matrix_write(const struct matrix *m, struct lines *lines, struct zw_matrix *ret_layout)
{
	size_t defaults = matrix_group_count(m, 0) * matrix_group_count(m, 1);
	int err;

	memset(ret_layout, 0, sizeof(*ret_layout));
	ret_layout->destinations = matrix_class_count(m, 1);
	if (m->dense) {
		ret_layout->pair_count = defaults;
		return write_defaults(m, lines, &ret_layout->pairs);
	}
	err = write_buckets(m, lines, ret_layout);
	if (!err)
		err = write_defaults(m, lines, &ret_layout->defaults);
	if (err)
		return err;
	mark_defaults(m, lines_at(lines, ret_layout->defaults));
	ret_layout->default_destinations = matrix_group_count(m, 1);
	ret_layout->default_count = defaults;
	return write_usual(m, lines, ret_layout);
}
