// SPDX-License-Identifier: GPL-2.0-only
/* What is no mistake, and probably not meant (design 4.7); and what this version cannot do yet. */
#include <time.h>

#include "policy/packets.h"
#include "policy/reader.h"

/* Zones that may hold another one are looked for at one address of it; so many of them are compared in full. */
#define CONTAINERS_TRIED 16

static void mark_list(const struct zone_list *list, bool *used)
{
	for (size_t i = 0; i < list->count; i++)
		used[list->zone[i]] = true;
}

static void mark_rules(const struct rules *rules, bool *used)
{
	for (size_t i = 0; i < rules->count; i++) {
		mark_list(&rules->v[i].from, used);
		mark_list(&rules->v[i].to, used);
	}
}

int policy_used_zones(const struct policy *policy, bool *used)
{
	_cleanup_free_ unsigned *order = array_new(policy->zone_count, sizeof(*order));
	int cycle, err = order ? zones_order(policy, order, &cycle) : -ENOMEM;

	if (err)
		return err;
	mark_rules(&policy->rules, used);
	mark_rules(&policy->failsafe, used);
	mark_rules(&policy->never, used);
	mark_rules(&policy->always, used);
	for (size_t i = 0; i < policy->interface_count; i++)
		if (policy->interfaces[i].has_source)
			used[policy->interfaces[i].source] = true;
	/* Unions come after their members, so from the end. */
	for (size_t i = policy->zone_count; i-- > 0;) {
		const struct zone *zone = &policy->zones[order[i]];

		for (size_t j = 0; used[order[i]] && j < zone->zone_count; j++)
			used[zone->zones[j]] = true;
	}
	return 0;
}

static void warn_unused(const struct policy *policy, struct diag *diag, const bool *used)
{
	for (size_t i = ZONE_INDEX_FIRST_DECLARED; i < policy->zone_count; i++)
		if (policy->zones[i].kind == ZONE_DECLARED && !used[i])
			diag_warning(diag, &policy->zones[i].place, NULL, "no rule uses zone '%s'",
				     policy->zones[i].name);
}

static void warn_rule(const struct policy *policy, const struct packet_ends *ends, struct diag *diag, const struct rule *rule,
		      int64_t now)
{
	const char *why = packets_why_none(policy, ends, rule);

	if (why)
		diag_warning(diag, &rule->place, NULL, "rule '%s' matches nothing: %s", rule->id, why);
	if (rule->expires && rule->until <= now)
		diag_warning(diag, &rule->place, "take the rule away, or give it a later 'until'", "rule '%s' has expired",
			     rule->id);
	if (rule->action != ACTION_ALLOW)
		return;
	if (zone_list_has(&rule->from, ZONE_INDEX_ANY) && zone_list_has(&rule->to, ZONE_INDEX_ANY))
		diag_warning(diag, &rule->place, NULL, "rule '%s' allows from any to any", rule->id);
	if (selectors_have_any(&rule->service))
		diag_warning(diag, &rule->place, NULL, "rule '%s' allows the service any", rule->id);
}

static void warn_empty_world(const struct policy *policy, struct diag *diag, const bool *used)
{
	const struct rules *lists[] = { &policy->rules, &policy->failsafe, &policy->never, &policy->always };

	if (!used[ZONE_INDEX_WORLD] || !ranges_empty(&policy->zones[ZONE_INDEX_WORLD].set))
		return;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t j = 0; j < lists[i]->count; j++) {
			const struct rule *rule = &lists[i]->v[j];

			if (!zone_list_has(&rule->from, ZONE_INDEX_WORLD) && !zone_list_has(&rule->to, ZONE_INDEX_WORLD))
				continue;
			diag_warning(diag, &rule->place, NULL,
				     "'%s' uses 'world', which is empty: the zones list every address", rule->id);
			return;
		}
}

/* Does each range of a lie in one of b? Both are sets. */
static bool is_within(const struct range *a, size_t a_count, const struct range *b, size_t b_count)
{
	size_t j = 0;

	for (size_t i = 0; i < a_count; i++) {
		while (j < b_count && b[j].last < a[i].last)
			j++;
		if (j == b_count || b[j].first > a[i].first)
			return false;
	}
	return true;
}

static bool lies_in(const struct zone *inner, const struct zone *outer)
{
	return is_within(inner->set.v4, inner->set.v4_count, outer->set.v4, outer->set.v4_count) &&
	       is_within(inner->set.v6, inner->set.v6_count, outer->set.v6, outer->set.v6_count);
}

/* An end of a range of a zone; or, with is_probe, the first address of a zone, where its containers are asked for. */
struct edge {
	int family;
	u128 at;
	enum { EDGE_FIRST, EDGE_PROBE, EDGE_LAST } kind; /* at one address, in this order */
	unsigned zone;
};

static int compare_edges(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->zone < y->zone ? -1 : x->zone > y->zone;
}

struct edges {
	struct edge *v;
	size_t count;
};

static int add_edges(struct edges *edges, int family, const struct range *range, size_t count, unsigned zone)
{
	for (size_t i = 0; i < count; i++) {
		if (array_grow(&edges->v, edges->count, sizeof(*edges->v)))
			return -ENOMEM;
		edges->v[edges->count++] = (struct edge){ family, range[i].first, EDGE_FIRST, zone };
		if (array_grow(&edges->v, edges->count, sizeof(*edges->v)))
			return -ENOMEM;
		edges->v[edges->count++] = (struct edge){ family, range[i].last, EDGE_LAST, zone };
	}
	return 0;
}

static bool is_placed(const struct zone *zone)
{
	return zone->kind == ZONE_DECLARED && !zone->is_union;
}

static int collect_edges(const struct policy *policy, struct edges *edges)
{
	int err = 0;

	for (size_t i = ZONE_INDEX_FIRST_DECLARED; !err && i < policy->zone_count; i++) {
		const struct ranges *set = &policy->zones[i].set;
		int family = set->v4_count ? 4 : 6;

		if (!is_placed(&policy->zones[i]) || ranges_empty(set))
			continue;
		err = add_edges(edges, 4, set->v4, set->v4_count, i);
		if (!err)
			err = add_edges(edges, 6, set->v6, set->v6_count, i);
		if (!err)
			err = array_grow(&edges->v, edges->count, sizeof(*edges->v));
		if (!err)
			edges->v[edges->count++] = (struct edge){
				family, family == 4 ? set->v4[0].first : set->v6[0].first, EDGE_PROBE, i
			};
	}
	if (edges->count)
		qsort(edges->v, edges->count, sizeof(*edges->v), compare_edges);
	return err;
}

/* The open zones are a list without order: taking one out puts the last one into its place. */
struct open {
	unsigned *zone, *position;
	size_t count;
};

static void warn_inside(const struct policy *policy, struct diag *diag, const struct open *open, unsigned inner)
{
	const struct zone *zone = &policy->zones[inner];
	size_t tried = 0;

	for (size_t i = open->count; i-- > 0 && tried < CONTAINERS_TRIED;) {
		const struct zone *outer = &policy->zones[open->zone[i]];

		if (open->zone[i] == inner)
			continue;
		tried++;
		if (!lies_in(zone, outer))
			continue;
		diag_warning(diag, &zone->place, NULL,
			     "zone '%s' lies inside zone '%s': intra-zone: allow opens it to all of that zone", zone->name,
			     outer->name);
		return;
	}
}

/*
 * Zones inside others, in one sweep over all ends: whatever holds a zone holds its first address. Where very many
 * zones overlap, only some are compared, so that the work stays in proportion.
 */
static int warn_nested(const struct policy *policy, struct diag *diag)
{
	_cleanup_free_ unsigned *zone = array_new(policy->zone_count, sizeof(*zone));
	_cleanup_free_ unsigned *position = array_new(policy->zone_count, sizeof(*position));
	struct open open = { zone, position, 0 };
	struct edges edges = { 0 };
	int err = zone && position ? collect_edges(policy, &edges) : -ENOMEM;

	for (size_t i = 0; !err && i < edges.count; i++) {
		const struct edge *edge = &edges.v[i];

		if (edge->kind == EDGE_FIRST) {
			open.position[edge->zone] = open.count;
			open.zone[open.count++] = edge->zone;
		} else if (edge->kind == EDGE_LAST) {
			unsigned last = open.zone[--open.count];

			open.zone[open.position[edge->zone]] = last;
			open.position[last] = open.position[edge->zone];
		} else {
			warn_inside(policy, diag, &open, edge->zone);
		}
	}
	free(edges.v);
	return err;
}

void policy_warn(const struct policy *policy, struct diag *diag)
{
	_cleanup_free_ bool *used = array_new(policy->zone_count, sizeof(*used));
	struct packet_ends ends;
	int64_t now = time(NULL);

	if (!used || policy_used_zones(policy, used) || packet_ends_find(policy, &ends))
		return;
	warn_unused(policy, diag, used);
	warn_empty_world(policy, diag, used);
	for (size_t i = 0; i < policy->rules.count; i++)
		warn_rule(policy, &ends, diag, &policy->rules.v[i], now);
	for (size_t i = 0; i < policy->failsafe.count; i++)
		if (!policy->failsafe_is_default)
			warn_rule(policy, &ends, diag, &policy->failsafe.v[i], now);
	if (policy->intra_zone_set && policy->intra_zone == ACTION_ALLOW)
		warn_nested(policy, diag);
	packet_ends_clear(&ends);
}
