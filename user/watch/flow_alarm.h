/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Says when new flows find no slot: in the loader's messages, once a minute at most, and in `status` for a while. What
 * was refused before the first look is no news.
 */
#ifndef ZW_FLOW_ALARM_H
#define ZW_FLOW_ALARM_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/instance.h"

struct json_object;

struct flow_alarm {
	struct flow_alarm_table {
		bool known;
		uint64_t refused; /* at the last look */
		uint64_t untold; /* since the last message */
		uint64_t recent; /* as long as it goes on */
		unsigned quiet_ticks; /* since the last one */
		unsigned told_ticks; /* since the last message */
	} tables[2]; /* IPv4, IPv6 */
};

void flow_alarm_tick(struct flow_alarm *alarm, const struct instance *instance); /* once a second */

/* What there is to tell of one table, whose count is `refused` now: flows to warn of; 0 none. */
uint64_t flow_alarm_count(struct flow_alarm_table *table, uint64_t refused);

/* Adds a line for each table that has refused flows within the last ten minutes to a JSON array. */
void flow_alarm_report(const struct flow_alarm *alarm, struct json_object *warnings);

#endif
