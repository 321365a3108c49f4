/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing flows into a table that programs may use at the same time, by their own protocol (bpf/flow_table.h).
 */
#ifndef ZW_SEED_TABLE_H
#define ZW_SEED_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/live.h"

/* A flow table as it lies in memory (zonewall.h). memory is borrowed, and has its seeds. */
struct seed_table {
	int family;
	struct zw_flow_layout layout;
	uint8_t *memory;
};

enum seeded {
	SEEDED_NEW,
	SEEDED_KNOWN, /* the table has this flow: it is as it was */
	SEEDED_NO_ROOM, /* nothing is replaced to seed a flow, except what has ended */
};

/*
 * Adds a flow of no generation: its next packet is decided like one after an apply, by the first packet that live
 * tells of. now, hz: jiffies (see jiffies.h).
 */
enum seeded seed_put(const struct seed_table *table, const struct live *live, uint64_t now, unsigned hz);

#endif
