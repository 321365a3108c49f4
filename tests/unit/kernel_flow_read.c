// SPDX-License-Identifier: GPL-2.0-only
/* Reading flow tables that the programs' own code has filled: what is read, what is not, and while others write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "compile/timeouts.h"
#include "fill.h"
#include "flow_count.h"
#include "kernel/jiffies.h"

#define NOW 1000000000ull

static struct flow_table table;
static struct zw_timeouts timeouts;

static void address(int family, unsigned number, __u32 wire[4])
{
	memset(wire, 0, 16);
	wire[0] = bpf_htonl(family == 4 ? 0x0a000000 + number : 0xfd000000);
	if (family == 6) {
		wire[1] = bpf_htonl(number * 0x9e3779b9u);
		wire[2] = bpf_htonl(~number);
		wire[3] = bpf_htonl(number);
	}
}

/* From host `from` to host `to`. */
static struct ends ends_of(unsigned from, unsigned to, __u8 protocol, __u16 sport, __u16 dport)
{
	struct ends e = { .protocol = protocol, .sport = bpf_htons(sport), .dport = bpf_htons(dport), .port = dport };

	address(table.family, from, e.source);
	address(table.family, to, e.destination);
	return e;
}

static struct opening opening_of(__u32 state, __u64 now)
{
	return (struct opening){ .now = now, .generation = 7, .cell = ZW_CELL_ALLOW | 5, .port = 443, .state = state,
				 .recent = recent_word(3, 180), .alone = 1 };
}

static void must_open(const struct ends *ends, __u32 state)
{
	struct opening opening = opening_of(state, NOW);
	struct choice choice;

	assert_true(fill_open(&table, ends, &opening, &choice));
}

/* One pass: flows that are read, up to room of them; ret_changing may be NULL. */
static unsigned read_all(uint64_t now, struct flow_record *flows, unsigned room, unsigned *ret_changing)
{
	unsigned count = 0, changing = 0;

	for (uint64_t slot = 0; slot < flow_table_slots(&table); slot++) {
		struct flow_record flow;
		enum flow_read got = flow_read(&table, slot, now, &flow);

		changing += got == FLOW_CHANGING;
		if (got == FLOW_READ && count++ < room)
			flows[count - 1] = flow;
	}
	if (ret_changing)
		*ret_changing = changing;
	return count;
}

static void for_both(void (*test)(void))
{
	timeouts_set(&timeouts, jiffies_hz());
	for (int family = 4; family <= 6; family += 2) {
		table = fill_new(family, 16);
		assert_non_null(table.memory);
		test();
		free((void *)table.memory);
	}
}

#define TEST_BOTH(name)                \
	static void name##_in(void);   \
	static void name(void **state) \
	{                              \
		(void)state;           \
		for_both(name##_in);   \
	}                              \
	static void name##_in(void)

static void assert_seen(const struct flow_record *flow, unsigned from, unsigned to)
{
	__u32 source[4], destination[4];

	address(table.family, from, source);
	address(table.family, to, destination);
	assert_memory_equal(flow->source, source, 16);
	assert_memory_equal(flow->destination, destination, 16);
}

/* Replaces the flow of these ends until its slot has the version before `version`. */
static void turn_to(const struct ends *ends, unsigned version)
{
	struct opening opening = opening_of(ZW_FLOW_UDP, NOW - 100);
	struct choice choice;
	struct flow f;

	for (unsigned turn = 0; turn < 0x10000; turn++) {
		assert_true(fill_open(&table, ends, &opening, &choice));
		assert_true(fill_find(&table, ends, opening.now, &f));
		f.slot->head &= ~FLOW_STATE_BYTE;
		if (f.head_word >> 48 == version - 1)
			return;
	}
	fail();
}

TEST_BOTH(an_account_of_another_flow_is_not_this_ones)
{
	struct ends ends = ends_of(1, 2, PROTO_UDP, 40000, 53);
	struct zw_flow_account *account;
	struct flow_record flow;
	struct flow f;

	must_open(&ends, ZW_FLOW_UDP);
	assert_true(fill_find(&table, &ends, NOW, &f));
	fill_account(&table, &ends, NOW)->packets[0] = 1000;
	f.slot->head &= ~FLOW_STATE_BYTE;
	must_open(&ends, ZW_FLOW_UDP);
	assert_int_equal(read_all(NOW + 50, &flow, 1, NULL), 1);
	assert_int_equal(flow.age, 50);
	assert_int_equal(flow.packets[0], 3);
	assert_int_equal(flow.bytes[0], 180);
	assert_true(fill_find(&table, &ends, NOW, &f));
	account = fill_account(&table, &ends, NOW);
	assert_int_equal(read_all(NOW + 50, &flow, 1, NULL), 1);
	assert_int_equal(flow.packets[0], 3);
	account->packets[0] = 1000;
	assert_int_equal(read_all(NOW + 50, &flow, 1, NULL), 1);
	assert_int_equal(flow.packets[0], 1003);
	f.slot->head &= ~FLOW_STATE_BYTE;
	/* 65,536 flows later the version comes again; those in between had nothing to write. */
	turn_to(&ends, f.head_word >> 48);
	must_open(&ends, ZW_FLOW_UDP);
	assert_int_equal(read_all(NOW + 50, &flow, 1, NULL), 1);
	assert_int_equal(flow.age, 50);
	assert_int_equal(flow.packets[0], 3);
}

TEST_BOTH(a_flow_is_read_from_its_opener_whichever_end_is_smaller)
{
	for (int turn = 0; turn < 2; turn++) {
		unsigned from = turn ? 2 : 1, to = turn ? 1 : 2;
		struct ends ends = ends_of(from, to, PROTO_TCP, 40000 + turn, 443);
		struct flow_record flows[3] = { 0 };
		struct zw_flow_account *account;
		struct flow f;

		must_open(&ends, ZW_FLOW_TCP_SYN);
		assert_true(fill_find(&table, &ends, NOW, &f));
		assert_true(exchange_word(&f.slot->head, f.head_word,
					  (f.head_word & ~FLOW_STATE) | FLOW_CONFIRMED | ZW_FLOW_TCP_ESTABLISHED << 8));
		account = fill_account(&table, &ends, NOW);
		assert_true(exchange_word(&f.slot->aux, f.aux_word, f.aux_word + 600));
		account->packets[1] = 1;
		account->bytes[1] = 4999999000;
		f.slot->recent[1] = 1 << RECENT_PACKETS_SHIFT | 1000;
		assert_int_equal(read_all(NOW + 1000, flows, 3, NULL), 1);
		assert_seen(&flows[0], from, to);
		assert_int_equal(flows[0].family, table.family);
		assert_int_equal(flows[0].protocol, PROTO_TCP);
		assert_int_equal(bpf_ntohs(flows[0].sport), 40000 + turn);
		assert_int_equal(bpf_ntohs(flows[0].dport), 443);
		assert_int_equal(flows[0].state, ZW_FLOW_TCP_ESTABLISHED);
		assert_true(flows[0].confirmed);
		assert_int_equal(flows[0].generation, 7);
		assert_int_equal(flows[0].cell, ZW_CELL_ALLOW | 5);
		assert_int_equal(flows[0].port, 443);
		assert_int_equal(flows[0].age, 1000);
		assert_int_equal(flows[0].idle, 400);
		assert_int_equal(flows[0].packets[0], 3);
		assert_int_equal(flows[0].bytes[0], 180);
		assert_int_equal(flows[0].packets[1], 2);
		assert_int_equal(flows[0].bytes[1], 5000000000);
		let_go(&f.slot->head, load_word(&f.slot->head));
		assert_int_equal(read_all(NOW + 1000, flows, 3, NULL), 0);
	}
}

TEST_BOTH(a_flow_past_its_timeout_is_not_shown)
{
	struct ends ends = ends_of(1, 2, PROTO_UDP, 1000, 53);
	struct flow_census census;
	uint64_t last = NOW + timeouts.jiffies[ZW_FLOW_UDP];
	struct flow_record flow;

	must_open(&ends, ZW_FLOW_UDP);
	assert_int_equal(read_all(last, &flow, 1, NULL), 1);
	assert_int_equal(flow.idle, timeouts.jiffies[ZW_FLOW_UDP]);
	assert_int_equal(read_all(last + 1, &flow, 1, NULL), 0);
	flow_count_all(&table, last, &census);
	assert_int_equal(census.live, 1);
	flow_count_all(&table, last + 1, &census);
	assert_int_equal(census.live, 0);
}

/* Another CPU's clock may be ahead of the reader's. */
TEST_BOTH(a_flow_of_the_future_is_as_new_as_can_be)
{
	struct ends ends = ends_of(1, 2, PROTO_UDP, 1000, 53);
	struct flow_record flow;

	must_open(&ends, ZW_FLOW_UDP);
	assert_int_equal(read_all(NOW - 1, &flow, 1, NULL), 1);
	assert_int_equal(flow.age, 0);
	assert_int_equal(flow.idle, 0);
}

TEST_BOTH(two_hosts_that_ping_each_other_have_two_flows)
{
	struct flow_record flows[3] = { 0 };
	unsigned openers = 0;

	for (unsigned turn = 1; turn <= 2; turn++) {
		struct ends ends = ends_of(turn, 3 - turn, PROTO_ICMP, 77, 77);

		ends.echo = ECHO_REQUEST;
		must_open(&ends, ZW_FLOW_ICMP);
	}
	assert_int_equal(read_all(NOW, flows, 3, NULL), 2);
	for (int i = 0; i < 2; i++) {
		unsigned from = bpf_ntohl(flows[i].source[table.family == 4 ? 0 : 3]) & 0xffff;

		assert_seen(&flows[i], from, 3 - from);
		assert_int_equal(bpf_ntohs(flows[i].sport), 77);
		openers |= 1u << from;
	}
	assert_int_equal(openers, 1u << 1 | 1u << 2);
}

TEST_BOTH(first_fragments_are_counted_and_are_no_flows)
{
	struct ends ends = ends_of(1, 2, PROTO_UDP, 1000, 53);
	struct opening opening = opening_of(ZW_FLOW_UDP, NOW);
	struct flow_record flow;
	struct flow_census census;
	struct choice choice;

	assert_true(fill_fragment(&table, &ends, &opening, &choice));
	assert_int_equal(read_all(NOW, &flow, 1, NULL), 0);
	flow_count_all(&table, NOW, &census);
	assert_int_equal(census.live, 0);
	assert_int_equal(census.fragments, 1);
}

static void assert_changing(uint64_t *word, uint64_t value, const char *what)
{
	uint64_t before = *word;
	struct flow_record flow;
	struct flow_census census;
	unsigned changing;

	*word = value;
	if (read_all(NOW, &flow, 1, &changing) || changing != 1)
		fail_msg("IPv%d: %s is believed", table.family, what);
	flow_count_all(&table, NOW, &census);
	*word = before;
	assert_int_equal(read_all(NOW, &flow, 1, &changing), 1);
	assert_int_equal(changing, 0);
}

/* Each word in turn is of the incarnation after, or before, that of the others. */
TEST_BOTH(words_of_two_versions_are_not_believed)
{
	struct ends ends = ends_of(1, 2, PROTO_UDP, 1000, 53);
	const uint64_t steps[] = { 1ull << 48, 0ull - (1ull << 48) };
	struct flow f;

	must_open(&ends, ZW_FLOW_UDP);
	assert_true(fill_find(&table, &ends, NOW, &f));
	for (int i = 0; i < 2; i++) {
		uint64_t step = steps[i];

		assert_changing((uint64_t *)&f.slot->head, f.slot->head + step, "a head");
		assert_changing((uint64_t *)&f.slot->aux, f.slot->aux + step, "a time");
		assert_changing((uint64_t *)&f.slot->cell, f.slot->cell + step, "a cell");
		for (unsigned w = 1; w <= zw_flow_key_words(table.family); w++) {
			uint64_t *word = (uint64_t *)f.slot - w;

			assert_changing(word, *word + step, "a word of an end");
		}
	}
	assert_changing((uint64_t *)&f.slot->head, (f.slot->head & FLOW_VERSION) + (1ull << 48) + FLOW_BUSY,
			"a claimed slot");
}

TEST_BOTH(the_census_is_what_a_pass_reads)
{
	struct flow_census census;
	unsigned opened = 0, protected = 0;
	struct choice choice;

	for (unsigned i = 0; i < 40; i++) {
		struct ends ends = ends_of(i, 100, PROTO_TCP, 1000 + i, 80);
		struct opening opening = opening_of(ZW_FLOW_TCP_ESTABLISHED, NOW + i);
		struct flow f;

		if (!fill_open(&table, &ends, &opening, &choice))
			continue;
		assert_true(fill_find(&table, &ends, NOW + i, &f));
		opened++;
		if (i & 1) {
			f.slot->head |= FLOW_CONFIRMED;
			protected++;
		}
	}
	flow_count_all(&table, NOW + 40, &census);
	assert_int_equal(census.live, read_all(NOW + 40, NULL, 0, NULL));
	assert_true(census.live > 20 && census.live <= opened);
	assert_int_equal(census.confirmed, protected);
	assert_int_equal(census.changing, 0);
}

/*
 * Two threads open flows without rest, some of them again and again in the same slots, and refresh and advance 24 flows
 * that stay, while a third reads. Each pass must meet each of these exactly once, and believe nothing that is of two
 * incarnations: the bytes of a churning flow are a function of its ends and its packets.
 */
#define STAY 24
#define ROUNDS 1000000u /* of each writer */

static volatile uint64_t clock_now; /* the writers' */
static volatile int writers;

static unsigned hash_of(const __u32 *source, const __u32 *destination, __u16 sport, unsigned packets)
{
	unsigned hash = source[0] ^ source[3] * 3 ^ destination[0] * 5 ^ destination[3] * 7 ^ sport * 11u;

	return (hash * 0x9e3779b9u + packets) & RECENT_BYTES_MAX;
}

static void *write_flows(void *arg)
{
	const char *wrong = NULL;
	unsigned seed = *(unsigned *)arg;
	struct choice choice;

	for (unsigned round = 0; round < ROUNDS && !wrong; round++) {
		struct ends ends = ends_of(1000 + rand_r(&seed) % 500, 2000 + rand_r(&seed) % 500, PROTO_UDP,
					   rand_r(&seed), 53);
		struct opening opening = opening_of(ZW_FLOW_UDP, NOW + round / 8);
		struct ends stays = ends_of(rand_r(&seed) % STAY, 100, PROTO_TCP, 1, 80);
		unsigned packets;
		struct flow f;

		clock_now = opening.now;
		opening.alone = 0;
		packets = rand_r(&seed) % 1000;
		opening.recent = recent_word(packets, hash_of(ends.source, ends.destination, ends.sport, packets));
		fill_open(&table, &ends, &opening, &choice);
		if (!fill_find(&table, &stays, opening.now, &f)) {
			wrong = "a flow that stays is gone";
			continue;
		}
		exchange_word(&f.slot->aux, f.aux_word, (f.aux_word & FLOW_VERSION) | opening.now);
		exchange_word(&f.slot->head, f.head_word, f.head_word ^ FLOW_FIN_OTHER);
		fill_account(&table, &stays, opening.now)->packets[0]++;
	}
	__sync_fetch_and_sub(&writers, 1);
	return (void *)wrong;
}

static void open_staying(void)
{
	struct opening opening = opening_of(ZW_FLOW_TCP_ESTABLISHED, NOW - 1);
	struct choice choice;

	for (unsigned i = 0; i < STAY; i++) {
		struct ends ends = ends_of(i, 100, PROTO_TCP, 1, 80);
		struct flow f;

		assert_true(fill_open(&table, &ends, &opening, &choice));
		assert_true(fill_find(&table, &ends, NOW, &f));
		f.slot->head |= FLOW_CONFIRMED;
	}
}

static void check_pass(unsigned *believed, unsigned *changing)
{
	unsigned seen[STAY] = { 0 };

	for (uint64_t slot = 0; slot < flow_table_slots(&table); slot++) {
		struct flow_record flow;
		enum flow_read got = flow_read(&table, slot, clock_now, &flow);

		*changing += got == FLOW_CHANGING;
		if (got != FLOW_READ)
			continue;
		if (flow.protocol == PROTO_TCP) {
			unsigned number = bpf_ntohl(flow.source[table.family == 4 ? 0 : 3]) & 0xffffff;

			assert_in_range(number, 0, STAY - 1);
			assert_seen(&flow, number, 100);
			seen[number]++;
			continue;
		}
		++*believed;
		assert_int_equal(flow.bytes[0],
				 hash_of(flow.source, flow.destination, flow.sport, flow.packets[0]));
	}
	for (int i = 0; i < STAY; i++)
		assert_int_equal(seen[i], 1);
}

TEST_BOTH(no_stable_flow_is_missed_or_met_twice_while_two_threads_write)
{
	unsigned seeds[2] = { 1, 2 }, believed = 0, changing = 0, passes = 0;
	pthread_t thread[2];
	void *wrong[2];

	open_staying();
	clock_now = NOW;
	writers = 2;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, write_flows, &seeds[i]), 0);
	for (; writers; passes++)
		check_pass(&believed, &changing);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], &wrong[i]);
	assert_null(wrong[0]);
	assert_null(wrong[1]);
	print_message("# IPv%d: %u passes, %u churning flows believed, %u slots changing\n", table.family, passes,
		      believed, changing);
	assert_true(believed > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_account_of_another_flow_is_not_this_ones),
		cmocka_unit_test(a_flow_is_read_from_its_opener_whichever_end_is_smaller),
		cmocka_unit_test(a_flow_past_its_timeout_is_not_shown),
		cmocka_unit_test(a_flow_of_the_future_is_as_new_as_can_be),
		cmocka_unit_test(two_hosts_that_ping_each_other_have_two_flows),
		cmocka_unit_test(first_fragments_are_counted_and_are_no_flows),
		cmocka_unit_test(words_of_two_versions_are_not_believed),
		cmocka_unit_test(the_census_is_what_a_pass_reads),
		cmocka_unit_test(no_stable_flow_is_missed_or_met_twice_while_two_threads_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
