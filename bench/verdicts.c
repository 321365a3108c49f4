// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a packet costs before the attached gate, under policies that are published as `apply` does it: rows P1 to
 * P6, P15 and, of these, P13 of the list of aims. In BPF test runs of packets of random flows (traffic.bpf.c);
 * nanoseconds of thread CPU time a packet (rounds.h). With ZW_BENCH_QUICK, only the first shape: dense.
 *
 *   verdicts INSTANCE INTERFACE [ROUNDS [PACKETS]]
 *
 * bench.sh makes the namespace and the interfaces that it runs with, and takes what is left of the instances down.
 */
#include "base/util.h"
#include "bench/gate.h"
#include "bench/peer.h"
#include "bench/rounds.h"

#define FLOWS (4 * UNCACHED)

static struct rounds rounds;
static const char *prefix;

/* --- One shape, both families ------------------------------------------------------------------------------------ */

enum size { SMALL, TEN, FULL, SIZES };

static const struct {
	struct scale scale;
	const char *name;
} sizes[SIZES] = {
	[SMALL] = { { .rules = 10, .prefixes = 1000, .zones = 8 }, "10 rules, 1,000 prefixes" },
	[TEN] = { { .rules = 10, .prefixes = 1000000, .zones = 1024 }, "10 rules, 1,000,000" },
	[FULL] = { { SCALE_FULL }, "full" },
};

enum family { V4, V6, FAMILIES };

/* What is measured together, of each family. */
enum what {
	PARSE,
	DENIED_CACHED, /* full tables, as all but these two */
	TEN_CACHED, /* 10 rules */
	SMALL_CACHED, /* and 1,000 prefixes */
	OPEN_CACHED,
	OPEN_UNCACHED,
	DEEP,
	MISSES,
	REASONS,
	DENIED_UNCACHED,
	ON_HASHES,
	ON_TRIES,
	WHATS
};

struct shape {
	enum plan_shape shape;
	struct published published[FAMILIES][SIZES];
	struct peer *peer[FAMILIES];
	struct bench_case cases[FAMILIES * WHATS];
};

static const char *shape_name(const struct shape *s)
{
	return plan_shape_names[s->shape];
}

static struct bench_case *case_of(struct shape *s, enum family family, enum what what)
{
	return &s->cases[family * WHATS + what];
}

static void set_case(struct shape *s, enum family family, enum what what, const char *name, enum size size,
		     enum packet_kind kind, uint32_t flows)
{
	const struct published *on = &s->published[family][size];
	struct bench_case *c = case_of(s, family, what);

	*c = (struct bench_case){ .on = on, .program = on->gate, .packets = published_packets(on, kind, flows) };
	snprintf(c->name, sizeof(c->name), "%s, %s, IPv%d %s", name, sizes[size].name, on->scale.family,
		 shape_name(s));
	c->meant[0] = kind == ESTABLISHED ? ZW_ALLOW_FLOW : kind == MIXED ? 0 : ZW_DROP_DEFAULT;
	/* Some rule of 100,000 may be meant by chance. */
	c->meant[1] = c->meant[0] == ZW_DROP_DEFAULT ? ZW_DROP_RULE : 0;
}

static void set_program(struct shape *s, enum family family, enum what what, const char *name, int program)
{
	struct bench_case *c = case_of(s, family, what);

	set_case(s, family, what, name, FULL, DENIED, what == PARSE ? CACHED : UNCACHED);
	c->program = program;
	c->meant[0] = 0;
}

/* Ten times slower than others: the same time for fewer packets. */
#define TRIE_PACKETS 8

/* The list of flows between prefixes that are long in both families, where tables are deepest. */
static void list_deep(enum plan_shape shape)
{
	uint32_t *listed = drive_listed(rounds.drive), prefix = 0;

	for (uint32_t i = 0; i < 2 * PLAN_LISTED; i++) {
		do
			prefix = (prefix + 7919) % sizes[FULL].scale.prefixes;
		while (plan_length(shape, 4, prefix) <= 24 || plan_length(shape, 6, prefix) <= 64);
		listed[i] = prefix;
	}
}

static void set_cases(struct shape *s, enum family family)
{
	set_program(s, family, PARSE, "parse", drive_parser(rounds.drive));
	set_case(s, family, DENIED_CACHED, "denied, cached", FULL, DENIED, CACHED);
	set_case(s, family, DENIED_UNCACHED, "denied, uncached", FULL, DENIED, UNCACHED);
	set_case(s, family, OPEN_CACHED, "established, cached", FULL, ESTABLISHED, CACHED);
	set_case(s, family, OPEN_UNCACHED, "established, uncached", FULL, ESTABLISHED, UNCACHED);
	set_case(s, family, TEN_CACHED, "denied, cached", TEN, DENIED, CACHED);
	set_case(s, family, SMALL_CACHED, "denied, cached", SMALL, DENIED, CACHED);
	set_case(s, family, DEEP, "denied, longest prefixes", FULL, DENIED, UNCACHED);
	case_of(s, family, DEEP)->packets.traffic.listed = 1;
	set_case(s, family, MISSES, "ACKs of no flow", FULL, MISSING, UNCACHED);
	set_case(s, family, REASONS, "eight reasons", FULL, MIXED, UNCACHED);
	set_program(s, family, ON_TRIES, "denied, uncached, LPM tries", peer_on_tries(s->peer[family]));
	case_of(s, family, ON_TRIES)->count = rounds.packets / TRIE_PACKETS;
	set_program(s, family, ON_HASHES, "denied, uncached, kernel hashes", peer_on_hashes(s->peer[family]));
}

static void open_shape(struct shape *s, enum plan_shape shape)
{
	*s = (struct shape){ .shape = shape };
	for (int family = 0; family < FAMILIES; family++) {
		for (int size = 0; size < SIZES; size++) {
			struct scale scale = sizes[size].scale;

			scale.shape = shape;
			scale.family = family == V4 ? 4 : 6;
			published_new(&s->published[family][size], &scale, prefix, family * SIZES + size, FLOWS);
		}
		published_open_flows(&s->published[family][FULL], rounds.drive, UNCACHED, UNCACHED);
		s->peer[family] = peer_new(&s->published[family][FULL].scale, FLOWS, OPEN_PORT);
		set_cases(s, family);
	}
}

static void close_shape(struct shape *s)
{
	for (int family = 0; family < FAMILIES; family++) {
		for (int size = 0; size < SIZES; size++)
			published_down(&s->published[family][size]);
		peer_free(s->peer[family]);
	}
}

/* --- Figures ----------------------------------------------------------------------------------------------------- */

/* Over the floor: of IPv4. IPv6 is told beside the list, and compared with IPv4. */
static void tell_floors(struct shape *s, enum family family)
{
	static const struct {
		const char *row;
		enum what what;
	} rows[] = {
		{ "P1", PARSE },
		{ "P2", DENIED_CACHED },
		{ "P3", DENIED_UNCACHED },
		{ "P4 cached", OPEN_CACHED },
		{ "P4 uncached", OPEN_UNCACHED },
		{ NULL, TEN_CACHED },
		{ NULL, SMALL_CACHED },
		{ NULL, ON_TRIES },
		{ NULL, ON_HASHES },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (case_of(s, family, rows[i].what)->program >= 0)
			rounds_figure(&rounds, family == V4 ? rows[i].row : NULL, case_of(s, family, rows[i].what));
}

static void tell_peers(struct shape *s, enum family family)
{
	static const struct {
		const char *row, *name;
		enum what what, peer;
		enum rounds_ratio ratio;
	} rows[] = {
		{ "P3 hashes", "denied, uncached, over kernel hashes", DENIED_UNCACHED, ON_HASHES, OVER_PEER },
		{ "P5", "100,000 rules over 10", DENIED_CACHED, TEN_CACHED, OVER_PEER },
		{ "P6", "1,000,000 prefixes over 1,000", TEN_CACHED, SMALL_CACHED, OVER_PEER },
		{ "P6 tries", "LPM tries over denied, uncached", DENIED_UNCACHED, ON_TRIES, PEER_OVER },
		{ "P15", "longest prefixes", DEEP, DENIED_UNCACHED, OVER_PEER },
		{ "P15", "ACKs of no flow", MISSES, DENIED_UNCACHED, OVER_PEER },
		{ "P15", "each packet another reason", REASONS, DENIED_UNCACHED, OVER_PEER },
	};
	char name[96];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (case_of(s, family, rows[i].peer)->program < 0)
			continue;
		snprintf(name, sizeof(name), "%s, IPv%d %s", rows[i].name, family == V4 ? 4 : 6, shape_name(s));
		rounds_compare(&rounds, rows[i].row, name, case_of(s, family, rows[i].what),
			       case_of(s, family, rows[i].peer), rows[i].ratio);
	}
}

static void tell_families(struct shape *s)
{
	static const struct {
		const char *row, *name;
		enum what what;
	} rows[] = {
		{ "P13 cached", "P2", DENIED_CACHED },
		{ "P13 cached", "P4 cached", OPEN_CACHED },
		{ "P13 cached", "P4 uncached", OPEN_UNCACHED },
		{ "P13 uncached", "P3", DENIED_UNCACHED },
		{ "P13 uncached", "P6", TEN_CACHED },
	};
	char name[96];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(name, sizeof(name), "IPv6 over IPv4: %s, %s", rows[i].name, shape_name(s));
		rounds_compare(&rounds, rows[i].row, name, case_of(s, V6, rows[i].what),
			       case_of(s, V4, rows[i].what), IN_FLOORS);
	}
}

/* Each packet a new allowed flow, with a flow table that is full of such; last, since it takes the place of others. */
static void tell_new_flows(struct shape *s, enum family family)
{
	struct bench_case cases[2] = { *case_of(s, family, DENIED_UNCACHED), *case_of(s, family, DENIED_UNCACHED) };
	struct bench_case *new = &cases[1];
	char name[96];

	new->packets = published_packets(new->on, NEW, UNCACHED);
	new->packets.traffic.counted = 1;
	new->packets.traffic.base = UNCACHED;
	new->advances = true;
	new->meant[0] = ZW_ALLOW_RULE;
	new->meant[1] = 0;
	for (uint32_t flows = 0; flows < 2 * FLOWS; flows += UNCACHED, new->packets.traffic.base += UNCACHED)
		drive_run(rounds.drive, new->program, &new->packets, UNCACHED);
	rounds_measure(&rounds, cases, ARRAY_LEN(cases));
	snprintf(name, sizeof(name), "each packet a new allowed flow, IPv%d %s", new->packets.family,
		 shape_name(s));
	rounds_compare(&rounds, "P15", name, new, &cases[0], OVER_PEER);
}

/* Each of the eight kinds of mixed packets must be decided for its own reason: else they are not as different as told. */
static void check_reasons(struct shape *s, enum family family)
{
	static const enum zw_reason reasons[MIXED_KINDS] = {
		[MIXED_DENIED] = ZW_DROP_DEFAULT,    [MIXED_MALFORMED] = ZW_DROP_MALFORMED,
		[MIXED_FRAGMENT] = ZW_DROP_FRAGMENT, [MIXED_ETHERTYPE] = ZW_DROP_ETHERTYPE,
		[MIXED_SPOOFED] = ZW_DROP_SPOOFED,   [MIXED_FLAGS] = ZW_DROP_TCP_STATE,
		[MIXED_FLOW] = ZW_ALLOW_FLOW,	     [MIXED_NEW] = ZW_ALLOW_RULE,
	};
	const struct bench_case *c = case_of(s, family, REASONS);
	uint64_t before[MIXED_KINDS], found;

	for (int kind = 0; kind < MIXED_KINDS; kind++)
		before[kind] = gate_count(c->on->instance, reasons[kind]);
	drive_run(rounds.drive, c->program, &c->packets, UNCACHED);
	for (int kind = 0; kind < MIXED_KINDS; kind++) {
		found = gate_count(c->on->instance, reasons[kind]) - before[kind];
		if (found > UNCACHED / MIXED_KINDS / 2)
			continue;
		fprintf(stderr, "error: verdicts: %s: only %llu of %u packets for reason %d\n", c->name,
			(unsigned long long)found, UNCACHED, reasons[kind]);
		exit(1);
	}
}

static void measure_shape(enum plan_shape shape)
{
	static struct shape s;

	open_shape(&s, shape);
	list_deep(shape);
	rounds_measure(&rounds, s.cases, ARRAY_LEN(s.cases));
	for (int family = 0; family < FAMILIES; family++) {
		check_reasons(&s, family);
		tell_floors(&s, family);
		tell_peers(&s, family);
	}
	tell_families(&s);
	for (int family = 0; family < FAMILIES; family++)
		tell_new_flows(&s, family);
	close_shape(&s);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: verdicts INSTANCE INTERFACE [ROUNDS [PACKETS]]\n");
		return 2;
	}
	prefix = argv[1];
	rounds_init(&rounds, argc - 3, argv + 3);
	for (int shape = 0; shape < (rounds.quick ? 1 : PLAN_SHAPES); shape++)
		measure_shape(shape);
	return 0;
}
