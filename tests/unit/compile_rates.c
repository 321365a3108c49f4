/* SPDX-License-Identifier: GPL-2.0-only */
/* The limits of a policy as the tables have them: rates as times, found by rule numbers, keyed by id and limit. */
#include "unit/compile_help.h"

static const struct zw_limit *limit_of(const struct tables *tables, uint32_t rule)
{
	const struct zw_layout *layout = &tables->layout;
	const uint32_t *word = (const void *)((const struct zw_line *)tables->bytes + layout->limits);
	const struct zw_limit *record = (const void *)((const struct zw_line *)tables->bytes + layout->limit_records);

	assert_true(rule < layout->limit_words && word[rule] < layout->limit_count);
	return &record[word[rule]];
}

static void limit(struct rule *rule, uint64_t per_hour, uint32_t burst)
{
	rule->limit = (struct limit){ .set = true, .per_hour = per_hour, .burst = burst };
}

/* Rules 1 to 5, of which 2, 3 and 5 have limits, 3 is staged. */
static struct policy *five_rules(void)
{
	struct policy *p = made_new();
	unsigned a = made_zone(p, "a", ZONE_DECLARED), b = made_zone(p, "b", ZONE_DECLARED);

	made_range(p, a, "10.0.0.0", "10.0.0.255");
	made_range(p, b, "10.0.1.0", "10.0.1.255");
	for (unsigned i = 1; i <= 5; i++) {
		char id[8];

		snprintf(id, sizeof(id), "r%u", i);
		made_rule(&p->rules, id, a, b, made_ports(6, i, i), ACTION_ALLOW);
	}
	limit(&p->rules.v[1], 7 * 3600, 3);
	limit(&p->rules.v[2], 3600, 1);
	p->rules.v[2].mode = MODE_STAGE;
	limit(&p->rules.v[4], 1, 100);
	p->rules.v[4].limit.per_source = true;
	p->rules.v[4].limit.ban_s = 300;
	return p;
}

static void a_rate_is_a_time(void **state)
{
	struct policy *p = five_rules();
	struct tables *tables = made_tables(p, NULL);

	(void)state;
	assert_int_equal(tables->layout.limit_words, 6);
	assert_int_equal(tables->layout.limit_count, 2);
	assert_int_equal(limit_of(tables, 2)->cost_ns, 142857140); /* a seventh of a second, in steps of 4 ns */
	assert_int_equal(limit_of(tables, 2)->depth_ns, 3 * 142857140);
	assert_false(limit_of(tables, 2)->per_source || limit_of(tables, 2)->ban_s);
	assert_int_equal(limit_of(tables, 5)->cost_ns, 3600000000000);
	assert_int_equal(limit_of(tables, 5)->depth_ns, 360000000000000);
	assert_true(limit_of(tables, 5)->per_source);
	assert_int_equal(limit_of(tables, 5)->ban_s, 300);
	tables_free(tables);
	made_free(p);
}

static void a_rule_keeps_its_key(void **state)
{
	struct policy *p = five_rules(), *other = five_rules();
	struct tables *tables = made_tables(p, NULL), *others;

	(void)state;
	other->rules.v[0].mode = MODE_STAGE; /* other tables, the same rule */
	others = made_tables(other, NULL);
	assert_int_equal(limit_of(tables, 2)->key, limit_of(others, 2)->key);
	assert_int_equal(limit_of(tables, 5)->key, limit_of(others, 5)->key);
	assert_int_not_equal(limit_of(tables, 2)->key, limit_of(tables, 5)->key);
	tables_free(others);
	other->rules.v[1].limit.burst = 4;
	other->rules.v[4].limit.ban_s = 0;
	others = made_tables(other, NULL);
	assert_int_not_equal(limit_of(tables, 2)->key, limit_of(others, 2)->key);
	assert_int_not_equal(limit_of(tables, 5)->key, limit_of(others, 5)->key);
	tables_free(others);
	tables_free(tables);
	made_free(other);
	made_free(p);
}

/* Who is never banned: the host's, failsafe's sources but of those from anywhere, link-local ones; of IPv6 each /64 with one. */
static void who_is_spared(void **state)
{
	static const struct zw_span want[2][4] = {
		{ { 0x0a000000, 0x0a0000ff }, { 0x0a000205, 0x0a000205 }, { 0xa9fe0000, 0xa9feffff } },
		{ { 0xfd00000000000001, 0xfd00000000000002 }, { 0xfd00000000000007, 0xfd00000000000007 },
		  { 0xfe80000000000000, 0xfebfffffffffffff } },
	};
	struct policy *p = five_rules();
	unsigned six = made_zone(p, "six", ZONE_DECLARED);
	struct tables *tables;

	(void)state;
	made_range(p, six, "fd00:0:0:1::5", "fd00:0:0:1::9");
	made_range(p, six, "fd00:0:0:2::", "fd00:0:0:2::1");
	made_range(p, ZONE_INDEX_HOST, "10.0.2.5", "10.0.2.5");
	made_range(p, ZONE_INDEX_HOST, "fd00:0:0:7::1", "fd00:0:0:7::1");
	made_rule(&p->failsafe, "way-in", 3, ZONE_INDEX_HOST, made_ports(6, 22, 22), ACTION_ALLOW);
	made_rule(&p->failsafe, "six-in", six, ZONE_INDEX_HOST, made_ports(6, 22, 22), ACTION_ALLOW);
	made_rule(&p->failsafe, "anyone", ZONE_INDEX_ANY, ZONE_INDEX_HOST, made_ports(6, 25, 25), ACTION_ALLOW);
	tables = made_tables(p, NULL);
	assert_true(tables->layout.has_bans);
	for (int n = 0; n < 2; n++) {
		const struct zw_span *span = (const void *)((const struct zw_line *)tables->bytes + tables->layout.spared[n]);

		assert_int_equal(tables->layout.spared_count[n], 3);
		assert_memory_equal(span, want[n], 3 * sizeof(*span));
	}
	tables_free(tables);
	p->rules.v[4].limit.ban_s = 0;
	tables = made_tables(p, NULL);
	assert_false(tables->layout.has_bans || tables->layout.spared_count[0]);
	tables_free(tables);
	made_free(p);
}

static void without_limits_there_is_nothing(void **state)
{
	struct policy *p = made_new();
	struct tables *tables;

	(void)state;
	made_rule(&p->rules, "plain", ZONE_INDEX_ANY, ZONE_INDEX_ANY, made_ports(6, 1, 1), ACTION_ALLOW);
	tables = made_tables(p, NULL);
	assert_int_equal(tables->layout.limit_count, 0);
	assert_int_equal(tables->stats.lines[TABLES_LIMITS], 0);
	tables_free(tables);
	made_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_is_a_time),
		cmocka_unit_test(a_rule_keeps_its_key),
		cmocka_unit_test(who_is_spared),
		cmocka_unit_test(without_limits_there_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
