// SPDX-License-Identifier: GPL-2.0-only
/*
 * What finding a packet's flow costs: our table and the kernel's LRU hash, behind the same parser, and the floor. Each
 * program under test is tail-called by a generator, which makes the test run's packet one of the flow `next` says.
 */
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include "flow.h"
#include "flow_lru.h"

char LICENSE[] SEC("license") = "GPL";

struct plan plan;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

static __always_inline __u32 next_flow(void)
{
	__u64 x = plan.seed;

	if (plan.counted)
		return plan.base + (plan.count++ & plan.mask);
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	plan.seed = x;
	return plan.base + (x >> 20 & plan.mask);
}

SEC("generation/xdp")
int generate4(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	struct udphdr *udp = (void *)(ip + 1);
	__u32 flow;

	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	flow = next_flow();
	ip->saddr = bpf_htonl(0x0a000000 + flow);
	udp->source = bpf_htons(20000 + (flow & 0x3fff));
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}

SEC("generation/xdp")
int generate6(struct xdp_md *ctx)
{
	struct ipv6hdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	struct udphdr *udp = (void *)(ip + 1);
	__u32 flow;

	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	flow = next_flow();
	ip->saddr.in6_u.u6_addr32[3] = bpf_htonl(flow);
	udp->source = bpf_htons(20000 + (flow & 0x3fff));
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}

SEC("generation/xdp")
int floor_drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

/* As the entry points have it: everything but the context lies in memory of the CPU. */
struct job {
	struct packet packet;
	struct lookup lookup;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct job);
} jobs SEC(".maps");

/* The parsed packet, or NULL. */
static __always_inline struct job *start(struct xdp_md *ctx)
{
	const __u32 zero = 0;
	struct job *job = bpf_map_lookup_elem(&jobs, &zero);
	struct packet *p;
	struct cursor c;

	if (!job)
		return NULL;
	p = &job->packet;
	__builtin_memset(p, 0, sizeof(*p));
	c.start = (const __u8 *)(long)ctx->data;
	c.pos = c.start;
	c.end = (const __u8 *)(long)ctx->data_end;
	p->frame_len = c.end - c.pos;
	p->now = bpf_jiffies64();
	p->ingress = 1;
	return parse_direct(p, &c, false) ? NULL : job;
}

SEC("generation/xdp")
int parse_only(struct xdp_md *ctx)
{
	return start(ctx) ? XDP_DROP : XDP_ABORTED;
}

static __always_inline int ours(struct xdp_md *ctx, const bool v6)
{
	struct job *job = start(ctx);
	struct flow f;

	if (!job)
		return XDP_ABORTED;
	if (!find_in_table(&job->packet.ends, job->packet.now, &job->lookup, &f, v6, false))
		return XDP_DROP;
	if (flow_age(f.aux_word, job->packet.now) >= FLOW_REFRESH)
		exchange_word(&f.slot->aux, f.aux_word, (f.aux_word & FLOW_VERSION) | (job->packet.now & FLOW_BITS48));
	job->packet.packets = 1;
	job->packet.bytes = job->packet.ip_len;
	job->packet.counted = true;
	flow_count(&f, &job->lookup, &job->packet, is_from_opener(&f, &job->lookup.key));
	plan.found++;
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
	struct job *job = start(ctx);
	struct flow f;

	if (!job || find_in_table(&job->packet.ends, job->packet.now, &job->lookup, &f, v6, false))
		return XDP_ABORTED;
	job->lookup.opening = (struct opening){
		.now = job->packet.now,
		.generation = 1,
		.cell = ZW_CELL_ALLOW,
		.state = ZW_FLOW_UDP_CONFIRMED,
		.port = job->packet.ends.port,
	};
	return zw_flow_open(&job->lookup, v6 ? 6 : 4) ? XDP_PASS : XDP_DROP;
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

/* The peer: the five-tuple in canonical order, and what a slot and its account hold, in one LRU hash a family. */
struct key4 {
	__u32 address[2];
	__be16 port[2];
	__u32 protocol;
};

struct key6 {
	__u32 address[2][4];
	__be16 port[2];
	__u32 protocol;
};

struct value {
	__u64 last; /* jiffies */
	__u64 generation, cell;
	__u64 packets[2], bytes[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct key4);
	__type(value, struct value);
	__uint(max_entries, 1);
} lru_flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct key6);
	__type(value, struct value);
	__uint(max_entries, 1);
} lru_flows6 SEC(".maps");

static __always_inline void make_key4(struct key4 *k, const struct ends *e)
{
	bool second = e->source[0] > e->destination[0] ||
		      (e->source[0] == e->destination[0] && e->sport > e->dport);

	k->address[0] = second ? e->destination[0] : e->source[0];
	k->address[1] = second ? e->source[0] : e->destination[0];
	k->port[0] = second ? e->dport : e->sport;
	k->port[1] = second ? e->sport : e->dport;
	k->protocol = e->protocol;
}

static __always_inline void make_key6(struct key6 *k, const struct ends *e)
{
	bool second = false, differ = false;

	for (int i = 0; i < 4; i++) {
		if (differ || e->source[i] == e->destination[i])
			continue;
		differ = true;
		second = e->source[i] > e->destination[i];
	}
	if (!differ)
		second = e->sport > e->dport;
	for (int i = 0; i < 4; i++) {
		k->address[0][i] = second ? e->destination[i] : e->source[i];
		k->address[1][i] = second ? e->source[i] : e->destination[i];
	}
	k->port[0] = second ? e->dport : e->sport;
	k->port[1] = second ? e->sport : e->dport;
	k->protocol = e->protocol;
}

static __always_inline int lru_found(struct value *v, const struct job *job)
{
	if (!v)
		return XDP_DROP;
	if (job->packet.now - v->last >= FLOW_REFRESH)
		v->last = job->packet.now;
	v->packets[0]++;
	v->bytes[0] += job->packet.ip_len;
	plan.found++;
	return XDP_PASS;
}

SEC("generation/xdp")
int lru4(struct xdp_md *ctx)
{
	struct job *job = start(ctx);
	struct key4 key;

	if (!job)
		return XDP_ABORTED;
	make_key4(&key, &job->packet.ends);
	return lru_found(bpf_map_lookup_elem(&lru_flows4, &key), job);
}

SEC("generation/xdp")
int lru6(struct xdp_md *ctx)
{
	struct job *job = start(ctx);
	struct key6 key;

	if (!job)
		return XDP_ABORTED;
	make_key6(&key, &job->packet.ends);
	return lru_found(bpf_map_lookup_elem(&lru_flows6, &key), job);
}

SEC("generation/xdp")
int open_lru4(struct xdp_md *ctx)
{
	struct job *job = start(ctx);
	struct value value = { 0 };
	struct key4 key;

	if (!job)
		return XDP_ABORTED;
	make_key4(&key, &job->packet.ends);
	value.last = job->packet.now;
	return bpf_map_update_elem(&lru_flows4, &key, &value, BPF_ANY) ? XDP_DROP : XDP_PASS;
}

SEC("generation/xdp")
int open_lru6(struct xdp_md *ctx)
{
	struct job *job = start(ctx);
	struct value value = { 0 };
	struct key6 key;

	if (!job)
		return XDP_ABORTED;
	make_key6(&key, &job->packet.ends);
	value.last = job->packet.now;
	return bpf_map_update_elem(&lru_flows6, &key, &value, BPF_ANY) ? XDP_DROP : XDP_PASS;
}
