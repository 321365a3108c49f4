// SPDX-License-Identifier: GPL-2.0-only
#include "watch/flow_alarm.h"

#include <bpf/bpf.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>

#include "base/util.h"
#include "kernel/edge.h"
#include "kernel/flows.h"
#include "kernel/pins.h"

#define TELL_TICKS 60
#define QUIET_TICKS 600

uint64_t flow_alarm_count(struct flow_alarm_table *table, uint64_t refused)
{
	/* The first look, or a table that was made anew. */
	uint64_t more = table->known && refused >= table->refused ? refused - table->refused : 0, tell;

	if (!table->known)
		table->told_ticks = TELL_TICKS;
	table->known = true;
	table->refused = refused;
	table->untold += more;
	table->recent += more;
	table->quiet_ticks = more ? 0 : table->quiet_ticks + 1;
	if (table->quiet_ticks >= QUIET_TICKS)
		table->recent = 0;
	if (++table->told_ticks <= TELL_TICKS || !table->untold)
		return 0;
	tell = table->untold;
	table->untold = 0;
	table->told_ticks = 0;
	return tell;
}

static bool read_refused(const struct instance *instance, int family, uint64_t *ret_refused)
{
	struct zw_flow_stats stats;
	char path[PATH_MAX];
	_cleanup_close_ int fd = -1;

	pins_path(path, instance_name(instance), "/state/zw_flows%d", family);
	fd = bpf_obj_get(path);
	if (fd < 0 || flows_stats(fd, instance_cpus(instance), &stats))
		return false;
	*ret_refused = stats.refused;
	return true;
}

void flow_alarm_tick(struct flow_alarm *alarm, const struct instance *instance)
{
	for (int i = 0; i < 2; i++) {
		uint64_t refused, tell;

		if (!read_refused(instance, i ? 6 : 4, &refused))
			continue;
		tell = flow_alarm_count(&alarm->tables[i], refused);
		if (tell)
			edge_warn("the IPv%d flow table is full: %llu new flows found no slot\n"
				  "fix: a larger number for 'flows' in the policy's defaults, then down and apply",
				  i ? 6 : 4, (unsigned long long)tell);
	}
}

void flow_alarm_report(const struct flow_alarm *alarm, struct json_object *warnings)
{
	char text[128];

	for (int i = 0; i < 2; i++) {
		if (!alarm->tables[i].recent)
			continue;
		snprintf(text, sizeof(text), "the IPv%d flow table is full: %llu new flows found no slot lately",
			 i ? 6 : 4, (unsigned long long)alarm->tables[i].recent);
		json_object_array_add(warnings, json_object_new_string(text));
	}
}
