/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One packet's decision, from the tables in user space: the same decide() that the kernel runs, compiled natively.
 */
#ifndef ZW_DECISION_H
#define ZW_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compile/tables.h"
#include "zonewall.h"

struct decider; /* tables and their flows */

/* tables and layout are borrowed until decider_free. stateful: packets leave flows behind. */
int decider_new(const void *tables, const struct zw_layout *layout, bool stateful, struct decider **ret_decider);
void decider_free(struct decider *decider);

/* Another generation becomes current: its flows stay, and their next packets are decided again. As decider_new. */
void decider_replace(struct decider *decider, const void *tables, const struct zw_layout *layout);

/* Stage block asks this list (borrowed; kernel/blocks.h fills it), whose ends are in jiffies of SIMULATED_HZ. NULL: nothing is blocked. */
void decider_block(struct decider *decider, struct zw_blocks *blocks);

struct frame {
	const void *data; /* an Ethernet frame, without FCS */
	size_t len;
	enum zw_hook hook;
	double time; /* Unix seconds */
	uint8_t mac[6]; /* of the attach point */
	uint32_t source_set; /* of the attach point: names_source_set(); 0 none */
	/* Of test runs only. */
	size_t split; /* XDP: the bytes in its first buffer, 0 all; from Linux 6.18 on */
	uint32_t gso_size, gso_segs; /* TC: payload of a segment, and how many are known to be */
};

struct decision {
	bool allow;
	enum zw_reason reason;
	uint32_t rule; /* number, 0 none */
	uint32_t staged; /* the staged rule that would have decided, as in struct zw_variant; 0 none */
	uint32_t atom[2]; /* of source and destination; ZW_NO_ATOM if no address was read */
};

void decider_decide(struct decider *decider, const struct frame *frame, struct decision *ret_decision);

/* Jiffies a second in a simulation, also of --engine kernel: time is given, not measured. */
#define SIMULATED_HZ 1000

/* The tick of a time. A double is rarely a whole number of milliseconds: it may be a little short of one. */
static inline uint64_t simulated_jiffies(double time)
{
	return time * SIMULATED_HZ + 0.001;
}

/* The atom of an address, from a generation's tables: for the zones of an event. */
uint32_t tables_atom(const void *tables, const struct zw_layout *layout, int family, const void *wire_address);

/* The name of a reason in messages and JSON (section 5): "rule", "tcp-state", ... Same name may stand for an allow and a drop. */
const char *reason_name(enum zw_reason reason);
/* Does the deciding rule stand beside it? For all others section 11 says null. */
bool reason_shows_rule(enum zw_reason reason);
/* All reasons with this name: bit mask by number; 0 if there is none. */
uint32_t reason_find(const char *name);

#endif
