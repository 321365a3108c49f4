/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Can anything in one set of addresses reach anything in another by a service? The answer is exact: the sets are cut where
 * the tables or any stage tell addresses apart, the service where any rule or stage tells ports apart, and one packet of
 * each combination that may be decided differently is decided.
 */
#ifndef ZW_REACH_H
#define ZW_REACH_H

#include "compile/tables.h"
#include "simulate/explain.h"
#include "simulate/space.h"

struct reach_question {
	const struct ranges *from, *to;
	const struct selectors *service;
	struct first_packet packet; /* the rest of each packet: sport, egress, interface */
	bool own_leave; /* instead of egress: packets from this host's addresses leave it, others enter */
};

/* What some packets meet, and one of them. */
struct reach_outcome {
	bool allow;
	enum zw_reason reason;
	uint32_t rule; /* number, 0 none */
	struct first_packet example;
};

struct reach {
	struct reach_outcome *outcomes; /* allowed ones first, each in order of rules; no two alike */
	size_t count;
	/* What failsafe and policy (or stage spoof) let pass and drop; and what passes whatever they say. None: there is no
	 * such packet, all are malformed. */
	bool some_allowed, some_dropped, some_essential;
};

/* Of what policy decides: may all pass, nothing, or some? If it decides none of it: yes if there are packets at all. */
enum reach_answer { REACH_NONE, REACH_NO, REACH_PARTLY, REACH_YES };
enum reach_answer reach_answer(const struct reach *reach);

/* The space is that of the tables. 0; -ENOMEM; -E2BIG: more than REACH_PAIRS_MAX pairs of classes. */
#define REACH_PAIRS_MAX ((uint64_t)1 << 28)
int reach_find(struct space *space, const struct tables *tables, const struct reach_question *question,
	       struct reach *ret_reach);
void reach_clear(struct reach *reach);

#endif
