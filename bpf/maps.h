/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps of the accounts: all arrays with one value that user space maps, sized by the loader. The tables are in
 * lookup.h, the flows in flow_maps.h. State (pinned, outlives a generation): zw_points, zw_counters, zw_events,
 * zw_ring, zw_clock and the flows. Of one generation: zw_tables, zw_rules, zw_sources, zw_matches and zw_jobs.
 */
#ifndef ZW_MAPS_H
#define ZW_MAPS_H

#include "platform.h"

const volatile __u32 zw_cpus = 1; /* as many as the highest number that a CPU may have, and one: strides of the maps below */
const volatile __u32 zw_hz = 1; /* jiffies a second */

#define ZW_ONE_VALUE(name, size)                         \
	struct {                                         \
		__uint(type, BPF_MAP_TYPE_ARRAY);        \
		__uint(max_entries, 1);                  \
		__uint(map_flags, BPF_F_MMAPABLE);       \
		__uint(key_size, 4);                     \
		__uint(value_size, size);                \
	} name SEC(".maps")

ZW_ONE_VALUE(zw_points, ZW_POINT_ENTRIES * sizeof(struct zw_point));
ZW_ONE_VALUE(zw_counters, 64);
ZW_ONE_VALUE(zw_rules, 64);
ZW_ONE_VALUE(zw_sources, sizeof(struct zw_sources));
ZW_ONE_VALUE(zw_events, 64);
ZW_ONE_VALUE(zw_clock, sizeof(struct zw_clock));
ZW_ONE_VALUE(zw_simulation, sizeof(struct zw_simulation));

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} zw_ring SEC(".maps");

/*
 * The value of a map that has one: no look-up, but an address in the instruction. The loader makes it of the map's
 * (user/kernel/values.h). What stands there is none of the map's variable, which clang must not know. (__BPF__: the
 * fuzzers, which compile the programs natively, have maps of their own.)
 */
#ifdef __BPF__
static __always_inline void *only_value(void *map)
{
	asm("" : "+r"(map));
	if (!map)
		__builtin_unreachable();
	return map;
}
#else
static __always_inline void *only_value(void *map)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(map, &zero);
}
#endif

#endif
