/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes of the flow tables, and the timeouts in jiffies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compile/timeouts.h"
#include "kernel/flows.h"

static void buckets_hold_at_least_what_was_asked_for(void **state)
{
	(void)state;
	assert_int_equal(flows_buckets(4, 1), 1);
	assert_int_equal(flows_buckets(4, 4), 1);
	assert_int_equal(flows_buckets(4, 5), 2);
	assert_int_equal(flows_buckets(6, 8), 1);
	assert_int_equal(flows_buckets(6, 262144), 32768);
	assert_int_equal(flows_room(4, flows_buckets(4, 262144)), 262144);
}

static void a_table_stays_within_one_map(void **state)
{
	(void)state;
	assert_true(flows_size(4, 64, flows_buckets(4, UINT32_MAX)) <= ZW_TABLES_MAX);
	assert_true(flows_size(6, 64, flows_buckets(6, UINT32_MAX)) <= ZW_TABLES_MAX);
	assert_true(flows_room(4, flows_buckets(4, UINT32_MAX)) >= 4000000);
}

static void the_size_tells_the_buckets(void **state)
{
	(void)state;
	for (uint32_t buckets = 1; buckets <= 65536; buckets *= 2) {
		assert_int_equal(flows_buckets_of(4, 2, flows_size(4, 2, buckets)), buckets);
		assert_int_equal(flows_buckets_of(6, 3, flows_size(6, 3, buckets)), buckets);
		assert_int_equal(flows_buckets_of(4, 2, flows_size(4, 2, buckets) + 64), 0);
	}
}

static void sections_begin_on_lines_and_do_not_overlap(void **state)
{
	(void)state;
	for (uint32_t cpus = 1; cpus <= 9; cpus++) {
		assert_true(zw_flows_buckets(cpus) >= ZW_FLOW_SEEDS * 8 + cpus * sizeof(struct zw_flow_stats));
		assert_int_equal(zw_flows_buckets(cpus) % 128, 0);
		assert_int_equal(zw_flows_keys(cpus, 16) - zw_flows_buckets(cpus), 16 * 64);
		assert_int_equal(zw_flows_accounts(6, cpus, 16) - zw_flows_keys(cpus, 16), 16 * 512);
		assert_int_equal(zw_flows_accounts(4, cpus, 16) - zw_flows_buckets(cpus), 16 * 128);
		assert_int_equal(zw_flows_size(4, cpus, 16) - zw_flows_accounts(4, cpus, 16), 16 * 4 * 64);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_hold_at_least_what_was_asked_for),
		cmocka_unit_test(a_table_stays_within_one_map),
		cmocka_unit_test(the_size_tells_the_buckets),
		cmocka_unit_test(sections_begin_on_lines_and_do_not_overlap),
		cmocka_unit_test(timeouts_are_in_jiffies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
