// SPDX-License-Identifier: GPL-2.0-only
#include "compile/analyse.h"

bool unknown_names(const struct analyser *a, uint32_t entry)
{
	const struct rule *rule = entry_at(a, entry)->rule;

	return !a->policy->host_known && rule && (zone_list_names_host(&rule->from) || zone_list_names_host(&rule->to));
}

/* May the ends share an address? `host` may be any. */
static bool ends_meet(const struct policy *policy, const struct zone_list *end, const struct zone_list *unknown)
{
	if (zone_list_has(unknown, ZONE_INDEX_HOST))
		return true;
	for (size_t i = 0; i < end->count; i++)
		for (size_t j = 0; j < unknown->count; j++)
			if (ranges_meet(&policy->zones[end->zone[i]].set, &policy->zones[unknown->zone[j]].set))
				return true;
	return false;
}

static bool services_meet(const struct services *services, uint32_t a, uint32_t b)
{
	size_t a_runs, b_runs;
	const struct class_run *x = services_runs(services, a, &a_runs), *y = services_runs(services, b, &b_runs);

	for (size_t i = 0, j = 0; i < a_runs && j < b_runs;) {
		if (x[i].last < y[j].first)
			i++;
		else if (y[j].last < x[i].first)
			j++;
		else
			return true;
	}
	return false;
}

/* Could the unknown entry, where it decides without this one, change a verdict? */
static bool could_differ(const struct analyser *a, uint32_t entry, uint32_t unknown)
{
	const struct entry *e = entry_at(a, entry), *u = entry_at(a, unknown);
	struct verdict verdict = judge_verdict(a, unknown);

	if (e->action == u->action && e->action != ACTION_PASS && !verdict.varies && !judge_is_heard(a, entry, unknown))
		return false;
	return services_meet(a->m->services, e->service, u->service) && ends_meet(a->policy, &e->rule->from, &u->rule->from) &&
	       ends_meet(a->policy, &e->rule->to, &u->rule->to);
}

/* A rule behind a redundant one that names the host may be the next to decide. */
static void doubt_redundant(struct analyser *a, const uint32_t *unknown, size_t count)
{
	for (size_t i = 0; i < a->m->entries->all.count; i++) {
		struct finding *finding = &a->finding[i];

		for (size_t j = count; j-- > 0 && unknown[j] > i && finding->decides && !finding->differs && entry_at(a, i)->rule;)
			finding->differs = could_differ(a, i, unknown[j]);
	}
}

/* Behind a tier in which a rule may pass more than is known, nothing is certain. */
static void doubt_tiers(struct analyser *a, uint32_t tier)
{
	for (size_t i = 0; i < a->m->entries->all.count; i++) {
		struct finding *finding = &a->finding[i];

		if (entry_at(a, i)->tier <= tier)
			continue;
		finding->differs = true;
		finding->loses = false;
		finding->decides = true;
	}
}

int unknown_doubt(struct analyser *a)
{
	ARRAY(uint32_t) unknown = { 0 };
	uint32_t passing = UINT32_MAX;
	int err = 0;

	for (size_t i = 0; i < a->m->entries->all.count && !err; i++) {
		if (!unknown_names(a, i))
			continue;
		err = array_push(&unknown, i);
		if (entry_at(a, i)->action == ACTION_PASS && entry_at(a, i)->tier < passing)
			passing = entry_at(a, i)->tier;
	}
	if (!err && unknown.count) {
		doubt_tiers(a, passing);
		doubt_redundant(a, unknown.v, unknown.count);
	}
	array_free(&unknown);
	return err;
}
