// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same pipeline as most eBPF firewalls are built: parse, flow, zones of both ends, rule, count, and a flow if
 * the rule allows. Flows are in an LRU hash, rules in a hash, zones in hashes of addresses (hash4, hash6) or in LPM
 * tries (trie4, trie6). It is cheaper than such firewalls are: it parses as ours does, reads no clock, tells
 * nothing, has one rule a look-up (no lists, no any, no ranges of ports), and the open port is a constant.
 */
#include "hash_flows.h"
#include "pipeline.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u16 open_port;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} zones4 SEC(".maps");

struct address6 {
	__u32 word[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct address6);
	__type(value, __u32);
	__uint(max_entries, 1);
} zones6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct trie_key4);
	__type(value, __u32);
	__uint(max_entries, 1);
} tries4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct trie_key6);
	__type(value, __u32);
	__uint(max_entries, 1);
} tries6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct rule_key);
	__type(value, struct rule_value);
	__uint(max_entries, 1);
} rules SEC(".maps");

struct count {
	__u64 packets, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PIPELINE_RULES);
	__type(key, __u32);
	__type(value, struct count);
} counts SEC(".maps");

__u64 allowed; /* told to the bench: packets of flows, and new ones */

static __always_inline __u32 zone_in_hash(const __u32 *address, const bool v6)
{
	__u32 *zone;

	if (v6)
		zone = bpf_map_lookup_elem(&zones6, address);
	else
		zone = bpf_map_lookup_elem(&zones4, address);
	return zone ? *zone : 0;
}

static __always_inline __u32 zone_in_trie(const __u32 *address, const bool v6)
{
	struct trie_key4 key4;
	struct trie_key6 key6;
	__u32 *zone;

	if (v6) {
		key6.length = 128;
		__builtin_memcpy(key6.address, address, 16);
		zone = bpf_map_lookup_elem(&tries6, &key6);
	} else {
		key4.length = 32;
		key4.address = address[0];
		zone = bpf_map_lookup_elem(&tries4, &key4);
	}
	return zone ? *zone : 0;
}

static __always_inline void count(__u32 rule, const struct packet *p)
{
	__u32 index = rule & (PIPELINE_RULES - 1);
	struct count *c = bpf_map_lookup_elem(&counts, &index);

	if (!c)
		return;
	c->packets++;
	c->bytes += p->ip_len;
}

static __always_inline bool policy_allows(const struct packet *p, const bool v6, const bool tries)
{
	struct rule_key key = {
		.from = tries ? zone_in_trie(p->ends.source, v6) : zone_in_hash(p->ends.source, v6),
		.to = tries ? zone_in_trie(p->ends.destination, v6) : zone_in_hash(p->ends.destination, v6),
		.port = p->ends.dport,
		.protocol = p->ends.protocol,
	};
	struct rule_value *found = bpf_map_lookup_elem(&rules, &key);

	count(found ? found->rule : 0, p);
	return found ? found->allow : p->ends.dport == bpf_htons(open_port);
}

static __always_inline int pipeline(struct xdp_md *ctx, const bool v6, const bool tries)
{
	struct packet *p = parse_packet(ctx);
	struct hash_flow *flow;

	if (!p)
		return XDP_ABORTED;
	flow = find_hash_flow(&p->ends, v6);
	if (flow) {
		pass_hash_flow(flow, p);
		allowed++;
		return XDP_PASS;
	}
	if (!policy_allows(p, v6, tries))
		return XDP_DROP;
	open_hash_flow(p, v6);
	allowed++;
	return XDP_PASS;
}

SEC("xdp.frags")
int hash4(struct xdp_md *ctx)
{
	return pipeline(ctx, false, false);
}

SEC("xdp.frags")
int hash6(struct xdp_md *ctx)
{
	return pipeline(ctx, true, false);
}

SEC("xdp.frags")
int trie4(struct xdp_md *ctx)
{
	return pipeline(ctx, false, true);
}

SEC("xdp.frags")
int trie6(struct xdp_md *ctx)
{
	return pipeline(ctx, true, true);
}
