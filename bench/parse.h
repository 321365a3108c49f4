/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage parse for programs of the bench, as the entry points do it: everything but the context lies in memory of
 * the CPU.
 */
#ifndef ZW_BENCH_PARSE_H
#define ZW_BENCH_PARSE_H

#include "maps.h"
#include "packet.h"

#define PARSE_CPUS 256 /* a power of two */

static struct parsed {
	struct packet packet;
} __attribute__((aligned(128))) parsed[PARSE_CPUS];

/* NULL: stage parse or one before it has decided, or wants more of the frame than a plain packet needs. */
static __always_inline struct packet *parse_packet(struct xdp_md *ctx)
{
	const __u64 now = bpf_jiffies64();
	const __u32 cpu = bpf_get_smp_processor_id();
	struct packet *p = &parsed[cpu & (PARSE_CPUS - 1)].packet;
	struct cursor c;

	barrier_var(p); /* else clang would rather work it out again for each field */
	clear_packet(p);
	c.start = (const __u8 *)(long)ctx->data;
	c.pos = c.start;
	c.end = (const __u8 *)(long)ctx->data_end;
	p->frame_len = c.end - c.pos;
	p->l3_offset = 0;
	p->fragment = FRAGMENT_NONE;
	p->tags = 0;
	p->vlan = 0;
	p->now = now;
	p->ingress = 1;
	return parse_direct(p, &c, false) ? NULL : p;
}

#endif
