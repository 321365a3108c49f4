// SPDX-License-Identifier: GPL-2.0-only
/* Addresses and sets of them, against the C library and against a plain bitmap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "base/addr.h"
#include "base/util.h"

static uint64_t seed = 1;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 33;
}

static void canonical_texts(void **state)
{
	static const struct {
		const char *text, *canonical; /* NULL: refused */
	} rows[] = {
		{ "10.2.0.1", "10.2.0.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "2001:0db8::0001", "2001:db8::1" }, /* RFC 5952 4.1 */
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" }, /* 4.2.2: one group is not shortened */
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" }, /* 4.2.3: the longest run */
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" }, /* 4.2.3: the first of equals */
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" }, /* 5 */
		{ "::ffff:c000:201", "::ffff:192.0.2.1" },
		{ "::192.0.2.1", "::c000:201" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "", NULL },
		{ "10.2.0", NULL },
		{ "10.2.0.01", NULL },
		{ "10.2.0.256", NULL },
		{ "10.2.0.1 ", NULL },
		{ " 10.2.0.1", NULL },
		{ "10.2.0.1/32", NULL },
		{ "0x0a.2.0.1", NULL },
		{ "fe80::1%eth0", NULL },
		{ "1::2::3", NULL },
		{ "12345::", NULL },
		{ "1:2:3:4:5:6:7", NULL },
		{ "1:2:3:4:5:6:7:8:9", NULL },
		{ "::g", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[ADDR_TEXT_MAX];
		struct addr addr;
		int err = addr_parse(rows[i].text, &addr);

		if (!rows[i].canonical) {
			assert_int_equal(err, -EINVAL);
			continue;
		}
		assert_int_equal(err, 0);
		addr_print(&addr, text);
		assert_string_equal(text, rows[i].canonical);
	}
}

/* Random bytes with many zero groups, so that every way of shortening is met. */
static void random_addresses_survive(void **state)
{
	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint8_t bytes[16], back[16];
		char text[ADDR_TEXT_MAX], reference[INET6_ADDRSTRLEN];
		struct addr addr, again;
		int family = rnd() % 4 ? 6 : 4;

		for (int j = 0; j < 16; j += 2) {
			uint16_t group = rnd() % 2 ? 0 : rnd() % 3 ? rnd() : 0xffff;

			memcpy(bytes + j, &group, 2);
		}
		addr = addr_from_bytes(family, bytes);
		addr_to_bytes(&addr, back);
		assert_memory_equal(bytes, back, family == 4 ? 4 : 16);
		addr_print(&addr, text);
		assert_int_equal(addr_parse(text, &again), 0);
		assert_true(again.family == family && again.value == addr.value);
		inet_ntop(family == 4 ? AF_INET : AF_INET6, bytes, reference, sizeof(reference));
		/* The C library writes the long deprecated ::a.b.c.d mixed, too. */
		if (family == 4 || addr.value >> 32)
			assert_string_equal(text, reference);
	}
}

#define UNIVERSE 256

/* A small world at the end of the address space, where sums wrap. */
static u128 place(int family, unsigned n)
{
	return (family == 4 ? ADDR_MAX4 : ADDR_MAX6) - (UNIVERSE - 1) + n;
}

static void fill(struct ranges *ranges, int family, bool *member)
{
	memset(member, 0, UNIVERSE);
	for (unsigned n = rnd() % 12; n; n--) {
		unsigned first = rnd() % UNIVERSE, last = first + rnd() % 20;

		last = last < UNIVERSE ? last : UNIVERSE - 1;
		assert_int_equal(ranges_add(ranges, family, place(family, first), place(family, last)), 0);
		memset(member + first, 1, last - first + 1);
	}
	assert_int_equal(ranges_normalise(ranges), 0);
}

static void check_set(const struct ranges *set, int family, const bool *member)
{
	const struct range *range = family == 4 ? set->v4 : set->v6;
	size_t count = family == 4 ? set->v4_count : set->v6_count;

	for (unsigned n = 0; n < UNIVERSE; n++)
		assert_int_equal(ranges_contain(set, &(struct addr){ family, place(family, n) }), member[n]);
	assert_false(ranges_contain(set, &(struct addr){ family, place(family, 0) - 1 }));
	for (size_t i = 0; i < count; i++) {
		assert_true(range[i].first <= range[i].last);
		if (i)
			assert_true(range[i].first > range[i - 1].last + 1);
	}
	assert_int_equal(ranges_empty(set), !memchr(member, 1, UNIVERSE));
}

static void sets_are_as_bitmaps(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct ranges set = { 0 }, minus = { 0 };
		bool member[UNIVERSE], out[UNIVERSE];
		int family = i % 2 ? 4 : 6;

		fill(&set, family, member);
		check_set(&set, family, member);
		fill(&minus, family, out);
		assert_int_equal(ranges_subtract(&set, &minus), 0);
		for (unsigned n = 0; n < UNIVERSE; n++)
			member[n] = member[n] && !out[n];
		check_set(&set, family, member);
		/* A set that was cut goes on growing. */
		assert_int_equal(ranges_add(&set, family, place(family, 7), place(family, 9)), 0);
		assert_int_equal(ranges_normalise(&set), 0);
		memset(member + 7, 1, 3);
		check_set(&set, family, member);
		ranges_clear(&set);
		ranges_clear(&minus);
	}
}

static void everything_minus_one(void **state)
{
	struct ranges all = { 0 }, one = { 0 };

	(void)state;
	assert_int_equal(ranges_add(&all, 6, 0, ADDR_MAX6), 0);
	assert_int_equal(ranges_add(&all, 4, 0, ADDR_MAX4), 0);
	assert_int_equal(ranges_add(&one, 6, ADDR_MAX6, ADDR_MAX6), 0);
	assert_int_equal(ranges_add(&one, 4, 0, 0), 0);
	assert_int_equal(ranges_subtract(&all, &one), 0);
	assert_int_equal(all.v6_count, 1);
	assert_true(all.v6[0].first == 0 && all.v6[0].last == ADDR_MAX6 - 1);
	assert_int_equal(all.v4_count, 1);
	assert_true(all.v4[0].first == 1 && all.v4[0].last == ADDR_MAX4);
	ranges_clear(&all);
	ranges_clear(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_texts),
		cmocka_unit_test(random_addresses_survive),
		cmocka_unit_test(sets_are_as_bitmaps),
		cmocka_unit_test(everything_minus_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
