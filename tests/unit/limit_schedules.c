// SPDX-License-Identifier: GPL-2.0-only
/*
 * Token buckets under every schedule: CPUs at one set, run by the very code that the programs run, and stopped at any of its
 * accesses while another goes on (tests/schedule.h). Each row says how many schedules it took, and, where a race is what it is
 * about, that the race was among them.
 *
 *   limit_schedules [PREEMPTIONS]   more than the default takes long
 */
#include <stdlib.h>
#include <string.h>

#include "schedule.h"
#include "test.h"
#include "tokens.h"

#define NOW 1000000000000ull
#define COST 1000000ull /* a thousandth of a second */
#define TICK 4000000ull
#define ONE 0x11ull
#define OTHER 0x22ull

static struct zw_limit_set shared, at_first;
static int got[SCHEDULE_THREADS][2]; /* what each CPU's tokens came to */
static unsigned long raced;
static unsigned burst;

static struct token token_of(__u64 key, unsigned depth, bool ahead)
{
	return (struct token){ .key = key, .now_ns = NOW + (ahead ? TICK : 0), .cost_ns = COST, .depth_ns = depth * COST };
}

static int ask(__u64 key, unsigned depth, bool ahead)
{
	struct token t = token_of(key, depth, ahead);

	return take_token_of(&shared, &t);
}

/* Of another key, and not full for long, from bucket `first` on. */
static void fill(int first)
{
	memset(&shared, 0, sizeof(shared));
	for (int i = first; i < ZW_LIMIT_WAYS; i++) {
		shared.key[i] = 0x100u + i;
		shared.level[i] = (NOW + 1000 * COST) | LIMIT_LIVE;
	}
	at_first = shared;
}

static void restore(void)
{
	shared = at_first;
	memset(got, -1, sizeof(got));
}

static void row(const char *what, struct schedule *s)
{
	const char *wrong;
	unsigned long count;

	s->shared = &shared;
	s->shared_len = sizeof(shared);
	s->before = restore;
	count = schedule_all(s, &wrong);
	ok(!wrong, "%s: %lu schedules", what, count);
	if (wrong)
		note("schedule %lu: %s", count, wrong);
}

static int count_of(int limited)
{
	int count = 0;

	for (int i = 0; i < SCHEDULE_THREADS; i++)
		for (int j = 0; j < 2; j++)
			count += got[i][j] == limited;
	return count;
}

static int live_of(__u64 key)
{
	int count = 0;

	for (int i = 0; i < ZW_LIMIT_WAYS; i++)
		count += is_same_bucket(shared.key[i], key) && !((shared.key[i] ^ shared.level[i]) & LIMIT_VERSION) &&
			 (shared.level[i] & LIMIT_STATE) == LIMIT_LIVE;
	return count;
}

static bool is_any_busy(void)
{
	for (int i = 0; i < ZW_LIMIT_WAYS; i++)
		if ((shared.level[i] & LIMIT_STATE) == LIMIT_BUSY)
			return true;
	return false;
}

static void take_one(int number)
{
	got[number][0] = ask(ONE, burst, false);
}

/* As many as there are, to the last one, and no bucket is left behind. */
static const char *all_and_no_more(void)
{
	if (count_of(LIMIT_TAKEN) != (int)burst)
		return count_of(LIMIT_TAKEN) > (int)burst ? "more than there were" : "one was refused that was there";
	if (live_of(ONE) != 1 || is_any_busy())
		return "not exactly one bucket is the key's";
	return NULL;
}

static void one_key(unsigned preemptions)
{
	struct schedule s = { 2, preemptions, .thread = take_one, .after = all_and_no_more };

	fill(4);
	burst = 1;
	row("two CPUs take the one token of a bucket that is yet to be claimed", &s);
	burst = 2;
	row("two CPUs take the two tokens of a bucket that is yet to be claimed", &s);
	s.threads = 3;
	s.preemptions = preemptions - 1;
	row("three CPUs take the two tokens of a bucket that is yet to be claimed", &s);
	fill(4);
	ask(ONE, 3, false);
	at_first = shared;
	burst = 2; /* what is left of three */
	s.thread = take_one;
	shared.level[0] -= COST;
	at_first = shared;
	row("three CPUs take the two tokens of a bucket that is full", &s);
}

/* Bucket 0 is free to the CPU whose clock is ahead, not yet to the other one, which takes bucket 2. */
static void take_at_two_ticks(int number)
{
	got[number][0] = ask(ONE, burst, number == 1);
}

static const char *both_of_one(void)
{
	raced += live_of(ONE) == 1 && is_same_bucket(shared.key[0], ONE) && is_same_bucket(shared.key[2], ONE);
	if (is_any_busy())
		return "a bucket is left busy";
	return live_of(ONE) == 1 && count_of(LIMIT_TAKEN) == 2 ? NULL : "not both tokens of one bucket";
}

static void twins(unsigned preemptions)
{
	struct schedule s = { 2, preemptions, .thread = take_at_two_ticks, .after = both_of_one };

	fill(4);
	burst = 2 + TICK / COST; /* enough for the CPU whose clock is behind, too */
	shared.key[0] = 0x99;
	shared.level[0] = (NOW + TICK) | LIMIT_LIVE;
	shared.key[1] = 0x98;
	shared.level[1] = (NOW + 1000 * COST) | LIMIT_LIVE;
	at_first = shared;
	raced = 0;
	row("two CPUs claim two buckets for one key: one becomes its", &s);
	ok(raced, "in %lu of them both were claimed", raced);
}

/* Only bucket 0 is claimable; it is full, and ONE's. One CPU takes of it, the other wants it for OTHER. */
static void take_or_claim(int number)
{
	if (number == 0) {
		got[0][0] = ask(ONE, burst, false);
		got[0][1] = ask(ONE, burst, false);
	} else {
		got[1][0] = ask(OTHER, burst, false);
		got[1][1] = ask(OTHER, burst, false);
	}
}

/* All tokens go to one of them; who comes too late finds no room. */
static const char *one_has_it(void)
{
	unsigned one = (got[0][0] == LIMIT_TAKEN) + (got[0][1] == LIMIT_TAKEN);
	unsigned other = (got[1][0] == LIMIT_TAKEN) + (got[1][1] == LIMIT_TAKEN);

	raced += other != 0;
	if (one + other != burst || (one && other))
		return "the tokens are not one key's";
	if (live_of(ONE) + live_of(OTHER) != 1 || is_any_busy())
		return "not exactly one bucket is live";
	return NULL;
}

static void changes_of_key(unsigned preemptions)
{
	struct schedule s = { 2, preemptions, .thread = take_or_claim, .after = one_has_it };

	fill(1);
	shared.key[0] = ONE;
	shared.level[0] = (NOW - COST) | LIMIT_LIVE;
	at_first = shared;
	for (burst = 1; burst <= 2; burst++) {
		raced = 0;
		row("a CPU takes of a bucket that another claims for another key: one of them has all its tokens", &s);
		ok(raced, "in %lu of them the other key had them", raced);
	}
}

/* Two keys at once in a set with room for one. */
static void take_own_key(int number)
{
	got[number][0] = ask(number ? OTHER : ONE, 1, false);
}

static const char *one_of_two(void)
{
	if (count_of(LIMIT_TAKEN) != 1 || count_of(LIMIT_FULL_SET) != 1)
		return "not one that has it and one without room";
	return is_any_busy() ? "a bucket is left busy" : NULL;
}

static void last_bucket(unsigned preemptions)
{
	struct schedule s = { 2, preemptions, .thread = take_own_key, .after = one_of_two };

	fill(1);
	row("two keys want the last bucket: one has it, the other one finds no room", &s);
}

int main(int argc, char **argv)
{
	unsigned preemptions = argc > 1 ? atoi(argv[1]) : 3;

	one_key(preemptions);
	twins(preemptions);
	changes_of_key(preemptions);
	last_bucket(preemptions);
	return done();
}
