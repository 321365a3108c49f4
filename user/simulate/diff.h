/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What changes between two generations, exactly: the packets whose verdict is another, as regions (sources ×
 * destinations × services), each with what decides it before and after.
 *
 * It speaks of first packets as space.h has them, of every one there is. Each packet is in one region at most. A region
 * is decided everywhere by the same rule before, and by the same rule after.
 *
 *   widened    dropped before, allowed after
 *   narrowed   allowed before, dropped after
 *   terms      the verdict stays, but not what goes with it: a limit, a TLS check, whether failsafe stands behind it,
 *              whether and how it is logged. A limit's bucket belongs to its rule: another rule's is another limit.
 *
 * Only failsafe looks at source ports, and only of UDP and SCTP: an answer to a failsafe entry passes by itself. Where
 * this makes a difference, a region says of which source ports its packets are.
 *
 * The rest that a policy says (diff_settings): how TCP begins, what is not IP, what is logged by default, the size of
 * the flow tables, interfaces and their `source:`, staged rules. Not compared: never, always, tests, owners, names.
 */
#ifndef ZW_DIFF_H
#define ZW_DIFF_H

#include "compile/tables.h"
#include "policy/policy.h"

enum diff_side { DIFF_OLD, DIFF_NEW, DIFF_SIDES };

/* All borrowed until diff_clear. */
struct diff_source {
	const void *tables;
	const struct zw_layout *layout;
	const struct names *names;
	const struct policy *policy; /* resolved, what the tables were made from: for what they do not say */
	int64_t time; /* as for cells_new() */
};

/* A set of addresses in words: all of `of`, without all of `except`. */
struct diff_term {
	const char *zone; /* NULL: a range */
	enum diff_side side; /* whose zone; DIFF_SIDES: it is the same in both, or only one has it */
	int family;
	struct range range;
};

struct diff_set {
	struct diff_term *of, *except;
	size_t of_count, except_count;
};

/* Each protocol by its number, no place twice. */
struct diff_service {
	struct selectors places;
	struct selectors others; /* all other places that packets of the region's addresses have */
	uint16_t sport_first, sport_last; /* 0..65535: of any source port */
};

struct diff_cause {
	enum zw_reason reason;
	const struct rule_name *rule; /* NULL: a default decides */
	const struct rule *written; /* the same rule */
	const struct rule_name
		*failsafe; /* of terms: the entry that stands behind it, whatever the rules say */
	bool has_limit, has_tls; /* of terms */
	unsigned log; /* of terms: ZW_CELL_LOG... */
};

enum diff_kind { DIFF_WIDENED, DIFF_NARROWED, DIFF_TERMS, DIFF_KINDS };

struct diff_region {
	enum diff_kind kind;
	bool widens; /* more may pass than before: also on other terms, but not if only more is checked, or logged */
	struct diff_set from, to;
	struct diff_service service;
	struct diff_cause cause[DIFF_SIDES];
};

struct diff_setting {
	char *what, *before, *after;
	bool widens; /* more may pass than before */
};

struct diff {
	struct diff_region *regions; /* by kind, then in order of rules */
	size_t region_count;
	size_t of_kind[DIFF_KINDS];
	size_t widening; /* regions and settings that widen */
	struct diff_setting *settings; /* grows by array_grow */
	size_t setting_count;
};

/* 0; -ENOMEM; -EINVAL if tables are damaged. */
int diff_find(const struct diff_source sources[DIFF_SIDES], struct diff *ret_diff);
void diff_clear(struct diff *diff);

static inline bool diff_is_empty(const struct diff *diff)
{
	return !diff->region_count && !diff->setting_count;
}

#endif
