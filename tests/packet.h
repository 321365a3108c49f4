/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames for tests, from a description whose zero value is a plain TCP SYN; every field can be made wrong.
 */
#ifndef ZW_TEST_PACKET_H
#define ZW_TEST_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 3072

enum { P_HOPOPTS = 0, P_ICMP = 1, P_IGMP = 2, P_TCP = 6, P_UDP = 17, P_GRE = 47, P_ESP = 50, P_AH = 51, P_ICMPV6 = 58,
       P_SCTP = 132 };
#define F_FIN 1
#define F_SYN 2
#define F_RST 4
#define F_PSH 8
#define F_ACK 16
#define F_URG 32
#define F_ECE 64
#define F_CWR 128

#define NOTHING (-1) /* for int fields where 0 is a value */

struct packet_spec {
	const char *from, *to; /* IPv4 or IPv6 */
	int protocol; /* 0: TCP; P_HOPOPTS cannot be asked for here, say `protocol_zero` */
	bool protocol_zero;
	unsigned sport, dport; /* 0 sport: 40000 */
	unsigned flags; /* F_...; 0: SYN; F_NONE for none at all */
	unsigned type, code, id; /* ICMP; id also identifies fragments */
	unsigned hop_limit; /* 0: 64 */
	uint32_t seq, ack;
	unsigned window;
	const void *payload;
	size_t payload_len; /* zeros if payload is NULL */

	const char *dmac; /* six hex pairs; NULL: 02 00 00 00 00 02 */
	unsigned ether_type; /* instead of the one the family gives */
	unsigned tags; /* VLAN tags, outermost first */
	uint16_t tpid[4], vid[4]; /* 0 tpid: 0x8100 */

	bool fragment, more; /* fragment: IPv6 gets a fragment header; IPv4 needs only the next two */
	unsigned offset; /* bytes */
	const char *options; /* IPv4, hex, padded with zeros to a multiple of 4 */
	/*
	 * Headers before the protocol, by words: hop dst rt frag ah mh, each perhaps with ":N" - its length byte (rt: the
	 * segments left). IPv4 can only have ah. "frag" stands for the fragment header of `offset` and `more`.
	 */
	const char *chain;
	unsigned chain_len; /* the length byte of the chain's last word is replaced if not 0 (0x100: by zero) */

	/* Made wrong on purpose. */
	int version, ihl; /* 0: right; NOTHING: 0 */
	int total_add; /* to the IP length field */
	int doff; /* TCP data offset in words, NOTHING: 0 */
	int udp_len; /* UDP length field; NOTHING: 0 */
	size_t cut, pad; /* bytes taken from the end of the frame after all lengths are set; zero bytes added */
	size_t ip_cut; /* bytes taken from the end, lengths follow */
};
#define F_NONE 0x100

struct packet {
	uint8_t data[PACKET_MAX];
	size_t len;
	size_t l3, l4; /* offsets of the IP and of the transport header */
};

/* A description that cannot be built ends the test program with a message: it is the test's own mistake. */
void packet_build(const struct packet_spec *spec, struct packet *ret_packet);

/* Bytes from hex digits (spaces allowed); returns their number. */
size_t packet_hex(const char *hex, uint8_t *ret_bytes, size_t max);
void packet_print_hex(const uint8_t *bytes, size_t len, char *ret_text); /* 2 * len + 1 bytes */

#endif
