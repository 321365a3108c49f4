// SPDX-License-Identifier: GPL-2.0-only
/* Names: what is written is read back, and no damaged block is believed. */
#include "unit/compile_help.h"

static struct policy *make(void)
{
	static struct interface_match interfaces[4];
	static char *patterns[] = { "eth0", "veth*", "v*", "veth-b" };
	struct policy *p = made_new();
	unsigned web = made_zone(p, "web", ZONE_DECLARED), db = made_zone(p, "db", ZONE_DECLARED);
	unsigned literal = made_zone(p, "10.2.0.7", ZONE_LITERAL);

	made_range(p, web, "10.1.0.0", "10.1.0.255");
	made_range(p, db, "10.1.0.128", "10.2.0.255");
	made_range(p, literal, "10.2.0.7", "10.2.0.7");
	made_range(p, ZONE_INDEX_HOST, "10.1.0.200", "10.1.0.200");
	made_range(p, ZONE_INDEX_WORLD, "1.0.0.0", "9.255.255.255");
	made_rule(&p->rules, "late", web, db, ANY_SERVICE, ACTION_ALLOW)->tier = 1;
	made_rule(&p->rules, "early", web, literal, ANY_SERVICE, ACTION_DROP)->owner = strdup("payments");
	p->rules.v[1].mode = MODE_STAGE;
	made_rule(&p->failsafe, "failsafe-1", web, db, made_ports(6, 22, 22), ACTION_ALLOW);
	interfaces[0] = (struct interface_match){
		.pattern = patterns, .pattern_count = 2, .has_xdp = true, .xdp = XDP_OFF
	};
	interfaces[1] = (struct interface_match){
		.pattern = patterns + 2, .pattern_count = 1, .has_source = true, .source = db
	};
	interfaces[2] = (struct interface_match){
		.pattern = patterns + 3, .pattern_count = 1, .has_source = true, .source = literal
	};
	interfaces[3] = (struct interface_match){
		.pattern = patterns + 3, .pattern_count = 1, .has_xdp = true, .xdp = XDP_AUTO
	};
	p->interfaces = interfaces;
	p->interface_count = 4;
	return p;
}

static void expect_zones(const struct tables *t, uint32_t address, size_t count, const char *const *want)
{
	const char *const *zones;

	assert_int_equal(names_zones(t->names, walk_atom4(t, address, &(unsigned){ 0 }), &zones), count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(zones[i], want[i]);
}

static void expect_names(const struct names *n)
{
	const struct interface_name *interfaces;

	assert_int_equal(names_rule_count(n), 3);
	assert_null(names_rule(n, 0));
	assert_null(names_rule(n, 4));
	assert_string_equal(names_rule(n, 1)->id, "early");
	assert_string_equal(names_rule(n, 1)->owner, "payments");
	assert_true(names_rule(n, 1)->staged);
	assert_string_equal(names_rule(n, 1)->place, "policies/web.yaml:14");
	assert_string_equal(names_rule(n, 2)->id, "late");
	assert_string_equal(names_rule(n, 2)->owner, "");
	assert_string_equal(names_rule(n, 2)->service, "service");
	assert_string_equal(names_rule(n, 2)->place, "");
	assert_int_equal(names_rule(n, 2)->action, ACTION_ALLOW);
	assert_true(names_rule(n, 3)->is_failsafe);
	assert_int_equal(names_find_rule(n, "late"), 2);
	assert_int_equal(names_find_rule(n, "failsafe-1"), 3);
	assert_int_equal(names_find_rule(n, "none"), 0);
	assert_int_equal(names_zone_count(n), 4);
	assert_string_equal(names_zone(n, 0), "web");
	assert_string_equal(names_zone(n, 3), "world");
	assert_null(names_zone(n, 4));
	assert_int_equal(names_interfaces(n, &interfaces), 5);
	assert_string_equal(interfaces[1].pattern, "veth*");
	assert_true(interfaces[1].has_xdp && interfaces[1].xdp == XDP_OFF);
	assert_string_equal(interfaces[1].source, "");
	assert_int_equal(interfaces[1].source_set, 0);
	assert_string_equal(interfaces[2].source, "db");
	assert_false(interfaces[2].has_xdp);
	assert_int_equal(names_source_set(n, "eth0"), 0);
	assert_int_equal(names_source_set(n, "lo"), 0);
	assert_int_equal(names_source_set(n, "veth-a"), 1);
	/* The last entry with the key counts, not the last entry. */
	assert_int_equal(names_source_set(n, "veth-b"), 2);
	assert_string_equal(names_source(n, 1), "db");
	assert_string_equal(names_source(n, 2), "10.2.0.7");
	assert_null(names_source(n, 0));
	assert_null(names_source(n, 3));
}

static struct tables *compile(struct policy *p)
{
	struct diag *diag = diag_new();
	struct tables *t = NULL;

	p->rules.v[1].place =
		(struct place){ .file = diag_file(diag, "policies/web.yaml", NULL, 0), .line = 14 };
	assert_int_equal(compile_policy(p, NULL, diag, &t), 0);
	diag_free(diag);
	return t;
}

static void names_are_what_the_policy_says(void **state)
{
	struct policy *p = make();
	struct tables *t = compile(p);
	const char *const *zones;

	(void)state;
	expect_names(t->names);
	expect_zones(t, 0x0a010001, 1, (const char *const[]){ "web" });
	expect_zones(t, 0x0a010081, 2, (const char *const[]){ "web", "db" });
	expect_zones(t, 0x0a0100c8, 3, (const char *const[]){ "web", "db", "host" });
	expect_zones(t, 0x0a020007, 1, (const char *const[]){ "db" });
	expect_zones(t, 0x08080808, 1, (const char *const[]){ "world" });
	expect_zones(t, 0xe0000001, 0, NULL);
	assert_int_equal(names_zones(t->names, t->layout.atom_count, &zones), 0);
	assert_int_equal(names_zones(t->names, ZW_NO_ATOM, &zones), 0);
	tables_free(t);
	made_free(p);
}

static void a_block_is_read_back_also_with_padding_behind_it(void **state)
{
	struct policy *p = make();
	struct tables *t = compile(p);
	struct names *again;
	size_t len;
	const void *bytes = names_bytes(t->names, &len);
	char *padded = calloc(1, len + 100);

	(void)state;
	memcpy(padded, bytes, len);
	assert_int_equal(names_load(padded, len + 100, &again), 0);
	expect_names(again);
	names_bytes(again, &(size_t){ 0 });
	names_free(again);
	assert_int_equal(names_load(padded, len - 1, &again), -EINVAL);
	assert_int_equal(names_load(padded, 0, &again), -EINVAL);
	free(padded);
	tables_free(t);
	made_free(p);
}

/* Touches all that a block gives out. */
static size_t read_all(const struct names *n)
{
	const struct interface_name *interfaces;
	const char *const *zones;
	size_t sum = 0;

	for (uint32_t i = 1; i <= names_rule_count(n); i++)
		sum += strlen(names_rule(n, i)->id) + strlen(names_rule(n, i)->place) +
		       strlen(names_rule(n, i)->owner) + strlen(names_rule(n, i)->service) +
		       names_find_rule(n, names_rule(n, i)->id);
	for (uint32_t atom = 0; atom < 64; atom++)
		for (size_t i = names_zones(n, atom, &zones); i; i--)
			sum += strlen(zones[i - 1]);
	for (size_t i = names_interfaces(n, &interfaces); i; i--)
		sum += strlen(interfaces[i - 1].pattern) + strlen(interfaces[i - 1].source);
	sum += names_source_set(n, "veth-b");
	return sum;
}

static void a_damaged_block_is_refused_or_harmless(void **state)
{
	static const unsigned char values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct policy *p = make();
	struct tables *t = compile(p);
	size_t len, refused = 0;
	const void *bytes = names_bytes(t->names, &len);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		for (size_t v = 0; v < sizeof(values); v++) {
			/* Exactly as long as the block, so that a sanitizer sees each step outside. */
			unsigned char *copy = malloc(len);
			struct names *n;

			memcpy(copy, bytes, len);
			copy[i] = values[v];
			if (names_load(copy, len, &n) == 0) {
				read_all(n);
				names_free(n);
			} else {
				refused++;
			}
			free(copy);
		}
	}
	assert_true(refused > len / 2);
	for (size_t cut = 0; cut < len; cut++) {
		struct names *n;

		assert_int_equal(names_load(bytes, cut, &n), -EINVAL);
	}
	tables_free(t);
	made_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_what_the_policy_says),
		cmocka_unit_test(a_block_is_read_back_also_with_padding_behind_it),
		cmocka_unit_test(a_damaged_block_is_refused_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
