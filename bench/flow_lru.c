// SPDX-License-Identifier: GPL-2.0-only
/*
 * What finding a packet's flow costs, refresh and accounting included: our tables against the kernel's LRU hash, both
 * with room for 262,144 flows and 65,536 in them, behind the same parser. Nanoseconds of thread CPU time a packet, in
 * BPF test runs; the cases take turns, so that what disturbs the machine disturbs them alike; medians of the rounds.
 *
 *   flow_lru [ROUNDS [PACKETS]]   default: 5 rounds of 2,000,000 packets
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "compile/timeouts.h"
#include "kernel/flows.h"
#include "kernel/jiffies.h"
#include "kernel/load.h"
#include "kernel/values.h"
#include "zonewall.h"

#include "flow_lru.h"
#include "bench/flow_lru.skel.h" /* knows no types but these */

#define ROOM 262144
#define LIVE 65536
#define ABSENT (1u << 20) /* flow numbers of no flow */
#define ROUNDS_MAX 32

enum traffic { HOT, LIVE_FLOWS, ABSENT_FLOWS, TRAFFICS };
static const char *const traffic_name[TRAFFICS] = { "hit, one flow", "hit, 65,536 random", "miss, 65,536 random" };

enum kind { FLOOR, PARSE, OURS, LRU, KINDS };
static const char *const kind_name[KINDS] = { "floor", "parse", "flow table", "LRU hash" };

static struct flow_lru_bpf *skel;
static double ns[2][TRAFFICS][KINDS][ROUNDS_MAX];

struct frame4 {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
	char data[18];
} __attribute__((packed));

struct frame6 {
	struct ethhdr ethernet;
	struct ipv6hdr ip;
	struct udphdr udp;
	char data[18];
} __attribute__((packed));

static const struct frame4 frame4 = {
	.ethernet.h_proto = __builtin_bswap16(ETH_P_IP),
	.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = __builtin_bswap16(46),
		.daddr = __builtin_bswap32(0xac100001) },
	.udp = { .dest = __builtin_bswap16(443), .len = __builtin_bswap16(26) },
};

static const struct frame6 frame6 = {
	.ethernet.h_proto = __builtin_bswap16(ETH_P_IPV6),
	.ip = { .version = 6, .hop_limit = 64, .nexthdr = IPPROTO_UDP, .payload_len = __builtin_bswap16(26),
		.saddr.in6_u.u6_addr8 = { 0xfd }, .daddr.in6_u.u6_addr8 = { 0xfd, [15] = 1 } },
	.udp = { .dest = __builtin_bswap16(443), .len = __builtin_bswap16(26) },
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "flow_lru: %s: %s\n", what, strerror(errno));
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
	bpf_map__set_max_entries(skel->maps.lru_flows4, ROOM);
	bpf_map__set_max_entries(skel->maps.lru_flows6, ROOM);
	if (flow_lru_bpf__load(skel))
		fail("load");
	if (flows_seed(bpf_map__fd(skel->maps.zw_flows4), bpf_map__value_size(skel->maps.zw_flows4)) ||
	    flows_seed(bpf_map__fd(skel->maps.zw_flows6), bpf_map__value_size(skel->maps.zw_flows6)))
		fail("seeds");
}

static struct bpf_program *program(bool v6, enum kind kind)
{
	switch (kind) {
	case FLOOR:
		return skel->progs.floor_drop;
	case PARSE:
		return skel->progs.parse_only;
	case OURS:
		return v6 ? skel->progs.ours6 : skel->progs.ours4;
	default:
		return v6 ? skel->progs.lru6 : skel->progs.lru4;
	}
}

/* Nanoseconds of this thread's CPU time a packet. */
static double run(struct bpf_program *tested, bool v6, int packets)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = v6 ? (void *)&frame6 : (void *)&frame4,
		    .data_size_in = v6 ? sizeof(frame6) : sizeof(frame4), .repeat = packets);
	struct timespec before, after;
	int fd = bpf_program__fd(tested), zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(skel->maps.next), &zero, &fd, BPF_ANY))
		fail("tail call");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	if (bpf_prog_test_run_opts(bpf_program__fd(v6 ? skel->progs.generate6 : skel->progs.generate4), &options))
		fail("test run");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	if (options.retval == XDP_ABORTED)
		fail("the packet was not understood");
	return ((after.tv_sec - before.tv_sec) * 1e9 + (after.tv_nsec - before.tv_nsec)) / packets;
}

static void set_plan(uint32_t base, uint32_t mask, bool counted)
{
	skel->bss->plan.seed = 88172645463325252ull;
	skel->bss->plan.base = base;
	skel->bss->plan.mask = mask;
	skel->bss->plan.counted = counted;
	skel->bss->plan.count = 0;
	skel->bss->plan.found = 0;
}

/* In small runs: a bucket takes no more flows in one jiffy than it has slots. */
static void open_flows(bool v6)
{
	struct bpf_program *ours = v6 ? skel->progs.open_ours6 : skel->progs.open_ours4;
	struct bpf_program *lru = v6 ? skel->progs.open_lru6 : skel->progs.open_lru4;

	for (int first = 0; first < LIVE; first += 1024) {
		set_plan(first, 1023, true);
		run(ours, v6, 1024);
		set_plan(first, 1023, true);
		run(lru, v6, 1024);
	}
	for (int kind = OURS; kind <= LRU; kind++) {
		set_plan(0, LIVE - 1, true);
		run(program(v6, kind), v6, LIVE);
		printf("IPv%d, %s: %.2f %% of 65,536 flows are found\n", v6 ? 6 : 4, kind_name[kind],
		       skel->bss->plan.found * 100.0 / LIVE);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, int count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* Above the floor of the same round. */
static void print(bool v6, enum traffic traffic, int rounds)
{
	double above[KINDS], low[KINDS], high[KINDS];

	for (int kind = PARSE; kind < KINDS; kind++) {
		double values[ROUNDS_MAX];

		for (int i = 0; i < rounds; i++)
			values[i] = ns[v6][traffic][kind][i] - ns[v6][traffic][FLOOR][i];
		above[kind] = median(values, rounds);
		low[kind] = values[0];
		high[kind] = values[rounds - 1];
	}
	printf("IPv%d %-20s %6.1f %6.1f  %6.1f (%.0f to %.0f)  %6.1f (%.0f to %.0f)  %5.1f %5.1f\n", v6 ? 6 : 4,
	       traffic_name[traffic], median(ns[v6][traffic][FLOOR], rounds), above[PARSE], above[OURS], low[OURS],
	       high[OURS], above[LRU], low[LRU], high[LRU], above[LRU] / above[OURS],
	       (above[LRU] - above[PARSE]) / (above[OURS] - above[PARSE]));
}

int main(int argc, char **argv)
{
	static const uint32_t base[TRAFFICS] = { 7, 0, ABSENT }, mask[TRAFFICS] = { 0, LIVE - 1, LIVE - 1 };
	int rounds = argc > 1 ? atoi(argv[1]) : 5, packets = argc > 2 ? atoi(argv[2]) : 2000000;

	if (rounds < 1 || rounds > ROUNDS_MAX || packets < 1)
		return 2;
	load();
	for (int v6 = 0; v6 < 2; v6++)
		open_flows(v6);
	for (int round = 0; round < rounds; round++)
		for (int v6 = 0; v6 < 2; v6++)
			for (int traffic = 0; traffic < TRAFFICS; traffic++)
				for (int kind = 0; kind < KINDS; kind++) {
					set_plan(base[traffic], mask[traffic], false);
					ns[v6][traffic][kind][round] = run(program(v6, kind), v6, packets);
				}
	printf("\nns a packet; the floor (generator and drop) as it is, the others above it, parser included\n\n"
	       "                           floor  parse  flow table        LRU hash            times  without parser\n");
	for (int v6 = 0; v6 < 2; v6++)
		for (int traffic = 0; traffic < TRAFFICS; traffic++)
			print(v6, traffic, rounds);
	return 0;
}
