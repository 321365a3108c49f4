/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs know of attach points: the table zw_points, by interface index; and the book's slots behind it.
 * Only the holder of the lock calls these. Everything is silent.
 */
#ifndef ZW_POINTS_H
#define ZW_POINTS_H

#include "kernel/gate.h"
#include "kernel/netdev.h"

/* The slot of an attach point that is attached, or 0. */
unsigned points_find(const struct book *book, unsigned ifindex, enum zw_hook hook);

/*
 * Gives an attach point its slot and enters it into the table: before packets meet the program. Prefers the slot it had
 * before, then one never used, then the one released longest ago. Returns the slot; 0 (which counts for all attach points
 * without one) if all are attached, or if an interface that needs its entry finds no room in the table: one without
 * Ethernet header, or one whose packets `source:` binds.
 */
unsigned points_take(struct gate *gate, const struct netdev *device, enum zw_hook hook, enum attach_mode mode);
/* An attach point stays: do the programs find its slot, or can they do without? */
bool points_keep(struct gate *gate, const struct netdev *device, unsigned slot);
/* Is every slot attached? */
bool points_are_full(const struct book *book);
/* The attach point is gone: the slot keeps its name, for events that tell of it. */
void points_release(struct gate *gate, unsigned slot);

/* Brings name and MAC of an interface that is attached up to date. */
void points_refresh(struct gate *gate, const struct netdev *device);

#endif
