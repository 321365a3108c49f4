/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addresses and flows by number: what makes the policies and what makes the packets compute the same ones, so that a
 * random flow is one between prefixes of the policy and no memory is read to know it.
 *
 *   dense    hosts of one /8 (IPv6: of one /104)
 *   routing  lengths 16 to 32, most 24 (IPv6: 32 to 128, most 48)
 *   feed     hosts anywhere
 */
#ifndef ZW_PLAN_H
#define ZW_PLAN_H

enum plan_shape { PLAN_DENSE, PLAN_ROUTING, PLAN_FEED, PLAN_SHAPES };

/*
 * What the generator sends: flow number `base` + (random, or counted, & mask). Flow number f goes from prefix f to
 * a prefix that follows from f, both & `prefixes`; if it is listed, from one that stands in the generator's list to
 * the next one.
 */
struct traffic {
	__u64 seed;
	__u32 base, mask;
	__u32 counted, count;
	__u32 shape;
	__u32 prefixes; /* a power of two, less 1 */
	__u32 host; /* the number of this host's own address */
	__u16 port, ports; /* destination ports: port + (a number of the flow's & ports) */
	__u16 open_port; /* mixed: where new flows go */
	__u8 reply; /* as the other side sends */
	__u8 tcp_flags;
	__u8 listed;
	__u8 mixed; /* each packet one of MIXED_KINDS */
	__u8 pad[2];
};

#define PLAN_LISTED 65536u /* flows in the list */

/* What becomes of a mixed packet; the kind is its flow's number, less the others' bits. */
enum mixed_kind {
	MIXED_DENIED,
	MIXED_MALFORMED, /* IPv4: a header length of 16; IPv6: version 5 */
	MIXED_FRAGMENT, /* a later one whose first was not seen */
	MIXED_ETHERTYPE,
	MIXED_SPOOFED, /* from this host's own address */
	MIXED_FLAGS, /* SYN and FIN */
	MIXED_FLOW, /* of an open flow */
	MIXED_NEW, /* to the open port */
	MIXED_KINDS
};

/* A permutation of the 32-bit numbers (xor-shifts and odd factors). */
static inline __u32 plan_mix(__u32 x)
{
	x ^= x >> 16;
	x *= 0x7feb352d;
	x ^= x >> 15;
	x *= 0x846ca68b;
	return x ^ x >> 16;
}

/* Bits of prefix number i. */
static inline __u32 plan_length(__u32 shape, __u32 family, __u32 i)
{
	__u32 x = plan_mix(i ^ 0x5bd1e995);

	if (shape != PLAN_ROUTING)
		return family == 4 ? 32 : 128;
	if (x % 10 < 6)
		return family == 4 ? 24 : 48;
	return family == 4 ? 16 + (x >> 8) % 17 : 32 + (x >> 8) % 97;
}

/* An address of prefix number i, host byte order: of unicast that may stand in a packet. */
static inline __u32 plan_address4(__u32 shape, __u32 i)
{
	__u32 x, top;

	if (shape == PLAN_DENSE)
		return 0x0a000000 | (i * 0x9e3779b1 & 0xffffff);
	x = plan_mix(i);
	top = 1 + (x >> 24) * 223 / 256;
	return (top == 127 ? 128 : top) << 24 | (x & 0xffffff);
}

/* Words from the first one on, host byte order: of 2000::/3, or of 2001:db8::/104. */
static inline void plan_address6(__u32 shape, __u32 i, __u32 word[4])
{
	if (shape == PLAN_DENSE) {
		word[0] = 0x20010db8;
		word[1] = word[2] = 0;
		word[3] = i * 0x9e3779b1 & 0xffffff;
		return;
	}
	word[0] = (plan_mix(i) & 0x1fffffff) | 0x20000000;
	word[1] = plan_mix(i ^ 0x2545f491);
	word[2] = plan_mix(word[1]);
	word[3] = plan_mix(word[2] ^ i);
}

/* The prefixes of a flow's ends, and its ports. */
static inline __u32 plan_source(__u32 flow, __u32 prefixes)
{
	return flow & prefixes;
}

static inline __u32 plan_destination(__u32 flow, __u32 prefixes)
{
	return plan_mix(flow + 12345) & prefixes;
}

static inline __u32 plan_sport(__u32 flow)
{
	return 1024 + (flow * 7919 & 0x7fff);
}

#endif
