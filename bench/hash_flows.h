/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flows in the kernel's LRU hash, as most eBPF firewalls keep them: the five-tuple in canonical order, and what a
 * slot of our table and its account hold.
 */
#ifndef ZW_HASH_FLOWS_H
#define ZW_HASH_FLOWS_H

#include "flow_table.h"
#include "parse.h"

struct hash_key4 {
	__u32 address[2];
	__be16 port[2];
	__u32 protocol;
};

struct hash_key6 {
	__u32 address[2][4];
	__be16 port[2];
	__u32 protocol;
};

struct hash_flow {
	__u64 last; /* jiffies */
	__u64 generation, cell;
	__u64 packets[2], bytes[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct hash_key4);
	__type(value, struct hash_flow);
	__uint(max_entries, 1);
} hash_flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct hash_key6);
	__type(value, struct hash_flow);
	__uint(max_entries, 1);
} hash_flows6 SEC(".maps");

static __always_inline void make_hash_key4(struct hash_key4 *k, const struct ends *e)
{
	bool second =
		e->source[0] > e->destination[0] || (e->source[0] == e->destination[0] && e->sport > e->dport);

	k->address[0] = second ? e->destination[0] : e->source[0];
	k->address[1] = second ? e->source[0] : e->destination[0];
	k->port[0] = second ? e->dport : e->sport;
	k->port[1] = second ? e->sport : e->dport;
	k->protocol = e->protocol;
}

static __always_inline void make_hash_key6(struct hash_key6 *k, const struct ends *e)
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

static __always_inline struct hash_flow *find_hash_flow(const struct ends *e, const bool v6)
{
	struct hash_key4 key4;
	struct hash_key6 key6;

	if (v6) {
		make_hash_key6(&key6, e);
		return bpf_map_lookup_elem(&hash_flows6, &key6);
	}
	make_hash_key4(&key4, e);
	return bpf_map_lookup_elem(&hash_flows4, &key4);
}

/* Returns whether there was room. */
static __always_inline bool open_hash_flow(const struct packet *p, const bool v6)
{
	struct hash_flow flow = { .last = p->now };
	struct hash_key4 key4;
	struct hash_key6 key6;

	if (v6) {
		make_hash_key6(&key6, &p->ends);
		return !bpf_map_update_elem(&hash_flows6, &key6, &flow, BPF_ANY);
	}
	make_hash_key4(&key4, &p->ends);
	return !bpf_map_update_elem(&hash_flows4, &key4, &flow, BPF_ANY);
}

/* The packet belongs to it: refresh and account. */
static __always_inline void pass_hash_flow(struct hash_flow *flow, const struct packet *p)
{
	if (p->now - flow->last >= FLOW_REFRESH)
		flow->last = p->now;
	flow->packets[0]++;
	flow->bytes[0] += p->ip_len;
}

#endif
