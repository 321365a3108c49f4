// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/frame.h"

#include <netinet/in.h>
#include <string.h>

static uint8_t *put16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value;
	return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	return put16(put16(at, value >> 16), value & 0xffff);
}

static uint32_t sum(const uint8_t *bytes, size_t len, uint32_t so_far)
{
	uint64_t total = so_far;

	for (; len > 1; bytes += 2, len -= 2)
		total += bytes[0] << 8 | bytes[1];
	if (len)
		total += bytes[0] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

/* CRC32c of RFC 9260 appendix A, bit by bit: nobody simulates megabytes of SCTP. */
static uint32_t crc32c(const uint8_t *bytes, size_t len)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

static uint8_t *put_ethernet(const struct input *input, uint8_t *at)
{
	static const uint8_t addresses[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };

	memcpy(at, addresses, sizeof(addresses));
	at += sizeof(addresses);
	for (size_t i = 0; i < input->vlan_count; i++) {
		at = put16(at, i == 0 && input->vlan_count > 1 ? 0x88a8 : 0x8100);
		at = put16(at, input->vlan[i]);
	}
	return put16(at, input->from.family == 4 ? 0x0800 : 0x86dd);
}

static unsigned hop_limit(const struct input *input)
{
	unsigned type = input->icmp[0];

	if (input->protocol == IPPROTO_ICMPV6 && type >= 133 && type <= 137)
		return 255;
	if (input->protocol == IPPROTO_ICMPV6 && ((type >= 130 && type <= 132) || type == 143))
		return 1;
	return input->protocol == IPPROTO_IGMP ? 1 : 64;
}

static uint8_t *put_ip4(const struct input *input, uint8_t *at)
{
	uint8_t *ip = at;

	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 4, input->fragment_id);
	put16(ip + 6, (input->more ? 0x2000 : 0) | input->offset / 8);
	ip[8] = hop_limit(input);
	ip[9] = input->protocol;
	addr_to_bytes(&input->from, ip + 12);
	addr_to_bytes(&input->to, ip + 16);
	return ip + 20;
}

static uint8_t *put_ip6(const struct input *input, uint8_t *at)
{
	uint8_t *ip = at;

	memset(ip, 0, 40);
	ip[0] = 0x60;
	ip[6] = input->has_fragment ? IPPROTO_FRAGMENT : input->protocol;
	ip[7] = hop_limit(input);
	addr_to_bytes(&input->from, ip + 8);
	addr_to_bytes(&input->to, ip + 24);
	at = ip + 40;
	if (input->has_fragment) {
		*at++ = input->protocol;
		*at++ = 0;
		at = put16(at, input->offset | input->more);
		at = put32(at, input->fragment_id);
	}
	return at;
}

/* The fixed header, checksum zero. */
static uint8_t *put_transport(const struct input *input, uint8_t *at)
{
	const bool echo4 = input->protocol == IPPROTO_ICMP && (input->icmp[0] == 0 || input->icmp[0] == 8);
	const bool echo6 =
		input->protocol == IPPROTO_ICMPV6 && (input->icmp[0] == 128 || input->icmp[0] == 129);

	switch (input->protocol) {
	case IPPROTO_TCP:
		at = put16(put16(at, input->sport), input->dport);
		at = put32(put32(at, input->seq), input->ack);
		*at++ = 5 << 4;
		*at++ = input->tcp_flags;
		return put32(put16(at, 64240), 0);
	case IPPROTO_UDP:
		at = put16(put16(at, input->sport), input->dport);
		return put16(put16(at, 8 + input->len), 0);
	case IPPROTO_SCTP:
		at = put16(put16(at, input->sport), input->dport);
		return put32(put32(at, 0), 0);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		*at++ = input->icmp[0];
		*at++ = input->icmp[1];
		at = put16(at, 0);
		return put16(put16(at, echo4 || echo6 ? input->sport : 0), echo4 || echo6 ? 1 : 0);
	}
	return at;
}

static void set_checksum(const struct input *input, uint8_t *ip, uint8_t *transport, size_t len)
{
	uint8_t pseudo[4] = { 0, input->protocol, len >> 8, len };
	bool four = input->from.family == 4;
	uint32_t header = sum(ip + (four ? 12 : 8), four ? 8 : 32, sum(pseudo, 4, 0));
	unsigned check = ~sum(transport, len, header) & 0xffff;

	switch (input->protocol) {
	case IPPROTO_TCP:
		put16(transport + 16, check);
		return;
	case IPPROTO_UDP:
		put16(transport + 6, check ? check : 0xffff);
		return;
	case IPPROTO_ICMPV6:
		put16(transport + 2, check);
		return;
	case IPPROTO_ICMP:
		put16(transport + 2, ~sum(transport, len, 0) & 0xffff);
		return;
	case IPPROTO_SCTP:
		check = crc32c(transport, len);
		for (int i = 0; i < 4; i++) /* least significant byte first */
			transport[8 + i] = check >> 8 * i;
		return;
	}
}

size_t frame_build(const struct input *input, uint8_t ret_frame[FRAME_MAX])
{
	bool four = input->from.family == 4;
	uint8_t *ip = put_ethernet(input, ret_frame);
	uint8_t *transport = four ? put_ip4(input, ip) : put_ip6(input, ip);
	uint8_t *at = input->offset ? transport : put_transport(input, transport);
	size_t length = at - ip + input->len; /* of the IP packet */

	if (length > 65535 + (four ? 0 : 40))
		return 0;
	if (input->len)
		memcpy(at, input->bytes, input->len);
	if (!input->offset)
		set_checksum(input, ip, transport, ip + length - transport);
	if (four) {
		put16(ip + 2, length);
		put16(ip + 10, ~sum(ip, 20, 0) & 0xffff);
	} else {
		put16(ip + 4, length - 40);
	}
	return ip + length - ret_frame;
}
