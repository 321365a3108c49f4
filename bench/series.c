// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the cost of a packet before the attached gate grows with the policy and the traffic: one number goes up, and all
 * others stay. BPF test runs of random flows; denied (of no flow, dropped by default) and established (refreshed), and
 * the floor, a program that drops at once, in the same rounds. Nanoseconds of thread CPU time, medians.
 *
 *   series INSTANCE INTERFACE NAME TABLE [ROUNDS [PACKETS]]
 *
 * NAME is rules, prefixes, zones, flows or interfaces. TABLE gets lines of: family, number, floor, denied, established,
 * and both of these in times the floor. bench.sh makes the namespace; more interfaces are added here.
 */
#include "base/util.h"
#include "bench/rounds.h"

#define DENIED_PORT 2000 /* and the 127 after it: no rule of scale.c names them */
#define FLOWS_MAX (1u << 20)
#define INTERFACES_MAX 256 /* two attach points each, XDP and TC egress */

static struct rounds rounds;
static const char *prefix; /* of instances */
static FILE *table;

struct point {
	struct scale scale;
	uint32_t flows;
};

/* What stays as it is. */
static const struct point base = {
	.scale = { .shape = PLAN_DENSE, .family = 4, .rules = 1000, .prefixes = 10000, .zones = 64 },
	.flows = CACHED,
};

/* --- One point --------------------------------------------------------------------------------------------------- */

static struct bench_case case_of(const struct published *on, const struct point *p, enum packet_kind kind,
				 const char *what)
{
	struct bench_case c = { .on = on, .program = on->gate, .packets = published_packets(on, kind, p->flows) };

	if (kind == DENIED)
		c.packets.traffic.port = DENIED_PORT;
	c.meant[0] = kind == DENIED ? ZW_DROP_DEFAULT : ZW_ALLOW_FLOW;
	snprintf(c.name, sizeof(c.name), "scale: %s, %s, IPv%d", what, kind == DENIED ? "denied" : "established",
		 p->scale.family);
	return c;
}

static double over_floor(const struct bench_case *c)
{
	double ratios[FIGURE_ROUNDS_MAX];

	for (int i = 0; i < rounds.rounds; i++)
		ratios[i] = c->ns[i] / c->floor[i];
	return figure_median(ratios, rounds.rounds);
}

static void write_line(const struct point *p, uint32_t number, const struct bench_case cases[2])
{
	fprintf(table, "%d\t%u\t%.1f\t%.1f\t%.1f\t%.2f\t%.2f\n", p->scale.family, number,
		figure_median(cases[0].floor, rounds.rounds), figure_median(cases[0].ns, rounds.rounds),
		figure_median(cases[1].ns, rounds.rounds), over_floor(&cases[0]), over_floor(&cases[1]));
	fflush(table);
}

static void run_point(const struct point *p, uint32_t number, const char *name)
{
	const uint32_t flows = p->flows < UNCACHED ? UNCACHED : p->flows;
	struct bench_case cases[2];
	struct published on;
	char what[48];

	published_new(&on, &p->scale, prefix, 0, 2 * flows);
	published_open_flows(&on, rounds.drive, p->flows, p->flows);
	snprintf(what, sizeof(what), "%u %s", number, name);
	cases[0] = case_of(&on, p, DENIED, what);
	cases[1] = case_of(&on, p, ESTABLISHED, what);
	rounds_measure(&rounds, cases, ARRAY_LEN(cases));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		rounds_figure(&rounds, NULL, &cases[i]);
	write_line(p, number, cases);
	published_down(&on);
}

/* --- The series -------------------------------------------------------------------------------------------------- */

static void by_rules(void)
{
	struct point p = base;

	p.scale.zones = 256;
	for (p.scale.rules = 10; p.scale.rules <= 100000; p.scale.rules *= 10)
		run_point(&p, p.scale.rules, "rules");
}

static void by_prefixes(void)
{
	struct point p = base;

	for (p.scale.family = 4; p.scale.family <= 6; p.scale.family += 2)
		for (p.scale.prefixes = 10; p.scale.prefixes <= 1000000; p.scale.prefixes *= 10)
			run_point(&p, p.scale.prefixes, "prefixes");
}

static void by_zones(void)
{
	static const size_t zones[] = { 2, 16, 64, 256, 1024, 4096 };
	struct point p = base;

	p.scale.rules = 10000;
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		p.scale.zones = zones[i];
		run_point(&p, zones[i], "zones");
	}
}

static void by_flows(void)
{
	struct point p = base;

	for (p.flows = 1; p.flows <= FLOWS_MAX; p.flows *= 4)
		run_point(&p, p.flows, "flows");
}

static void by_interfaces(void)
{
	static const uint32_t numbers[] = { 1, 8, 16, 64, INTERFACES_MAX };
	unsigned last = 5; /* b0 to b5 are there */
	struct point p = base;
	char command[128];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		for (; last + 1 < numbers[i]; last += 2) {
			snprintf(command, sizeof(command),
				 "ip link add b%u up type veth peer name b%u && ip link set b%u up", last + 1, last + 2, last + 2);
			if (system(command))
				exit(1);
		}
		p.scale.interface = numbers[i] > 1 ? "b*" : NULL;
		run_point(&p, numbers[i], "interfaces");
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} series[] = {
	{ "rules", by_rules }, { "prefixes", by_prefixes }, { "zones", by_zones },
	{ "flows", by_flows }, { "interfaces", by_interfaces },
};

int main(int argc, char **argv)
{
	size_t i = 0;

	while (argc > 4 && i < ARRAY_LEN(series) && strcmp(series[i].name, argv[3]))
		i++;
	if (argc < 5 || i == ARRAY_LEN(series)) {
		fprintf(stderr, "usage: series INSTANCE INTERFACE NAME TABLE [ROUNDS [PACKETS]]\n");
		return 2;
	}
	prefix = argv[1];
	rounds_init(&rounds, argc - 5, argv + 5);
	table = fopen(argv[4], "w");
	if (!table) {
		fprintf(stderr, "error: series: %s: %s\n", argv[4], strerror(errno));
		return 1;
	}
	fprintf(table, "family\t%s\tfloor_ns\tdenied_ns\testablished_ns\tdenied_x\testablished_x\n", argv[3]);
	series[i].run();
	return fclose(table) != 0;
}
