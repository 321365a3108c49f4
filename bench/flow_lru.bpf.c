// SPDX-License-Identifier: GPL-2.0-only
/*
 * What finding a packet's flow costs: our table and the kernel's LRU hash, behind the same parser. The generator
 * (traffic.bpf.c) tail-calls them.
 */
#include "flow.h"
#include "hash_flows.h"

char LICENSE[] SEC("license") = "GPL";

__u64 found;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lookup);
} lookups SEC(".maps");

static __always_inline struct lookup *own_lookup(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&lookups, &zero);
}

static __always_inline int ours(struct xdp_md *ctx, const bool v6)
{
	struct packet *p = parse_packet(ctx);
	struct lookup *l = own_lookup();
	struct flow f;

	if (!p || !l)
		return XDP_ABORTED;
	if (!find_in_table(&p->ends, p->now, l, &f, v6, false))
		return XDP_DROP;
	if (flow_age(f.aux_word, p->now) >= FLOW_REFRESH)
		exchange_word(&f.slot->aux, f.aux_word, (f.aux_word & FLOW_VERSION) | (p->now & FLOW_BITS48));
	p->packets = 1;
	p->bytes = p->ip_len;
	p->counted = true;
	flow_count(&f, l, p, is_from_opener(&f, &l->key));
	found++;
	return XDP_PASS;
}

SEC("generation/xdp")
int ours4(struct xdp_md *ctx)
{
	return ours(ctx, false);
}

SEC("generation/xdp")
int ours6(struct xdp_md *ctx)
{
	return ours(ctx, true);
}

static __always_inline int open_ours(struct xdp_md *ctx, const bool v6)
{
	struct packet *p = parse_packet(ctx);
	struct lookup *l = own_lookup();
	struct flow f;

	if (!p || !l || find_in_table(&p->ends, p->now, l, &f, v6, false))
		return XDP_ABORTED;
	l->opening = (struct opening){
		.now = p->now,
		.generation = 1,
		.cell = ZW_CELL_ALLOW,
		.state = ZW_FLOW_TCP_ESTABLISHED,
		.port = p->ends.port,
	};
	return flow_open(l, v6 ? 6 : 4) ? XDP_PASS : XDP_DROP;
}

SEC("generation/xdp")
int open_ours4(struct xdp_md *ctx)
{
	return open_ours(ctx, false);
}

SEC("generation/xdp")
int open_ours6(struct xdp_md *ctx)
{
	return open_ours(ctx, true);
}

static __always_inline int lru(struct xdp_md *ctx, const bool v6)
{
	struct packet *p = parse_packet(ctx);
	struct hash_flow *flow;

	if (!p)
		return XDP_ABORTED;
	flow = find_hash_flow(&p->ends, v6);
	if (!flow)
		return XDP_DROP;
	pass_hash_flow(flow, p);
	found++;
	return XDP_PASS;
}

SEC("generation/xdp")
int lru4(struct xdp_md *ctx)
{
	return lru(ctx, false);
}

SEC("generation/xdp")
int lru6(struct xdp_md *ctx)
{
	return lru(ctx, true);
}

static __always_inline int open_lru(struct xdp_md *ctx, const bool v6)
{
	struct packet *p = parse_packet(ctx);

	if (!p)
		return XDP_ABORTED;
	return open_hash_flow(p, v6) ? XDP_PASS : XDP_DROP;
}

SEC("generation/xdp")
int open_lru4(struct xdp_md *ctx)
{
	return open_lru(ctx, false);
}

SEC("generation/xdp")
int open_lru6(struct xdp_md *ctx)
{
	return open_lru(ctx, true);
}
