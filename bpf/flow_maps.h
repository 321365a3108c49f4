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

const volatile struct zw_flow_layout zw_flow_layout4, zw_flow_layout6;

ZW_ONE_VALUE(zw_flows4, 64);
ZW_ONE_VALUE(zw_flows6, 64);

static __always_inline __u8 *flows_base(const bool v6)
{
	return v6 ? only_value(&zw_flows6) : only_value(&zw_flows4);
}

static __always_inline const volatile struct zw_flow_layout *flows_layout(const bool v6)
{
	return v6 ? &zw_flow_layout6 : &zw_flow_layout4;
}

/* The bucket of the last look-up, and the table's base; NULL if there is none. */
static __always_inline __u8 *get_last_bucket(const struct lookup *l, struct bucket *b, const bool v6)
{
	const volatile struct zw_flow_layout *layout = flows_layout(v6);
	const __u64 all = (__u64)layout->buckets + layout->fragment_buckets;
	__u8 *base = flows_base(v6);
	__u64 n = l->key.bucket;

	barrier_var(n);
	if (n >= all)
		return NULL;
	*b = bucket_at(base, layout, n, v6);
	return base;
}

static __always_inline struct zw_flow_stats *flow_stats(__u8 *base)
{
	__u64 at = (__u64)bpf_get_smp_processor_id() * sizeof(struct zw_flow_stats);

	barrier_var(at);
	if (at > zw_cpus * sizeof(struct zw_flow_stats) - sizeof(struct zw_flow_stats))
		return NULL;
	barrier_var(at); /* clang 16 would add first, and 6.1 does not know what is compared afterwards */
	return (struct zw_flow_stats *)(base + ZW_FLOW_SEEDS * 8 + at);
}

/* The key's bucket. */
static __always_inline struct bucket find_bucket(const struct ends *e, struct lookup *l, const bool v6, const bool fragments)
{
	const volatile struct zw_flow_layout *layout = flows_layout(v6);
	const __u64 buckets = layout->buckets, others = layout->fragment_buckets;
	__u8 *base = flows_base(v6);
	__u64 n;

	make_key(&l->key, e, (const __u64 *)base, v6);
	n = fragments ? buckets + (l->key.hash & (others - 1)) : l->key.hash & (buckets - 1);
	l->key.bucket = n;
	/* The verifier knows the layout's constants, and so that n, masked by them, is inside. */
	return bucket_at(base, layout, n, v6);
}

static __always_inline void find_others_in_table(struct lookup *l, const bool v6)
{
	struct bucket b;

	if (get_last_bucket(l, &b, v6))
		find_others(&b, &l->key, &l->choice, v6);
}

/* Rare, and its stack is its own. */
ZW_GLOBAL int zw_flow_find_others(struct lookup *l, int family)
{
	if (!l)
		return 0;
	if (family == 4)
		find_others_in_table(l, false);
	else
		find_others_in_table(l, true);
	return 0;
}

/* find_in_bucket(), of the key's bucket. */
static __always_inline bool find_in_table(const struct ends *e, __u64 now, struct lookup *l, struct flow *f, const bool v6,
					  const bool fragments)
{
	struct bucket b = find_bucket(e, l, v6, fragments);

	if (!find_first(&b, &l->key, &l->choice, v6))
		zw_flow_find_others(l, v6 ? 6 : 4);
	return take_found(&b, &l->choice, now, f, v6);
}

static __always_inline __u32 expect_in_table(const struct ends *e, __u64 now, bool alone, struct lookup *l, const bool v6)
{
	struct bucket b = find_bucket(e, l, v6, false);
	__u64 best = best_hint(&b, now, alone), i = best & (ZW_FLOW_SLOTS - 1);

	load_word(b.tags);
	load_word(&slot_at(&b, i, v6)->head);
	if (v6) /* two lines */
		load_word(key_at(&b, i));
	return best == NO_HINT ? 0 : i + 1;
}

/*
 * A flow between these ends will probably be opened: sends for the lines that this takes, so that they are waited for together
 * with those of the tables. What is read of them is not used, but for the hints. now, alone: as in struct opening. Returns what
 * opening.hinted says.
 */
ZW_GLOBAL __u32 zw_flow_expect(struct lookup *l, const struct ends *e, __u64 now, __u32 alone, int family)
{
	if (!l || !e)
		return 0;
	return family == 4 ? expect_in_table(e, now, alone, l, false) : expect_in_table(e, now, alone, l, true);
}

/* How a flow is opened, one after the other while OPEN_LOST. */
enum attempt { TRY_HINTED, TRY_ALL, TRY_LAST };

static __always_inline int open_in_table(struct lookup *l, enum attempt attempt, const bool v6)
{
	struct zw_flow_stats *stats;
	enum opened opened;
	struct bucket b;
	__u8 *base = get_last_bucket(l, &b, v6);

	if (!base)
		return OPEN_REFUSED;
	opened = open_in_bucket(&b, &l->key, &l->opening, &l->choice, attempt == TRY_HINTED ? LOOK_HINTED : LOOK_ALL, v6);
	stats = flow_stats(base);
	if (stats && (opened == OPEN_REFUSED || (attempt == TRY_LAST && opened == OPEN_LOST)))
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
	stats = flow_stats(base);
	if (stats)
		stats->unprotected++;
	return 0;
}

/* Returns enum opened. A function of its own, so that the verifier follows it once and not for each try. */
ZW_GLOBAL int zw_flow_try(struct lookup *l, int attempt, int family)
{
	if (!l)
		return OPEN_REFUSED;
	return family == 4 ? open_in_table(l, attempt, false) : open_in_table(l, attempt, true);
}

/* Opens l->opening with the key that the last look-up made. Returns whether it found a slot. */
static __always_inline int flow_open(struct lookup *l, int family)
{
	int opened = zw_flow_try(l, TRY_HINTED, family);

	if (opened == OPEN_LOST)
		opened = zw_flow_try(l, TRY_ALL, family);
	if (opened == OPEN_LOST)
		opened = zw_flow_try(l, TRY_LAST, family);
	return is_opened(opened);
}

static __always_inline int settle_in_table(struct lookup *l, __u64 packets, __u64 bytes, __u64 side, const bool v6)
{
	struct zw_flow_account *account;
	const struct zw_flow_slot *slot;
	__u64 i = l->choice.rank & (ZW_FLOW_SLOTS - 1), version, aux;
	struct bucket b;

	if (!get_last_bucket(l, &b, v6))
		return 0;
	slot = slot_at(&b, i, v6);
	version = load_word(&slot->head) & FLOW_VERSION;
	aux = load_word(&slot->aux);
	account = b.accounts + i;
	if (((load_word(&account->opened) ^ version) & FLOW_VERSION) && !((aux ^ version) & FLOW_VERSION))
		begin_account(account, version, aux & FLOW_BITS48);
	account->packets[side & 1] += packets;
	account->bytes[side & 1] += bytes;
	return 0;
}

/*
 * Adds to the account of the flow that the last look-up found, or opened. packets 0: begins it, as must be done before aux
 * changes. What is confirmed has one.
 */
ZW_GLOBAL int zw_flow_settle(struct lookup *l, __u64 packets, __u64 bytes, __u32 side, int family)
{
	if (!l)
		return 0;
	return family == 4 ? settle_in_table(l, packets, bytes, side, false) :
			     settle_in_table(l, packets, bytes, side, true);
}

/* May the flow that the last look-up found become confirmed? */
ZW_GLOBAL int zw_flow_make_room(struct lookup *l, __u64 now, __u64 idle_jiffies, int family)
{
	if (!l)
		return 0;
	return family == 4 ? make_room_in_table(l, now, idle_jiffies, l->choice.rank & 7, false) :
			     make_room_in_table(l, now, idle_jiffies, l->choice.rank & 7, true);
}

static __always_inline int note_in_table(struct lookup *l, const bool v6)
{
	__u64 i = l->choice.rank & (ZW_FLOW_SLOTS - 1);
	struct bucket b;

	if (get_last_bucket(l, &b, v6))
		note_slot(&b, i, slot_at(&b, i, v6));
	return 0;
}

/* The flow that the last look-up found has changed: its hint follows. */
ZW_GLOBAL int zw_flow_note(struct lookup *l, int family)
{
	if (!l)
		return 0;
	return family == 4 ? note_in_table(l, false) : note_in_table(l, true);
}

#else

static bool find_in_table(const struct ends *e, uint64_t now, struct lookup *l, struct flow *f, bool v6,
			  bool fragments);
static int zw_flow_note(struct lookup *l, int family);
static int flow_open(struct lookup *l, int family);
static int zw_flow_settle(struct lookup *l, uint64_t packets, uint64_t bytes, uint32_t side, int family);
static int zw_flow_make_room(struct lookup *l, uint64_t now, uint64_t idle_jiffies, int family);

/* Nothing is waited for here. */
static inline uint32_t zw_flow_expect(struct lookup *l, const struct ends *e, uint64_t now, uint32_t alone, int family)
{
	(void)l, (void)e, (void)now, (void)alone, (void)family;
	return 0;
}

#endif

#endif
