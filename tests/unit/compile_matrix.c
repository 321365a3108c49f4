// SPDX-License-Identifier: GPL-2.0-only
/* Cells of small policies, against walking the rules in order (design 4.3). */
#include "unit/compile_help.h"

static const uint8_t protocols[] = { 6, 17, 132, 1, 58, 0, 47, 255 };

static struct selector random_selector(uint64_t *seed)
{
	uint8_t protocol = protocols[rnd(seed) % 8];
	uint16_t first = rnd(seed) % 6 ? rnd(seed) % 8 : 65535 - rnd(seed) % 4;
	uint16_t last = rnd(seed) % 3 ? first : first + rnd(seed) % (65536 - first);

	if (rnd(seed) % 8 == 0)
		return ANY_SERVICE;
	if (protocol == 0 || protocol == 47 || protocol == 255 || rnd(seed) % 8 == 0)
		return made_ports(protocol, 0, 65535);
	return made_ports(protocol, first, last);
}

/* Small spaces at both ends of both families, so that ranges meet, touch and overlap. */
static struct addr random_addr(uint64_t *seed)
{
	struct addr a = { .family = rnd(seed) & 1 ? 4 : 6, .value = rnd(seed) % 24 };

	if (rnd(seed) % 4 == 0)
		a.value = (a.family == 4 ? ADDR_MAX4 : ADDR_MAX6) - a.value;
	else if (rnd(seed) % 4 == 0)
		a.value += a.family == 4 ? 0x0a00fff0 : (u128)0x20010db8fffffff0 << 64;
	return a;
}

static void random_zone(struct policy *p, unsigned zone, uint64_t *seed)
{
	for (int n = 1 + rnd(seed) % 3; n; n--) {
		struct addr a = random_addr(seed);
		u128 max = a.family == 4 ? ADDR_MAX4 : ADDR_MAX6, last = a.value + rnd(seed) % 12;

		if (last > max || last < a.value)
			last = max;
		ranges_add(&p->zones[zone].set, a.family, a.value, last);
	}
	ranges_normalise(&p->zones[zone].set);
}

static void random_ends(const struct policy *p, struct zone_list *list, uint64_t *seed)
{
	unsigned zone[64];
	size_t n = 0;

	free(list->zone);
	for (unsigned i = 0; i < p->zone_count; i++)
		if (rnd(seed) % p->zone_count < 2)
			zone[n++] = i;
	if (rnd(seed) % 5 == 0) {
		zone[0] = ZONE_INDEX_ANY;
		n = 1;
	}
	made_list(list, n, zone);
}

#define LAST_INSTANT 8 /* of random rules that end */

static void random_rules(struct policy *p, struct rules *rules, size_t count, uint64_t *seed)
{
	for (size_t i = 0; i < count; i++) {
		struct rule *r = made_rule(rules, "r", 0, 0, random_selector(seed), rnd(seed) % 3);

		random_ends(p, &r->from, seed);
		random_ends(p, &r->to, seed);
		while (r->service.count < 4 && rnd(seed) % 3 == 0)
			r->service.v[r->service.count++] = random_selector(seed);
		r->tier = rnd(seed) % p->tier_count;
		r->log = rnd(seed) % 4;
		r->mode = rnd(seed) % 10 == 0 ? MODE_STAGE : MODE_ENFORCE;
		r->expires = rnd(seed) % 5 == 0;
		r->until = rnd(seed) % LAST_INSTANT;
		if (r->action == ACTION_ALLOW) {
			r->limit = (struct limit){ .set = rnd(seed) % 10 == 0, .per_hour = 3600, .burst = 1 };
			r->tls_require = rnd(seed) % 10 == 0;
		}
	}
}

static struct policy *random_policy(uint64_t seed)
{
	struct policy *p = made_new();
	size_t zones = 1 + rnd(&seed) % 8;

	for (size_t i = 0; i < zones; i++) {
		unsigned z = made_zone(p, "z", rnd(&seed) % 3 ? ZONE_DECLARED : ZONE_LITERAL);

		p->zones[z].is_union = rnd(&seed) % 4 == 0;
		random_zone(p, z, &seed);
	}
	random_zone(p, ZONE_INDEX_HOST, &seed);
	random_zone(p, ZONE_INDEX_WORLD, &seed);
	p->default_action = rnd(&seed) & 1;
	p->intra_zone_set = rnd(&seed) & 1;
	p->intra_zone = p->intra_zone_set ? (enum action)(rnd(&seed) & 1) : p->default_action;
	p->log = rnd(&seed) % 3;
	random_rules(p, &p->rules, rnd(&seed) % 12, &seed);
	random_rules(p, &p->failsafe, rnd(&seed) % 4, &seed);
	for (size_t i = 0; i < p->failsafe.count; i++) {
		struct rule *r = &p->failsafe.v[i];

		r->action = ACTION_ALLOW;
		r->expires = r->limit.set = r->tls_require = false;
		r->mode = MODE_ENFORCE;
	}
	return p;
}

/* At each time at which a rule may end. */
static void compare_terms(const struct policy *p, const struct tables *t, uint32_t cell, const struct addr *from,
			  const struct addr *to, uint8_t protocol, uint16_t port)
{
	for (uint64_t now = 1; now <= LAST_INSTANT; now++) {
		uint32_t staged, found = walk_variant(t, cell, now, &staged);

		assert_int_equal(found, expect_cell_at(p, from, to, protocol, port, now, false));
		assert_int_equal(staged, expect_staged(p, from, to, protocol, port, now));
	}
}

static void compare_instants(const struct policy *p, const struct tables *t)
{
	for (size_t i = 0; i < p->rules.count; i++) {
		const struct rule *r = &p->rules.v[i];

		if (r->expires && r->mode == MODE_ENFORCE && r->from.count && r->to.count)
			assert_int_equal(walk_instant(t, number_of(p, i)), r->until > 0 ? r->until : 1);
	}
}

static void compare(const struct policy *p, const struct tables *t, uint64_t seed)
{
	for (int i = 0; i < 400; i++) {
		struct addr from = random_addr(&seed), to = random_addr(&seed);
		uint8_t protocol = protocols[rnd(&seed) % 8];
		bool has_ports = protocol != 0 && protocol != 47 && protocol != 255;
		uint16_t port = !has_ports ? 0 : rnd(&seed) % 4 ? rnd(&seed) % 9 : 65535 - rnd(&seed) % 5;
		uint16_t class = walk_port(t, protocol, port);
		uint32_t a, b;

		to.family = from.family;
		to.value &= to.family == 4 ? ADDR_MAX4 : ADDR_MAX6;
		a = walk_atom(t, &from);
		b = walk_atom(t, &to);
		compare_terms(p, t, walk_cell(t, ZW_MATRIX_POLICY, a, b, class), &from, &to, protocol, port);
		assert_int_equal(walk_cell(t, ZW_MATRIX_FAILSAFE, a, b, class),
				 expect_failsafe(p, &from, &to, protocol, port));
	}
}

static void cells_are_what_the_rules_say(void **state)
{
	size_t pairs = 0, defaults = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 1500; seed++) {
		/* From no default row but one to nearly a plain array. */
		const struct compile_options sparse = { .dense_bytes = 4u << seed % 5 };
		struct policy *p = random_policy(seed * 0x9e3779b9);
		struct tables *t = made_tables(p, NULL), *again = made_tables(p, NULL),
			      *s = made_tables(p, &sparse);

		compare(p, t, seed);
		compare(p, s, seed);
		compare_instants(p, t);
		assert_false(t->stats.sparse);
		assert_int_equal(s->stats.sparse, s->stats.source_classes * s->stats.destination_classes * 4 >
							  sparse.dense_bytes);
		if (s->stats.sparse) {
			pairs += s->stats.pairs;
			defaults += s->layout.matrix[ZW_MATRIX_POLICY].default_count;
		}
		/* The same policy gives the same bytes. */
		assert_int_equal(t->len, again->len);
		assert_memory_equal(t->bytes, again->bytes, t->len);
		assert_memory_equal(&t->layout, &again->layout, sizeof(t->layout));
		assert_int_equal(t->len, t->layout.lines * 64);
		tables_free(t);
		tables_free(again);
		tables_free(s);
		made_free(p);
	}
	assert_true(pairs > 5000 && defaults > 5000);
}

/* Zones in another order: other numbers of atoms and classes, the same verdicts. */
static void the_order_of_zones_does_not_matter(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct policy *p = random_policy(seed * 0x51ed27);
		unsigned last = p->zone_count - 1, first = ZONE_INDEX_FIRST_DECLARED;
		struct rules *rules[] = { &p->rules, &p->failsafe };
		struct zone swap = p->zones[first];
		struct tables *t;

		p->zones[first] = p->zones[last];
		p->zones[last] = swap;
		for (int k = 0; k < 2; k++) {
			for (size_t i = 0; i < 2 * rules[k]->count; i++) {
				struct rule *r = &rules[k]->v[i / 2];
				struct zone_list *list = i & 1 ? &r->from : &r->to;
				bool has[64] = { false };
				size_t n = 0;

				for (size_t j = 0; j < list->count; j++)
					has[list->zone[j] == first  ? last
					    : list->zone[j] == last ? first
								    : list->zone[j]] = true;
				for (unsigned z = 0; z < 64; z++)
					if (has[z])
						list->zone[n++] = z;
			}
		}
		t = made_tables(p, NULL);
		compare(p, t, seed);
		tables_free(t);
		made_free(p);
	}
}

/* The policy of design 4 in small: what each cell holds, spelled out. */
static void a_policy_of_two_zones(void **state)
{
	struct policy *p = made_new();
	unsigned gateway = made_zone(p, "gateway", ZONE_DECLARED), db = made_zone(p, "db", ZONE_DECLARED);
	struct tables *t;
	uint32_t a, b, world;

	(void)state;
	made_range(p, gateway, "10.1.0.0", "10.1.0.255");
	made_range(p, gateway, "fd00:1::", "fd00:1::ffff:ffff:ffff:ffff");
	made_range(p, db, "10.2.0.0", "10.2.0.255");
	made_rule(&p->rules, "gateway-to-db", gateway, db, made_ports(6, 5432, 5432), ACTION_ALLOW);
	made_rule(&p->rules, "no-telnet", ZONE_INDEX_ANY, ZONE_INDEX_ANY, made_ports(6, 23, 23), ACTION_DROP);
	made_rule(&p->failsafe, "ssh", gateway, ZONE_INDEX_ANY, made_ports(6, 22, 22), ACTION_ALLOW);
	t = made_tables(p, NULL);
	a = walk_atom4(t, 0x0a010007, &(unsigned){ 0 });
	b = walk_atom4(t, 0x0a020009, &(unsigned){ 0 });
	world = walk_atom4(t, 0x08080808, &(unsigned){ 0 });
	assert_int_equal(a, walk_atom6(t, (u128)0xfd00000100000000 << 64 | 1, &(unsigned){ 0 }));
	assert_int_equal(t->stats.atoms, 3);
	assert_int_equal(t->stats.port_classes, 4); /* 22, 23, 5432, all else */
	assert_int_equal(walk_cell(t, ZW_MATRIX_POLICY, a, b, walk_port(t, 6, 5432)), 1 | ZW_CELL_ALLOW);
	assert_int_equal(walk_cell(t, ZW_MATRIX_POLICY, b, a, walk_port(t, 6, 5432)), ZW_CELL_LOG);
	assert_int_equal(walk_cell(t, ZW_MATRIX_POLICY, a, b, walk_port(t, 6, 23)), 2 | ZW_CELL_LOG);
	assert_int_equal(walk_cell(t, ZW_MATRIX_POLICY, world, world, walk_port(t, 6, 23)), 2 | ZW_CELL_LOG);
	assert_int_equal(walk_cell(t, ZW_MATRIX_POLICY, a, b, walk_port(t, 17, 5432)), ZW_CELL_LOG);
	assert_int_equal(walk_cell(t, ZW_MATRIX_FAILSAFE, a, world, walk_port(t, 6, 22)), 3 | ZW_CELL_ALLOW);
	assert_int_equal(walk_cell(t, ZW_MATRIX_FAILSAFE, a, world, walk_port(t, 6, 23)), 0);
	assert_true(t->layout.ports[ZW_PORT_TCP] && !t->layout.ports[ZW_PORT_UDP] &&
		    !t->layout.ports[ZW_PORT_SCTP]);
	assert_int_equal(t->layout.rule_count, 3);
	assert_true(t->layout.has_failsafe && t->layout.log_drops);
	tables_free(t);
	made_free(p);
}

static void intra_zone_has_its_own_reason(void **state)
{
	struct policy *p = made_new();
	unsigned web = made_zone(p, "web", ZONE_DECLARED), both = made_zone(p, "both", ZONE_DECLARED);
	struct tables *t;
	uint32_t a, b;

	(void)state;
	made_range(p, web, "10.1.0.0", "10.1.0.255");
	made_range(p, both, "10.1.0.0", "10.2.0.255");
	p->zones[both].is_union = true;
	p->default_action = p->intra_zone = ACTION_ALLOW;
	t = made_tables(p, NULL);
	a = walk_atom4(t, 0x0a010001, &(unsigned){ 0 });
	b = walk_atom4(t, 0x0a020001, &(unsigned){ 0 });
	assert_int_equal(walk_cell(t, ZW_MATRIX_POLICY, a, a, 0), ZW_CELL_ALLOW | ZW_CELL_INTRA);
	assert_int_equal(walk_cell(t, ZW_MATRIX_POLICY, a, b, 0), ZW_CELL_ALLOW);
	assert_int_equal(walk_cell(t, ZW_MATRIX_POLICY, b, b, 0), ZW_CELL_ALLOW);
	tables_free(t);
	made_free(p);
}

/* Many pairs: every bucket chain is found again, and absent pairs have their groups' row. */
static void a_large_sparse_matrix(void **state)
{
	const struct compile_options sparse = { .dense_bytes = 1 };
	struct policy *p = made_new();
	uint64_t seed = 5;
	struct tables *t;

	(void)state;
	p->zones = realloc(p->zones, (3 + 300) * sizeof(*p->zones));
	p->rules.v = realloc(p->rules.v, 20000 * sizeof(*p->rules.v));
	for (unsigned i = 0; i < 300; i++) {
		unsigned z = made_zone(p, "z", ZONE_DECLARED);

		ranges_add(&p->zones[z].set, 4, i * 256, i * 256 + 255);
		ranges_normalise(&p->zones[z].set);
	}
	for (unsigned i = 0; i < 20000; i++) {
		unsigned from = i % 100 ? 3 + rnd(&seed) % 300 : 0, to = i % 77 ? 3 + rnd(&seed) % 300 : 0;

		made_rule(&p->rules, "r", from, to, made_ports(6, rnd(&seed) % 40, 50), rnd(&seed) & 1);
	}
	t = made_tables(p, &sparse);
	assert_true(t->stats.sparse);
	for (int i = 0; i < 2000; i++) {
		struct addr from = { 4, rnd(&seed) % 77000 }, to = { 4, rnd(&seed) % 77000 };
		uint16_t port = rnd(&seed) % 52;

		assert_int_equal(walk_cell(t, ZW_MATRIX_POLICY, walk_atom(t, &from), walk_atom(t, &to),
					   walk_port(t, 6, port)),
				 expect_cell(p, &from, &to, 6, port));
	}
	tables_free(t);
	made_free(p);
}

/* The example of zonewall.h, "terms". */
static void a_rule_that_ends_and_a_staged_one(void **state)
{
	struct policy *p = made_new();
	struct rule *ends = made_rule(&p->rules, "ends", ZONE_INDEX_ANY, ZONE_INDEX_ANY, made_ports(6, 80, 80), ACTION_ALLOW),
		    *staged;
	const struct addr any = { 4, 0x0a000001 };
	const struct zw_variant *v;
	struct tables *t;
	uint32_t a, staged_then;

	(void)state;
	p->log = LOG_NOTHING;
	ends->expires = true;
	ends->until = 1000;
	staged = made_rule(&p->rules, "staged", ZONE_INDEX_ANY, ZONE_INDEX_ANY, made_ports(6, 80, 80), ACTION_DROP);
	staged->mode = MODE_STAGE;
	t = made_tables(p, NULL);
	a = walk_atom(t, &any);
	v = walk_line(t, t->layout.variants);
	assert_int_equal(t->layout.variant_count, 2);
	assert_memory_equal(&v[0], (&(struct zw_variant){ .staged = 2 }), sizeof(*v));
	assert_memory_equal(&v[1], (&(struct zw_variant){ .until = 1000, .cell = 1 | ZW_CELL_EXPIRES | ZW_CELL_ALLOW,
							  .next = ZW_CELL_VARIANT }), sizeof(*v));
	assert_int_equal(walk_cell(t, ZW_MATRIX_POLICY, a, a, walk_port(t, 6, 80)), ZW_CELL_VARIANT | 1);
	assert_int_equal(walk_cell(t, ZW_MATRIX_POLICY, a, a, walk_port(t, 6, 81)), 0);
	assert_int_equal(walk_variant(t, ZW_CELL_VARIANT | 1, 1000, &staged_then), 0);
	assert_int_equal(staged_then, 2);
	assert_int_equal(t->layout.instant_count, 2);
	assert_int_equal(walk_instant(t, 1), 1000);
	tables_free(t);
	made_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_of_two_zones),
		cmocka_unit_test(a_rule_that_ends_and_a_staged_one),
		cmocka_unit_test(intra_zone_has_its_own_reason),
		cmocka_unit_test(cells_are_what_the_rules_say),
		cmocka_unit_test(the_order_of_zones_does_not_matter),
		cmocka_unit_test(a_large_sparse_matrix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
