// SPDX-License-Identifier: GPL-2.0-only
#include "compile/limits.h"

static bool is_limited(const struct rule *rule)
{
	return rule->limit.set && rule->mode == MODE_ENFORCE && rule->action == ACTION_ALLOW;
}

size_t limits_count(const struct policy *policy)
{
	size_t count = 0;

	for (size_t i = 0; i < policy->rules.count; i++)
		count += is_limited(&policy->rules.v[i]);
	return count;
}

static uint32_t last_limited(const struct policy *policy, const uint32_t *order)
{
	uint32_t number = policy->rules.count;

	while (number && !is_limited(&policy->rules.v[order[number - 1]]))
		number--;
	return number;
}

static struct zw_limit record_of(const struct rule *rule)
{
	uint64_t cost = limit_cost_ns(&rule->limit);

	return (struct zw_limit){
		.key = limit_key(rule->id, &rule->limit),
		.cost_ns = cost,
		.depth_ns = cost * rule->limit.burst,
		.ban_s = rule->limit.ban_s,
		.per_source = rule->limit.per_source,
	};
}

int limits_write(const struct policy *policy, const uint32_t *order, struct lines *lines, struct zw_layout *layout)
{
	uint32_t last = last_limited(policy, order), count = limits_count(policy), n = 0;
	struct zw_limit *record;
	uint32_t *word;
	int err;

	if (!last)
		return 0;
	err = lines_add_bytes(lines, (last + (size_t)1) * sizeof(*word), &layout->limits);
	if (!err)
		err = lines_add_bytes(lines, count * sizeof(*record), &layout->limit_records);
	if (err)
		return err;
	layout->limit_words = last + 1;
	layout->limit_count = count;
	word = lines_at(lines, layout->limits);
	record = lines_at(lines, layout->limit_records);
	for (uint32_t number = 1; number <= last; number++) {
		const struct rule *rule = &policy->rules.v[order[number - 1]];

		if (!is_limited(rule))
			continue;
		word[number] = n;
		record[n++] = record_of(rule);
	}
	return 0;
}
