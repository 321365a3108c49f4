/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All places (protocol, port) as one line: 65,536 each of tcp, udp, sctp, icmp, icmpv6, then the protocols without ports by
 * number. So a set of places is a list of ranges, and the line is cut where one of two generations tells places apart.
 */
#ifndef ZW_PLACE_LINE_H
#define ZW_PLACE_LINE_H

#include "compile/array.h"
#include "simulate/diff.h"
#include "simulate/places.h"

#define PLACES_PORTED 5
#define PLACES_OTHERS (PLACES_PORTED * 65536u)
#define PLACES_ALL (PLACES_OTHERS + 256u)

/* -1: a number that stands among the others but has ports, or is read through by the parser: no packet has it. */
int places_protocol(uint32_t place);

/*
 * Of which origins (bit i: packet_origins[i]) is there a packet to one of the places first..last? sports: from one of these
 * source ports, first << 16 | last.
 */
unsigned places_origins(uint32_t first, uint32_t last, uint32_t sports);
#define SPORTS_ALL 65535u /* 0..65535 */

struct place_cut {
	uint32_t first, last;
	uint32_t class[DIFF_SIDES];
	enum place_kind kind;
};

struct place_line {
	ARRAY(struct place_cut) cuts; /* ascending */
	size_t begin[PLACE_KINDS + 1]; /* where the cuts of TCP, UDP, SCTP begin, and those behind */
};

/* 0 or -ENOMEM. The caller clears it in any case. */
int place_line_cut(struct cells *const cells[DIFF_SIDES], struct place_line *line);
void place_line_clear(struct place_line *line);

#endif
