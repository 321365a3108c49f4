// SPDX-License-Identifier: GPL-2.0-only
/* What is too much is refused with its name; what only looks like much is compiled. */
#include "unit/compile_help.h"

/* What compiling says, or NULL if it works; then *ret_stats is set. Freed by the caller. */
static char *complaint(const struct policy *p, uint64_t budget, struct tables_stats *ret_stats)
{
	const struct compile_options options = { .budget_bytes = budget };
	struct diag *diag = diag_new();
	struct tables *t = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int err = compile_policy(p, &options, diag, &t);

	diag_print(diag, out, false);
	fclose(out);
	assert_int_equal(diag_errors(diag) != 0, err == -EINVAL);
	if (!err) {
		*ret_stats = t->stats;
		free(text);
		text = NULL;
	}
	tables_free(t);
	diag_free(diag);
	return text;
}

static void expect_complaint(const struct policy *p, uint64_t budget, const char *want)
{
	struct tables_stats stats;
	char *text = complaint(p, budget, &stats);

	assert_non_null(text);
	if (!strstr(text, want))
		print_message("%s", text);
	assert_non_null(strstr(text, want));
	free(text);
}

static struct policy *many_rules(size_t count)
{
	struct policy *p = made_new();

	p->rules.v = realloc(p->rules.v, count * sizeof(*p->rules.v));
	return p;
}

static struct policy *many_zones(size_t count)
{
	struct policy *p = made_new();

	p->zones = realloc(p->zones, (count + 3) * sizeof(*p->zones));
	for (size_t i = 0; i < count; i++) {
		char name[32];
		unsigned z;

		snprintf(name, sizeof(name), "zone-%zu", i);
		z = made_zone(p, name, ZONE_DECLARED);
		ranges_add(&p->zones[z].set, 4, i * 2, i * 2);
		ranges_normalise(&p->zones[z].set);
	}
	return p;
}

static void addresses_over_budget_name_the_largest_zone(void **state)
{
	struct policy *p = many_zones(2);
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < 20000; i++)
		ranges_add(&p->zones[4].set, 4, rnd(&seed) & 0xffffffff, 0);
	for (size_t i = 0; i < p->zones[4].set.v4_count; i++)
		p->zones[4].set.v4[i].last = p->zones[4].set.v4[i].first;
	ranges_normalise(&p->zones[4].set);
	expect_complaint(p, 1 << 20, "zone 'zone-1' has most of them (");
	expect_complaint(p, 1 << 20, "budget of 1024 KiB; addresses cost most");
	made_free(p);
}

static void pairs_over_budget_name_the_rule(void **state)
{
	struct policy *p = many_zones(600);

	(void)state;
	p->rules.v = realloc(p->rules.v, 700 * sizeof(*p->rules.v));
	for (unsigned i = 0; i < 600; i++)
		made_rule(&p->rules, "each", 3 + i, 3 + (i * 7 + 1) % 600, made_ports(6, i, i), ACTION_ALLOW);
	made_rule(&p->rules, "wide", 3, 3, made_ports(6, 22, 22), ACTION_ALLOW);
	p->rules.v[600].from.zone = realloc(p->rules.v[600].from.zone, 600 * sizeof(unsigned));
	for (unsigned i = 0; i < 600; i++)
		p->rules.v[600].from.zone[i] = 3 + i;
	p->rules.v[600].from.count = 600;
	expect_complaint(p, 1 << 20,
			 "rule 'wide' most of these (600 source classes x 1 destination classes)");
	made_free(p);
}

static void more_zones_than_possible(void **state)
{
	struct policy *p = many_zones(16385);

	(void)state;
	expect_complaint(p, 0, "16385 zones are more than the 16384");
	made_free(p);
}

static void more_port_classes_than_possible(void **state)
{
	struct policy *p = many_rules(66000);

	(void)state;
	for (unsigned i = 0; i < 33000; i++) {
		made_rule(&p->rules, "t", 0, 0, made_ports(6, i * 2 % 65536, i * 2 % 65536), ACTION_ALLOW);
		made_rule(&p->rules, "u", 0, 0, made_ports(17, i, i), ACTION_ALLOW);
	}
	expect_complaint(p, 0, "more than 65535 groups of ports");
	made_free(p);
}

/* Every range overlaps half of the others: their sets have a hundred million members, the classes are 40,000. */
static void thousands_of_overlapping_port_ranges(void **state)
{
	struct policy *p = many_rules(20000);
	struct tables_stats stats;

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		made_rule(&p->rules, "r", 0, 0, made_ports(6, i, 30000 + i), ACTION_ALLOW);
	assert_null(complaint(p, 0, &stats));
	assert_int_equal(stats.port_classes, 40000);
	made_free(p);
}

/* Each ends a second after the one before, between any and any; what comes last ends never. */
static struct policy *ending_rules(size_t count)
{
	struct policy *p = many_rules(count + 1);

	for (size_t i = 0; i <= count; i++) {
		char id[32];
		struct rule *r;

		snprintf(id, sizeof(id), "rule-%zu", i);
		r = made_rule(&p->rules, id, ZONE_INDEX_ANY, ZONE_INDEX_ANY, made_ports(6, 1, 1), i & 1 ? ACTION_ALLOW : ACTION_DROP);
		r->expires = i < count;
		r->until = 1000 + i;
	}
	return p;
}

static void rules_that_end_one_after_the_other(void **state)
{
	struct policy *p = ending_rules(ZW_VARIANTS_CHAIN - 1);
	struct tables_stats stats;

	(void)state;
	assert_null(complaint(p, 0, &stats));
	made_free(p);
	p = ending_rules(ZW_VARIANTS_CHAIN);
	expect_complaint(p, 0, "rule 'rule-63' is one of more than 63 that end one after the other for the same packets");
	made_free(p);
}

/* Of thousands of rules between the same ends most can never decide: they end no later than one before them. */
static void rules_that_end_together(void **state)
{
	struct policy *p = ending_rules(5000);
	struct tables_stats stats;

	(void)state;
	for (size_t i = 0; i < p->rules.count; i++)
		p->rules.v[i].until = 1000 - i % 50;
	assert_null(complaint(p, 0, &stats));
	made_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_over_budget_name_the_largest_zone),
		cmocka_unit_test(pairs_over_budget_name_the_rule),
		cmocka_unit_test(more_zones_than_possible),
		cmocka_unit_test(more_port_classes_than_possible),
		cmocka_unit_test(thousands_of_overlapping_port_ranges),
		cmocka_unit_test(rules_that_end_one_after_the_other),
		cmocka_unit_test(rules_that_end_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
