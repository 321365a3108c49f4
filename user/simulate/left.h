/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is left of partly shadowed rules: exactly the packets that each decides, or passes on, as regions in words. A rule
 * that says the opposite decides the same packets, so these are where the policy differs (diff.h) from one in which the
 * partly shadowed rules do; failsafe is left out of both. Where rules pass, they say allow and drop instead, a tier at a time,
 * since what one tier passes on the next may decide.
 */
#ifndef ZW_LEFT_H
#define ZW_LEFT_H

#include "compile/analysis.h"
#include "simulate/diff.h"

/* Beyond so many partly shadowed rules nothing is written out. */
#define LEFT_RULES_MAX 1000

struct left_region {
	const struct rule *rule; /* of the policy that was asked about */
	const struct diff_region *region;
};

struct left_round;

struct left {
	struct left_region *v; /* in order of rules, grows by array_grow */
	size_t count;
	struct left_round *rounds; /* what the regions borrow from, grows by array_grow */
	size_t round_count;
};

/* The policy is resolved; it and the analysis are borrowed until left_clear. 0 or -errno; the caller clears in any case. */
int left_find(const struct policy *policy, const struct analysis *analysis, struct left *left);
void left_clear(struct left *left);

/* The regions of a rule: their number, the first is *ret_first. */
size_t left_of(const struct left *left, const struct rule *rule, const struct left_region **ret_first);

#endif
