// SPDX-License-Identifier: GPL-2.0-only
#include "compile/candidate.h"

#include "base/util.h"

/* Tiers: failsafe, the candidate's, its last words; then the enforced policy's. */
#define TIER_FAILSAFE 0u
#define TIER_FIRST 1u

struct work {
	const struct policy *enforced, *staged;
	struct candidate *candidate;
	size_t zone_count, rule_count; /* so far */
	unsigned tier_last; /* of the candidate */
};

/* --- Zones ---------------------------------------------------------------------------------------------------------- */

/* The candidate's zones are sets that its rules name, and no zones of the policy: they are not told, and not intra-zone. */
static void take_zones(struct work *work)
{
	const struct policy *enforced = work->enforced, *staged = work->staged;
	struct zone *zones = work->candidate->zones;

	memcpy(zones, enforced->zones, enforced->zone_count * sizeof(*zones));
	memcpy(zones + enforced->zone_count, staged->zones, staged->zone_count * sizeof(*zones));
	work->zone_count = enforced->zone_count + staged->zone_count;
	for (size_t i = enforced->zone_count; i < work->zone_count; i++)
		zones[i].kind = ZONE_LITERAL;
}

/* `any` and `host` are the same; `world` is what the candidate's own zones leave. */
static unsigned zone_of(const struct work *work, unsigned zone)
{
	return zone < ZONE_INDEX_WORLD ? zone : work->enforced->zone_count + zone;
}

static int take_end(const struct work *work, const struct zone_list *list, struct zone_list *ret_list)
{
	unsigned *zone = array_new(list->count, sizeof(*zone));

	if (!zone)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++)
		zone[i] = zone_of(work, list->zone[i]);
	*ret_list = (struct zone_list){ zone, list->count };
	return 0;
}

/* --- Rules ---------------------------------------------------------------------------------------------------------- */

static const struct selector any_place = { .any_protocol = true, .last = 65535 };

/* like: its action, service, ends, end and owner are taken. */
static int add_rule(struct work *work, const struct rule *like, unsigned tier, const char *name, const char *of)
{
	struct rule *rule = &work->candidate->rules[work->rule_count];
	int err;

	*rule = *like;
	rule->id = NULL;
	rule->from = rule->to = (struct zone_list){ 0 };
	rule->tier = tier;
	rule->mode = MODE_STAGE;
	rule->log = LOG_UNSET;
	rule->limit = (struct limit){ 0 };
	rule->tls_require = rule->tls_min_1_2 = false;
	work->candidate->owned = ++work->rule_count;
	if (asprintf(&rule->id, CANDIDATE_PREFIX "%s%s%s", name, *of ? ":" : "", of) < 0) {
		rule->id = NULL;
		return -ENOMEM;
	}
	err = take_end(work, &like->from, &rule->from);
	return err ? err : take_end(work, &like->to, &rule->to);
}

static int add_failsafe(struct work *work)
{
	int err = 0;

	for (size_t i = 0; i < work->staged->failsafe.count && !err; i++) {
		struct rule entry = work->staged->failsafe.v[i];

		entry.action = ACTION_ALLOW;
		err = add_rule(work, &entry, TIER_FAILSAFE, entry.id, "");
	}
	return err;
}

static int add_rules(struct work *work)
{
	int err = 0;

	for (size_t i = 0; i < work->staged->rules.count && !err; i++) {
		const struct rule *rule = &work->staged->rules.v[i];

		if (rule->mode == MODE_ENFORCE)
			err = add_rule(work, rule, TIER_FIRST + rule->tier, rule->id, "");
	}
	return err;
}

/* What the candidate does between the addresses of a zone, and with all that is left. */
static int add_end_rule(struct work *work, unsigned zone, enum action action, const char *name)
{
	struct selector any = any_place;
	const struct zone_list end = { .zone = &zone, .count = 1 };
	const struct rule like = { .from = end, .to = end, .service = { &any, 1 }, .service_text = (char *)"any", .action = action };
	int err = add_rule(work, &like, work->tier_last, name, zone == ZONE_INDEX_ANY ? "" : work->staged->zones[zone].name);

	work->candidate->rules[work->rule_count - 1].service.v = (struct selector *)&any_place;
	return err;
}

static bool counts_for_intra_zone(const struct zone *zone)
{
	return zone->kind == ZONE_DECLARED && !zone->is_union;
}

static int add_defaults(struct work *work)
{
	const struct policy *staged = work->staged;
	int err = 0;

	for (size_t i = ZONE_INDEX_FIRST_DECLARED; i < staged->zone_count && !err; i++)
		if (counts_for_intra_zone(&staged->zones[i]) && staged->intra_zone != staged->default_action)
			err = add_end_rule(work, i, staged->intra_zone, "intra-zone");
	return err ? err : add_end_rule(work, ZONE_INDEX_ANY, staged->default_action, "default");
}

static void add_enforced(struct work *work)
{
	for (size_t i = 0; i < work->enforced->rules.count; i++) {
		struct rule *rule = &work->candidate->rules[work->rule_count++];

		*rule = work->enforced->rules.v[i];
		rule->tier += work->tier_last + 1;
	}
}

/* --- The whole ------------------------------------------------------------------------------------------------------ */

static void take_tiers(const struct work *work)
{
	char **tiers = work->candidate->tiers;

	tiers[TIER_FAILSAFE] = (char *)CANDIDATE_PREFIX "failsafe";
	memcpy(tiers + TIER_FIRST, work->staged->tiers, work->staged->tier_count * sizeof(*tiers));
	tiers[work->tier_last] = (char *)CANDIDATE_PREFIX "defaults";
	memcpy(tiers + work->tier_last + 1, work->enforced->tiers, work->enforced->tier_count * sizeof(*tiers));
}

/* In what the enforced policy stages itself nobody is interested meanwhile: the second decision is the candidate's. */
static struct policy policy_of(const struct work *work)
{
	struct candidate *candidate = work->candidate;
	struct policy policy = *work->enforced;

	policy.zones = candidate->zones;
	policy.zone_count = work->zone_count;
	policy.tiers = candidate->tiers;
	policy.tier_count = work->tier_last + 1 + work->enforced->tier_count;
	policy.rules = (struct rules){ candidate->rules, work->rule_count };
	policy.never = policy.always = (struct rules){ 0 };
	policy.test_count = 0;
	return policy;
}

static int fill(struct work *work)
{
	int err;

	take_zones(work);
	take_tiers(work);
	err = add_failsafe(work);
	if (!err)
		err = add_rules(work);
	if (!err)
		err = add_defaults(work);
	if (err)
		return err;
	add_enforced(work);
	work->candidate->policy = policy_of(work);
	return 0;
}

int candidate_make(const struct policy *enforced, const struct policy *policy, struct candidate *candidate)
{
	struct work work = { .enforced = enforced, .staged = policy, .candidate = candidate,
			     .tier_last = TIER_FIRST + policy->tier_count };
	size_t rules = policy->failsafe.count + policy->rules.count + policy->zone_count + 1 + enforced->rules.count;

	*candidate = (struct candidate){
		.zones = array_new(enforced->zone_count + policy->zone_count, sizeof(*candidate->zones)),
		.rules = array_new(rules, sizeof(*candidate->rules)),
		.tiers = array_new(work.tier_last + 1 + enforced->tier_count, sizeof(*candidate->tiers)),
	};
	return candidate->zones && candidate->rules && candidate->tiers ? fill(&work) : -ENOMEM;
}

void candidate_clear(struct candidate *candidate)
{
	for (size_t i = 0; i < candidate->owned; i++) {
		free(candidate->rules[i].id);
		free(candidate->rules[i].from.zone);
		free(candidate->rules[i].to.zone);
	}
	free(candidate->zones);
	free(candidate->rules);
	free(candidate->tiers);
	*candidate = (struct candidate){ 0 };
}

int candidate_compile(const struct policy *enforced, const struct policy *policy, const struct compile_options *options,
		      struct diag *diag, struct tables **ret_tables)
{
	_cleanup_(candidate_clear) struct candidate candidate = { 0 };
	int err = candidate_make(enforced, policy, &candidate);

	return err ? err : compile_policy(&candidate.policy, options, diag, ret_tables);
}
