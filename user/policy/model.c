// SPDX-License-Identifier: GPL-2.0-only
/* A policy in memory: what its zones mean on a host, and its end. */
#include "policy/reader.h"

static void free_rules(struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		struct rule *rule = &rules->v[i];

		free(rule->id);
		free(rule->from.zone);
		free(rule->to.zone);
		free(rule->service.v);
		free(rule->service_text);
		free(rule->owner);
	}
	free(rules->v);
}

static void free_zone(struct zone *zone)
{
	free(zone->name);
	free(zone->zones);
	free(zone->file);
	free(zone->feed.path);
	free(zone->feed.column);
	ranges_clear(&zone->listed);
	ranges_clear(&zone->except);
	ranges_clear(&zone->set);
}

static void free_strings(char **strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(strings[i]);
	free(strings);
}

const char *action_name(enum action action)
{
	return action == ACTION_ALLOW ? "allow" : action == ACTION_DROP ? "drop" : "pass";
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->zone_count; i++)
		free_zone(&policy->zones[i]);
	for (size_t i = 0; i < policy->service_count; i++) {
		free(policy->services[i].name);
		free(policy->services[i].selectors.v);
	}
	for (size_t i = 0; i < policy->test_count; i++)
		free(policy->tests[i].by);
	for (size_t i = 0; i < policy->interface_count; i++)
		free_strings(policy->interfaces[i].pattern, policy->interfaces[i].pattern_count);
	free_strings(policy->tiers, policy->tier_count);
	free_strings(policy->files, policy->file_count);
	free_rules(&policy->rules);
	free_rules(&policy->failsafe);
	free_rules(&policy->never);
	free_rules(&policy->always);
	free(policy->zones);
	free(policy->services);
	free(policy->tests);
	free(policy->interfaces);
	free(policy);
}

bool zone_list_has(const struct zone_list *list, unsigned zone)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->zone[i] == zone)
			return true;
	return false;
}

bool zone_list_names_host(const struct zone_list *list)
{
	return zone_list_has(list, ZONE_INDEX_HOST) || zone_list_has(list, ZONE_INDEX_WORLD);
}

bool selectors_have_any(const struct selectors *selectors)
{
	for (size_t i = 0; i < selectors->count; i++)
		if (selectors->v[i].any_protocol)
			return true;
	return false;
}

int policy_find_zone(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->zone_count; i++)
		if (!strcmp(policy->zones[i].name, name))
			return i;
	return -1;
}

/* A union on the way down to its members. */
struct step {
	unsigned zone;
	size_t next;
};

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE };

/* Depth first from one zone, members before unions; an own stack, since a chain of unions may be long. */
static int visit(const struct policy *policy, unsigned root, struct step *stack, uint8_t *mark, unsigned *order,
		 size_t *count)
{
	size_t depth = 0;
	int cycle = -1;

	stack[depth++] = (struct step){ root, 0 };
	mark[root] = MARK_OPEN;
	while (depth) {
		struct step *step = &stack[depth - 1];
		const struct zone *zone = &policy->zones[step->zone];

		if (step->next == zone->zone_count) {
			mark[step->zone] = MARK_DONE;
			order[(*count)++] = step->zone;
			depth--;
			continue;
		}
		unsigned member = zone->zones[step->next++];

		if (mark[member] == MARK_OPEN) {
			cycle = member;
		} else if (mark[member] == MARK_NEW) {
			mark[member] = MARK_OPEN;
			stack[depth++] = (struct step){ member, 0 };
		}
	}
	return cycle;
}

int zones_order(const struct policy *policy, unsigned *order, int *ret_cycle)
{
	_cleanup_free_ struct step *stack = array_new(policy->zone_count, sizeof(*stack));
	_cleanup_free_ uint8_t *mark = array_new(policy->zone_count, sizeof(*mark));
	size_t count = 0;

	if (!stack || !mark)
		return -ENOMEM;
	*ret_cycle = -1;
	for (size_t i = 0; i < policy->zone_count; i++)
		if (mark[i] == MARK_NEW) {
			int cycle = visit(policy, i, stack, mark, order, &count);

			if (*ret_cycle < 0)
				*ret_cycle = cycle;
		}
	return 0;
}

int policy_union(const struct policy *policy, const struct zone_list *list, struct ranges *ret_set)
{
	struct ranges set = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < list->count; i++)
		err = ranges_add_all(&set, &policy->zones[list->zone[i]].set);
	if (!err)
		err = ranges_normalise(&set);
	if (err)
		ranges_clear(&set);
	else
		*ret_set = set;
	return err;
}

static int subtract_copy(struct ranges *set, const struct ranges *minus)
{
	struct ranges copy = { 0 };
	int err = ranges_add_all(&copy, minus);

	if (!err)
		err = ranges_normalise(&copy);
	if (!err)
		err = ranges_subtract(set, &copy);
	ranges_clear(&copy);
	return err;
}

/* (listed + members) - except. The members' sets are ready. */
static int resolve_zone(struct policy *policy, struct zone *zone)
{
	int err = ranges_add_all(&zone->set, &zone->listed);

	for (size_t i = 0; !err && i < zone->zone_count; i++)
		err = ranges_add_all(&zone->set, &policy->zones[zone->zones[i]].set);
	if (!err)
		err = ranges_normalise(&zone->set);
	return err ? err : subtract_copy(&zone->set, &zone->except);
}

struct block {
	int family;
	u128 first, last;
};

#define V6(high, low) ((u128)(high##ull) << 64 | (low##ull))

/* What is not unicast: unspecified, loopback, multicast, limited broadcast; and IPv4-mapped, which no packet may have. */
static const struct block not_unicast[] = {
	{ 4, 0, 0 },
	{ 4, 0x7f000000, 0x7fffffff },
	{ 4, 0xe0000000, 0xefffffff },
	{ 4, 0xffffffff, 0xffffffff },
	{ 6, 0, 1 },
	{ 6, V6(0, 0xffff00000000), V6(0, 0xffffffffffff) },
	{ 6, V6(0xff00000000000000, 0), ~(u128)0 },
};

static const struct block link_local[] = {
	{ 4, 0xa9fe0000, 0xa9feffff },
	{ 6, V6(0xfe80000000000000, 0), V6(0xfebfffffffffffff, 0xffffffffffffffff) },
};

static int subtract_blocks(struct ranges *set, const struct block *block, size_t count)
{
	struct ranges ranges = { 0 };
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		err = ranges_add(&ranges, block[i].family, block[i].first, block[i].last);
	if (!err)
		err = subtract_copy(set, &ranges);
	ranges_clear(&ranges);
	return err;
}

static int resolve_any(struct ranges *set)
{
	int err = ranges_add(set, 4, 0, ADDR_MAX4);

	return err ? err : ranges_add(set, 6, 0, ADDR_MAX6);
}

static int resolve_host(struct ranges *set, const struct ranges *host)
{
	int err = host ? ranges_add_all(set, host) : 0;

	if (!err)
		err = ranges_normalise(set);
	if (!err)
		err = subtract_blocks(set, not_unicast, ARRAY_LEN(not_unicast));
	return err ? err : subtract_blocks(set, link_local, ARRAY_LEN(link_local));
}

/* Unicast, not the host's, and listed by no zone: what `except` removed from a zone stays listed. */
static int resolve_world(struct policy *policy, struct ranges *set)
{
	struct ranges listed = { 0 };
	int err = resolve_any(set);

	if (!err)
		err = subtract_blocks(set, not_unicast, ARRAY_LEN(not_unicast));
	if (!err)
		err = ranges_add_all(&listed, &policy->zones[ZONE_INDEX_HOST].set);
	for (size_t i = ZONE_INDEX_FIRST_DECLARED; !err && i < policy->zone_count; i++)
		if (policy->zones[i].kind == ZONE_DECLARED)
			err = ranges_add_all(&listed, &policy->zones[i].listed);
	if (!err)
		err = ranges_normalise(&listed);
	if (!err)
		err = ranges_subtract(set, &listed);
	ranges_clear(&listed);
	return err;
}

int policy_resolve(struct policy *policy, const struct ranges *host)
{
	_cleanup_free_ unsigned *order = array_new(policy->zone_count, sizeof(*order));
	int cycle, err = order ? zones_order(policy, order, &cycle) : -ENOMEM;

	for (size_t i = 0; i < policy->zone_count; i++)
		ranges_clear(&policy->zones[i].set);
	policy->host_known = host;
	for (size_t i = 0; !err && i < policy->zone_count; i++) {
		struct zone *zone = &policy->zones[order[i]];

		if (zone->kind == ZONE_DECLARED || zone->kind == ZONE_LITERAL)
			err = resolve_zone(policy, zone);
	}
	if (!err)
		err = resolve_any(&policy->zones[ZONE_INDEX_ANY].set);
	if (!err)
		err = resolve_host(&policy->zones[ZONE_INDEX_HOST].set, host);
	return err ? err : resolve_world(policy, &policy->zones[ZONE_INDEX_WORLD].set);
}

bool policy_host_is_nowhere(const struct policy *policy)
{
	const struct ranges *host = &policy->zones[ZONE_INDEX_HOST].set;

	return policy->host_known && !host->v4_count && !host->v6_count;
}
