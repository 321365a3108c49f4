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

/* Groups of one side: the distinct sets of grouped ends that classes have. */
static int find_groups(struct matrix *m, int side)
{
	const struct side *s = &m->entries->side[side];
	size_t classes = class_count(m, side);
	uint32_t *members = malloc((sets_count(&s->ends) + 1) * sizeof(*members));
	int err = members ? 0 : -ENOMEM;

	sets_clear(&m->groups[side]);
	for (size_t c = 0; c < classes && !err; c++) {
		size_t n, found = 0;
		const uint32_t *end = sets_get(&s->classes, c, &n);

		for (size_t i = 0; i < n; i++)
			if (m->grouped[side][end[i]])
				members[found++] = end[i];
		err = sets_intern(&m->groups[side], members, found, sets_hash(members, found), &m->group_of[side][c]);
	}
	free(members);
	return err;
}

/* The classes of a combination's two ends; false if it has `any`. */
static bool named_classes(const struct matrix *m, size_t combination, uint64_t *ret_sources, uint64_t *ret_destinations)
{
	const uint32_t *end = ends_of(m, combination);
	size_t sources, destinations;

	if (end[0] == END_ANY || end[1] == END_ANY)
		return false;
	lists_get(&m->entries->side[0].classes_of, end[0], &sources);
	lists_get(&m->entries->side[1].classes_of, end[1], &destinations);
	*ret_sources = sources;
	*ret_destinations = destinations;
	return true;
}

static bool is_grouped(const struct matrix *m, uint32_t combination)
{
	const uint32_t *end = ends_of(m, combination);

	return m->grouped[0][end[0]] && m->grouped[1][end[1]];
}

/* How many pairs the combinations name that groups do not take care of. */
static uint64_t count_named(const struct matrix *m)
{
	uint64_t named = 0, sources, destinations;

	for (size_t i = 0; i < sets_count(&m->combinations); i++)
		if (named_classes(m, i, &sources, &destinations) && !is_grouped(m, i))
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
	return (uint64_t)group_count(m, 0) * group_count(m, 1) * sizeof(uint32_t) + count_named(m) * 20;
}

/* Tries fewer and fewer grouped ends, and keeps what needs the least room. */
static int choose_groups(struct matrix *m, uint32_t *const order[2], uint64_t dense_bytes)
{
	uint64_t best = UINT64_MAX, limit = dense_bytes / sizeof(uint32_t) * 8;
	unsigned best_part = 0;
	int err = 0;

	m->dense = (uint64_t)class_count(m, 0) * class_count(m, 1) <= dense_bytes / sizeof(uint32_t);
	if (m->dense)
		return group_ends(m, order, PARTS);
	if (limit > DEFAULT_ROWS_MAX)
		limit = DEFAULT_ROWS_MAX;
	for (unsigned part = PARTS; part && !err; part -= part / 5 + 1) {
		err = group_ends(m, order, part);
		if (err || (uint64_t)group_count(m, 0) * group_count(m, 1) > limit || size_of(m) >= best)
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
		m->group_of[side] = calloc(class_count(m, side) + 1, sizeof(uint32_t));
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
	size_t count = group_count(m, side), n;
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
		err = sets_intern(&m->wild[side], members, found, sets_hash(members, found), &m->wild_of[side][g]);
	}
	free(members);
	return err;
}

/* The groups of each destination end. */
static int invert_groups(struct matrix *m)
{
	int err = lists_new(&m->groups_of, sets_count(&m->entries->side[1].ends));

	for (int put = 0; put < 2 && !err; put++) {
		for (size_t g = 0; g < group_count(m, 1); g++) {
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
	uint64_t defaults = (uint64_t)group_count(m, 0) * group_count(m, 1), named = count_named(m);

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

/* The entries of all combinations of a base, and of those that are named besides. */
static int gather_case(const struct matrix *m, uint32_t number, struct case_entries *entries)
{
	size_t n, in_case, in_base;
	const uint32_t *member = sets_get(&m->cases, number, &in_case), *base = sets_get(&m->bases, member[0], &in_base);
	int err = 0;

	for (int side = 0; side < 2; side++) {
		const uint32_t *combination = sets_get(&m->wild[side], base[side], &n);

		for (size_t i = 0; i < n && !err; i++)
			err = gather(m, combination[i], entries);
	}
	if (m->any_any != NONE && !err)
		err = gather(m, m->any_any, entries);
	for (size_t i = 2; i < in_base && !err; i++)
		err = gather(m, base[i], entries);
	for (size_t i = 1; i < in_case && !err; i++)
		err = gather(m, member[i], entries);
	return err;
}

int matrix_case(const struct matrix *m, uint32_t number, struct case_entries *ret_entries)
{
	size_t n;
	int err;

	ret_entries->list.count = 0;
	ret_entries->entry.count = 0;
	err = gather_case(m, number, ret_entries);
	n = ret_entries->list.count;
	if (!err)
		err = array_reserve(&ret_entries->list, n);
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
	ARRAY(uint64_t) named; /* destination (class or group) << 32 | combination, of one source (class or group) */
	ARRAY(uint32_t) members;
	uint32_t *wild_base; /* of each pair of wilds: the base with no combination of grouped ends, or NONE */
};

static uint64_t list_hash(const uint32_t *members, size_t count)
{
	uint64_t hash = count;

	for (size_t i = 0; i < count; i++)
		hash = sets_spread(hash ^ members[i]);
	return hash;
}

/* The case of a base and combinations; a new one is decided at once. */
static int make_case(struct maker *k, const uint32_t *members, size_t count, uint32_t *ret_case)
{
	struct matrix *m = k->m;
	size_t known = sets_count(&m->cases);
	uint32_t row;
	int err = sets_intern(&m->cases, members, count, list_hash(members, count), ret_case);

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

static int make_base(struct maker *k, const uint32_t *members, size_t count, uint32_t *ret_base)
{
	struct matrix *m = k->m;
	size_t known = sets_count(&m->bases);
	uint32_t number;
	int err = sets_intern(&m->bases, members, count, list_hash(members, count), ret_base);

	if (err || *ret_base < known)
		return err;
	err = make_case(k, ret_base, 1, &number);
	return err ? err : array_push(&m->base_case, number);
}

/* members[] = the given head, then the combinations of named[first..end). */
static int set_members(struct maker *k, const uint32_t *head, size_t heads, size_t first, size_t end)
{
	int err;

	k->members.count = 0;
	err = array_reserve(&k->members, heads + end - first);
	if (err)
		return err;
	for (size_t i = 0; i < heads; i++)
		k->members.v[k->members.count++] = head[i];
	for (size_t i = first; i < end; i++)
		k->members.v[k->members.count++] = k->named.v[i];
	return 0;
}

/* Where the run of named[i]'s destination ends. */
static size_t same_destination(const struct maker *k, size_t i)
{
	size_t end = i;

	while (end < k->named.count && k->named.v[end] >> 32 == k->named.v[i] >> 32)
		end++;
	return end;
}

/*
 * All destinations that the combinations of these source ends name, in order: with grouped, groups by combinations of
 * grouped ends; else classes by the other ones.
 */
static int name_destinations(struct maker *k, const uint32_t *end, size_t ends, bool grouped)
{
	const struct matrix *m = k->m;
	const struct lists *destinations = grouped ? &m->groups_of : &m->entries->side[1].classes_of;
	size_t n, count;
	int err;

	k->named.count = 0;
	for (size_t i = 0; i < ends; i++) {
		const uint32_t *combination = lists_get(&m->by_source, end[i], &n);

		for (size_t j = 0; j < n; j++) {
			const uint32_t *at = lists_get(destinations, ends_of(m, combination[j])[1], &count);

			if (is_grouped(m, combination[j]) != grouped)
				continue;
			err = array_reserve(&k->named, count);
			if (err)
				return err;
			for (size_t d = 0; d < count; d++)
				k->named.v[k->named.count++] = (uint64_t)at[d] << 32 | combination[j];
		}
	}
	err = array_reserve(&k->named, k->named.count);
	if (!err)
		sort_u64(k->named.v, k->named.v + k->named.count, k->named.count);
	return err;
}

/* The bases of one source group: first those without a combination of grouped ends, then the others over them. */
static int make_group_bases(struct maker *k, uint32_t source)
{
	struct matrix *m = k->m;
	size_t destinations = group_count(m, 1), ends, end;
	uint32_t *base = m->base_of + source * destinations, wild[2] = { m->wild_of[0][source] };
	const uint32_t *source_end = sets_get(&m->groups[0], source, &ends);
	int err = 0;

	for (size_t d = 0; d < destinations && !err; d++) {
		uint32_t *known = &k->wild_base[wild[0] * sets_count(&m->wild[1]) + m->wild_of[1][d]];

		wild[1] = m->wild_of[1][d];
		if (*known == NONE)
			err = make_base(k, wild, 2, known);
		base[d] = *known;
	}
	if (!err)
		err = name_destinations(k, source_end, ends, true);
	for (size_t i = 0; i < k->named.count && !err; i = end) {
		uint32_t d = k->named.v[i] >> 32;

		end = same_destination(k, i);
		wild[1] = m->wild_of[1][d];
		err = set_members(k, wild, 2, i, end);
		if (!err)
			err = make_base(k, k->members.v, k->members.count, &base[d]);
	}
	return err;
}

static int make_bases(struct maker *k)
{
	struct matrix *m = k->m;
	size_t wilds = sets_count(&m->wild[0]) * sets_count(&m->wild[1]);
	int err = 0;

	m->base_of = malloc((group_count(m, 0) * group_count(m, 1) + 1) * sizeof(*m->base_of));
	k->wild_base = malloc((wilds + 1) * sizeof(*k->wild_base));
	if (!m->base_of || !k->wild_base)
		return -ENOMEM;
	memset(k->wild_base, 0xff, wilds * sizeof(*k->wild_base));
	for (uint32_t g = 0; g < group_count(m, 0) && !err; g++)
		err = make_group_bases(k, g);
	return err;
}

static uint32_t default_base(const struct matrix *m, uint32_t source, uint32_t destination)
{
	return m->base_of[m->group_of[0][source] * group_count(m, 1) + m->group_of[1][destination]];
}

static int make_pair(struct maker *k, uint32_t source, uint32_t destination, size_t first, size_t end)
{
	struct matrix *m = k->m;
	struct zw_pair pair = { .source = source, .destination = destination };
	uint32_t base = default_base(m, source, destination), number;
	int err = set_members(k, &base, 1, first, end);

	if (!err)
		err = make_case(k, k->members.v, k->members.count, &number);
	if (err)
		return err;
	if (m->entries->side[0].family[source] & m->entries->side[1].family[destination])
		m->real.v[number] = 1;
	pair.row = m->row.v[number];
	if (pair.row == m->row.v[m->base_case.v[base]])
		return 0;
	return array_push(&m->pairs, pair);
}

/* Counts of pairs of two groups, to know whether one has the default row. */
struct tally {
	uint32_t *named; /* of each pair of groups: pairs whose classes share a family */
	uint64_t *classes[2][4]; /* of each group: classes by their families */
};

static int make_pairs(struct maker *k, struct tally *tally)
{
	struct matrix *m = k->m;
	const struct side *side = m->entries->side;
	size_t ends, end;
	int err = 0;

	for (uint32_t source = 0; source < class_count(m, 0) && !err; source++) {
		const uint32_t *source_end = sets_get(&side[0].classes, source, &ends);

		err = name_destinations(k, source_end, ends, false);
		for (size_t i = 0; i < k->named.count && !err; i = end) {
			uint32_t destination = k->named.v[i] >> 32;

			end = same_destination(k, i);
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
			size_t at = s * group_count(m, 1) + d;
			uint64_t all = 0;

			for (int a = 1; a < 4; a++)
				for (int b = 1; b < 4; b++)
					if (a & b)
						all += tally->classes[0][a][s] * tally->classes[1][b][d];
			if (all > tally->named[at])
				m->real.v[m->base_case.v[m->base_of[at]]] = 1;
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
		err = make_bases(&maker);
	if (!err)
		err = make_pairs(&maker, &tally);
	if (!err)
		mark_real_defaults(m, &tally);
	case_entries_clear(&maker.entries);
	array_free(&maker.named);
	array_free(&maker.members);
	free(maker.wild_base);
	tally_clear(&tally);
	return err;
}

int matrix_build(struct matrix *m, const struct entries *entries, const struct services *services,
		 uint64_t dense_bytes, struct rows *rows, struct lines *lines, struct matrix_trouble *trouble)
{
	int err;

	memset(m, 0, sizeof(*m));
	memset(trouble, 0, sizeof(*trouble));
	m->entries = entries;
	m->services = services;
	err = find_combinations(m);
	if (!err)
		err = index_combinations(m);
	if (!err)
		err = new_groups(m, dense_bytes);
	if (!err)
		err = check_size(m, trouble);
	for (int side = 0; side < 2 && !err; side++)
		err = find_wild(m, side);
	if (!err)
		err = invert_groups(m);
	return err ? err : decide(m, rows, lines);
}

/* Default rows, source group by source group. */
static int write_defaults(const struct matrix *m, struct lines *lines, uint32_t *ret_line)
{
	size_t count = group_count(m, 0) * group_count(m, 1);
	uint32_t *row;
	int err = lines_add_bytes(lines, count * sizeof(*row), ret_line);

	if (err)
		return err;
	row = lines_at(lines, *ret_line);
	for (size_t i = 0; i < count; i++)
		row[i] = m->row.v[m->base_case.v[m->base_of[i]]];
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
	size_t defaults = group_count(m, 0) * group_count(m, 1);
	int err;

	memset(ret_layout, 0, sizeof(*ret_layout));
	ret_layout->destinations = class_count(m, 1);
	if (m->dense) {
		ret_layout->pair_count = defaults;
		return write_defaults(m, lines, &ret_layout->pairs);
	}
	err = write_buckets(m, lines, ret_layout);
	if (!err)
		err = write_defaults(m, lines, &ret_layout->defaults);
	ret_layout->default_destinations = group_count(m, 1);
	ret_layout->default_count = defaults;
	return err;
}

void matrix_clear(struct matrix *m)
{
	sets_clear(&m->combinations);
	lists_clear(&m->entries_of);
	lists_clear(&m->by_source);
	lists_clear(&m->groups_of);
	sets_clear(&m->bases);
	array_free(&m->base_case);
	free(m->base_of);
	sets_clear(&m->cases);
	array_free(&m->row);
	array_free(&m->real);
	array_free(&m->pairs);
	for (int side = 0; side < 2; side++) {
		free(m->any[side]);
		free(m->grouped[side]);
		free(m->group_of[side]);
		free(m->wild_of[side]);
		sets_clear(&m->groups[side]);
		sets_clear(&m->wild[side]);
	}
}
