/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits of rules, as zonewall.h has them ("Limits"): a record for each enforced rule that has one, and from the numbers of
 * rules to their records a word for each number up to the last such rule; and, if one of them bans, the spans of addresses that
 * are spared. Without limits nothing is written.
 */
#ifndef ZW_COMPILE_LIMITS_H
#define ZW_COMPILE_LIMITS_H

#include "compile/lines.h"
#include "policy/policy.h"

size_t limits_count(const struct policy *policy); /* enforced rules with a limit */
bool limits_ban(const struct policy *policy); /* does one of them ban? */

/*
 * order: see rules_order. spared: who is not to be banned, besides this host and link-local addresses; these are added to it. 0,
 * -ENOMEM, -E2BIG beyond the budget.
 */
int limits_write(const struct policy *policy, const uint32_t *order, struct ranges *spared, struct lines *lines,
		 struct zw_layout *layout);

#endif
