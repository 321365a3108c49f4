/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a policy says of itself, held against its tables: `tests`, `never`, `always` (design 4.8).
 *
 * A test is one packet, decided as `zonewall simulate` would: one from an address of the host leaves, any other enters.
 * never: no first packet of the region is allowed; always: every one is, and there is one. space.h says what first
 * packets are.
 *
 * Where rules have `until`, a test is a packet of one instant, and never and always hold before and after each of them: also
 * before those that are over, since a clock that is wrong, as at boot, brings such a rule back.
 */
#ifndef ZW_PROVE_H
#define ZW_PROVE_H

#include "compile/tables.h"
#include "policy/moments.h"
#include "simulate/space.h"

enum outcome_kind { OUTCOME_TEST, OUTCOME_NEVER, OUTCOME_ALWAYS };

enum outcome_result {
	OUTCOME_HOLDS,
	OUTCOME_VERDICT, /* a test: another verdict */
	OUTCOME_BY, /* a test: the verdict, but by something else */
	OUTCOME_COUNTEREXAMPLE, /* never: a packet that is allowed; always: one that is dropped */
	OUTCOME_EMPTY, /* always: no packet is in the region */
	OUTCOME_HOST, /* the addresses of the host are not known, and the answer depends on them */
};

struct outcome {
	enum outcome_kind kind;
	enum outcome_result result;
	size_t index; /* into policy->tests, never.v, always.v */
	struct space_packet packet; /* of a test always, else the counterexample */
	struct decision decision; /* of the packet */
	const struct rule *depends; /* OUTCOME_HOST: the rule or entry that names the host; NULL: the region does */
	struct moment moment; /* of never and always: when they do not hold, first; else all times */
};

struct outcomes {
	struct outcome *v; /* tests, never, always; each in the order of the policy */
	size_t count, failed; /* failed: those that do not hold */
};

/* now: when tests are, in Unix seconds. The policy is resolved, the tables are its own. 0; -ENOMEM; -EINVAL if the tables are
 * damaged. */
int prove(const struct policy *policy, const struct tables *tables, int64_t now, struct outcomes *ret_outcomes);
void outcomes_clear(struct outcomes *outcomes);

static inline bool outcome_has_packet(const struct outcome *outcome)
{
	return outcome->kind == OUTCOME_TEST || outcome->result == OUTCOME_COUNTEREXAMPLE;
}

/* never's or always' entry; NULL for a test. */
const struct rule *outcome_region(const struct policy *policy, const struct outcome *outcome);
const struct place *outcome_place(const struct policy *policy, const struct outcome *outcome);

/* The rule or failsafe entry that decided (borrowed from the tables' names), or NULL: a default did. */
const struct rule_name *outcome_rule(const struct tables *tables, const struct outcome *outcome);

#endif
