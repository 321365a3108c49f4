/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow tables' sizes and seeds (layout in zonewall.h, protocol in bpf/flow_table.h).
 */
#ifndef ZW_FLOWS_H
#define ZW_FLOWS_H

#include <stdint.h>

#include "zonewall.h"

/*
 * A table with room for so many flows of a family (4, 6), or for as many as one map can hold. cpus: the possible ones.
 * fragment_buckets: a power of two, ZW_FRAGMENT_BUCKETS but in tests.
 */
struct zw_flow_layout flows_layout(int family, unsigned cpus, uint64_t flows, uint32_t fragment_buckets);
uint64_t flows_room(const struct zw_flow_layout *layout); /* slots for flows */

/* The layout of a table whose value has this size; buckets is 0 if no table has. */
struct zw_flow_layout flows_layout_of(int family, unsigned cpus, uint64_t value_size);

/* A default that fits this machine: flows a family, about one part in sixty of memory for both. */
uint64_t flows_auto(void);

/* Gives a new table, whose value begins with them, its random seeds; one that has them keeps them. 0 or -errno. */
int flows_seed(int map_fd);

/* Forgets all flows; seeds and statistics stay. For tables of a simulation, which nobody else uses. */
int flows_clear(int map_fd, const struct zw_flow_layout *layout);

/* Sums the CPUs' statistics. 0 or -errno. */
int flows_stats(int map_fd, unsigned cpus, struct zw_flow_stats *ret_stats);

#endif
