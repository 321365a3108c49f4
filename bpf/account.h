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
	__u64 jiffies;
	__u64 cgroup; /* id of a local sender's, 0 unknown */
	__u32 cpu;
	__u16 slot; /* attach point */
	__u8 egress;
	__u8 banned; /* the packet's source is banned for it */
};

static __always_inline void count_point(const struct packet *p, const struct account *a, __u32 reason)
{
	__u8 *base = only_value(&zw_counters);
	__u64 at = (__u64)a->cpu * (ZW_POINT_SLOTS * sizeof(struct zw_point_counters)) +
		   (a->slot & (ZW_POINT_SLOTS - 1)) * sizeof(struct zw_point_counters) +
		   (reason & (ZW_REASONS - 1)) * sizeof(struct zw_count);
	__u64 size = (__u64)zw_cpus * (ZW_POINT_SLOTS * sizeof(struct zw_point_counters));
	struct zw_count *count;

	barrier_var(at);
	if (at > size - sizeof(*count))
		return;
	count = (struct zw_count *)(base + at);
	count->packets += p->packets;
	count->bytes += p->bytes;
}

/* What a rule's limit drops is none of the rule's packets. */
static __always_inline void count_limited(const struct packet *p, const struct account *a, __u32 rule)
{
	const __u64 stride = zw_rules_stride(zw_layout.rule_count, zw_layout.limit_words);
	__u8 *base = only_value(&zw_rules);
	__u64 at = a->cpu * stride + zw_rules_limited(zw_layout.rule_count) + rule * sizeof(__u64);

	barrier_var(at);
	if (rule >= zw_layout.limit_words || at > zw_cpus * stride - sizeof(__u64))
		return;
	*(__u64 *)(base + at) += p->packets;
}

/* Where this CPU counts a rule of this generation; NULL: it has no rule of this number. */
static __always_inline struct zw_rule_counters *rule_counters(const struct account *a, __u32 rule)
{
	const __u64 stride = zw_rules_stride(zw_layout.rule_count, zw_layout.limit_words);
	__u8 *base = only_value(&zw_rules);
	__u64 at;

	if (!rule || rule > zw_layout.rule_count)
		return NULL;
	at = a->cpu * stride + rule * sizeof(struct zw_rule_counters);
	barrier_var(at);
	if (at > zw_cpus * stride - sizeof(struct zw_rule_counters))
		return NULL;
	return (struct zw_rule_counters *)(base + at);
}

/* The cell's rule, if its number is one of this generation. */
static __always_inline void count_rule(const struct packet *p, const struct account *a, const struct outcome *o)
{
	struct zw_rule_counters *counters = rule_counters(a, o->cell & ZW_CELL_RULE);

	if (!counters || o->generation != zw_layout.generation || !p->counted)
		return;
	if (zw_layout.limit_count && o->reason == ZW_DROP_LIMIT) {
		count_limited(p, a, o->cell & ZW_CELL_RULE);
		return;
	}
	counters->flows += o->is_new;
	counters->packets.packets += p->packets;
	counters->packets.bytes += p->bytes;
	counters->last = a->jiffies;
}

/* The staged rule that would have decided this first packet, where its rule counts it. */
static __always_inline void count_staged(const struct packet *p, const struct account *a, const struct outcome *o)
{
	const bool allow = o->staged & ZW_CELL_ALLOW;
	struct zw_staged_counters *counters = (void *)rule_counters(a, o->staged & ZW_CELL_RULE);

	if (!counters || !p->counted)
		return;
	counters->allowed += allow;
	counters->dropped += !allow;
	counters->changed += allow == ZW_REASON_IS_DROP(o->reason);
	counters->last = a->jiffies;
}

#endif
