// SPDX-License-Identifier: GPL-2.0-only
/* Shadowed and redundant rules, against compiling the policy without each rule in turn. */
#include "unit/compile_help.h"

/* All warnings of a policy, one a line. Freed by the caller. */
static char *warnings_of(const struct policy *p)
{
	const struct compile_options options = { .analyse = true };
	struct diag *diag = diag_new();
	struct tables *t = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(compile_policy(p, &options, diag, &t), 0);
	diag_print(diag, out, false);
	fclose(out);
	tables_free(t);
	diag_free(diag);
	return text;
}

static void expect_text(const struct policy *p, const char *want)
{
	char *text = warnings_of(p);

	if (want ? !strstr(text, want) : *text)
		print_message("%s", text);
	assert_true(want ? strstr(text, want) != NULL : !*text);
	free(text);
}

static struct policy *two_zones(unsigned *a, unsigned *b)
{
	struct policy *p = made_new();

	*a = made_zone(p, "a", ZONE_DECLARED);
	*b = made_zone(p, "b", ZONE_DECLARED);
	made_range(p, *a, "10.1.0.0", "10.1.0.255");
	made_range(p, *b, "10.2.0.0", "10.2.0.255");
	return p;
}

static void a_rule_behind_a_wider_one_is_shadowed(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);

	(void)state;
	made_rule(&p->rules, "wide", a, ZONE_INDEX_ANY, made_ports(6, 0, 100), ACTION_ALLOW);
	made_rule(&p->rules, "narrow", a, b, made_ports(6, 22, 22), ACTION_DROP);
	expect_text(p, "rule 'narrow' is shadowed by 'wide'");
	made_free(p);
}

static void two_rules_can_shadow_a_third_together(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);

	(void)state;
	made_rule(&p->rules, "low", a, b, made_ports(6, 0, 49), ACTION_ALLOW);
	made_rule(&p->rules, "high", a, b, made_ports(6, 50, 100), ACTION_ALLOW);
	made_rule(&p->rules, "all", a, b, made_ports(6, 0, 100), ACTION_DROP);
	expect_text(p, "rule 'all' is shadowed by 'low' and 'high'");
	made_free(p);
}

static void a_drop_before_the_same_default_is_redundant(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);

	(void)state;
	made_rule(&p->rules, "no", a, b, made_ports(6, 22, 22), ACTION_DROP);
	expect_text(p, "rule 'no' is redundant");
	p->rules.v[0].log = LOG_NONE;
	expect_text(p, NULL);
	made_free(p);
}

static void a_drop_that_cuts_into_an_allow_is_neither(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);

	(void)state;
	made_rule(&p->rules, "no", a, b, made_ports(6, 22, 22), ACTION_DROP);
	made_rule(&p->rules, "yes", a, b, ANY_SERVICE, ACTION_ALLOW);
	expect_text(p, NULL);
	made_free(p);
}

static void of_two_equal_rules_the_later_one_is_reported(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);
	char *text;

	(void)state;
	made_rule(&p->rules, "one", a, b, made_ports(6, 22, 22), ACTION_ALLOW);
	made_rule(&p->rules, "two", a, b, made_ports(6, 22, 22), ACTION_ALLOW);
	text = warnings_of(p);
	assert_non_null(strstr(text, "rule 'two' is shadowed by 'one'"));
	assert_null(strstr(text, "redundant"));
	free(text);
	made_free(p);
}

static void a_limited_rule_is_not_redundant(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);

	(void)state;
	made_rule(&p->rules, "slow", a, b, made_ports(6, 22, 22), ACTION_ALLOW)->limit =
		(struct limit){ .set = true, .per_hour = 3600, .burst = 1 };
	made_rule(&p->rules, "yes", a, b, ANY_SERVICE, ACTION_ALLOW);
	expect_text(p, NULL);
	made_free(p);
}

static void pass_shadows_what_follows_in_its_tier(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);

	(void)state;
	made_rule(&p->rules, "skip", a, b, ANY_SERVICE, ACTION_PASS);
	made_rule(&p->rules, "late", a, b, made_ports(6, 22, 22), ACTION_ALLOW);
	made_rule(&p->rules, "next", a, b, made_ports(6, 22, 22), ACTION_ALLOW)->tier = 1;
	expect_text(p, "rule 'late' is shadowed by 'skip'");
	made_free(p);
}

static void nothing_is_said_of_a_host_that_is_not_known(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);

	(void)state;
	p->host_known = false;
	made_rule(&p->rules, "host", a, ZONE_INDEX_HOST, made_ports(6, 22, 22), ACTION_ALLOW);
	made_rule(&p->rules, "world", ZONE_INDEX_WORLD, b, made_ports(6, 22, 22), ACTION_DROP);
	expect_text(p, NULL);
	made_free(p);
}

static void a_drop_in_front_of_intra_zone_is_needed(void **state)
{
	struct policy *p = made_new();
	unsigned data = made_zone(p, "data", ZONE_DECLARED);

	(void)state;
	made_range(p, data, "10.2.0.0", "10.2.0.255");
	p->default_action = ACTION_DROP;
	p->intra_zone = ACTION_ALLOW;
	p->intra_zone_set = true;
	made_rule(&p->rules, "closed", 0, data, made_ports(6, 0, 65535), ACTION_DROP);
	expect_text(p, NULL);
	made_free(p);
}

static void a_rule_from_ipv4_to_ipv6_matches_nothing_and_is_not_shadowed(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);
	unsigned six = made_zone(p, "six", ZONE_DECLARED);

	(void)state;
	made_range(p, six, "fd00::", "fd00::ffff");
	made_rule(&p->rules, "wide", a, ZONE_INDEX_ANY, ANY_SERVICE, ACTION_ALLOW);
	made_rule(&p->rules, "none", a, six, made_ports(6, 22, 22), ACTION_DROP);
	expect_text(p, NULL);
	made_free(p);
}

static void a_rule_that_hides_one_of_another_action_is_needed(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);
	char *text;

	(void)state;
	made_rule(&p->rules, "no", a, b, made_ports(6, 22, 22), ACTION_DROP);
	made_rule(&p->rules, "yes", a, b, made_ports(6, 22, 22), ACTION_ALLOW);
	made_rule(&p->rules, "again", a, b, made_ports(6, 22, 22), ACTION_ALLOW);
	text = warnings_of(p);
	assert_non_null(strstr(text, "rule 'yes' is shadowed by 'no'"));
	assert_non_null(strstr(text, "rule 'again' is shadowed by 'no'"));
	assert_null(strstr(text, "redundant"));
	free(text);
	made_free(p);
}

static void a_pass_in_front_of_what_decides_anyway_is_redundant(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);

	(void)state;
	made_rule(&p->rules, "skip", a, b, made_ports(6, 22, 22), ACTION_PASS);
	made_rule(&p->rules, "slow", a, b, made_ports(6, 22, 22), ACTION_ALLOW)->limit =
		(struct limit){ .set = true, .per_hour = 3600, .burst = 1 };
	p->rules.v[1].tier = 1;
	expect_text(p, "rule 'skip' is redundant: without it, 'slow' decides the same");
	made_free(p);
}

static void nothing_is_said_behind_a_tier_that_may_pass_to_an_unknown_host(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);

	(void)state;
	made_rule(&p->rules, "host", a, ZONE_INDEX_HOST, ANY_SERVICE, ACTION_PASS);
	made_rule(&p->rules, "no", a, ZONE_INDEX_ANY, ANY_SERVICE, ACTION_DROP)->log = LOG_NONE;
	made_rule(&p->rules, "late", a, b, made_ports(6, 22, 22), ACTION_ALLOW)->tier = 1;
	expect_text(p, "rule 'late' is shadowed by 'no'");
	p->host_known = false;
	expect_text(p, NULL);
	made_free(p);
}

static void what_no_packet_matches_is_not_shadowed(void **state)
{
	unsigned a, b;
	struct policy *p = two_zones(&a, &b);

	(void)state;
	made_rule(&p->rules, "wide", a, b, ANY_SERVICE, ACTION_ALLOW);
	made_rule(&p->rules, "six", a, b, made_ports(58, 0, 65535), ACTION_DROP);
	made_rule(&p->rules, "header", a, b, made_ports(51, 0, 65535), ACTION_DROP);
	expect_text(p, NULL);
	made_free(p);
}

/* Addresses (not the unspecified one) and ports such that every pair of atoms and every port class has one. */
#define SAMPLES 12

static bool verdict_at(const struct policy *p, int from, int to, uint16_t port)
{
	struct addr a = { .family = 4, .value = from }, b = { .family = 4, .value = to };

	return expect_cell(p, &a, &b, 6, port) & ZW_CELL_ALLOW;
}

static struct policy *random_policy(uint64_t seed, struct policy *p)
{
	for (int i = 0; i < 3; i++) {
		unsigned z = made_zone(p, "z", ZONE_DECLARED);
		u128 first = 1 + rnd(&seed) % SAMPLES;

		ranges_add(&p->zones[z].set, 4, first, first + rnd(&seed) % 6);
		ranges_normalise(&p->zones[z].set);
	}
	p->default_action = rnd(&seed) & 1;
	p->intra_zone_set = rnd(&seed) & 1;
	p->intra_zone = p->intra_zone_set ? (enum action)(rnd(&seed) & 1) : p->default_action;
	for (int i = 0; i < 6; i++) {
		char id[8] = { 'r', '0' + i };
		uint16_t port = rnd(&seed) % 4;
		unsigned from = rnd(&seed) % 4, to = rnd(&seed) % 4;
		struct rule *r = made_rule(&p->rules, id, from ? from + 2 : 0, to ? to + 2 : 0,
					   made_ports(6, port, port + rnd(&seed) % 3), rnd(&seed) % 3);

		r->tier = rnd(&seed) % 2;
	}
	return p;
}

/* Does it decide (or pass on) anything? As a rule with a number of its own cannot be seen in a pass, look at each. */
static bool decides(const struct policy *p, size_t rule)
{
	struct rule *r = &p->rules.v[rule];

	for (int from = 1; from < SAMPLES + 8; from++) {
		for (int to = 1; to < SAMPLES + 8; to++) {
			for (uint16_t port = 0; port < 8; port++) {
				struct addr a = { 4, from }, b = { 4, to };
				enum action action = r->action;
				bool here;

				/* With its own number as an allow, it is seen where it is the first to match. */
				r->action = ACTION_ALLOW;
				here = (expect_cell(p, &a, &b, 6, port) & ZW_CELL_RULE) == number_of(p, rule);
				r->action = action;
				if (here)
					return true;
			}
		}
	}
	return false;
}

/* Would any verdict change without it? */
static bool changes(struct policy *p, size_t rule)
{
	bool found = false;

	for (int from = 1; from < SAMPLES + 8 && !found; from++) {
		for (int to = 1; to < SAMPLES + 8 && !found; to++) {
			for (uint16_t port = 0; port < 8 && !found; port++) {
				bool with = verdict_at(p, from, to, port);

				p->rules.v[rule].mode = MODE_STAGE;
				found = verdict_at(p, from, to, port) != with;
				p->rules.v[rule].mode = MODE_ENFORCE;
			}
		}
	}
	return found;
}

static void check_random(uint64_t seed, unsigned *told)
{
	struct policy *p = random_policy(seed * 0x9e3779b97f4a7c15, made_new());
	char *text = warnings_of(p);
	bool dead[8], needed[8];

	for (size_t i = 0; i < p->rules.count; i++) {
		dead[i] = !decides(p, i);
		needed[i] = changes(p, i);
	}
	/* Of two rules that say the same the later is shadowed, and the earlier is needed once that is gone. */
	for (size_t i = 0; i < p->rules.count; i++)
		if (dead[i])
			p->rules.v[i].mode = MODE_STAGE;
	for (size_t i = 0; i < p->rules.count; i++) {
		char shadowed[64], redundant[64];
		bool is_redundant;

		snprintf(shadowed, sizeof(shadowed), "rule 'r%zu' is shadowed", i);
		snprintf(redundant, sizeof(redundant), "rule 'r%zu' is redundant", i);
		is_redundant = !dead[i] && !needed[i] && !changes(p, i);
		if (dead[i] != !!strstr(text, shadowed) || is_redundant != !!strstr(text, redundant))
			print_message("seed %lu rule %zu dead %d redundant %d\n%s", (unsigned long)seed, i,
				      dead[i], is_redundant, text);
		assert_int_equal(dead[i], !!strstr(text, shadowed));
		assert_int_equal(is_redundant, !!strstr(text, redundant));
		*told += dead[i] + is_redundant;
	}
	free(text);
	made_free(p);
}

static void random_policies_have_the_warnings_that_removal_shows(void **state)
{
	unsigned told = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++)
		check_random(seed, &told);
	assert_true(told > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_behind_a_wider_one_is_shadowed),
		cmocka_unit_test(two_rules_can_shadow_a_third_together),
		cmocka_unit_test(a_drop_before_the_same_default_is_redundant),
		cmocka_unit_test(a_drop_that_cuts_into_an_allow_is_neither),
		cmocka_unit_test(of_two_equal_rules_the_later_one_is_reported),
		cmocka_unit_test(a_limited_rule_is_not_redundant),
		cmocka_unit_test(pass_shadows_what_follows_in_its_tier),
		cmocka_unit_test(nothing_is_said_of_a_host_that_is_not_known),
		cmocka_unit_test(a_drop_in_front_of_intra_zone_is_needed),
		cmocka_unit_test(a_rule_from_ipv4_to_ipv6_matches_nothing_and_is_not_shadowed),
		cmocka_unit_test(a_rule_that_hides_one_of_another_action_is_needed),
		cmocka_unit_test(a_pass_in_front_of_what_decides_anyway_is_redundant),
		cmocka_unit_test(nothing_is_said_behind_a_tier_that_may_pass_to_an_unknown_host),
		cmocka_unit_test(what_no_packet_matches_is_not_shadowed),
		cmocka_unit_test(random_policies_have_the_warnings_that_removal_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
