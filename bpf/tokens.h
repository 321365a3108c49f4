/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Token buckets without locks (layout of the table in zonewall.h).
 *
 * A bucket is not a number of tokens but the instant at which it will be full: each token that is taken moves the instant by
 * what a token takes to come in, and a bucket whose instant is past is full. (The "theoretical arrival time" of the generic
 * cell rate algorithm, ITU-T I.371 A.1.) So nothing has to be refilled, a bucket is one word, and one that nobody has asked for
 * longer than it takes to fill says what one that was never used says: it is free to be taken by another key.
 * Example: 2 a second, burst 3: cost_ns 500,000,000, depth_ns 1,500,000,000. At instant 10 s three tokens move a full bucket's
 * instant to 10.5, 11, 11.5 s. A fourth would move it to 12 s, more than 1.5 s from now: it is refused, until 10.5 s.
 *
 * Time is jiffies, in ns; so many tokens as come in during a tick come in at once. A bucket that could not hold them and one
 * more would be slower than its rate: it is taken to be that deep.
 *
 * Words.
 *   level    state 2 | instant 54 << 2 (ns, without the lowest two bits) | version 8 << 56
 *   key      hash 56 | version 8 << 56
 *
 * A bucket is a key's if its hash is, if its versions are equal, and if it is LIVE. All changes are compare-and-exchange, so:
 *  - Taking exchanges the level that was read. Two CPUs never take the same token, and since who claims a bucket raises its
 *    version, nobody takes from one that has gone to another key. (The version comes again after 256 claims, the instant does
 *    not: it only moves on, and a claim sets it later than now.)
 *  - Claiming a full or free bucket: level to BUSY with the next version; key; then a look at the set's other buckets for the
 *    same key. One that is live is the key's: ours is let go. Of two that are busy the one with the lower index goes on, and
 *    ends the other one by raising its version; the other one lets go. Then our level becomes LIVE, less a token. Keys are
 *    written before the look, by full barriers, so of two CPUs one at least sees the other (as with twins in flow_table.h);
 *    and a busy bucket becomes live only by its claimer's exchange, which fails if it was ended. So a key has never two live
 *    buckets, and no more tokens come out than the rate has let in.
 *  - Who waits for another that is busy looks again. After half of the rounds it ends the other one wherever it stands; if all
 *    rounds are used up, which takes as many changes by others in the same moment, the packet is refused.
 *
 * tests/unit/limit_schedules.c runs this code under every schedule with up to three preemptions.
 */
#ifndef ZW_TOKENS_H
#define ZW_TOKENS_H

#include "flow_table.h"

#define LIMIT_VERSION (0xffull << 56)
#define LIMIT_NEXT (1ull << 56) /* a version */
#define LIMIT_INSTANT 0x00fffffffffffffcull
#define LIMIT_STATE 3ull
#define LIMIT_BUSY 1ull
#define LIMIT_LIVE 2ull /* 0: free */
#define LIMIT_ROUNDS 16
#define LIMIT_TRIES 16 /* of an exchange that others were quicker with */

enum limited { LIMIT_TAKEN, LIMIT_EMPTY, LIMIT_FULL_SET, LIMIT_AGAIN };

/* A token that is asked for, and whose bucket is asked: by name_bucket(). */
struct token {
	__u64 key; /* of the bucket, without a version */
	__u64 now_ns, cost_ns, depth_ns;
	__u32 set;
	__u32 family; /* 0: the rule's own bucket */
	__u32 source[2]; /* wire order: an IPv4 address, an IPv6 /64 */
};

/* How long the bucket takes to be full. Instants wrap: what seems further away than any bucket is deep was long ago. */
static __always_inline __u64 missing_ns(__u64 level, __u64 now_ns)
{
	__s64 gap = (__s64)(((level & LIMIT_INSTANT) - now_ns) << 8) >> 8;

	return gap <= 0 || gap > (__s64)(2 * ZW_LIMIT_DEPTH_MAX_NS) ? 0 : gap;
}

static __always_inline __u64 level_after(__u64 version, const struct token *t, __u64 missing)
{
	return (version & LIMIT_VERSION) | ((t->now_ns + missing) & LIMIT_INSTANT) | LIMIT_LIVE;
}

/* Takes a token of a live bucket, whose level was read. */
ZW_GLOBAL int zw_limit_take(__u64 *at, __u64 level, const struct token *t)
{
	if (!at || !t)
		return LIMIT_AGAIN;
	for (int i = 0; i < LIMIT_TRIES; i++) {
		__u64 missing = missing_ns(level, t->now_ns) + t->cost_ns, found;

		if (missing > t->depth_ns)
			return LIMIT_EMPTY;
		found = __sync_val_compare_and_swap(at, level, level_after(level, t, missing));
		if (found == level)
			return LIMIT_TAKEN;
		if (((found ^ level) & LIMIT_VERSION) || (found & LIMIT_STATE) != LIMIT_LIVE)
			return LIMIT_AGAIN;
		level = found;
	}
	return LIMIT_AGAIN;
}

static __always_inline bool is_same_bucket(__u64 a, __u64 b)
{
	return !((a ^ b) & ~LIMIT_VERSION);
}

/*
 * Bucket `mine` is claimed and has its key. May it become live? Not if another of the set is the key's. impatient: another one
 * that is busy is ended even if it should go on.
 */
static __always_inline bool is_only_one(struct zw_limit_set *set, const struct token *t, __u64 mine, bool impatient)
{
	for (__u64 i = 0; i < ZW_LIMIT_WAYS; i = turn_after(i)) {
		__u64 key = load_word(&set->key[i]), version = key & LIMIT_VERSION, found;
		const bool yields = i < mine && !impatient;

		if (i == mine || !is_same_bucket(key, t->key))
			continue;
		found = __sync_val_compare_and_swap(&set->level[i], version | LIMIT_BUSY,
						    yields ? version | LIMIT_BUSY : (version + LIMIT_NEXT) & LIMIT_VERSION);
		if ((found ^ version) & LIMIT_VERSION)
			continue;
		if ((found & LIMIT_STATE) == LIMIT_LIVE || ((found & LIMIT_STATE) == LIMIT_BUSY && yields))
			return false;
	}
	return true;
}

/* Takes bucket i, whose level was read, for the key, and the first token of it. */
static __always_inline int claim(struct zw_limit_set *set, const struct token *t, __u64 i, __u64 level, bool impatient)
{
	const __u64 version = (level + LIMIT_NEXT) & LIMIT_VERSION;

	if (!exchange_word(&set->level[i], level, version | LIMIT_BUSY))
		return LIMIT_AGAIN;
	exchange_word(&set->key[i], load_word(&set->key[i]), t->key | version);
	if (!is_only_one(set, t, i, impatient)) {
		exchange_word(&set->level[i], version | LIMIT_BUSY, (version + LIMIT_NEXT) & LIMIT_VERSION);
		return LIMIT_AGAIN;
	}
	return exchange_word(&set->level[i], version | LIMIT_BUSY, level_after(version, t, t->cost_ns)) ? LIMIT_TAKEN :
													   LIMIT_AGAIN;
}

/* The key's bucket, which is live, gives a token. LIMIT_FULL_SET: it has none. */
static __always_inline int take_own(struct zw_limit_set *set, const struct token *t)
{
	for (__u64 i = 0; i < ZW_LIMIT_WAYS; i++) {
		__u64 key = load_word(&set->key[i]), level;

		if (!is_same_bucket(key, t->key))
			continue;
		level = load_word(&set->level[i]);
		if (!((key ^ level) & LIMIT_VERSION) && (level & LIMIT_STATE) == LIMIT_LIVE)
			return zw_limit_take(&set->level[i], level, t);
	}
	return LIMIT_FULL_SET;
}

static __always_inline int take_other(struct zw_limit_set *set, const struct token *t, bool impatient)
{
	for (__u64 i = 0; i < ZW_LIMIT_WAYS; i++) {
		__u64 level = load_word(&set->level[i]);

		if ((level & LIMIT_STATE) == LIMIT_BUSY || ((level & LIMIT_STATE) == LIMIT_LIVE && missing_ns(level, t->now_ns)))
			continue;
		return claim(set, t, i, level, impatient);
	}
	return LIMIT_FULL_SET;
}

/* One round: a token of the key's bucket, or of one that becomes its. */
ZW_GLOBAL int zw_limit_round(struct zw_limit_set *set, const struct token *t, int impatient)
{
	int limited;

	if (!set || !t)
		return LIMIT_AGAIN;
	/* Both lines are on their way before either is looked at. */
	load_word(&set->key[0]);
	load_word(&set->level[0]);
	limited = take_own(set, t);
	return limited == LIMIT_FULL_SET ? take_other(set, t, impatient) : limited;
}

static __always_inline int take_token_of(struct zw_limit_set *set, const struct token *t)
{
	int limited = LIMIT_AGAIN;

	for (int i = 0; i < LIMIT_ROUNDS && limited == LIMIT_AGAIN; i++)
		limited = zw_limit_round(set, t, i >= LIMIT_ROUNDS / 2);
	return limited;
}

/*
 * The bucket of a rule (family 0) or of a source of it. Two hashes as those of flows (multilinear, keyed, mixed), since the
 * hash is all that tells keys apart: 56 bits of it stand in the bucket, others name the set.
 */
static __always_inline __u64 token_hash(const __u64 *seed, __u64 rule, const struct token *t)
{
	__u64 h = seed[0] + seed[1] * (__u32)rule + seed[2] * (rule >> 32) + seed[3] * t->source[0] + seed[4] * t->source[1] +
		  seed[5] * t->family;

	return (h ^ h >> 32) * 0x9e3779b97f4a7c15ull;
}

static __always_inline void name_bucket(struct token *t, const __u64 *seeds, __u64 rule, __u32 family, const __u32 *source)
{
	__u64 first, second;

	t->family = family;
	t->source[0] = family ? source[0] : 0;
	t->source[1] = family == 6 ? source[1] : 0; /* a /64 */
	first = token_hash(seeds, rule, t);
	second = token_hash(seeds + ZW_FLOW_SEEDS / 2, rule, t);
	t->key = (first >> 32 << 24 | second >> 40) & ~LIMIT_VERSION;
	t->set = second >> 32;
}

#endif
