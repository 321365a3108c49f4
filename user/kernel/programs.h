/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs of generations. Verifying them takes most of an apply, so a generation has only those of the hooks that are
 * attached or are about to be. When another hook is attached later, its program is loaded then, with the tables, the state and
 * the constants of the generation as it is pinned.
 *
 * What has to hold: every generation that a slot of the gate holds has the programs of all hooks that are attached somewhere,
 * since a gate without a program drops. So programs_complete() comes before a hook is attached.
 */
#ifndef ZW_PROGRAMS_H
#define ZW_PROGRAMS_H

#include "kernel/gate.h"
#include "zonewall.h"

#define PROGRAMS_NONE { -1, -1, -1 }
#define PROGRAMS_ALL ((1u << ZW_HOOKS) - 1)

const char *programs_pin(enum zw_hook hook); /* its file in a generation's folder */

/*
 * Adds the generation's programs of these hooks (a bit each) that are not in program[], by hook: from their pins or, with
 * `load`, if they are not there, loaded and pinned. The caller closes them (load_close()). Tells what loading refuses; -ENOENT
 * is not told. 0 or -errno.
 */
int programs_get(const char *instance, uint32_t number, unsigned hooks, bool load, int program[ZW_HOOKS]);

/* Gives every generation in the gate the hook's program. Tells errors. */
int programs_complete(const struct gate *gate, enum zw_hook hook);

/* The hooks that are attached somewhere, a bit each. */
unsigned programs_attached(const struct book *book);

#endif
