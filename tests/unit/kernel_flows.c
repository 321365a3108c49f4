/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes of the flow tables, and the timeouts in jiffies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compile/timeouts.h"
#include "kernel/flows.h"

static struct zw_flow_layout layout_for(int family, uint64_t flows)
{
	return flows_layout(family, 64, flows, ZW_FRAGMENT_BUCKETS);
}

static void buckets_hold_at_least_what_was_asked_for(void **state)
{
	struct zw_flow_layout layout = layout_for(4, 262144);

	(void)state;
	assert_int_equal(layout_for(4, 1).buckets, 1);
	assert_int_equal(layout_for(4, 8).buckets, 1);
	assert_int_equal(layout_for(4, 9).buckets, 2);
	assert_int_equal(layout_for(6, 8).buckets, 1);
	assert_int_equal(layout_for(6, 262144).buckets, 32768);
	assert_int_equal(flows_room(&layout), 262144);
}

static void a_table_stays_within_one_map(void **state)
{
	struct zw_flow_layout largest = layout_for(4, UINT32_MAX);

	(void)state;
	assert_true(largest.size <= ZW_TABLES_MAX);
	assert_true(layout_for(6, UINT32_MAX).size <= ZW_TABLES_MAX);
	assert_true(flows_room(&largest) >= 4000000);
}

static void the_size_tells_the_buckets(void **state)
{
	(void)state;
	for (uint32_t buckets = 1; buckets <= 65536; buckets *= 2)
		for (int family = 4; family <= 6; family += 2) {
			uint64_t size = zw_flow_layout(family, 3, buckets, ZW_FRAGMENT_BUCKETS).size;

			assert_int_equal(flows_layout_of(family, 3, size).buckets, buckets);
			assert_int_equal(flows_layout_of(family, 3, size + 64).buckets, 0);
		}
}

static void sections_begin_on_lines_and_do_not_overlap(void **state)
{
	(void)state;
	for (uint32_t cpus = 1; cpus <= 9; cpus++)
		for (int family = 4; family <= 6; family += 2) {
			struct zw_flow_layout l = zw_flow_layout(family, cpus, 1, 16);
			const uint64_t slots = 17 * ZW_FLOW_SLOTS;

			assert_int_equal(l.tags, ZW_FLOW_SEEDS * 8 + cpus * sizeof(struct zw_flow_stats));
			assert_int_equal(l.hints % 64, 0);
			assert_true(l.hints >= l.tags + 17 * 8);
			assert_true(l.slots >= l.hints + slots * 4);
			assert_int_equal(l.slots % 64, 0);
			assert_int_equal(l.accounts - l.slots, slots * (family == 4 ? 64 : 96));
			assert_int_equal(l.size - l.accounts, slots * sizeof(struct zw_flow_account));
		}
}

static void timeouts_are_in_jiffies(void **state)
{
	struct zw_timeouts timeouts;

	(void)state;
	timeouts_set(&timeouts, 250);
	assert_int_equal(timeouts.jiffies[ZW_FLOW_UDP], 30 * 250);
	timeouts_set(&timeouts, 1000);
	assert_int_equal(timeouts.jiffies[ZW_FLOW_TCP_ESTABLISHED], 432000000);
}

static void hints_outlast_every_timeout(void **state)
{
	static const struct {
		unsigned hz, shift;
	} kernels[] = { { 100, 0 }, { 250, 0 }, { 300, 0 }, { 1000, 2 }, { 1024, 2 } };
	struct zw_timeouts timeouts;

	(void)state;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(*kernels); i++) {
		timeouts_set(&timeouts, kernels[i].hz);
		assert_int_equal(timeouts.hint_shift, kernels[i].shift);
		for (int s = 0; s < ZW_FLOW_STATES; s++)
			assert_true(timeouts.jiffies[s] >> timeouts.hint_shift < 0x7ffffff - 255);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_hold_at_least_what_was_asked_for),
		cmocka_unit_test(a_table_stays_within_one_map),
		cmocka_unit_test(the_size_tells_the_buckets),
		cmocka_unit_test(sections_begin_on_lines_and_do_not_overlap),
		cmocka_unit_test(timeouts_are_in_jiffies),
		cmocka_unit_test(hints_outlast_every_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
