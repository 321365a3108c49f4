/* SPDX-License-Identifier: GPL-2.0-only */
#include "packet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

static _Noreturn void fail(const char *what, const char *detail)
{
	fprintf(stderr, "packet: %s '%s'\n", what, detail);
	abort();
}

static uint8_t *put(struct packet *p, size_t len)
{
	uint8_t *at = p->data + p->len;

	if (p->len + len > sizeof(p->data))
		fail("too long", "");
	memset(at, 0, len);
	p->len += len;
	return at;
}

static void put16(struct packet *p, unsigned value)
{
	uint8_t *at = put(p, 2);

	at[0] = value >> 8;
	at[1] = value;
}

static void put32(struct packet *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p, value);
}

static void set16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static int or_zero(int value, int right)
{
	return value == 0 ? right : value == NOTHING ? 0 : value;
}

size_t packet_hex(const char *hex, uint8_t *ret_bytes, size_t max)
{
	size_t n = 0;
	int used;
	unsigned byte;

	for (; *hex == ' '; hex++)
		;
	while (*hex) {
		if (n == max || sscanf(hex, "%2x%n", &byte, &used) != 1 || used != 2)
			fail("bad hex", hex);
		ret_bytes[n++] = byte;
		for (hex += used; *hex == ' ' || *hex == ':'; hex++)
			;
	}
	return n;
}

void packet_print_hex(const uint8_t *bytes, size_t len, char *ret_text)
{
	for (size_t i = 0; i < len; i++)
		sprintf(ret_text + 2 * i, "%02x", bytes[i]);
	ret_text[2 * len] = 0;
}

static struct addr address(const char *text)
{
	struct addr addr;

	if (!text || addr_parse(text, &addr) < 0)
		fail("bad address", text ? text : "");
	return addr;
}

static void ethernet(struct packet *p, const struct packet_spec *spec, int family)
{
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };
	uint8_t *eth = put(p, 12);

	memcpy(eth, macs, 12);
	if (spec->dmac && packet_hex(spec->dmac, eth, 6) != 6)
		fail("bad MAC", spec->dmac);
	for (unsigned i = 0; i < spec->tags; i++) {
		put16(p, spec->tpid[i] ? spec->tpid[i] : 0x8100);
		put16(p, spec->vid[i]);
	}
	put16(p, spec->ether_type ? spec->ether_type : family == 4 ? 0x0800 : 0x86dd);
}

static const struct word {
	const char *name;
	unsigned protocol;
} words[] = { { "hop", 0 }, { "dst", 60 }, { "rt", 43 }, { "frag", 44 }, { "ah", 51 }, { "mh", 135 } };

/* Splits the chain into protocols and numbers (-1: none); returns how many. */
static size_t chain_words(const char *chain, unsigned protocol[16], int number[16])
{
	size_t n = 0;

	while (chain && *chain) {
		size_t len = strcspn(chain, " :"), i;

		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strlen(words[i].name) == len && memcmp(words[i].name, chain, len) == 0)
				break;
		if (i == sizeof(words) / sizeof(words[0]) || n == 16)
			fail("bad chain", chain);
		protocol[n] = words[i].protocol;
		chain += len;
		number[n++] = *chain == ':' ? (int)strtol(chain + 1, (char **)&chain, 10) : -1;
		while (*chain == ' ')
			chain++;
	}
	return n;
}

static void fragment_field(const struct packet_spec *spec, uint8_t *at)
{
	set16(at, (spec->offset & 0xfff8) | (spec->more ? 1 : 0));
}

/* Writes the headers and returns the number that the IP header names first. */
static unsigned chain(struct packet *p, const struct packet_spec *spec, int family, unsigned last)
{
	unsigned protocol[17];
	int number[16];
	size_t n = chain_words(spec->chain, protocol, number);
	bool has_fragment = spec->chain && strstr(spec->chain, "frag");

	if (family == 6 && !has_fragment && (spec->fragment || spec->more || spec->offset)) {
		if (n == 16)
			fail("bad chain", spec->chain);
		number[n] = -1;
		protocol[n++] = 44;
	}
	protocol[n] = last;
	for (size_t i = 0; i < n; i++) {
		unsigned length = protocol[i] == 51 ? 4 : 0;
		uint8_t *header;

		if (number[i] >= 0 && protocol[i] != 43)
			length = number[i];
		header = put(p, protocol[i] == 51   ? (length + 2) * 4
				: protocol[i] == 44 ? 8
						    : (length + 1) * 8);
		if (protocol[i] == 51 && length == 0)
			put(p, 4);
		header[0] = protocol[i + 1];
		header[1] = i == n - 1 && spec->chain_len ? spec->chain_len & 0xff : length;
		if (protocol[i] == 43)
			header[3] = number[i] < 0 ? 0 : number[i];
		if (protocol[i] == 44) {
			header[1] = 0;
			fragment_field(spec, header + 2);
			set16(header + 4, spec->id >> 16);
			set16(header + 6, spec->id);
		}
		if (protocol[i] == 0 || protocol[i] == 60)
			header[2] = 1, header[3] = (length + 1) * 8 - 4; /* PadN */
	}
	return protocol[0];
}

static void transport(struct packet *p, const struct packet_spec *spec, unsigned protocol)
{
	unsigned sport = spec->sport ? spec->sport : 40000;
	uint8_t *at;

	switch (protocol) {
	case P_TCP:
		put16(p, sport);
		put16(p, spec->dport);
		put32(p, spec->seq);
		put32(p, spec->ack);
		at = put(p, 8);
		at[0] = or_zero(spec->doff, 5) << 4;
		at[1] = spec->flags ? spec->flags & 0xff : F_SYN;
		set16(at + 2, spec->window ? spec->window : 64240);
		break;
	case P_UDP:
		put16(p, sport);
		put16(p, spec->dport);
		put16(p, or_zero(spec->udp_len, 8 + spec->payload_len));
		put16(p, 0);
		break;
	case P_SCTP:
		put16(p, sport);
		put16(p, spec->dport);
		put(p, 8);
		break;
	case P_ICMP:
	case P_ICMPV6:
		at = put(p, 8);
		at[0] = spec->type;
		at[1] = spec->code;
		set16(at + 4, spec->id);
		break;
	}
}

static void ip4(struct packet *p, const struct packet_spec *spec, const struct addr *from,
		const struct addr *to)
{
	uint8_t options[60], *ip = put(p, 20);
	size_t option_len = spec->options ? packet_hex(spec->options, options, 40) : 0;

	memcpy(put(p, (option_len + 3) & ~3ul), options, option_len);
	ip[0] = or_zero(spec->version, 4) << 4 | or_zero(spec->ihl, 5 + (option_len + 3) / 4);
	set16(ip + 4, spec->id);
	set16(ip + 6, (spec->more ? 0x2000 : 0) | spec->offset / 8);
	ip[8] = spec->hop_limit ? spec->hop_limit : 64;
	addr_to_bytes(from, ip + 12);
	addr_to_bytes(to, ip + 16);
}

static void ip6(struct packet *p, const struct packet_spec *spec, const struct addr *from,
		const struct addr *to)
{
	uint8_t *ip = put(p, 40);

	ip[0] = or_zero(spec->version, 6) << 4;
	ip[7] = spec->hop_limit ? spec->hop_limit : 64;
	addr_to_bytes(from, ip + 8);
	addr_to_bytes(to, ip + 24);
}

void packet_build(const struct packet_spec *spec, struct packet *p)
{
	struct addr from = address(spec->from), to = address(spec->to);
	unsigned protocol = spec->protocol        ? (unsigned)spec->protocol
			    : spec->protocol_zero ? 0
						  : P_TCP,
		 first;
	uint8_t *ip;

	memset(p, 0, sizeof(*p));
	if (from.family != to.family)
		fail("two families", spec->to);
	ethernet(p, spec, from.family);
	p->l3 = p->len;
	if (from.family == 4)
		ip4(p, spec, &from, &to);
	else
		ip6(p, spec, &from, &to);
	ip = p->data + p->l3;
	first = chain(p, spec, from.family, protocol);
	p->l4 = p->len;
	if (spec->offset == 0)
		transport(p, spec, protocol);
	if (spec->payload_len) {
		uint8_t *payload = put(p, spec->payload_len);

		if (spec->payload)
			memcpy(payload, spec->payload, spec->payload_len);
	}
	p->len -= spec->ip_cut < p->len - p->l3 ? spec->ip_cut : p->len - p->l3;
	if (from.family == 4) {
		set16(ip + 2, p->len - p->l3 + spec->total_add);
		ip[9] = first;
	} else {
		set16(ip + 4, p->len - p->l3 - 40 + spec->total_add);
		ip[6] = first;
	}
	p->len -= spec->cut < p->len ? spec->cut : p->len;
	put(p, spec->pad);
}
