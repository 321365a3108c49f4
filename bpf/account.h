/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters: each packet once at its attach point, by reason; and with its rule where it entered, or where it
 * leaves if this host sent it. Every CPU adds to its own stride, so nothing is shared and nothing is lost.
 */
#ifndef ZW_ACCOUNT_H
#define ZW_ACCOUNT_H

#include "decide.h"
#include "maps.h"

/* What a decision is counted and told with. */
struct account {
	__u64 cgroup; /* id of a local sender's, 0 unknown */
	__u16 slot; /* attach point */
	__u8 flags; /* ZW_EVENT_...: that it leaves; that its source is banned for it */
};

/*
 * So far into a map's value, whose CPU's part begins at `first`. Nothing is checked: the CPU's number is a variable of the entry point,
 * of which the verifier knows that it is below zw_cpus, and both have bounds. (Clang would make of the sum an "or", of which it knows
 * too little.)
 */
static __always_inline void *counters_at(void *map, __u64 first, __u64 offset)
{
	__u8 *base = only_value(map);

	barrier_var(first);
	barrier_var(offset);
	return base + first + offset;
}

static __always_inline void count_point(const struct packet *p, __u64 cpu, __u32 slot, __u32 reason)
{
	struct zw_point_counters *counters = counters_at(&zw_counters, cpu * (ZW_POINT_SLOTS * sizeof(*counters)),
							 (slot & (ZW_POINT_SLOTS - 1)) * sizeof(*counters));
	struct zw_count *count = &counters->reason[reason & (ZW_REASONS - 1)];

	count->packets += p->packets;
	count->bytes += p->bytes;
}

/* Where a CPU's counters of rules begin. */
static __always_inline __u64 rules_of(__u64 cpu)
{
	return scaled(cpu, zw_rules_stride(zw_layout.rule_count, zw_layout.limit_words));
}

/* What a rule's limit drops is none of the rule's packets. */
static __always_inline void count_limited(const struct packet *p, __u64 cpu, __u32 rule)
{
	if (rule < zw_layout.limit_words)
		*(__u64 *)counters_at(&zw_rules, rules_of(cpu),
				      zw_rules_limited(zw_layout.rule_count) + rule * sizeof(__u64)) += p->packets;
}

/* Where this CPU counts a rule of this generation; NULL: it has no rule of this number. */
static __always_inline void *rule_counters(__u64 cpu, __u32 rule)
{
	if (!rule || rule > zw_layout.rule_count)
		return NULL;
	return counters_at(&zw_rules, rules_of(cpu), rule * sizeof(struct zw_rule_counters));
}

/* The cell's rule, if its number is one of this generation. */
static __always_inline void count_rule(const struct packet *p, __u64 cpu, const struct outcome *o)
{
	struct zw_rule_counters *counters = rule_counters(cpu, o->cell & ZW_CELL_RULE);

	if (!counters || o->generation != zw_layout.generation || !p->counted)
		return;
	if (zw_layout.limit_count && o->reason == ZW_DROP_LIMIT) {
		count_limited(p, cpu, o->cell & ZW_CELL_RULE);
		return;
	}
	counters->flows += o->is_new;
	counters->packets.packets += p->packets;
	counters->packets.bytes += p->bytes;
	counters->last = p->now;
}

/* The staged rule that would have decided this first packet, where its rule counts it. */
static __always_inline void count_staged(const struct packet *p, __u64 cpu, const struct outcome *o)
{
	const bool allow = o->staged & ZW_CELL_ALLOW;
	struct zw_staged_counters *counters = rule_counters(cpu, o->staged & ZW_CELL_RULE);

	if (!counters || !p->counted)
		return;
	counters->allowed += allow;
	counters->dropped += !allow;
	counters->changed += allow == ZW_REASON_IS_DROP(o->reason);
	counters->last = p->now;
}

#endif
