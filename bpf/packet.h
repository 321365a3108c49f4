/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a frame to a struct packet: stages "other L3" and "parse" of design section 5.
 *
 * Two ways through the same checks. Nearly every packet is plain (whole, IPv4 without options, IPv6 without extension
 * headers) and is read where it lies: parse_direct(). Everything else (options, extension headers, AH, fragments, ICMP
 * errors with the packet they quote, and what does not lie in the first memory of a frame) is PARSE_DEEP: the entry
 * point copies the first bytes of the IP packet into a scratch buffer and parse_deep() reads them there, with plain
 * offsets, verified once for all.
 *
 * Functions return 0 (go on and decide), a reason that ends the matter, or one of enum parse_more.
 * References: RFC 791, 8200, 4302 (AH), 6275 (mobility), 9293, 768, 9260, 792, 4443; IEEE 802.1Q.
 */
#ifndef ZW_PACKET_H
#define ZW_PACKET_H

#include "platform.h"

enum parse_more {
	PARSE_SHORT = -1, /* more of the frame may be had: copy its beginning, parse_link again, and go on as PARSE_DEEP */
	PARSE_DEEP = -2, /* copy scratch, then parse_deep */
};

enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_QINQ = 0x88a8,
	ETHERTYPE_IPV6 = 0x86dd,
};

enum {
	PROTO_HOP_BY_HOP = 0,
	PROTO_ICMP = 1,
	PROTO_IGMP = 2,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_ICMPV6 = 58,
	PROTO_DESTINATION = 60,
	PROTO_SCTP = 132,
	PROTO_MOBILITY = 135,
};

enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

enum { ICMP_ECHO_REPLY = 0, ICMP_ECHO_REQUEST = 8, ICMPV6_ECHO_REQUEST = 128, ICMPV6_ECHO_REPLY = 129 };

#define EXTENSIONS_MAX 8
#define EXTENSION_BYTES_MAX 256

/* The two ends of a packet, or of one that an ICMP error quotes. */
struct ends {
	__u32 source[4] __attribute__((aligned(8))), destination[4]; /* wire order; match_cache.h reads halves */
	__be16 sport, dport; /* ICMP echo: the identifier, twice; 0 without ports */
	__u8 protocol;
	__u8 echo; /* enum echo */
	__u16 port; /* what the policy matches: destination port, or ICMP type << 8 | code; host order */
};
enum echo { ECHO_NONE, ECHO_REQUEST, ECHO_REPLY };

/* What asking the policy takes, and tells, besides cells (variant.h). */
struct asked {
	__u64 seconds; /* now, by the wall clock: Unix seconds; 0: not read yet */
	__u32 staged; /* the staged rule that would have decided, as in struct zw_variant */
	__u32 pad;
};

/*
 * What is known of a packet. It is cleared from the ends' ports on (clear_packet()): what stands before them is set of each
 * packet, or read only where what follows says that it was.
 */
struct packet {
	/* given by the entry point */
	__u64 now; /* jiffies */
	__u32 frame_len; /* bytes of the frame, from the Ethernet header on; what is known so far */
	__u16 tags; /* VLAN tags in metadata: 0 or 1 */
	__u16 vlan; /* VID of the outermost tag; 0 none */
	__u8 to_mac[6] __attribute__((aligned(4))); /* where the frame goes, unless it is l3 */
	__u8 ingress;
	__u8 counted; /* here its flow and rule count it: where it entered, or where it leaves if this host sent it */
	__u8 fragment; /* enum fragment; given as none */

	/* parsed */
	__u8 ttl;
	__u8 fragment_more;
	__u8 fragment_protocol; /* IPv6: what the fragment header names next */
	__u32 fragment_id; /* host order */
	__u32 fragment_at; /* offset of its bytes in the datagram */
	__u32 fragment_start; /* where they begin in this IP packet */
	__u32 l3_offset; /* of the IP header in the frame; given as 0 */
	__u32 transport; /* offset of the transport header from the IP header */
	__u32 packets; /* segments of a GSO packet, else 1; set by measure() */
	__u32 bytes; /* what they count: IP bytes with headers of their own; frame bytes, less the link's, if not IP */
	__u32 seq, ack; /* TCP, host order */
	__u32 payload_len; /* TCP whose header was read: bytes of this IP packet behind it */
	__u32 pad;
	struct ends ends; /* the addresses: has_addresses */

	/* as the ends' ports: 0 unless it is set */
	struct asked asked; /* seconds: given, if they are known */
	__u32 source_set; /* given: of the attach point, where packets that enter there must come from; 0: anywhere */
	__u8 mac[6] __attribute__((aligned(4))); /* given: of the attach point */
	__be16 ethertype; /* given of an l3 frame */
	__u8 l3; /* given: the frame begins with the IP header */
	__u8 gso; /* given */
	__u8 again; /* given: it leaves, and was decided where it entered */
	__u8 family; /* 4, 6; 0: not IP */
	__u32 ip_len; /* bytes of the IP packet */
	__u32 header_len; /* bytes from the IP header to the end of the transport header */
	__u8 has_addresses; /* they were read: the IP header's version and lengths are right */
	__u8 tcp_flags;
	__u8 is_icmp_error;
	__u8 hello; /* enum hello: what its payload begins with; set when stage tls asks for it */
	__u8 whole; /* what of the frame is not there cannot be had */
	__u8 has_quoted; /* the ends of the packet that an ICMP error quotes are known */
};

enum fragment {
	FRAGMENT_NONE,
	FRAGMENT_FIRST,
	FRAGMENT_CUT, /* a first one that does not hold its chain and fixed header */
	FRAGMENT_LATER, /* of this and the former nothing is known of a transport header */
};

#define PACKET_CLEARED __builtin_offsetof(struct packet, ends.sport)

static __always_inline void clear_packet(struct packet *p)
{
	_Static_assert(PACKET_CLEARED % 8 == 0, "by words");
	__builtin_memset(__builtin_assume_aligned((__u8 *)p + PACKET_CLEARED, 8), 0, sizeof(*p) - PACKET_CLEARED);
}

#define HELLO_BYTES 11 /* of a payload, that tell what it begins with: see tls.h */

struct cursor {
	const __u8 *start, *pos, *end;
};

/* The only bounds check on the frame: len bytes at the cursor, which moves on. False if they are not there. */
static __always_inline bool cursor_take(struct cursor *c, __u32 len, const __u8 **ret_here)
{
	*ret_here = c->pos;
	c->pos += len;
	return c->pos <= c->end;
}

/*
 * The reason to drop what is no packet. A number of which clang knows no more than that it is one: else it would load the constant
 * before each of the checks that may come to it, and not behind them.
 */
static __always_inline int malformed(void)
{
	int reason = ZW_DROP_MALFORMED;

	barrier_var(reason);
	if (reason <= 0)
		__builtin_unreachable();
	return reason;
}

/* The cursor ran out: is there more of the frame to be had? */
static __always_inline int cut(const struct packet *p)
{
	return p->whole ? malformed() : PARSE_SHORT;
}

static __always_inline __u16 load16(const __u8 *b)
{
	return bpf_ntohs(read16(b));
}

static __always_inline __u32 load32(const __u8 *b)
{
	return bpf_ntohl(read32(b));
}

/*
 * Addresses are stored by halves, as they are loaded later on (match_cache.h): a load that needs two stores waits until both
 * have left the processor's store buffer.
 */
typedef __u64 __attribute__((may_alias)) address_half;

static __always_inline void set_half(__u32 *address, __u64 half)
{
	*(address_half *)address = half;
}

static __always_inline void set_address4(__u32 *address, __be32 word)
{
	set_half(address, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : (__u64)word << 32);
	set_half(address + 2, 0);
}

static __always_inline void read_address6(__u32 *address, const __u8 *b)
{
	set_half(address, read64(b));
	set_half(address + 2, read64(b + 8));
}

static __always_inline bool is_tag(__be16 ethertype)
{
	return ethertype == bpf_htons(ETHERTYPE_VLAN) || ethertype == bpf_htons(ETHERTYPE_QINQ);
}

static __always_inline bool is_ip(__be16 ethertype)
{
	return ethertype == bpf_htons(ETHERTYPE_IPV4) || ethertype == bpf_htons(ETHERTYPE_IPV6);
}

/* Is the address one of those reserved for bridges: LACP, STP, LLDP, 802.1X (IEEE 802.1Q 8.6.3)? */
static __always_inline bool is_bridge_group(const __u8 *mac)
{
	return !((load32(mac) ^ 0x0180c200) | (load16(mac + 4) & 0xfff0));
}

static __always_inline bool is_same_mac(const __u8 *a, const __u8 *b)
{
	return !((read32(a) ^ read32(b)) | (read16(a + 4) ^ read16(b + 4)));
}

typedef __u32 __attribute__((may_alias)) mac_word;
typedef __u16 __attribute__((may_alias)) mac_rest;

/* By the words in which is_same_mac() and is_bridge_group() read it: see set_half(). */
static __always_inline void copy_mac(__u8 *to, const __u8 *from)
{
	*(mac_word *)to = read32(from);
	*(mac_rest *)(to + 4) = read16(from + 4);
}

/* Is the frame addressed to the attach point's MAC? */
static __always_inline bool is_to_own_mac(const struct packet *p)
{
	return !p->l3 && is_same_mac(p->to_mac, p->mac);
}

/* To where the cursor is, by a number that the verifier does not know: so it follows what comes once, and not for each way there. */
static __always_inline void resume(const struct packet *p, struct cursor *c)
{
	c->pos = c->start + (*(volatile const __u32 *)&p->l3_offset & 31);
}

/* Up to two tags, and what they lead to. *type: of the frame; in the end that of IPv4 or IPv6. */
static __always_inline int parse_tags(struct packet *p, struct cursor *c, bool allow_non_ip, __be16 *type)
{
	const __u8 *tag;

	resume(p, c);
	for (int i = 0; i < 2; i++) {
		if (!is_tag(*type) || p->tags == 2)
			break;
		if (!cursor_take(c, 4, &tag))
			return cut(p);
		if (!p->tags)
			p->vlan = load16(tag) & 0x0fff;
		*type = read16(tag + 2);
		p->tags++;
		p->l3_offset += 4;
	}
	resume(p, c);
	if (is_ip(*type))
		return 0;
	if (is_tag(*type))
		return malformed();
	if (*type == bpf_htons(ETHERTYPE_ARP) || allow_non_ip || (!p->l3 && is_bridge_group(p->to_mac)))
		return ZW_ALLOW_NON_IP;
	return ZW_DROP_ETHERTYPE;
}

/*
 * Ethernet header and up to two tags; sets l3_offset, and *ret_type to that of IPv4 or IPv6. A frame that is neither ends
 * here. An IP packet to a bridge group address is decided like any other: the stack would deliver it.
 */
static __always_inline int parse_link(struct packet *p, struct cursor *c, bool allow_non_ip, __be16 *ret_type)
{
	const __u8 *eth;

	*ret_type = p->ethertype;
	if (!p->l3) {
		if (!cursor_take(c, 14, &eth))
			return cut(p);
		*ret_type = read16(eth + 12);
		copy_mac(p->to_mac, eth);
		p->l3_offset = 14;
		if (is_ip(*ret_type))
			return 0;
	}
	return parse_tags(p, c, allow_non_ip, ret_type);
}

/*
 * How long the IP packet is: `stated` by its header, which may not be below `least` nor beyond the frame. On a
 * GSO packet the header's field is not meaningful (it may even be 0, BIG TCP) and the frame says.
 */
static __always_inline int set_ip_len(struct packet *p, __u32 stated, __u32 least)
{
	const __u32 there = p->frame_len - p->l3_offset;

	if (p->gso) {
		p->ip_len = there;
		return 0;
	}
	if (stated < least)
		return malformed();
	if (stated > there)
		return cut(p);
	p->ip_len = stated;
	return 0;
}

/*
 * Addresses that no packet may carry (RFC 1122 3.2.1.3). Unspecified sources wait for the ports:
 * is_bad_unspecified.
 */
static __always_inline bool is_bad_address4(__be32 source, __be32 destination)
{
	__u32 s = bpf_ntohl(source), d = bpf_ntohl(destination);

	return s >> 28 == 0xe || s == 0xffffffff || s >> 24 == 127 || d >> 24 == 127 || d == 0;
}

static __always_inline bool is_mapped(const __u32 *a)
{
	return !a[0] && !a[1] && a[2] == bpf_htonl(0xffff);
}

static __always_inline bool is_loopback6(const __u32 *a)
{
	return !a[0] && !a[1] && !a[2] && a[3] == bpf_htonl(1);
}

static __always_inline bool is_unspecified(const __u32 *a)
{
	return !(a[0] | a[1] | a[2] | a[3]);
}

static __always_inline bool is_same_address(const __u32 *a, const __u32 *b)
{
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]));
}

static __always_inline bool is_multicast6(const __u32 *a)
{
	return (bpf_ntohl(a[0]) >> 24) == 0xff;
}

static __always_inline bool is_link_local6(const __u32 *a)
{
	return (bpf_ntohl(a[0]) >> 22) == 0xfe80 >> 6;
}

static __always_inline bool is_bad_address6(const __u32 *source, const __u32 *destination)
{
	const address_half *s = (const address_half *)source, *d = (const address_half *)destination;

	if (is_multicast6(source))
		return true;
	if (s[0] && d[0])
		return false; /* all others begin with eight zeros */
	return is_loopback6(source) || is_mapped(source) || is_loopback6(destination) ||
	       is_mapped(destination) || is_unspecified(destination);
}

/*
 * An unspecified source is for ICMPv6 (RFC 4861) and for a DHCP client (RFC 2131) only; a later fragment has no
 * ports.
 */
static __always_inline bool is_bad_unspecified(const struct packet *p, int family)
{
	const struct ends *e = &p->ends;

	if (e->source[0] || (family == 6 && !is_unspecified(e->source)) || e->protocol == PROTO_ICMPV6)
		return false;
	return !(e->protocol == PROTO_UDP && e->sport == bpf_htons(68) && e->dport == bpf_htons(67));
}

static __always_inline bool is_icmp_error(int family, __u8 type)
{
	return family == 4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
}

/* Is the next header, by its number, one more before the transport header? */
static __always_inline bool is_extension(int family, __u8 next)
{
	return next == PROTO_AH || (family == 6 && (next == PROTO_HOP_BY_HOP || next == PROTO_ROUTING || next == PROTO_FRAGMENT ||
						    next == PROTO_DESTINATION || next == PROTO_MOBILITY));
}

/* Bytes of a transport header that every packet must hold; 0 for protocols that are not looked into. */
static __always_inline __u32 fixed_header(__u8 protocol)
{
	switch (protocol) {
	case PROTO_TCP:
		return 20;
	case PROTO_SCTP:
		return 12;
	case PROTO_UDP:
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return 8;
	default:
		return 0;
	}
}

typedef __u32 __attribute__((may_alias)) both_ports;

static __always_inline void set_ports(struct ends *e, const __u8 *h)
{
	*(both_ports *)&e->sport = read32(h);
	e->port = load16(h + 2);
}

static __always_inline void set_icmp(struct ends *e, const __u8 *h)
{
	__u8 request = e->protocol == PROTO_ICMP ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST;
	__u8 reply = e->protocol == PROTO_ICMP ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY;

	e->port = load16(h);
	if (h[0] != request && h[0] != reply)
		return;
	e->echo = h[0] == request ? ECHO_REQUEST : ECHO_REPLY;
	e->sport = read16(h + 4);
	e->dport = e->sport;
}

/* header: 20 bytes of TCP, offset bytes into the IP packet; left: bytes of that from here on. */
static __always_inline int parse_tcp(struct packet *p, const __u8 *header, __u32 offset, __u32 left)
{
	__u32 len = (header[12] >> 4) * 4;

	set_ports(&p->ends, header);
	p->seq = load32(header + 4);
	p->ack = load32(header + 8);
	p->tcp_flags = header[13];
	p->header_len = offset + len;
	p->payload_len = left - len;
	return len < 20 || len > left ? malformed() : 0;
}

/* A first fragment's UDP length speaks of the whole datagram. */
static __always_inline int parse_udp(struct packet *p, const __u8 *header, __u32 left, bool is_whole)
{
	__u32 len = load16(header + 4);

	set_ports(&p->ends, header);
	p->header_len += 8;
	if (len < 8 || (len > left && is_whole && !p->gso))
		return malformed();
	return 0;
}

/*
 * The transport header at h, offset bytes into the IP packet. direct: h lies in the frame, which is no fragment, and is checked
 * against end; else the caller has made sure that the bytes are there.
 */
static __always_inline int parse_transport(struct packet *p, const __u8 *h, const __u8 *end, __u32 offset, int family,
					   const bool direct)
{
	__u8 protocol = p->ends.protocol;
	__u32 fixed, left = p->ip_len - offset;
	const __u8 fragment = direct ? FRAGMENT_NONE : p->fragment;

	if (protocol == PROTO_TCP && left >= 20 && fragment != FRAGMENT_LATER)
		return direct && h + 20 > end ? cut(p) : parse_tcp(p, h, offset, left);
	if (direct && is_extension(family, protocol))
		return PARSE_DEEP;
	p->header_len = offset;
	fixed = fixed_header(protocol);
	if (protocol == (family == 4 ? PROTO_ICMPV6 : PROTO_ICMP))
		return malformed();
	if (!fixed || fragment == FRAGMENT_LATER)
		return 0;
	if (left < fixed) {
		if (fragment != FRAGMENT_FIRST)
			return malformed();
		p->fragment = FRAGMENT_CUT;
		return 0;
	}
	if (protocol == PROTO_SCTP) {
		if (direct && h + 12 > end)
			return cut(p);
		set_ports(&p->ends, h);
		p->header_len += 12;
		return 0;
	}
	if (direct && h + 8 > end)
		return cut(p);
	if (protocol == PROTO_UDP)
		return parse_udp(p, h, left, fragment == FRAGMENT_NONE);
	set_icmp(&p->ends, h);
	p->header_len += 8;
	p->is_icmp_error = is_icmp_error(family, h[0]);
	return direct && p->is_icmp_error ? PARSE_DEEP : 0;
}

/* Where a TCP payload begins in the frame. */
static __always_inline __u32 payload_offset(const struct packet *p)
{
	return p->l3_offset + p->header_len;
}

/* What an IPv4 header says of the fragment that it heads. fragment: its flags and offset. */
static __always_inline void set_fragment4(struct packet *p, const __u8 *h, __u16 fragment)
{
	p->fragment = fragment & 0x1fff ? FRAGMENT_LATER : FRAGMENT_FIRST;
	p->fragment_more = !!(fragment & 0x2000);
	p->fragment_protocol = h[9];
	p->fragment_id = load16(h + 4);
	p->fragment_at = (fragment & 0x1fff) * 8;
	p->fragment_start = (h[0] & 15) * 4;
}

static __always_inline bool is_fragment4(const __u8 *h)
{
	return read16(h + 6) & bpf_htons(0x3fff);
}

/* The fixed IPv4 header: 20 bytes at h. */
static __always_inline int parse_ipv4(struct packet *p, const __u8 *h)
{
	const bool is_fragment = is_fragment4(h);
	int err;

	if (h[0] != 0x45 && (h[0] >> 4 != 4 || (h[0] & 15) < 5))
		return malformed();
	err = set_ip_len(p, load16(h + 2), (h[0] & 15) * 4);
	if (err)
		return err;
	p->has_addresses = 1;
	set_address4(p->ends.source, read32(h + 12));
	set_address4(p->ends.destination, read32(h + 16));
	p->ends.protocol = h[9];
	p->ttl = h[8];
	if (is_fragment)
		set_fragment4(p, h, load16(h + 6));
	return is_bad_address4(p->ends.source[0], p->ends.destination[0]) ? malformed() : 0;
}

/* The fixed IPv6 header: 40 bytes at h. */
static __always_inline int parse_ipv6(struct packet *p, const __u8 *h)
{
	int err;

	if (h[0] >> 4 != 6)
		return malformed();
	err = set_ip_len(p, 40 + load16(h + 4), 40);
	if (err)
		return err;
	p->has_addresses = 1;
	read_address6(p->ends.source, h + 8);
	read_address6(p->ends.destination, h + 24);
	forget_memory();
	p->ends.protocol = h[6];
	p->ttl = h[7];
	return is_bad_address6(p->ends.source, p->ends.destination) ? malformed() : 0;
}

/* After the addresses and ports are known: what can only be judged with both. */
static __always_inline int parse_end(const struct packet *p, int family)
{
	return is_bad_unspecified(p, family) ? malformed() : 0;
}

static __always_inline int parse_direct4(struct packet *p, struct cursor *c)
{
	const __u8 *h;
	int err;

	p->family = 4;
	if (!cursor_take(c, 20, &h))
		return cut(p);
	if (h[0] != 0x45 || is_fragment4(h))
		return PARSE_DEEP;
	err = parse_ipv4(p, h);
	if (err)
		return err;
	p->transport = 20;
	err = parse_transport(p, c->pos, c->end, 20, 4, true);
	return err ? err : parse_end(p, 4);
}

static __always_inline int parse_direct6(struct packet *p, struct cursor *c)
{
	const __u8 *h;
	int err;

	p->family = 6;
	if (!cursor_take(c, 40, &h))
		return cut(p);
	err = parse_ipv6(p, h);
	if (err)
		return err;
	p->transport = 40;
	err = parse_transport(p, c->pos, c->end, 40, 6, true);
	return err ? err : parse_end(p, 6);
}

static __always_inline int parse_direct(struct packet *p, struct cursor *c, bool allow_non_ip)
{
	__be16 type;
	int err = parse_link(p, c, allow_non_ip, &type);

	if (err)
		return err;
	return type == bpf_htons(ETHERTYPE_IPV4) ? parse_direct4(p, c) : parse_direct6(p, c);
}

/* Where a header chain stands; see zw_walk(). */
struct chain {
	__u32 offset; /* of the next header */
	__u32 limit; /* where the packet ends */
	__u32 bytes, headers; /* extension headers so far */
	__u8 next; /* the next header's number */
	__u8 fragment; /* enum fragment */
	__u8 has_fragment;
	__u8 first; /* no header but the IPv6 header stands before the next one */
	__u8 is_quoted; /* of the packet that an ICMP error quotes: what it says of fragments is not this packet's */
};

/*
 * Deep parsing. The longest that must be read is an ICMP error: 60 + 256 + 8 bytes, and as many quoted. Reads
 * go to any offset up to SCRATCH_LEN, and up to 64 bytes beyond: bytes that were not loaded are never believed, every
 * read is checked against the packet's length first.
 */
#define SCRATCH_LEN 704
struct scratch {
	__u8 bytes[SCRATCH_LEN + 64];
	/* Where zw_walk() and zw_options() stand. Here and not on the stack, so that the verifier knows nothing of it. */
	struct chain chain;
	__u32 option;
};

/* len <= 64 bytes at offset, of a packet that ends at limit; NULL if they are not all there. */
static __always_inline const __u8 *scratch_at(const struct scratch *s, __u64 offset, __u32 len, __u32 limit)
{
	if (offset + len > limit)
		return NULL;
	barrier_var(offset);
	if (offset > SCRATCH_LEN)
		return NULL;
	return s->bytes + offset;
}

/* One extension header. Returns 0, or a reason. A chain cut short within a first fragment ends with -1. */
static __always_inline int step(struct packet *p, struct scratch *s)
{
	struct chain *k = &s->chain;
	const __u8 *h = scratch_at(s, k->offset, 8, k->limit);
	__u32 len;

	if (k->next == PROTO_HOP_BY_HOP && !k->first)
		return malformed();
	if (!h)
		return k->fragment == FRAGMENT_FIRST ? -1 : malformed();
	len = k->next == PROTO_FRAGMENT ? 8 : k->next == PROTO_AH ? (h[1] + 2) * 4 : (h[1] + 1) * 8;
	if (k->next == PROTO_ROUTING && h[3])
		return malformed();
	k->bytes += len;
	k->headers++;
	if (k->bytes > EXTENSION_BYTES_MAX || k->headers > EXTENSIONS_MAX)
		return malformed();
	if (k->offset + len > k->limit)
		return k->fragment == FRAGMENT_FIRST ? -1 : malformed();
	if (k->next == PROTO_FRAGMENT) {
		if (k->has_fragment)
			return malformed();
		k->has_fragment = 1;
		if (load16(h + 2) & 0xfff8)
			k->fragment = FRAGMENT_LATER;
		else if (h[3] & 1)
			k->fragment = FRAGMENT_FIRST;
	}
	if (k->next == PROTO_FRAGMENT && !k->is_quoted) {
		p->fragment_more = h[3] & 1;
		p->fragment_protocol = h[0];
		p->fragment_id = load32(h + 4);
		p->fragment_at = load16(h + 2) & 0xfff8;
		p->fragment_start = k->offset + 8;
	}
	k->next = h[0];
	k->offset += len;
	k->first = 0;
	return 0;
}

/* What walks headers or options, one a call. */
struct header_walk {
	struct packet *packet;
	struct scratch *scratch;
	__u32 header_len;
	int err;
};

static long walk_header(__u64 i, void *walk)
{
	struct header_walk *w = walk;
	const struct chain *k = &w->scratch->chain;
	int err = 0;

	(void)i;
	if (k->fragment != FRAGMENT_LATER && is_extension(w->packet->family, k->next)) {
		err = step(w->packet, w->scratch);
		if (!err)
			return 0;
	}
	w->err = err;
	return 1;
}

/*
 * Reads extension headers from s->chain on until a protocol is reached; what follows a later fragment's header
 * is payload. In IPv4 only AH is one. Returns as step().
 */
ZW_GLOBAL int zw_walk(struct packet *p, struct scratch *s)
{
	struct header_walk w = { .packet = p, .scratch = s, .err = ZW_DROP_MALFORMED };

	if (!p || !s)
		return malformed();
	call_each(EXTENSIONS_MAX + 1, walk_header, &w);
	return w.err;
}

static long walk_option(__u64 i, void *walk)
{
	struct header_walk *w = walk;
	__u64 at = w->scratch->option;
	const __u8 *o = scratch_at(w->scratch, at, 1, w->header_len);

	(void)i;
	if (!o || o[0] == 0)
		return 1;
	if (o[0] == 1) {
		w->scratch->option = at + 1;
		return 0;
	}
	if (o[0] == 131 || o[0] == 137 || at + 2 > w->header_len || o[1] < 2 || at + o[1] > w->header_len) {
		w->err = ZW_DROP_MALFORMED;
		return 1;
	}
	w->scratch->option = at + o[1];
	return 0;
}

/* Source routing is refused (RFC 7126 4.3, 4.4), and so is an option that does not fit into the header. */
ZW_GLOBAL int zw_options(struct scratch *s, __u32 header_len)
{
	struct header_walk w = { .scratch = s, .header_len = header_len };

	if (!s)
		return malformed();
	s->option = 20;
	call_each(40, walk_option, &w);
	return w.err;
}

/* The packet that an ICMP error quotes, at offset: fills q if it can belong to a flow (stage related). */
static __always_inline void parse_quoted(struct packet *p, struct scratch *s, struct ends *q, __u32 offset,
					 __u32 limit)
{
	struct chain *k = &s->chain;
	const __u8 *h = scratch_at(s, offset, p->family == 4 ? 20 : 40, limit);

	if (!h || h[0] >> 4 != p->family)
		return;
	__builtin_memset(q, 0, sizeof(*q));
	__builtin_memset(k, 0, sizeof(*k));
	k->limit = limit;
	k->first = 1;
	k->is_quoted = 1;
	if (p->family == 4) {
		if ((h[0] & 15) < 5 || (load16(h + 6) & 0x1fff))
			return;
		k->offset = offset + (h[0] & 15) * 4;
		k->next = h[9];
		set_address4(q->source, read32(h + 12));
		set_address4(q->destination, read32(h + 16));
	} else {
		k->offset = offset + 40;
		k->next = h[6];
		read_address6(q->source, h + 8);
		read_address6(q->destination, h + 24);
	}
	if (zw_walk(p, s) || k->fragment == FRAGMENT_LATER)
		return;
	h = scratch_at(s, k->offset, 8, limit);
	if (!h)
		return;
	q->protocol = k->next;
	if (q->protocol == PROTO_TCP || q->protocol == PROTO_UDP || q->protocol == PROTO_SCTP)
		set_ports(q, h);
	else if (q->protocol == (p->family == 4 ? PROTO_ICMP : PROTO_ICMPV6)) {
		set_icmp(q, h);
		if (q->echo == ECHO_NONE)
			return; /* only echo messages have flows; errors least of all */
	}
	p->has_quoted = 1;
}

/* The whole IP packet again, from scratch: `have` bytes of it were loaded. family and l3_offset are known. */
ZW_GLOBAL int zw_parse_deep(struct packet *p, struct scratch *s, struct ends *quoted, __u32 have)
{
	const __u8 *h;
	struct chain *k;
	__u32 limit;
	int err;

	if (!p || !s || !quoted)
		return malformed();
	k = &s->chain;
	__builtin_memset(k, 0, sizeof(*k));
	k->first = 1;
	p->whole = 1;
	h = scratch_at(s, 0, p->family == 4 ? 20 : 40, have);
	if (!h)
		return malformed();
	p->is_icmp_error = 0;
	p->fragment = FRAGMENT_NONE;
	err = p->family == 4 ? parse_ipv4(p, h) : parse_ipv6(p, h);
	if (err)
		return err;
	k->offset = p->family == 4 ? (h[0] & 15) * 4 : 40;
	k->next = p->ends.protocol;
	k->fragment = p->fragment;
	/* What was not loaded is not there: nothing that must be read lies beyond SCRATCH_LEN. */
	limit = p->ip_len < have ? p->ip_len : have;
	k->limit = limit;
	if (p->family == 4 && (k->offset > limit || zw_options(s, k->offset)))
		return malformed();
	err = zw_walk(p, s);
	if (err > 0)
		return err;
	p->fragment = k->fragment;
	p->ends.protocol = k->next;
	p->header_len = k->offset;
	p->transport = k->offset;
	if (err < 0) {
		p->fragment = FRAGMENT_CUT;
		return parse_end(p, p->family);
	}
	h = scratch_at(s, k->offset, 0, limit);
	if (!h)
		return malformed();
	err = parse_transport(p, h, NULL, k->offset, p->family, false);
	if (err)
		return err;
	if (p->is_icmp_error)
		parse_quoted(p, s, quoted, k->offset + 8, limit);
	return parse_end(p, p->family);
}

#endif
