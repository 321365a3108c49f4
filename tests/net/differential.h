/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cases of differential.c: a datagram to the allowed or to a denied port (or protocol), unfragmented or as fragments,
 * with headers that are unusual or wrong. Its payload is made of marks: 8 bytes that name the case and would be an UDP
 * header to the allowed port for who reads them as one, as would the bytes of options and extension headers. Cases that
 * are meant for the allowed port are unusual only in ways that do not make them another one's.
 */
#ifndef ZW_DIFFERENTIAL_H
#define ZW_DIFFERENTIAL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALLOWED 5001
#define DENIED 6001
#define RAW 253 /* a protocol for experiments (RFC 3692), denied */
#define PACKET_LEN 1400
#define TRAIN 12
#define MARK 0x7a77
#define SEQUENCE_SHIFT 12 /* a TCP case's number stands above: what acknowledges its payload still says it */

static const uint8_t sender_mac[6] = { 2, 0, 0, 0, 9, 1 }, receiver_mac[6] = { 2, 0, 0, 0, 9, 2 };
static const uint8_t sender4[4] = { 10, 9, 0, 1 }, receiver4[4] = { 10, 9, 0, 2 };
static const uint8_t sender6[16] = { 0xfd, 0, 0, 9, [15] = 1 }, receiver6[16] = { 0xfd, 0, 0, 9, [15] = 2 };

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(random_state >> 33) % n;
}

static bool percent(unsigned n)
{
	return below(100) < n;
}

#define PICK(array) ((array)[below(sizeof(array) / sizeof((array)[0]))])

static void put16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static unsigned get16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static uint32_t sum(uint32_t so_far, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		so_far += i & 1 ? bytes[i] : bytes[i] << 8;
	return so_far;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s;
}

struct bytes {
	uint8_t b[PACKET_LEN + 200];
	size_t len;
};

static uint8_t *add(struct bytes *to, size_t len)
{
	uint8_t *at = to->b + to->len;

	if (to->len + len > sizeof(to->b))
		abort();
	memset(at, 0, len);
	to->len += len;
	return at;
}

struct frame_train {
	struct bytes frame[TRAIN];
	size_t count;
};

struct plan {
	uint32_t number;
	bool allowed; /* the port that it is meant for */
	int family;
	uint8_t protocol;
	uint8_t from[16], to[16];
	size_t address_len;
};

/*
 * Bytes from offset `at` of a datagram on. Eight make an UDP header to the allowed port, of 8 bytes; two of a TCP case's, a
 * SYN to it. They stand at multiples of eight, where fragments begin.
 */
static void fill_marks(const struct plan *p, struct bytes *d, size_t len)
{
	uint8_t mark[8];
	size_t at = d->len;

	put16(mark, MARK);
	put16(mark + 2, ALLOWED);
	put16(mark + 4, p->protocol == IPPROTO_TCP ? 0x5002 : 8);
	put16(mark + 6, p->number);
	add(d, len);
	for (size_t i = at; i < d->len; i++)
		d->b[i] = mark[i % 8];
}

static uint32_t pseudo_sum(const struct plan *p, size_t len)
{
	return sum(sum(0, p->from, p->address_len), p->to, p->address_len) + p->protocol + len;
}

static void make_tcp(const struct plan *p, struct bytes *d, unsigned port)
{
	static const uint8_t flags[] = { 2, 2, 2, 2, 2, 16, 18, 17, 4, 20, 0, 3, 6, 0x3f, 0xc2 };
	size_t options = percent(70) ? 0 : below(11) * 4;
	uint8_t *h = add(d, 20 + options);

	put16(h, 0x8000 | p->number); /* a flow of its own */
	put16(h + 2, port);
	put32(h + 4, p->number << SEQUENCE_SHIFT);
	put32(h + 8, p->number << SEQUENCE_SHIFT);
	h[12] = (percent(95) ? 20 + options : below(16) * 4) << 2;
	h[13] = percent(80) ? PICK(flags) : below(256);
	put16(h + 14, 1024);
	memset(h + 20, 1, options);
}

static void make_udp(const struct plan *p, struct bytes *d, unsigned port, size_t payload)
{
	uint8_t *h = add(d, 8);

	put16(h, 0x8000 | p->number);
	put16(h + 2, port);
	put16(h + 4, percent(92) ? 8 + payload : below(8 + payload + 20));
}

static void make_echo(const struct plan *p, struct bytes *d)
{
	uint8_t *h = add(d, 8);

	h[0] = p->family == 4 ? 8 : 128;
	put16(h + 4, ALLOWED);
	put16(h + 6, p->number);
}

/* What the IP packet carries, with its checksum. */
static void make_datagram(const struct plan *p, struct bytes *d)
{
	size_t payload = 16 + below(percent(80) ? 120 : 600), at = 0;
	unsigned port = p->allowed ? ALLOWED : DENIED;
	uint16_t checksum;

	d->len = 0;
	if (p->protocol == IPPROTO_TCP) {
		make_tcp(p, d, port);
		payload = percent(70) ? 0 : payload;
		at = 16;
	} else if (p->protocol == IPPROTO_UDP) {
		make_udp(p, d, port, payload);
		at = 6;
	} else if (p->protocol != RAW) {
		make_echo(p, d);
		at = 2;
	}
	fill_marks(p, d, payload);
	if (!at)
		return;
	/* UDP's length counts what it says, which the stack will take as the datagram's. */
	if (p->protocol == IPPROTO_UDP && get16(d->b + 4) >= 8 && get16(d->b + 4) <= d->len)
		checksum = fold(sum(pseudo_sum(p, get16(d->b + 4)), d->b, get16(d->b + 4)));
	else
		checksum = fold(sum(p->protocol == IPPROTO_ICMP ? 0 : pseudo_sum(p, d->len), d->b, d->len));
	put16(d->b + at, checksum ? checksum : 0xffff);
}

static void add_options(struct bytes *f)
{
	static const struct {
		const char *bytes;
		size_t len;
	} options[] = {
		/* Headers to the allowed port for who takes the IP header for 20 bytes: UDP, TCP. */
		{ "\x1e\x08\x13\x89\x00\x08\x00\x00", 8 },
		{ "\x1e\x14\x13\x89\0\0\0\0\0\0\0\0\x50\x02\0\0\0\0\0\0", 20 },
		{ "\x01\x01\x01\x01", 4 },
		{ "\x00\x13\x89\x13", 4 },
		{ "\x94\x04\x00\x00", 4 },
		{ "\x07\x07\x04\x00\x00\x00\x00\x00", 8 },
		{ "\x83\x07\x04\x0a\x09\x00\x02\x00", 8 },
		{ "\x89\x03\x04\x00", 4 },
		{ "\x44\x0c\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00", 12 },
		{ "\x07\x02\x04\x00", 4 },
		{ "\x82\x0b\x13\x89\x13\x89\x00\x00\x00\x00\x00\x00", 12 },
		{ "\x1e\x28\x13\x89", 4 },
		{ "\x01\x01\x01\x83", 4 },
	};
	size_t i = percent(50) ? below(2) : below(sizeof(options) / sizeof(options[0])), more;

	memcpy(add(f, options[i].len), options[i].bytes, options[i].len);
	if (percent(30)) {
		more = below((40 - options[i].len) / 4 + 1) * 4;
		memset(add(f, more), 1, more);
	}
}

/* A whole option, to be skipped; type and length are the allowed port. An UDP header of 8 bytes, or a SYN. */
static void add_port_option(uint8_t *h)
{
	put16(h + 2, ALLOWED);
	h[5] = 8;
	h[12] = 0x50;
	h[13] = 2;
	h[141] = h[142] = 1;
}
#define PORT_OPTION_WORDS 17 /* 8 more bytes each */

/* Extension headers from the IPv6 header on, or AH in IPv4; next: where the number of the first one goes. */
static uint8_t *add_extensions(struct bytes *f, uint8_t *next, int family, bool first)
{
	static const uint8_t kinds[] = { 60, 60, 60, 43, 0, 51, 135, 44 };
	unsigned count = percent(85) ? below(3) : below(11);

	for (unsigned i = 0; i < count; i++) {
		uint8_t kind = family == 4 ? 51 : i == 0 && first && percent(40) ? 0 : PICK(kinds);
		bool ports = kind == 60 && percent(30);
		unsigned words = ports ? PORT_OPTION_WORDS : percent(85) ? 0 : below(24);
		size_t len = kind == 51 ? (words + 2) * 4 : kind == 44 ? 8 : (words + 1) * 8;
		uint8_t *h;

		if (f->len + len > PACKET_LEN / 2)
			break;
		h = add(f, len);
		*next = kind;
		next = h;
		h[1] = kind == 44 ? 0 : words;
		if (ports) {
			add_port_option(h);
		} else if (kind == 0 || kind == 60) {
			h[2] = percent(80) ? 1 : 0x1e; /* padding, or one to skip */
			h[3] = len - 4;
		}
		if (kind == 43) {
			h[2] = percent(50) ? 0 : below(5);
			h[3] = percent(80) ? 0 : 1;
		}
		if (kind == 44)
			put32(h + 4, below(1000));
	}
	return next;
}

static void add_link(const struct plan *p, struct bytes *f)
{
	static const uint8_t macs[][6] = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
					   { 1, 0x80, 0xc2, 0, 0, 0 },
					   { 1, 0x80, 0xc2, 0, 0, 0x0e },
					   { 0x33, 0x33, 0, 0, 0, 1 },
					   { 2, 0, 0, 0, 9, 9 },
					   { 1, 0, 0x5e, 0, 0, 1 } };
	static const uint16_t tpids[] = { 0x9100, 0x8100, 0x8100, 0x88a8 },
			      vids[] = { 0, 0, 5, 5, 7, 0x2005, 9 };
	unsigned tags = percent(80) ? 0 : 1 + below(3), type = p->family == 4 ? 0x0800 : 0x86dd;
	uint8_t *eth = add(f, 12);

	memcpy(eth, percent(94) ? receiver_mac : PICK(macs), 6);
	memcpy(eth + 6, sender_mac, 6);
	for (unsigned i = 0; i < tags; i++) {
		uint8_t *tag = add(f, 4);

		put16(tag, tpids[p->allowed + below(4 - p->allowed)]);
		put16(tag + 2, PICK(vids));
	}
	if (!p->allowed && percent(1)) /* 802.2: a length, then LLC and SNAP */
		memcpy(add(f, 8), "\x01\x00\xaa\xaa\x03\x00\x00\x00", 8);
	put16(add(f, 2), p->allowed || percent(99) ? type : type ^ (0x0800 ^ 0x86dd));
}

/* What is bent in one fragment, or in the whole packet. */
struct piece {
	size_t from, to; /* bytes of the datagram */
	size_t at; /* what its offset field says; `from` mostly */
	bool more, fragmented;
	uint32_t id;
	uint8_t protocol;
};

/* A bit of an allowed case's header might make it another one, which is then denied; so might another IHL. */
static void bend_bytes(const struct plan *p, struct bytes *f, size_t l3, size_t header_end)
{
	if (!p->allowed && percent(3))
		f->b[l3 + below(header_end - l3)] ^= 1 << below(8);
	if (percent(2) && f->len > l3 + 24)
		f->len -= below(f->len - l3 - 20);
	else if (percent(10))
		memset(add(f, 1 + below(30)), percent(50) ? 0 : 0x13, 1);
}

static void make_frame4(const struct plan *p, const struct piece *piece, const struct bytes *d,
			struct bytes *f)
{
	size_t l3 = f->len, header, len = piece->to - piece->from;
	uint8_t *ip = add(f, 20);

	if (percent(25))
		add_options(f);
	header = f->len - l3;
	ip[0] = percent(99) ? 0x40 : below(16) << 4;
	ip[0] |= p->allowed || percent(98) ? header / 4 : below(16);
	put16(ip + 4, piece->id);
	put16(ip + 6, (percent(20) ? 0x4000 : 0) | (piece->more ? 0x2000 : 0) | piece->at / 8);
	ip[8] = 64;
	ip[9] = piece->protocol;
	memcpy(ip + 12, p->from, 4);
	memcpy(ip + 16, p->to, 4);
	if (percent(3))
		*add_extensions(f, ip + 9, 4, true) = piece->protocol;
	memcpy(add(f, len), d->b + piece->from, len);
	put16(ip + 2, percent(96) ? f->len - l3 : f->len - l3 + below(9) - 4);
	bend_bytes(p, f, l3, l3 + header);
	header = (ip[0] & 15) * 4;
	put16(ip + 10, 0);
	if (header >= 20 && l3 + header <= f->len)
		put16(ip + 10, fold(sum(0, ip, header)));
}

static void make_frame6(const struct plan *p, const struct piece *piece, const struct bytes *d,
			struct bytes *f)
{
	size_t l3 = f->len, len = piece->to - piece->from;
	uint8_t *ip = add(f, 40), *next = ip + 6, *h;
	bool atomic = !piece->fragmented && percent(10);

	ip[0] = percent(99) ? 0x60 : below(256);
	ip[7] = 64;
	memcpy(ip + 8, p->from, 16);
	memcpy(ip + 24, p->to, 16);
	if (percent(30))
		next = add_extensions(f, next, 6, true);
	if (piece->fragmented || atomic) {
		*next = 44;
		h = add(f, 8);
		put16(h + 2, piece->at | (piece->more ? 1 : 0) | (percent(5) ? 6 : 0));
		put32(h + 4, piece->id);
		next = h;
	}
	/* A chain within the fragmentable part stands in the first fragment; no room is made for it in later ones. */
	if (!piece->fragmented && percent(15))
		next = add_extensions(f, next, 6, false);
	*next = piece->protocol;
	memcpy(add(f, len), d->b + piece->from, len);
	put16(ip + 4, percent(96) ? f->len - l3 - 40 : f->len - l3 - 40 + below(9) - 4);
	bend_bytes(p, f, l3, l3 + 40);
}

static void add_piece(const struct plan *p, const struct piece *piece, const struct bytes *d,
		      struct frame_train *t)
{
	struct bytes *f;

	if (t->count == TRAIN)
		return;
	f = &t->frame[t->count++];
	f->len = 0;
	add_link(p, f);
	if (p->family == 4)
		make_frame4(p, piece, d, f);
	else
		make_frame6(p, piece, d, f);
}

/* Cuts [0, len) at multiples of 8. */
static size_t cut(const struct plan *p, size_t len, struct piece *pieces)
{
	size_t count = 2 + below(4), n = 0, from = 0;
	uint32_t id = p->family == 4 ? p->number & 0xffff : p->number;

	while (from < len && n < count) {
		size_t left = len - from,
		       part = n + 1 == count || left <= 16 ? left : (1 + below(left / 8)) * 8;

		if (n == 0 && percent(10))
			part = 8;
		if (part > left)
			part = left;
		pieces[n] =
			(struct piece){ from, from + part, from, from + part < len, true, id, p->protocol };
		from += part;
		n++;
	}
	pieces[n - 1].more = false;
	return n;
}

static void bend_pieces(const struct plan *p, struct piece *pieces, size_t *count, size_t len)
{
	size_t i = below(*count), j = below(*count);
	struct piece kept = pieces[i];

	switch (below(10)) {
	case 0: /* two exchanged */
		pieces[i] = pieces[j];
		pieces[j] = kept;
		break;
	case 1: /* one twice */
		pieces[(*count)++] = kept;
		break;
	case 2: /* one reaches back into the one before */
		if (kept.from >= 8) {
			pieces[i].from -= 8;
			pieces[i].at -= 8;
		}
		break;
	case 3: /* one says it stands elsewhere */
		pieces[i].at = below(len / 8 + 1) * 8;
		break;
	case 4:
		pieces[i].more = !kept.more;
		break;
	case 5:
		pieces[i].at = 65528;
		break;
	case 6: /* the protocol of the first one counts, in IPv6; in IPv4 this is of another datagram */
		pieces[i].protocol = percent(50) ? IPPROTO_UDP : IPPROTO_TCP;
		break;
	case 7:
		pieces[i].to -= pieces[i].to > pieces[i].from + 4 ? 1 + below(3) : 0;
		break;
	case 8:
		pieces[i].id ^= 1;
		break;
	default:
		pieces[i] = pieces[--*count];
		*count += *count == 0;
	}
	if (p->allowed && !pieces[i].at) /* the first bytes are ports: others would make it another case */
		pieces[i].at = pieces[i].from;
}

/* A first fragment that is allowed, with which the others might be taken for allowed. */
static void add_decoy(const struct plan *p, const struct piece *like, const struct bytes *d,
		      struct frame_train *t)
{
	struct bytes decoy = *d;
	struct piece piece = *like;

	piece.from = piece.at = 0;
	piece.to = percent(50) ? 8 : 24;
	piece.more = true;
	if (piece.to > d->len)
		return;
	put16(decoy.b + 2, ALLOWED);
	add_piece(p, &piece, &decoy, t);
}

static void make_train(const struct plan *p, const struct bytes *d, struct frame_train *t)
{
	struct piece pieces[TRAIN + 8] = { { 0, d->len, 0, false, false, p->number & 0xffff, p->protocol } };
	size_t count = 1;

	t->count = 0;
	if (d->len > 16 && percent(45)) {
		count = cut(p, d->len, pieces);
		for (unsigned bends = percent(40) ? 0 : 1 + below(2); bends && count < TRAIN; bends--)
			bend_pieces(p, pieces, &count, d->len);
		if (!p->allowed && percent(30))
			add_decoy(p, pieces, d, t);
	}
	for (size_t i = 0; i < count; i++) {
		add_piece(p, &pieces[i], d, t);
		if (!p->allowed && i == 0 && count > 1 && percent(15))
			add_decoy(p, pieces, d, t);
	}
}

/* Ends that no rule names, or that are not to be believed: for denied cases, which must not pass by them either. */
static void bend_ends(struct plan *p)
{
	static const uint8_t odd4[][4] = { { 255, 255, 255, 255 }, { 10, 9, 0, 255 }, { 224, 0, 0, 1 },
					   { 127, 0, 0, 1 },       { 0, 0, 0, 0 },    { 10, 9, 0, 2 },
					   { 10, 9, 5, 2 },        { 192, 0, 2, 1 } };
	static const uint8_t odd6[][16] = { { 0xff, 2, [15] = 1 },
					    { [15] = 1 },
					    { 0 },
					    { [10] = 0xff, 0xff, 10, 9, 0, 2 },
					    { 0xfd, 0, 0, 9, [15] = 2 },
					    { 0x20, 1, 0x0d, 0xb8, [15] = 1 } };
	uint8_t *which = percent(50) ? p->from : p->to;

	if (p->family == 4)
		memcpy(which, PICK(odd4), 4);
	else
		memcpy(which, PICK(odd6), 16);
}

static void make_case(uint64_t seed, uint32_t number, struct plan *p, struct frame_train *t)
{
	static const uint8_t protocols[] = { IPPROTO_UDP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_TCP,
					     IPPROTO_TCP, 0,           RAW };
	struct bytes datagram;

	random_state = seed * 0x9e3779b97f4a7c15ull + number;
	below(1);
	*p = (struct plan){ .number = number, .allowed = percent(30), .family = percent(50) ? 4 : 6 };
	p->protocol = p->allowed ? protocols[below(5)] : PICK(protocols);
	if (!p->protocol)
		p->protocol = p->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	p->address_len = p->family == 4 ? 4 : 16;
	memcpy(p->from, p->family == 4 ? sender4 : sender6, p->address_len);
	memcpy(p->to, p->family == 4 ? receiver4 : receiver6, p->address_len);
	if (!p->allowed && percent(8))
		bend_ends(p);
	make_datagram(p, &datagram);
	make_train(p, &datagram, t);
}

#endif
