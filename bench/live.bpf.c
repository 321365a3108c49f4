// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last step before the program under test in live frames: what traffic.bpf.c has made becomes a frame that the IP
 * stack takes, and is counted. Where nothing is under test, it goes to the stack.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

__u64 made; /* frames; by one thread */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

SEC("xdp.frags")
int live4(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	const __u16 *word = (const void *)ip;
	__u32 sum = 0;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	ip->check = 0;
	for (int i = 0; i < 10; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~(sum + (sum >> 16));
	made++;
	bpf_tail_call_static(ctx, &under_test, 0);
	return XDP_PASS;
}

SEC("xdp.frags")
int live6(struct xdp_md *ctx)
{
	made++;
	bpf_tail_call_static(ctx, &under_test, 0);
	return XDP_PASS;
}

/* Attached where no firewall is: only then has the interface the receive queue that live frames say they come from. */
SEC("xdp.frags")
int live_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}
