/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holds what an instance has pinned, so that a pin which somebody removes takes nothing with it: links stay attached, slots
 * stay filled, and the pin is put back. Only while this process lives; what it put back stays.
 *
 * What a publish or `down` removes is let go. They are told apart under the instance's lock: of the generations those in
 * a slot are kept, of the links those that are attached (they are detached before their pin goes), and the gate and state
 * unless the instance was taken down.
 */
#ifndef ZW_KEEPER_H
#define ZW_KEEPER_H

#include "kernel/instance.h"

struct keeper;

struct keeper *keeper_new(const struct instance *instance); /* borrowed. NULL: out of memory */
void keeper_free(struct keeper *keeper);

/* To be called every second: puts back what is missing, and tells of each (its path), or of why it could not be. */
void keeper_look(struct keeper *keeper, void (*tell)(void *context, const char *path, int error), void *context);

#endif
