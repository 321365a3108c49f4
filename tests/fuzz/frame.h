/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mutations that know what a frame is: bytes alone seldom become a chain of headers whose lengths fit. Lengths are put
 * right mostly, so that what stands behind them is reached, and left wrong often enough.
 */
#ifndef ZW_FUZZ_FRAME_H
#define ZW_FUZZ_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct chance {
	uint64_t state;
};

static uint32_t below(struct chance *c, uint32_t n)
{
	c->state = c->state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(c->state >> 33) % n;
}

#define PICK(c, array) ((array)[below(c, sizeof(array) / sizeof((array)[0]))])

static void put_be16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static unsigned get_be16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

struct buffer {
	uint8_t *bytes;
	size_t len, max;
};

/* len zero bytes at offset at; NULL if there is no room. */
static uint8_t *insert(struct buffer *b, size_t at, size_t len)
{
	if (at > b->len || len > b->max - b->len)
		return NULL;
	memmove(b->bytes + at + len, b->bytes + at, b->len - at);
	memset(b->bytes + at, 0, len);
	b->len += len;
	return b->bytes + at;
}

/* Offset of the IP header, and which; 0 if there is none with its fixed part. */
static int find_ip(const struct buffer *b, bool l3, size_t *ret_at)
{
	size_t at = l3 ? 0 : 14;

	for (int tags = 0; !l3 && tags < 3 && b->len >= at + 4; tags++) {
		unsigned type = get_be16(b->bytes + at - 2);

		if (type != 0x8100 && type != 0x88a8)
			break;
		at += 4;
	}
	*ret_at = at;
	if (b->len >= at + 20 && b->bytes[at] >> 4 == 4)
		return 4;
	return b->len >= at + 40 && b->bytes[at] >> 4 == 6 ? 6 : 0;
}

static void fix_lengths(struct buffer *b, bool l3)
{
	size_t at, header;
	int family = find_ip(b, l3, &at);
	uint8_t *ip = b->bytes + at;

	if (family == 4) {
		put_be16(ip + 2, b->len - at);
		header = (ip[0] & 15) * 4;
		if (ip[9] == 17 && b->len >= at + header + 8)
			put_be16(ip + header + 4, b->len - at - header);
	} else if (family == 6) {
		put_be16(ip + 4, b->len - at - 40);
		if (ip[6] == 17 && b->len >= at + 48)
			put_be16(ip + 44, b->len - at - 40);
	}
}

static const uint8_t ends4[][4] = { { 10, 1, 0, 7 },  { 10, 2, 0, 9 },        { 10, 9, 0, 1 },
				    { 0, 0, 0, 0 },   { 255, 255, 255, 255 }, { 10, 2, 0, 10 },
				    { 224, 0, 0, 1 }, { 127, 0, 0, 1 },       { 10, 1, 0, 8 } };
static const uint8_t ends6[][16] = { { 0xfd, 0, 0, 1, [15] = 7 },
				     { 0xfd, 0, 0, 2, [15] = 9 },
				     { 0xfe, 0x80, [15] = 1 },
				     { 0xff, 2, [15] = 1 },
				     { 0xff, 2, [13] = 1, [15] = 2 },
				     { 0 },
				     { [15] = 1 },
				     { [10] = 0xff, 0xff, 10, 1, 0, 7 },
				     { 0xfd, 0, 0, 2, [15] = 0x10 } };
static const uint8_t protocols[] = { 6, 6, 6, 17, 17, 1, 58, 132, 2, 47, 51, 44, 0, 43, 60, 135, 59, 255 };
static const uint16_t some_ports[] = { 80, 53, 22, 67, 68, 546, 547, 40000, 0, 65535, 9 };
static const uint8_t some_types[] = { 0, 3, 8, 11, 12, 1, 2, 4, 128, 129, 130, 133, 134, 135, 136, 143 };
static const uint8_t some_limits[] = { 64, 1, 255, 254 };
static const uint8_t some_flags[] = { 2, 18, 16, 17, 4, 20, 0, 3, 0x3f, 24 };

static unsigned one_end(struct chance *c)
{
	return below(c, 4) ? below(c, 2) : below(c, sizeof(ends4) / sizeof(ends4[0]));
}

static const uint16_t dhcp[][2] = { { 68, 67 }, { 67, 68 }, { 546, 547 }, { 547, 546 } };

/* An IP packet at the buffer's end, without options or extension headers; quoted: within an ICMP error. */
static void add_packet(struct buffer *b, struct chance *c, int family, bool quoted)
{
	uint8_t protocol = PICK(c, protocols), *ip = insert(b, b->len, family == 4 ? 20 : 40), *h;
	size_t at = b->len;
	unsigned i = below(c, 4);

	if (!ip)
		return;
	if (below(c, 4) == 0)
		protocol = family == 4 ? 1 : 58;
	if (family == 4) {
		ip[0] = 0x45;
		ip[8] = PICK(c, some_limits);
		ip[9] = protocol;
		ip[5] = below(c, 2);
		memcpy(ip + 12, ends4[one_end(c)], 4);
		memcpy(ip + 16, ends4[one_end(c)], 4);
	} else {
		ip[0] = 0x60;
		ip[6] = protocol;
		ip[7] = PICK(c, some_limits);
		memcpy(ip + 8, ends6[one_end(c)], 16);
		memcpy(ip + 24, ends6[one_end(c)], 16);
	}
	h = insert(b, b->len, protocol == 6 ? 20 : protocol == 132 ? 12 : 8);
	if (!h)
		return;
	put_be16(h, PICK(c, some_ports));
	put_be16(h + 2, PICK(c, some_ports));
	if (protocol == 6) {
		h[12] = 0x50;
		h[13] = PICK(c, some_flags);
	} else if (protocol == 17 && below(c, 4) == 0) {
		put_be16(h, dhcp[i][0]);
		put_be16(h + 2, dhcp[i][1]);
	} else if (protocol == 1 || protocol == 58) {
		h[0] = PICK(c, some_types);
		h[1] = below(c, 2);
		put_be16(h + 4, below(c, 2));
		if (!quoted && below(c, 2))
			add_packet(b, c, family, true);
	}
	insert(b, b->len, below(c, 12));
	if (family == 4)
		put_be16(b->bytes + at - 18, b->len - at + 20);
	else
		put_be16(b->bytes + at - 36, b->len - at);
}

static void add_frame(struct buffer *b, struct chance *c, bool l3)
{
	int family = below(c, 2) ? 4 : 6;
	uint8_t *eth = l3 ? NULL : insert(b, b->len, 14);

	if (eth) {
		memcpy(eth, "\x02\0\0\0\0\x02\x02\0\0\0\0\x01", 12);
		put_be16(eth + 12, family == 4 ? 0x0800 : 0x86dd);
	}
	add_packet(b, c, family, false);
	fix_lengths(b, l3);
}

/* An extension header behind the IP header: AH in IPv4, any in IPv6. */
static void add_extension(struct buffer *b, struct chance *c, bool l3)
{
	static const uint8_t kinds[] = { 0, 60, 43, 44, 44, 51, 135 };
	size_t at, header;
	int family = find_ip(b, l3, &at);
	uint8_t kind = family == 4 ? 51 : PICK(c, kinds), words = below(c, 4) ? 0 : below(c, 36), *next, *h;

	if (!family)
		return;
	header = family == 4 ? (b->bytes[at] & 15) * 4 : 40;
	h = insert(b, at + header, kind == 51 ? (words + 2) * 4 : kind == 44 ? 8 : (words + 1) * 8);
	if (!h)
		return;
	next = b->bytes + at + (family == 4 ? 9 : 6);
	h[0] = *next;
	h[1] = words;
	*next = kind;
	if (kind == 44) {
		h[1] = 0;
		put_be16(h + 2, (below(c, 2) ? 0 : below(c, 4) * 8) | below(c, 2));
		h[7] = below(c, 2);
	}
	if (kind == 43)
		h[3] = below(c, 4) == 0;
}

static void add_option(struct buffer *b, struct chance *c, bool l3)
{
	static const uint8_t kinds[] = { 0, 1, 1, 7, 131, 137, 148, 68 },
			     lens[] = { 0, 1, 2, 3, 4, 4, 5, 40 };
	size_t at;
	uint8_t *o;

	if (find_ip(b, l3, &at) != 4 || (b->bytes[at] & 15) == 15)
		return;
	if (below(c, 8) == 0) { /* as many as there can be, of one byte each */
		size_t len = 60 - (b->bytes[at] & 15) * 4;

		o = len <= 40 ? insert(b, at + 20, len) : NULL;
		if (o) {
			memset(o, 1, len);
			b->bytes[at] |= 15;
		}
		return;
	}
	o = insert(b, at + 20, 4);
	if (!o)
		return;
	b->bytes[at]++;
	o[0] = PICK(c, kinds);
	o[1] = o[0] == 1 ? PICK(c, kinds) : PICK(c, lens);
	o[2] = below(c, 2) ? 1 : PICK(c, kinds);
	o[3] = below(c, 2) ? 1 : PICK(c, kinds);
}

static void add_tag(struct buffer *b, struct chance *c)
{
	uint8_t *tag = b->len < 14 ? NULL : insert(b, 12, 4);

	if (!tag)
		return;
	put_be16(tag, below(c, 3) ? 0x8100 : 0x88a8);
	put_be16(tag + 2, below(c, 65536));
}

static void set_link(struct buffer *b, struct chance *c)
{
	static const uint8_t macs[][6] = {
		{ 2, 0, 0, 0, 0, 2 },       { 1, 0x80, 0xc2, 0, 0, 0 }, { 1, 0x80, 0xc2, 0, 0, 0x10 },
		{ 1, 0x80, 0xc2, 0, 1, 0 }, { 1, 0x80, 0xc3 },          { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }
	};
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x0806, 0x0027, 0x88cc, 0x8100, 0x88a8 };

	if (b->len < 14)
		return;
	memcpy(b->bytes, PICK(c, macs), 6);
	if (below(c, 2))
		put_be16(b->bytes + 12, PICK(c, types));
}

/* A field of the IP header, or of what stands behind it, gets a value that means something there. */
static void set_field(struct buffer *b, struct chance *c, bool l3)
{
	size_t at;
	int family = find_ip(b, l3, &at);
	uint8_t *ip = b->bytes + at;

	if (!family)
		return;
	switch (below(c, 6)) {
	case 0:
		ip[family == 4 ? 9 : 6] = PICK(c, protocols);
		break;
	case 1:
		if (family == 4)
			put_be16(ip + 6, (below(c, 2) ? 0x2000 : 0) | (below(c, 2) ? 0 : below(c, 4)));
		else
			memcpy(ip + 24, PICK(c, ends6), 16);
		break;
	case 2:
		if (family == 4)
			memcpy(ip + 12 + 4 * below(c, 2), PICK(c, ends4), 4);
		else
			memcpy(ip + 8 + 16 * below(c, 2), PICK(c, ends6), 16);
		break;
	case 3:
		ip[0] = (below(c, 4) ? ip[0] & 0xf0 : below(c, 16) << 4) | below(c, 16);
		break;
	case 4:
		ip[family == 4 ? 8 : 7] = PICK(c, some_limits);
		break;
	default:
		ip[below(c, b->len - at)] = below(c, 256);
	}
}

/* One or some such changes to the frame in b. */
static void mutate_frame(struct buffer *b, struct chance *c, bool l3)
{
	for (unsigned n = 1 + below(c, 3); n; n--) {
		switch (below(c, 8)) {
		case 0:
			b->len = 0;
			add_frame(b, c, l3);
			break;
		case 1:
		case 2:
			add_extension(b, c, l3);
			break;
		case 3:
			add_option(b, c, l3);
			break;
		case 4:
			if (!l3 && below(c, 3))
				add_tag(b, c);
			else if (!l3)
				set_link(b, c);
			break;
		case 5:
			b->len -= below(c, 4) ? 0 : below(c, b->len + 1);
			break;
		default:
			set_field(b, c, l3);
		}
		if (below(c, 8))
			fix_lengths(b, l3);
	}
}

#endif
