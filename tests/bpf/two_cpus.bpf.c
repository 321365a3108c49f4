// SPDX-License-Identifier: GPL-2.0-only
/*
 * A source of packets for BPF test runs: makes the packet one between two of sixteen hosts on either side, told apart by
 * the last byte of their addresses, and tail-calls the program under test.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

#include "two_cpus.h"

char LICENSE[] SEC("license") = "GPL";

struct plan plan;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

static __always_inline int send(struct xdp_md *ctx, const int source, const int destination)
{
	__u8 *frame = (void *)(long)ctx->data;
	__u64 x = plan.seed;
	__u32 from, to;

	if (frame + 64 > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	plan.seed = x;
	from = x >> 20 & (HOSTS - 1);
	to = plan.mixed ? (from + 1 + (x >> 32 & 0xffff) % (HOSTS - 1)) & (HOSTS - 1) : from;
	frame[source] = from + 1;
	frame[destination] = to + 1;
	bpf_tail_call(ctx, &next, 0);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int generate4(struct xdp_md *ctx)
{
	return send(ctx, ETH_HLEN + 15, ETH_HLEN + 19);
}

SEC("xdp.frags")
int generate6(struct xdp_md *ctx)
{
	return send(ctx, ETH_HLEN + 23, ETH_HLEN + 39);
}
