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
#include "bench/figure.h"
#include "bench/scale.h"
#include "compile/tables.h"
#include "kernel/instance.h"
#include "kernel/pins.h"
#include "kernel/publish.h"

#include "bench/traffic.skel.h" /* knows no types but these */

#define OPEN_PORT 443
#define SYN 0x02
#define ACK 0x10
#define ROUNDS_MAX FIGURE_ROUNDS_MAX
#define CACHED 1024u
#define UNCACHED 65536u
#define RULES 100000
#define PREFIXES 1000000

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

/* What a row measured, for the rows that compare rows. */
struct measured {
	const char *row; /* of bench/aims.c */
	struct scale scale;
	double ns[ROUNDS_MAX], floor[ROUNDS_MAX];
};

static struct measured measured[64];
static size_t measured_count;

static double run_once(enum traffic_kind kind, uint32_t flows, int program)
{
	const bool open = kind == ESTABLISHED;

	aim(0, flows, open ? OPEN_PORT : 1000, open ? 0 : 127, open ? ACK : SYN);
	return run(program, scale.family, packets);
}

/* Tells if not nearly all packets were decided as the row means. */
static void measure(enum traffic_kind kind, uint32_t flows, struct measured *m)
{
	const enum zw_reason meant = kind == ESTABLISHED ? ZW_ALLOW_FLOW : ZW_DROP_DEFAULT;
	const int program = kind == PARSED ? bpf_program__fd(skel->progs.parse_only) : gate;
	uint64_t before = count(meant);
	double part;

	run_once(kind, flows, program); /* not timed: lines come into the caches */
	for (int i = 0; i < rounds; i++) {
		m->floor[i] = run_once(kind, flows, bpf_program__fd(skel->progs.floor_drop));
		m->ns[i] = run_once(kind, flows, program);
	}
	part = (count(meant) - before) / (packets * (rounds + 1.0));
	if (kind != PARSED && part < 0.95)
		printf("only %.1f %% of these packets were decided as is meant:\n", 100 * part);
}

/* Aims are for IPv4 tables of full size; IPv6 is compared with IPv4. */
static void row(const char *name, const char *what, enum traffic_kind kind, uint32_t flows)
{
	const bool full = scale.rules == RULES && scale.prefixes == PREFIXES && scale.family == 4;
	struct measured *m = &measured[measured_count++];
	char text[128];

	*m = (struct measured){ .row = name, .scale = scale };
	measure(kind, flows, m);
	snprintf(text, sizeof(text), "%s, IPv%d, %zu rules, %zu prefixes", what, scale.family, scale.rules, scale.prefixes);
	figure_add(&(struct figure){ .row = full ? name : NULL, .name = text, .unit = "ns", .rounds = rounds,
				     .values = m->ns, .floors = m->floor });
}

static void rows(void)
{
	row("P1", "parse", PARSED, CACHED);
	row("P2", "denied, 1,024 flows", DENIED, CACHED);
	row("P3", "denied, 65,536 flows", DENIED, UNCACHED);
	open_flows(UNCACHED);
	row("P4 cached", "established, 1,024 flows", ESTABLISHED, CACHED);
	row("P4 uncached", "established, 65,536 flows", ESTABLISHED, UNCACHED);
}

static const struct measured *find(const char *row, int family, size_t rules, size_t prefixes)
{
	for (size_t i = 0; i < measured_count; i++) {
		const struct measured *m = &measured[i];

		if (!strcmp(m->row, row) && m->scale.family == family && m->scale.rules == rules &&
		    m->scale.prefixes == prefixes)
			return m;
	}
	return NULL;
}

/* In times the floor, since the two were not measured in the same round. */
static void compare_rows(const char *row, const char *what, const struct measured *a, const struct measured *b)
{
	double values[ROUNDS_MAX], peers[ROUNDS_MAX];

	for (int i = 0; i < rounds; i++) {
		values[i] = a->ns[i] / a->floor[i];
		peers[i] = b->ns[i] / b->floor[i];
	}
	figure_add(&(struct figure){ .row = row, .name = what, .unit = "floors", .rounds = rounds, .values = values,
				     .peers = peers });
}

static void compare_all(void)
{
	static const struct {
		const char *row, *measured;
	} families[] = { { "P13 cached", "P2" }, { "P13 uncached", "P3" }, { "P13 cached", "P4 cached" } };
	char text[64];

	compare_rows("P5", "100,000 rules over 10, 1,000,000 prefixes", find("P2", 4, RULES, PREFIXES),
		     find("P2", 4, 10, PREFIXES));
	compare_rows("P6", "1,000,000 prefixes over 1,000, 10 rules", find("P2", 4, 10, PREFIXES), find("P2", 4, 10, 1000));
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		snprintf(text, sizeof(text), "IPv6 over IPv4: %s", families[i].measured);
		compare_rows(families[i].row, text, find(families[i].measured, 6, RULES, PREFIXES),
			     find(families[i].measured, 4, RULES, PREFIXES));
	}
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
	for (int family = 4; family <= 6; family += 2)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			apply(&(struct scale){ .shape = PLAN_DENSE, .family = family, .rules = sizes[i].rules,
					       .prefixes = sizes[i].prefixes, .zones = sizes[i].zones });
			rows();
		}
	compare_all();
	return 0;
}
