// SPDX-License-Identifier: GPL-2.0-only
/* Origins: the bits of `source:` say of every address what the zone's ranges say; without `source:` there are none. */
#include "unit/compile_help.h"

static char *pattern[] = { "eth*" };

static void bind(struct policy *p, unsigned source)
{
	p->interfaces = realloc(p->interfaces, (p->interface_count + 1) * sizeof(*p->interfaces));
	p->interfaces[p->interface_count++] = (struct interface_match){
		.pattern = pattern, .pattern_count = 1, .has_source = true, .source = source
	};
}

static void free_all(struct policy *p, struct tables *t)
{
	tables_free(t);
	free(p->interfaces);
	made_free(p);
}

static bool holds(const struct tables *t, uint32_t set, const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return walk_origin(t, set, walk_atom(t, &a));
}

static void without_source_nothing_is_written(void **state)
{
	struct policy *p = made_new();
	unsigned red = made_zone(p, "red", ZONE_DECLARED);
	struct interface_match match = { .pattern = pattern, .pattern_count = 1 };
	struct tables *t;

	(void)state;
	made_range(p, red, "10.1.0.0", "10.1.0.255");
	p->interfaces = &match;
	p->interface_count = 1;
	t = made_tables(p, NULL);
	assert_int_equal(t->layout.source_sets, 0);
	assert_int_equal(t->layout.origins, 0);
	assert_int_equal(t->layout.origin_words, 0);
	for (uint32_t i = 0; i < t->layout.atom_count; i++)
		assert_int_equal(walk_get_atom(t, i)->origin, 0);
	tables_free(t);
	made_free(p);
}

/* The example of zonewall.h. */
static void disjoint_sources_have_the_words_of_the_example(void **state)
{
	struct policy *p = made_new();
	unsigned red = made_zone(p, "red", ZONE_DECLARED), blue = made_zone(p, "blue", ZONE_DECLARED);
	const uint32_t *words;
	struct tables *t;

	(void)state;
	made_range(p, red, "10.1.0.0", "10.1.0.255");
	made_range(p, blue, "10.2.0.0", "10.2.0.255");
	bind(p, red);
	bind(p, blue);
	bind(p, red);
	t = made_tables(p, NULL);
	words = walk_line(t, t->layout.origins);
	assert_int_equal(t->layout.source_sets, 2);
	assert_int_equal(t->layout.origin_words, 1);
	assert_int_equal(words[0], 2);
	assert_int_equal(words[1], 4);
	free_all(p, t);
}

/* An address that only `source:` names is an atom all the same; a zone that it does not name tells nothing apart. */
static void only_sources_tell_origins_apart(void **state)
{
	struct policy *p = made_new();
	unsigned literal = made_zone(p, "10.1.0.7", ZONE_LITERAL), other = made_zone(p, "other", ZONE_DECLARED);
	struct addr in = { .family = 4, .value = 0x0a090001 }, out = { .family = 4, .value = 0x0a0a0001 };
	struct tables *t;

	(void)state;
	made_range(p, literal, "10.1.0.7", "10.1.0.7");
	made_range(p, other, "10.9.0.0", "10.9.0.255");
	bind(p, literal);
	t = made_tables(p, NULL);
	assert_true(holds(t, 1, "10.1.0.7"));
	assert_false(holds(t, 1, "10.1.0.6"));
	assert_false(holds(t, 1, "10.1.0.8"));
	assert_int_not_equal(walk_atom(t, &in), walk_atom(t, &out));
	assert_int_equal(walk_get_atom(t, walk_atom(t, &in))->origin, walk_get_atom(t, walk_atom(t, &out))->origin);
	free_all(p, t);
}

static void any_holds_every_address(void **state)
{
	struct policy *p = made_new();
	unsigned red = made_zone(p, "red", ZONE_DECLARED);
	struct tables *t;

	(void)state;
	made_range(p, red, "10.1.0.0", "10.1.0.255");
	bind(p, red);
	bind(p, ZONE_INDEX_ANY);
	t = made_tables(p, NULL);
	assert_true(holds(t, 2, "10.1.0.7") && holds(t, 2, "192.0.2.1") && holds(t, 2, "::") && holds(t, 2, "0.0.0.0"));
	assert_true(holds(t, 1, "10.1.0.7") && !holds(t, 1, "192.0.2.1") && !holds(t, 1, "::"));
	free_all(p, t);
}

static void expect_ends(const struct policy *p, const struct tables *t, int family, u128 value)
{
	u128 max = family == 4 ? ADDR_MAX4 : ADDR_MAX6;

	for (int step = -1; step <= 1; step++) {
		struct addr a = { .family = family, .value = value + step };

		if (a.value > max || (step < 0 && !value))
			continue;
		for (uint32_t set = 1; set <= t->layout.source_sets; set++)
			assert_int_equal(walk_origin(t, set, walk_atom(t, &a)),
					 in_zone(p, p->interfaces[set - 1].source, &a));
	}
}

/* Forty overlapping zones in both families: more classes than one word has bits. */
static void every_end_of_every_range(void **state)
{
	struct policy *p = made_new();
	uint64_t seed = 11;
	struct tables *t;

	(void)state;
	for (int i = 0; i < 40; i++) {
		unsigned zone = made_zone(p, "zone", ZONE_DECLARED);

		for (int j = 0; j < 6; j++) {
			int family = j % 2 ? 6 : 4;
			u128 first = family == 4 ? 0x0a000000 + rnd(&seed) % 4096
						 : (u128)0xfd00 << 112 | (u128)(rnd(&seed) % 4096) << 60;

			ranges_add(&p->zones[zone].set, family, first, first + rnd(&seed) % 900);
		}
		ranges_normalise(&p->zones[zone].set);
		bind(p, zone);
	}
	t = made_tables(p, NULL);
	assert_int_equal(t->layout.source_sets, 40);
	assert_true(t->layout.origin_words > 2);
	for (unsigned z = ZONE_INDEX_FIRST_DECLARED; z < p->zone_count; z++) {
		const struct ranges *set = &p->zones[z].set;

		for (size_t i = 0; i < set->v4_count; i++) {
			expect_ends(p, t, 4, set->v4[i].first);
			expect_ends(p, t, 4, set->v4[i].last);
		}
		for (size_t i = 0; i < set->v6_count; i++) {
			expect_ends(p, t, 6, set->v6[i].first);
			expect_ends(p, t, 6, set->v6[i].last);
		}
	}
	free_all(p, t);
}

static void sources_over_budget_are_named(void **state)
{
	const struct compile_options options = { .budget_bytes = 4 << 20 };
	struct policy *p = made_new();
	struct diag *diag = diag_new();
	struct tables *t = NULL;
	char *text = NULL;
	size_t len;
	FILE *out;

	(void)state;
	p->zones = realloc(p->zones, 8003 * sizeof(*p->zones));
	for (unsigned i = 0; i < 8000; i++) {
		unsigned zone = made_zone(p, "zone", ZONE_DECLARED);

		ranges_add(&p->zones[zone].set, 4, i * 2, i * 2);
		bind(p, zone);
	}
	assert_int_equal(compile_policy(p, &options, diag, &t), -EINVAL);
	out = open_memstream(&text, &len);
	diag_print(diag, out, false);
	fclose(out);
	assert_non_null(strstr(text, "budget of 4096 KiB; sources of interfaces cost most (8000 sources x 8001 kinds of"));
	free(text);
	diag_free(diag);
	free_all(p, t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_source_nothing_is_written),
		cmocka_unit_test(disjoint_sources_have_the_words_of_the_example),
		cmocka_unit_test(only_sources_tell_origins_apart),
		cmocka_unit_test(any_holds_every_address),
		cmocka_unit_test(every_end_of_every_range),
		cmocka_unit_test(sources_over_budget_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
