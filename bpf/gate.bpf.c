// SPDX-License-Identifier: GPL-2.0-only
/*
 * gate.bpf.c - the permanent entry programs: one on every attach point of its kind, loaded once and never changed.
 *
 * A gate reads one word of one line, struct zw_gate, and tail-calls the slot that it names: so one store switches every
 * hook of every interface in the same instant, and a packet is decided by exactly one generation. The line also carries
 * the dead man of `apply --confirm`: the first packet past the deadline changes the word of a trial into that of a trial
 * that went back, unless user space changed it into a confirmed one before; both compare and exchange, so there is one
 * winner and all hooks follow it. Nothing of this needs a process.
 *
 * The calls stand in branches with constant indices, because the JIT makes direct jumps of those; a variable index would
 * cost an indirect jump. PROG_ARRAYs are emptied when user space lets go of them, so they must be pinned; a call that
 * finds an empty slot returns here, and the packet is dropped and counted. So it is in a slot whose generation is retired: to
 * have nothing in it the kernel would wait for a grace period first, for each hook, so it holds a program that does the same.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "zonewall.h"

char LICENSE[] SEC("license") = "GPL";

struct zw_slots {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, ZW_GATE_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
};

struct zw_slots zw_slot_xdp SEC(".maps");
struct zw_slots zw_slot_ingress SEC(".maps");
struct zw_slots zw_slot_egress SEC(".maps");

/* See ZW_GATE_PARTLY. Each attached interface has at most two of ZW_POINT_SLOTS. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ZW_POINT_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} zw_unnamed SEC(".maps");

volatile struct zw_gate zw_gate __attribute__((aligned(64)));

#define PASS ZW_GATE_SLOTS /* in place of a slot: no generation decides here */

/* The word of a trial, as it is for this packet: its time may be over. */
static __always_inline __u64 look_at_clock(__u64 word)
{
	/* In this order: what is kept over a call takes a register, which is saved for each packet. */
	__u64 now = bpf_jiffies64(), deadline = zw_gate.deadline, seen;

	if (!deadline || (__s64)(now - deadline) < 0)
		return word;
	seen = __sync_val_compare_and_swap(&zw_gate.word, word, zw_gate_reverted(word));
	return seen == word ? zw_gate_reverted(word) : seen;
}

static __always_inline bool is_unnamed(__u32 slot, __u32 ifindex)
{
	const __u32 *slots = bpf_map_lookup_elem(&zw_unnamed, &ifindex);

	return slots && (*slots >> slot & 1);
}

static __always_inline __u32 ifindex_of(void *ctx, enum zw_hook hook)
{
	return hook == ZW_HOOK_XDP ? ((struct xdp_md *)ctx)->ingress_ifindex : ((struct __sk_buff *)ctx)->ifindex;
}

/*
 * The slot that decides now, or PASS. The word is read once for each packet: what it says holds for the whole packet. The
 * interface is read only where it matters, since it is two or three lines away from the packet.
 */
static __always_inline __u32 choose_slot(void *ctx, enum zw_hook hook)
{
	__u64 word = zw_gate.word;

	if (!(word & (ZW_GATE_STATE | ZW_GATE_PARTLY)))
		return zw_gate_active(word);
	if (zw_gate_state(word) == ZW_GATE_ON_TRIAL)
		word = look_at_clock(word);
	if ((word & ZW_GATE_PARTLY) && is_unnamed(zw_gate_active(word), ifindex_of(ctx, hook)))
		return PASS;
	return zw_gate_active(word);
}

static __always_inline void count_missed(void)
{
	__sync_fetch_and_add(&zw_gate.missed, 1);
}

static __always_inline void call(void *ctx, const void *slots, __u32 slot)
{
	if (slot == 0)
		bpf_tail_call_static(ctx, slots, 0);
	else if (slot == 1)
		bpf_tail_call_static(ctx, slots, 1);
	else
		bpf_tail_call_static(ctx, slots, 2);
	count_missed();
}

SEC("xdp.frags")
int zw_gate_xdp(struct xdp_md *ctx)
{
	__u32 slot = choose_slot(ctx, ZW_HOOK_XDP);

	if (slot == PASS)
		return XDP_PASS;
	call(ctx, &zw_slot_xdp, slot);
	return XDP_DROP;
}

SEC("tc")
int zw_gate_ingress(struct __sk_buff *ctx)
{
	__u32 slot = choose_slot(ctx, ZW_HOOK_INGRESS);

	if (slot == PASS)
		return TC_ACT_UNSPEC;
	call(ctx, &zw_slot_ingress, slot);
	return TC_ACT_SHOT;
}

SEC("tc")
int zw_gate_egress(struct __sk_buff *ctx)
{
	__u32 slot = choose_slot(ctx, ZW_HOOK_EGRESS);

	if (slot == PASS)
		return TC_ACT_UNSPEC;
	call(ctx, &zw_slot_egress, slot);
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

/* What they hold when their generation is retired. */
SEC("xdp.frags")
int zw_none_xdp(struct xdp_md *ctx)
{
	count_missed();
	return XDP_DROP;
}

SEC("tc")
int zw_none_tc(struct __sk_buff *ctx)
{
	count_missed();
	return TC_ACT_SHOT;
}
