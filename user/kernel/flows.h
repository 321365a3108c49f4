/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow tables' sizes and seeds (layout in zonewall.h, protocol in bpf/flow_table.h).
 */
#ifndef ZW_FLOWS_H
#define ZW_FLOWS_H

#include <stdint.h>

#include "zonewall.h"

/* Buckets for so many flows of a family (4, 6): a power of two, as many as one map can hold at most. */
uint32_t flows_buckets(int family, uint64_t flows);
uint64_t flows_room(int family, uint32_t buckets); /* slots */

/* Bytes of a table with so many buckets for flows; it has ZW_FRAGMENT_BUCKETS more. */
uint64_t flows_size(int family, unsigned cpus, uint32_t buckets);

/* Buckets for flows of a table whose value has this size; 0 if no table has. */
uint32_t flows_buckets_of(int family, unsigned cpus, uint64_t value_size);

/* A default that fits this machine: flows a family, about one part in sixty of memory for both. */
uint64_t flows_auto(void);

/* Gives a new table its random seeds; one that has them keeps them. 0 or -errno. */
int flows_seed(int map_fd, uint64_t value_size);

/* Forgets all flows; seeds and statistics stay. For tables of a simulation, which nobody else uses. */
int flows_clear(int map_fd, uint64_t value_size, unsigned cpus);

/* Sums the CPUs' statistics. 0 or -errno. */
int flows_stats(int map_fd, unsigned cpus, struct zw_flow_stats *ret_stats);

#endif
