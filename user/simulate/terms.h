/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Terms: what goes with the verdict of a cell, by its rule or by default: a limit, a TLS check, whether it is logged. Equal
 * terms of both generations have the same number, and a number is a verdict, too.
 */
#ifndef ZW_TERMS_H
#define ZW_TERMS_H

#include "compile/sets.h"
#include "simulate/diff.h"

struct terms {
	const struct diff_source *sources;
	bool with_log;
	uint32_t rule_count[DIFF_SIDES];
	const struct rule **rule[DIFF_SIDES]; /* of each number: the rule or failsafe entry */
	uint32_t *of_rule[DIFF_SIDES]; /* of each number: its terms + 1, 0 not yet known */
	uint32_t plain[8]; /* the same of cells without a limit or a TLS check */
	struct sets all;
};

/* sources are borrowed. 0 or -ENOMEM; the caller clears it in any case. */
int terms_new(const struct diff_source sources[DIFF_SIDES], struct terms *terms);
void terms_clear(struct terms *terms);

int terms_of(struct terms *terms, enum diff_side side, uint32_t cell,
	     uint32_t *ret_number); /* 0 or -ENOMEM */

struct term {
	uint32_t log; /* ZW_CELL_LOG... */
	bool has_limit, has_tls;
};
struct term terms_get(const struct terms *terms, uint32_t number);

/* May more pass on the new terms? A stricter check never widens; another limit may, whatever its rate. */
bool terms_widen(const struct terms *terms, uint32_t old, uint32_t new);

/* The rule or failsafe entry of a number in cells; NULL: there is none. */
const struct rule *terms_rule(const struct terms *terms, enum diff_side side, uint32_t number);

#endif
