/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Are the gate's slots as they were filled? The kernel has no way to keep others from editing a PROG_ARRAY (frozen, it could not
 * be written by us either), so a loader looks, and puts back what a generation's pins say.
 *
 * Looked at are the slots that the gate's word names: to the others no packet can come. A generation that a zonewall of
 * another ABI published has no pins here (predecessor.h), and its slot is not looked at.
 */
#ifndef ZW_SLOTS_H
#define ZW_SLOTS_H

#include "kernel/instance.h"

/* error: it could not be put back */
typedef void slot_teller(void *context, unsigned slot, enum zw_hook hook, uint32_t generation, int error);

/* Puts back what is missing or another program, and tells of each slot and hook. Takes the lock only if there is something. */
void slots_look(const struct instance *instance, slot_teller *tell, void *context);

#endif
