// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flow tables' protocol under every schedule: CPUs at one bucket, run by the very code that the programs run, and
 * stopped at any of its accesses while another goes on (tests/schedule.h). Each row says how many schedules it took,
 * and, where a race is what it is about, that the race was among them.
 *
 *   flow_schedules [PREEMPTIONS]   more than the default takes long
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flow_table.h"
#include "schedule.h"
#include "test.h"

#define NOW 1000000ull

/* One bucket of either family. */
static struct shared {
	_Alignas(128) __u8 slots[ZW_FLOW_SLOTS * 96];
	__u64 tags;
	__u32 hints[ZW_FLOW_SLOTS];
	struct zw_flow_account accounts[ZW_FLOW_SLOTS];
} shared, at_first;

static bool v6;
static struct bucket bucket;
static struct flow_key keys[2][2]; /* of first and second endpoints that mix; all of one tag */
#define TAG 0x5au
static __u64 published_head; /* in slot 1, see open_or_change() */
static enum opened opened[SCHEDULE_THREADS];
static unsigned long seen, both_opened;

static __u64 *head(int i)
{
	return &slot_at(&bucket, i, v6)->head;
}

static struct opening opening(unsigned cell, __u64 now)
{
	return (struct opening){ .now = now, .generation = 7, .cell = cell, .port = 443, .state = ZW_FLOW_TCP_SYN };
}

static enum opened try_to_open(const struct flow_key *k, const struct opening *o, enum look look)
{
	struct choice choice;

	return v6 ? open_in_bucket(&bucket, k, o, &choice, look, true) : open_in_bucket(&bucket, k, o, &choice, look, false);
}

/* As flow_open() in bpf/flow_maps.h. */
static enum opened open_flow(const struct flow_key *k, const struct opening *o)
{
	enum opened opened = try_to_open(k, o, LOOK_HINTED);

	for (int i = 0; i < 2 && opened == OPEN_LOST; i++)
		opened = try_to_open(k, o, LOOK_ALL);
	return opened;
}

static bool find(const struct flow_key *k, __u64 now, struct flow *ret_flow)
{
	struct choice choice;

	return v6 ? find_in_bucket(&bucket, k, now, &choice, ret_flow, true) :
		    find_in_bucket(&bucket, k, now, &choice, ret_flow, false);
}

static int live_slots(void)
{
	int live = 0;

	for (int i = 0; i < ZW_FLOW_SLOTS; i++)
		live += is_flow_live(*head(i));
	return live;
}

static void restore(void)
{
	shared = at_first;
	memset(opened, 0, sizeof(opened));
}

/* A bucket with flows of others, which nobody may replace, behind `first` free slots. */
static void fill(int first)
{
	const __u64 seeds[ZW_FLOW_SEEDS] = { 0 };

	memset(&shared, 0, sizeof(shared));
	bucket = (struct bucket){
		.tags = &shared.tags,
		.hints = shared.hints,
		.slots = shared.slots,
		.stride = zw_flow_slot_size(v6 ? 6 : 4),
		.accounts = shared.accounts,
	};
	for (size_t i = 0; i < ZW_FLOW_STATES; i++)
		zw_timeouts.jiffies[i] = 30000;
	for (unsigned a = 0; a < 2; a++)
		for (unsigned b = 0; b < 2; b++) {
			struct ends e = { .protocol = PROTO_TCP, .sport = bpf_htons(a), .dport = bpf_htons(240 + b) };

			e.source[0] = bpf_htonl(0x0a000001);
			e.destination[0] = bpf_htonl(0x0b000001);
			memset(&keys[a][b], 0, sizeof(keys[a][b]));
			make_key(&keys[a][b], &e, seeds, v6);
			keys[a][b].hash = TAG << 24;
		}
	for (int i = first; i < ZW_FLOW_SLOTS; i++) {
		*head(i) = 0xfdull | ZW_FLOW_OTHER << 8 | FLOW_CONFIRMED | 5ull << 48; /* a protocol of its own */
		slot_at(&bucket, i, v6)->aux = (NOW - 1) | 5ull << 48;
	}
	at_first = shared;
}

static void row(const char *what, struct schedule *s)
{
	const char *wrong;
	unsigned long count;

	s->shared = &shared;
	s->shared_len = sizeof(shared);
	count = schedule_all(s, &wrong);
	ok(!wrong, "%s (IPv%d): %lu schedules", what, v6 ? 6 : 4, count);
	if (wrong)
		note("schedule %lu: %s", count, wrong);
}

/* Several CPUs open one flow. */
static void open_the_same(int number)
{
	struct opening o = opening(9, NOW);
	struct flow f;

	opened[number] = find(&keys[0][0], NOW, &f) ? OPEN_REFUSED : open_flow(&keys[0][0], &o);
}

/* A hint, where there is one, is what its slot says. */
static bool are_hints_right(void)
{
	for (int i = 0; i < ZW_FLOW_SLOTS; i++)
		if (shared.hints[i] && shared.hints[i] != hint_of(*head(i), slot_at(&bucket, i, v6)->aux))
			return false;
	return true;
}

static const char *one_is_left(void)
{
	struct flow f;

	if (live_slots() != 1 + ZW_FLOW_SLOTS - 4)
		return "not exactly one slot holds the flow";
	if (!find(&keys[0][0], NOW, &f) || (__u32)f.slot->cell != 9)
		return "the flow is not found";
	both_opened += opened[0] == OPENED && opened[1] == OPENED;
	return are_hints_right() ? NULL : "a hint is not of what its slot says";
}

/*
 * Thread 1 has published the flow in slot 1 and goes on to look for twins; thread 2 is a packet that has found it
 * there; thread 0 has not, and opens it in slot 0.
 */
static void open_or_change(int number)
{
	const __u64 published = published_head;
	struct opening at = opening(9, NOW);
	struct choice chosen = { .rank = 1 };
	struct round r = { .bucket = bucket, .key = &keys[0][0], .opening = &at, .choice = &chosen };

	if (number == 0) {
		struct opening o = opening(9, NOW);

		opened[0] = open_flow(&keys[0][0], &o);
	} else if (number == 1) {
		if (v6)
			kill_twins(&r, published, true);
		else
			kill_twins(&r, published, false);
	} else if (exchange_word(head(1), published, (published & ~FLOW_STATE) | ZW_FLOW_TCP_SYN_ACK << 8)) {
		seen++;
	}
}

static void twins(unsigned preemptions)
{
	struct schedule s = { 2, preemptions, .before = restore, .thread = open_the_same, .after = one_is_left };

	fill(4);
	both_opened = 0;
	row("two CPUs open one flow: exactly one slot keeps it", &s);
	ok(both_opened, "in %lu of them both had opened it", both_opened);
	s.threads = 3;
	s.preemptions = preemptions - 1;
	row("three CPUs open one flow: exactly one slot keeps it", &s);
	fill(4);
	*head(0) = FLOW_BUSY;
	open_the_same(1);
	*head(0) = 0;
	published_head = *head(1);
	at_first = shared;
	s.thread = open_or_change;
	seen = 0;
	row("two CPUs open one flow while its state changes: exactly one slot keeps it", &s);
	ok(seen, "in %lu of them it did", seen);
}

/* The flow was there before and is closing, or is past its time: a SYN opens it anew. */
static void open_again(int number)
{
	struct opening o = opening(9, NOW);
	struct flow f;

	opened[number] = find(&keys[0][0], NOW, &f) && !is_flow_closing(f.head_word) ? OPEN_REFUSED :
										       open_flow(&keys[0][0], &o);
}

static void successors(unsigned preemptions)
{
	struct schedule s = { 2, preemptions - 1, .before = restore, .thread = open_again, .after = one_is_left };
	struct opening o = opening(8, NOW);

	fill(4);
	try_to_open(&keys[0][0], &o, LOOK_ALL);
	*head(0) = (*head(0) & ~FLOW_STATE) | ZW_FLOW_TCP_CLOSING << 8;
	at_first = shared;
	row("two CPUs open a flow anew that is closing: exactly one slot keeps it", &s);
	fill(4);
	o.now = NOW - 40000;
	try_to_open(&keys[0][0], &o, LOOK_ALL);
	at_first = shared;
	row("two CPUs open a flow anew that is past its time: exactly one slot keeps it", &s);
}

static void open_another(int number)
{
	struct opening o = opening(9, NOW);

	opened[number] = open_flow(&keys[number][number], &o);
}

static const char *both_are_there(void)
{
	struct flow f;

	for (int i = 0; i < 2; i++)
		if (opened[i] != OPENED || !find(&keys[i][i], NOW, &f))
			return "a flow found no slot";
	return NULL;
}

static void others(unsigned preemptions)
{
	struct schedule s = { 2, preemptions, .before = restore, .thread = open_another, .after = both_are_there };

	fill(4);
	row("two CPUs open two flows: both find a slot", &s);
	fill(2);
	row("two CPUs open two flows in the last two slots: both find one", &s);
}

/* Thread 0 opens a flow in slot 0; thread 1 looks for it once its head has been seen there. */
static volatile bool opening_goes_on; /* read by thread 1 within what thread 0 calls */
static bool missed;

static void open_or_look(int number)
{
	struct opening o = opening(9, NOW);
	struct flow f;

	if (!number) {
		opening_goes_on = true;
		open_flow(&keys[0][0], &o);
		opening_goes_on = false;
	} else if (is_flow_live(load_word(head(0)))) {
		seen += opening_goes_on;
		missed = !find(&keys[0][0], NOW, &f);
	}
}

static const char *nothing_is_missed(void)
{
	return missed ? "it is not found" : NULL;
}

static void publications(unsigned preemptions)
{
	struct schedule s = { 2, preemptions, .before = restore, .thread = open_or_look, .after = nothing_is_missed };

	fill(4);
	seen = 0;
	missed = false;
	row("a flow that is published is found", &s);
	ok(seen, "in %lu of them before its opener had gone on", seen);
}

/*
 * One slot is free to all. Thread 0 looks for the flow of endpoints 0 and 1, which nobody opens; thread 1 replaces the
 * flow of 0 and 0 by others, at last by that of 1 and 1: of each endpoint one is what thread 0 looks for.
 */
static unsigned replacements;
static bool matched;

static void replace(unsigned count)
{
	for (unsigned i = 1; i <= count; i++) {
		struct opening o = opening(2, NOW);

		o.alone = 1; /* faster than a jiffy each */
		open_flow(i == count ? &keys[1][1] : &keys[1][0], &o);
	}
}

static void look_or_replace(int number)
{
	struct flow f;

	if (number) {
		schedule_hold(replacements > 4);
		replace(replacements);
		schedule_hold(0);
	} else {
		matched = find(&keys[0][1], NOW, &f);
	}
}

static const char *nothing_matched(void)
{
	return matched ? "a match that no flow is" : NULL;
}

static void false_matches(unsigned preemptions)
{
	struct schedule s = { 2, preemptions, .before = restore, .thread = look_or_replace, .after = nothing_matched };
	struct opening o = opening(1, NOW);
	const char *wrong;

	fill(1);
	try_to_open(&keys[0][0], &o, LOOK_ALL);
	at_first = shared;
	replacements = 1;
	row("a reader while its slot is replaced: no false match", &s);
	replacements = 2;
	row("a reader while its slot is replaced twice: no false match", &s);
	s.preemptions = 1;
	replacements = 65535;
	row("a reader while its slot is replaced 65,535 times: no false match", &s);
	/* The control: what the rule of one replacement a jiffy keeps from happening does happen without it. */
	replacements = 65536;
	s.shared = &shared;
	s.shared_len = sizeof(shared);
	schedule_all(&s, &wrong);
	ok(wrong, "65,536 times within one look-up: a false match is seen (IPv%d)", v6 ? 6 : 4);
}

/* A packet of a flow that is replaced under it. */
static bool changed;

static void change_or_replace(int number)
{
	struct flow f;

	if (number) {
		replace(1);
	} else if (find(&keys[0][0], NOW, &f)) {
		changed = exchange_word(&f.slot->head, f.head_word, (f.head_word & ~FLOW_STATE) | ZW_FLOW_TCP_RESET << 8);
		exchange_word(&f.slot->aux, f.aux_word, (f.aux_word & FLOW_VERSION) | (NOW + 99));
	}
}

static const char *successor_is_whole(void)
{
	struct flow f;

	seen += changed;
	changed = false;
	if (!find(&keys[1][1], NOW, &f))
		return "the new flow is not found";
	if (flow_state(f.head_word) != ZW_FLOW_TCP_SYN || (f.aux_word & FLOW_BITS48) != NOW ||
	    (__u32)f.slot->cell != 2)
		return "the new flow has words of the old one's packet";
	return NULL;
}

static void late_changes(unsigned preemptions)
{
	struct schedule s = { 2, preemptions, .before = restore, .thread = change_or_replace,
			      .after = successor_is_whole };
	struct opening o = opening(1, NOW);

	fill(1);
	try_to_open(&keys[0][0], &o, LOOK_ALL);
	at_first = shared;
	seen = 0;
	row("a packet of a flow that is replaced changes nothing of its successor", &s);
	ok(seen, "in %lu of them it changed the flow before", seen);
}

int main(int argc, char **argv)
{
	unsigned preemptions = argc > 1 ? atoi(argv[1]) : 3;

	for (int family = 0; family < 2; family++) {
		v6 = family;
		twins(preemptions);
		successors(preemptions);
		others(preemptions);
		publications(preemptions);
		false_matches(preemptions);
		late_changes(preemptions);
	}
	return done();
}
