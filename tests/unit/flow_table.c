// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flow tables' buckets, by the very code that the programs run, compiled natively: finding and replacing, and two
 * threads at one bucket.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "flow_table.h"

#define NOW 1000000ull

/* One bucket of either family. */
struct fixture {
	bool v6;
	_Alignas(64) __u8 slots[ZW_FLOW_SLOTS * 96];
	__u64 tags;
	__u32 hints[ZW_FLOW_SLOTS];
	struct zw_flow_account accounts[ZW_FLOW_SLOTS];
	struct bucket bucket;
	struct choice choice;
};

static __u64 seeds[ZW_FLOW_SEEDS];

static void set_up(struct fixture *f, bool v6)
{
	memset(f, 0, sizeof(*f));
	f->v6 = v6;
	f->bucket = (struct bucket){
		.tags = &f->tags,
		.hints = f->hints,
		.slots = f->slots,
		.stride = zw_flow_slot_size(v6 ? 6 : 4),
		.accounts = f->accounts,
	};
	for (size_t i = 0; i < ZW_FLOW_SEEDS; i++)
		seeds[i] = (2 * i + 3) * 0x9e3779b97f4a7c15ull;
	for (size_t i = 0; i < ZW_FLOW_STATES; i++)
		zw_timeouts.jiffies[i] = 30000;
	zw_timeouts.jiffies[ZW_FLOW_TCP_ESTABLISHED] = 1000000;
}

/* A TCP conversation told apart by its number; reply: as the other side sends. */
static struct ends ends_of(unsigned number, bool reply)
{
	struct ends e = { .protocol = PROTO_TCP, .sport = bpf_htons(1024 + number), .dport = bpf_htons(443) };

	e.source[0] = bpf_htonl(0x0a000001);
	e.destination[0] = bpf_htonl(0x0a000002);
	if (reply) {
		struct ends r = e;

		memcpy(e.source, r.destination, 16);
		memcpy(e.destination, r.source, 16);
		e.sport = r.dport;
		e.dport = r.sport;
	}
	return e;
}

static struct flow_key key_of(const struct fixture *f, const struct ends *e)
{
	struct flow_key k = { 0 };

	if (f->v6)
		make_key(&k, e, seeds, true);
	else
		make_key(&k, e, seeds, false);
	return k;
}

static void choose_by(struct fixture *f, const struct flow_key *k, const struct opening *o, enum look look)
{
	struct round r = { .bucket = f->bucket, .key = k, .opening = o, .choice = &f->choice };

	if (f->v6)
		choose(&r, look, true);
	else
		choose(&r, look, false);
}

/* As flow_open() in bpf/flow_maps.h. What hints choose is what would be chosen without them. */
static enum opened open_by_key(struct fixture *f, const struct flow_key *k, const struct opening *o)
{
	enum look look = LOOK_HINTED;
	__u64 hinted;

	choose_by(f, k, o, LOOK_HINTED);
	hinted = f->choice.rank;
	choose_by(f, k, o, LOOK_ALL);
	if (hinted == FLOW_KEEP)
		look = LOOK_ALL;
	else
		assert_int_equal(f->choice.rank, hinted);
	return f->v6 ? open_in_bucket(&f->bucket, k, o, &f->choice, look, true) :
		       open_in_bucket(&f->bucket, k, o, &f->choice, look, false);
}

static enum opened open_at(struct fixture *f, unsigned number, __u64 now, __u32 state)
{
	struct ends e = ends_of(number, false);
	struct flow_key k = key_of(f, &e);
	struct opening o = { .now = now, .generation = 7, .cell = ZW_CELL_ALLOW | 5, .port = 443, .state = state, .recent = 1 };

	return open_by_key(f, &k, &o);
}

static bool find(struct fixture *f, const struct ends *e, __u64 now, struct flow *flow)
{
	struct flow_key k = key_of(f, e);

	return f->v6 ? find_in_bucket(&f->bucket, &k, now, &f->choice, flow, true) :
		       find_in_bucket(&f->bucket, &k, now, &f->choice, flow, false);
}

static bool is_there(struct fixture *f, unsigned number, __u64 now)
{
	struct ends e = ends_of(number, false);
	struct flow flow;

	return find(f, &e, now, &flow);
}

static void change(struct fixture *f, unsigned number, __u64 now, __u64 clear, __u64 set)
{
	struct ends e = ends_of(number, false);
	struct flow flow;

	assert_true(find(f, &e, now, &flow));
	assert_true(exchange_word(&flow.slot->head, flow.head_word, (flow.head_word & ~clear) | set));
	note_slot(&f->bucket, f->choice.rank, flow.slot);
}

static void for_both(void (*test)(struct fixture *f))
{
	struct fixture *f = aligned_alloc(64, (sizeof(*f) + 63) & ~63ul);

	assert_non_null(f);
	for (int v6 = 0; v6 < 2; v6++) {
		set_up(f, v6);
		test(f);
	}
	free(f);
}

#define TEST_BOTH(name)                          \
	static void name##_in(struct fixture *f); \
	static void name(void **state)            \
	{                                         \
		(void)state;                      \
		for_both(name##_in);              \
	}                                         \
	static void name##_in(struct fixture *f)

TEST_BOTH(a_flow_is_found_from_both_sides_and_knows_its_opener)
{
	struct ends forth = ends_of(1, false), back = ends_of(1, true);
	struct flow_key k;
	struct flow flow;

	assert_int_equal(open_at(f, 1, NOW, ZW_FLOW_TCP_SYN), OPENED);
	k = key_of(f, &forth);
	assert_true(find(f, &forth, NOW, &flow));
	assert_int_equal(!!(flow.head_word & FLOW_OPENER), !!k.second);
	k = key_of(f, &back);
	assert_true(find(f, &back, NOW + 5, &flow));
	assert_int_not_equal(!!(flow.head_word & FLOW_OPENER), !!k.second);
	assert_int_equal((flow.head_word & FLOW_GENERATION) >> FLOW_GENERATION_SHIFT, 7);
	assert_int_equal((__u32)flow.slot->cell, ZW_CELL_ALLOW | 5);
	assert_false(is_there(f, 2, NOW));
}

TEST_BOTH(a_flow_past_its_timeout_does_not_exist)
{
	open_at(f, 1, NOW, ZW_FLOW_UDP);
	assert_true(is_there(f, 1, NOW + 30000));
	assert_false(is_there(f, 1, NOW + 30001));
}

TEST_BOTH(echo_flows_belong_to_their_opener)
{
	struct ends request = ends_of(1, false), reply, other;
	struct opening o = { .now = NOW, .state = ZW_FLOW_ICMP };
	struct flow_key k;
	struct flow flow;

	request.protocol = PROTO_ICMP;
	request.echo = ECHO_REQUEST;
	request.dport = request.sport;
	reply = request;
	memcpy(reply.source, request.destination, 16);
	memcpy(reply.destination, request.source, 16);
	other = reply;
	reply.echo = ECHO_REPLY;
	k = key_of(f, &request);
	assert_int_equal(open_by_key(f, &k, &o), OPENED);
	assert_true(find(f, &request, NOW, &flow));
	assert_true(find(f, &reply, NOW, &flow));
	assert_false(find(f, &other, NOW, &flow)); /* a request from the other side with the same identifier */
	other = request;
	other.echo = ECHO_REPLY;
	assert_false(find(f, &other, NOW, &flow)); /* a reply from the opener */
}

TEST_BOTH(a_full_bucket_gives_away_expired_then_closing_then_oldest)
{
	for (int i = 0; i < ZW_FLOW_SLOTS; i++)
		assert_int_equal(open_at(f, i, NOW + i, ZW_FLOW_TCP_SYN), OPENED);
	assert_int_equal(open_at(f, 100, NOW + 20, ZW_FLOW_TCP_SYN), OPENED_REPLACING);
	assert_false(is_there(f, 0, NOW + 20)); /* the oldest */
	change(f, 2, NOW + 20, FLOW_STATE, ZW_FLOW_TCP_CLOSING << 8);
	assert_int_equal(open_at(f, 101, NOW + 21, ZW_FLOW_TCP_SYN), OPENED);
	assert_false(is_there(f, 2, NOW + 21));
	assert_true(is_there(f, 1, NOW + 21));
	assert_int_equal(open_at(f, 102, NOW + 30002, ZW_FLOW_TCP_SYN), OPENED); /* 1 has expired */
	assert_true(is_there(f, 3, NOW + 30002));
}

TEST_BOTH(a_live_confirmed_flow_is_never_given_away)
{
	for (int i = 0; i < ZW_FLOW_SLOTS; i++) {
		open_at(f, i, NOW, ZW_FLOW_TCP_ESTABLISHED);
		change(f, i, NOW, 0, FLOW_CONFIRMED);
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(open_at(f, 100 + i, NOW + 1 + i, ZW_FLOW_TCP_SYN), OPEN_REFUSED);
	for (int i = 0; i < ZW_FLOW_SLOTS; i++)
		assert_true(is_there(f, i, NOW + 1001));
}

TEST_BOTH(a_slot_claimed_in_this_jiffy_is_let_alone)
{
	for (int i = 0; i < ZW_FLOW_SLOTS; i++)
		assert_int_equal(open_at(f, i, NOW, ZW_FLOW_TCP_SYN), OPENED);
	assert_int_equal(open_at(f, 100, NOW, ZW_FLOW_TCP_SYN), OPEN_REFUSED);
	assert_int_equal(open_at(f, 100, NOW + 1, ZW_FLOW_TCP_SYN), OPENED_REPLACING);
}

TEST_BOTH(one_slot_is_kept_for_flows_that_are_not_confirmed)
{
	__u64 mine;
	bool room;

	for (int i = 0; i < ZW_FLOW_SLOTS; i++)
		open_at(f, i, NOW + i, ZW_FLOW_TCP_ESTABLISHED);
	for (int i = 0; i < ZW_FLOW_SLOTS - 1; i++)
		change(f, i, NOW + 100, 0, FLOW_CONFIRMED);
	assert_true(is_there(f, ZW_FLOW_SLOTS - 1, NOW + 100));
	mine = f->choice.rank;
	room = f->v6 ? make_room(&f->bucket, mine, NOW + 600000, 600000, &f->choice, true) :
		       make_room(&f->bucket, mine, NOW + 600000, 600000, &f->choice, false);
	assert_false(room);
	assert_true(is_there(f, 0, NOW + 600000));
	room = f->v6 ? make_room(&f->bucket, mine, NOW + 600001, 600000, &f->choice, true) :
		       make_room(&f->bucket, mine, NOW + 600001, 600000, &f->choice, false);
	assert_true(room); /* the one idle longest, for more than 600 s, has made room */
	assert_int_equal(f->hints[0], 0);
	assert_false(is_there(f, 0, NOW + 600001));
	assert_true(is_there(f, 1, NOW + 600001));
}

TEST_BOTH(a_new_flow_takes_the_place_of_its_closing_self)
{
	int live = 0;

	open_at(f, 1, NOW, ZW_FLOW_TCP_SYN);
	change(f, 1, NOW, FLOW_STATE, ZW_FLOW_TCP_RESET << 8);
	assert_int_equal(open_at(f, 1, NOW, ZW_FLOW_TCP_SYN), OPENED); /* another slot: this one was claimed just now */
	for (int i = 0; i < ZW_FLOW_SLOTS; i++)
		live += is_flow_live(slot_at(&f->bucket, i, f->v6)->head);
	assert_int_equal(live, 1);
	assert_true(is_there(f, 1, NOW));
}

/* A slot keeps its tag until another flow takes it: what is gone is not found by it, nor what only has the same one. */
TEST_BOTH(tags_follow_the_slots_flows)
{
	struct ends first = ends_of(1, false), second = ends_of(2, false);
	struct flow_key k = key_of(f, &first), other = key_of(f, &second);

	assert_int_not_equal(tag_of(&k), tag_of(&other));
	open_at(f, 1, NOW, ZW_FLOW_UDP);
	assert_int_equal(f->tags, tag_of(&k));
	change(f, 1, NOW, FLOW_STATE_BYTE, 0);
	assert_int_equal(f->tags, tag_of(&k));
	assert_false(is_there(f, 1, NOW));
	slot_at(&f->bucket, 0, f->v6)->aux -= 1; /* claimed a jiffy ago */
	struct opening o = { .now = NOW, .state = ZW_FLOW_UDP };

	assert_int_equal(open_by_key(f, &other, &o), OPENED);
	assert_int_equal(f->tags, tag_of(&other));
	f->tags = 0; /* without it, the flow is not looked at: tags are what look-ups go by */
	assert_false(is_there(f, 2, NOW));
	f->tags = tag_of(&other) * EACH_BYTE; /* with a wrong one in all others, it is */
	assert_true(is_there(f, 2, NOW));
	f->tags = tag_of(&k) * EACH_BYTE;
	assert_false(is_there(f, 1, NOW));
}

static __u64 choose_for(struct fixture *f, unsigned number, __u64 now, enum look look)
{
	struct ends e = ends_of(number, false);
	struct flow_key k = key_of(f, &e);
	struct opening o = { .now = now, .state = ZW_FLOW_TCP_SYN };

	choose_by(f, &k, &o, look);
	return f->choice.rank;
}

/* Slots of every kind, now one, now the other first, at whole units of time: what hints choose is what would be chosen without them. */
TEST_BOTH(hints_choose_what_all_slots_would)
{
	static const __u32 states[] = { ZW_FLOW_TCP_SYN, ZW_FLOW_TCP_CLOSING, ZW_FLOW_TCP_RESET, ZW_FLOW_UDP, ZW_FLOW_OTHER };
	unsigned seed = 5, chosen[3] = { 0 };

	for (unsigned shift = 0; shift <= 2; shift += 2) {
		set_up(f, f->v6);
		zw_timeouts.hint_shift = shift;
		for (unsigned round = 0; round < 20000; round++) {
			__u64 now = NOW + round * 1000, later = now + 4 * (1 + rand_r(&seed) % 10000), rank;
			unsigned number = rand_r(&seed) % 24;

			open_at(f, number, now, states[rand_r(&seed) % 5]);
			if (!is_there(f, number, now))
				continue;
			if (rand_r(&seed) % 4 == 0)
				change(f, number, now, 0, FLOW_CONFIRMED);
			else if (rand_r(&seed) % 8 == 0)
				change(f, number, now, FLOW_STATE_BYTE, 0);
			if (is_there(f, number, now) && rand_r(&seed) % 8 == 0) /* another CPU's jiffies are ahead of ours */
				later = now - 4 * (rand_r(&seed) % (HINT_AHEAD / 4));
			rank = choose_for(f, 99, later, LOOK_HINTED);
			assert_true(choose_for(f, 99, later, LOOK_ALL) == rank);
			if (rank != FLOW_KEEP)
				chosen[rank >> 3 < RANK_UNCONFIRMED ? rank >> 3 : RANK_UNCONFIRMED]++;
		}
	}
	zw_timeouts.hint_shift = 0;
	assert_true(chosen[RANK_FREE] > 1000 && chosen[RANK_CLOSING] > 1000 && chosen[RANK_UNCONFIRMED] > 1000);
}

/* Also when a hint's time, which begins again after so many jiffies, is what stands in a free one. */
TEST_BOTH(a_free_slot_is_free_at_any_time)
{
	for (int i = -300; i < 300; i++)
		assert_int_equal(choose_for(f, 99, (1ull << ZW_HINT_TIME_BITS) + i, LOOK_HINTED), RANK_FREE << 3 | 0);
}

/* A hint that is not what its slot says is not followed, whatever it is. */
TEST_BOTH(a_hint_of_before_chooses_nothing)
{
	struct zw_flow_slot *slot;
	__u32 hint;

	for (int i = 0; i < ZW_FLOW_SLOTS; i++)
		assert_int_equal(open_at(f, i, NOW + i, ZW_FLOW_UDP), OPENED);
	assert_int_equal(choose_for(f, 99, NOW + 100, LOOK_HINTED) & 7, 0);
	slot = slot_at(&f->bucket, 0, f->v6);
	hint = f->hints[0];
	slot->head |= FLOW_CONFIRMED;
	assert_true(choose_for(f, 99, NOW + 100, LOOK_HINTED) == FLOW_KEEP);
	assert_int_equal(choose_for(f, 99, NOW + 100, LOOK_ALL) & 7, 1);
	assert_int_equal(choose_for(f, 99, NOW + 100, LOOK_HINTED) & 7, 1); /* it is mended */
	slot->head &= ~FLOW_CONFIRMED;
	f->hints[0] = hint;
	slot->aux += 50;
	assert_true(choose_for(f, 99, NOW + 100, LOOK_HINTED) == FLOW_KEEP);
	slot->aux -= 50;
	f->hints[0] = hint;
	assert_int_equal(choose_for(f, 99, NOW + 100, LOOK_HINTED) & 7, 0);
	for (int i = 1; i < ZW_FLOW_SLOTS; i++)
		f->hints[i] = 0; /* free, it says, and it is not */
	for (int i = 1; i < ZW_FLOW_SLOTS; i++)
		assert_true(choose_for(f, 99, NOW + 100, LOOK_HINTED) == FLOW_KEEP);
	assert_int_equal(choose_for(f, 99, NOW + 100, LOOK_HINTED) & 7, 0); /* all are mended */
	slot->head = (slot->head & ~FLOW_STATE_BYTE) | FLOW_BUSY;
	assert_true(choose_for(f, 99, NOW + 100, LOOK_HINTED) == FLOW_KEEP);
}

/* What was looked at a moment ago may have become anything since: it is taken only if it may be, and as what it is. */
TEST_BOTH(a_slot_that_was_expected_is_looked_at_again)
{
	static const __u32 states[] = { ZW_FLOW_TCP_SYN, ZW_FLOW_TCP_CLOSING, ZW_FLOW_UDP, ZW_FLOW_TCP_ESTABLISHED };
	struct ends e = ends_of(99, false);
	struct flow_key k = key_of(f, &e);
	unsigned seed = 6, taken = 0, kept = 0;

	for (unsigned round = 0; round < 4000; round++) {
		__u64 now = NOW + round * 1000, later = now + rand_r(&seed) % 2;
		unsigned number = rand_r(&seed) % 24;

		open_at(f, number, now, states[rand_r(&seed) % 4]);
		if (is_there(f, number, now) && rand_r(&seed) % 4 == 0)
			change(f, number, now, 0, FLOW_CONFIRMED);
		for (__u32 i = 0; i < ZW_FLOW_SLOTS; i++) {
			struct opening o = { .now = later, .state = ZW_FLOW_TCP_SYN, .hinted = i + 1 };
			const struct zw_flow_slot *slot = slot_at(&f->bucket, i, f->v6);
			__u64 wanted = rank(slot->head, slot->aux, &o);

			choose_by(f, &k, &o, LOOK_HINTED);
			assert_true(f->choice.rank == (wanted == FLOW_KEEP ? FLOW_KEEP : wanted << 3 | i));
			taken += wanted != FLOW_KEEP;
			kept += wanted == FLOW_KEEP;
		}
	}
	assert_true(taken > 4000 && kept > 4000);
}

/*
 * Keys that count up, as the ports and addresses of real clients do, spread over the buckets as random ones would,
 * whatever the seeds: of as many flows as half the slots, few find their bucket full.
 */
#define SPREAD_BUCKETS 1024
#define SPREAD_FLOWS (SPREAD_BUCKETS * ZW_FLOW_SLOTS / 2)
#define SPREAD_SEEDS 300

static unsigned without_slot(struct fixture *f, int kind)
{
	static uint8_t used[SPREAD_BUCKETS];
	unsigned lost = 0;

	memset(used, 0, sizeof(used));
	for (unsigned i = 0; i < SPREAD_FLOWS; i++) {
		struct ends e = { .protocol = PROTO_TCP, .sport = bpf_htons(40000), .dport = bpf_htons(443) };
		const int last = f->v6 ? 3 : 0;
		uint8_t *in_bucket;

		e.source[0] = e.destination[0] = bpf_htonl(0x0a000000);
		e.source[last] = bpf_htonl(0x0a000000 + (kind == 0 ? 1 : 1 + i / (kind == 1 ? 1 : 8)));
		e.destination[last] = bpf_htonl(0x0a010001);
		if (kind != 1)
			e.sport = bpf_htons(20000 + (kind == 0 ? i : i % 8));
		in_bucket = &used[key_of(f, &e).hash & (SPREAD_BUCKETS - 1)];
		if (*in_bucket == ZW_FLOW_SLOTS)
			lost++;
		else
			++*in_bucket;
	}
	return lost;
}

TEST_BOTH(keys_that_count_up_find_their_buckets_no_fuller_than_others)
{
	unsigned most = 0;
	uint64_t x = 88172645463325252ull;

	for (int round = 0; round < SPREAD_SEEDS; round++) {
		for (size_t i = 0; i < ZW_FLOW_SEEDS; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			seeds[i] = x;
		}
		for (int kind = 0; kind < 3; kind++) {
			unsigned lost = without_slot(f, kind);

			most = lost > most ? lost : most;
		}
	}
	/* Of Poisson's distribution 0.87 %; five times its deviation more. */
	print_message("# at most %.2f %% of half the slots' flows find no slot (IPv%d)\n", most * 100.0 / SPREAD_FLOWS,
		      f->v6 ? 6 : 4);
	assert_true(most < SPREAD_FLOWS * 2 / 100);
}

/*
 * Two threads replace flows in one bucket without rest, each with its own clock so that every slot may be claimed at
 * once, while both look for flows whose halves mix: conversation n of one thread has the first endpoint of one, the
 * second of another. A match must be of one incarnation: its account's cell tells whose.
 */
#define ROUNDS 4000000u

struct stress {
	struct fixture *f;
	unsigned seed;
	unsigned found, wrong;
};

/* Endpoint a of 8 with endpoint b of 8; the cell holds both. */
static struct ends mixed(unsigned a, unsigned b)
{
	struct ends e = { .protocol = PROTO_UDP, .sport = bpf_htons(1000 + a), .dport = bpf_htons(2000 + b) };

	e.source[0] = bpf_htonl(0x0a000000 + a);
	e.destination[0] = bpf_htonl(0x0b000000 + b);
	return e;
}

static void *stress_thread(void *arg)
{
	struct stress *s = arg;
	struct fixture *f = s->f;
	struct choice choice;

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned a = rand_r(&s->seed) & 7, b = rand_r(&s->seed) & 7;
		struct opening o = { .now = NOW + 2 * round, .state = ZW_FLOW_UDP, .cell = a << 8 | b };
		struct ends e = mixed(a, b);
		struct flow_key k = key_of(f, &e);
		struct flow flow;

		k.hash &= ~(0xffu << 21); /* all tags alike */
		if (f->v6)
			open_in_bucket(&f->bucket, &k, &o, &choice, round & 1 ? LOOK_ALL : LOOK_HINTED, true);
		else
			open_in_bucket(&f->bucket, &k, &o, &choice, round & 1 ? LOOK_ALL : LOOK_HINTED, false);
		e = mixed(rand_r(&s->seed) & 7, rand_r(&s->seed) & 7);
		k = key_of(f, &e);
		k.hash &= ~(0xffu << 21);
		if (f->v6 ? !find_in_bucket(&f->bucket, &k, o.now, &choice, &flow, true) :
			    !find_in_bucket(&f->bucket, &k, o.now, &choice, &flow, false))
			continue;
		__u64 cell = load_word(&flow.slot->cell);

		if ((cell ^ flow.head_word) & FLOW_VERSION)
			continue; /* replaced meanwhile */
		s->found++;
		s->wrong += (cell & 0xffff) !=
			    (((unsigned)bpf_ntohs(e.sport) - 1000) << 8 | ((unsigned)bpf_ntohs(e.dport) - 2000));
	}
	return NULL;
}

TEST_BOTH(two_threads_at_one_bucket_never_match_falsely)
{
	struct stress s[2] = { { .f = f, .seed = 1 }, { .f = f, .seed = 2 } };
	pthread_t thread[2];

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, stress_thread, &s[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	print_message("# %u matches, %u false\n", s[0].found + s[1].found, s[0].wrong + s[1].wrong);
	assert_true(s[0].found + s[1].found > 1000);
	assert_int_equal(s[0].wrong + s[1].wrong, 0);
}

/* Of all ways in which bytes of a word may be 0, 1, which a borrow could take for 0, or anything. */
static void the_lowest_byte_that_is_0_is_found(void **state)
{
	(void)state;
	for (unsigned zeros = 1; zeros < 256; zeros++)
		for (unsigned ones = 0; ones < 256; ones++) {
			__u64 bytes = 0xa5a5a5a5a5a5a5a5ull;

			for (unsigned i = 0; i < 8; i++) {
				bytes &= zeros >> i & 1 ? ~(0xffull << 8 * i) : ~0ull;
				bytes ^= ~zeros >> i & ones >> i & 1 ? 0xa4ull << 8 * i : 0;
			}
			assert_true(has_zero_byte(bytes));
			assert_int_equal(lowest_zero_byte(bytes), __builtin_ctz(zeros));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_found_from_both_sides_and_knows_its_opener),
		cmocka_unit_test(a_flow_past_its_timeout_does_not_exist),
		cmocka_unit_test(echo_flows_belong_to_their_opener),
		cmocka_unit_test(a_full_bucket_gives_away_expired_then_closing_then_oldest),
		cmocka_unit_test(a_live_confirmed_flow_is_never_given_away),
		cmocka_unit_test(a_slot_claimed_in_this_jiffy_is_let_alone),
		cmocka_unit_test(one_slot_is_kept_for_flows_that_are_not_confirmed),
		cmocka_unit_test(a_new_flow_takes_the_place_of_its_closing_self),
		cmocka_unit_test(tags_follow_the_slots_flows),
		cmocka_unit_test(hints_choose_what_all_slots_would),
		cmocka_unit_test(a_free_slot_is_free_at_any_time),
		cmocka_unit_test(a_hint_of_before_chooses_nothing),
		cmocka_unit_test(a_slot_that_was_expected_is_looked_at_again),
		cmocka_unit_test(the_lowest_byte_that_is_0_is_found),
		cmocka_unit_test(keys_that_count_up_find_their_buckets_no_fuller_than_others),
		cmocka_unit_test(two_threads_at_one_bucket_never_match_falsely),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
