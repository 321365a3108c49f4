/* SPDX-License-Identifier: GPL-2.0-only */
#include "record.h"

#include <byteswap.h>
#include <string.h>

#define SNAPLEN 262144

/* Both formats are in the writer's byte order. */
static void put32(FILE *file, const struct record_format *format, uint32_t value)
{
	if (format->swapped)
		value = bswap_32(value);
	fwrite(&value, sizeof(value), 1, file);
}

static void put16(FILE *file, const struct record_format *format, uint16_t value)
{
	if (format->swapped)
		value = bswap_16(value);
	fwrite(&value, sizeof(value), 1, file);
}

static void begin_pcap(FILE *file, const struct record_format *format)
{
	put32(file, format, format->nano ? 0xa1b23c4d : 0xa1b2c3d4);
	put16(file, format, 2);
	put16(file, format, 4);
	put32(file, format, 0);
	put32(file, format, 0);
	put32(file, format, SNAPLEN);
	put32(file, format, format->link);
}

/* A section header without a length, then an interface whose option 9 gives the resolution: 10^-6 or 10^-9. */
static void begin_ng(FILE *file, const struct record_format *format)
{
	const uint8_t resolution[4] = { format->nano ? 9 : 6 };

	put32(file, format, 0x0a0d0d0a);
	put32(file, format, 28);
	put32(file, format, 0x1a2b3c4d);
	put16(file, format, 1);
	put16(file, format, 0);
	put32(file, format, 0xffffffff);
	put32(file, format, 0xffffffff);
	put32(file, format, 28);

	put32(file, format, 1);
	put32(file, format, 32);
	put16(file, format, format->link);
	put16(file, format, 0);
	put32(file, format, SNAPLEN);
	put16(file, format, 9);
	put16(file, format, 1);
	fwrite(resolution, sizeof(resolution), 1, file);
	put32(file, format, 0); /* end of options */
	put32(file, format, 32);
}

void record_begin(FILE *file, const struct record_format *format)
{
	if (format->ng)
		begin_ng(file, format);
	else
		begin_pcap(file, format);
}

static void packet_ng(FILE *file, const struct record_format *format, uint64_t ticks, const void *bytes,
		      size_t captured, size_t len)
{
	static const uint8_t padding[4];
	size_t pad = -captured & 3, block = 32 + captured + pad;

	put32(file, format, 6);
	put32(file, format, block);
	put32(file, format, 0);
	put32(file, format, ticks >> 32);
	put32(file, format, ticks);
	put32(file, format, captured);
	put32(file, format, len);
	fwrite(bytes, 1, captured, file);
	fwrite(padding, 1, pad, file);
	put32(file, format, block);
}

void record_packet(FILE *file, const struct record_format *format, double time, const void *bytes, size_t captured,
		   size_t len)
{
	uint64_t second = format->nano ? 1000000000 : 1000000, ticks = time * second + 0.5;

	if (format->ng) {
		packet_ng(file, format, ticks, bytes, captured, len);
		return;
	}
	put32(file, format, ticks / second);
	put32(file, format, ticks % second);
	put32(file, format, captured);
	put32(file, format, len);
	fwrite(bytes, 1, captured, file);
}

static size_t convert_raw(enum record_link link, const uint8_t *frame, size_t len, uint8_t *ret_bytes)
{
	unsigned type = len > 14 ? frame[12] << 8 | frame[13] : 0;
	bool six = type == 0x86dd;

	if (type != 0x0800 && !six)
		return 0;
	if ((link == LINK_IPV4 && six) || (link == LINK_IPV6 && !six) || (link == LINK_RAW && (frame[14] >> 4 == 6) != six))
		return 0;
	memcpy(ret_bytes, frame + 14, len - 14);
	return len - 14;
}

size_t record_convert(enum record_link link, const struct record_cooked *cooked, const uint8_t *frame, size_t len,
		      uint8_t *ret_bytes)
{
	const unsigned device = cooked && cooked->device ? cooked->device : 1;
	const bool v2 = link == LINK_SLL2;
	const size_t head = v2 ? 20 : 16;

	if (link == LINK_ETHERNET) {
		memcpy(ret_bytes, frame, len);
		return len;
	}
	if (link != LINK_SLL && !v2)
		return convert_raw(link, frame, len, ret_bytes);
	if (len < 14)
		return 0;
	memset(ret_bytes, 0, head);
	ret_bytes[v2 ? 10 : 1] = cooked ? cooked->type : 0;
	ret_bytes[v2 ? 8 : 2] = device >> 8;
	ret_bytes[v2 ? 9 : 3] = device;
	ret_bytes[v2 ? 11 : 5] = 6;
	memcpy(ret_bytes + (v2 ? 12 : 6), frame + 6, 6);
	memcpy(ret_bytes + (v2 ? 0 : 14), frame + 12, 2);
	memcpy(ret_bytes + head, frame + 14, len - 14);
	return head + len - 14;
}
