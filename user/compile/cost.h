/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tables of a generation take, and what a packet may have to read of them: known before anything is loaded.
 *
 * Reads are lines of 64 bytes, cache lines, in the worst case that these tables have: of a packet of no open flow that the
 * policy drops, and for which then the failsafe entries are asked. A packet of an open flow reads none of them; for one that was
 * asked for lately, and is dropped, the match cache is read instead (bpf/match_cache.h).
 */
#ifndef ZW_COMPILE_COST_H
#define ZW_COMPILE_COST_H

#include "compile/tables.h"

enum cost_read {
	COST_READ_CACHE, /* the line of the packet's key, which has only others */
	COST_READ_ADDRESSES, /* of both ends */
	COST_READ_ATOMS, /* what is known of the two */
	COST_READ_ORIGIN, /* is the source right for the interface? */
	COST_READ_PORT,
	COST_READ_PAIR, /* which row the ends have */
	COST_READ_ROW,
	COST_READ_TERMS, /* which of the decisions that follow each other holds */
	COST_READ_FAILSAFE, /* the same of the failsafe entries */
	COST_READS,
};

struct cost {
	size_t bytes[TABLES_PARTS]; /* together: the tables */
	size_t counters_bytes; /* of the rules, a CPU */
	size_t cache_bytes; /* of matches, a CPU; less where CPUs are many */
	unsigned reads[2][COST_READS]; /* IPv4, IPv6 */
	/* What costs most of each; NULL: nothing does. Borrowed from the tables. */
	const char *zone, *rule;
	size_t zone_ranges;
	uint64_t rule_sources, rule_destinations; /* classes: their product is what the rule costs */
};

void cost_find(const struct tables *tables, struct cost *ret_cost);
unsigned cost_sum(const unsigned reads[COST_READS]);

/* Names for people and programs: "addresses4", "pairs", ... */
const char *cost_part_name(enum tables_part part);
const char *cost_read_name(enum cost_read read);

#endif
