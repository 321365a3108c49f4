/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An upgrade or a downgrade: what a zonewall of another ABI has pinned for an instance, and how it is taken over while packets
 * pass and connections live.
 *
 * What is pinned stands in a folder by ABI, and says in its book what layout each part has (enum zw_part). Taking it over:
 *
 *   1. A gate of our own is made beside the other one's. Its slots hold the other one's programs, its line says what the
 *      other line says; so nothing changes for a packet that comes to this gate instead.
 *   2. Maps of state whose part has our number are pinned in our folder, too: flows, counters, events not told yet. Those of
 *      another layout are made anew, which is said before anything is changed. Our generation is loaded beside the others.
 *   3. Our folder gets its name. Then each link gets our gate's program in place of the other one's, and each filter: one store
 *      in the kernel, so that no packet passes undecided or is decided twice. After a grace period the other folder is removed.
 *   4. Our generation becomes the current one as in any apply, on all hooks at once.
 *
 * Killed before 3, nothing has changed. Killed in the midst of it, there are two folders, and some attach points lead to one
 * gate, some to the other, which say the same: whoever locks the instance next, of either ABI, brings all of them to its own gate
 * and removes the other folder. Killed after it, the other one's generation decides behind our gate.
 *
 * A generation of another layout can decide, but not be read: no table, rule or policy of it, and no way back to it.
 *
 * An apply takes over, and so do restore and the start of `run`. A `run` of the other version notices that its folder has gone
 * and ends; it takes nothing back.
 */
#ifndef ZW_PREDECESSOR_H
#define ZW_PREDECESSOR_H

#include "kernel/pins.h"

struct gate;

struct predecessor {
	unsigned abi; /* 0: there is none */
	const struct book *book; /* mapped */
	const volatile struct zw_gate *line; /* mapped */
};
#define _cleanup_predecessor_ _cleanup_(predecessor_close)

/*
 * Opens what another ABI has published where ours has not. 0; -ENOENT, silent: nothing; -EPROTO (told): it cannot be taken
 * over, because its gate has a layout that is not known here. Whether it may be now is predecessor_check()'s.
 */
int predecessor_open(const char *instance, struct predecessor *ret_predecessor);
void predecessor_close(struct predecessor *predecessor);

/* Has this part the layout that is known here? */
bool predecessor_keeps(const struct predecessor *predecessor, enum zw_part part);

/* Refuses what cannot be taken over now, or not on trial; else warns of each part that will be made anew. Tells. */
int predecessor_check(const char *instance, const struct predecessor *predecessor, bool on_trial);

/* What the line of a gate that succeeds it says at first. */
void predecessor_line(const char *instance, const struct predecessor *predecessor, struct zw_gate *ret_line);

/*
 * For all files of an instance: of generations that can be read and that its line names, pins in our folder, which has its
 * temporary name. 0 or -errno, silent.
 */
int predecessor_pin_generations(const char *instance, const struct predecessor *predecessor);

/*
 * Step 3, from whatever other ABI's folders there are: attach points lead to this gate then, the folders are removed. Tells
 * errors; it can be called again then.
 */
int predecessor_end(const struct gate *gate);

/* What `down` does with the folder of another ABI, of whatever layout. Tells errors. */
int predecessor_remove(const char *instance, unsigned abi);

/* If another ABI has published the instance, tells so, and how to go on. Returns whether it has. */
bool predecessor_tell(const char *instance);

#endif
