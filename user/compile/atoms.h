/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Atoms: the address spaces cut so that no zone tells two addresses of one atom apart.
 *
 * The boundaries of all zones' ranges are sorted and swept once. Between two boundaries the zones that hold the address
 * do not change; each distinct set of zones is an atom, named in order of first appearance (IPv4 first, ascending).
 * Both families share the atoms: a zone with prefixes of both is usually one atom.
 *
 * Zones that count: declared ones (events name them), host, world, and the literals that rules use. `any` tells
 * nothing apart. Atom 0 is the atom of 0.0.0.0.
 */
#ifndef ZW_COMPILE_ATOMS_H
#define ZW_COMPILE_ATOMS_H

#include "compile/sets.h"
#include "policy/policy.h"

/* The addresses from `high:low` (host order, an IPv4 address in the low 32 bits) to the next interval's are in `atom`. */
struct interval {
	uint64_t high, low;
	uint32_t atom;
};

struct intervals {
	ARRAY(struct interval) all; /* ascending, the first begins at 0 */
};

struct atoms {
	struct sets zones; /* zones of each atom: ascending indices into policy->zones */
	struct intervals v4, v6;
	uint8_t *origins[2]; /* of each atom, as a source and as a destination: policy/packets.h */
};

static inline u128 interval_start(const struct interval *interval)
{
	return (u128)interval->high << 64 | interval->low;
}

/*
 * Cuts the address spaces. used[zone] says whether a literal zone is used by a rule. 0; -ENOMEM; -E2BIG if overlapping
 * zones make more sets than the compiler takes.
 */
int atoms_build(const struct policy *policy, const bool *used, struct atoms *ret_atoms);
void atoms_clear(struct atoms *atoms);

static inline size_t atoms_count(const struct atoms *atoms)
{
	return sets_count(&atoms->zones);
}

#endif
