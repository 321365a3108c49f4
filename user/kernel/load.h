/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A generation's programs with their tables: opens a fresh copy of the BPF object, sizes its maps, sets its constants,
 * loads it and fills its tables. Publishing reuses the pinned maps of state; simulating keeps them private.
 *
 *   load_open() -> [load_reuse() for each map of state] -> load_finish() -> use skel -> zonewall_bpf__destroy()
 */
#ifndef ZW_LOAD_H
#define ZW_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compile/tables.h"
#include "zonewall.h"

struct zonewall_bpf;

struct load_options {
	uint32_t generation;
	uint64_t flows; /* entries a family, 0: flows_auto() */
	uint32_t fragment_buckets; /* a power of two, 0: ZW_FRAGMENT_BUCKETS */
	bool simulate;
};

/* Tells what is wrong. On success the caller destroys the object. */
int load_open(const struct tables *tables, const struct load_options *options, struct zonewall_bpf **ret_skel);
/* Verifies, fills and freezes. Tells what is wrong; the object is still the caller's to destroy. */
int load_finish(struct zonewall_bpf *skel, const struct tables *tables);
/*
 * The same for the programs of some hooks (a bit each), on two CPUs, since verifying takes most of the time. They are not the
 * object's then, but the caller's, by hook, to close with load_close(). Tables without bytes: they are in their map already.
 */
int load_programs(struct zonewall_bpf *skel, const struct tables *tables, unsigned hooks, int ret_program[ZW_HOOKS]);
void load_close(int program[ZW_HOOKS]);

/* Maps of state: name and, while the object is open but not loaded, its map. NULL after the last. */
struct bpf_map;
struct bpf_map *load_state_map(const struct zonewall_bpf *skel, unsigned index);
/* Uses the pinned map at path for this one. 0; -ENOENT; -EPROTO if the pinned one has another shape. Silent.
 * A flow table of another size is used as it is, and *ret_resized set. */
int load_reuse(struct zonewall_bpf *skel, struct bpf_map *map, const char *path, bool *ret_resized);
/* The same for all maps of state of an instance. Tells errors. */
int load_reuse_state(struct zonewall_bpf *skel, const char *instance, bool *ret_resized);
/* The same of those that a predecessor has with the layout that is known here. */
struct predecessor;
int load_take_state(struct zonewall_bpf *skel, const char *instance, const struct predecessor *predecessor, bool *ret_resized);

/*
 * One more than the highest number that a CPU may have: strides in the maps whose parts are a CPU's own. 0, and errno: the kernel
 * does not say, and load_open() and instance_open() fail.
 */
unsigned load_cpus(void);
int load_know_cpus(void); /* 0, and load_cpus() is known from then on; or tells and returns -errno */
size_t load_rules_stride(const struct zw_layout *layout); /* bytes a CPU in zw_rules */
size_t load_events_stride(void);
size_t load_counters_stride(void);
struct zw_flow_layout load_flow_layout(const struct zonewall_bpf *skel, int family);

#endif
