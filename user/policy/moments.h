/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A policy over time. A rule with `until` counts before that instant and no more from it on, so a policy is a few policies
 * without `until`, one after the other, and what holds at every time is what holds in each of these.
 */
#ifndef ZW_MOMENTS_H
#define ZW_MOMENTS_H

#include "policy/policy.h"

/* Unix seconds, begin <= t < end. */
struct moment {
	int64_t begin, end;
};

#define TIME_BEGIN INT64_MIN /* as a moment's begin: ever since */
#define TIME_END INT64_MAX /* as its end: for good */

struct moments {
	struct moment *v; /* one after the other; the last one has no end */
	size_t count;
};

/*
 * Between which instants none of the policies changes, from `since` on (TIME_BEGIN: all): each `until` of an enforced rule
 * begins a moment. At least one. 0 or -ENOMEM; freed by moments_clear.
 */
int moments_find(const struct policy *const *policies, size_t count, int64_t since, struct moments *ret_moments);
void moments_clear(struct moments *moments);

/* The first enforced rule to end after a time; NULL: none does. */
const struct rule *policy_next_end(const struct policy *policy, int64_t time);

static inline bool rule_has_ended(const struct rule *rule, int64_t time)
{
	return rule->expires && rule->until <= time;
}

/* until.c: an instant as `until` has it, to Unix seconds. 0 or -EINVAL. */
int instant_read(const char *text, int64_t *ret_seconds);

#endif
