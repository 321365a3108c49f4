// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the block list costs a packet whose addresses are not on it: 65,536 random hosts listed, over an empty list. Told
 * beside the list of aims. Measured as verdicts.c does.
 *
 *   blocked INSTANCE INTERFACE [ROUNDS [PACKETS]]
 */
#include "base/util.h"
#include "bench/rounds.h"
#include "kernel/blocks.h"

#define LISTED 65536

static struct rounds rounds;
static const char *prefix;

enum family { V4, V6, FAMILIES };
enum list { EMPTY, FULL, LISTS };
enum what { DENIED_CACHED, DENIED_UNCACHED, OPEN_CACHED, OPEN_UNCACHED, WHATS };

static const struct {
	const char *name;
	enum packet_kind kind;
	uint32_t flows;
} whats[WHATS] = {
	[DENIED_CACHED] = { "denied, cached", DENIED, CACHED },
	[DENIED_UNCACHED] = { "denied, uncached", DENIED, UNCACHED },
	[OPEN_CACHED] = { "established, cached", ESTABLISHED, CACHED },
	[OPEN_UNCACHED] = { "established, uncached", ESTABLISHED, UNCACHED },
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "error: blocked: %s\n", what);
	exit(1);
}

/* Hosts of 64.0.0.0/3 and 3000::/4, where no address of a plan is. */
static void fill(const struct published *p)
{
	struct zw_blocks *blocks;
	uint64_t random = 1;

	if (blocks_open(p->instance, true, &blocks))
		fail("cannot open the list");
	for (unsigned i = 0; i < LISTED; i++) {
		struct blocked what = { .family = p->scale.family, .length = p->scale.family == 4 ? 32 : 128, .until = ZW_BLOCK_FOR_EVER };

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		what.first = p->scale.family == 4 ? 0x40000000 | random >> 35 :
						    (u128)(3ull << 60 | random >> 4) << 64 | i;
		if (blocks_put(blocks, &what, 0))
			fail("the list has no room");
	}
	blocks_close(blocks);
}

static void set_case(struct bench_case *c, const struct published *on, enum what what, enum list list)
{
	*c = (struct bench_case){
		.on = on, .program = on->gate, .packets = published_packets(on, whats[what].kind, whats[what].flows)
	};
	snprintf(c->name, sizeof(c->name), "%s, %s, IPv%d", whats[what].name,
		 list == EMPTY ? "nothing blocked" : "65,536 hosts blocked", on->scale.family);
	c->meant[0] = whats[what].kind == ESTABLISHED ? ZW_ALLOW_FLOW : ZW_DROP_DEFAULT;
	c->meant[1] = c->meant[0] == ZW_DROP_DEFAULT ? ZW_DROP_RULE : 0;
}

static void measure(enum family family)
{
	struct scale scale = { .shape = PLAN_DENSE, .family = family == V4 ? 4 : 6, .rules = 10, .prefixes = 1000, .zones = 8 };
	struct bench_case cases[WHATS * LISTS];
	struct published published[LISTS];
	char name[112];

	for (int list = 0; list < LISTS; list++) {
		published_new(&published[list], &scale, prefix, family * LISTS + list, 4 * UNCACHED);
		published_open_flows(&published[list], rounds.drive, UNCACHED, UNCACHED);
		for (int what = 0; what < WHATS; what++)
			set_case(&cases[what * LISTS + list], &published[list], what, list);
	}
	fill(&published[FULL]);
	rounds_measure(&rounds, cases, ARRAY_LEN(cases));
	for (int what = 0; what < WHATS; what++) {
		const struct bench_case *empty = &cases[what * LISTS + EMPTY], *full = &cases[what * LISTS + FULL];

		rounds_figure(&rounds, NULL, empty);
		rounds_figure(&rounds, NULL, full);
		snprintf(name, sizeof(name), "%s, 65,536 hosts blocked over none, IPv%d", whats[what].name, scale.family);
		rounds_compare(&rounds, NULL, name, full, empty, OVER_PEER);
	}
	for (int list = 0; list < LISTS; list++)
		published_down(&published[list]);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: blocked INSTANCE INTERFACE [ROUNDS [PACKETS]]\n");
		return 2;
	}
	prefix = argv[1];
	rounds_init(&rounds, argc - 3, argv + 3);
	for (int family = 0; family < FAMILIES; family++)
		measure(family);
	return 0;
}
