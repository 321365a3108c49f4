/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage block: the temporary block list (layout in zonewall.h). User space writes it, and a rule's limit may add to it;
 * nobody takes a lock, and a deadline is in jiffies, so that it holds without anybody's help.
 *
 * Looking for an address: nothing while head.used is 0. Then the address's line of the filter: prefixes that could cover
 * it have set two bits there, by the hash of
 *
 *   coarse   what the address begins with, IPv4 24 bits, IPv6 48: any prefix up to 31 bits, 63 bits long that meets it. Which
 *            line it is follows from this hash, too, so that an address has one line
 *   fine     IPv4 the address: a prefix of 32 bits; IPv6 the first 64 bits: one of 64 to 127
 *   whole    IPv6 the address: one of 128
 *
 * A prefix that is shorter than the coarse one sets the bits of all those inside; one that is shorter than 8 bits (IPv6: 32)
 * would set too many, and says in head.wide that the filter has no answer. Where bits are set, the prefixes of each length
 * that is in use are looked for. Example: 10.2.0.0/23 sets the bits of 10.2.0 and of 10.2.1, each in its own line.
 *
 * Bits are set before the prefix is published and taken back later, by user space alone, which then looks again: a bit too
 * many costs a look in vain, one that lacks would let a packet through.
 *
 * A slot is four words that carry one version, as those of a flow do (flow_table.h argues it): who reads words of one
 * version reads one incarnation. It is claimed, written and published by compare-and-exchange of its head. Two who put
 * the same prefix there at once may leave it twice; both block, and both are found when it is taken off.
 */
#ifndef ZW_BLOCK_H
#define ZW_BLOCK_H

#include "flow_table.h"
#include "lookup.h"

#ifdef __bpf__

#include "maps.h"

ZW_ONE_VALUE(zw_blocks, sizeof(struct zw_blocks));

static __always_inline struct zw_blocks *blocks_base(void)
{
	return only_value(&zw_blocks);
}

#else

static struct zw_blocks *zw_blocks_value; /* NULL: there is no list */

static __always_inline struct zw_blocks *blocks_base(void)
{
	return zw_blocks_value;
}

#endif

/* A prefix, or an address: its bits from the highest of `high` on, what does not belong to it zero. */
struct block_prefix {
	__u64 high, low;
	__u32 length;
	__u32 family; /* 4, 6 */
};

static __always_inline struct block_prefix prefix_of(int family, const __u32 *address)
{
	struct block_prefix p = { .high = (__u64)bpf_ntohl(address[0]) << 32, .length = 32, .family = family };

	if (family == 6) {
		p.high |= bpf_ntohl(address[1]);
		p.low = (__u64)bpf_ntohl(address[2]) << 32 | bpf_ntohl(address[3]);
		p.length = 128;
	}
	return p;
}

/* length: 1..128 */
static __always_inline struct block_prefix prefix_cut(const struct block_prefix *p, __u32 length)
{
	struct block_prefix cut = { .high = p->high, .length = length, .family = p->family };

	if (length > 64)
		cut.low = p->low & ~0ull << ((128 - length) & 63);
	else
		cut.high &= ~0ull << ((64 - length) & 63);
	return cut;
}

static __always_inline __u64 mix_word(__u64 word)
{
	word *= 0x9e3779b97f4a7c15ull;
	word ^= word >> 32;
	word *= 0xd6e8feb86659fd93ull;
	return word ^ word >> 32;
}

static __always_inline __u64 coarse_hash(const struct zw_blocks *b, const struct block_prefix *p)
{
	return mix_word(b->seed[0] ^ p->high >> (p->family == 4 ? 40 : 16));
}

static __always_inline __u64 fine_hash(const struct zw_blocks *b, const struct block_prefix *p)
{
	return mix_word(b->seed[1] ^ p->high);
}

static __always_inline __u64 whole_hash(const struct zw_blocks *b, const struct block_prefix *p)
{
	return mix_word(mix_word(b->seed[2] ^ p->high) ^ p->low);
}

static __always_inline __u64 *filter_line(struct zw_blocks *b, __u64 coarse)
{
	return b->filter[coarse >> 52 & (ZW_BLOCK_FILTER_LINES - 1)];
}

/* Both bits that a hash stands for. */
static __always_inline bool is_marked(const __u64 *line, __u64 hash)
{
	__u64 one = load_word(&line[hash >> 6 & 7]) >> (hash & 63), other = load_word(&line[hash >> 15 & 7]) >> (hash >> 9 & 63);

	return one & other & 1;
}

static __always_inline void mark(__u64 *line, __u64 hash)
{
	__sync_fetch_and_or(&line[hash >> 6 & 7], 1ull << (hash & 63));
	__sync_fetch_and_or(&line[hash >> 15 & 7], 1ull << (hash >> 9 & 63));
}

/* The filter's word: false is an answer, true is none. */
static __always_inline bool may_be_listed(struct zw_blocks *b, const struct block_prefix *p)
{
	__u64 coarse = coarse_hash(b, p);
	const __u64 *line = filter_line(b, coarse);

	return (b->wide & (p->family == 4 ? 1 : 2)) || is_marked(line, coarse) || is_marked(line, fine_hash(b, p)) ||
	       (p->family == 6 && is_marked(line, whole_hash(b, p)));
}

/* What stands in a slot's words, but for the version. */
static __always_inline __u64 prefix_word(const struct block_prefix *p, int n)
{
	if (n == 0)
		return p->high >> 16;
	if (n == 1)
		return (p->high & 0xffff) << 32 | p->low >> 32;
	return (p->low & 0xffffffff) << 16 | p->length << 8 | p->family;
}

static __always_inline __u64 bucket_hash(const struct zw_blocks *b, const struct block_prefix *p)
{
	return mix_word(mix_word(mix_word(b->seed[3] ^ prefix_word(p, 0)) ^ prefix_word(p, 1)) ^ prefix_word(p, 2));
}

static __always_inline struct zw_block *block_bucket(struct zw_blocks *b, __u64 hash, int choice)
{
	return b->bucket[(choice ? hash >> 32 : hash) & (ZW_BLOCK_BUCKETS - 1)];
}

static __always_inline bool is_block_live(__u64 head, __u64 now)
{
	return !(head & ZW_BLOCK_BUSY) && (now & ZW_BLOCK_UNTIL) < (head & ZW_BLOCK_UNTIL);
}

static __always_inline bool is_prefix_at(const struct zw_block *slot, __u64 head, const struct block_prefix *p)
{
	__u64 version = head & FLOW_VERSION;

	return load_word(&slot->word[0]) == (prefix_word(p, 0) | version) &&
	       load_word(&slot->word[1]) == (prefix_word(p, 1) | version) &&
	       load_word(&slot->word[2]) == (prefix_word(p, 2) | version);
}

/* The slot of this very prefix that still blocks, and its head; NULL: it is not on the list. */
static __always_inline struct zw_block *find_block(struct zw_blocks *b, const struct block_prefix *p, __u64 now, __u64 *ret_head)
{
	__u64 hash = bucket_hash(b, p);

	for (int i = 0; i < 2 * ZW_BLOCK_WAYS; i++) {
		struct zw_block *slot = block_bucket(b, hash, i & 1) + (i >> 1);
		__u64 head = load_word(&slot->head);

		if (!is_block_live(head, now) || !is_prefix_at(slot, head, p))
			continue;
		*ret_head = head;
		return slot;
	}
	return NULL;
}

/* Is the address inside a prefix of this length, 1 to 128, on the list? Apart from the loop, so that the verifier follows it once. */
ZW_GLOBAL int zw_block_has(const struct block_prefix *address, __u32 length, __u64 now)
{
	struct block_prefix p;
	__u64 head;

	if (!address || length > 128)
		return 0;
	p = prefix_cut(address, length);
	return find_block(blocks_base(), &p, now, &head) != NULL;
}

/* Is the address inside a prefix on the list? */
ZW_GLOBAL int zw_block_covers(const struct block_prefix *address, __u64 now)
{
	const struct zw_blocks *b = blocks_base();
	__u32 family;

	if (!address)
		return 0;
	family = address->family == 4 ? 0 : 1;
	for (int i = 0; i < ZW_BLOCK_LENGTHS; i++) {
		__u32 length = *(const volatile __u8 *)&b->lengths[family][i];

		if (!length)
			break;
		if (zw_block_has(address, length, now))
			return 1;
	}
	return 0;
}

static __always_inline bool is_listed(int family, const __u32 *address, __u64 now)
{
	struct block_prefix p = prefix_of(family, address);

	return may_be_listed(blocks_base(), &p) && zw_block_covers(&p, now);
}

static __always_inline bool is_blocked(const struct packet *p)
{
	return is_listed(p->family, p->ends.source, p->now) || is_listed(p->family, p->ends.destination, p->now);
}

/* What every packet asks: is there anything on the list? */
static __always_inline bool is_list_used(void)
{
	const struct zw_blocks *b = blocks_base();

#ifndef __bpf__
	if (!b)
		return false;
#endif
	return *(const volatile __u32 *)&b->used;
}

static __always_inline bool is_block_free(__u64 head, __u64 now)
{
	return !(head & ZW_BLOCK_BUSY) && !is_block_live(head, now);
}

struct block_ways {
	struct zw_block slot[ZW_BLOCK_WAYS];
};

/*
 * How many free slots the bucket has << 8 | the last one's number; 0: none. A function of its own, so that the verifier does not
 * follow each number apart.
 */
ZW_GLOBAL __u32 zw_block_room(const struct block_ways *bucket, __u64 now)
{
	__u32 free = 0;

	if (!bucket)
		return 0;
	for (int i = 0; i < ZW_BLOCK_WAYS; i++)
		if (is_block_free(load_word(&bucket->slot[i].head), now))
			free = ((free >> 8) + 1) << 8 | i;
	return free;
}

static __always_inline __u32 free_slots(struct zw_blocks *b, __u64 hash, int choice, __u64 now)
{
	return zw_block_room((const struct block_ways *)block_bucket(b, hash, choice), now);
}

/* A free slot for the prefix, in the bucket that has more of them, NULL if there is none; and its head. */
static __always_inline struct zw_block *choose_block(struct zw_blocks *b, __u64 hash, __u64 now, __u64 *ret_head)
{
	__u32 first = free_slots(b, hash, 0, now), second = free_slots(b, hash, 1, now);
	bool other = second >> 8 > first >> 8;
	__u64 n = other ? second : first;
	struct zw_block *slot;

	if (!n)
		return NULL;
	barrier_var(n);
	slot = block_bucket(b, hash, other) + (n & (ZW_BLOCK_WAYS - 1));
	*ret_head = load_word(&slot->head);
	return slot;
}

/*
 * Puts the prefix on the list, whose bits are set and whose length is known. until: ZW_BLOCK_BAN may stand beside it.
 * Returns whether there was room. No version is used again while a packet may still be between its first and last load of the
 * slot: 65,536 writers would have to come and go meanwhile.
 */
static __always_inline bool put_block(struct zw_blocks *b, const struct block_prefix *p, __u64 until, __u64 now)
{
	__u64 hash = bucket_hash(b, p), head, version;
	struct zw_block *slot;

	for (int tries = 0; tries < 2; tries++) {
		slot = choose_block(b, hash, now, &head);
		if (!slot)
			return false;
		version = (head + (1ull << 48)) & FLOW_VERSION;
		if (!is_block_free(head, now) || !exchange_word(&slot->head, head, version | ZW_BLOCK_BUSY))
			continue;
		for (int i = 0; i < 3; i++)
			*(volatile __u64 *)&slot->word[i] = prefix_word(p, i) | version;
		return exchange_word(&slot->head, version | ZW_BLOCK_BUSY, version | until);
	}
	return false;
}

/* Another end for a prefix that is on the list; a ban only ever prolongs. Returns whether it is there. */
static __always_inline bool renew_block(struct zw_blocks *b, const struct block_prefix *p, __u64 until, __u64 now)
{
	struct zw_block *slot;
	__u64 head;

	slot = find_block(b, p, now, &head);
	if (!slot)
		return false;
	if ((until & ZW_BLOCK_BAN) && (head & ZW_BLOCK_UNTIL) >= (until & ZW_BLOCK_UNTIL))
		return true;
	return exchange_word(&slot->head, head, (head & FLOW_VERSION) | until);
}

/*
 * For stage limit: bans an IPv4 address, or the /64 of an IPv6 one, until that jiffy. Lengths 32 and 64 are always in use. Returns
 * whether it is on the list now; what found no room is counted.
 */
ZW_GLOBAL int zw_block_ban(int family, const struct address *address, __u64 now, __u64 until)
{
	struct zw_blocks *b = blocks_base();
	struct block_prefix p;

	if (!address)
		return 0;
	p = prefix_of(family, address->word);
	if (family == 6)
		p = prefix_cut(&p, 64);
	until = (until & ZW_BLOCK_UNTIL) | ZW_BLOCK_BAN;
	mark(filter_line(b, coarse_hash(b, &p)), fine_hash(b, &p));
	*(volatile __u32 *)&b->used = 1;
	if (renew_block(b, &p, until, now) || put_block(b, &p, until, now))
		return 1;
	__sync_fetch_and_add(&b->refused, 1);
	return 0;
}

#endif
