// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/matrix.h"
#include "compile/sort.h"

static size_t class_count(const struct matrix *m, int side)
{
	return sets_count(&m->entries->side[side].classes);
}

static size_t group_count(const struct matrix *m, int side)
{
	return sets_count(&m->groups[side]);
}

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

static const uint32_t *ends_of(const struct matrix *m, uint32_t combination)
{
	size_t n;

	return sets_get(&m->combinations, combination, &n);
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
		const uint32_t *end = ends_of(m, i);

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
		const uint32_t *end = ends_of(m, i);

		if (end[0] != END_ANY && end[1] != END_ANY)
			lists_put(&m->by_source, end[0], i);
	}
	return err;
}

static int find_groups(struct matrix *m, int side)
{
	const struct side *s = &m->entries->side[side];
	size_t classes = class_count(m, side);
	uint32_t *members = malloc((sets_count(&s->ends) + 1) * sizeof(*members));
	int err = 0;

	m->group_of[side] = calloc(classes + 1, sizeof(uint32_t));
	if (!members || !m->group_of[side])
		err = -ENOMEM;
	for (size_t c = 0; c < classes && !err; c++) {
		size_t n, found = 0;
		const uint32_t *end = sets_get(&s->classes, c, &n);

		for (size_t i = 0; i < n; i++)
			if (m->any[side][end[i]] != NONE)
				members[found++] = m->any[side][end[i]];
		err = sets_intern(&m->groups[side], members, found, sets_hash(members, found), &m->group_of[side][c]);
	}
	free(members);
	return err;
}

/* Names most pairs: for the message. */
static void blame(const struct matrix *m, struct matrix_trouble *trouble)
{
	uint64_t most = 0;

	for (size_t i = 0; i < sets_count(&m->combinations); i++) {
		const uint32_t *end = ends_of(m, i);
		size_t sources, destinations, n;

		if (end[0] == END_ANY || end[1] == END_ANY)
			continue;
		lists_get(&m->entries->side[0].classes_of, end[0], &sources);
		lists_get(&m->entries->side[1].classes_of, end[1], &destinations);
		if ((uint64_t)sources * destinations <= most)
			continue;
		most = (uint64_t)sources * destinations;
		trouble->rule = m->entries->all.v[*lists_get(&m->entries_of, i, &n)].rule;
		trouble->rule_sources = sources;
		trouble->rule_destinations = destinations;
	}
}

static int check_size(const struct matrix *m, struct matrix_trouble *trouble)
{
	uint64_t defaults = (uint64_t)group_count(m, 0) * group_count(m, 1), named = 0;

	for (size_t i = 0; i < sets_count(&m->combinations); i++) {
		const uint32_t *end = ends_of(m, i);
		size_t sources, destinations;

		if (end[0] == END_ANY || end[1] == END_ANY)
			continue;
		lists_get(&m->entries->side[0].classes_of, end[0], &sources);
		lists_get(&m->entries->side[1].classes_of, end[1], &destinations);
		named += (uint64_t)sources * destinations;
	}
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

static int gather(const struct matrix *m, uint32_t combination, struct case_entries *entries)
{
	size_t n;
	const uint32_t *entry = lists_get(&m->entries_of, combination, &n);
	int err = array_reserve(&entries->list, n);

	for (size_t i = 0; i < n && !err; i++)
		entries->list.v[entries->list.count++] = entry[i];
	return err;
}

int matrix_case(const struct matrix *m, uint32_t number, struct case_entries *ret_entries)
{
	size_t n, members;
	const uint32_t *member = sets_get(&m->cases, number, &members), *combination;
	int err = 0;

	ret_entries->list.count = 0;
	for (int side = 0; side < 2; side++) {
		combination = sets_get(&m->groups[side], member[side], &n);
		for (size_t i = 0; i < n && !err; i++)
			err = gather(m, combination[i], ret_entries);
	}
	if (m->any_any != NONE && !err)
		err = gather(m, m->any_any, ret_entries);
	for (size_t i = 2; i < members && !err; i++)
		err = gather(m, member[i], ret_entries);
	n = ret_entries->list.count;
	if (!err)
		err = array_reserve(&ret_entries->list, n);
	ret_entries->entry.count = 0;
	if (!err)
		err = array_reserve(&ret_entries->entry, n);
	if (err)
		return err;
	sort_u64(ret_entries->list.v, ret_entries->list.v + n, n);
	for (size_t i = 0; i < n; i++)
		ret_entries->entry.v[ret_entries->entry.count++] = ret_entries->list.v[i];
	return 0;
}

void case_entries_clear(struct case_entries *entries)
{
	array_free(&entries->list);
	array_free(&entries->entry);
}

struct maker {
	struct matrix *m;
	struct rows *rows;
	struct lines *lines;
	struct case_entries entries;
	ARRAY(uint64_t) named; /* destination class << 32 | combination, of one source class */
	ARRAY(uint32_t) members;
};

/* The case of these groups and combinations; a new one is decided at once. */
static int make_case(struct maker *k, const uint32_t *members, size_t count, uint32_t *ret_case)
{
	struct matrix *m = k->m;
	size_t known = sets_count(&m->cases);
	uint64_t hash = 0;
	uint32_t row;
	int err;

	for (size_t i = 0; i < count; i++)
		hash = sets_spread(hash ^ members[i]);
	err = sets_intern(&m->cases, members, count, hash, ret_case);
	if (err || *ret_case < known)
		return err;
	err = matrix_case(m, *ret_case, &k->entries);
	if (!err)
		err = rows_make(k->rows, m->services, m->entries, k->entries.entry.v, k->entries.entry.count, k->lines,
				&row);
	if (!err)
		err = array_push(&m->row, row);
	if (!err)
		err = array_push(&m->real, 0);
	return err;
}

static int make_defaults(struct maker *k)
{
	size_t sources = group_count(k->m, 0), destinations = group_count(k->m, 1);
	int err = 0;

	for (uint32_t s = 0; s < sources && !err; s++) {
		for (uint32_t d = 0; d < destinations && !err; d++) {
			uint32_t members[2] = { s, d }, number;

			err = make_case(k, members, 2, &number);
		}
	}
	return err;
}

/* All pairs of one source class that combinations without any name. */
static int name_pairs(struct maker *k, uint32_t source)
{
	const struct matrix *m = k->m;
	size_t ends, n, classes;
	const uint32_t *end = sets_get(&m->entries->side[0].classes, source, &ends);
	int err;

	k->named.count = 0;
	for (size_t i = 0; i < ends; i++) {
		const uint32_t *combination = lists_get(&m->by_source, end[i], &n);

		for (size_t j = 0; j < n; j++) {
			const uint32_t *class = lists_get(&m->entries->side[1].classes_of,
							  ends_of(m, combination[j])[1], &classes);

			err = array_reserve(&k->named, classes);
			if (err)
				return err;
			for (size_t c = 0; c < classes; c++)
				k->named.v[k->named.count++] = (uint64_t)class[c] << 32 | combination[j];
		}
	}
	err = array_reserve(&k->named, k->named.count);
	if (err)
		return err;
	sort_u64(k->named.v, k->named.v + k->named.count, k->named.count);
	return 0;
}

static int make_pair(struct maker *k, uint32_t source, uint32_t destination, size_t first, size_t end)
{
	struct matrix *m = k->m;
	uint32_t groups[2] = { m->group_of[0][source], m->group_of[1][destination] }, number;
	struct zw_pair pair = { .source = source, .destination = destination };
	int err;

	k->members.count = 0;
	err = array_reserve(&k->members, end - first + 2);
	if (err)
		return err;
	k->members.v[k->members.count++] = groups[0];
	k->members.v[k->members.count++] = groups[1];
	for (size_t i = first; i < end; i++)
		k->members.v[k->members.count++] = k->named.v[i];
	err = make_case(k, k->members.v, k->members.count, &number);
	if (err)
		return err;
	if (m->entries->side[0].family[source] & m->entries->side[1].family[destination])
		m->real.v[number] = 1;
	pair.row = m->row.v[number];
	if (pair.row == m->row.v[groups[0] * group_count(m, 1) + groups[1]])
		return 0;
	return array_push(&m->pairs, pair);
}

/* Counts of pairs of two groups, to know whether one has the default row. */
struct tally {
	uint64_t *named; /* of each pair of groups: pairs whose classes share a family */
	uint64_t *classes[2][4]; /* of each group: classes by their families */
};

static int make_pairs(struct maker *k, struct tally *tally)
{
	struct matrix *m = k->m;
	const struct side *side = m->entries->side;
	int err = 0;

	for (uint32_t source = 0; source < class_count(m, 0) && !err; source++) {
		size_t end;

		err = name_pairs(k, source);
		for (size_t i = 0; i < k->named.count && !err; i = end) {
			uint32_t destination = k->named.v[i] >> 32;

			for (end = i; end < k->named.count && k->named.v[end] >> 32 == destination; end++)
				;
			err = make_pair(k, source, destination, i, end);
			if (side[0].family[source] & side[1].family[destination])
				tally->named[m->group_of[0][source] * group_count(m, 1) +
					     m->group_of[1][destination]]++;
		}
	}
	return err;
}

/* A default row is real if its groups have more pairs with a common family than are named. */
static void mark_real_defaults(struct matrix *m, const struct tally *tally)
{
	for (size_t s = 0; s < group_count(m, 0); s++) {
		for (size_t d = 0; d < group_count(m, 1); d++) {
			uint64_t all = 0;

			for (int a = 1; a < 4; a++)
				for (int b = 1; b < 4; b++)
					if (a & b)
						all += tally->classes[0][a][s] * tally->classes[1][b][d];
			m->real.v[s * group_count(m, 1) + d] = all > tally->named[s * group_count(m, 1) + d];
		}
	}
}

static int tally_new(const struct matrix *m, struct tally *tally)
{
	tally->named = calloc(group_count(m, 0) * group_count(m, 1) + 1, sizeof(*tally->named));
	if (!tally->named)
		return -ENOMEM;
	for (int side = 0; side < 2; side++) {
		for (int f = 0; f < 4; f++) {
			tally->classes[side][f] = calloc(group_count(m, side) + 1, sizeof(uint64_t));
			if (!tally->classes[side][f])
				return -ENOMEM;
		}
		for (size_t c = 0; c < class_count(m, side); c++)
			tally->classes[side][m->entries->side[side].family[c]][m->group_of[side][c]]++;
	}
	return 0;
}

static void tally_clear(struct tally *tally)
{
	free(tally->named);
	for (int side = 0; side < 2; side++)
		for (int f = 0; f < 4; f++)
			free(tally->classes[side][f]);
}

static int decide(struct matrix *m, struct rows *rows, struct lines *lines)
{
	struct maker maker = { .m = m, .rows = rows, .lines = lines };
	struct tally tally = { 0 };
	int err = tally_new(m, &tally);

	if (!err)
		err = make_defaults(&maker);
	if (!err)
		err = make_pairs(&maker, &tally);
	if (!err)
		mark_real_defaults(m, &tally);
	case_entries_clear(&maker.entries);
	array_free(&maker.named);
	array_free(&maker.members);
	tally_clear(&tally);
	return err;
}

int matrix_build(struct matrix *m, const struct entries *entries, const struct services *services,
		 struct rows *rows, struct lines *lines, struct matrix_trouble *trouble)
{
	int err;

	memset(m, 0, sizeof(*m));
	memset(trouble, 0, sizeof(*trouble));
	m->entries = entries;
	m->services = services;
	err = find_combinations(m);
	if (!err)
		err = index_combinations(m);
	for (int side = 0; side < 2 && !err; side++)
		err = find_groups(m, side);
	if (!err)
		err = check_size(m, trouble);
	if (!err)
		err = decide(m, rows, lines);
	return err;
}

uint64_t matrix_dense_bytes(const struct matrix *m)
{
	return (uint64_t)class_count(m, 0) * class_count(m, 1) * sizeof(uint32_t);
}

static int write_dense(const struct matrix *m, struct lines *lines, struct zw_matrix *layout)
{
	size_t sources = class_count(m, 0), destinations = class_count(m, 1);
	uint32_t *row;
	int err;

	if ((uint64_t)sources * destinations > UINT32_MAX)
		return -E2BIG;
	err = lines_add_bytes(lines, sources * destinations * sizeof(*row), &layout->pairs);
	if (err)
		return err;
	row = lines_at(lines, layout->pairs);
	for (size_t s = 0; s < sources; s++)
		for (size_t d = 0; d < destinations; d++)
			row[s * destinations + d] = m->row.v[m->group_of[0][s] * group_count(m, 1) + m->group_of[1][d]];
	for (size_t i = 0; i < m->pairs.count; i++)
		row[m->pairs.v[i].source * destinations + m->pairs.v[i].destination] = m->pairs.v[i].row;
	layout->pair_count = sources * destinations;
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

int matrix_write(const struct matrix *m, bool dense, struct lines *lines, struct zw_matrix *ret_layout)
{
	size_t defaults = group_count(m, 0) * group_count(m, 1);
	int err;

	memset(ret_layout, 0, sizeof(*ret_layout));
	ret_layout->destinations = class_count(m, 1);
	if (dense)
		return write_dense(m, lines, ret_layout);
	err = write_buckets(m, lines, ret_layout);
	if (!err)
		err = lines_add_bytes(lines, defaults * sizeof(uint32_t), &ret_layout->defaults);
	if (err)
		return err;
	memcpy(lines_at(lines, ret_layout->defaults), m->row.v, defaults * sizeof(uint32_t));
	ret_layout->default_destinations = group_count(m, 1);
	ret_layout->default_count = defaults;
	return 0;
}

void matrix_clear(struct matrix *m)
{
	sets_clear(&m->combinations);
	lists_clear(&m->entries_of);
	lists_clear(&m->by_source);
	sets_clear(&m->cases);
	array_free(&m->row);
	array_free(&m->real);
	array_free(&m->pairs);
	for (int side = 0; side < 2; side++) {
		free(m->any[side]);
		free(m->group_of[side]);
		sets_clear(&m->groups[side]);
	}
}
