/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A whole policy staged beside the one that is enforced (`apply --stage`). Both become one policy: the enforced one as it is, and in
 * tiers before its own the candidate's rules as staged ones, then its intra-zone rule and its default as staged rules, too. So
 * the second decision, which all staged rules make together, is the candidate's, of every first packet; and what is enforced
 * is what it was.
 *
 *   candidate's failsafe | its tiers ... | its intra-zone, its default | the enforced policy's tiers ...
 *
 * What a candidate says besides a verdict has no second decision: limits, TLS checks, logging, non-IP, loose or strict TCP,
 * interfaces and their `source:`. Failsafe is the enforced policy's; the candidate's lets pass what matches an entry as it is, not
 * answers. Rules that the candidate stages itself do not count.
 */
#ifndef ZW_CANDIDATE_H
#define ZW_CANDIDATE_H

#include "compile/tables.h"
#include "policy/policy.h"

struct candidate {
	struct policy policy; /* of both; it borrows from them, and is not to be resolved or freed */
	struct zone *zones;
	struct rule *rules;
	char **tiers;
	size_t owned; /* of the rules, from the first: their ids and ends are the candidate's to free */
};

/* Both are resolved, for the same host, and were read with the same diagnostics. 0 or -ENOMEM; cleared in any case. */
int candidate_make(const struct policy *enforced, const struct policy *policy, struct candidate *candidate);
void candidate_clear(struct candidate *candidate);

/* Tables of both. As compile_policy(). */
int candidate_compile(const struct policy *enforced, const struct policy *policy, const struct compile_options *options,
		      struct diag *diag, struct tables **ret_tables);

#endif
