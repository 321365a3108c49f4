/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage parse for programs of the bench, as the entry points do it: everything but the context lies in memory of
 * the CPU.
 */
#ifndef ZW_BENCH_PARSE_H
#define ZW_BENCH_PARSE_H

#include "maps.h"
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet);
} parsed_packets SEC(".maps");

/* NULL: stage parse or one before it has decided, or wants more of the frame than a plain packet needs. */
static __always_inline struct packet *parse_packet(struct xdp_md *ctx)
{
	struct packet *p = cpu_value(&parsed_packets);
	struct cursor c;

	if (!p)
		return NULL;
	clear_packet(p);
	c.start = (const __u8 *)(long)ctx->data;
	c.pos = c.start;
	c.end = (const __u8 *)(long)ctx->data_end;
	p->frame_len = c.end - c.pos;
	p->l3_offset = 0;
	p->fragment = FRAGMENT_NONE;
	p->tags = 0;
	p->vlan = 0;
	p->now = bpf_jiffies64();
	p->ingress = 1;
	return parse_direct(p, &c, false) ? NULL : p;
}

#endif
