// SPDX-License-Identifier: GPL-2.0-only
/* Seeding flows into a table in memory, and finding there what the programs would find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compile/timeouts.h"
#include "kernel/seed_table.h"

#define NOW 1000000ull
#define HZ 1000
#define CPUS 2
#define FRAGMENTS 2

static struct seed_table new_table(int family, uint32_t buckets)
{
	struct seed_table t = { .family = family, .layout = zw_flow_layout(family, CPUS, buckets, FRAGMENTS) };
	size_t size = t.layout.size;
	uint64_t *seeds;

	t.memory = aligned_alloc(128, (size + 127) & ~127ul);
	assert_non_null(t.memory);
	memset(t.memory, 0, size);
	seeds = (uint64_t *)t.memory;
	for (size_t i = 0; i < ZW_FLOW_SEEDS; i++)
		seeds[i] = (2 * i + 3) * 0x9e3779b97f4a7c15ull;
	return t;
}

/* Connection number n from 10.0.0.1 or fd00::1 to .2, told apart by its source port. */
static struct live connection(int family, unsigned n, __u32 state)
{
	struct live live = { .family = family, .state = state, .is_opener_known = true };
	struct ends *e = &live.ends;

	e->protocol = PROTO_TCP;
	e->source[0] = e->destination[0] = family == 4 ? bpf_htonl(0x0a000000) : bpf_htonl(0xfd000000);
	e->source[family == 4 ? 0 : 3] |= bpf_htonl(1);
	e->destination[family == 4 ? 0 : 3] |= bpf_htonl(2);
	e->sport = bpf_htons(1024 + n);
	e->dport = bpf_htons(443);
	e->port = 443;
	return live;
}

static bool find(const struct seed_table *t, const struct live *live, uint64_t now, struct flow *ret, bool *ret_opener)
{
	const bool v6 = t->family == 6;
	struct flow_key key = { 0 };
	struct choice choice;
	struct bucket b;
	bool found;

	if (v6)
		make_key(&key, &live->ends, (const __u64 *)t->memory, true);
	else
		make_key(&key, &live->ends, (const __u64 *)t->memory, false);
	b = bucket_at(t->memory, &t->layout, key.hash & (t->layout.buckets - 1), v6);
	timeouts_set(&zw_timeouts, HZ);
	found = v6 ? find_in_bucket(&b, &key, now, &choice, ret, true) :
		     find_in_bucket(&b, &key, now, &choice, ret, false);
	*ret_opener = !!(ret->head_word & FLOW_OPENER) == !!key.second;
	return found;
}

/* The flow's bucket, and which of its slots it has. */
static struct bucket bucket_of(const struct seed_table *t, const struct flow *flow, uint64_t *ret_i)
{
	const uint64_t all = t->layout.buckets + t->layout.fragment_buckets;
	const uint64_t slot = ((uint8_t *)flow->slot - t->memory - t->layout.slots) / zw_flow_slot_size(t->family);

	*ret_i = slot / all;
	return bucket_at(t->memory, &t->layout, slot % all, t->family == 6);
}

static void for_both(void (*test)(int family))
{
	test(4);
	test(6);
}

#define TEST_BOTH(name)                   \
	static void name##_in(int family); \
	static void name(void **state)    \
	{                                 \
		(void)state;              \
		for_both(name##_in);      \
	}                                 \
	static void name##_in(int family)

TEST_BOTH(a_seeded_flow_is_found_from_both_sides)
{
	struct seed_table t = new_table(family, 16);
	struct live live = connection(family, 1, ZW_FLOW_TCP_ESTABLISHED), reply = live;
	struct bucket b;
	struct flow flow;
	bool opener;
	uint64_t i;

	live.is_confirmed = true;
	live_reverse(&reply);
	assert_int_equal(seed_put(&t, &live, NOW, HZ), SEEDED_NEW);
	assert_true(find(&t, &live, NOW, &flow, &opener));
	assert_true(opener);
	assert_true(find(&t, &reply, NOW, &flow, &opener));
	assert_false(opener);
	assert_int_equal(flow_state(flow.head_word), ZW_FLOW_TCP_ESTABLISHED);
	assert_true(flow.head_word & FLOW_CONFIRMED);
	assert_false(flow.head_word & (FLOW_FIN_OPENER | FLOW_FIN_OTHER));
	assert_int_equal((flow.head_word & FLOW_GENERATION) >> FLOW_GENERATION_SHIFT, 0);
	assert_int_equal(flow.slot->cell & ~FLOW_VERSION, ZW_CELL_ALLOW | 443ull << 32);
	b = bucket_of(&t, &flow, &i);
	assert_int_equal(b.accounts[i].opened, (flow.head_word & FLOW_VERSION) | NOW);
	assert_int_equal(b.hints[i], hint_of(flow.head_word, flow.aux_word));
	free(t.memory);
}

/* No cell would mean that nothing allows it. */
TEST_BOTH(a_flow_without_ports_has_terms_all_the_same)
{
	struct seed_table t = new_table(family, 16);
	struct live live = connection(family, 1, ZW_FLOW_OTHER);
	struct flow flow;
	bool opener;

	live.ends.protocol = 47;
	live.ends.sport = live.ends.dport = live.ends.port = 0;
	assert_int_equal(seed_put(&t, &live, NOW, HZ), SEEDED_NEW);
	assert_true(find(&t, &live, NOW, &flow, &opener));
	assert_int_not_equal(flow.slot->cell & ~FLOW_VERSION, 0);
	assert_int_equal((flow.slot->cell ^ flow.head_word) & FLOW_VERSION, 0);
	free(t.memory);
}

TEST_BOTH(who_has_sent_fin_is_kept)
{
	struct seed_table t = new_table(family, 16);
	struct live live = connection(family, 1, ZW_FLOW_TCP_FIN);
	struct flow flow;
	bool opener;

	live.fin_destination = true;
	seed_put(&t, &live, NOW, HZ);
	assert_true(find(&t, &live, NOW, &flow, &opener));
	assert_int_equal(flow.head_word & (FLOW_FIN_OPENER | FLOW_FIN_OTHER), FLOW_FIN_OTHER);
	assert_int_equal(flow_state(flow.head_word), ZW_FLOW_TCP_FIN);
	assert_false(flow.head_word & FLOW_CONFIRMED);
	free(t.memory);
}

TEST_BOTH(a_flow_that_is_there_is_left_alone)
{
	struct seed_table t = new_table(family, 16);
	struct live live = connection(family, 1, ZW_FLOW_TCP_SYN), again = live;
	struct flow before, after;
	bool opener;

	assert_int_equal(seed_put(&t, &live, NOW, HZ), SEEDED_NEW);
	assert_true(find(&t, &live, NOW, &before, &opener));
	again.state = ZW_FLOW_TCP_ESTABLISHED;
	again.is_confirmed = true;
	live_reverse(&again);
	assert_int_equal(seed_put(&t, &again, NOW + 5, HZ), SEEDED_KNOWN);
	assert_true(find(&t, &live, NOW, &after, &opener));
	assert_true(opener);
	assert_int_equal(after.head_word, before.head_word);
	assert_int_equal(after.aux_word, before.aux_word);
	free(t.memory);
}

TEST_BOTH(one_that_has_timed_out_is_begun_again)
{
	struct seed_table t = new_table(family, 16);
	struct live live = connection(family, 1, ZW_FLOW_TCP_SYN);
	uint64_t later = NOW + 121 * HZ;
	struct flow flow;
	bool opener;

	seed_put(&t, &live, NOW, HZ);
	assert_false(find(&t, &live, later, &flow, &opener));
	assert_int_equal(seed_put(&t, &live, later, HZ), SEEDED_NEW);
	assert_true(find(&t, &live, later, &flow, &opener));
	free(t.memory);
}

TEST_BOTH(no_more_than_fits_and_nothing_is_replaced)
{
	struct seed_table t = new_table(family, 1);
	unsigned slots = ZW_FLOW_SLOTS, confirmed = 0;
	struct flow flow;
	bool opener;

	for (unsigned i = 0; i < slots + 3; i++) {
		struct live live = connection(family, i, ZW_FLOW_TCP_ESTABLISHED);

		live.is_confirmed = true;
		/* At another time each, so that no slot is out of reach for having been claimed just now. */
		assert_int_equal(seed_put(&t, &live, NOW + i, HZ), i < slots ? SEEDED_NEW : SEEDED_NO_ROOM);
	}
	for (unsigned i = 0; i < slots; i++) {
		struct live live = connection(family, i, 0);

		assert_true(find(&t, &live, NOW + 100, &flow, &opener));
		confirmed += !!(flow.head_word & FLOW_CONFIRMED);
	}
	assert_int_equal(confirmed, slots - 1); /* one is kept for flows that are not confirmed */
	free(t.memory);
}

TEST_BOTH(every_bucket_of_a_table_can_be_filled)
{
	struct seed_table t = new_table(family, 64);
	unsigned new = 0, refused = 0;

	for (unsigned i = 0; i < 5000; i++) {
		struct live live = connection(family, i, ZW_FLOW_UDP);

		live.ends.protocol = PROTO_UDP;
		switch (seed_put(&t, &live, NOW + i, HZ)) {
		case SEEDED_NEW:
			new++;
			break;
		case SEEDED_NO_ROOM:
			refused++;
			break;
		default:
			fail();
		}
	}
	assert_int_equal(new, 64 * ZW_FLOW_SLOTS);
	assert_int_equal(new + refused, 5000);
	for (unsigned n = 0; n < 64; n++) {
		struct bucket b = bucket_at(t.memory, &t.layout, n, family == 6);

		for (unsigned i = 0; i < ZW_FLOW_SLOTS; i++)
			assert_int_equal(b.hints[i], hint_of(slot_at(&b, i, family == 6)->head, slot_at(&b, i, family == 6)->aux));
	}
	/* What remembers first fragments is not touched. */
	for (unsigned n = 64; n < 64 + FRAGMENTS; n++) {
		struct bucket b = bucket_at(t.memory, &t.layout, n, family == 6);

		assert_int_equal(*b.tags, 0);
		for (unsigned i = 0; i < ZW_FLOW_SLOTS; i++) {
			assert_int_equal(slot_at(&b, i, family == 6)->head, 0);
			assert_int_equal(*key_at(&b, i), 0);
			assert_int_equal(b.accounts[i].opened, 0);
		}
	}
	free(t.memory);
}

static void a_ping_belongs_to_its_opener(void **state)
{
	struct seed_table t = new_table(4, 16);
	struct live live = connection(4, 1, ZW_FLOW_ICMP), other;
	struct flow flow;
	bool opener;

	(void)state;
	live.ends.protocol = PROTO_ICMP;
	live.ends.echo = ECHO_REQUEST;
	live.ends.dport = live.ends.sport;
	live.ends.port = 0x0800;
	assert_int_equal(seed_put(&t, &live, NOW, HZ), SEEDED_NEW);
	other = live;
	live_reverse(&other);
	assert_false(find(&t, &other, NOW, &flow, &opener)); /* a request of the other side */
	other.ends.echo = ECHO_REPLY;
	assert_true(find(&t, &other, NOW, &flow, &opener));
	assert_int_equal(flow.slot->cell >> 32 & 0xffff, 0x0800);
	free(t.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_seeded_flow_is_found_from_both_sides),
		cmocka_unit_test(a_flow_without_ports_has_terms_all_the_same),
		cmocka_unit_test(who_has_sent_fin_is_kept),
		cmocka_unit_test(a_flow_that_is_there_is_left_alone),
		cmocka_unit_test(one_that_has_timed_out_is_begun_again),
		cmocka_unit_test(no_more_than_fits_and_nothing_is_replaced),
		cmocka_unit_test(every_bucket_of_a_table_can_be_filled),
		cmocka_unit_test(a_ping_belongs_to_its_opener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
