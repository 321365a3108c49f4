// SPDX-License-Identifier: GPL-2.0-only
/*
 * What finding a packet's flow costs, refresh and accounting included: our tables against the kernel's LRU hash, both
 * with room for 262,144 flows and 65,536 in them, behind the same parser. Measured as verdicts.c does; told beside the
 * list of aims.
 *
 *   flow_lru [ROUNDS [PACKETS]]
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "bench/rounds.h"
#include "compile/timeouts.h"
#include "kernel/flows.h"
#include "kernel/jiffies.h"
#include "kernel/load.h"
#include "kernel/values.h"
#include "zonewall.h"

#include "bench/flow_lru.skel.h" /* knows no types but these */

#define ROOM (4 * UNCACHED)
#define ABSENT (1u << 20) /* flow numbers of no flow */
#define PREFIXES ((1u << 19) - 1)

enum traffic_kind { HOT, LIVE_FLOWS, ABSENT_FLOWS, KINDS };
static const char *const kind_name[KINDS] = { "hit, one flow", "hit, 65,536 random", "miss, 65,536 random" };

enum who { PARSE, OURS, LRU, WHO };
static const char *const who_name[WHO] = { "parse", "flow table", "LRU hash" };

static struct flow_lru_bpf *skel;
static struct rounds rounds;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "error: flow_lru: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void load(void)
{
	const unsigned cpus = load_cpus();
	const struct zw_flow_layout layout4 = flows_layout(4, cpus, ROOM, ZW_FRAGMENT_BUCKETS),
				    layout6 = flows_layout(6, cpus, ROOM, ZW_FRAGMENT_BUCKETS);

	if (values_register())
		fail("libbpf");
	skel = flow_lru_bpf__open();
	if (!skel)
		fail("open");
	skel->rodata->zw_cpus = cpus;
	memcpy((void *)&skel->rodata->zw_flow_layout4, &layout4, sizeof(layout4));
	memcpy((void *)&skel->rodata->zw_flow_layout6, &layout6, sizeof(layout6));
	timeouts_set((struct zw_timeouts *)&skel->rodata->zw_timeouts, jiffies_hz());
	bpf_map__set_value_size(skel->maps.zw_flows4, layout4.size);
	bpf_map__set_value_size(skel->maps.zw_flows6, layout6.size);
	bpf_map__set_max_entries(skel->maps.hash_flows4, ROOM);
	bpf_map__set_max_entries(skel->maps.hash_flows6, ROOM);
	if (flow_lru_bpf__load(skel))
		fail("load");
	if (flows_seed(bpf_map__fd(skel->maps.zw_flows4)) || flows_seed(bpf_map__fd(skel->maps.zw_flows6)))
		fail("seeds");
}

static struct packets packets_of(bool v6, uint32_t base, uint32_t flows, bool counted)
{
	return (struct packets){ .family = v6 ? 6 : 4,
				 .traffic = { .seed = 88172645463325252ull,
					      .base = base,
					      .mask = flows - 1,
					      .counted = counted,
					      .shape = PLAN_DENSE,
					      .prefixes = PREFIXES,
					      .port = OPEN_PORT,
					      .tcp_flags = TCP_ACK } };
}

static int program(bool v6, enum who who)
{
	if (who == PARSE)
		return drive_parser(rounds.drive);
	if (who == OURS)
		return bpf_program__fd(v6 ? skel->progs.ours6 : skel->progs.ours4);
	return bpf_program__fd(v6 ? skel->progs.lru6 : skel->progs.lru4);
}

static void tell_found(bool v6, enum who who)
{
	const struct packets packets = packets_of(v6, 0, UNCACHED, true);

	skel->bss->found = 0;
	drive_run(rounds.drive, program(v6, who), &packets, UNCACHED);
	printf("IPv%d, %s: %.2f %% of 65,536 flows are found\n", packets.family, who_name[who],
	       skel->bss->found * 100.0 / UNCACHED);
}

/* In small runs: a bucket takes no more flows in one jiffy than it has slots. */
static void open_flows(bool v6)
{
	const uint32_t count = 8192;

	for (uint32_t first = 0; first < UNCACHED; first += count) {
		const struct packets packets = packets_of(v6, first, count, true);

		drive_run(rounds.drive, bpf_program__fd(v6 ? skel->progs.open_ours6 : skel->progs.open_ours4),
			  &packets, count);
		drive_run(rounds.drive, bpf_program__fd(v6 ? skel->progs.open_lru6 : skel->progs.open_lru4),
			  &packets, count);
	}
	tell_found(v6, OURS);
	tell_found(v6, LRU);
}

static double above_floor(const struct bench_case *c)
{
	double values[FIGURE_ROUNDS_MAX];

	for (int i = 0; i < rounds.rounds; i++)
		values[i] = c->ns[i] - c->floor[i];
	return figure_median(values, rounds.rounds);
}

static void tell(const struct bench_case *cases)
{
	const double parse = above_floor(&cases[PARSE]), ours = above_floor(&cases[OURS]),
		     lru = above_floor(&cases[LRU]);
	char name[128];

	snprintf(name, sizeof(name), "%s, over the LRU hash", cases[OURS].name);
	rounds_compare(&rounds, NULL, name, &cases[OURS], &cases[LRU], OVER_PEER);
	printf("  above the floor: parse %.1f, flow table %.1f, LRU hash %.1f ns: %.1f times, %.1f without the "
	       "parser\n",
	       parse, ours, lru, lru / ours, (lru - parse) / (ours - parse));
}

static void measure(bool v6)
{
	static const uint32_t base[KINDS] = { 7, 0, ABSENT }, flows[KINDS] = { 1, UNCACHED, UNCACHED };
	static struct bench_case cases[KINDS * WHO];

	for (int kind = 0; kind < KINDS; kind++)
		for (int who = 0; who < WHO; who++) {
			struct bench_case *c = &cases[kind * WHO + who];

			*c = (struct bench_case){ .program = program(v6, who),
						  .packets = packets_of(v6, base[kind], flows[kind], false) };
			snprintf(c->name, sizeof(c->name), "%s, %s, IPv%d", who_name[who], kind_name[kind],
				 v6 ? 6 : 4);
		}
	rounds_measure(&rounds, cases, ARRAY_LEN(cases));
	for (int kind = 0; kind < KINDS; kind++)
		tell(&cases[kind * WHO]);
}

int main(int argc, char **argv)
{
	rounds_init(&rounds, argc - 1, argv + 1);
	load();
	for (int v6 = 0; v6 < 2; v6++) {
		open_flows(v6);
		measure(v6);
	}
	return 0;
}
