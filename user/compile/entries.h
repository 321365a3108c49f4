/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The entries of a matrix: what a policy decides with, in evaluation order, with numbers, cells and ends.
 *
 * Policy matrix: the rules by tier, then by their order in the files. Rules that match nothing because a list is empty have
 * a number but no entry. Unless both it and `action` drop, `intra-zone` is one
 * last tier with an entry from each declared zone (not a union) to itself, for all services: so "both ends share a zone"
 * is decided like a rule, by classes, and an allow has its own reason even where `action` is the same.
 *
 * Failsafe matrix: its entries in order, each an allow; all else is a drop by rule 0.
 */
#ifndef ZW_COMPILE_ENTRIES_H
#define ZW_COMPILE_ENTRIES_H

#include "compile/classes.h"
#include "compile/ports.h"
#include "compile/tables.h"
#include "policy/policy.h"

struct entry {
	const struct rule *rule; /* NULL: intra-zone */
	uint32_t end[2]; /* of the source and of the destination side; END_ANY */
	uint32_t service;
	uint32_t tier;
	uint32_t cell; /* of allow and drop */
	enum action action;
	bool staged; /* of the second decision alone */
	uint64_t until; /* Unix seconds; ENTRY_NEVER_ENDS */
};

#define ENTRY_NEVER_ENDS UINT64_MAX

/* Does what it says always hold? */
static inline bool entry_is_plain(const struct entry *entry)
{
	return !entry->staged && entry->until == ENTRY_NEVER_ENDS;
}

struct entries {
	ARRAY(struct entry) all;
	uint32_t default_cell;
	struct side side[2];
};

int entries_of_rules(const struct policy *policy, const uint32_t *order, struct services *services,
		     struct entries *entries);
int entries_of_failsafe(const struct policy *policy, struct services *services, struct entries *entries);
void entries_clear(struct entries *entries);

#endif
