/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Publishing: a generation becomes current in one store, or nothing has changed (design section 7).
 *
 * All functions here take the instance's lock for as long as they run, tell errors on standard error, and return 0 or
 * -errno (edge_exit_status() makes an exit status of it). They are safe to be killed at any time: what decides packets
 * is then either the old generation or the new one, and the next call finishes or undoes what was left. So it is with a
 * trial that went back: the next call, but for publish_down(), says so.
 */
#ifndef ZW_PUBLISH_H
#define ZW_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compile/tables.h"
#include "kernel/attach.h"
#include "kernel/instance.h"

struct publish_options {
	uint64_t flows; /* `flows:` of the policy: entries a family, 0 auto */
	const void *pack; /* the files that the tables were made from (base/files.h); kept with the generation */
	size_t pack_len;
	const void *candidate; /* the same of a candidate (compile/candidate.h); NULL: none is staged */
	size_t candidate_len;
	bool quiet; /* no warnings of patterns without interfaces */
	bool same_policy; /* the current one, for other addresses: a rollback goes where it would have gone before */
	bool compare; /* only if `seen` decides still, see publish_seen() */
	uint32_t seen;
	bool is_running; /* by a loader that has been running: it takes nothing over from a zonewall of another ABI */
	unsigned confirm_s; /* on trial for so long, unless confirmed; 0: as it stands, see publish() */
};

struct publish_report {
	uint32_t generation; /* current now; 0 after publish_down */
	uint32_t previous; /* current before; 0 none */
	bool on_trial; /* it goes back to `fallback` (0: everything passes) in left_s seconds, unless confirmed */
	uint32_t fallback;
	unsigned left_s;
	size_t tables_len, counters_len; /* bytes of this generation's tables and rule counters */
	uint64_t flows; /* entries a family, as they are */
	bool flows_differ; /* the policy asks for another number, which takes effect after `down` */
	uint64_t seeded; /* flows of live connections, added because something was attached, or the tables are new */
	unsigned predecessor; /* ABI that it was taken over from, 0 none */
	bool new_flows; /* which has another layout of flows */
	struct attach_change *changes;
	size_t change_count;
};
void publish_report_clear(struct publish_report *report);

/*
 * The generation that decides now, 0 none; to be asked before the files of the next one are read. Then who publishes
 * second of two that began with the same one is refused, instead of undoing what it has not seen. Silent.
 */
uint32_t publish_seen(const char *instance);

/*
 * Makes tables the current generation and attaches what their names' interfaces match; detaches what they do not.
 *
 * On trial (options->confirm_s) the gate itself goes back to the generation before, or to letting everything pass if there
 * was none, unless publish_confirm() comes in time; nothing is detached until then. While a trial is on, what is published
 * is on trial, too: its time goes on unless it is given anew, and it goes back to what the first one would go back to.
 *
 * What a zonewall of another ABI has published is taken over first (predecessor.h); a publish that fails after that leaves
 * its generation deciding.
 *
 * -ESTALE (told): another generation decides than the one that was seen.
 */
int publish(const char *instance, const struct tables *tables, const struct publish_options *options,
	    struct publish_report *ret_report);

/* Only loads: would the kernel take it? Changes nothing. */
int publish_try(const char *instance, const struct tables *tables, const struct publish_options *options,
		struct publish_report *ret_report);

/* Ends a trial: the current generation stays. -ETIME: there is none, or it went back before (told). */
int publish_confirm(const char *instance, struct publish_report *ret_report);

/*
 * Makes the former generation current again; of a trial what it would go back to, and that one is gone then. -ENOENT: there
 * is none (told).
 */
int publish_rollback(const char *instance, struct publish_report *ret_report);

/* Detaches everything and removes all pins; only the rules' totals stay. -ENOENT: nothing is published (told). */
int publish_down(const char *instance, struct publish_report *ret_report);

/*
 * Attaches interfaces that match the current generation's patterns and are not attached (or not rightly any more), and
 * brings names and MACs up to date; forgets interfaces that are gone. To be called after link events. Never detaches an
 * interface that exists. Changes of kind CHANGE_KEPT are left out of the report. -ENOENT, silent: nothing is published.
 */
int publish_follow(const char *instance, struct publish_report *ret_report);

#endif
