/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attach points: where the gate's programs are, and where they should be.
 *
 * An interface has one ingress attach point, XDP or TC, and a TC egress one. XDP and TCX ones are pinned links, held by
 * the kernel whatever happens to this process; a clsact filter (before 6.6) is held by the interface, under a
 * priority and handle of our own.
 */
#ifndef ZW_ATTACH_H
#define ZW_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

#include "compile/tables.h"
#include "kernel/gate.h"
#include "kernel/instance.h"
#include "kernel/netdev.h"

/* What the patterns of a generation ask of one interface. */
struct target {
	const struct netdev *device; /* borrowed */
	enum xdp_wish { WISH_AUTO, WISH_NATIVE, WISH_GENERIC, WISH_OFF } wish;
	enum zw_hook ingress; /* what it came to: set by attach_begin */
	bool begun; /* it has its attach points */
	bool switching; /* from one XDP mode to the other: the kernel has no room for both, so TC stands in between */
};

struct attach_change {
	char ifname[16];
	enum zw_hook hook;
	enum attach_mode mode;
	enum change { CHANGE_KEPT, CHANGE_ATTACHED, CHANGE_DETACHED } change;
};

struct attach_plan {
	struct netdev *devices;
	size_t device_count;
	struct target *targets;
	size_t target_count;
	struct attach_change *changes; /* what was done so far, in order */
	size_t change_count;
	unsigned *added; /* slots attached so far: what attach_undo takes back */
	size_t added_count;
};

/* Reads the interfaces and matches them (names NULL: none). Tells errors; if `warn`, also patterns without a match. */
int attach_plan(const struct names *names, bool warn, struct attach_plan *ret_plan);
void attach_plan_clear(struct attach_plan *plan);

/* The hooks that attach_begin will want, as far as that can be told before it tries: a bit each; TC's if it is none. */
unsigned attach_hooks(const struct attach_plan *plan);

/* Do the patterns of these names match an interface of this name? */
bool attach_is_named(const struct names *names, const char *ifname);

/* Would attach_begin attach a target that no packet is decided at now? */
bool attach_brings_new(const struct gate *gate, const struct attach_plan *plan);

/*
 * attach_begin: every target gets its attach points, right ones are kept, nothing is taken away but what went with its
 * interface. Tells errors; after the first one it stops unless `keep_going`, and the caller calls attach_undo.
 * attach_end: takes away what a target has too much and, if `prune`, all attach points that are no target's. Between the
 * two the caller publishes.
 */
int attach_begin(struct gate *gate, struct attach_plan *plan, bool keep_going);
void attach_undo(struct gate *gate, struct attach_plan *plan);
void attach_end(struct gate *gate, struct attach_plan *plan, bool prune);

/* Is the interface one of the plan's targets? */
bool attach_is_target(const struct attach_plan *plan, unsigned ifindex);

/* Detaches everything, from whatever network namespace. Returns 0, or the last error, having told each. */
int attach_remove_all(struct gate *gate, struct attach_plan *plan);

/* Is the gate's program on this hook? note (128 bytes): why not, or what else is there; "" otherwise. */
bool attach_check(const char *instance, const struct book_slot *slot, uint32_t program_id, const struct netdev *device,
		  char *ret_note);

/* The same of an interface that is there, without having asked for it: what every second can be looked at. */
bool attach_is_held(const char *instance, const struct book_slot *slot, uint32_t program_id, char *ret_note);

const char *attach_mode_name(enum attach_mode mode); /* "native", "generic", "tcx", "clsact" */
const char *attach_hook_name(enum zw_hook hook); /* "xdp", "ingress", "egress" */

#endif
