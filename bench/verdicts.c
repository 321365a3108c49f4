// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a packet costs before the attached gate, under policies that are published as `apply` does it: rows P1 to P6 and
 * P13 of design section 13, as far as they have no peer. In BPF test runs of packets of random flows (traffic.bpf.c); nanoseconds of thread CPU
 * time a packet. Each run is preceded by one of the floor, a program that drops at once, and a figure is its time divided
 * by that: medians of the rounds.
 *
 *   verdicts INSTANCE INTERFACE [ROUNDS [PACKETS]]     default: 5 rounds of 500,000 packets
 *
 * bench.sh makes the namespace and the interface that it runs with, and takes the instance down.
 */
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/files.h"
#include "base/util.h"
#include "bench/scale.h"
#include "compile/tables.h"
#include "kernel/instance.h"
#include "kernel/pins.h"
#include "kernel/publish.h"

#include "bench/traffic.skel.h" /* knows no types but these */

#define OPEN_PORT 443
#define SYN 0x02
#define ACK 0x10
#define ROUNDS_MAX 32
#define CACHED 1024u
#define UNCACHED 65536u

static struct traffic_bpf *skel;
static const char *instance, *interface;
static int gate; /* the attached program */
static int rounds = 5, packets = 500000;

struct frame4 {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
	char data[6];
} __attribute__((packed));

struct frame6 {
	struct ethhdr ethernet;
	struct ipv6hdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static const struct frame4 frame4 = {
	.ethernet.h_proto = __builtin_bswap16(ETH_P_IP),
	.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = 6, .tot_len = __builtin_bswap16(46) },
	.tcp = { .doff = 5, .window = 0xffff },
};

static const struct frame6 frame6 = {
	.ethernet.h_proto = __builtin_bswap16(ETH_P_IPV6),
	.ip = { .version = 6, .hop_limit = 64, .nexthdr = 6, .payload_len = __builtin_bswap16(20) },
	.tcp = { .doff = 5, .window = 0xffff },
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "verdicts: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- Runs -------------------------------------------------------------------------------------------------------- */

/* Nanoseconds of this thread's CPU time a packet, through the generator into a program. */
static double run(int program, int family, int count)
{
	struct xdp_md context = { .data_end = family == 4 ? sizeof(frame4) : sizeof(frame6),
				  .ingress_ifindex = if_nametoindex(interface) };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = family == 4 ? (void *)&frame4 : (void *)&frame6,
		    .data_size_in = family == 4 ? sizeof(frame4) : sizeof(frame6), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = count);
	struct timespec before, after;
	int zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(skel->maps.next), &zero, &program, BPF_ANY))
		fail("tail call");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	if (bpf_prog_test_run_opts(bpf_program__fd(family == 4 ? skel->progs.traffic4 : skel->progs.traffic6), &options))
		fail("test run");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	if (options.retval == XDP_ABORTED)
		fail("the packet was not understood");
	return ((after.tv_sec - before.tv_sec) * 1e9 + (after.tv_nsec - before.tv_nsec)) / count;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* --- Policies ---------------------------------------------------------------------------------------------------- */

static struct scale scale;

/* Publishes a policy of this size, and takes the gate that is attached. */
static void apply(const struct scale *wanted)
{
	struct publish_options options = { .flows = 4 * UNCACHED, .quiet = true };
	const struct compile_options compile = { 0 };
	struct publish_report report = { 0 };
	struct files *files = files_new();
	struct diag *diag = diag_new();
	struct tables *tables;
	struct policy *policy;
	char path[PATH_MAX];
	void *pack;

	scale = *wanted;
	scale.interface = interface;
	scale.open_port = OPEN_PORT;
	scale.cidr_bits = 4;
	policy = scale_policy(&scale);
	if (compile_policy(policy, &compile, diag, &tables) || files_pack(files, NULL, 0, &pack, &options.pack_len)) {
		diag_print(diag, stderr, false);
		exit(1);
	}
	options.pack = pack;
	if (publish(instance, tables, &options, &report))
		exit(1);
	publish_report_clear(&report);
	tables_free(tables);
	policy_free(policy);
	diag_free(diag);
	files_free(files);
	free(pack);
	if (gate > 0)
		return;
	pins_path(path, instance, "/gate/zw_gate_xdp");
	gate = bpf_obj_get(path);
	if (gate < 0)
		fail(path);
}

/* --- Traffic ----------------------------------------------------------------------------------------------------- */

static void aim(uint32_t base, uint32_t flows, uint16_t port, uint16_t ports, uint8_t tcp_flags)
{
	skel->bss->traffic = (struct traffic){
		.seed = 88172645463325252ull,
		.base = base,
		.mask = flows - 1,
		.shape = scale.shape,
		.prefixes = (1u << (31 - __builtin_clz(scale.prefixes))) - 1,
		.port = port,
		.ports = ports,
		.tcp_flags = tcp_flags,
	};
}

/* Handshakes, in small runs: a bucket takes no more flows in one jiffy than it has slots. */
static void open_flows(uint32_t flows)
{
	static const struct {
		uint8_t flags;
		bool reply;
	} steps[] = { { SYN, false }, { SYN | ACK, true }, { ACK, false } };

	for (uint32_t first = 0; first < flows; first += 1024)
		for (int step = 0; step < 3; step++) {
			aim(first, flows < 1024 ? flows : 1024, OPEN_PORT, 0, steps[step].flags);
			skel->bss->traffic.counted = 1;
			skel->bss->traffic.reply = steps[step].reply;
			run(gate, scale.family, 1024);
		}
}

/* Packets of the attach point by reason, on XDP. */
static uint64_t count(enum zw_reason reason)
{
	struct zw_count counts[ZW_REASONS];
	struct attach_point *points;
	struct instance *in;
	uint64_t found = 0;
	size_t n;

	if (instance_open(instance, &in) || instance_attach_points(in, &points, &n))
		fail("counters");
	for (size_t i = 0; i < n; i++) {
		if (points[i].hook != ZW_HOOK_XDP)
			continue;
		instance_count(in, points[i].slot, counts);
		found += counts[reason].packets;
	}
	free(points);
	instance_free(in);
	return found;
}

enum traffic_kind { DENIED, ESTABLISHED, PARSED };

struct figure {
	const char *row, *what; /* of design section 13 */
	struct scale scale;
	uint32_t flows;
	double ns, floor, ratio; /* medians */
	double runs[ROUNDS_MAX]; /* ratios, ascending */
	double as_meant; /* the part of the packets that was decided as the row means */
	double target; /* what the ratio must not exceed; 0: none here */
};

static struct figure figures[64];
static size_t figure_count;

static double run_once(enum traffic_kind kind, uint32_t flows, int program)
{
	const bool open = kind == ESTABLISHED;

	aim(0, flows, open ? OPEN_PORT : 1000, open ? 0 : 127, open ? ACK : SYN);
	return run(program, scale.family, packets);
}

static void measure(enum traffic_kind kind, struct figure *f)
{
	const enum zw_reason meant = kind == ESTABLISHED ? ZW_ALLOW_FLOW : ZW_DROP_DEFAULT;
	const int program = kind == PARSED ? bpf_program__fd(skel->progs.parse_only) : gate;
	double ns[ROUNDS_MAX], floor[ROUNDS_MAX];
	uint64_t before = count(meant);

	run_once(kind, f->flows, program); /* not timed: lines come into the caches */
	for (int i = 0; i < rounds; i++) {
		floor[i] = run_once(kind, f->flows, bpf_program__fd(skel->progs.floor_drop));
		ns[i] = run_once(kind, f->flows, program);
		f->runs[i] = ns[i] / floor[i];
	}
	f->as_meant = kind == PARSED ? 1 : (count(meant) - before) / (packets * (rounds + 1.0));
	f->ns = median(ns, rounds);
	f->floor = median(floor, rounds);
	f->ratio = median(f->runs, rounds);
}

static void row(const char *name, const char *what, enum traffic_kind kind, uint32_t flows, double target)
{
	struct figure *f = &figures[figure_count++];

	*f = (struct figure){ .row = name, .what = what, .scale = scale, .flows = flows, .target = target };
	measure(kind, f);
	printf("%-3s v%d %-12s %6zu %7zu %6u %7.1f %6.1f %6.2f (%.2f to %.2f)", name, scale.family, what, scale.rules,
	       scale.prefixes, flows, f->ns, f->floor, f->ratio, f->runs[0], f->runs[rounds - 1]);
	if (target)
		printf("  at most %.2f: %s", target, f->ratio <= target ? "met" : "NOT MET");
	if (f->as_meant < 0.95)
		printf("  only %.1f %% of the packets were decided so", 100 * f->as_meant);
	printf("\n");
	fflush(stdout);
}

/* Targets are those of policies of full size. */
static void rows(bool full)
{
	row("P1", "parse", PARSED, CACHED, full ? 1.25 : 0);
	row("P2", "denied", DENIED, CACHED, full ? 2.4 : 0);
	row("P3", "denied", DENIED, UNCACHED, full ? 8 : 0);
	open_flows(UNCACHED);
	row("P4", "established", ESTABLISHED, CACHED, full ? 1.75 : 0);
	row("P4", "established", ESTABLISHED, UNCACHED, full ? 5 : 0);
}

static const struct figure *find(const char *row, int family, size_t rules, size_t prefixes, uint32_t flows)
{
	for (size_t i = 0; i < figure_count; i++) {
		const struct figure *f = &figures[i];

		if (!strcmp(f->row, row) && f->scale.family == family && f->scale.rules == rules &&
		    f->scale.prefixes == prefixes && f->flows == flows)
			return f;
	}
	return NULL;
}

static void compare_rows(const char *row, const char *what, const struct figure *a, const struct figure *b, double target)
{
	double times = a->ratio / b->ratio;

	printf("%-3s %-48s %6.2f  at most %.2f: %s\n", row, what, times, target, times <= target ? "met" : "NOT MET");
}

#define RULES 100000
#define PREFIXES 1000000

static void compare_all(void)
{
	const struct figure *full = find("P2", 4, RULES, PREFIXES, CACHED);

	printf("\n");
	compare_rows("P5", "100,000 rules over 10, 1,000,000 prefixes", full, find("P2", 4, 10, PREFIXES, CACHED), 1.1);
	compare_rows("P6", "1,000,000 prefixes over 1,000, 10 rules", find("P2", 4, 10, PREFIXES, CACHED),
		     find("P2", 4, 10, 1000, CACHED), 1.25);
	compare_rows("P13", "IPv6 over IPv4: P2", find("P2", 6, RULES, PREFIXES, CACHED), full, 1.75);
	compare_rows("P13", "IPv6 over IPv4: P3", find("P3", 6, RULES, PREFIXES, UNCACHED),
		     find("P3", 4, RULES, PREFIXES, UNCACHED), 2.5);
	compare_rows("P13", "IPv6 over IPv4: P4, 1,024 flows", find("P4", 6, RULES, PREFIXES, CACHED),
		     find("P4", 4, RULES, PREFIXES, CACHED), 1.75);
}

static int usage(void)
{
	fprintf(stderr, "usage: verdicts INSTANCE INTERFACE [ROUNDS [PACKETS]]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct {
		size_t rules, prefixes, zones;
	} sizes[] = { { 10, 1000, 8 }, { 10, PREFIXES, 1024 }, { RULES, PREFIXES, 1024 } };

	if (argc < 3 || !if_nametoindex(argv[2]))
		return usage();
	instance = argv[1];
	interface = argv[2];
	if (argc > 3)
		rounds = atoi(argv[3]);
	if (argc > 4)
		packets = atoi(argv[4]);
	if (rounds < 1 || rounds > ROUNDS_MAX || packets < 1)
		return usage();
	skel = traffic_bpf__open_and_load();
	if (!skel)
		fail("load");
	printf("row              rules prefixes flows      ns  floor  ratio\n");
	for (int family = 4; family <= 6; family += 2)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			apply(&(struct scale){ .shape = PLAN_DENSE, .family = family, .rules = sizes[i].rules,
					       .prefixes = sizes[i].prefixes, .zones = sizes[i].zones });
			rows(i == ARRAY_LEN(sizes) - 1);
		}
	compare_all();
	return 0;
}
