/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where packets that enter an attach point must come from (`source:`), in zw_sources of each generation: all that the
 * gate's slots hold, so that a rollback protects too, and one that is about to be put there. Whoever changes attach points
 * opens them first; from then on points_take() keeps them up to date. Generations without `source:` are left alone.
 */
#ifndef ZW_SOURCES_H
#define ZW_SOURCES_H

#include "kernel/gate.h"

/* coming: the pinned generation that is about to be put into a slot, 0 none. The gate closes them. Tells what is wrong. */
int sources_open(struct gate *gate, uint32_t coming);
void sources_free(struct sources *sources);

/*
 * Does some generation bind what enters an interface of this name to a source? Then the programs must find its slot: an
 * attach point without one would be open to any source.
 */
bool sources_bind(const struct gate *gate, const char *ifname);

/* Brings what the generations know of an attach point, or of all, up to date with the book: an interface may have another name. */
void sources_update(struct gate *gate, unsigned slot);
void sources_update_all(struct gate *gate);

#endif
