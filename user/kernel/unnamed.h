/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interfaces that are attached and that not every generation names (ZW_GATE_PARTLY). What a generation newly names is
 * attached before it decides, and what it does not name any more is detached after; while a trial can still go back, all of
 * that is later. So under a generation that does not name an interface, what comes and goes there has to pass, as it will
 * or did without an attach point. The gate sees to it. So it does for `down`, which nothing is named after.
 *
 * Who is killed meanwhile leaves the notes: interfaces that the generation does not name still pass. The next change
 * writes them anew, and clears them when it has attached and detached everything.
 */
#ifndef ZW_UNNAMED_H
#define ZW_UNNAMED_H

#include "kernel/attach.h"
#include "kernel/gate.h"

/*
 * Tells the gate, for each interface that is attached or that the plan is about to attach, which slots' generations do
 * not name it; `slot` is going to hold the pinned generation `coming`, if that is not 0. Tells errors.
 */
int unnamed_mark(const struct gate *gate, const struct attach_plan *plan, unsigned slot, uint32_t coming);

/* Nothing is named: from here on everything passes, on all hooks at once, whatever is attached. Tells errors; then nothing is changed. */
int unnamed_mark_all(const struct gate *gate);

/* Does the gate look for them? */
bool unnamed_is_marked(const struct gate *gate);

/* Is something attached that the current generation does not name: could it not be detached? */
bool unnamed_is_attached(const struct gate *gate);

/* The current generation decides everywhere again. unnamed_clear() then, after a grace period, forgets the rest. */
void unnamed_end(const struct gate *gate);
void unnamed_clear(const struct gate *gate);

#endif
