/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow tables' maps, and the way from a packet to its bucket. User space brings its own table instead (see
 * user/simulate/decision.c), behind the same functions.
 */
#ifndef ZW_FLOW_MAPS_H
#define ZW_FLOW_MAPS_H

#ifndef __bpf__
#include <stdint.h>
#endif

#include "flow_table.h"

/* Memory for a look-up, and for what it may lead to: not on the stack, which is small; see also struct choice. */
struct lookup {
	struct flow_key key;
	struct choice choice;
	struct opening opening;
};

#ifdef __bpf__

#include "maps.h"

const volatile __u32 zw_flow_buckets4 = 1; /* powers of two */
const volatile __u32 zw_flow_buckets6 = 1;
const volatile __u32 zw_fragment_buckets = 1; /* behind them, in both tables */

ZW_ONE_VALUE(zw_flows4, 64);
ZW_ONE_VALUE(zw_flows6, 64);

static __always_inline __u8 *flows_base(const bool v6)
{
	return v6 ? only_value(&zw_flows6) : only_value(&zw_flows4);
}

static __always_inline __u32 flow_buckets(const bool v6)
{
	return v6 ? zw_flow_buckets6 : zw_flow_buckets4;
}

static __always_inline __u32 all_buckets(const bool v6)
{
	return flow_buckets(v6) + zw_fragment_buckets;
}

/* size bytes of the table at an offset; NULL if they are outside. */
static __always_inline __u8 *flows_at(__u8 *base, __u64 offset, __u64 size, const bool v6)
{
	__u64 total = zw_flows_size(v6 ? 6 : 4, zw_cpus, all_buckets(v6));

	barrier_var(offset);
	if (total < size || offset > total - size)
		return NULL;
	return base + offset;
}

static __always_inline bool get_bucket(__u8 *base, __u64 n, struct bucket *b, const bool v6)
{
	const __u32 buckets = all_buckets(v6);

	b->keys = v6 ? flows_at(base, zw_flows_keys(zw_cpus, buckets) + n * 512, 512, v6) : NULL;
	b->heads = flows_at(base, zw_flows_buckets(zw_cpus) + n * (v6 ? 64 : 128), v6 ? 64 : 128, v6);
	b->accounts = flows_at(base, zw_flows_accounts(v6 ? 6 : 4, zw_cpus, buckets) + n * (v6 ? 512 : 256),
			       v6 ? 512 : 256, v6);
	return b->heads && b->accounts && (!v6 || b->keys);
}

/* The bucket of the last look-up, and the table's base; NULL if there is none. */
static __always_inline __u8 *get_last_bucket(const struct lookup *l, struct bucket *b, const bool v6)
{
	__u8 *base = flows_base(v6);

	if (!base)
		return NULL;
	barrier_var(base);
	return get_bucket(base, l->key.bucket, b, v6) ? base : NULL;
}

static __always_inline struct zw_flow_stats *flow_stats(__u8 *base, const bool v6)
{
	return (struct zw_flow_stats *)flows_at(
		base, ZW_FLOW_SEEDS * 8 + (__u64)bpf_get_smp_processor_id() * sizeof(struct zw_flow_stats),
		sizeof(struct zw_flow_stats), v6);
}

static __always_inline bool find_in_table(const struct ends *e, __u64 now, struct lookup *l, struct flow *f,
					  const bool v6, const bool fragments)
{
	const __u32 buckets = flow_buckets(v6);
	__u8 *base = flows_base(v6);
	struct bucket b;

	if (!base)
		return false;
	barrier_var(base);
	make_key(&l->key, e, (const __u64 *)base, v6);
	l->key.bucket = fragments ? buckets + (l->key.hash & (zw_fragment_buckets - 1)) : l->key.hash & (buckets - 1);
	return get_bucket(base, l->key.bucket, &b, v6) && find_in_bucket(&b, &l->key, now, &l->choice, f, v6);
}

static __always_inline int open_in_table(struct lookup *l, bool last, const bool v6)
{
	struct zw_flow_stats *stats;
	enum opened opened;
	struct bucket b;
	__u8 *base = get_last_bucket(l, &b, v6);

	if (!base)
		return OPEN_REFUSED;
	opened = open_in_bucket(&b, &l->key, &l->opening, &l->choice, v6);
	stats = flow_stats(base, v6);
	if (stats && (opened == OPEN_REFUSED || (last && opened == OPEN_LOST)))
		stats->refused++;
	if (stats && opened == OPENED_REPLACING)
		stats->replaced++;
	return opened;
}

static __always_inline int make_room_in_table(struct lookup *l, __u64 now, __u64 idle_jiffies, __u64 mine,
					      const bool v6)
{
	struct zw_flow_stats *stats;
	struct bucket b;
	__u8 *base = get_last_bucket(l, &b, v6);
	bool room;

	if (!base)
		return 0;
	room = make_room(&b, mine, now, idle_jiffies, &l->choice, v6);
	l->choice.rank = mine; /* as the look-up left it: this may be asked again */
	if (room)
		return 1;
	stats = flow_stats(base, v6);
	if (stats)
		stats->unprotected++;
	return 0;
}

/* Returns enum opened. A function of its own, so that the verifier follows it once and not for each try. */
ZW_GLOBAL int zw_flow_try(struct lookup *l, int last, int family)
{
	if (!l)
		return OPEN_REFUSED;
	return family == 4 ? open_in_table(l, last, false) : open_in_table(l, last, true);
}

/* Opens l->opening with the key that the last look-up made. Returns whether it found a slot. */
ZW_GLOBAL int zw_flow_open(struct lookup *l, int family)
{
	int opened;

	if (!l)
		return 0;
	opened = zw_flow_try(l, 0, family);
	if (opened == OPEN_LOST)
		opened = zw_flow_try(l, 1, family);
	return is_opened(opened);
}

/* May the flow that the last look-up found become confirmed? */
ZW_GLOBAL int zw_flow_make_room(struct lookup *l, __u64 now, __u64 idle_jiffies, int family)
{
	if (!l)
		return 0;
	return family == 4 ? make_room_in_table(l, now, idle_jiffies, l->choice.rank & 3, false) :
			     make_room_in_table(l, now, idle_jiffies, l->choice.rank & 7, true);
}

#else

static bool find_in_table(const struct ends *e, uint64_t now, struct lookup *l, struct flow *f, bool v6,
			  bool fragments);
static int zw_flow_open(struct lookup *l, int family);
static int zw_flow_make_room(struct lookup *l, uint64_t now, uint64_t idle_jiffies, int family);

#endif

#endif
