// SPDX-License-Identifier: GPL-2.0-only
/*
 * Captures of any bytes, replayed through two policies. The account adds up; and whatever bytes stand where a packet was not
 * captured, it is decided the same, or not at all.
 */
#include "base/util.h"
#include "scene.h"
#include "simulate/replay.h"

#define CONVERSATIONS 16

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char zones[] =
	"zones:\n"
	"  red: [10.1.0.0/24, \"fd00:1::/64\", \"fe80::/16\"]\n"
	"  blue: [10.2.0.0/24, \"fd00:2::/64\"]\n";
static const char *const policies[REPLAY_SIDES] = {
	"version: 1\ndefaults: {action: drop}\n"
	"rules:\n"
	"  - {id: web, from: red, to: blue, service: [tcp/80, sctp/9, udp/53], action: allow}\n"
	"  - {id: ping, from: red, to: blue, service: [icmp/echo-request, icmpv6/echo-request], action: allow}\n"
	"  - {id: never, from: any, to: red, service: any, action: drop}\n",
	"version: 1\ndefaults: {action: allow, non-ip: allow}\nfailsafe: []\n"
	"rules:\n"
	"  - {id: quiet, from: red, to: any, service: udp/53, action: drop}\n",
};

static struct scene scene[REPLAY_SIDES];
static struct decider *plain; /* of the new policy, without flows */

static void want(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct scene_options options = { .host = "10.2.0.10 fd00:2::10" };
	char text[2048];

	(void)argc;
	(void)argv;
	for (int side = 0; side < REPLAY_SIDES; side++) {
		snprintf(text, sizeof(text), "%s%s", policies[side], zones);
		want(!scene_open(text, &options, &scene[side]));
	}
	want(!decider_new(scene[0].tables->bytes, &scene[0].tables->layout, false, &plain));
	return 0;
}

static bool is_same(const struct decision *a, const struct decision *b)
{
	return a->reason == b->reason && a->rule == b->rule && a->atom[0] == b->atom[0] && a->atom[1] == b->atom[1];
}

/* The frame in memory of exactly its size, and the same with something else where nothing was captured. */
static void check_tail(const struct captured *captured, const struct frame *frame)
{
	struct frame exact = *frame;
	struct decision zero, other;
	uint8_t *bytes = malloc(captured->len);

	want(bytes || !captured->len);
	if (captured->len)
		memcpy(bytes, captured->bytes, captured->len);
	exact.data = bytes;
	decider_decide(plain, &exact, &zero);
	if (captured->len)
		memset(bytes + captured->captured, 0xa5, captured->len - captured->captured);
	decider_decide(plain, &exact, &other);
	want(is_same(&zero, &other));
	free(bytes);
}

static uint64_t sum_rows(const struct replay *replay, enum replay_rows which)
{
	struct replay_row *rows;
	uint64_t sum = 0;
	size_t count;

	want(!replay_rows(replay, which, &rows, &count));
	for (size_t i = 0; i < count; i++) {
		sum += rows[i].packets;
		want(rows[i].packets >= rows[i].conversations && rows[i].from.family == rows[i].to.family);
		want(i == 0 || rows[i].packets <= rows[i - 1].packets);
		want(rows[i].decision[REPLAY_NEW].allow == (which == REPLAY_NEWLY_ALLOWED));
	}
	free(rows);
	return sum;
}

static void check_account(const struct replay *replay)
{
	const struct replay_counts *c = replay_counts(replay);
	uint64_t decided = c->packets - c->cut - c->refused - c->loopback, allowed[REPLAY_SIDES] = { 0 }, all = 0;

	for (int side = 0; side < REPLAY_SIDES; side++) {
		all = 0;
		for (int reason = 0; reason < ZW_REASONS; reason++)
			for (uint32_t rule = 0; rule <= names_rule_count(scene[side].tables->names); rule++) {
				uint64_t packets = replay_total(replay, side, reason, rule);

				all += packets;
				allowed[side] += ZW_REASON_IS_DROP(reason) ? 0 : packets;
			}
		want(all == decided && allowed[side] == c->allowed[side] && all - allowed[side] == c->dropped[side]);
	}
	want(sum_rows(replay, REPLAY_DROPPED) + c->dropped_unlisted == c->dropped[REPLAY_NEW]);
	want(sum_rows(replay, REPLAY_NEWLY_DROPPED) + sum_rows(replay, REPLAY_NEWLY_ALLOWED) + c->changed_unlisted ==
	     c->newly_dropped + c->newly_allowed);
	want(c->newly_allowed + c->allowed[REPLAY_OLD] == c->newly_dropped + c->allowed[REPLAY_NEW]);
	want(c->conversations <= CONVERSATIONS && c->first <= c->last);
}

static void replay_all(struct capture *capture, struct replay *replay)
{
	struct decider *deciders[REPLAY_SIDES];
	struct decision decision[REPLAY_SIDES];
	char error[CAPTURE_ERROR_MAX];
	struct captured captured;
	struct frame frame;
	double clock = 0;
	int r;

	for (int side = 0; side < REPLAY_SIDES; side++)
		want(!decider_new(scene[side].tables->bytes, &scene[side].tables->layout, true, &deciders[side]));
	while ((r = capture_next(capture, &captured, error)) > 0) {
		want(captured.len <= FRAME_MAX && captured.captured <= captured.len);
		if (!replay_prepare(replay, &captured, &frame))
			continue;
		want(frame.time >= clock);
		clock = frame.time;
		check_tail(&captured, &frame);
		for (int side = 0; side < REPLAY_SIDES; side++)
			decider_decide(deciders[side], &frame, &decision[side]);
		want(!replay_take(replay, decision));
	}
	want(r == 0 || *error);
	for (int side = 0; side < REPLAY_SIDES; side++)
		decider_free(deciders[side]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct replay_options options = {
		.host = &scene[0].host,
		.rule_count = { names_rule_count(scene[0].tables->names), names_rule_count(scene[1].tables->names) },
		.compare = true,
		.conversations = CONVERSATIONS,
	};
	char error[CAPTURE_ERROR_MAX] = "";
	struct capture *capture;
	struct replay *replay;
	FILE *file = size ? fmemopen((void *)data, size, "r") : NULL;
	int r;

	if (!file)
		return 0;
	r = capture_open(file, &capture, error);
	if (r) {
		want(r == -EINVAL && *error);
		return 0;
	}
	want(!replay_new(&options, &replay));
	replay_all(capture, replay);
	check_account(replay);
	replay_free(replay);
	capture_free(capture);
	return 0;
}
