// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/host_use.h"

#include "base/util.h"
#include "policy/moments.h"
#include "simulate/places.h"

/* With `host` a rule matches more once it is known, with `world` less; `pass` hands over to whatever stands behind it. */
static unsigned effects_of(const struct rule *rule)
{
	bool more = zone_list_has(&rule->from, ZONE_INDEX_HOST) || zone_list_has(&rule->to, ZONE_INDEX_HOST);
	bool less = zone_list_has(&rule->from, ZONE_INDEX_WORLD) || zone_list_has(&rule->to, ZONE_INDEX_WORLD);
	bool allows = rule->action == ACTION_ALLOW;
	unsigned effects = 0;

	if (rule->action == ACTION_PASS && (more || less))
		return HOST_MAY_ALLOW | HOST_MAY_DROP;
	if (more)
		effects |= allows ? HOST_MAY_ALLOW : HOST_MAY_DROP;
	if (less)
		effects |= allows ? HOST_MAY_DROP : HOST_MAY_ALLOW;
	return effects;
}

static int add_users(struct host_use *use, const struct rules *rules, int64_t time, bool is_failsafe)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->v[i];
		unsigned effects = rule->mode == MODE_STAGE || rule_has_ended(rule, time) ? 0 : effects_of(rule);

		if (!effects)
			continue;
		if (array_grow(&use->v, use->count, sizeof(*use->v)))
			return -ENOMEM;
		use->v[use->count++] = (struct host_user){ rule, effects, is_failsafe };
	}
	return 0;
}

int host_use_find(const struct policy *policy, int64_t time, struct host_use *ret_use)
{
	int err;

	*ret_use = (struct host_use){ .policy = policy };
	err = add_users(ret_use, &policy->failsafe, time, true);
	return err ? err : add_users(ret_use, &policy->rules, time, false);
}

void host_use_clear(struct host_use *use)
{
	free(use->v);
	*use = (struct host_use){ 0 };
}

/* May the list hold an address of the set? The host may be anywhere. */
static bool list_meets(const struct policy *policy, const struct zone_list *list, const struct ranges *set)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct zone *zone = &policy->zones[list->zone[i]];

		if (zone->kind == ZONE_HOST ? !ranges_empty(set) : ranges_meet(&zone->set, set))
			return true;
	}
	return false;
}

/* exchanged: failsafe's `a` for packets of `b` with ends and ports exchanged (space.h). */
static bool selectors_meet(const struct selector *a, const struct selector *b, bool exchanged)
{
	uint8_t protocol = a->any_protocol ? b->protocol : a->protocol;
	bool by_port;

	if (a->any_protocol && b->any_protocol)
		return true;
	if (!a->any_protocol && !b->any_protocol && a->protocol != b->protocol)
		return false;
	if (exchanged && place_kind(protocol) == PLACE_TCP)
		return false;
	by_port = exchanged && place_kind(protocol) != PLACE_OTHER;
	return by_port || a->any_protocol || b->any_protocol || (a->first <= b->last && b->first <= a->last);
}

static bool services_meet(const struct selectors *a, const struct selectors *b, bool exchanged)
{
	for (size_t i = 0; i < a->count; i++)
		for (size_t j = 0; j < b->count; j++)
			if (selectors_meet(&a->v[i], &b->v[j], exchanged))
				return true;
	return false;
}

static bool matters(const struct policy *policy, const struct host_user *user, const struct region *region)
{
	const struct rule *rule = user->rule;

	if (services_meet(&rule->service, region->service, false) && list_meets(policy, &rule->from, region->source) &&
	    list_meets(policy, &rule->to, region->destination))
		return true;
	return user->is_failsafe && services_meet(&rule->service, region->service, true) &&
	       list_meets(policy, &rule->from, region->destination) && list_meets(policy, &rule->to, region->source);
}

const struct rule *host_use_matters(const struct host_use *use, const struct region *region, unsigned effects)
{
	for (size_t i = 0; i < use->count; i++)
		if (use->v[i].effects & effects && matters(use->policy, &use->v[i], region))
			return use->v[i].rule;
	return NULL;
}
