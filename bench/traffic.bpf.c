// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the test run's packet one of the flow that it is this one's turn, and tail-calls the program under test: the
 * gate that is attached to interfaces, or a peer. What that costs is in the floor, too.
 */
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include "maps.h"
#include "packet.h"
#include "plan.h"

char LICENSE[] SEC("license") = "GPL";

struct traffic traffic;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

static __always_inline __u32 next_flow(void)
{
	__u64 x = traffic.seed;

	if (traffic.counted)
		return traffic.base + (traffic.count++ & traffic.mask);
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	traffic.seed = x;
	return traffic.base + (x >> 20 & traffic.mask);
}

static __always_inline void set_tcp(struct tcphdr *tcp, __u32 flow)
{
	__be16 client = bpf_htons(plan_sport(flow)), server = bpf_htons(traffic.port + (flow >> 3 & traffic.ports));

	tcp->source = traffic.reply ? server : client;
	tcp->dest = traffic.reply ? client : server;
	((__u8 *)tcp)[13] = traffic.tcp_flags;
}

SEC("xdp.frags")
int traffic4(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	struct tcphdr *tcp = (void *)(ip + 1);
	__u32 flow, client, server;

	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	flow = next_flow();
	client = bpf_htonl(plan_address4(traffic.shape, plan_source(flow, traffic.prefixes)));
	server = bpf_htonl(plan_address4(traffic.shape, plan_destination(flow, traffic.prefixes)));
	ip->saddr = traffic.reply ? server : client;
	ip->daddr = traffic.reply ? client : server;
	set_tcp(tcp, flow);
	bpf_tail_call_static(ctx, &next, 0);
	return XDP_ABORTED;
}

static __always_inline void set_address6(struct in6_addr *at, __u32 prefix)
{
	__u32 word[4];

	plan_address6(traffic.shape, prefix, word);
	for (int i = 0; i < 4; i++)
		at->in6_u.u6_addr32[i] = bpf_htonl(word[i]);
}

SEC("xdp.frags")
int traffic6(struct xdp_md *ctx)
{
	struct ipv6hdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	struct tcphdr *tcp = (void *)(ip + 1);
	__u32 flow, source, destination;

	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	flow = next_flow();
	source = plan_source(flow, traffic.prefixes);
	destination = plan_destination(flow, traffic.prefixes);
	set_address6(&ip->saddr, traffic.reply ? destination : source);
	set_address6(&ip->daddr, traffic.reply ? source : destination);
	set_tcp(tcp, flow);
	bpf_tail_call_static(ctx, &next, 0);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int floor_drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

/* Stage parse alone, as the entry points do it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet);
} packets SEC(".maps");

SEC("xdp.frags")
int parse_only(struct xdp_md *ctx)
{
	const __u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&packets, &zero);
	struct cursor c;

	if (!p)
		return XDP_ABORTED;
	__builtin_memset(p, 0, sizeof(*p));
	c.start = (const __u8 *)(long)ctx->data;
	c.pos = c.start;
	c.end = (const __u8 *)(long)ctx->data_end;
	p->frame_len = c.end - c.pos;
	p->now = bpf_jiffies64();
	p->ingress = 1;
	return parse_direct(p, &c, false) ? XDP_ABORTED : XDP_DROP;
}
