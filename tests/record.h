/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures for tests, written byte by byte: every format and link type that can be replayed. */
#ifndef ZW_TEST_RECORD_H
#define ZW_TEST_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* As tcpdump.org registers them; DLT_RAW's number in a file is not the one of the library. */
enum record_link { LINK_ETHERNET = 1, LINK_RAW = 101, LINK_SLL = 113, LINK_IPV4 = 228, LINK_IPV6 = 229, LINK_SLL2 = 276 };

struct record_format {
	enum record_link link;
	bool ng; /* pcapng, else pcap */
	bool nano; /* nanoseconds, else microseconds */
	bool swapped; /* the other byte order */
};

void record_begin(FILE *file, const struct record_format *format);
void record_packet(FILE *file, const struct record_format *format, double time, const void *bytes, size_t captured,
		   size_t len);

struct record_cooked {
	unsigned type; /* LINUX_SLL_... */
	unsigned device; /* ARPHRD_...; 0: Ethernet */
};

/*
 * The frame as this link type shows it, in ret_bytes (len + 20 bytes). cooked: for the cooked ones, what they say beside the
 * frame; NULL: nothing. Returns its length, or 0 if that link type cannot show it.
 */
size_t record_convert(enum record_link link, const struct record_cooked *cooked, const uint8_t *frame, size_t len,
		      uint8_t *ret_bytes);

#endif
