/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where flows are read from, and the names that go with their numbers: both tables, the clock that their times are of,
 * and the generations that are still pinned.
 */
#ifndef ZW_FLOW_SOURCE_H
#define ZW_FLOW_SOURCE_H

#include "kernel/flow_read.h"
#include "kernel/instance.h"
#include "simulate/fate.h"

struct flow_source {
	struct flow_table tables[2]; /* IPv4, IPv6 */
	uint64_t jiffies; /* at the time at_ns of CLOCK_MONOTONIC */
	int64_t at_ns; /* 0: the clock stands still */
	unsigned hz;
	int64_t seconds; /* Unix time then */
	uint32_t current; /* number of the generation that decides, 0: everything passes */
	struct generation *generations[ZW_GATE_SLOTS]; /* the current one, others; NULL if not pinned */
};

/* Opens what is pinned; flow_source_close() lets go of all of it. 0 or -errno, silent. */
int flow_source_open(const struct instance *instance, struct flow_source *ret_source);
void flow_source_close(struct flow_source *source);

uint64_t flow_source_now(const struct flow_source *source); /* jiffies64 */

/* A flow with its names, which belong to the source's generations. */
struct flow_seen {
	struct flow_record record;
	const char *reason; /* it was allowed for: "rule", "default", "intra-zone", "failsafe"; NULL: not known */
	const char *rule; /* id; NULL: none, or not known */
	const char *const *zones[2]; /* of opener and other side, under the current generation */
	size_t zone_count[2];
	bool stale; /* the current generation has not decided it yet */
	const char *staged; /* id of the staged rule that would drop its first packet now; NULL: none would */
};

void flow_source_name(const struct flow_source *source, struct flow_seen *flow);

struct connection flow_connection(const struct flow_record *record);

#endif
