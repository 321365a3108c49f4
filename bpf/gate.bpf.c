// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate.bpf.c - the permanent entry programs: one on every attach point of its kind, loaded once and never changed.
 *
 * A gate reads one line, struct zw_gate, and tail-calls slot 0 or slot 1: the current generation or the other.
 * So one store to `active` switches every hook of every interface in the same instant, and a packet is decided
 * by exactly one generation. The line also carries the dead man of `apply --confirm`: the first packet past the
 * deadline turns PENDING into REVERTED, unless user space turned it into CONFIRMED before; both compare and
 * exchange, so there is one winner and all hooks follow it.
 *
 * The two calls stand in two branches with constant indices, because the JIT makes direct jumps of those; a variable
 * index would cost an indirect jump. PROG_ARRAYs are emptied when user space lets go of them, so they must be pinned;
 * a call that finds an empty slot returns here, and the packet is dropped and counted.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "zonewall.h"

char LICENSE[] SEC("license") = "GPL";

struct zw_slots {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
};

struct zw_slots zw_slot_xdp SEC(".maps");
struct zw_slots zw_slot_ingress SEC(".maps");
struct zw_slots zw_slot_egress SEC(".maps");

volatile struct zw_gate zw_gate __attribute__((aligned(64)));

/* Is slot 1 the one that decides now? Read once for each packet: what it says then holds for the whole packet. */
static __always_inline bool second_slot(void)
{
	__u32 slot = zw_gate.active;
	__u64 deadline = zw_gate.deadline;

	if (deadline && (__s64)(bpf_jiffies64() - deadline) >= 0) {
		if (zw_gate.state == ZW_GATE_PENDING)
			__sync_val_compare_and_swap(&zw_gate.state, ZW_GATE_PENDING, ZW_GATE_REVERTED);
		if (zw_gate.state == ZW_GATE_REVERTED)
			slot ^= 1;
	}
	return slot & 1;
}

static __always_inline void missed(void)
{
	__sync_fetch_and_add(&zw_gate.missed, 1);
}

SEC("xdp.frags")
int zw_gate_xdp(struct xdp_md *ctx)
{
	if (second_slot())
		bpf_tail_call_static(ctx, &zw_slot_xdp, 1);
	else
		bpf_tail_call_static(ctx, &zw_slot_xdp, 0);
	missed();
	return XDP_DROP;
}

SEC("tc")
int zw_gate_ingress(struct __sk_buff *ctx)
{
	if (second_slot())
		bpf_tail_call_static(ctx, &zw_slot_ingress, 1);
	else
		bpf_tail_call_static(ctx, &zw_slot_ingress, 0);
	missed();
	return TC_ACT_SHOT;
}

SEC("tc")
int zw_gate_egress(struct __sk_buff *ctx)
{
	if (second_slot())
		bpf_tail_call_static(ctx, &zw_slot_egress, 1);
	else
		bpf_tail_call_static(ctx, &zw_slot_egress, 0);
	missed();
	return TC_ACT_SHOT;
}

/* What the slots hold before the first generation. */
SEC("xdp.frags")
int zw_pass_xdp(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("tc")
int zw_pass_tc(struct __sk_buff *ctx)
{
	return TC_ACT_UNSPEC;
}
