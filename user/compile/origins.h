/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Origins: what `source:` of interfaces says, as a table of bits (zonewall.h, "Origins").
 *
 * A source set is a zone that some interface names with `source:`; sets are numbered from 1 in the order in which the
 * policy names them first. Atoms that no source set tells apart share an origin class, numbered in order of first
 * appearance. `any` tells nothing apart and holds every class. Without `source:` there are no sets, and nothing is written.
 */
#ifndef ZW_COMPILE_ORIGINS_H
#define ZW_COMPILE_ORIGINS_H

#include "compile/atoms.h"
#include "compile/lines.h"
#include "policy/policy.h"

struct origins {
	uint32_t *set_of; /* of each zone of the policy: its source set, 0 none */
	uint32_t set_count;
	struct sets classes; /* the source sets that hold each origin class */
	uint32_t *class_of; /* of each atom; NULL without sets */
};

/* 0 or -ENOMEM. The caller clears it in any case. */
int origins_find(const struct policy *policy, const struct atoms *atoms, struct origins *origins);
/* What the bits take. */
size_t origins_bytes(const struct origins *origins);
/* Writes the bits and says in the layout where. 0, -ENOMEM, -E2BIG beyond the budget. */
int origins_write(const struct origins *origins, struct lines *lines, struct zw_layout *layout);
void origins_clear(struct origins *origins);

#endif
