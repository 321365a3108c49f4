// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs a new flow, and a packet of an open one, that its rule ends, or that a staged rule would have decided it, over
 * the same without. A packet whose rule ends reads the clock. Told beside the list of aims. Measured as verdicts.c does.
 *
 *   terms INSTANCE INTERFACE [ROUNDS [PACKETS]]
 */
#include "base/util.h"
#include "bench/rounds.h"

static struct rounds rounds;
static const char *prefix;

enum { PLAIN, ENDS, STAGED, POLICIES };
enum { FIRST, OPEN, KINDS };

static const char *const rules[POLICIES] = { "its rule alone", "its rule ends", "a staged rule before" };
static const char *const kinds[KINDS] = { "new flow", "established" };

static void set_case(struct bench_case *c, const struct published *on, int policy, int kind)
{
	*c = (struct bench_case){ .on = on,
				  .program = on->gate,
				  .packets = published_packets(on, kind == FIRST ? NEW : ESTABLISHED, CACHED),
				  .advances = kind == FIRST,
				  .meant = { kind == FIRST ? ZW_ALLOW_RULE : ZW_ALLOW_FLOW } };
	c->packets.traffic.counted = kind == FIRST;
	snprintf(c->name, sizeof(c->name), "%s, %s, IPv%d", kinds[kind], rules[policy], on->scale.family);
}

static void measure(int family)
{
	struct scale scale = { .shape = PLAN_DENSE, .family = family, .rules = 10, .prefixes = CACHED, .zones = 8 };
	struct published published[POLICIES];
	struct bench_case cases[POLICIES * KINDS];

	for (int policy = 0; policy < POLICIES; policy++) {
		scale.ends = policy == ENDS;
		scale.staged = policy == STAGED;
		published_new(&published[policy], &scale, prefix, policy, 4 * UNCACHED);
		published_open_flows(&published[policy], rounds.drive, CACHED, CACHED);
		for (int kind = 0; kind < KINDS; kind++)
			set_case(&cases[policy * KINDS + kind], &published[policy], policy, kind);
	}
	rounds_measure(&rounds, cases, ARRAY_LEN(cases));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		rounds_figure(&rounds, NULL, &cases[i]);
	for (size_t i = KINDS; i < ARRAY_LEN(cases); i++)
		rounds_compare(&rounds, NULL, cases[i].name, &cases[i], &cases[i % KINDS], OVER_PEER);
	for (int policy = 0; policy < POLICIES; policy++)
		published_down(&published[policy]);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: terms INSTANCE INTERFACE [ROUNDS [PACKETS]]\n");
		return 2;
	}
	prefix = argv[1];
	rounds_init(&rounds, argc - 3, argv + 3);
	for (int family = 4; family <= 6; family += 2)
		measure(family);
	return 0;
}
