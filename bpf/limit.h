/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage limit: which bucket a packet asks for a token, of tokens.h.
 *
 * No room in the set of a source: the rule's own bucket is asked, which all such sources share. No room for that: the bucket
 * that the hash names is asked as it is, whosever it is.
 */
#ifndef ZW_LIMIT_H
#define ZW_LIMIT_H

#include "work.h"

ZW_CONSTANT __u64 zw_limit_tick_ns; /* a jiffy, a multiple of ZW_LIMIT_STEP_NS */

#ifdef __bpf__

ZW_ONE_VALUE(zw_limits, sizeof(struct zw_limits));

static __always_inline struct zw_limits *limits_base(void)
{
	return only_value(&zw_limits);
}

#else

static struct zw_limits *zw_limits_value;

static __always_inline struct zw_limits *limits_base(void)
{
	return zw_limits_value;
}

#endif

static __always_inline int take_of_source(struct zw_limits *limits, const struct token *t)
{
	__u64 set = t->set & (ZW_LIMIT_SOURCE_SETS - 1);

	barrier_var(set);
	return take_token_of(&limits->sources[set & (ZW_LIMIT_SOURCE_SETS - 1)], t);
}

static __always_inline int take_of_rule(struct zw_limits *limits, const struct token *t)
{
	__u64 n = t->set & (ZW_LIMIT_RULE_SETS - 1), level;
	struct zw_limit_set *set;
	int limited;

	barrier_var(n);
	set = &limits->rules[n & (ZW_LIMIT_RULE_SETS - 1)];
	limited = take_token_of(set, t);
	if (limited != LIMIT_FULL_SET)
		return limited;
	level = load_word(&set->level[0]);
	return (level & LIMIT_STATE) == LIMIT_LIVE ? zw_limit_take(&set->level[0], level, t) : LIMIT_AGAIN;
}

static __always_inline const struct zw_limit *find_limit(__u32 rule)
{
	__u32 index = section_word(zw_layout.limits, rule, zw_layout.limit_words);

	return section_at(zw_layout.limit_records, index, zw_layout.limit_count, sizeof(struct zw_limit));
}

/*
 * Does the limit of the rule that allowed the packet let it open a flow? Notes in the outcome if its source has used up a
 * bucket of its own, and is to be banned for that.
 */
ZW_GLOBAL int zw_limit_admits(struct work *w, __u32 rule)
{
	struct zw_limits *limits = limits_base();
	const struct zw_limit *limit = find_limit(rule);
	int limited = LIMIT_FULL_SET;
	struct token *t;

	if (!w || !limit)
		return 0;
	t = &w->token;
	t->now_ns = w->packet.now * zw_limit_tick_ns;
	t->cost_ns = limit->cost_ns;
	t->depth_ns = limit->cost_ns + zw_limit_tick_ns;
	if (limit->depth_ns > t->depth_ns)
		t->depth_ns = limit->depth_ns;
	if (limit->per_source) {
		name_bucket(t, limits->seeds, limit->key, w->packet.family, w->packet.ends.source);
		limited = take_of_source(limits, t);
		if (limited == LIMIT_EMPTY)
			w->outcome.ban_s = limit->ban_s;
		else if (limited == LIMIT_FULL_SET)
			limits->shared++;
	}
	if (limited == LIMIT_FULL_SET) {
		name_bucket(t, limits->seeds, limit->key, 0, NULL);
		limited = take_of_rule(limits, t);
	}
	return limited == LIMIT_TAKEN;
}

#endif
