// SPDX-License-Identifier: GPL-2.0-only
#include "compile/moment.h"

#include "base/util.h"
#include "policy/moments.h"

/* A rule that is staged or has ended keeps its number, and matches nothing. */
static struct rule rule_at(const struct rule *rule, int64_t time)
{
	struct rule then = *rule;

	if (rule->mode == MODE_STAGE || rule_has_ended(rule, time))
		then.service = (struct selectors){ 0 };
	then.mode = MODE_ENFORCE;
	then.expires = false;
	return then;
}

int compile_moment(const struct policy *policy, int64_t time, struct diag *diag, struct tables **ret_tables)
{
	const struct compile_options options = { 0 };
	_cleanup_free_ struct rule *rules = array_new(policy->rules.count, sizeof(*rules));
	struct policy then = *policy;

	if (!rules)
		return -ENOMEM;
	for (size_t i = 0; i < policy->rules.count; i++)
		rules[i] = rule_at(&policy->rules.v[i], time);
	then.rules.v = rules;
	return compile_policy(&then, &options, diag, ret_tables);
}
