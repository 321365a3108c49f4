// SPDX-License-Identifier: GPL-2.0-only
/* When the loader says that new flows find no slot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "watch/flow_alarm.h"

static void an_alarm_tells_once_a_minute(void **state)
{
	struct flow_alarm_table table = { 0 };

	(void)state;
	assert_int_equal(flow_alarm_count(&table, 500), 0); /* before our time */
	assert_int_equal(flow_alarm_count(&table, 500), 0);
	assert_int_equal(flow_alarm_count(&table, 510), 10);
	for (int i = 1; i <= 60; i++)
		assert_int_equal(flow_alarm_count(&table, 510 + i), 0);
	assert_int_equal(table.recent, 70);
	assert_int_equal(flow_alarm_count(&table, 575), 65);
	for (int i = 0; i < 600; i++)
		assert_int_equal(flow_alarm_count(&table, 575), 0);
	assert_int_equal(table.recent, 0);
	assert_int_equal(flow_alarm_count(&table, 3), 0); /* another table */
	assert_int_equal(flow_alarm_count(&table, 4), 1);
}

static void assert_report(const struct flow_alarm *alarm, const char *wanted)
{
	struct json_object *warnings = json_object_new_array();

	flow_alarm_report(alarm, warnings);
	assert_string_equal(json_object_to_json_string_ext(warnings, JSON_C_TO_STRING_PLAIN), wanted);
	json_object_put(warnings);
}

static void status_warns_of_what_was_refused_lately(void **state)
{
	struct flow_alarm alarm = { 0 };

	(void)state;
	flow_alarm_count(&alarm.tables[1], 5);
	assert_report(&alarm, "[]");
	flow_alarm_count(&alarm.tables[1], 8);
	assert_report(&alarm, "[\"the IPv6 flow table is full: 3 new flows found no slot lately\"]");
	for (int i = 0; i < 599; i++)
		flow_alarm_count(&alarm.tables[1], 8);
	assert_report(&alarm, "[\"the IPv6 flow table is full: 3 new flows found no slot lately\"]");
	flow_alarm_count(&alarm.tables[1], 8);
	assert_report(&alarm, "[]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alarm_tells_once_a_minute),
		cmocka_unit_test(status_warns_of_what_was_refused_lately),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
