/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Variants: what a list of entries decides where rules end or are staged (zonewall.h, "terms"). A piece (rows.h) has
 * candidates then, not one decider: the entries that decide it at some time, in the policy's decision or, with all staged
 * rules enforced, in the second one. An entry is none if one before it in its tier, that counts wherever it does, ends no
 * sooner. So a piece has few, and its chain is found by walking them once for each instant.
 */
#ifndef ZW_COMPILE_VARIANTS_H
#define ZW_COMPILE_VARIANTS_H

#include "compile/entries.h"
#include "compile/lines.h"
#include "compile/pieces.h"
#include "compile/sets.h"

struct variants {
	struct sets all; /* struct zw_variant as words */
	const struct rule *costly; /* a rule of the piece that was over a limit */

	/* Working space: of each piece, and of one. */
	ARRAY(struct candidacy) piece;
	ARRAY(struct candidate) candidate;
	ARRAY(const struct entry *) list;
	ARRAY(uint64_t) instant; /* as much again behind it to sort with */
};

/* Is there anything but plain entries among entries[list[0..count)]? */
bool variants_needed(const struct entry *entries, const uint32_t *list, size_t count);

/*
 * The cells of all pieces, which were cut for the list. A cell that no entry decides is default_cell. 0, -ENOMEM, -ERANGE:
 * more than ZW_VARIANTS_CHAIN follow each other, or there are more than ZW_VARIANTS_MAX; then `costly` is set.
 */
int variants_decide(struct variants *variants, struct pieces *pieces, const struct services *services,
		    const struct entry *entries, const uint32_t *list, size_t count, uint32_t default_cell, uint32_t *ret_cell);

/* The entries of the list that are candidates of some piece; ret_live has room for `count`. 0 or -ENOMEM. */
int variants_live(struct variants *variants, struct pieces *pieces, const struct services *services,
		  const struct entry *entries, const uint32_t *list, size_t count, uint32_t *ret_live, size_t *ret_count);

/* Appends the variants, and the instants of rules; tells where. 0, -ENOMEM, -E2BIG. */
int variants_write(const struct variants *variants, const struct entries *entries, struct lines *lines, struct zw_layout *layout);
void variants_clear(struct variants *variants);

#endif
