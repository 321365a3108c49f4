/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An instance: one firewall's pinned state, seen from user space. Instances are named, so that each network namespace
 * (or test) can have its own: pins stand in /sys/fs/bpf/zonewall/NAME/abi-N/, runtime files (lock, socket) in
 * /run/zonewall/NAME/, saved files in /var/lib/zonewall/NAME/.
 *
 * Pins, below abi-N/:
 *   gate/      maps zw_gate and zw_unnamed, prog arrays zw_slot_xdp, zw_slot_ingress, zw_slot_egress; the book zw_book;
 *              programs zw_gate_xdp, zw_gate_ingress, zw_gate_egress, and zw_none_xdp, zw_none_tc for slots without a generation
 *   links/     one XDP or TCX link for each attach point, named "<hook>-<ifindex>"
 *   state/     zw_flows4 zw_flows6 zw_points zw_counters zw_events zw_ring zw_blocks zw_clock zw_collected
 *   gen-<N>/   zw_tables, zw_rules, zw_sources, zw_names and zw_policy of each generation that a slot holds, and of the programs
 *              zw_xdp, zw_ingress and zw_egress those that are needed (programs.h)
 *
 * zw_names holds a struct names_header, the generation's struct zw_layout, who must not be blocked, and the bytes of its
 * names (tables.h); zw_policy a pack of the files that it was made from (base/files.h), zw_candidate one of a candidate's, if one is
 * staged.
 * Everything read here is mapped read-only, except zw_collected, which belongs to the events' reader.
 */
#ifndef ZW_INSTANCE_H
#define ZW_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compile/tables.h"
#include "zonewall.h"

struct instance;

/*
 * Opens what is pinned. 0; -ENOENT: nothing is published under this name; -EPERM, -EACCES: rights are missing;
 * -EIO: the kernel does not say how many CPUs it has; -EPROTO: what is pinned is not what this version expects. Nothing is
 * created or changed.
 */
int instance_open(const char *name, struct instance **ret_instance);
void instance_free(struct instance *instance);
const char *instance_name(const struct instance *instance);

/* Paths (owned by the instance name's caller: text of PATH_MAX bytes). */
int instance_run_path(const char *name, const char *file, char *ret_path); /* /run/zonewall/NAME/file */
int instance_state_path(const char *name, const char *file, char *ret_path); /* /var/lib/zonewall/NAME/file */

const volatile struct zw_gate *instance_gate(const struct instance *instance);

/* Number of the generation that decides now (dead man included). 0: everything passes. */
uint32_t instance_current(const struct instance *instance);

/* A policy on trial (`apply --confirm`), or one that was. */
struct instance_trial {
	bool on; /* it goes back to `fallback` (0: everything passes) in left_s seconds, unless confirmed */
	uint32_t fallback;
	unsigned left_s;
	bool is_over; /* it went back, and nobody has noted that yet */
	uint32_t failed; /* the generation that went back, until another is published; 0 none */
};
void instance_trial(const struct instance *instance, struct instance_trial *ret_trial);

unsigned instance_cpus(const struct instance *instance); /* possible CPUs: strides in the per-CPU maps */
int instance_ring_fd(const struct instance *instance); /* borrowed */

/* The CPU's head; its ZW_EVENT_ALL_ENTRIES entries follow at ret_entries. */
const volatile struct zw_event_head *instance_events(const struct instance *instance, unsigned cpu,
						     const volatile struct zw_event_entry **ret_entries);

/* What the reader has told of each entry of a CPU: writable, ZW_EVENT_ALL_ENTRIES. */
struct collected {
	uint64_t total;
	uint32_t incarnation;
	uint32_t pad;
};
volatile struct collected *instance_collected(const struct instance *instance, unsigned cpu);

/* Sum over CPUs of one attach point's counters, by reason. slot < ZW_POINT_SLOTS. */
void instance_count(const struct instance *instance, unsigned slot, struct zw_count ret_counts[ZW_REASONS]);

enum attach_mode { ATTACH_XDP_NATIVE, ATTACH_XDP_GENERIC, ATTACH_TCX, ATTACH_CLSACT };

struct attach_point {
	unsigned ifindex;
	char ifname[16]; /* as it is now; "" if the interface is gone */
	enum zw_hook hook;
	enum attach_mode mode;
	unsigned slot;
	bool healthy; /* our program is really there */
	char note[128]; /* why not, or what else is on the hook; "" */
};

/* The attach points as they are now. The caller frees ret_points with free(). 0 or -errno. */
int instance_attach_points(const struct instance *instance, struct attach_point **ret_points, size_t *ret_count);
/* Those whose interface is there, but not our program as it should be: cheap enough for every second. The same. */
int instance_lost_points(const struct instance *instance, struct attach_point **ret_points, size_t *ret_count);
/* From a slot (of an event) to the attach point it names, also after it is gone; false if unknown. */
bool instance_slot(const struct instance *instance, unsigned slot, struct attach_point *ret_point);

/* A generation that is still pinned. */
struct generation {
	uint32_t number;
	const void *tables; /* mapped read-only */
	size_t tables_len;
	struct zw_layout layout;
	struct names *names;
	const volatile struct zw_rule_counters *counters; /* [cpu][rule number], stride counters_stride */
	size_t counters_stride;
	const volatile struct zw_sources *sources; /* mapped read-only; names_source() says which zone a set is */
	/* the rest is instance.c's */
	size_t counters_len;
};
int generation_open(const struct instance *instance, uint32_t number, struct generation **ret_generation);
void generation_free(struct generation *generation);

/* The policy's files as they were read for it. 0; -ENOENT: an older version published it; -EPROTO: they are damaged. */
struct files;
int generation_files(const struct instance *instance, uint32_t number, struct files **ret_files);
/* Those of the candidate that is staged in it (compile/candidate.h). The same; -ENOENT: none is. */
int generation_candidate(const struct instance *instance, uint32_t number, struct files **ret_files);

/* Sum over CPUs of one rule's counters in this generation (number 1..rule_count); if it is staged, of its struct zw_staged_counters. */
void generation_count(const struct instance *instance, const struct generation *generation, uint32_t rule,
		      struct zw_rule_counters *ret_counters);

/* The same of packets that the rule's limit dropped. */
uint64_t generation_limited(const struct generation *generation, uint32_t rule);

/*
 * Counters of rules by id: the saved sum of retired generations plus the live ones (design section 9). What a rule counted
 * while it was staged is apart: an id may be there twice.
 */
struct rule_total {
	char *id;
	bool is_staged;
	union {
		struct zw_rule_counters counters;
		struct zw_staged_counters staged;
	};
	uint64_t limited; /* packets that its limit dropped */
};
int rule_total_compare(const void *a, const void *b); /* by `is_staged`, then by id: the order of the totals */
int instance_rule_totals(const struct instance *instance, struct rule_total **ret_totals, size_t *ret_count);
void rule_totals_free(struct rule_total *totals, size_t count);

#endif
