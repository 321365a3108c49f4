/* SPDX-License-Identifier: GPL-2.0-only */
/* The frames that the generator (traffic.bpf.c) makes packets of flows of: plain TCP, without addresses and ports. */
#ifndef ZW_FRAMES_H
#define ZW_FRAMES_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

struct frame4 {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
	char data[6];
} __attribute__((packed));

struct frame6 {
	struct ethhdr ethernet;
	struct ipv6hdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static const struct frame4 frame4 = {
	.ethernet.h_proto = __builtin_bswap16(ETH_P_IP),
	.ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = 6, .tot_len = __builtin_bswap16(46) },
	.tcp = { .doff = 5, .window = 0xffff },
};

static const struct frame6 frame6 = {
	.ethernet.h_proto = __builtin_bswap16(ETH_P_IPV6),
	.ip = { .version = 6, .hop_limit = 64, .nexthdr = 6, .payload_len = __builtin_bswap16(20) },
	.tcp = { .doff = 5, .window = 0xffff },
};

#endif
