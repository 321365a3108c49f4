// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loaded programs on two CPUs at once, at a flow table of one bucket: no packet takes a flow that is not its own,
 * what packets of both directions write is not lost, and rules count each packet.
 *
 *   two_cpus [PACKETS]   of each long run; default 10,000,000
 *
 * Of mixed flows: without the comparisons of versions in bpf/flow_table.h, two in ten million packets (IPv4) take a flow
 * that is not theirs. tests/unit/flow_schedules.c has the control that always fails.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "compile/timeouts.h"
#include "kernel/load.h"
#include "kernel/pins.h"
#include "scene.h"
#include "test.h"
#include "zonewall.skel.h"

#include "two_cpus.h"
#include "tests/bpf/two_cpus.skel.h" /* knows no types but these */

#define MIXED 200000 /* single packets a CPU and a family */
#define RACES 3000
#define STATE_BITS 0xff00ull /* of a head: see bpf/flow_table.h */
#define FIN_BITS 0x6000ull
#define CONFIRMED_BIT 0x8000ull

/* The number of a pair stands in both addresses; only equal numbers may talk. */
static const char policy_head[] = "version: 1\n"
				  "defaults: {action: drop, log: none}\n"
				  "rules:\n"
				  "  - {id: web, from: 10.3.0.1, to: 10.4.0.1, service: tcp/80, action: allow}\n";

static struct scene scene;
static struct zonewall_bpf *skel;
static struct zw_simulation *simulation;
static const uint8_t *flows4;
static int program;

static void *map_of(const struct bpf_map *map, int protection)
{
	void *memory = mmap(NULL, pins_mapped_len(bpf_map__value_size(map)), protection, MAP_SHARED, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static bool open_scene(void)
{
	const struct scene_options options = {.stateful = true};
	char policy[8192];
	int len = snprintf(policy, sizeof(policy), "%s", policy_head);

	for (int i = 0; i < HOSTS; i++)
		len += snprintf(policy + len, sizeof(policy) - len,
				"  - {id: four-%d, from: 10.1.0.%d, to: 10.2.0.%d, service: proto/47, action: allow}\n"
				"  - {id: six-%d, from: \"fd00:1::%x\", to: \"fd00:2::%x\", service: proto/47, action: allow}\n",
				i, i + 1, i + 1, i, i + 1, i + 1);
	return !scene_open(policy, &options, &scene);
}

/* One bucket, in which simulation lets a slot be replaced at once, not a jiffy later. */
static bool load(void)
{
	const struct load_options options = {.generation = 1, .flows = 1, .fragment_buckets = 1, .simulate = true};

	if (load_open(scene.tables, &options, &skel))
		return false;
	timeouts_set((struct zw_timeouts *)&skel->rodata->zw_timeouts, SIMULATED_HZ);
	bpf_program__set_autoload(skel->progs.zw_ingress, false);
	bpf_program__set_autoload(skel->progs.zw_egress, false);
	if (load_finish(skel, scene.tables))
		return false;
	program = bpf_program__fd(skel->progs.zw_xdp);
	simulation = map_of(skel->maps.zw_simulation, PROT_READ | PROT_WRITE);
	flows4 = map_of(skel->maps.zw_flows4, PROT_READ);
	if (!simulation || !flows4)
		return false;
	simulation->jiffies = 1000000;
	return true;
}

static bool passes(const struct packet *packet, int repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->data, .data_size_in = packet->len, .repeat = repeat);

	if (bpf_prog_test_run_opts(program, &options)) {
		note("test run: %s", strerror(errno));
		exit(1);
	}
	return options.retval == XDP_PASS;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void on_two_cpus(void *(*thread)(void *), void *first, void *second)
{
	pthread_t threads[2];

	pthread_create(&threads[0], NULL, thread, first);
	pthread_create(&threads[1], NULL, thread, second);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* Flows that replace each other, and packets between all hosts. */
struct mixer {
	int cpu;
	unsigned seed;
	unsigned refused, answered, wrong;
};

static struct packet mix[HOSTS][HOSTS][2]; /* from, to, back */

static void build_mix(int family)
{
	char from[48], to[48];

	for (int i = 0; i < HOSTS; i++)
		for (int j = 0; j < HOSTS; j++)
			for (int back = 0; back < 2; back++) {
				struct packet_spec spec = {.protocol = P_GRE, .from = back ? to : from, .to = back ? from : to,
							   .payload_len = 64};

				snprintf(from, sizeof(from), family == 4 ? "10.1.0.%d" : "fd00:1::%x", i + 1);
				snprintf(to, sizeof(to), family == 4 ? "10.2.0.%d" : "fd00:2::%x", j + 1);
				packet_build(&spec, &mix[i][j][back]);
			}
}

static void *send_mix(void *arg)
{
	struct mixer *m = arg;

	pin(m->cpu);
	for (int n = 0; n < MIXED; n++) {
		unsigned random = rand_r(&m->seed), i = random % HOSTS, j = random / HOSTS % 2 ? i : random / 64 % HOSTS;
		bool back = random >> 20 & 1, passed = passes(&mix[i][j][back], 1);

		if (i != j)
			m->wrong += passed;
		else if (back)
			m->answered += passed;
		else
			m->refused += !passed;
	}
	return NULL;
}

static void mixed_flows(int family)
{
	struct mixer m[2] = {{.cpu = 0, .seed = 1}, {.cpu = 1, .seed = 2}};

	build_mix(family);
	on_two_cpus(send_mix, &m[0], &m[1]);
	ok(!m[0].wrong && !m[1].wrong, "IPv%d, %d packets on two CPUs: none takes another's flow (%u)", family, 2 * MIXED,
	   m[0].wrong + m[1].wrong);
	ok(!m[0].refused && !m[1].refused, "IPv%d: policy lets each first packet through", family);
	ok(m[0].answered > 1000 && m[1].answered > 1000, "IPv%d: %u answers were let through by their flow", family,
	   m[0].answered + m[1].answered);
}

/* One CPU replaces flows as fast as it goes, the other sends what only a flow of mixed halves would let through. */
struct source {
	int cpu, family, count;
	bool mixed;
};

static void *send_generated(void *arg)
{
	struct source *s = arg;
	struct two_cpus_bpf *generator = two_cpus_bpf__open_and_load();
	const struct packet *packet = &mix[0][0][s->mixed];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet->data, .data_size_in = packet->len, .repeat = s->count);
	int zero = 0;

	pin(s->cpu);
	if (!generator || bpf_map_update_elem(bpf_map__fd(generator->maps.next), &zero, &program, BPF_ANY))
		return NULL;
	generator->bss->plan.seed = 88172645463325252ull + s->cpu;
	generator->bss->plan.mixed = s->mixed;
	bpf_prog_test_run_opts(bpf_program__fd(s->family == 4 ? generator->progs.generate4 : generator->progs.generate6),
			       &options);
	two_cpus_bpf__destroy(generator);
	return NULL;
}

static uint64_t counted(int cpu, enum zw_reason reason)
{
	const uint8_t *base = map_of(skel->maps.zw_counters, PROT_READ);
	const struct zw_point_counters *points = (const void *)(base + cpu * load_counters_stride());

	return base ? points[0].reason[reason].packets : 0;
}

static void replaced_flows(int family, int count)
{
	struct source s[2] = {{0, family, count, false}, {1, family, count, true}};
	uint64_t opened = counted(0, ZW_ALLOW_RULE), dropped = counted(1, ZW_DROP_DEFAULT), wrong = counted(1, ZW_ALLOW_FLOW);

	build_mix(family);
	on_two_cpus(send_generated, &s[0], &s[1]);
	opened = counted(0, ZW_ALLOW_RULE) - opened;
	dropped = counted(1, ZW_DROP_DEFAULT) - dropped;
	wrong = counted(1, ZW_ALLOW_FLOW) - wrong;
	ok(!wrong && dropped == (uint64_t)count, "IPv%d: %d packets that no flow lets through, all dropped (%llu were not)",
	   family, count, (unsigned long long)wrong);
	ok(opened > (uint64_t)count / 4, "IPv%d: while another CPU opened %llu flows in their bucket", family,
	   (unsigned long long)opened);
}

/* The head of the live flow from this port, by the words of bpf/flow_table.h. */
static const uint64_t *head_of_flow(unsigned port)
{
	const uint64_t *words = (const void *)(flows4 + zw_flow_layout(4, load_cpus(), 1, 1).slots);

	/* A slot is eight words: the key's two, and the head. Beside each stands the fragments' bucket's. */
	for (int i = 0; i < ZW_FLOW_SLOTS; i++, words += 2 * 8) {
		uint64_t head = words[2], ports[2] = {words[0] >> 32 & 0xffff, words[1] >> 32 & 0xffff};

		if ((head & 0xff) == P_TCP && (head >> 8 & 15) != ZW_FLOW_FREE &&
		    (ports[0] == htons(port) || ports[1] == htons(port)))
			return &words[2];
	}
	return NULL;
}

static uint64_t load_head(const uint64_t *head)
{
	return *(const volatile uint64_t *)head;
}

static void build_tcp(unsigned port, bool back, unsigned flags, uint32_t seq, uint32_t ack, unsigned payload,
		      struct packet *ret_packet)
{
	struct packet_spec spec = {.from = back ? "10.4.0.1" : "10.3.0.1", .to = back ? "10.3.0.1" : "10.4.0.1",
				   .sport = back ? 80 : port, .dport = back ? port : 80, .flags = flags, .seq = seq,
				   .ack = ack, .window = 60000, .payload_len = payload};

	packet_build(&spec, ret_packet);
}

static uint64_t sent; /* by the rule's flows */

static const uint64_t *shake_hands(unsigned port)
{
	struct packet packet;

	build_tcp(port, false, F_SYN, 1000, 0, 0, &packet);
	sent += passes(&packet, 1);
	build_tcp(port, true, F_SYN | F_ACK, 2000, 1001, 0, &packet);
	sent += passes(&packet, 1);
	build_tcp(port, false, F_ACK, 1001, 2001, 0, &packet);
	sent += passes(&packet, 1);
	return head_of_flow(port);
}

/* Of the flow with this head: state 4 bits, confirmed 1, time 27, in fours of SIMULATED_HZ's jiffies. */
static bool is_hint_right(const uint64_t *head)
{
	struct zw_flow_layout l = zw_flow_layout(4, load_cpus(), 1, 1);
	size_t slot = ((const uint8_t *)head - flows4 - l.slots) / (2 * 64);
	uint32_t hint = ((const volatile uint32_t *)(flows4 + l.hints))[slot];

	return hint == ((head[0] >> 8 & 15) << 28 | !!(head[0] & CONFIRMED_BIT) << 27 | (head[1] >> 2 & 0x7ffffff));
}

/* Of one connection, packet by packet. */
static void hints_follow(void)
{
	static const struct {
		bool back;
		unsigned flags;
		uint32_t seq, ack;
	} steps[] = {
		{false, F_SYN, 1000, 0},	    {true, F_SYN | F_ACK, 2000, 1001}, {false, F_ACK, 1001, 2001},
		{false, F_FIN | F_ACK, 1001, 2001}, {true, F_FIN | F_ACK, 2001, 1002}, {true, F_RST | F_ACK, 2002, 1002},
	};
	unsigned right = 0, count = sizeof(steps) / sizeof(*steps), states = 0;

	for (unsigned i = 0; i < count; i++) {
		const uint64_t *head;
		struct packet packet;

		simulation->jiffies += 4;
		build_tcp(39999, steps[i].back, steps[i].flags, steps[i].seq, steps[i].ack, 0, &packet);
		sent += passes(&packet, 1);
		head = head_of_flow(39999);
		right += head && is_hint_right(head);
		states |= head ? 1u << (head[0] >> 8 & 15) : 0;
	}
	ok(right == count, "what its hint says of a flow follows it: %u of %u packets", right, count);
	ok(states == (1 << ZW_FLOW_TCP_SYN | 1 << ZW_FLOW_TCP_SYN_ACK | 1 << ZW_FLOW_TCP_ESTABLISHED | 1 << ZW_FLOW_TCP_FIN |
		      1 << ZW_FLOW_TCP_CLOSING | 1 << ZW_FLOW_TCP_RESET),
	   "through all its states (0x%x)", states);
}

/* Who opens one flow after the other has the slot looked for before the tables are asked: see zw_flow_expect(). */
static void the_oldest_gives_way(void)
{
	const unsigned first = 41000, count = 4 * ZW_FLOW_SLOTS;
	unsigned wrong = 0;

	simulation->jiffies += 1000000; /* whatever there was is over */
	for (unsigned i = 0; i < count; i++) {
		struct packet packet;

		simulation->jiffies += 8;
		build_tcp(first + i, false, F_SYN, 1000, 0, 0, &packet);
		sent += passes(&packet, 1);
		wrong += !head_of_flow(first + i);
		if (i >= ZW_FLOW_SLOTS)
			wrong += head_of_flow(first + i - ZW_FLOW_SLOTS) || !head_of_flow(first + i - ZW_FLOW_SLOTS + 1);
	}
	ok(!wrong, "%u flows, of which a bucket holds %d: each takes the place of the oldest (%u do not)", count, ZW_FLOW_SLOTS, wrong);

	/* A first fragment opens a flow, too, and nobody looked for its slot. */
	struct packet_spec spec = {.from = "10.3.0.1", .to = "10.4.0.1", .sport = first + count, .dport = 80, .flags = F_SYN,
				   .seq = 1000, .window = 60000, .payload_len = 100, .more = true};
	struct packet fragment;

	simulation->jiffies += 8;
	packet_build(&spec, &fragment);
	sent += passes(&fragment, 1);
	ok(head_of_flow(first + count) && head_of_flow(first + count - 1) && !head_of_flow(first + count - ZW_FLOW_SLOTS),
	   "so does a first fragment's flow");
	simulation->jiffies += 1000000;
}

#define STEPS 5 /* of a side: three times data, its FIN, and an acknowledgement */
#define STEP_LEN 100

struct side {
	int cpu;
	struct packet data, step[STEPS];
	int count;
	bool passed;
	const uint64_t *head;
	unsigned lost;
	atomic_int *gate;
};

static void *send_data(void *arg)
{
	struct side *s = arg;

	pin(s->cpu);
	s->passed = passes(&s->data, s->count);
	atomic_fetch_add(s->gate, 1);
	return NULL;
}

static uint64_t rule_packets(void)
{
	size_t stride = load_rules_stride(&scene.tables->layout);
	const uint8_t *base = map_of(skel->maps.zw_rules, PROT_READ);
	uint64_t packets = 0;

	for (unsigned cpu = 0; base && cpu < load_cpus(); cpu++)
		packets += ((const struct zw_rule_counters *)(base + cpu * stride))[1].packets.packets;
	return packets;
}

/* While both send, the flow is looked at: nothing that it holds goes away. */
static void both_directions(int count)
{
	atomic_int ended = 0;
	struct side sides[2] = {{.cpu = 0, .count = count / 2, .gate = &ended}, {.cpu = 1, .count = count / 2, .gate = &ended}};
	const uint64_t *head = shake_hands(40000);
	unsigned looks = 0, changes = 0;
	pthread_t threads[2];
	uint64_t first;

	if (!ok(head && (load_head(head) & CONFIRMED_BIT), "a connection is confirmed"))
		return;
	first = load_head(head);
	for (int i = 0; i < 2; i++) {
		build_tcp(40000, i, F_ACK, i ? 2001 : 1001, i ? 1001 : 2001, 0, &sides[i].data);
		pthread_create(&threads[i], NULL, send_data, &sides[i]);
	}
	while (atomic_load(&ended) < 2) {
		changes += load_head(head) != first;
		looks++;
		usleep(100);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	sent += sides[0].count + sides[1].count;
	ok(sides[0].passed && sides[1].passed, "%d packets of it, both directions from two CPUs, pass", count);
	ok(!changes, "and leave its state and marks as they are (looked %u times)", looks);
	ok(rule_packets() == sent, "its rule counts each: %llu of %llu", (unsigned long long)rule_packets(),
	   (unsigned long long)sent);
}

/* Both sides end at once: each FIN is kept, whatever the other CPU writes. */
static void *race(void *arg)
{
	struct side *s = arg;
	uint64_t marks = 0, now;

	pin(s->cpu);
	atomic_fetch_add(s->gate, 1);
	while (atomic_load(s->gate) < 2)
		;
	for (int i = 0; i < STEPS; i++) {
		s->count += passes(&s->step[i], 1);
		now = load_head(s->head) & (FIN_BITS | CONFIRMED_BIT);
		s->lost += (marks & ~now) != 0;
		marks |= now;
	}
	return NULL;
}

/*
 * A side's part of a conversation in which both have sent STEPS * STEP_LEN bytes that are not acknowledged: each packet
 * moves both windows, its own by what it sends, the other side's by what it acknowledges.
 */
static void build_steps(unsigned port, bool back, struct side *s)
{
	uint32_t seq = (back ? 2001 : 1001) + STEPS * STEP_LEN, ack = back ? 1001 : 2001;

	for (int i = 0; i < STEPS; i++) {
		bool data = i < STEPS - 2;

		ack += STEP_LEN;
		build_tcp(port, back, i == STEPS - 2 ? F_FIN | F_ACK : F_ACK, seq, ack, data ? STEP_LEN : 0, &s->step[i]);
		seq += data ? STEP_LEN : 1;
	}
	build_tcp(port, back, F_ACK, back ? 2001 : 1001, back ? 1001 : 2001, STEPS * STEP_LEN, &s->data);
}

static void closing_races(void)
{
	unsigned lost = 0, unfinished = 0, refused = 0;

	for (unsigned n = 0; n < RACES; n++) {
		unsigned port = 41000 + n % 10000;
		const uint64_t *head;
		atomic_int gate = 0;
		struct side s[2];
		uint64_t last;

		simulation->jiffies += 100 * SIMULATED_HZ; /* the one before is past its time */
		head = shake_hands(port);
		for (int i = 0; i < 2; i++) {
			s[i] = (struct side){.cpu = i, .head = head, .gate = &gate};
			build_steps(port, i, &s[i]);
			sent += passes(&s[i].data, 1);
		}
		if (!head) {
			unfinished++;
			continue;
		}
		on_two_cpus(race, &s[0], &s[1]);
		last = load_head(head);
		lost += s[0].lost + s[1].lost;
		unfinished += (last & FIN_BITS) != FIN_BITS || (last >> 8 & 15) != ZW_FLOW_TCP_CLOSING;
		refused += 2 * STEPS - s[0].count - s[1].count;
		sent += s[0].count + s[1].count;
	}
	ok(!refused, "%d connections whose sides close at once: each packet passes (%u did not)", RACES, refused);
	ok(!lost, "no mark of a flow is ever taken back (%u)", lost);
	ok(!unfinished, "all are closing in the end (%u are not)", unfinished);
	ok(rule_packets() == sent, "their rule counts each packet: %llu of %llu", (unsigned long long)rule_packets(),
	   (unsigned long long)sent);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 10000000;

	if (geteuid() != 0)
		skip_all("loading the programs needs root");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip_all("there is one CPU only");
	if (!open_scene() || !load()) {
		ok(false, "the policy loads");
		return done();
	}
	hints_follow();
	the_oldest_gives_way();
	both_directions(count);
	closing_races();
	for (int family = 4; family <= 6; family += 2) {
		mixed_flows(family);
		replaced_flows(family, count);
	}
	zonewall_bpf__destroy(skel);
	scene_close(&scene);
	return done();
}
