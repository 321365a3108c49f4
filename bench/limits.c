// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a limit costs a new flow, over the same without one: a bucket that all share, one of 1,024 sources, one of 65,536; each
 * packet opens a flow. And what a packet beyond its limit costs, over one that the default drops. Told beside the list of aims.
 * Measured as verdicts.c does.
 *
 *   limits INSTANCE INTERFACE [ROUNDS [PACKETS]]
 */
#include "base/util.h"
#include "bench/rounds.h"

static struct rounds rounds;
static const char *prefix;

enum what { PLAIN, SHARED, EACH, EMPTY, DENIED_BY_DEFAULT, WHATS };
enum { POLICIES = DENIED_BY_DEFAULT };

static const struct limit limits[POLICIES] = {
	[SHARED] = { .set = true, .per_hour = 3600000000, .burst = 1000000000 } /* never empty: that is another matter */,
	[EACH] = { .set = true, .per_hour = 3600000, .burst = 1000000, .per_source = true },
	[EMPTY] = { .set = true, .per_hour = 1, .burst = 1 },
};

static const char *const names[WHATS] = {
	[PLAIN] = "new flow, no limit",
	[SHARED] = "new flow, one limit for all",
	[EACH] = "new flow, a limit for each source",
	[EMPTY] = "first packet beyond its limit",
	[DENIED_BY_DEFAULT] = "first packet that the default drops",
};

static void set_case(struct bench_case *c, const struct published *on, enum what what)
{
	*c = (struct bench_case){ .on = on,
				  .program = on->gate,
				  .packets = published_packets(on, what == DENIED_BY_DEFAULT ? DENIED : NEW, UNCACHED),
				  .advances = true };
	c->packets.traffic.counted = 1;
	c->meant[0] = what == EMPTY ? ZW_DROP_LIMIT : what == DENIED_BY_DEFAULT ? ZW_DROP_DEFAULT : ZW_ALLOW_RULE;
	c->meant[1] = what == DENIED_BY_DEFAULT ? ZW_DROP_RULE : 0;
	snprintf(c->name, sizeof(c->name), "%s, %zu sources, IPv%d", names[what], on->scale.prefixes, on->scale.family);
}

static void compare(const struct bench_case *cases, enum what of, enum what over)
{
	char name[112];

	snprintf(name, sizeof(name), "%s, over %s, %zu sources, IPv%d", names[of], names[over], cases->on->scale.prefixes,
		 cases->on->scale.family);
	rounds_compare(&rounds, NULL, name, &cases[of], &cases[over], OVER_PEER);
}

static void measure(int family, size_t sources)
{
	/* Of a feed each IPv6 source is in a /64 of its own, which is what a bucket is for. */
	const enum plan_shape shape = family == 6 ? PLAN_FEED : PLAN_DENSE;
	struct scale scale = { .shape = shape, .family = family, .rules = 10, .prefixes = sources, .zones = 8 };
	struct published published[POLICIES];
	struct bench_case cases[WHATS];

	for (int what = 0; what < POLICIES; what++) {
		scale.limit = limits[what];
		published_new(&published[what], &scale, prefix, what, 4 * UNCACHED);
	}
	for (int what = 0; what < WHATS; what++)
		set_case(&cases[what], &published[what < POLICIES ? what : PLAIN], what);
	rounds_measure(&rounds, cases, ARRAY_LEN(cases));
	for (int what = 0; what < WHATS; what++)
		rounds_figure(&rounds, NULL, &cases[what]);
	compare(cases, SHARED, PLAIN);
	compare(cases, EACH, PLAIN);
	compare(cases, EMPTY, DENIED_BY_DEFAULT);
	for (int what = 0; what < POLICIES; what++)
		published_down(&published[what]);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: limits INSTANCE INTERFACE [ROUNDS [PACKETS]]\n");
		return 2;
	}
	prefix = argv[1];
	rounds_init(&rounds, argc - 3, argv + 3);
	for (int family = 4; family <= 6; family += 2)
		for (int uncached = 0; uncached < 2; uncached++)
			measure(family, uncached ? UNCACHED : CACHED);
	return 0;
}
