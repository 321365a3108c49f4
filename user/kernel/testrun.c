// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/testrun.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "compile/timeouts.h"
#include "kernel/blocks.h"
#include "kernel/edge.h"
#include "kernel/flows.h"
#include "kernel/load.h"
#include "kernel/pins.h"
#include "zonewall.skel.h"

#define FORGET_SECONDS 700 /* longer than any flow lives that only one packet has seen (design section 5) */
#define FORGET_PACKETS 1000000 /* fewer than make the clock of ticks wrap in such steps */
#define LONGEST_PACKET 65535
#define FLOWS 1048576 /* "one table large enough never to replace" */

struct testrun {
	struct zonewall_bpf *skel;
	struct zw_simulation *simulation; /* the map's value */
	struct zw_blocks *blocks; /* the same; NULL: nobody asked for it */
	bool stateful;
	uint64_t packets;
	unsigned cpus;
	struct zw_layout layout;
	int program[ZW_HOOKS];
};

static int map_simulation(struct testrun *run)
{
	long page = sysconf(_SC_PAGESIZE);
	void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED,
			    bpf_map__fd(run->skel->maps.zw_simulation), 0);

	if (memory == MAP_FAILED)
		return edge_error(errno, "cannot map the simulation's clock");
	run->simulation = memory;
	return 0;
}

static struct bpf_program *program_of(const struct zonewall_bpf *skel, enum zw_hook hook)
{
	struct bpf_program *const programs[ZW_HOOKS] = { skel->progs.zw_xdp, skel->progs.zw_ingress, skel->progs.zw_egress };

	return programs[hook];
}

/* Between opening and loading: what is not needed is not verified, which takes most of the time; and time is given. */
static int prepare(struct testrun *run, const struct testrun_options *options)
{
	for (int hook = 0; hook < ZW_HOOKS; hook++)
		if (options->hooks && !(options->hooks >> hook & 1) &&
		    bpf_program__set_autoload(program_of(run->skel, hook), false))
			return edge_error(errno, "cannot leave out a program");
	timeouts_set((struct zw_timeouts *)&run->skel->rodata->zw_timeouts, SIMULATED_HZ);
	run->skel->rodata->zw_limit_tick_ns = limit_tick_ns(SIMULATED_HZ);
	if (!options->stateful)
		run->skel->rodata->zw_layout.limit_count = 0; /* no bucket is empty */
	return 0;
}

int testrun_new(const struct tables *tables, const struct testrun_options *options, struct testrun **ret_run)
{
	const struct load_options load = {
		.generation = 1,
		/* Without state one bucket of each, quickly forgotten. */
		.flows = options->stateful ? FLOWS : 1,
		.fragment_buckets = options->stateful ? 0 : 1,
		.simulate = true,
	};
	struct testrun *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return -ENOMEM;
	run->stateful = options->stateful;
	run->cpus = load_cpus();
	run->layout = tables->layout;
	r = load_open(tables, &load, &run->skel);
	if (!r)
		r = prepare(run, options);
	if (!r)
		r = load_finish(run->skel, tables);
	if (!r)
		r = map_simulation(run);
	if (r) {
		testrun_free(run);
		return r;
	}
	for (int hook = 0; hook < ZW_HOOKS; hook++)
		run->program[hook] = bpf_program__fd(program_of(run->skel, hook));
	*ret_run = run;
	return 0;
}

void testrun_free(struct testrun *run)
{
	if (!run)
		return;
	if (run->simulation)
		munmap(run->simulation, sysconf(_SC_PAGESIZE));
	blocks_close(run->blocks);
	zonewall_bpf__destroy(run->skel);
	free(run);
}

struct zw_blocks *testrun_blocks(struct testrun *run)
{
	void *memory;

	if (run->blocks)
		return run->blocks;
	memory = mmap(NULL, pins_mapped_len(sizeof(*run->blocks)), PROT_READ | PROT_WRITE, MAP_SHARED,
		      bpf_map__fd(run->skel->maps.zw_blocks), 0);
	if (memory == MAP_FAILED)
		return NULL;
	run->blocks = memory;
	return run->blocks;
}

static int forget_flows(struct testrun *run)
{
	const struct bpf_map *const maps[] = { run->skel->maps.zw_flows4, run->skel->maps.zw_flows6 };
	int error = 0;

	for (int i = 0; i < 2 && !error; i++) {
		struct zw_flow_layout layout = load_flow_layout(run->skel, i ? 6 : 4);

		error = flows_clear(bpf_map__fd(maps[i]), &layout);
	}
	return error;
}

/*
 * The programs' clock. Without flows each packet is a first one: it comes so long after the one before that what that
 * one left is past its time, which costs nothing; clearing the tables for each would cost more than the packet.
 */
static int set_clock(struct testrun *run, double time)
{
	struct zw_simulation *s = run->simulation;

	s->seconds = time;
	if (run->stateful) {
		s->jiffies = simulated_jiffies(time);
		return 0;
	}
	s->jiffies = ++run->packets * FORGET_SECONDS * SIMULATED_HZ;
	return run->packets % FORGET_PACKETS ? 0 : forget_flows(run);
}

static void tell_place(struct testrun *run, const struct frame *frame)
{
	struct zw_simulation *s = run->simulation;

	s->slot = 0;
	s->flags = 0;
	memcpy(s->mac, frame->mac, sizeof(s->mac));
	s->source_set = frame->source_set;
	s->reason = ZW_REASON_NONE;
	s->rule = 0;
	s->staged = 0;
	s->atom[0] = s->atom[1] = ZW_NO_ATOM;
}

/* Did the program return what its noted reason means? */
static bool is_consistent(enum zw_hook hook, uint32_t reason, uint32_t returned)
{
	uint32_t pass = hook == ZW_HOOK_XDP ? XDP_PASS : (uint32_t)TC_ACT_UNSPEC;
	uint32_t drop = hook == ZW_HOOK_XDP ? XDP_DROP : TC_ACT_SHOT;

	return reason != ZW_REASON_NONE && returned == (ZW_REASON_IS_DROP(reason) ? drop : pass);
}

int testrun_decide(struct testrun *run, const struct frame *frame, struct decision *ret_decision)
{
	const struct zw_simulation *s = run->simulation;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data, .data_size_in = frame->len, .repeat = 1);
	struct xdp_md xdp = { .data_end = frame->split };
	struct __sk_buff skb = { .gso_size = frame->gso_size, .gso_segs = frame->gso_segs };

	if (run->program[frame->hook] < 0)
		return -ENOENT;
	tell_place(run, frame);
	if (set_clock(run, frame->time))
		return -EIO;
	if (frame->split) {
		options.ctx_in = &xdp;
		options.ctx_size_in = sizeof(xdp);
	} else if (frame->gso_size) {
		options.ctx_in = &skb;
		options.ctx_size_in = sizeof(skb);
	}
	/* ENOMEM is also what XDP's test run says of a frame that needs more fragments than a packet can have. */
	if (bpf_prog_test_run_opts(run->program[frame->hook], &options))
		return errno == ENOMEM && frame->len > LONGEST_PACKET ? -EINVAL : -errno;
	if (!is_consistent(frame->hook, s->reason, options.retval))
		return -EPROTO;
	*ret_decision = (struct decision){
		.allow = !ZW_REASON_IS_DROP(s->reason),
		.reason = s->reason,
		.rule = s->rule,
		.staged = s->staged,
		.atom = { s->atom[0], s->atom[1] },
	};
	return 0;
}

/* A private map's only value, mapped; len is rounded up to pages as the kernel does. */
static void *map_value(const struct bpf_map *map, size_t len)
{
	void *memory = mmap(NULL, len, PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void testrun_count_reason(const struct testrun *run, enum zw_reason reason, struct zw_count *ret_count)
{
	size_t stride = load_counters_stride(), len = run->cpus * stride;
	const uint8_t *base = map_value(run->skel->maps.zw_counters, len);

	*ret_count = (struct zw_count){ 0 };
	for (unsigned cpu = 0; base && cpu < run->cpus; cpu++) {
		const struct zw_point_counters *points = (const void *)(base + cpu * stride);

		ret_count->packets += points[0].reason[reason].packets;
		ret_count->bytes += points[0].reason[reason].bytes;
	}
	if (base)
		munmap((void *)base, len);
}

void testrun_count_rule(const struct testrun *run, uint32_t rule, struct zw_rule_counters *ret_counters)
{
	size_t stride = load_rules_stride(&run->layout), len = run->cpus * stride;
	const uint8_t *base = map_value(run->skel->maps.zw_rules, len);

	*ret_counters = (struct zw_rule_counters){ 0 };
	for (unsigned cpu = 0; base && cpu < run->cpus; cpu++) {
		const struct zw_rule_counters *counters = (const void *)(base + cpu * stride);

		ret_counters->flows += counters[rule].flows;
		ret_counters->packets.packets += counters[rule].packets.packets;
		ret_counters->packets.bytes += counters[rule].packets.bytes;
	}
	if (base)
		munmap((void *)base, len);
}

uint64_t testrun_logged(const struct testrun *run)
{
	size_t stride = load_events_stride(), len = run->cpus * stride;
	const uint8_t *base = map_value(run->skel->maps.zw_events, len);
	uint64_t logged = 0;

	for (unsigned cpu = 0; base && cpu < run->cpus; cpu++)
		logged += ((const struct zw_event_head *)(base + cpu * stride))->logged;
	if (base)
		munmap((void *)base, len);
	return logged;
}
