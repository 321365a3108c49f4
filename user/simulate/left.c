// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/left.h"

#include "base/util.h"
#include "compile/tables.h"

/* Two policies that differ by what the rules in question say, and where that shows. */
struct left_round {
	struct policy policy[DIFF_SIDES];
	struct tables *tables[DIFF_SIDES];
	struct diff diff;
};

/* The rules of one round: those that decide, or those of a tier that pass. */
struct choice {
	const bool *is_partly; /* of each rule */
	bool passes;
	unsigned tier;
};

static bool is_chosen(const struct choice *choice, const struct policy *policy, size_t rule)
{
	const struct rule *r = &policy->rules.v[rule];

	if (!choice->is_partly[rule] || choice->passes != (r->action == ACTION_PASS))
		return false;
	return !choice->passes || r->tier == choice->tier;
}

/* A copy that borrows all but its rules, in which the chosen ones say allow on one side and drop on the other. */
static int make_policy(const struct policy *policy, const struct choice *choice, enum diff_side side, struct policy *ret_policy)
{
	size_t count = policy->rules.count;
	struct rule *rules = array_new(count, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	memcpy(rules, policy->rules.v, count * sizeof(*rules));
	for (size_t i = 0; i < count; i++)
		if (is_chosen(choice, policy, i))
			rules[i].action = side == DIFF_OLD ? ACTION_ALLOW : ACTION_DROP;
	*ret_policy = *policy;
	ret_policy->rules.v = rules;
	ret_policy->failsafe.count = 0;
	return 0;
}

static int compile_round(const struct policy *policy, const struct choice *choice, struct left_round *round)
{
	const struct compile_options options = { 0 };
	struct diag *diag = diag_new();
	int err = diag ? 0 : -ENOMEM;

	for (int side = 0; side < DIFF_SIDES && !err; side++) {
		err = make_policy(policy, choice, side, &round->policy[side]);
		if (!err)
			err = compile_policy(&round->policy[side], &options, diag, &round->tables[side]);
	}
	diag_free(diag);
	return err;
}

static int compare_round(struct left_round *round)
{
	struct diff_source sources[DIFF_SIDES];

	for (int side = 0; side < DIFF_SIDES; side++)
		sources[side] = (struct diff_source){
			.tables = round->tables[side]->bytes,
			.layout = &round->tables[side]->layout,
			.names = round->tables[side]->names,
			.policy = &round->policy[side],
		};
	return diff_find(sources, &round->diff);
}

static int take_regions(const struct policy *policy, const struct left_round *round, struct left *left)
{
	for (size_t i = 0; i < round->diff.region_count; i++) {
		const struct diff_region *region = &round->diff.regions[i];
		const struct rule *written = region->cause[DIFF_OLD].written;

		if (region->kind == DIFF_TERMS || !written)
			continue;
		if (array_grow(&left->v, left->count, sizeof(*left->v)))
			return -ENOMEM;
		left->v[left->count++] = (struct left_region){ &policy->rules.v[written - round->policy[DIFF_OLD].rules.v], region };
	}
	return 0;
}

static int add_round(const struct policy *policy, const struct choice *choice, struct left *left)
{
	struct left_round *round;
	int err;

	if (array_grow(&left->rounds, left->round_count, sizeof(*left->rounds)))
		return -ENOMEM;
	round = &left->rounds[left->round_count++];
	*round = (struct left_round){ 0 };
	err = compile_round(policy, choice, round);
	if (!err)
		err = compare_round(round);
	return err;
}

static bool has_chosen(const struct policy *policy, const struct choice *choice)
{
	for (size_t i = 0; i < policy->rules.count; i++)
		if (is_chosen(choice, policy, i))
			return true;
	return false;
}

static int compare(const void *x, const void *y)
{
	const struct left_region *a = x, *b = y;

	if (a->rule != b->rule)
		return a->rule < b->rule ? -1 : 1;
	return a->region < b->region ? -1 : a->region > b->region;
}

static int find(const struct policy *policy, const bool *is_partly, struct left *left)
{
	struct choice choice = { .is_partly = is_partly };
	int err = has_chosen(policy, &choice) ? add_round(policy, &choice, left) : 0;

	choice.passes = true;
	for (choice.tier = 0; choice.tier < policy->tier_count && !err; choice.tier++)
		if (has_chosen(policy, &choice))
			err = add_round(policy, &choice, left);
	for (size_t i = 0; i < left->round_count && !err; i++)
		err = take_regions(policy, &left->rounds[i], left);
	if (left->count)
		qsort(left->v, left->count, sizeof(*left->v), compare);
	return err;
}

int left_find(const struct policy *policy, const struct analysis *analysis, struct left *left)
{
	_cleanup_free_ bool *is_partly = array_new(policy->rules.count, sizeof(*is_partly));
	size_t count = 0;

	*left = (struct left){ 0 };
	if (!is_partly)
		return -ENOMEM;
	for (size_t i = 0; i < analysis->count; i++) {
		is_partly[analysis->v[i].rule - policy->rules.v] = analysis->v[i].partly;
		count += analysis->v[i].partly;
	}
	return count > LEFT_RULES_MAX ? 0 : find(policy, is_partly, left);
}

void left_clear(struct left *left)
{
	for (size_t i = 0; i < left->round_count; i++) {
		struct left_round *round = &left->rounds[i];

		diff_clear(&round->diff);
		for (int side = 0; side < DIFF_SIDES; side++) {
			tables_free(round->tables[side]);
			free(round->policy[side].rules.v);
		}
	}
	free(left->rounds);
	free(left->v);
	*left = (struct left){ 0 };
}

size_t left_of(const struct left *left, const struct rule *rule, const struct left_region **ret_first)
{
	size_t first = 0, last = left->count, end;

	while (first < last) {
		size_t middle = (first + last) / 2;

		if (left->v[middle].rule < rule)
			first = middle + 1;
		else
			last = middle;
	}
	for (end = first; end < left->count && left->v[end].rule == rule;)
		end++;
	*ret_first = left->v + first;
	return end - first;
}
