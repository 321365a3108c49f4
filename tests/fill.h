/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whole flow tables in memory, a map's or our own, filled by the code that the programs run (bpf/flow_table.h).
 */
#ifndef ZW_TEST_FILL_H
#define ZW_TEST_FILL_H

#include "flow_table.h"
#include "kernel/flow_read.h"

/* A table of zeros with random seeds, whose memory is free()d by the caller. */
struct flow_table fill_new(int family, uint32_t buckets);

/* Opens a flow, as a packet would. False: its bucket has no room. choice: memory, each thread's own. */
bool fill_open(const struct flow_table *table, const struct ends *ends, const struct opening *opening,
	       struct choice *choice);
/* The same among the first fragments. */
bool fill_fragment(const struct flow_table *table, const struct ends *ends, const struct opening *opening,
		   struct choice *choice);

/* Finds one, as a packet would. */
bool fill_find(const struct flow_table *table, const struct ends *ends, uint64_t now, struct flow *ret_flow);
/* Its account, in the table, begun if it was not; NULL if the flow is not found. */
struct zw_flow_account *fill_account(const struct flow_table *table, const struct ends *ends, uint64_t now);

#endif
