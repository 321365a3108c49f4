/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flow tables: finding, opening and keeping flows without locks (design section 8; layout in zonewall.h).
 *
 * Words. A slot is made of 64-bit words, and the top 16 bits of each are the slot's version:
 *
 *   endpoint (IPv4)  address 32 | port 16 << 32 | version << 48         both as they stand on the wire
 *   endpoint (IPv6)  three words of 48 bits: address bytes 0-5, 6-11, 12-15 and the port
 *   head             protocol 8 | state byte << 8 | generation 32 << 16 | version << 48
 *   aux              jiffies of the last refresh, 48 bits | version << 48
 *   cell             cell 32 (with what only slots have: ZW_CELL_HOSTS, ZW_TLS_STATE) | port of the first packet << 32 |
 *                    version << 48
 *   window           TCP's sequence numbers (tcp_window.h), or what is known of a first fragment (fragment.h), 48 bits |
 *                    version << 48
 *
 * The state byte: enum zw_flow_state in four bits, then OPENER, FIN of either side, CONFIRMED (of a free slot:
 * BUSY, it is being written). The two endpoints stand in ascending order of their words, so one lookup serves
 * both directions; OPENER says that the second one opened. For ICMP echo OPENER is part of the key: two hosts
 * that ping each other with one identifier have two flows.
 *
 * Tags: a byte for each slot of a bucket says which flows it may hold, so that the lines of others are not touched. It
 * belongs to who holds the claim of its slot, and is changed by an exclusive or of the bucket's word, which never fails
 * and leaves the other bytes alone. A tag only ever spares a look: who finds one that is not the flow's any more looks
 * at the slot in vain, who does not yet find it has come a moment sooner.
 *
 * Hints: what a slot's head and aux say of it to who looks for one to take: state 4 bits, confirmed 1, time 27 (in jiffies, or
 * fours of them), 0 for a free one. They are written by whoever changes a slot, beside that and plainly, so they may tell of
 * what was. Who follows one looks at its slot; if that says anything else, he mends the hint and looks at all slots. So they
 * may as well be read some time before (see zw_flow_expect()). One that says confirmed is not followed: where two CPUs changed a
 * slot at once and that stays behind, the bucket has a slot less until the flow's next change, its timeout, or until all others
 * are taken.
 *
 * Reading: load a head; every key word must equal the wanted word with the head's version. All equal: a match.
 * Loads may happen in any order and need no barrier, on any architecture: a word with version v is written only
 * by the one writer that claimed v, so words of one version are one incarnation's. The only hole would be
 * 65,536 replacements of one slot between a reader's first and last load; a slot claimed in this jiffy is never
 * claimed again, so that takes 65 s or more.
 *
 * Claiming: compare-and-exchange of the head to (version + 1, BUSY); plain stores of the other words, and the tag;
 * compare-and-exchange of the head to its live value, which orders it after the stores (LKMM: an atomic that returns a
 * value is fully ordered). A busy slot is nobody's victim. A writer cannot stay away: programs run to their end. (User
 * space, which seeds flows by the same functions, may: killed there, it leaves that slot busy for good. See
 * user/kernel/seed_table.c.)
 *
 * Changing (state, time, generation): compare-and-exchange of one word with the value that was read. It holds
 * the version, so an incarnation that is gone cannot be touched.
 *
 * Twins: two CPUs may open one flow at once, in two slots. After publishing, each looks for the other, and
 * whoever sees a live twin kills the one with the higher index. Since publishing is fully ordered, at least one
 * sees the other. A twin that is closing, has expired, or was picked up before a SYN is the flow that the new one
 * follows: it is killed wherever it stands.
 *
 * Weak order (arm64). Safety, that no packet takes a flow that is not its own and changes none, rests on the
 * versions alone and on each 64-bit word being read and written whole; nothing has to be ordered. Three things need
 * more, and have it:
 *  - all stores of a claim come after it and before it is published: both are compare-and-exchanges that succeed,
 *    and those are full barriers (BPF's CMPXCHG: LKMM; arm64's JIT makes it CASAL, or LDXR/STLXR and DMB ISH);
 *  - one of two twins sees the other: store of tag and head, full barrier, load of tags and heads, on both sides, the
 *    barrier being the publication that succeeds. So a publication must never fail: nobody changes a busy head. A tag
 *    stored behind the barrier would be too late, since a load of the other's head may pass it;
 *  - a reader may see a published head and still the older words of the slot. For key words that is no match. Time
 *    and terms are compared with the head's version when they are read, and a slot whose words do not agree is not
 *    found: as if the packet had come a moment sooner. In kill_twins() a time of another version
 *    is no reason to call a twin expired: both would go. An answer never comes too soon: what led to it left the
 *    opener's CPU after a full barrier.
 *
 * Checked: tests/model/ has the protocol in every order that hardware may choose, tests/unit/flow_schedules.c runs
 * this very code under every schedule with up to three preemptions, tests/unit/flow_table.c and
 * tests/bpf/two_cpus.c run it on two CPUs.
 *
 * Replacement takes the slot of the same key (expired or closing), an empty one, an expired, a closing, the
 * oldest unconfirmed one; a live confirmed flow never. So that a flood cannot fill a bucket for good, one slot
 * of each bucket is kept for unconfirmed flows: a flow that would be the last to become confirmed takes the
 * slot of the confirmed one that has been idle longest, if for more than 600 s, and else stays unconfirmed. All
 * of this is counted.
 *
 * Hash: sum of 32-bit words times random 64-bit numbers (multilinear, strongly universal: Lemire and Kaser, "Strongly
 * universal string hashing is fast", 2014). It is linear: keys that count up, as ports do, give sums that count up, and
 * with some seeds those crowd in a few buckets. So the sum is multiplied once more, with its halves mixed, by a constant
 * (Knuth's multiplicative hashing); of that the high half counts. The seeds live in the map, so they outlive a generation.
 */
#ifndef ZW_FLOW_TABLE_H
#define ZW_FLOW_TABLE_H

#include "packet.h"

#define FLOW_VERSION 0xffff000000000000ull
#define FLOW_BITS48 0x0000ffffffffffffull
#define FLOW_STATE 0x0f00ull /* of a head */
#define FLOW_OPENER 0x1000ull
#define FLOW_FIN_OPENER 0x2000ull
#define FLOW_FIN_OTHER 0x4000ull
#define FLOW_CONFIRMED 0x8000ull
#define FLOW_STATE_BYTE 0xff00ull
#define FLOW_BUSY FLOW_CONFIRMED /* with state FREE */
#define FLOW_GENERATION_SHIFT 16
#define FLOW_GENERATION (0xffffffffull << FLOW_GENERATION_SHIFT)
#define FLOW_REFRESH 256 /* jiffies: a flow's time is written at most so often, but for a change of state */

ZW_CONSTANT struct zw_timeouts zw_timeouts;

/* A flow that was found: where it is, and what its words were. */
struct flow {
	struct zw_flow_slot *slot;
	__u64 head_word, aux_word;
	__u64 terms; /* its cell, and its port << 32: read once, since another CPU may be deciding the flow for the next generation */
	bool waits; /* for its opener's first byte: stage tls says so, see tls.h */
};

struct flow_key {
	__u64 word[6]; /* IPv4: two */
	__u64 want, mask; /* of a head: protocol; for echo the opener */
	__u32 hash;
	__u32 bucket; /* its number, set by the table */
	__u32 second; /* the source is the second endpoint */
};

static __always_inline __u64 load_word(const __u64 *word)
{
	return *(const volatile __u64 *)word;
}

static __always_inline bool exchange_word(__u64 *word, __u64 old, __u64 new)
{
	return __sync_val_compare_and_swap(word, old, new) == old;
}

static __always_inline __u32 flow_state(__u64 head)
{
	return (head & FLOW_STATE) >> 8;
}

static __always_inline bool is_flow_live(__u64 head)
{
	return flow_state(head) != ZW_FLOW_FREE;
}

/* Jiffies since the last refresh; another CPU's may be ahead of ours. */
static __always_inline __u64 flow_age(__u64 aux, __u64 now)
{
	__u64 age = (now - aux) & FLOW_BITS48;

	return age >> 47 ? 0 : age;
}

/* A flow past its timeout does not exist. */
static __always_inline bool is_flow_expired(__u64 head, __u64 aux, __u64 now)
{
	return flow_age(aux, now) > zw_timeouts.jiffies[flow_state(head) & 15];
}

static __always_inline bool is_flow_closing(__u64 head)
{
	__u32 state = flow_state(head);

	return state == ZW_FLOW_TCP_CLOSING || state == ZW_FLOW_TCP_RESET;
}

/* Does a SYN that policy allows open a new flow in its place? */
static __always_inline bool gives_way(__u64 head)
{
	return is_flow_closing(head) || flow_state(head) == ZW_FLOW_TCP_PICKED_UP;
}

/* Three words of 48 bits from 16 bytes of address and a port. */
static __always_inline void endpoint6(__u64 word[3], const __u32 *address, __be16 port)
{
	__u64 low = (__u64)address[1] << 32 | address[0], high = (__u64)address[3] << 32 | address[2];

	word[0] = low & FLOW_BITS48;
	word[1] = low >> 48 | (high & 0xffffffff) << 16;
	word[2] = high >> 32 | (__u64)port << 32;
}

/*
 * All ones if a > b, else 0, of words of 48 bits: which end is the lower one is chance, and a branch on it would be
 * foretold wrongly every other time. The compiler, if it saw what is meant, would make one of it.
 */
static __always_inline __u64 is_greater(__u64 a, __u64 b)
{
	__u64 difference = b - a, mask;

	barrier_var(difference);
	mask = (__s64)difference >> 63;
	barrier_var(mask);
	return mask;
}

static __always_inline void order6(struct flow_key *k, const struct ends *e)
{
	__u64 s[3], d[3], exchange;

	endpoint6(s, e->source, e->sport);
	endpoint6(d, e->destination, e->dport);
	exchange = s[0] != d[0] ? is_greater(s[0], d[0]) : s[1] != d[1] ? is_greater(s[1], d[1]) : is_greater(s[2], d[2]);
	k->second = exchange & 1;
	for (int i = 0; i < 3; i++) {
		__u64 differ = (s[i] ^ d[i]) & exchange;

		k->word[i] = s[i] ^ differ;
		k->word[i + 3] = d[i] ^ differ;
	}
}

static __always_inline void order4(struct flow_key *k, const struct ends *e)
{
	__u64 s = (__u64)e->sport << 32 | e->source[0], d = (__u64)e->dport << 32 | e->destination[0];

	__u64 exchange = is_greater(s, d), differ = (s ^ d) & exchange;

	k->second = exchange & 1;
	k->word[0] = s ^ differ;
	k->word[1] = d ^ differ;
}

/* The 48-bit words as 32-bit words times seeds: low halves one by one, high halves in pairs. */
static __always_inline __u64 hash_words(const __u64 *seed, const struct flow_key *k, int words, __u8 protocol)
{
	__u64 h = seed[0] + seed[1] * protocol;

	for (int i = 0; i < words; i += 2) {
		h += seed[2 + i] * (__u32)k->word[i];
		h += seed[3 + i] * (__u32)k->word[i + 1];
		h += seed[8 + i] * (__u32)((k->word[i] >> 32) | (k->word[i + 1] >> 32) << 16);
	}
	return h;
}

/* The key of a packet's, or a quoted packet's, flow. seed: ZW_FLOW_SEEDS numbers. */
static __always_inline void make_key(struct flow_key *k, const struct ends *e, const __u64 *seed, const bool v6)
{
	__u64 h;

	if (v6)
		order6(k, e);
	else
		order4(k, e);
	k->want = e->protocol;
	k->mask = 0xff;
	if (e->echo != ECHO_NONE) {
		/* The opener sends requests, and the other side replies. */
		k->want |= (e->echo == ECHO_REQUEST) == !!k->second ? FLOW_OPENER : 0;
		k->mask |= FLOW_OPENER;
	}
	h = hash_words(seed, k, v6 ? 6 : 2, e->protocol);
	k->hash = (h ^ h >> 32) * 0x9e3779b97f4a7c15ull >> 32;
}

/*
 * A bucket: where its parts are. The first slots of all buckets lie beside each other, behind them all second ones, and
 * so on: slots are taken from the first one on, so however large the table is, its live flows stand on few pages, and
 * what a processor keeps of their addresses (TLB, and that of a virtual machine's host) goes further.
 */
struct bucket {
	__u64 *tags;
	__u32 *hints;
	__u8 *slots;
	__u64 stride; /* bytes from a slot to the bucket's next */
	struct zw_flow_account *accounts;
};

/* Bucket number n of a whole table. Programs check that it is inside: see flow_maps.h. */
static __always_inline struct bucket bucket_at(__u8 *table, const volatile struct zw_flow_layout *l, __u64 n, const bool v6)
{
	const __u64 slot = zw_flow_slot_size(v6 ? 6 : 4), account = sizeof(struct zw_flow_account);

	return (struct bucket){
		.tags = (__u64 *)(table + l->tags + n * sizeof(__u64)),
		.hints = (__u32 *)(table + l->hints + n * ZW_FLOW_SLOTS * sizeof(__u32)),
		.slots = table + l->slots + n * slot,
		.stride = ((__u64)l->buckets + l->fragment_buckets) * slot,
		.accounts = (struct zw_flow_account *)(table + l->accounts + n * ZW_FLOW_SLOTS * account),
	};
}

/* The 32 bits of the hash: the bucket's number from below, the tag from above. */
static __always_inline __u64 tag_of(const struct flow_key *k)
{
	return k->hash >> 24;
}

#define EACH_BYTE 0x0101010101010101ull

/* The bucket's tags: of a slot that has this flow's, the byte is 0. */
static __always_inline __u64 differing_tags(const struct bucket *b, const struct flow_key *k)
{
	return load_word(b->tags) ^ tag_of(k) * EACH_BYTE;
}

/* Is one of the bytes 0? (Warren, "Hacker's Delight", 2nd edition, 6-1) */
static __always_inline bool has_zero_byte(__u64 bytes)
{
	return (bytes - EACH_BYTE) & ~bytes & 0x80 * EACH_BYTE;
}

/* index * size. An older verifier (6.1) follows a product only if its second factor is known, as size has to be. */
static __always_inline __u64 scaled(__u64 index, __u64 size)
{
#ifdef __BPF__ /* and not natively, as the fuzzers compile the programs */
	asm volatile("%0 *= %1" : "+r"(index) : "r"(size));
	return index;
#else
	return index * size;
#endif
}

static __always_inline __u64 *key_at(const struct bucket *b, __u64 i)
{
	return (__u64 *)(b->slots + scaled(i, b->stride));
}

static __always_inline struct zw_flow_slot *slot_at(const struct bucket *b, __u64 i, const bool v6)
{
	return (struct zw_flow_slot *)(key_at(b, i) + zw_flow_key_words(v6 ? 6 : 4));
}

static __always_inline bool is_key_at(const struct bucket *b, __u64 i, const struct flow_key *k, __u64 head,
				      const bool v6)
{
	const __u64 *word = key_at(b, i);
	__u64 version = head & FLOW_VERSION, differ = 0;

	if ((head ^ k->want) & k->mask)
		return false;
	for (int w = 0; w < (v6 ? 6 : 2); w++)
		differ |= load_word(&word[w]) ^ (k->word[w] | version);
	return !differ;
}

/*
 * A choice among slots. It is kept in memory, where the verifier does not follow it: else it would go on with
 * each slot apart.
 */
struct choice {
	__u64 rank; /* << 3 | index */
	__u64 head; /* the slot's, as it was weighed */
};

/*
 * Points f at slot i of the bucket, whose head was found to be `word`. False if the slot is changing, if not all of
 * it can be seen yet, or if it has timed out.
 */
static __always_inline bool take_slot(const struct bucket *b, __u64 i, __u64 word, __u64 now, struct flow *f,
				      const bool v6)
{
	__u64 cell;

	f->slot = slot_at(b, i, v6);
	f->head_word = word;
	f->aux_word = load_word(&f->slot->aux);
	f->waits = false;
	cell = load_word(&f->slot->cell);
	f->terms = cell & ~FLOW_VERSION;
	return !(((f->aux_word ^ word) | (cell ^ word)) & FLOW_VERSION) && !is_flow_expired(word, f->aux_word, now);
}

/* A look at all slots of a bucket, one after the other, for a key. opening: where one is to be opened. */
struct round {
	struct bucket bucket;
	const struct flow_key *key;
	const struct opening *opening;
	volatile struct choice *choice;
};

/* look(i, round, v6) for the slots of a table of either family: what call_each() takes. */
#define ZW_EACH_SLOT(look)                                                                         \
	static __attribute__((noinline)) long look##4(__u64 i, void *round)                        \
	{                                                                                          \
		return look(i & (ZW_FLOW_SLOTS - 1), round, false);                                \
	}                                                                                          \
	static __attribute__((noinline)) long look##6(__u64 i, void *round)                        \
	{                                                                                          \
		return look(i & (ZW_FLOW_SLOTS - 1), round, true);                                 \
	}

/* The head of slot i, if a flow with this key lives there; else 0. */
static __always_inline __u64 head_of_key(const struct bucket *b, __u64 i, const struct flow_key *k, const bool v6)
{
	__u64 head = load_word(&slot_at(b, i, v6)->head);

	return is_flow_live(head) && is_key_at(b, i, k, head, v6) ? head : 0;
}

static __always_inline __u64 head_of_tagged(__u64 i, const struct round *r, const bool v6)
{
	return differing_tags(&r->bucket, r->key) >> 8 * i & 0xff ? 0 : head_of_key(&r->bucket, i, r->key, v6);
}

static __always_inline long find_key(__u64 i, struct round *r, const bool v6)
{
	__u64 head = head_of_tagged(i, r, v6);

	if (!head)
		return 0;
	r->choice->rank = i;
	r->choice->head = head;
	return 1;
}
ZW_EACH_SLOT(find_key)

/* Which is the lowest byte that is 0, of bytes of which one is? */
static __always_inline __u64 lowest_zero_byte(__u64 bytes)
{
	__u64 zero = (bytes - EACH_BYTE) & ~bytes & 0x80 * EACH_BYTE;

	return ((zero & -zero) >> 7) * 0x0001020304050607ull >> 56;
}

/*
 * Chooses the slot with the key: nearly always it is the first one with its tag. Returns false where find_others() has to ask
 * the others with that tag. Most flows stand in their bucket's first slot, so that has a branch of its own: the CPU goes on with
 * its lines before the tags have come.
 */
static __always_inline bool find_first(const struct bucket *b, const struct flow_key *k, volatile struct choice *c, const bool v6)
{
	__u64 tags = differing_tags(b, k), i = 0, head;

	c->rank = ZW_FLOW_SLOTS;
	if (tags & 0xff) {
		if (!has_zero_byte(tags))
			return true;
		i = lowest_zero_byte(tags) & (ZW_FLOW_SLOTS - 1);
	}
	head = head_of_key(b, i, k, v6);
	if (!head)
		return false;
	c->rank = i;
	c->head = head;
	return true;
}

static __always_inline void find_others(const struct bucket *b, const struct flow_key *k, volatile struct choice *c, const bool v6)
{
	struct round r = { .bucket = *b, .key = k, .choice = c };

	call_each(ZW_FLOW_SLOTS, v6 ? find_key6 : find_key4, &r);
}

/* Points f at the slot that was found. False if there is none, or as take_slot() says. */
static __always_inline bool take_found(const struct bucket *b, const volatile struct choice *c, __u64 now, struct flow *f,
				       const bool v6)
{
	__u64 i = c->rank;

	return i < ZW_FLOW_SLOTS && take_slot(b, i & (ZW_FLOW_SLOTS - 1), c->head, now, f, v6);
}

static __always_inline bool find_in_bucket(const struct bucket *b, const struct flow_key *k, __u64 now,
					   volatile struct choice *c, struct flow *f, const bool v6)
{
	if (!find_first(b, k, c, v6))
		find_others(b, k, c, v6);
	return take_found(b, c, now, f, v6);
}

/* What a new flow begins with. */
struct opening {
	__u64 now;
	__u32 generation, cell;
	__u32 state;
	__u32 port;
	__u32 recent; /* the opener's */
	__u64 window[2]; /* 48 bits each */
	__u32 alone; /* nobody else uses the table: it may be reused within one jiffy */
	__u32 hinted; /* 1 + the slot that the hints liked best a moment ago, see zw_flow_expect(); 0: nobody looked */
};

/*
 * How gladly a slot is given away: the smaller, the sooner; FLOW_KEEP: never. A slot whose words are of two
 * versions is being written; one claimed in this jiffy is let alone (see the essay).
 */
#define FLOW_KEEP (~0ull)
enum { RANK_FREE, RANK_CLOSING, RANK_UNCONFIRMED };

static __always_inline __u64 rank(__u64 head, __u64 aux, const struct opening *o)
{
	__u64 age = flow_age(aux, o->now);

	if (!head)
		return RANK_FREE; /* never used */
	if (((head ^ aux) & FLOW_VERSION) || (!age && !o->alone))
		return FLOW_KEEP;
	if (!is_flow_live(head))
		return head & FLOW_BUSY ? FLOW_KEEP : RANK_FREE;
	if (is_flow_expired(head, aux, o->now))
		return RANK_FREE;
	if (is_flow_closing(head))
		return RANK_CLOSING;
	if (head & FLOW_CONFIRMED)
		return FLOW_KEEP;
	return RANK_UNCONFIRMED + (FLOW_BITS48 - age);
}

static __always_inline long take_same(__u64 i, struct round *r, const bool v6)
{
	__u64 head = head_of_tagged(i, r, v6), aux;

	if (!head)
		return 0;
	aux = load_word(&slot_at(&r->bucket, i, v6)->aux);
	if (((head ^ aux) & FLOW_VERSION) || (!flow_age(aux, r->opening->now) && !r->opening->alone))
		return 0;
	r->choice->rank = i;
	r->choice->head = head;
	return 1;
}
ZW_EACH_SLOT(take_same)

/* The slot of the flow that this one follows: it has the key, and is expired, closing, or was picked up before a SYN. */
static __always_inline bool choose_same(struct round *r, const bool v6)
{
	if (!has_zero_byte(differing_tags(&r->bucket, r->key)))
		return false;
	call_each(ZW_FLOW_SLOTS, v6 ? take_same6 : take_same4, r);
	return r->choice->rank != FLOW_KEEP;
}

#define HINT_STATE_SHIFT (ZW_HINT_TIME_BITS + 1)
#define HINT_CONFIRMED (1u << ZW_HINT_TIME_BITS)
#define HINT_TIME (HINT_CONFIRMED - 1)
#define HINT_AHEAD 255 /* so far another CPU's time may be ahead */

static __always_inline __u32 hint_of(__u64 head, __u64 aux)
{
	__u32 state = flow_state(head);

	if (!state)
		return 0;
	return state << HINT_STATE_SHIFT | (head & FLOW_CONFIRMED ? HINT_CONFIRMED : 0) |
	       ((aux & FLOW_BITS48) >> zw_timeouts.hint_shift & HINT_TIME);
}

static __always_inline __u32 load_hint(const struct bucket *b, __u64 i)
{
	return *(const volatile __u32 *)&b->hints[i];
}

static __always_inline void set_hint(const struct bucket *b, __u64 i, __u32 hint)
{
	*(volatile __u32 *)&b->hints[i] = hint;
}

/* The slot has changed: its hint follows. */
static __always_inline void note_slot(const struct bucket *b, __u64 i, const struct zw_flow_slot *slot)
{
	set_hint(b, i, hint_of(load_word(&slot->head), load_word(&slot->aux)));
}

/* One or the other, by a mask of all ones or none. */
static __always_inline __u64 either(__u64 mask, __u64 then, __u64 otherwise)
{
	return otherwise ^ ((otherwise ^ then) & mask);
}

#define HINTED_KEEP (1ull << 40) /* beyond all ranks, and of 48 bits with an index */
#define NO_HINT (HINTED_KEEP << 3)
#define CLOSING_STATES (1u << ZW_FLOW_TCP_CLOSING | 1u << ZW_FLOW_TCP_RESET)

/* rank() as a hint has it. Without branches, here and in best_hint(): which slot is the oldest is chance. */
static __always_inline __u64 hinted_rank(__u32 hint, __u64 now, bool alone)
{
	const __u64 state = hint >> HINT_STATE_SHIFT, shift = zw_timeouts.hint_shift;
	const __u64 age = ((now >> shift) - hint) & HINT_TIME;
	const __u64 young = is_greater(HINT_AHEAD + 1, (age + HINT_AHEAD) & HINT_TIME) & ((__u64)alone - 1);
	__u64 rank = RANK_UNCONFIRMED + (HINT_TIME - age);

	rank = either(-(__u64)(hint >> ZW_HINT_TIME_BITS & 1), HINTED_KEEP, rank);
	rank = either(-(__u64)(CLOSING_STATES >> state & 1), RANK_CLOSING, rank);
	rank = either(is_greater(age << shift, zw_timeouts.jiffies[state]), RANK_FREE, rank);
	rank = either(young, HINTED_KEEP, rank);
	return either(is_greater(1, state), RANK_FREE, rank);
}

/* The slot that the hints like best: its rank << 3 | index, or NO_HINT. */
static __always_inline __u64 best_hint(const struct bucket *b, __u64 now, bool alone)
{
	__u64 best = NO_HINT;

	for (__u64 i = 0; i < ZW_FLOW_SLOTS; i = turn_after(i)) {
		__u64 r = hinted_rank(load_hint(b, i), now, alone) << 3 | i;

		best = either(is_greater(best, r), r, best);
	}
	return best;
}

/* The slot that the hints like best, if it is what they say: two lines instead of one for each slot. */
static __always_inline void choose_hinted(const struct bucket *b, const struct opening *o, volatile struct choice *c,
					  const bool v6)
{
	__u64 i, r, head, aux;
	__u32 hint;

	c->rank = o->hinted ? o->hinted - 1 : best_hint(b, o->now, o->alone);
	if (c->rank == NO_HINT) {
		c->rank = FLOW_KEEP;
		return;
	}
	i = c->rank & (ZW_FLOW_SLOTS - 1);
	head = load_word(&slot_at(b, i, v6)->head);
	aux = load_word(&slot_at(b, i, v6)->aux);
	r = rank(head, aux, o);
	hint = hint_of(head, aux);
	c->rank = r == FLOW_KEEP || hint != load_hint(b, i) ? FLOW_KEEP : r << 3 | i;
	c->head = head;
	set_hint(b, i, hint);
}

static __always_inline long weigh(__u64 i, struct round *r, const bool v6)
{
	const struct zw_flow_slot *slot = slot_at(&r->bucket, i, v6);
	__u64 head = load_word(&slot->head), its_rank = rank(head, load_word(&slot->aux), r->opening);

	if (its_rank == FLOW_KEEP || (its_rank << 3 | i) >= r->choice->rank)
		return 0;
	r->choice->rank = its_rank << 3 | i;
	r->choice->head = head;
	return its_rank == RANK_FREE;
}
ZW_EACH_SLOT(weigh)

enum look { LOOK_HINTED, LOOK_ALL };

static __always_inline void choose(struct round *r, enum look look, const bool v6)
{
	r->choice->rank = FLOW_KEEP;
	if (choose_same(r, v6))
		return;
	if (look == LOOK_HINTED)
		choose_hinted(&r->bucket, r->opening, r->choice, v6);
	else
		call_each(ZW_FLOW_SLOTS, v6 ? weigh6 : weigh4, r);
}

/*
 * Ends the incarnation that `word` was read from. Other CPUs may be changing its state meanwhile, so this tries again;
 * a packet that changes the state more often than it tries leaves two slots, of which look-ups find the same one.
 */
#define LET_GO_TRIES 4

static __always_inline void let_go(__u64 *head, __u64 word)
{
	for (int i = 0; i < LET_GO_TRIES; i++) {
		__u64 found = __sync_val_compare_and_swap(head, word, word & ~FLOW_STATE_BYTE);

		if (found == word || ((found ^ word) & FLOW_VERSION) || !is_flow_live(found))
			return;
		word = found;
	}
}

/*
 * Is a twin the flow that this one follows? A time of another version is not its time: it may be yet to come. What was
 * picked up gives way to a SYN, not to another CPU's picking up.
 */
static __always_inline bool is_flow_over(__u64 word, __u64 aux, __u64 my_head, __u64 now)
{
	if (flow_state(my_head) == ZW_FLOW_TCP_SYN && gives_way(word))
		return true;
	return is_flow_closing(word) || (!((word ^ aux) & FLOW_VERSION) && is_flow_expired(word, aux, now));
}

static __always_inline long kill_twin(__u64 i, struct round *r, const bool v6)
{
	const __u64 mine = r->choice->rank & (ZW_FLOW_SLOTS - 1), my_head = r->choice->head;
	__u64 head = head_of_tagged(i, r, v6);
	long mine_goes;

	if (!head || i == mine)
		return 0;
	mine_goes = i < mine && !is_flow_over(head, load_word(&slot_at(&r->bucket, i, v6)->aux), my_head, r->opening->now);
	if (mine_goes) {
		i = mine;
		head = my_head;
	}
	let_go(&slot_at(&r->bucket, i, v6)->head, head);
	set_hint(&r->bucket, i, 0);
	return mine_goes;
}
ZW_EACH_SLOT(kill_twin)

/* The slot that was chosen is published, with this head. */
static __always_inline void kill_twins(struct round *r, __u64 head, const bool v6)
{
	const __u64 own = 0xffull << 8 * (r->choice->rank & (ZW_FLOW_SLOTS - 1));

	r->choice->head = head;
	if (has_zero_byte(differing_tags(&r->bucket, r->key) | own))
		call_each(ZW_FLOW_SLOTS, v6 ? kill_twin6 : kill_twin4, r);
}

/* Says in the bucket's tags that slot i, which is claimed, goes to this flow. */
static __always_inline void set_tag(const struct bucket *b, const struct flow_key *k, __u64 i)
{
	__u64 old = load_word(b->tags) >> 8 * i & 0xff;

	__sync_fetch_and_xor(b->tags, (old ^ tag_of(k)) << 8 * i);
}

/*
 * The account becomes that of the flow whose slot has this aux. It is a line on a page of its own, so it is left alone until
 * there is something to write there: until aux changes, or packets are moved. Two CPUs may begin it at once; by the time one
 * of them adds to it, the other's zeros have long been written.
 */
static __always_inline void begin_account(struct zw_flow_account *account, __u64 version, __u64 aux)
{
	__u64 opened = load_word(&account->opened);

	account->packets[0] = account->packets[1] = 0;
	account->bytes[0] = account->bytes[1] = 0;
	exchange_word(&account->opened, opened, version | aux);
}

/* Writes the words of a claimed slot, and publishes it. */
static __always_inline void write_slot(struct round *r, __u64 i, __u64 version, const bool v6)
{
	const struct bucket *b = &r->bucket;
	const struct flow_key *k = r->key;
	const struct opening *o = r->opening;
	struct zw_flow_slot *slot = slot_at(b, i, v6);
	__u64 *word = key_at(b, i);
	__u64 live = version | (k->want & ~FLOW_STATE_BYTE) | o->state << 8 | (k->second ? FLOW_OPENER : 0) |
		     (__u64)o->generation << FLOW_GENERATION_SHIFT;

	for (int w = 0; w < (v6 ? 6 : 2); w++)
		*(volatile __u64 *)&word[w] = k->word[w] | version;
	*(volatile __u64 *)&slot->aux = (o->now & FLOW_BITS48) | version;
	*(volatile __u64 *)&slot->cell = o->cell | (__u64)o->port << 32 | version;
	*(volatile __u64 *)&slot->window[0] = o->window[0] | version;
	*(volatile __u64 *)&slot->window[1] = o->window[1] | version;
	slot->recent[0] = o->recent;
	slot->recent[1] = 0;
	if (!version) /* so no account keeps the version of one 65,536 flows ago */
		begin_account(b->accounts + i, version, o->now & FLOW_BITS48);
	set_tag(b, k, i);
	set_hint(b, i, hint_of(live, o->now));
	exchange_word(&slot->head, version | FLOW_BUSY, live);
	kill_twins(r, live, v6);
}

/* OPEN_LOST: the slot that was chosen went to another CPU's flow before it was claimed, or was not what its hint said. Two
 * CPUs like the same free slot best, and without one the packet passes but not the answer to it: callers try again. */
enum opened { OPENED, OPENED_REPLACING, OPEN_REFUSED, OPEN_LOST };

static __always_inline bool is_opened(enum opened opened)
{
	return opened == OPENED || opened == OPENED_REPLACING;
}

/* Opens a flow in its bucket. c: memory for the choice. */
static __always_inline enum opened open_in_bucket(const struct bucket *b, const struct flow_key *k,
						  const struct opening *o, volatile struct choice *c, enum look look,
						  const bool v6)
{
	struct round r = { .bucket = *b, .key = k, .opening = o, .choice = c };
	__u64 best, word, version, i;

	choose(&r, look, v6);
	best = c->rank;
	if (best == FLOW_KEEP)
		return look == LOOK_HINTED ? OPEN_LOST : OPEN_REFUSED;
	i = best & (ZW_FLOW_SLOTS - 1);
	word = c->head;
	version = (word + (1ull << 48)) & FLOW_VERSION;
	if (!exchange_word(&slot_at(b, i, v6)->head, word, version | FLOW_BUSY))
		return OPEN_LOST;
	write_slot(&r, i, version, v6);
	return best >> 3 >= RANK_UNCONFIRMED ? OPENED_REPLACING : OPENED;
}

/* A look at the other slots of a bucket, for one that is not, or need not be, confirmed. */
struct room {
	struct bucket bucket;
	volatile struct choice *choice; /* the one idle longest */
	__u64 mine, now;
	bool found;
};

static __always_inline long look_for_room(__u64 i, struct room *r, const bool v6)
{
	const struct zw_flow_slot *slot = slot_at(&r->bucket, i, v6);
	__u64 head, aux, age;

	if (i == r->mine)
		return 0;
	head = load_word(&slot->head);
	aux = load_word(&slot->aux);
	age = flow_age(aux, r->now);
	if (!is_flow_live(head) || !(head & FLOW_CONFIRMED) || ((head ^ aux) & FLOW_VERSION) ||
	    is_flow_expired(head, aux, r->now) || is_flow_closing(head)) {
		r->found = true; /* this slot stays for flows that are not confirmed */
		return 1;
	}
	if ((age << 3 | i) < r->choice->rank)
		return 0;
	r->choice->rank = age << 3 | i;
	r->choice->head = head;
	return 0;
}
ZW_EACH_SLOT(look_for_room)

/*
 * May one more flow of this bucket become confirmed? If all others are: the one idle longest is let go, if it
 * has been idle for idle_jiffies. mine: the index of the flow that asks.
 */
static __always_inline bool make_room(const struct bucket *b, __u64 mine, __u64 now, __u64 idle_jiffies,
				      volatile struct choice *c, const bool v6)
{
	struct room r = { .bucket = *b, .choice = c, .mine = mine, .now = now };
	struct zw_flow_slot *slot;
	__u64 word, best;

	c->rank = 0;
	c->head = 0;
	call_each(ZW_FLOW_SLOTS, v6 ? look_for_room6 : look_for_room4, &r);
	if (r.found)
		return true;
	best = c->rank;
	word = c->head;
	slot = slot_at(b, best & (ZW_FLOW_SLOTS - 1), v6);
	if (best >> 3 <= idle_jiffies || !exchange_word(&slot->head, word, word & ~FLOW_STATE_BYTE))
		return false;
	set_hint(b, best & (ZW_FLOW_SLOTS - 1), 0);
	return true;
}

#endif
