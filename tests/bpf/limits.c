// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits through the loaded program: what is admitted over a minute at each rate and HZ; ten thousand sources at once; one that
 * floods; a full table; two CPUs at one bucket; the kernel's own clock; and the second hook of a forwarded packet. A RST is a
 * first packet that leaves no flow, so that one frame can be sent again and again.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "compile/timeouts.h"
#include "kernel/load.h"
#include "kernel/pins.h"
#include "packet.h"
#include "scene.h"
#include "test.h"
#include "zonewall.skel.h"

enum { ONE_A_SECOND = 1, SEVEN, FIFTY, THOUSAND, THIRDS, HUNDRED_THOUSAND, FEW_AT_ONCE, MILLION, TEN_A_MINUTE, SHARED, EACH, SLOW, BIG, LAST_RULE = BIG };

static const struct {
	const char *limit;
	double per_second;
} rules[LAST_RULE + 1] = {
	[ONE_A_SECOND] = {"rate: 1/s", 1},
	[SEVEN] = {"rate: 7/s", 7},
	[FIFTY] = {"rate: 50/s", 50},
	[THOUSAND] = {"rate: 1000/s, burst: 1", 1000},
	[THIRDS] = {"rate: 33333/s", 33333},
	[HUNDRED_THOUSAND] = {"rate: 100000/s", 100000},
	[FEW_AT_ONCE] = {"rate: 100000/s, burst: 100", 100000},
	[MILLION] = {"rate: 1000000/s", 1000000},
	[TEN_A_MINUTE] = {"rate: 10/m", 1 / 6.0},
	[SHARED] = {"rate: 1/h, burst: 1", 0},
	[EACH] = {"rate: 5/s, per: source", 5},
	[SLOW] = {"rate: 1/h, burst: 1, per: source", 0},
	[BIG] = {"rate: 1/h, burst: 2000", 0},
};

static struct scene scene;
static struct zonewall_bpf *skel;
static struct zw_simulation *simulation;
static unsigned hz;

static void *map_of(const struct bpf_map *map, int protection)
{
	void *memory = mmap(NULL, pins_mapped_len(bpf_map__value_size(map)), protection, MAP_SHARED, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool open_scene(void)
{
	const struct scene_options options = {.stateful = true};
	char policy[4096];
	int len = snprintf(policy, sizeof(policy), "version: 1\ndefaults: {action: drop, log: none}\nfailsafe: []\nrules:\n");

	for (int i = 1; i <= LAST_RULE; i++)
		len += snprintf(policy + len, sizeof(policy) - len,
				"  - {id: r%d, from: any, to: any, service: tcp/%d, action: allow, limit: {%s}}\n", i, i, rules[i].limit);
	return !scene_open(policy, &options, &scene);
}

/* hooks: bits. simulated_hz: ticks of the given clock; 0: the kernel's own. */
static bool load(unsigned hooks, unsigned simulated_hz)
{
	const struct load_options options = {.generation = 1, .flows = 1, .fragment_buckets = 1, .simulate = simulated_hz};

	if (load_open(scene.tables, &options, &skel))
		return false;
	hz = simulated_hz;
	if (hz)
		skel->rodata->zw_limit_tick_ns = limit_tick_ns(hz);
	bpf_program__set_autoload(skel->progs.zw_xdp, false);
	bpf_program__set_autoload(skel->progs.zw_ingress, hooks & 1u << ZW_HOOK_INGRESS);
	bpf_program__set_autoload(skel->progs.zw_egress, hooks & 1u << ZW_HOOK_EGRESS);
	if (load_finish(skel, scene.tables))
		return false;
	simulation = map_of(skel->maps.zw_simulation, PROT_READ | PROT_WRITE);
	if (simulation)
		simulation->jiffies = 1000000;
	return simulation;
}

static void unload(void)
{
	munmap(simulation, pins_mapped_len(sizeof(*simulation)));
	zonewall_bpf__destroy(skel);
	skel = NULL;
}

/* The last one's verdict. Not XDP: each of its test runs with repeats waits for the kernel to rewrite its dispatcher. */
static bool send(const struct packet *packet, int repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->data, .data_size_in = packet->len, .repeat = repeat);

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.zw_ingress), &options)) {
		note("test run: %s", strerror(errno));
		exit(1);
	}
	return options.retval == (uint32_t)TC_ACT_UNSPEC;
}

static struct packet reset_to(int rule, int family)
{
	const struct packet_spec spec = {.from = family == 4 ? "10.0.0.1" : "fd00::1", .to = family == 4 ? "10.9.0.1" : "fd09::1",
					 .flags = F_RST, .dport = rule};
	struct packet packet;

	packet_build(&spec, &packet);
	return packet;
}

/* The same of another source: an IPv4 address, an IPv6 /64. */
static void set_source(struct packet *packet, int family, uint32_t number)
{
	const uint32_t word = htobe32(number);

	memcpy(packet->data + packet->l3 + (family == 4 ? 12 : 8 + 4), &word, 4);
	if (family == 4)
		packet->data[packet->l3 + 12] = 10;
}

/* Packets that the rule has let pass, and that its limit has dropped. */
static void count_rule(int rule, uint64_t *ret_admitted, uint64_t *ret_limited)
{
	size_t stride = load_rules_stride(&scene.tables->layout);
	uint8_t *base = map_of(skel->maps.zw_rules, PROT_READ);

	*ret_admitted = *ret_limited = 0;
	for (unsigned cpu = 0; base && cpu < load_cpus(); cpu++) {
		const uint8_t *mine = base + cpu * stride;

		*ret_admitted += ((const struct zw_rule_counters *)mine)[rule].packets.packets;
		*ret_limited += ((const uint64_t *)(mine + zw_rules_limited(scene.tables->layout.rule_count)))[rule];
	}
	munmap(base, pins_mapped_len(bpf_map__value_size(skel->maps.zw_rules)));
}

static uint64_t admitted(int rule)
{
	uint64_t admitted, limited;

	count_rule(rule, &admitted, &limited);
	return admitted;
}

static uint64_t shared_asked(void)
{
	struct zw_limits *limits = map_of(skel->maps.zw_limits, PROT_READ);
	uint64_t shared = limits->shared;

	munmap(limits, pins_mapped_len(sizeof(*limits)));
	return shared;
}

/* Half as much again is asked for as may pass, every tick, for so long. */
static void one_rate(int rule, unsigned seconds)
{
	const struct packet packet = reset_to(rule, 4);
	double asked = 0, want = rules[rule].per_second * seconds, error;
	uint64_t before, sent = 0, got, limited;

	send(&packet, 2000000 / hz + 2 * rules[rule].per_second); /* until the bucket is empty */
	before = admitted(rule);
	for (unsigned tick = 0; tick < seconds * hz; tick++) {
		unsigned count;

		simulation->jiffies++;
		asked += rules[rule].per_second * 1.5 / hz;
		count = asked - sent < 1 ? 1 : asked - sent;
		send(&packet, count);
		sent += count;
	}
	got = admitted(rule) - before;
	error = (got - want) / want * 100;
	count_rule(rule, &before, &limited);
	ok(error > -1 && error < 1, "HZ %u, %s: %llu in %u s (%+.2f %%), of %llu", hz, rules[rule].limit, (unsigned long long)got,
	   seconds, error, (unsigned long long)sent);
	if (!limited)
		ok(false, "HZ %u, %s: what was dropped is counted", hz, rules[rule].limit);
}

static void rates(void)
{
	static const unsigned kernels[] = {100, 250, 300, 1000};

	for (size_t i = 0; i < ARRAY_LEN(kernels); i++) {
		if (!load(1u << ZW_HOOK_INGRESS, kernels[i])) {
			ok(false, "the policy loads");
			return;
		}
		for (int rule = ONE_A_SECOND; rule <= FEW_AT_ONCE; rule++)
			one_rate(rule, 60);
		one_rate(MILLION, 5);
		one_rate(TEN_A_MINUTE, 600);
		unload();
	}
}

#define SOURCES 10000

/* Each asks ten times a second for ten seconds, and may have five at once and five a second. */
static void many_sources(void)
{
	struct packet packet[2] = {reset_to(EACH, 4), reset_to(EACH, 6)};
	static unsigned passed[SOURCES];
	unsigned least = UINT32_MAX, most = 0;

	memset(passed, 0, sizeof(passed));
	for (unsigned round = 0; round <= 100; round++) {
		for (unsigned i = 0; i < SOURCES; i++) {
			int family = i & 1 ? 6 : 4;

			set_source(&packet[i & 1], family, i);
			passed[i] += send(&packet[i & 1], 1);
		}
		simulation->jiffies += hz / 10;
	}
	for (unsigned i = 0; i < SOURCES; i++) {
		least = passed[i] < least ? passed[i] : least;
		most = passed[i] > most ? passed[i] : most;
	}
	ok(least == 55 && most == 55, "%u sources at once, for 10 s: each has its burst of 5 and 5 a second (%u to %u)", SOURCES,
	   least, most);
	ok(!shared_asked(), "each from a bucket of its own");
}

/* One source asks 100,000 times a second, a hundred others as often as they may. */
static void flood(void)
{
	struct packet flood = reset_to(EACH, 4), packet = reset_to(EACH, 4);
	unsigned refused = 0;
	uint64_t before;

	simulation->jiffies += 10 * hz;
	set_source(&flood, 4, SOURCES + 1);
	before = admitted(EACH);
	for (unsigned round = 0; round < 50; round++) {
		simulation->jiffies += hz / 5;
		send(&flood, 20000);
		for (unsigned i = 0; i < 100; i++) {
			set_source(&packet, 4, i);
			refused += !send(&packet, 1);
		}
	}
	ok(!refused, "while one source floods, the others have their full rate (%u were refused)", refused);
	ok(admitted(EACH) - before == 50 * 100 + 5 + 49, "and it has no more than its own: %llu of 1,000,000",
	   (unsigned long long)(admitted(EACH) - before - 50 * 100));
}

/* Twice as many sources as there are buckets, and again when those are full: none more than its one, the rest share one. */
static void full_table(void)
{
	const unsigned room = ZW_LIMIT_SOURCE_SETS * ZW_LIMIT_WAYS;
	struct packet packet = reset_to(SLOW, 4);
	unsigned passed[2] = {0}, again = 0;
	uint64_t shared[2];

	simulation->jiffies += 3600 * hz;
	for (int hour = 0; hour < 2; hour++) {
		for (unsigned i = 0; i < 2 * room; i++) {
			set_source(&packet, 4, i);
			passed[hour] += send(&packet, 1);
		}
		shared[hour] = shared_asked();
		simulation->jiffies += 3600 * hz;
		if (hour)
			break;
		simulation->jiffies -= 2; /* a bucket is a tick deeper than a token, so that one comes a tick sooner */
		for (unsigned i = 0; i < 1000; i++) {
			set_source(&packet, 4, i);
			again += send(&packet, 1);
		}
		simulation->jiffies += 2;
	}
	ok(passed[0] > room * 9 / 10 && passed[0] <= room + 1, "%u sources: %u have buckets, the others share one", 2 * room, passed[0]);
	ok(shared[0] == 2 * room - passed[0] + 1, "which is counted: %llu", (unsigned long long)shared[0]);
	ok(again == 0, "before an hour has passed none has another token (%u)", again);
	ok(passed[1] > room * 9 / 10 && passed[1] <= room + 1, "then buckets are free again: %u", passed[1]);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Two CPUs ask in the same moment: for each of many sources, and until a bucket is empty. */
#define RACES 20000
#define RACES_AN_HOUR 1000 /* few enough that each source finds a bucket: nine in one of the sets once in 10^11 runs */

struct racer {
	int cpu;
	unsigned met;
	unsigned char passed[RACES];
	unsigned passes;
};

static atomic_uint meeting;

static void meet(struct racer *racer)
{
	racer->met++;
	atomic_fetch_add(&meeting, 1);
	while (atomic_load(&meeting) < 2 * racer->met)
		;
}

static void *race(void *arg)
{
	struct packet packet = reset_to(SLOW, 6), big = reset_to(BIG, 4);
	struct racer *racer = arg;

	pin(racer->cpu);
	for (unsigned i = 0; i < RACES; i++) {
		if (i % RACES_AN_HOUR == 0) {
			meet(racer);
			if (racer->cpu == 0)
				simulation->jiffies += 3600 * hz;
		}
		set_source(&packet, 6, i);
		meet(racer);
		racer->passed[i] = send(&packet, 1);
	}
	meet(racer);
	for (unsigned i = 0; i < 3000; i++)
		racer->passes += send(&big, 1);
	return NULL;
}

static void two_cpus(void)
{
	static struct racer racers[2] = {{.cpu = 0}, {.cpu = 1}};
	unsigned none = 0, both = 0;
	pthread_t threads[2];

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("ok %u - two CPUs at one bucket # SKIP there is one CPU only\n", ++test_count);
		return;
	}
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, race, &racers[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < RACES; i++) {
		none += !racers[0].passed[i] && !racers[1].passed[i];
		both += racers[0].passed[i] && racers[1].passed[i];
	}
	ok(!both && !none, "%u times two CPUs begin a bucket at once: one has its token (%u times both, %u times none)", RACES, both, none);
	ok(racers[0].passes + racers[1].passes == 2000 && racers[0].passes && racers[1].passes,
	   "two CPUs empty a bucket of 2000: %u + %u", racers[0].passes, racers[1].passes);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* The kernel's jiffies, for three seconds. Bursts of a second: this process, too, waits for a CPU now and then. */
static void real_rate(int rule, int batch)
{
	const struct packet packet = reset_to(rule, 4);
	double begin, passed, want, error;
	uint64_t before;

	for (begin = now(); now() - begin < 0.1;)
		send(&packet, 10000);
	before = admitted(rule);
	begin = now();
	while (now() - begin < 3)
		send(&packet, batch);
	passed = admitted(rule) - before;
	want = rules[rule].per_second * (now() - begin);
	error = (passed - want) / want * 100;
	ok(error > -1 && error < 1, "the kernel's clock, %s: %.0f in 3 s (%+.2f %%)", rules[rule].limit, passed, error);
}

/* A packet that leaves: seven's is an attach point, and so a packet that came from there took its token there. */
static bool leave(const struct packet *packet, uint32_t entered)
{
	struct __sk_buff skb = {.ingress_ifindex = entered};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->data, .data_size_in = packet->len, .ctx_in = &skb,
		    .ctx_size_in = sizeof(skb), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.zw_egress), &options)) {
		note("test run: %s", strerror(errno));
		exit(1);
	}
	return options.retval == (uint32_t)TC_ACT_UNSPEC;
}

static void second_hook(void)
{
	const struct packet packet = reset_to(SHARED, 4);
	struct zw_point *points = map_of(skel->maps.zw_points, PROT_READ | PROT_WRITE);

	points[7] = (struct zw_point){.ifindex = 7, .slot = {[ZW_HOOK_INGRESS] = 1}};
	points[8] = (struct zw_point){.ifindex = 8, .slot = {[ZW_HOOK_EGRESS] = 2}};
	ok(leave(&packet, 7) && leave(&packet, 7), "forwarded, and decided where it entered: it takes no token");
	ok(leave(&packet, 8) && !leave(&packet, 8), "forwarded from where nothing decides: it takes one");
	ok(!leave(&packet, 9) && !leave(&packet, 0), "and so from elsewhere, or sent by this host");
	ok(leave(&packet, 7), "while what was decided still takes none");
	munmap(points, pins_mapped_len(bpf_map__value_size(skel->maps.zw_points)));
}

int main(void)
{
	if (geteuid() != 0)
		skip_all("loading the programs needs root");
	if (!open_scene()) {
		ok(false, "the policy is read");
		return done();
	}
	rates();
	if (ok(load(1u << ZW_HOOK_INGRESS, 1000), "the policy loads, with a clock of the test's own")) {
		many_sources();
		flood();
		full_table();
		two_cpus();
		unload();
	}
	if (ok(load(1u << ZW_HOOK_INGRESS | 1u << ZW_HOOK_EGRESS, 0), "the policy loads, with the kernel's clock")) {
		real_rate(FIFTY, 1);
		real_rate(THIRDS, 30);
		real_rate(HUNDRED_THOUSAND, 100);
		second_hook();
		unload();
	}
	scene_close(&scene);
	return done();
}
