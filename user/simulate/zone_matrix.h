/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The matrix of a policy: which services are open from one zone to another, for every first packet there is (space.h),
 * by classes. A cell is made when it is asked for, so the matrix of many zones needs no memory.
 */
#ifndef ZW_ZONE_MATRIX_H
#define ZW_ZONE_MATRIX_H

#include "compile/tables.h"
#include "policy/policy.h"

struct zone_matrix;

/* How a place (protocol, port) is open. */
#define OPEN_PARTLY 1u /* for some addresses or source ports only; else for all */
#define OPEN_FAILSAFE 2u /* some of it by failsafe, against what the rules say */
#define OPEN_WAYS 4

/* What decides some packets of a cell: a rule or failsafe entry, or a default. */
struct matrix_decider {
	bool allow;
	enum zw_reason reason;
	uint32_t rule; /* number, 0 none */
};

struct matrix_cell {
	bool is_empty; /* no packet goes from the one to the other */
	bool all, some; /* all packets are allowed; some are */
	struct selectors open[OPEN_WAYS]; /* of each way, OPEN_... as bits, the places */
	struct selectors possible; /* all places that the cell's packets have */
	struct matrix_decider *deciders; /* those that allow first; rules in their order, then defaults */
	size_t decider_count;
};

/* At a time, as cells_new(). The policy is resolved, the tables are its own; both are borrowed until zone_matrix_free. 0; -ENOMEM; -EINVAL if the tables
 * are damaged. */
int zone_matrix_new(const struct policy *policy, const struct tables *tables, int64_t time,
		    struct zone_matrix **ret_matrix);
void zone_matrix_free(struct zone_matrix *matrix);

/* from, to: indices into policy->zones. The cell is the matrix's, valid until the next call. 0 or -ENOMEM. */
int zone_matrix_cell(struct zone_matrix *matrix, unsigned from, unsigned to,
		     const struct matrix_cell **ret_cell);

#endif
