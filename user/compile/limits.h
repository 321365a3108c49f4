/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits of rules, as zonewall.h has them ("Limits"): a record for each enforced rule that has one, and from the numbers of
 * rules to their records a word for each number up to the last such rule. Without limits nothing is written.
 */
#ifndef ZW_COMPILE_LIMITS_H
#define ZW_COMPILE_LIMITS_H

#include "compile/lines.h"
#include "policy/policy.h"

size_t limits_count(const struct policy *policy); /* enforced rules with a limit */
/* order: see rules_order. 0, -ENOMEM, -E2BIG beyond the budget. */
int limits_write(const struct policy *policy, const uint32_t *order, struct lines *lines, struct zw_layout *layout);

#endif
