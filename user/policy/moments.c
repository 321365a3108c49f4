// SPDX-License-Identifier: GPL-2.0-only
#include "policy/moments.h"

#include "base/util.h"

static bool is_enforced_until(const struct rule *rule)
{
	return rule->expires && rule->mode == MODE_ENFORCE;
}

const struct rule *policy_next_end(const struct policy *policy, int64_t time)
{
	const struct rule *first = NULL;

	for (size_t i = 0; i < policy->rules.count; i++) {
		const struct rule *rule = &policy->rules.v[i];

		if (is_enforced_until(rule) && rule->until > time && (!first || rule->until < first->until))
			first = rule;
	}
	return first;
}

/* Where moments begin; the array grows by array_grow. */
struct instants {
	int64_t *v;
	size_t count;
};

static int add_instants(struct instants *instants, const struct policy *policy, int64_t since)
{
	for (size_t i = 0; i < policy->rules.count; i++) {
		const struct rule *rule = &policy->rules.v[i];

		if (!is_enforced_until(rule) || rule->until <= since)
			continue;
		if (array_grow(&instants->v, instants->count, sizeof(*instants->v)))
			return -ENOMEM;
		instants->v[instants->count++] = rule->until;
	}
	return 0;
}

static int compare_instants(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int make_moments(struct instants *instants, int64_t since, struct moments *ret_moments)
{
	struct moments moments = { .v = array_new(instants->count + 1, sizeof(*moments.v)), .count = 1 };

	if (!moments.v)
		return -ENOMEM;
	if (instants->count)
		qsort(instants->v, instants->count, sizeof(*instants->v), compare_instants);
	moments.v[0].begin = since;
	for (size_t i = 0; i < instants->count; i++)
		if (instants->v[i] != moments.v[moments.count - 1].begin) {
			moments.v[moments.count - 1].end = instants->v[i];
			moments.v[moments.count++].begin = instants->v[i];
		}
	moments.v[moments.count - 1].end = TIME_END;
	*ret_moments = moments;
	return 0;
}

int moments_find(const struct policy *const *policies, size_t count, int64_t since, struct moments *ret_moments)
{
	struct instants instants = { 0 };
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = add_instants(&instants, policies[i], since);
	if (!err)
		err = make_moments(&instants, since, ret_moments);
	free(instants.v);
	return err;
}

void moments_clear(struct moments *moments)
{
	free(moments->v);
	*moments = (struct moments){ 0 };
}
