// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the test run's packet one of the flow that it is this one's turn, and tail-calls the program under test: the
 * gate that is attached to interfaces, or a peer. What that costs is in the floor, too.
 */
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include "parse.h"
#include "plan.h"

char LICENSE[] SEC("license") = "GPL";

#define FLAGS_SYN 0x02
#define FLAGS_SYN_FIN 0x03
#define FLAGS_ACK 0x10
#define FRAGMENT_HEADER 44
#define SOME_ETHERTYPE 0x88b5 /* IEEE 802 local experimental */

struct traffic traffic;
__u32 listed[2 * PLAN_LISTED]; /* numbers of prefixes: source, destination of each flow */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

struct turn {
	__u32 flow, source, destination; /* numbers */
	__u32 kind; /* enum mixed_kind */
	__u16 port;
	__u8 flags;
};

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

static __always_inline void set_kind(struct turn *t)
{
	t->kind = plan_mix(t->flow) & (MIXED_KINDS - 1);
	if (t->kind == MIXED_FLAGS)
		t->flags = FLAGS_SYN_FIN;
	else if (t->kind == MIXED_FLOW)
		t->flags = FLAGS_ACK;
	if (t->kind == MIXED_SPOOFED)
		t->source = traffic.host;
	if (t->kind == MIXED_FLOW || t->kind == MIXED_NEW)
		t->port = traffic.open_port;
}

static __always_inline void take_turn(struct turn *t)
{
	t->kind = 0; /* of packets that are not mixed */
	t->flow = next_flow();
	if (traffic.listed) {
		t->source = listed[2 * (t->flow & (PLAN_LISTED - 1))];
		t->destination = listed[2 * (t->flow & (PLAN_LISTED - 1)) + 1];
	} else {
		t->source = plan_source(t->flow, traffic.prefixes);
		t->destination = plan_destination(t->flow, traffic.prefixes);
	}
	t->port = traffic.port + (t->flow >> 3 & traffic.ports);
	t->flags = traffic.tcp_flags;
	if (traffic.mixed)
		set_kind(t);
}

static __always_inline void set_tcp(struct tcphdr *tcp, const struct turn *t)
{
	__be16 client = bpf_htons(plan_sport(t->flow)), server = bpf_htons(t->port);

	tcp->source = traffic.reply ? server : client;
	tcp->dest = traffic.reply ? client : server;
	/* Both sides begin at 0 and send nothing: each packet but a SYN stands at 1, and acknowledges the other's SYN. */
	tcp->seq = bpf_htonl(!(t->flags & FLAGS_SYN));
	tcp->ack_seq = bpf_htonl(!!(t->flags & FLAGS_ACK));
	((__u8 *)tcp)[13] = t->flags;
}

static __always_inline void bend4(struct ethhdr *ethernet, struct iphdr *ip, __u32 kind)
{
	ethernet->h_proto = bpf_htons(kind == MIXED_ETHERTYPE ? SOME_ETHERTYPE : ETH_P_IP);
	*(__u8 *)ip = kind == MIXED_MALFORMED ? 0x44 : 0x45;
	ip->frag_off = kind == MIXED_FRAGMENT ? bpf_htons(100) : 0;
}

SEC("xdp.frags")
int traffic4(struct xdp_md *ctx)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	__u32 client, server;
	struct turn t;

	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	take_turn(&t);
	client = bpf_htonl(plan_address4(traffic.shape, t.source));
	server = bpf_htonl(plan_address4(traffic.shape, t.destination));
	ip->saddr = traffic.reply ? server : client;
	ip->daddr = traffic.reply ? client : server;
	set_tcp(tcp, &t);
	if (traffic.mixed)
		bend4(ethernet, ip, t.kind);
	bpf_tail_call_static(ctx, &next, 0);
	return XDP_ABORTED;
}

/*
 * By halves, as stage parse reads them: a load that needs two stores waits until both have left the processor's store buffer,
 * which a network card's frames never were in.
 */
static __always_inline void set_address6(struct in6_addr *at, __u32 prefix)
{
	address_half *half = (address_half *)at;
	__u32 word[4];

	plan_address6(traffic.shape, prefix, word);
	for (int i = 0; i < 2; i++)
		half[i] = bpf_cpu_to_be64((__u64)word[2 * i] << 32 | word[2 * i + 1]);
}

/* A fragment header stands where the TCP header begins. */
static __always_inline void bend6(struct ethhdr *ethernet, struct ipv6hdr *ip, __u32 kind)
{
	__u8 *after = (__u8 *)(ip + 1);

	ethernet->h_proto = bpf_htons(kind == MIXED_ETHERTYPE ? SOME_ETHERTYPE : ETH_P_IPV6);
	*(__u8 *)ip = kind == MIXED_MALFORMED ? 0x50 : 0x60;
	ip->nexthdr = kind == MIXED_FRAGMENT ? FRAGMENT_HEADER : PROTO_TCP;
	if (kind != MIXED_FRAGMENT)
		return;
	after[0] = PROTO_TCP;
	after[1] = 0;
	*(__be16 *)(after + 2) = bpf_htons(100 << 3);
}

SEC("xdp.frags")
int traffic6(struct xdp_md *ctx)
{
	struct ethhdr *ethernet = (void *)(long)ctx->data;
	struct ipv6hdr *ip = (void *)(ethernet + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct turn t;

	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	take_turn(&t);
	set_address6(&ip->saddr, traffic.reply ? t.destination : t.source);
	set_address6(&ip->daddr, traffic.reply ? t.source : t.destination);
	set_tcp(tcp, &t);
	if (traffic.mixed)
		bend6(ethernet, ip, t.kind);
	bpf_tail_call_static(ctx, &next, 0);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int floor_drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

/* Stage parse alone. */
SEC("xdp.frags")
int parse_only(struct xdp_md *ctx)
{
	return parse_packet(ctx) ? XDP_DROP : XDP_ABORTED;
}
