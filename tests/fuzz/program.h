/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs of bpf/zonewall.bpf.c as functions of this process: the same source, with the helpers that they call and
 * the memory of their maps standing here. So sanitizers and coverage see all of it, the entry points included: how a
 * frame is read that lies in several buffers, the flow tables, counters and events.
 *
 * What a program may read lies in heap memory of exactly that size: the first buffer of a frame, each map's value.
 */
#ifndef ZW_FUZZ_PROGRAM_H
#define ZW_FUZZ_PROGRAM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "compile/timeouts.h"
#include "simulate/decision.h"
#include "zonewall.h"

/* A frame as a hook shows it: what an xdp_md or an __sk_buff tells, and behind it the whole frame. */
struct context {
	unsigned long data, data_end; /* the first buffer, or the linear area */
	uint32_t ingress_ifindex, ifindex;
	uint32_t len; /* of the whole frame */
	uint16_t protocol; /* wire order */
	uint32_t vlan_present, vlan_tci;
	uint32_t pkt_type;
	uint32_t gso_size, gso_segs;
	const uint8_t *frame;
	uint8_t *first; /* owned: what data points at */
};

/* The first n bytes of the frame in a buffer of their own. */
static void context_show(struct context *c, size_t n)
{
	uint8_t *first = malloc(n);

	if (n && !first)
		abort();
	if (n)
		memcpy(first, c->frame, n);
	free(c->first);
	c->first = first;
	c->data = (unsigned long)first;
	c->data_end = c->data + n;
}

static uint64_t program_ticks;
static void *program_map(void *map);

static void *bpf_map_lookup_elem(void *map, const void *key)
{
	(void)key;
	return program_map(map);
}

static uint64_t bpf_jiffies64(void)
{
	return program_ticks;
}

static uint64_t bpf_ktime_get_boot_ns(void)
{
	return program_ticks;
}

static uint64_t bpf_ktime_get_tai_ns(void)
{
	return program_ticks;
}

static uint32_t bpf_get_smp_processor_id(void)
{
	return 0;
}

static uint64_t bpf_skb_cgroup_id(void *context)
{
	(void)context;
	return 1;
}

static uint64_t bpf_xdp_get_buff_len(void *context)
{
	return ((struct context *)context)->len;
}

static long bpf_xdp_load_bytes(void *context, uint32_t offset, void *to, uint32_t len)
{
	const struct context *c = context;

	if (offset > c->len || len > c->len - offset)
		return -EINVAL;
	memcpy(to, c->frame + offset, len);
	return 0;
}

static long bpf_skb_load_bytes(void *context, uint32_t offset, void *to, uint32_t len)
{
	return bpf_xdp_load_bytes(context, offset, to, len);
}

/* Every 64th record finds the ring full. */
static void *bpf_ringbuf_reserve(void *ring, uint64_t size, uint64_t flags)
{
	static unsigned n;

	(void)ring, (void)flags;
	return ++n % 64 ? malloc(size) : NULL;
}

static void bpf_ringbuf_submit(void *record, uint64_t flags)
{
	(void)flags;
	free(record);
}

/* In place of <bpf/bpf_helpers.h>. */
#define __BPF_HELPERS__
#define SEC(name) __attribute__((used))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define barrier_var(x) asm volatile("" : "+r"(x))
#define __bpf__ 1
#define xdp_md context
#define __sk_buff context
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-parameter"
#include "bpf/zonewall.bpf.c"
#pragma clang diagnostic pop
#undef __bpf__
#undef xdp_md
#undef __sk_buff

#define PROGRAM_BUCKETS 64 /* flows of one input never fill one */
#define PROGRAM_FRAGMENT_BUCKETS 16
#define PROGRAM_MATCHES 64 /* few, so that inputs make keys take each other's places */

static struct program_memory {
	void *map;
	void *value;
} program_memory[16];

/* A map without memory here would be this file's mistake. */
static void *program_map(void *map)
{
	for (size_t i = 0; i < sizeof(program_memory) / sizeof(program_memory[0]); i++)
		if (program_memory[i].map == map)
			return program_memory[i].value;
	abort();
}

static void add_map(void *map, size_t len)
{
	struct program_memory *m = program_memory;

	while (m->map)
		m++;
	*m = (struct program_memory){ .map = map };
	if (posix_memalign(&m->value, _Alignof(struct job), len))
		abort();
	memset(m->value, 0, len);
}

/* Load-time constants are read-only once a program runs; here, once they are written. */
static void set_constant(const volatile void *constant, const void *value, size_t len)
{
	static uintptr_t first, end; /* what is writable so far: constants lie close together */
	uintptr_t at = (uintptr_t)constant, page = sysconf(_SC_PAGESIZE);

	if (at < first || at + len > end) {
		first = at & ~(page - 1);
		end = (at + len + page - 1) & ~(page - 1);
		if (mprotect((void *)first, end - first, PROT_READ | PROT_WRITE))
			abort();
	}
	barrier_var(at); /* the compiler, too, takes them for constant, and would leave out the write */
	memcpy((void *)at, value, len);
}

static struct zw_flow_layout program_flows(int family)
{
	return zw_flow_layout(family, 1, PROGRAM_BUCKETS, PROGRAM_FRAGMENT_BUCKETS);
}

/* As the loader does it. Tables and the rules' counters are of a policy: set_map() gives them. */
static void program_load(void)
{
	const struct zw_flow_layout flows4 = program_flows(4), flows6 = program_flows(6);
	const uint32_t hz = SIMULATED_HZ, matches = PROGRAM_MATCHES;
	const uint64_t match_bytes = PROGRAM_MATCHES * sizeof(struct zw_match);
	struct zw_timeouts timeouts;

	timeouts_set(&timeouts, SIMULATED_HZ);
	set_constant(&zw_timeouts, &timeouts, sizeof(timeouts));
	set_constant(&zw_hz, &hz, sizeof(hz));
	set_constant(&zw_match_entries, &matches, sizeof(matches));
	set_constant(&zw_match_bytes, &match_bytes, sizeof(match_bytes));
	set_constant(&zw_flow_layout4, &flows4, sizeof(flows4));
	set_constant(&zw_flow_layout6, &flows6, sizeof(flows6));
	add_map(&zw_matches, match_bytes);
	add_map(&zw_points, ZW_POINT_ENTRIES * sizeof(struct zw_point));
	add_map(&zw_counters, ZW_POINT_SLOTS * sizeof(struct zw_point_counters));
	add_map(&zw_events, sizeof(struct events));
	add_map(&zw_clock, sizeof(struct zw_clock));
	add_map(&zw_blocks, sizeof(struct zw_blocks)); /* empty: each input would have to clear it */
	add_map(&zw_limits, sizeof(struct zw_limits));
	add_map(&zw_simulation, sizeof(struct zw_simulation));
	add_map(&zw_jobs, sizeof(struct job));
	add_map(&zw_flows4, flows4.size);
	add_map(&zw_flows6, flows6.size);
	for (uint64_t i = 0; i < ZW_FLOW_SEEDS; i++) {
		((uint64_t *)program_map(&zw_flows4))[i] = (2 * i + 1) * 0x9e3779b97f4a7c15ull;
		((uint64_t *)program_map(&zw_flows6))[i] = (2 * i + 3) * 0x9e3779b97f4a7c15ull;
	}
}

/* The value of a map, borrowed. */
static __attribute__((unused)) void set_map(void *map, void *value)
{
	struct program_memory *m = program_memory;

	while (m->map && m->map != map)
		m++;
	*m = (struct program_memory){ .map = map, .value = value };
}

/* What it remembers of other tables: of each generation there is another cache. */
static __attribute__((unused)) void program_forget_tables(void)
{
	memset(program_map(&zw_matches), 0, PROGRAM_MATCHES * sizeof(struct zw_match));
}

/* What it remembers of flows, fragments, and the packet before. */
static __attribute__((unused)) void program_forget(void)
{
	const struct bpf_maps {
		void *map;
		int family;
	} flows[] = { { &zw_flows4, 4 }, { &zw_flows6, 6 } };

	for (size_t i = 0; i < 2; i++)
		memset((uint8_t *)program_map(flows[i].map) + ZW_FLOW_SEEDS * 8, 0,
		       program_flows(flows[i].family).size - ZW_FLOW_SEEDS * 8);
	memset(program_map(&zw_jobs), 0, sizeof(struct job));
}

#endif
