// SPDX-License-Identifier: GPL-2.0-only
#include "compile/analyse.h"

bool unknown_names(const struct analyser *a, uint32_t entry)
{
	const struct rule *rule = entry_at(a, entry)->rule;

	return !a->policy->host_known && rule && !entry_at(a, entry)->staged && (zone_list_names_host(&rule->from) || zone_list_names_host(&rule->to));
}

/* An entry that names host or world: what is asked of very many pairs, close together. */
struct unknown {
	uint32_t entry, end[2];
	bool open[2]; /* its end is any, or names host: it may meet every other */
};

/* Which ends share an address with those of one entry: a class has the ends that hold it. */
struct meeting {
	uint32_t *met[2]; /* of each end: the last entry that met it, plus one */
	bool all[2]; /* this entry's end is any */
};

static void meet_ends(const struct analyser *a, struct meeting *meeting, uint32_t entry)
{
	for (int number = 0; number < 2; number++) {
		const struct side *side = &a->m->entries->side[number];
		uint32_t end = entry_at(a, entry)->end[number];
		size_t classes = 0, ends;
		const uint32_t *class = end == END_ANY ? NULL : lists_get(&side->classes_of, end, &classes);

		meeting->all[number] = end == END_ANY;
		for (size_t i = 0; i < classes; i++) {
			const uint32_t *of_class = sets_get(&side->classes, class[i], &ends);

			for (size_t j = 0; j < ends; j++)
				meeting->met[number][of_class[j]] = entry + 1;
		}
	}
}

/* May the unknown entry's end share an address with this entry's? */
static bool may_meet(const struct meeting *meeting, uint32_t entry, const struct unknown *u, int side)
{
	return meeting->all[side] || u->open[side] || meeting->met[side][u->end[side]] == entry + 1;
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

	if (!services_meet(a->m->services, e->service, u->service))
		return false;
	return e->action != u->action || e->action == ACTION_PASS || judge_verdict(a, unknown).varies || judge_is_heard(a, entry, unknown);
}

/* A rule behind a redundant one that names the host may be the next to decide. */
static void doubt_rule(struct analyser *a, struct meeting *meeting, uint32_t entry, const struct unknown *unknown, size_t count)
{
	struct finding *finding = &a->finding[entry];

	if (!finding->decides || finding->differs || !entry_at(a, entry)->rule)
		return;
	meet_ends(a, meeting, entry);
	for (size_t i = count; i-- > 0 && unknown[i].entry > entry && !finding->differs;)
		finding->differs = may_meet(meeting, entry, &unknown[i], 0) && may_meet(meeting, entry, &unknown[i], 1) &&
				   could_differ(a, entry, unknown[i].entry);
}

static int doubt_redundant(struct analyser *a, const struct unknown *unknown, size_t count)
{
	struct meeting meeting = { 0 };
	int err = 0;

	for (int side = 0; side < 2 && !err; side++) {
		meeting.met[side] = calloc(sets_count(&a->m->entries->side[side].ends) + 1, sizeof(*meeting.met[side]));
		if (!meeting.met[side])
			err = -ENOMEM;
	}
	for (size_t i = 0; i < a->m->entries->all.count && !err; i++)
		doubt_rule(a, &meeting, i, unknown, count);
	free(meeting.met[0]);
	free(meeting.met[1]);
	return err;
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

static struct unknown describe(const struct analyser *a, uint32_t entry)
{
	const struct entry *e = entry_at(a, entry);

	return (struct unknown){
		.entry = entry,
		.end = { e->end[0], e->end[1] },
		.open = { e->end[0] == END_ANY || zone_list_has(&e->rule->from, ZONE_INDEX_HOST),
			  e->end[1] == END_ANY || zone_list_has(&e->rule->to, ZONE_INDEX_HOST) },
	};
}

int unknown_doubt(struct analyser *a)
{
	ARRAY(struct unknown) unknown = { 0 };
	uint32_t passing = UINT32_MAX;
	int err = 0;

	for (size_t i = 0; i < a->m->entries->all.count && !err; i++) {
		if (!unknown_names(a, i))
			continue;
		err = array_push(&unknown, describe(a, i));
		if (entry_at(a, i)->action == ACTION_PASS && entry_at(a, i)->tier < passing)
			passing = entry_at(a, i)->tier;
	}
	if (!err && unknown.count) {
		doubt_tiers(a, passing);
		err = doubt_redundant(a, unknown.v, unknown.count);
	}
	array_free(&unknown);
	return err;
}
