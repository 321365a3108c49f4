/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interfaces that are attached and that not every generation names (ZW_GATE_PARTLY). While a trial can still go back,
 * nothing is detached, and what it newly names is attached already: so under a generation that does not name an
 * interface, what comes and goes there has to pass, as it will or did without an attach point. The gate sees to it.
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

/* The current generation decides everywhere again. unnamed_clear() then, after a grace period, forgets the rest. */
void unnamed_end(const struct gate *gate);
void unnamed_clear(const struct gate *gate);

#endif
