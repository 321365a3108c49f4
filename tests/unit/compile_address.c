// SPDX-License-Identifier: GPL-2.0-only
/* Search trees and address tables, against looking at every run and every range in turn. */
#include "unit/compile_help.h"

#include "compile/address.h"
#include "compile/sparse.h"
#include "simulate/atom_ranges.h"
#include "simulate/decision.h"

static void wrap(struct tables *t, const struct lines *lines)
{
	t->bytes = lines->all.v;
	t->layout.lines = lines->all.count;
}

static size_t min_lines(size_t runs)
{
	return runs <= 10 ? 1 : (runs - 1 + 8) / 9;
}

static void check_search(const uint32_t *value_of, size_t runs, const struct run *run)
{
	struct lines lines = { .budget = 1 << 20 };
	struct tables t = { 0 };
	uint32_t root;

	assert_int_equal(search_build(&lines, run, runs, &root), 0);
	assert_int_equal(lines.all.count, min_lines(runs));
	wrap(&t, &lines);
	for (uint32_t key = 0; key < 65536; key++) {
		unsigned reads = 0;

		assert_int_equal(walk_search(&t, root, key, &reads), value_of[key]);
		assert_true(reads <= search_depth(runs) && reads <= ZW_SEARCH_DEPTH);
	}
	array_free(&lines.all);
}

static void search_trees_answer_as_their_runs_do(void **state)
{
	static const size_t counts[] = { 1,   2,   9,   10,  11,   12,   19,   20,    99,    100,
					 101, 109, 110, 999, 1000, 1001, 9999, 10001, 65535, 65536 };
	static uint32_t value_of[65536];
	static struct run run[65536];
	uint64_t seed = 7;

	(void)state;
	for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
		size_t n = 0;

		/* Every key is taken with the right chance, so that exactly so many are. */
		for (uint32_t key = 0; key < 65536; key++) {
			if (!key || rnd(&seed) % (65536 - key) < counts[c] - n) {
				run[n].key = key;
				run[n++].value = rnd(&seed) & ~ZW_LINK;
			}
			value_of[key] = run[n - 1].value;
		}
		check_search(value_of, n, run);
	}
}

static void a_search_line_looks_as_the_header_says(void **state)
{
	const struct run run[] = { { 0, 3 }, { 0x0100, 0 } };
	struct lines lines = { .budget = 10 };
	const struct zw_line *line;
	uint32_t root;

	(void)state;
	assert_int_equal(search_build(&lines, run, 2, &root), 0);
	line = lines_at(&lines, root);
	assert_int_equal(zw_line_bound(line, 0), 0x0100);
	assert_int_equal(line->value[0], 3);
	for (int i = 1; i < ZW_LINE_BOUNDS; i++)
		assert_int_equal(zw_line_bound(line, i), ZW_NO_BOUND);
	for (int i = 1; i <= ZW_LINE_BOUNDS; i++)
		assert_int_equal(line->value[i], 0);
	array_free(&lines.all);
}

/* zonewall.h: "10.2.0.0/24 in atom 3, all else atom 0". */
static void the_example_of_the_header(void **state)
{
	struct interval v[] = { { 0, 0, 0 }, { 0, 0x0a020000, 3 }, { 0, 0x0a020100, 0 } };
	struct intervals intervals = { .all = { .v = v, .count = 3 } };
	struct lines lines = { .budget = 1 << 20 };
	const struct zw_line *line;
	const uint32_t *words;
	unsigned reads;
	uint32_t root;

	(void)state;
	assert_int_equal(address_build(&lines, 4, &intervals, &root, &reads), 0);
	assert_int_equal(lines.all.count, 4096 + 1);
	assert_int_equal(reads, 2);
	words = lines_at(&lines, root);
	for (uint32_t i = 0; i < 65536; i++)
		assert_int_equal(words[i], i == 0x0a02 ? ZW_NEXT | 4096 : 0);
	line = lines_at(&lines, 4096);
	assert_int_equal(zw_line_bound(line, 0), 0x0100);
	assert_int_equal(line->value[0], 3);
	assert_int_equal(line->value[1], 0);
	array_free(&lines.all);
}

/* One IPv6 host costs one tail, whatever its bits. */
static void a_tail_skips_to_a_lone_prefix(void **state)
{
	struct interval v[] = { { 0, 0, 0 },
				{ 0x20010db800000000, 0x42, 1 },
				{ 0x20010db800000000, 0x43, 0 } };
	struct intervals intervals = { .all = { .v = v, .count = 3 } };
	struct lines lines = { .budget = 1 << 20 };
	const struct zw_tail *tail;
	unsigned reads;
	uint32_t root;

	(void)state;
	assert_int_equal(address_build(&lines, 6, &intervals, &root, &reads), 0);
	assert_int_equal(lines.all.count, 4096 + 1);
	assert_int_equal(reads, 2);
	assert_int_equal(((const uint32_t *)lines_at(&lines, root))[0x2001], ZW_TAIL | 4096);
	tail = lines_at(&lines, 4096);
	assert_true(tail->prefix[0] == 0x20010db800000000 && tail->prefix[1] == 0x42);
	assert_true(tail->mask[0] == ~0ull && tail->mask[1] == ~0ull);
	assert_int_equal(tail->inside, 1);
	assert_int_equal(tail->outside, 0);
	array_free(&lines.all);
}

/* The value of an address in tables of addresses only: by the walk, which counts its reads, and by what packets run. */
static uint32_t look_up6(const struct tables *t, u128 address, unsigned *ret_reads)
{
	const struct addr a = { .family = 6, .value = address };
	uint8_t wire[16];
	uint32_t value;

	addr_to_bytes(&a, wire);
	*ret_reads = 0;
	value = walk_atom6(t, address, ret_reads);
	assert_int_equal(tables_atom(t->bytes, &t->layout, 6, wire), value);
	return value;
}

/* Prefixes of whatever length from `least` bits on, none within another, in the /16 of 2001::, so that many share a byte. */
static void draw_lone(uint64_t *seed, size_t count, unsigned least, struct range *ret_ranges)
{
	size_t n = 0;

	while (n < count) {
		unsigned length = least + rnd(seed) % (129 - least);
		u128 size = length == 128 ? 0 : ((u128)1 << (128 - length)) - 1;
		u128 first = ((u128)(0x2001ull << 48 | (rnd(seed) & 0xffffffffffff)) << 64 | rnd(seed)) & ~size;
		bool apart = true;

		for (size_t i = 0; i < n && apart; i++)
			apart = first > ret_ranges[i].last || (first | size) < ret_ranges[i].first;
		if (apart)
			ret_ranges[n++] = (struct range){ first, first | size };
	}
}

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Each prefix an atom of its own, its number; around them the atom `count`. */
static size_t make_intervals(const struct range *ranges, size_t count, struct interval *ret_v)
{
	size_t n = 0;

	ret_v[n++] = (struct interval){ .atom = count };
	for (size_t i = 0; i < count; i++) {
		u128 behind = ranges[i].last + 1;

		if (interval_start(&ret_v[n - 1]) == ranges[i].first)
			n--;
		ret_v[n++] = (struct interval){ ranges[i].first >> 64, ranges[i].first, i };
		ret_v[n++] = (struct interval){ behind >> 64, behind, count };
	}
	return n;
}

#define LONE_MAX 512

/* What `diff` and `audit` read back of the tables. */
static void check_ranges(const struct tables *t, int family, const struct interval *v, size_t count)
{
	struct atom_ranges read;

	assert_int_equal(atom_ranges_read(t->bytes, &t->layout, family, &read), 0);
	assert_int_equal(read.count, count);
	for (size_t i = 0; i < count; i++)
		assert_true(read.v[i].first == interval_start(&v[i]) && read.v[i].atom == v[i].atom);
	atom_ranges_clear(&read);
}

/* ret_lines: all lines behind the root and the block. */
static void check_lone(size_t count, unsigned least, size_t *ret_lines)
{
	static struct range ranges[LONE_MAX];
	static struct interval v[2 * LONE_MAX + 1];
	struct intervals intervals = { .all = { .v = v } };
	struct lines lines = { .budget = 1 << 20 };
	struct tables t = { 0 };
	uint64_t seed = 3 + count;
	unsigned worst, reads;

	draw_lone(&seed, count, least, ranges);
	qsort(ranges, count, sizeof(*ranges), by_first);
	intervals.all.count = make_intervals(ranges, count, v);
	assert_int_equal(address_build(&lines, 6, &intervals, &t.layout.root6, &worst), 0);
	*ret_lines = lines.all.count - 4096 - 16;
	wrap(&t, &lines);
	t.layout.steps6 = worst - 1;
	t.layout.atom_count = count + 1;
	check_ranges(&t, 6, v, intervals.all.count);
	for (size_t i = 0; i < count; i++) {
		const struct range *r = &ranges[i];

		for (int n = 0; n < 40; n++) {
			u128 at = n == 0 ? r->first : n == 1 ? r->last : n == 2 ? r->first - 1 : n == 3 ? r->last + 1 :
				  r->first ^ (u128)1 << (rnd(&seed) % 112);
			uint32_t wanted = count;

			for (size_t j = 0; j < count; j++)
				if (at >= ranges[j].first && at <= ranges[j].last)
					wanted = j;
			assert_int_equal(look_up6(&t, at, &reads), wanted);
			assert_true(reads <= worst);
		}
	}
	array_free(&lines.all);
}

/* Scattered hosts: up to three share a line. */
static void lone_prefixes_share_lines(void **state)
{
	size_t lines;

	(void)state;
	check_lone(256, 128, &lines);
	assert_in_range(lines, 256 / 3, 256 * 2 / 3); /* the few bytes that have four of them take tails */
	check_lone(100, 128, &lines);
	assert_in_range(lines, 100 / 3, 100 * 2 / 3);
	for (unsigned least = 24; least < 128; least += 13)
		check_lone(LONE_MAX, least, &lines);
}

/* Runs of keys: `hosts` of them, `apart` each from the next, of atoms from 1 on; around them the atom 0. */
static size_t host_runs(unsigned hosts, unsigned apart, struct run *ret_runs)
{
	size_t n = 0;

	ret_runs[n++] = (struct run){ 0 };
	for (unsigned i = 0; i < hosts; i++) {
		uint16_t key = 1 + i * apart;

		ret_runs[n++] = (struct run){ key, 1 + i };
		if (apart > 1)
			ret_runs[n++] = (struct run){ key + 1, 0 };
	}
	return n;
}

static void sparse_keys_take_the_fewest_lines(void **state)
{
	static struct run runs[2 * 65536 + 2];
	size_t n;

	(void)state;
	assert_int_equal(sparse_bits(runs, host_runs(15, 4000, runs), 100), 0);
	assert_int_equal(sparse_bits(runs, host_runs(16, 4000, runs), 100), 1);
	assert_int_equal(sparse_bits(runs, host_runs(31, 2000, runs), 100), 2); /* with one bit 17 and 14 */
	assert_int_equal(sparse_bits(runs, host_runs(15, 1, runs), 100), 0);
	assert_int_equal(sparse_bits(runs, host_runs(4096, 16, runs), 4097), 9); /* 512 lines of eight */
	/* Sixteen beside each other: 32 lines and 64 of atoms; with a bit more 64 and 32. */
	assert_int_equal(sparse_bits(runs, host_runs(16, 1, runs), 1000), 5);
	assert_int_equal(sparse_bits(runs, host_runs(16, 1, runs), 96), -1);
	assert_int_equal(sparse_bits(runs, host_runs(16, 1, runs), 97), 5);
	n = host_runs(15, 4000, runs);
	assert_int_equal(sparse_bits(runs, n, 1), -1);
	assert_int_equal(sparse_bits(runs, n, 2), 0);
	runs[3].value = 0xffff;
	assert_int_equal(sparse_bits(runs, n, 100), 0);
	runs[3].value = 0x10000;
	assert_int_equal(sparse_bits(runs, n, 100), -1);
}

/*
 * The atoms of a /16 (IPv6: /112): `parts` of it, of one atom each, and in them `hosts` keys of other atoms, close to each other or
 * not. Returns how many intervals that makes.
 */
static size_t draw_sparse(uint64_t *seed, unsigned hosts, unsigned parts, unsigned within, uint32_t *ret_atoms, u128 base,
			  struct interval *ret_v)
{
	size_t n = 0;

	for (unsigned key = 0, atom = 0; key < 65536; key++) {
		if (key % (65536 / parts) == 0)
			atom = rnd(seed) & 0xffff;
		ret_atoms[key] = atom;
	}
	for (unsigned i = 0; i < hosts; i++)
		ret_atoms[rnd(seed) % within] = rnd(seed) & 0xffff;
	ret_v[n++] = (struct interval){ .atom = 0x1000000 };
	for (unsigned key = 0; key < 65536; key++)
		if (!key || ret_atoms[key] != ret_atoms[key - 1])
			ret_v[n++] = (struct interval){ (base + key) >> 64, base + key, ret_atoms[key] };
	ret_v[n++] = (struct interval){ (base + 65536) >> 64, base + 65536, 0x1000000 };
	return n;
}

/*
 * All addresses of it: by the walk, by what packets run, and read back. It is of sparse keys, at most so many bits, and a key reads at
 * most so many lines of them.
 */
static void check_sparse(int family, unsigned hosts, unsigned parts, unsigned within, unsigned bits, unsigned lines_read)
{
	static struct interval v[2 * 65536 + 2];
	static uint32_t atoms[65536];
	u128 base = family == 4 ? (u128)0x0a020000 : (u128)0x20010db8 << 96;
	struct intervals intervals = { .all = { .v = v } };
	struct lines lines = { .budget = 1 << 20 };
	struct tables t = { 0 };
	uint64_t seed = hosts + parts;
	uint32_t step, *root = family == 4 ? &t.layout.root4 : &t.layout.root6;
	unsigned worst;

	intervals.all.count = draw_sparse(&seed, hosts, parts, within, atoms, base, v);
	assert_int_equal(address_build(&lines, family, &intervals, root, &worst), 0);
	wrap(&t, &lines);
	t.layout.steps6 = worst - 1;
	t.layout.atom_count = 0x1000001;
	step = ((const uint32_t *)walk_line(&t, *root))[family == 4 ? 0x0a02 : 0x2001];
	if (family == 6)
		step = ((const struct zw_tail *)walk_line(&t, step & ZW_STEP_INDEX))->inside;
	assert_int_equal(step & ZW_STEPS, ZW_SPARSE);
	assert_in_range(step >> ZW_SPARSE_SHIFT & 15, 0, bits);
	assert_int_equal(worst, (family == 4 ? 1 : 2) + lines_read);
	for (uint32_t key = 0; key < 65536; key++) {
		struct addr a = { .family = family, .value = base + key };
		uint8_t wire[16];

		addr_to_bytes(&a, wire);
		assert_int_equal(walk_atom(&t, &a), atoms[key]);
		assert_int_equal(tables_atom(t.bytes, &t.layout, family, wire), atoms[key]);
	}
	check_ranges(&t, family, v, intervals.all.count);
	array_free(&lines.all);
}

static void sparse_keys_answer_as_what_they_are_made_of(void **state)
{
	(void)state;
	for (int family = 4; family <= 6; family += 2) {
		check_sparse(family, 7, 1, 65536, 0, 1);
		check_sparse(family, 15, 1, 65536, 0, 1);
		check_sparse(family, 64, 2, 65536, 4, 1);
		check_sparse(family, 300, 16, 65536, 7, 1);
		check_sparse(family, 4096, 1, 65536, 10, 2);
		check_sparse(family, 4096, 64, 65536, 10, 2);
		check_sparse(family, 3000, 1, 16384, 11, 2);
		check_sparse(family, 60000, 1, 32768, 8, 2);
	}
}

static u128 random_address(uint64_t *seed, int family, int shape)
{
	u128 a = (u128)rnd(seed) << 80 ^ (u128)rnd(seed) << 40 ^ rnd(seed);

	if (family == 4)
		a = (uint32_t)a;
	switch (shape) {
	case 0: /* anywhere */
		return a;
	case 1: /* few values of each chunk: deep sharing */
		return family == 4 ? a & 0x00030003
				   : a & (((u128)0x0001000000010003 << 64) | 0x0003000000000003);
	case 2: /* the ends of the space */
		return rnd(seed) & 1 ? a & 0xff : (family == 4 ? ADDR_MAX4 : ADDR_MAX6) - (a & 0xff);
	default: /* one block */
		return family == 4 ? 0x0a000000 | (a & 0xffff) : ((u128)0x20010db8 << 96) | (a & 0xfffff);
	}
}

/* A prefix of any length, or a range that is none. */
static struct range random_range(uint64_t *seed, int family, int shape)
{
	int bits = family == 4 ? 32 : 128,
	    len = rnd(seed) % 3 ? bits - rnd(seed) % 20 : rnd(seed) % (bits + 1);
	u128 first = random_address(seed, family, shape), size;

	if (rnd(seed) % 4 == 0) {
		u128 last = rnd(seed) & 1 ? random_address(seed, family, shape) : first + rnd(seed) % 300;

		last &= family == 4 ? ADDR_MAX4 : ADDR_MAX6;
		return first <= last ? (struct range){ first, last } : (struct range){ last, first };
	}
	size = len ? ((u128)1 << (bits - len)) - 1 : (family == 4 ? ADDR_MAX4 : ADDR_MAX6);
	return (struct range){ first & ~size, first | size };
}

/* The zones of an atom, by name, as the compiler lists them. What packets run comes to the same atom. */
static void check_zones(const struct policy *p, const struct tables *t, const struct addr *a, unsigned worst)
{
	unsigned reads = 0;
	uint32_t atom = a->family == 4 ? walk_atom4(t, a->value, &reads) : walk_atom6(t, a->value, &reads);
	const char *const *zones;
	size_t count = names_zones(t->names, atom, &zones), n = 0;
	uint8_t wire[16];

	addr_to_bytes(a, wire);
	assert_int_equal(tables_atom(t->bytes, &t->layout, a->family, wire), atom);
	assert_true(atom < t->layout.atom_count);
	assert_true(reads <= worst);
	for (unsigned z = ZONE_INDEX_FIRST_DECLARED; z < p->zone_count; z++) {
		if (!in_zone(p, z, a))
			continue;
		assert_true(n < count);
		assert_string_equal(zones[n++], p->zones[z].name);
	}
	if (in_zone(p, ZONE_INDEX_HOST, a))
		assert_string_equal(zones[n++], "host");
	assert_int_equal(n, count);
	assert_int_equal(walk_get_atom(t, atom)->flags, in_zone(p, ZONE_INDEX_HOST, a) ? ZW_ATOM_HOST : 0);
}

static void check_addresses(const struct policy *p, const struct tables *t, const struct range *range,
			    int family)
{
	u128 max = family == 4 ? ADDR_MAX4 : ADDR_MAX6;
	u128 at[6] = { range->first,
		       range->last,
		       range->first - 1,
		       range->last + 1,
		       range->first + (range->last - range->first) / 2,
		       range->first + (range->last - range->first) / 3 };

	for (int i = 0; i < 6; i++) {
		struct addr a = { .family = family, .value = at[i] & max };

		check_zones(p, t, &a, family == 4 ? t->stats.reads4 : t->stats.reads6);
	}
}

static void random_zones(uint64_t seed, size_t zones, size_t ranges)
{
	struct policy *p = made_new();
	struct range *v = calloc(ranges, sizeof(*v));
	int *family = calloc(ranges, sizeof(*family));
	struct tables *t;
	char name[32];

	for (size_t i = 0; i < zones; i++) {
		snprintf(name, sizeof(name), "z%zu", i);
		made_zone(p, name, ZONE_DECLARED);
	}
	for (size_t i = 0; i < ranges; i++) {
		unsigned zone =
			rnd(&seed) % 16 ? ZONE_INDEX_FIRST_DECLARED + rnd(&seed) % zones : ZONE_INDEX_HOST;

		family[i] = rnd(&seed) & 1 ? 4 : 6;
		v[i] = random_range(&seed, family[i], rnd(&seed) % 4);
		assert_int_equal(ranges_add(&p->zones[zone].set, family[i], v[i].first, v[i].last), 0);
	}
	for (size_t i = 0; i < p->zone_count; i++)
		assert_int_equal(ranges_normalise(&p->zones[i].set), 0);
	t = made_tables(p, NULL);
	for (size_t i = 0; i < ranges; i++)
		check_addresses(p, t, &v[i], family[i]);
	for (int i = 0; i < 300; i++) {
		int f = i & 1 ? 4 : 6;
		struct addr a = { .family = f, .value = random_address(&seed, f, i % 4) };

		check_zones(p, t, &a, f == 4 ? t->stats.reads4 : t->stats.reads6);
	}
	tables_free(t);
	made_free(p);
	free(v);
	free(family);
}

static void addresses_are_in_the_zones_that_hold_them(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 400; seed++) {
		random_zones(seed * 7919, 1 + seed % 7, seed % 40 + 1);
	}
	random_zones(11, 5, 3000);
	random_zones(13, 40, 2000);
}

/* All addresses of a /16 (IPv6: /112), every other 256 of them, and 500 hosts: by the walk, by what packets run, by zone. */
static void check_blocks(int family)
{
	u128 base = family == 4 ? (u128)0x0a020000 : (u128)0x20010db8 << 96;
	struct policy *p = made_new();
	unsigned zone = made_zone(p, "dense", ZONE_DECLARED), worst;
	bool *in = calloc(65536, sizeof(*in));
	const uint32_t *root;
	uint64_t seed = 5;
	struct tables *t;

	for (uint32_t first = 256; first < 65536; first += 512) {
		memset(in + first, true, 256);
		assert_int_equal(ranges_add(&p->zones[zone].set, family, base | first, base | (first + 255)), 0);
	}
	for (int i = 0; i < 500; i++) {
		uint32_t host = i < 100 ? rnd(&seed) & 0xffff : (rnd(&seed) & 0x03ff) | 0x4000;

		in[host] = true;
		assert_int_equal(ranges_add(&p->zones[zone].set, family, base | host, base | host), 0);
	}
	assert_int_equal(ranges_normalise(&p->zones[zone].set), 0);
	t = made_tables(p, NULL);
	worst = family == 4 ? t->stats.reads4 : t->stats.reads6;
	assert_int_equal(worst, family == 4 ? 3 : 4);
	root = walk_line(t, family == 4 ? t->layout.root4 : t->layout.root6);
	if (family == 4)
		assert_int_equal(root[0x0a02] & ZW_STEPS, ZW_BLOCK);
	for (uint32_t host = 0; host < 65536; host++) {
		struct addr a = { .family = family, .value = base | host };
		uint32_t atom = walk_atom(t, &a);
		uint8_t wire[16];

		addr_to_bytes(&a, wire);
		check_zones(p, t, &a, worst);
		assert_int_equal(atom, tables_atom(t->bytes, &t->layout, family, wire));
		assert_true(in[host] == (atom != walk_atom(t, &(struct addr){ .family = family, .value = base - 1 })));
	}
	tables_free(t);
	made_free(p);
	free(in);
}

static void dense_blocks_cost_two_lines(void **state)
{
	(void)state;
	check_blocks(4);
	check_blocks(6);
}

static void the_whole_space_and_single_addresses(void **state)
{
	struct policy *p = made_new();
	unsigned all = made_zone(p, "all", ZONE_DECLARED), one = made_zone(p, "one", ZONE_DECLARED);
	struct tables *t;

	(void)state;
	made_range(p, all, "0.0.0.0", "255.255.255.255");
	made_range(p, all, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	made_range(p, one, "0.0.0.0", "0.0.0.0");
	made_range(p, one, "255.255.255.255", "255.255.255.255");
	made_range(p, one, "::", "::");
	made_range(p, one, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	made_range(p, one, "2001:db8::1", "2001:db8::1");
	t = made_tables(p, NULL);
	for (size_t z = all; z <= one; z++) {
		for (size_t i = 0; i < p->zones[z].set.v4_count; i++)
			check_addresses(p, t, &p->zones[z].set.v4[i], 4);
		for (size_t i = 0; i < p->zones[z].set.v6_count; i++)
			check_addresses(p, t, &p->zones[z].set.v6[i], 6);
	}
	assert_int_equal(t->layout.atom_count, 2);
	tables_free(t);
	made_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(search_trees_answer_as_their_runs_do),
		cmocka_unit_test(a_search_line_looks_as_the_header_says),
		cmocka_unit_test(the_example_of_the_header),
		cmocka_unit_test(a_tail_skips_to_a_lone_prefix),
		cmocka_unit_test(lone_prefixes_share_lines),
		cmocka_unit_test(sparse_keys_take_the_fewest_lines),
		cmocka_unit_test(sparse_keys_answer_as_what_they_are_made_of),
		cmocka_unit_test(addresses_are_in_the_zones_that_hold_them),
		cmocka_unit_test(dense_blocks_cost_two_lines),
		cmocka_unit_test(the_whole_space_and_single_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
