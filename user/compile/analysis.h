/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What rules are for: shadowed, partly shadowed and redundant ones, exact on the classes of a compiled policy matrix and
 * on the packets that there are (policy/packets.h). What failsafe lets pass besides does not count.
 *
 * A rule is shadowed if it decides nothing (nor passes anything on) though there are packets that it matches: earlier
 * rules decide them all. It is partly shadowed if they decide some. It is redundant if every packet has the same
 * verdict without it, while the shadowed rules are there and when they are gone: of two equal rules only the later one
 * is told. Each rule is judged by itself; a second one may be needed once the first is gone. A rule with a limit, a TLS
 * check or an end is never redundant, since its verdict varies; nor is one whose own `log` sends other events than what
 * follows it.
 *
 * While the host's addresses are not known, what is said is true for any: rules that name `host` or `world` are left out,
 * and so is what depends on them.
 */
#ifndef ZW_COMPILE_ANALYSIS_H
#define ZW_COMPILE_ANALYSIS_H

#include "policy/policy.h"

#define NAMED_MAX 3

/* Who decides instead of a rule. */
struct named {
	const struct rule *rule[NAMED_MAX]; /* borrowed from the policy */
	uint8_t count;
	bool more; /* there are other rules */
	bool intra_zone, by_default;
};

struct rule_finding {
	const struct rule *rule;
	bool shadowed, partly, redundant;
	struct named by; /* of a shadowed or partly shadowed rule: what decides before it */
	struct named instead; /* of a redundant rule: what decides as it does */
};

/* Enforced rules in order of evaluation, without those with an empty list. */
struct analysis {
	struct rule_finding *v;
	size_t count;
};

/* "'a' (web.yaml:3), 'b' (web.yaml:7) and the default"; diag knows the files. */
#define NAMED_TEXT_MAX 1024
void named_print(const struct named *named, const struct diag *diag, char *text);
bool named_are_several(const struct named *named);

void analysis_free(struct analysis *analysis);

/* Warns of shadowed and redundant rules (design 4.7). */
void analysis_warn(const struct analysis *analysis, struct diag *diag);

#endif
