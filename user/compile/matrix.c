// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/matrix.h"
#include "compile/sort.h"
#include "policy/packets.h"

static int gather(const struct lists *lists, uint32_t combination, struct case_entries *entries)
{
	size_t n;
	const uint32_t *entry = lists_get(lists, combination, &n);
	int err = array_reserve(&entries->list, n);

	for (size_t i = 0; i < n && !err; i++)
		entries->list.v[entries->list.count++] = entry[i];
	return err;
}

/* The entries of all combinations of a base, and of those that are named besides. */
static int gather_case(const struct matrix *m, const struct lists *lists, uint32_t number, struct case_entries *entries)
{
	size_t n, in_case, in_base;
	const uint32_t *member = sets_get(&m->cases, number, &in_case),
		       *base = sets_get(&m->bases, member[0], &in_base);
	int err = 0;

	for (int side = 0; side < 2; side++) {
		const uint32_t *combination = sets_get(&m->wild[side], base[side], &n);

		for (size_t i = 0; i < n && !err; i++)
			err = gather(lists, combination[i], entries);
	}
	if (m->any_any != NONE && !err)
		err = gather(lists, m->any_any, entries);
	for (size_t i = 2; i < in_base && !err; i++)
		err = gather(lists, base[i], entries);
	for (size_t i = 1; i < in_case && !err; i++)
		err = gather(lists, member[i], entries);
	return err;
}

int matrix_case(const struct matrix *m, const struct lists *lists, uint32_t number, struct case_entries *ret_entries)
{
	size_t n;
	int err;

	ret_entries->list.count = 0;
	ret_entries->entry.count = 0;
	err = gather_case(m, lists, number, ret_entries);
	n = ret_entries->list.count;
	if (!err)
		err = array_reserve(&ret_entries->list, n);
	if (!err)
		err = array_reserve(&ret_entries->entry, n);
	if (err)
		return err;
	if (n)
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
	ARRAY(uint64_t)
	named; /* destination (class or group) << 32 | combination, of one source (class or group) */
	ARRAY(uint32_t) members;
	uint32_t
		*wild_base; /* of each pair of wilds: the base with no combination of grouped ends, or NONE */
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
	err = matrix_case(m, &m->live_of, *ret_case, &k->entries);
	if (!err)
		err = rows_make(k->rows, m->services, m->entries, k->entries.entry.v, k->entries.entry.count,
				k->lines, &row);
	if (!err)
		err = array_push(&m->row, row);
	if (!err)
		err = array_push(&m->origins, 0);
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
			const uint32_t *at =
				lists_get(destinations, matrix_ends_of(m, combination[j])[1], &count);

			if (matrix_is_grouped(m, combination[j]) != grouped)
				continue;
			err = array_reserve(&k->named, count);
			if (err)
				return err;
			for (size_t d = 0; d < count; d++)
				k->named.v[k->named.count++] = (uint64_t)at[d] << 32 | combination[j];
		}
	}
	err = array_reserve(&k->named, k->named.count);
	if (!err && k->named.count)
		sort_u64(k->named.v, k->named.v + k->named.count, k->named.count);
	return err;
}

/* The bases of one source group: first those without a combination of grouped ends, then the others over them. */
static int make_group_bases(struct maker *k, uint32_t source)
{
	struct matrix *m = k->m;
	size_t destinations = matrix_group_count(m, 1), ends, end;
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

	m->base_of = malloc((matrix_group_count(m, 0) * matrix_group_count(m, 1) + 1) * sizeof(*m->base_of));
	k->wild_base = malloc((wilds + 1) * sizeof(*k->wild_base));
	if (!m->base_of || !k->wild_base)
		return -ENOMEM;
	memset(k->wild_base, 0xff, wilds * sizeof(*k->wild_base));
	for (uint32_t g = 0; g < matrix_group_count(m, 0) && !err; g++)
		err = make_group_bases(k, g);
	return err;
}

static uint32_t default_base(const struct matrix *m, uint32_t source, uint32_t destination)
{
	return m->base_of[m->group_of[0][source] * matrix_group_count(m, 1) + m->group_of[1][destination]];
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
	m->origins.v[number] |= m->entries->side[0].origins[source] & m->entries->side[1].origins[destination];
	pair.row = m->row.v[number];
	if (pair.row == m->row.v[m->base_case.v[base]])
		return 0;
	return array_push(&m->pairs, pair);
}

/*
 * Counts of pairs of two groups, for each origin, to know whether packets of it meet the default row. An unspecified
 * address is in one class: of that, one group has counts.
 */
struct tally {
	uint32_t *named[ORIGINS]; /* of each pair of groups (destination group): pairs that have packets of the origin */
	uint32_t *classes[2][ORIGINS]; /* of each group: classes that have */
};

static size_t tally_at(const struct matrix *m, int origin, size_t source, size_t destination)
{
	return (packet_origins[origin].unspecified ? 0 : source * matrix_group_count(m, 1)) + destination;
}

static void tally_pair(const struct matrix *m, struct tally *tally, uint32_t source, uint32_t destination)
{
	unsigned origins = m->entries->side[0].origins[source] & m->entries->side[1].origins[destination];

	for (int i = 0; i < ORIGINS; i++)
		if (origins >> i & 1)
			tally->named[i][tally_at(m, i, m->group_of[0][source], m->group_of[1][destination])]++;
}

static int make_pairs(struct maker *k, struct tally *tally)
{
	struct matrix *m = k->m;
	const struct side *side = m->entries->side;
	size_t ends, end;
	int err = 0;

	for (uint32_t source = 0; source < matrix_class_count(m, 0) && !err; source++) {
		const uint32_t *source_end = sets_get(&side[0].classes, source, &ends);

		err = name_destinations(k, source_end, ends, false);
		for (size_t i = 0; i < k->named.count && !err; i = end) {
			uint32_t destination = k->named.v[i] >> 32;

			end = same_destination(k, i);
			err = make_pair(k, source, destination, i, end);
			tally_pair(m, tally, source, destination);
		}
	}
	return err;
}

/* Packets of an origin meet a default row if its groups have more pairs with such packets than are named. */
static void mark_defaults(struct matrix *m, const struct tally *tally)
{
	for (size_t s = 0; s < matrix_group_count(m, 0); s++) {
		for (size_t d = 0; d < matrix_group_count(m, 1); d++) {
			uint8_t *origins = &m->origins.v[m->base_case.v[m->base_of[s * matrix_group_count(m, 1) + d]]];

			for (int i = 0; i < ORIGINS; i++)
				if ((uint64_t)tally->classes[0][i][s] * tally->classes[1][i][d] >
				    tally->named[i][tally_at(m, i, s, d)])
					*origins |= 1u << i;
		}
	}
}

static int tally_new(const struct matrix *m, struct tally *tally)
{
	for (int i = 0; i < ORIGINS; i++) {
		size_t sources = packet_origins[i].unspecified ? 1 : matrix_group_count(m, 0);

		tally->named[i] = calloc(sources * matrix_group_count(m, 1) + 1, sizeof(**tally->named));
		if (!tally->named[i])
			return -ENOMEM;
		for (int side = 0; side < 2; side++) {
			tally->classes[side][i] = calloc(matrix_group_count(m, side) + 1, sizeof(uint32_t));
			if (!tally->classes[side][i])
				return -ENOMEM;
			for (size_t c = 0; c < matrix_class_count(m, side); c++)
				tally->classes[side][i][m->group_of[side][c]] += m->entries->side[side].origins[c] >> i & 1;
		}
	}
	return 0;
}

static void tally_clear(struct tally *tally)
{
	for (int i = 0; i < ORIGINS; i++) {
		free(tally->named[i]);
		free(tally->classes[0][i]);
		free(tally->classes[1][i]);
	}
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
		mark_defaults(m, &tally);
	case_entries_clear(&maker.entries);
	array_free(&maker.named);
	array_free(&maker.members);
	free(maker.wild_base);
	tally_clear(&tally);
	return err;
}

int matrix_live(const struct matrix *m, struct rows *rows, unsigned depth, struct lists *ret_lists)
{
	size_t count = sets_count(&m->combinations), at = 0;
	struct lists lists = { 0 };
	int err = lists_new(&lists, count);

	lists.number = malloc((m->entries->all.count + 1) * sizeof(*lists.number));
	if (!lists.number)
		err = -ENOMEM;
	for (size_t i = 0; i < count && !err; i++) {
		size_t n;
		const uint32_t *list = lists_get(&m->entries_of, i, &n);

		err = rows_live(rows, m->services, m->entries, list, n, depth, lists.number + at, &n);
		at += n;
		lists.start[i + 1] = at;
	}
	if (err)
		lists_clear(&lists);
	else
		*ret_lists = lists;
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
	err = matrix_group(m, dense_bytes, trouble);
	if (!err)
		err = matrix_live(m, rows, 1, &m->live_of);
	return err ? err : decide(m, rows, lines);
}

void matrix_clear(struct matrix *m)
{
	sets_clear(&m->combinations);
	lists_clear(&m->entries_of);
	lists_clear(&m->live_of);
	lists_clear(&m->by_source);
	lists_clear(&m->groups_of);
	sets_clear(&m->bases);
	array_free(&m->base_case);
	free(m->base_of);
	sets_clear(&m->cases);
	array_free(&m->row);
	array_free(&m->origins);
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
