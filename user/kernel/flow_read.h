/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading the flow tables while the programs write them: a slot is copied, and believed only if all its words are of
 * one version (bpf/flow_table.h, whose functions this compiles). A pass looks at each slot once, so it ends after as
 * many steps as there are slots, and a flow that stays in its slot is met exactly once, whatever happens to others.
 */
#ifndef ZW_FLOW_READ_H
#define ZW_FLOW_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zonewall.h"

/* One family's table: the whole value of its map. memory NULL: there is none, and no slots. */
struct flow_table {
	int family; /* 4, 6 */
	struct zw_flow_layout layout;
	const void *memory; /* may be mapped read-only */
};

/* The value of a table's map, borrowed. -EPROTO: no table has this size. */
int flow_table_of(int family, unsigned cpus, const void *memory, size_t size, struct flow_table *ret_table);
/* Maps a pinned table read-only; flow_table_unmap() ends that. 0 or -errno, silent. */
int flow_table_map(const char *instance, int family, struct flow_table *ret_table);
void flow_table_unmap(struct flow_table *table);

uint64_t flow_table_slots(const struct flow_table *table); /* for flows */

/* A flow, seen from its opener. */
struct flow_record {
	int family;
	uint8_t protocol;
	uint8_t state; /* enum zw_flow_state */
	bool confirmed; /* protected against newer ones */
	__u32 source[4], destination[4]; /* wire order; the source opened */
	__be16 sport, dport; /* ICMP echo: the identifier, twice */
	uint32_t generation; /* that decided it last; 0 none yet */
	uint32_t cell; /* that allowed it there */
	uint16_t port; /* destination port of the first packet, or ICMP type << 8 | code */
	uint64_t age, idle; /* jiffies since its first packet, since its time was written: up to FLOW_REFRESH too old */
	uint64_t packets[2], bytes[2]; /* from the opener, from the other side */
};

enum flow_read { FLOW_NONE, FLOW_CHANGING, FLOW_READ };

/* What slot number `slot` holds at `now` (jiffies64). ret_flow is set for FLOW_READ only. */
enum flow_read flow_read(const struct flow_table *table, uint64_t slot, uint64_t now, struct flow_record *ret_flow);

struct flow_census {
	uint64_t live, confirmed; /* flows; those of them that are protected */
	uint64_t changing; /* slots that were being written */
	uint64_t fragments; /* first fragments that are remembered */
};

/* One pass over heads and times: a few milliseconds for 100,000 slots. */
void flow_count_all(const struct flow_table *table, uint64_t now, struct flow_census *ret_census);

#endif
