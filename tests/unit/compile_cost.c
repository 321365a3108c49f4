// SPDX-License-Identifier: GPL-2.0-only
/* What tables are said to cost is what they have. */
#include "compile/cost.h"
#include "unit/compile_help.h"

static struct policy *two_zones(void)
{
	struct policy *p = made_new();
	unsigned a = made_zone(p, "a", ZONE_DECLARED), b = made_zone(p, "b", ZONE_DECLARED);

	made_range(p, a, "10.0.0.0", "10.0.0.255");
	made_range(p, b, "10.1.0.0", "10.1.0.255");
	made_range(p, b, "fd00::", "fd00::ff");
	return p;
}

static void assert_whole(const struct tables *t)
{
	struct cost cost;
	size_t sum = 0;

	cost_find(t, &cost);
	for (int i = 0; i < TABLES_PARTS; i++)
		sum += cost.bytes[i];
	assert_int_equal(sum, t->len);
}

static void the_parts_are_the_whole(void **state)
{
	struct policy *p = two_zones();
	struct tables *t;

	(void)state;
	made_rule(&p->rules, "r", 3, 4, made_ports(6, 22, 22), ACTION_ALLOW);
	t = made_tables(p, NULL);
	assert_whole(t);
	tables_free(t);
	made_free(p);
}

static void a_row_of_many_ports_is_read_deeper(void **state)
{
	struct policy *p = two_zones();
	struct cost cost;
	struct tables *t;

	(void)state;
	made_rule(&p->rules, "r", 3, 4, made_ports(6, 22, 22), ACTION_ALLOW);
	t = made_tables(p, NULL);
	cost_find(t, &cost);
	assert_int_equal(cost.reads[0][COST_READ_ROW], 1);
	assert_int_equal(cost.reads[0][COST_READ_FAILSAFE], 0);
	assert_int_equal(cost.reads[0][COST_READ_ADDRESSES], 4); /* a root and a line of each */
	assert_int_equal(cost.reads[0][COST_READ_CACHE], 1);
	assert_int_equal(cost_sum(cost.reads[0]), 1 + 4 + 2 + 1 + 1 + 1);
	tables_free(t);
	for (unsigned i = 1; i < 12; i++)
		made_rule(&p->rules, "more", 3, 4, made_ports(6, 100 * i, 100 * i), i & 1 ? ACTION_ALLOW : ACTION_DROP);
	made_rule(&p->failsafe, "f", 3, 4, made_ports(6, 22, 22), ACTION_ALLOW);
	t = made_tables(p, NULL);
	cost_find(t, &cost);
	assert_int_equal(cost.reads[0][COST_READ_ROW], 2);
	assert_int_equal(cost.reads[1][COST_READ_FAILSAFE], 2);
	tables_free(t);
	made_free(p);
}

static void a_row_of_one_cell_is_not_read(void **state)
{
	struct policy *p = two_zones();
	struct cost cost;
	struct tables *t;

	(void)state;
	made_rule(&p->rules, "r", 3, 4, ANY_SERVICE, ACTION_ALLOW);
	t = made_tables(p, NULL);
	cost_find(t, &cost);
	assert_int_equal(cost.reads[0][COST_READ_ROW], 0);
	assert_int_equal(cost.reads[0][COST_READ_PORT], 0);
	tables_free(t);
	made_free(p);
}

/* Many pairs of hosts, so that buckets are full. */
static struct policy *many_pairs(unsigned count)
{
	struct policy *p = made_new();
	uint64_t seed = 5;

	p->zones = realloc(p->zones, (3 + count) * sizeof(*p->zones));
	p->rules.v = realloc(p->rules.v, 4 * count * sizeof(*p->rules.v));
	for (unsigned i = 0; i < count; i++)
		ranges_add(&p->zones[made_zone(p, "z", ZONE_DECLARED)].set, 4, i * 2, i * 2);
	for (unsigned i = 0; i < 4 * count; i++)
		made_rule(&p->rules, "r", 3 + rnd(&seed) % count, 3 + rnd(&seed) % count, made_ports(6, i, i), ACTION_ALLOW);
	return p;
}

static size_t line_of(const struct tables *t, uint32_t section, size_t word)
{
	return ((const uint32_t *)walk_line(t, section) - (const uint32_t *)t->bytes + word) / 16;
}

/* Buckets that looking for a pair reads. */
static unsigned bucket_reads(const struct tables *t, uint32_t source, uint32_t destination)
{
	const struct zw_matrix *m = &t->layout.matrix[ZW_MATRIX_POLICY];
	uint32_t at = zw_pair_hash(source, destination);

	for (unsigned i = 0; i < ZW_PAIR_PROBES; i++, at++) {
		const struct zw_pair_bucket *b = walk_line(t, m->pairs + (at & (m->pair_buckets - 1)));

		for (unsigned j = 0; j < b->used; j++)
			if (b->pair[j].source == source && b->pair[j].destination == destination)
				return i + 1;
		if (b->used < ZW_PAIRS_A_BUCKET)
			return i + 1;
	}
	return ZW_PAIR_PROBES;
}

/* Lines that looking for the row of two atoms reads. */
static unsigned pair_reads(const struct tables *t, uint32_t source, uint32_t destination)
{
	const struct zw_matrix *m = &t->layout.matrix[ZW_MATRIX_POLICY];
	const struct zw_atom *from = walk_get_atom(t, source), *to = walk_get_atom(t, destination);
	size_t record = (size_t)from->group[0] * zw_usual_words(m->default_destinations), bit = record + 1 + to->group[1] / 32;
	bool usual = !(((const uint32_t *)walk_line(t, m->usual))[bit] >> to->group[1] % 32 & 1);
	unsigned reads = usual && line_of(t, m->usual, record) == line_of(t, m->usual, bit) ? 1 : 2;

	if (walk_default(t, m, from->group[0], to->group[1]) & ZW_PAIRS)
		reads += bucket_reads(t, from->classes[ZW_MATRIX_POLICY].source, to->classes[ZW_MATRIX_POLICY].destination);
	return reads;
}

static void no_pair_is_read_longer(void **state)
{
	const struct compile_options options = { .dense_bytes = 1 };
	struct policy *p = many_pairs(700);
	struct tables *t = made_tables(p, &options);
	unsigned longest = 0;
	struct cost cost;

	(void)state;
	assert_true(t->stats.sparse);
	assert_whole(t);
	cost_find(t, &cost);
	for (uint32_t s = 0; s < t->stats.atoms; s++)
		for (uint32_t d = 0; d < t->stats.atoms; d++) {
			unsigned reads = pair_reads(t, s, d);

			longest = reads > longest ? reads : longest;
		}
	assert_true(longest > 2);
	assert_in_range(cost.reads[0][COST_READ_PAIR], longest, longest + 1); /* the worst of each need not be one pair's */
	tables_free(t);
	made_free(p);
}

static void what_costs_most_is_named(void **state)
{
	struct policy *p = two_zones();
	struct cost cost;
	struct tables *t;

	(void)state;
	made_rule(&p->rules, "narrow", 3, 4, made_ports(6, 22, 22), ACTION_ALLOW);
	made_rule(&p->rules, "earlier", 4, 3, made_ports(6, 23, 23), ACTION_ALLOW)->tier = 0;
	p->rules.v[0].tier = 1; /* numbers are not places in the file */
	t = made_tables(p, NULL);
	cost_find(t, &cost);
	assert_string_equal(cost.zone, "b");
	assert_int_equal(cost.zone_ranges, 2);
	assert_non_null(cost.rule);
	assert_true(!strcmp(cost.rule, "narrow") || !strcmp(cost.rule, "earlier"));
	tables_free(t);
	made_free(p);
}

static void a_wide_rule_is_named(void **state)
{
	struct policy *p = many_pairs(40);
	struct cost cost;
	struct tables *t;

	(void)state;
	p->rules.v[17].id[0] = 'W';
	p->rules.v[17].from.zone = realloc(p->rules.v[17].from.zone, 40 * sizeof(unsigned));
	for (unsigned i = 0; i < 40; i++)
		p->rules.v[17].from.zone[i] = 3 + i;
	p->rules.v[17].from.count = 40;
	t = made_tables(p, NULL);
	cost_find(t, &cost);
	assert_string_equal(cost.rule, "W");
	assert_true(cost.rule_sources > 1);
	assert_int_equal(cost.rule_destinations, 1);
	tables_free(t);
	made_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_parts_are_the_whole),
		cmocka_unit_test(a_row_of_many_ports_is_read_deeper),
		cmocka_unit_test(a_row_of_one_cell_is_not_read),
		cmocka_unit_test(no_pair_is_read_longer),
		cmocka_unit_test(what_costs_most_is_named),
		cmocka_unit_test(a_wide_rule_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
