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

bool limits_ban(const struct policy *policy)
{
	for (size_t i = 0; i < policy->rules.count; i++)
		if (is_limited(&policy->rules.v[i]) && policy->rules.v[i].limit.ban_s)
			return true;
	return false;
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

static int write_records(const struct policy *policy, const uint32_t *order, struct lines *lines, struct zw_layout *layout)
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

static int add_own(const struct policy *policy, struct ranges *spared)
{
	const u128 link_local = (u128)0xfe80 << 112;
	int err = ranges_add_all(spared, &policy->zones[ZONE_INDEX_HOST].set);

	if (!err)
		err = ranges_add(spared, 4, 0xa9fe0000, 0xa9feffff); /* RFC 3927 */
	if (!err)
		err = ranges_add(spared, 6, link_local, link_local | (((u128)1 << 118) - 1)); /* RFC 4291 2.5.6: fe80::/10 */
	return err ? err : ranges_normalise(spared);
}

/* The ranges as spans of their upper bits; what meets there becomes one. Returns how many. */
static size_t write_spans(const struct range *range, size_t count, unsigned shift, struct zw_span *span)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t first = range[i].first >> shift, last = range[i].last >> shift;

		if (n && first <= span[n - 1].last + 1)
			span[n - 1].last = last;
		else
			span[n++] = (struct zw_span){ first, last };
	}
	return n;
}

static int write_spared(const struct policy *policy, struct ranges *spared, struct lines *lines, struct zw_layout *layout)
{
	int err = add_own(policy, spared);

	if (!err)
		err = lines_add_bytes(lines, spared->v4_count * sizeof(struct zw_span), &layout->spared[0]);
	if (!err)
		err = lines_add_bytes(lines, spared->v6_count * sizeof(struct zw_span), &layout->spared[1]);
	if (err)
		return err;
	layout->has_bans = true;
	layout->spared_count[0] = write_spans(spared->v4, spared->v4_count, 0, lines_at(lines, layout->spared[0]));
	layout->spared_count[1] = write_spans(spared->v6, spared->v6_count, 64, lines_at(lines, layout->spared[1]));
	return 0;
}

int limits_write(const struct policy *policy, const uint32_t *order, struct ranges *spared, struct lines *lines,
		 struct zw_layout *layout)
{
	int err = write_records(policy, order, lines, layout);

	return !err && limits_ban(policy) ? write_spared(policy, spared, lines, layout) : err;
}
