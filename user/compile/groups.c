// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/matrix.h"
#include "compile/sort.h"

/* Entries by combination. Each entry's combination is found again by interning it a second time. */
static int find_combinations(struct matrix *m)
{
	size_t count = m->entries->all.count;
	uint32_t *of = calloc(count + 1, sizeof(*of));
	int err = of ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !err; i++) {
		const uint32_t *end = m->entries->all.v[i].end;
		uint64_t hash = sets_spread((uint64_t)end[0] << 32 | end[1]);

		err = sets_intern(&m->combinations, end, 2, hash, &of[i]);
	}
	if (!err)
		err = lists_new(&m->entries_of, sets_count(&m->combinations));
	for (size_t i = 0; i < count && !err; i++)
		lists_expect(&m->entries_of, of[i]);
	if (!err)
		err = lists_ready(&m->entries_of);
	for (size_t i = 0; i < count && !err; i++)
		lists_put(&m->entries_of, of[i], i);
	free(of);
	return err;
}

/* Which combinations a source end has without any, and which each end has with any. */
static int index_combinations(struct matrix *m)
{
	size_t count = sets_count(&m->combinations);
	int err = lists_new(&m->by_source, sets_count(&m->entries->side[0].ends));

	for (int side = 0; side < 2; side++) {
		size_t ends = sets_count(&m->entries->side[side].ends);

		m->any[side] = malloc((ends + 1) * sizeof(uint32_t));
		if (!m->any[side])
			return -ENOMEM;
		memset(m->any[side], 0xff, (ends + 1) * sizeof(uint32_t));
	}
	if (err)
		return err;
	m->any_any = NONE;
	for (size_t i = 0; i < count; i++) {
		const uint32_t *end = matrix_ends_of(m, i);

		if (end[0] == END_ANY && end[1] == END_ANY)
			m->any_any = i;
		else if (end[1] == END_ANY)
			m->any[0][end[0]] = i;
		else if (end[0] == END_ANY)
			m->any[1][end[1]] = i;
		else
			lists_expect(&m->by_source, end[0]);
	}
	err = lists_ready(&m->by_source);
	for (size_t i = 0; i < count && !err; i++) {
		const uint32_t *end = matrix_ends_of(m, i);

		if (end[0] != END_ANY && end[1] != END_ANY)
			lists_put(&m->by_source, end[0], i);
	}
	return err;
}

/* Groups of one side: the distinct sets of grouped ends that classes have. */
static int find_groups(struct matrix *m, int side)
{
	const struct side *s = &m->entries->side[side];
	size_t classes = matrix_class_count(m, side);
	uint32_t *members = malloc((sets_count(&s->ends) + 1) * sizeof(*members));
	int err = members ? 0 : -ENOMEM;

	sets_clear(&m->groups[side]);
	for (size_t c = 0; c < classes && !err; c++) {
		size_t n, found = 0;
		const uint32_t *end = sets_get(&s->classes, c, &n);

		for (size_t i = 0; i < n; i++)
			if (m->grouped[side][end[i]])
				members[found++] = end[i];
		err = sets_intern(&m->groups[side], members, found, sets_hash(members, found),
				  &m->group_of[side][c]);
	}
	free(members);
	return err;
}

/* The classes of a combination's two ends; false if it has `any`. */
static bool named_classes(const struct matrix *m, size_t combination, uint64_t *ret_sources,
			  uint64_t *ret_destinations)
{
	const uint32_t *end = matrix_ends_of(m, combination);
	size_t sources, destinations;

	if (end[0] == END_ANY || end[1] == END_ANY)
		return false;
	lists_get(&m->entries->side[0].classes_of, end[0], &sources);
	lists_get(&m->entries->side[1].classes_of, end[1], &destinations);
	*ret_sources = sources;
	*ret_destinations = destinations;
	return true;
}

/* How many pairs the combinations name that groups do not take care of. */
static uint64_t count_named(const struct matrix *m)
{
	uint64_t named = 0, sources, destinations;

	for (size_t i = 0; i < sets_count(&m->combinations); i++)
		if (named_classes(m, i, &sources, &destinations) && !matrix_is_grouped(m, i))
			named += sources * destinations;
	return named;
}

/* Ends of one side by their number of classes, the most first. */
static uint32_t *order_ends(const struct matrix *m, int side)
{
	size_t count = sets_count(&m->entries->side[side].ends), n;
	uint64_t *key = malloc((2 * count + 1) * sizeof(*key));
	uint32_t *order = malloc((count + 1) * sizeof(*order));

	if (!key || !order) {
		free(key);
		free(order);
		return NULL;
	}
	for (size_t e = 0; e < count; e++) {
		lists_get(&m->entries->side[side].classes_of, e, &n);
		key[e] = (uint64_t)(UINT32_MAX - n) << 32 | e;
	}
	sort_u64(key, key + count, count);
	for (size_t e = 0; e < count; e++)
		order[e] = key[e];
	free(key);
	return order;
}

/* Groups the ends that must be, and of all ends the first part/PARTS. */
#define PARTS 4096
static int group_ends(struct matrix *m, uint32_t *const order[2], unsigned part)
{
	int err = 0;

	for (int side = 0; side < 2 && !err; side++) {
		size_t count = sets_count(&m->entries->side[side].ends);

		for (size_t e = 0; e < count; e++)
			m->grouped[side][e] = m->any[side][e] != NONE;
		for (size_t i = 0; i < count * part / PARTS; i++)
			m->grouped[side][order[side][i]] = true;
		err = find_groups(m, side);
	}
	return err;
}

/* Bytes of the tables with these groups, roughly: a named pair is a third of its bucket's line. */
static uint64_t size_of(const struct matrix *m)
{
	return (uint64_t)matrix_group_count(m, 0) * matrix_group_count(m, 1) * sizeof(uint32_t) +
	       count_named(m) * 20;
}

/* Tries fewer and fewer grouped ends, and keeps what needs the least room. */
static int choose_groups(struct matrix *m, uint32_t *const order[2], uint64_t dense_bytes)
{
	uint64_t best = UINT64_MAX, limit = dense_bytes / sizeof(uint32_t) * 8;
	unsigned best_part = 0;
	int err = 0;

	m->dense = (uint64_t)matrix_class_count(m, 0) * matrix_class_count(m, 1) <=
		   dense_bytes / sizeof(uint32_t);
	if (m->dense)
		return group_ends(m, order, PARTS);
	if (limit > DEFAULT_ROWS_MAX)
		limit = DEFAULT_ROWS_MAX;
	for (unsigned part = PARTS; part && !err; part -= part / 5 + 1) {
		err = group_ends(m, order, part);
		if (err || (uint64_t)matrix_group_count(m, 0) * matrix_group_count(m, 1) > limit ||
		    size_of(m) >= best)
			continue;
		best = size_of(m);
		best_part = part;
	}
	return err ? err : group_ends(m, order, best_part);
}

static int new_groups(struct matrix *m, uint64_t dense_bytes)
{
	uint32_t *order[2] = { order_ends(m, 0), order_ends(m, 1) };
	int err = order[0] && order[1] ? 0 : -ENOMEM;

	for (int side = 0; side < 2; side++) {
		m->grouped[side] = calloc(sets_count(&m->entries->side[side].ends) + 1, sizeof(bool));
		m->group_of[side] = calloc(matrix_class_count(m, side) + 1, sizeof(uint32_t));
		if (!m->grouped[side] || !m->group_of[side])
			err = -ENOMEM;
	}
	if (!err)
		err = choose_groups(m, order, dense_bytes);
	free(order[0]);
	free(order[1]);
	return err;
}

/* Which rules with `any` hold each group. */
static int find_wild(struct matrix *m, int side)
{
	size_t count = matrix_group_count(m, side), n;
	uint32_t *members = malloc((sets_count(&m->entries->side[side].ends) + 1) * sizeof(*members));
	int err = 0;

	m->wild_of[side] = calloc(count + 1, sizeof(uint32_t));
	if (!members || !m->wild_of[side])
		err = -ENOMEM;
	for (size_t g = 0; g < count && !err; g++) {
		const uint32_t *end = sets_get(&m->groups[side], g, &n);
		size_t found = 0;

		for (size_t i = 0; i < n; i++)
			if (m->any[side][end[i]] != NONE)
				members[found++] = m->any[side][end[i]];
		err = sets_intern(&m->wild[side], members, found, sets_hash(members, found),
				  &m->wild_of[side][g]);
	}
	free(members);
	return err;
}

/* The groups of each destination end. */
static int invert_groups(struct matrix *m)
{
	int err = lists_new(&m->groups_of, sets_count(&m->entries->side[1].ends));

	for (int put = 0; put < 2 && !err; put++) {
		for (size_t g = 0; g < matrix_group_count(m, 1); g++) {
			size_t n;
			const uint32_t *end = sets_get(&m->groups[1], g, &n);

			for (size_t i = 0; i < n; i++) {
				if (put)
					lists_put(&m->groups_of, end[i], g);
				else
					lists_expect(&m->groups_of, end[i]);
			}
		}
		if (!put)
			err = lists_ready(&m->groups_of);
	}
	return err;
}

/* Which rule names most pairs: for the message. */
static void blame(const struct matrix *m, struct matrix_trouble *trouble)
{
	uint64_t most = 0, sources, destinations;

	for (size_t i = 0; i < sets_count(&m->combinations); i++) {
		size_t n;

		if (!named_classes(m, i, &sources, &destinations) || sources * destinations <= most)
			continue;
		most = sources * destinations;
		trouble->rule = m->entries->all.v[*lists_get(&m->entries_of, i, &n)].rule;
		trouble->rule_sources = sources;
		trouble->rule_destinations = destinations;
	}
}

static int check_size(const struct matrix *m, struct matrix_trouble *trouble)
{
	uint64_t defaults = (uint64_t)matrix_group_count(m, 0) * matrix_group_count(m, 1),
		 named = count_named(m);

	blame(m, trouble);
	if (defaults > DEFAULT_ROWS_MAX) {
		trouble->defaults = true;
		trouble->pairs = defaults;
		return -E2BIG;
	}
	if (named > NAMED_PAIRS_MAX) {
		trouble->pairs = named;
		return -E2BIG;
	}
	return 0;
}

int matrix_group(struct matrix *m, uint64_t dense_bytes, struct matrix_trouble *trouble)
{
	int err = find_combinations(m);

	if (!err)
		err = index_combinations(m);
	if (!err)
		err = new_groups(m, dense_bytes);
	if (!err)
		err = check_size(m, trouble);
	for (int side = 0; side < 2 && !err; side++)
		err = find_wild(m, side);
	return err ? err : invert_groups(m);
}
