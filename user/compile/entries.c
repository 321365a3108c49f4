// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/entries.h"
#include "compile/sort.h"
#include "zonewall.h"

int rules_order(const struct policy *policy, uint32_t **ret_order)
{
	size_t count = policy->rules.count;
	uint64_t *key = calloc(2 * count + 1, sizeof(*key));
	uint32_t *order = calloc(count + 1, sizeof(*order));

	if (!key || !order) {
		free(key);
		free(order);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		key[i] = (uint64_t)policy->rules.v[i].tier << 32 | i;
	sort_u64(key, key + count, count);
	for (size_t i = 0; i < count; i++)
		order[i] = key[i];
	free(key);
	*ret_order = order;
	return 0;
}

/* A rule's own `log` goes before the policy's. */
static uint32_t log_flags(const struct policy *policy, const struct rule *rule, enum action action)
{
	if (rule && rule->log == LOG_NONE)
		return 0;
	if (rule && rule->log == LOG_ALL)
		return ZW_CELL_LOG | ZW_CELL_LOG_ALL;
	if (rule && rule->log == LOG_NEW)
		return ZW_CELL_LOG;
	if (action == ACTION_ALLOW)
		return policy->log == LOG_EVERYTHING ? ZW_CELL_LOG : 0;
	return policy->log == LOG_NOTHING ? 0 : ZW_CELL_LOG;
}

static uint32_t rule_cell(const struct policy *policy, const struct rule *rule, enum action action,
			  uint32_t number)
{
	uint32_t cell = number | log_flags(policy, rule, action);

	if (rule->expires)
		cell |= ZW_CELL_EXPIRES;
	if (action != ACTION_ALLOW)
		return cell;
	if (rule->limit.set)
		cell |= ZW_CELL_LIMIT;
	if (rule->tls_require)
		cell |= ZW_CELL_TLS | (rule->tls_min_1_2 ? ZW_CELL_TLS_MIN_1_2 : 0);
	return cell | ZW_CELL_ALLOW;
}

static uint32_t default_cell(const struct policy *policy, enum action action)
{
	return log_flags(policy, NULL, action) | (action == ACTION_ALLOW ? ZW_CELL_ALLOW : 0);
}

static int add(struct entries *entries, struct services *services, const struct entry *like,
	       const struct zone_list *from, const struct zone_list *to, const struct selectors *selectors)
{
	struct entry entry = *like;
	int err;

	if (!from->count || !to->count || !selectors->count)
		return 0;
	err = side_add(&entries->side[0], from->zone, from->count, &entry.end[0]);
	if (!err)
		err = side_add(&entries->side[1], to->zone, to->count, &entry.end[1]);
	if (!err)
		err = services_add(services, selectors, &entry.service);
	if (!err)
		err = array_push(&entries->all, entry);
	return err;
}

static int add_intra_zone(const struct policy *policy, struct services *services, struct entries *entries)
{
	struct selector any = { .any_protocol = true, .last = 65535 };
	struct selectors service = { .v = &any, .count = 1 };
	struct entry entry = { .action = policy->intra_zone,
			       .tier = UINT32_MAX,
			       .until = ENTRY_NEVER_ENDS,
			       .cell = default_cell(policy, policy->intra_zone) };
	int err = 0;

	if (policy->intra_zone == ACTION_DROP && policy->default_action == ACTION_DROP)
		return 0;
	if (policy->intra_zone == ACTION_ALLOW)
		entry.cell |= ZW_CELL_INTRA;
	for (unsigned i = ZONE_INDEX_FIRST_DECLARED; i < policy->zone_count && !err; i++) {
		struct zone_list end = { .zone = &i, .count = 1 };

		if (policy->zones[i].kind == ZONE_DECLARED && !policy->zones[i].is_union)
			err = add(entries, services, &entry, &end, &end, &service);
	}
	return err;
}

/* The instant as tables have it, in which 0 is none. */
static uint64_t end_of(const struct rule *rule)
{
	if (!rule->expires)
		return ENTRY_NEVER_ENDS;
	return rule->until > 0 ? rule->until : 1;
}

int entries_of_rules(const struct policy *policy, const uint32_t *order, struct services *services,
		     struct entries *entries)
{
	int err = 0;

	entries->default_cell = default_cell(policy, policy->default_action);
	for (size_t i = 0; i < policy->rules.count && !err; i++) {
		const struct rule *rule = &policy->rules.v[order[i]];
		struct entry entry = { .rule = rule, .tier = rule->tier, .action = rule->action,
				       .staged = rule->mode == MODE_STAGE, .until = end_of(rule) };

		entry.cell = rule_cell(policy, rule, rule->action, i + 1);
		err = add(entries, services, &entry, &rule->from, &rule->to, &rule->service);
	}
	return err ? err : add_intra_zone(policy, services, entries);
}

static int add_failsafe(const struct policy *policy, size_t number, const struct zone_list *to, uint32_t flags,
			struct services *services, struct entries *entries)
{
	const struct rule *rule = &policy->failsafe.v[number];
	struct entry entry = { .rule = rule, .action = ACTION_ALLOW, .until = ENTRY_NEVER_ENDS };

	entry.cell = rule_cell(policy, rule, ACTION_ALLOW, policy->rules.count + number + 1) | flags;
	return add(entries, services, &entry, &rule->from, to, &rule->service);
}

/* Design section 5: at boot `to: host` is every destination. See failsafe_towards() in bpf/lookup.h. */
static int add_for_boot(const struct policy *policy, struct services *services, struct entries *entries)
{
	unsigned any = ZONE_INDEX_ANY;
	const struct zone_list everywhere = { .zone = &any, .count = 1 };
	int err = 0;

	for (size_t i = 0; i < policy->failsafe.count && !err; i++)
		if (zone_list_has(&policy->failsafe.v[i].to, ZONE_INDEX_HOST))
			err = add_failsafe(policy, i, &everywhere, ZW_CELL_AT_BOOT, services, entries);
	return err;
}

int entries_of_failsafe(const struct policy *policy, struct services *services, struct entries *entries)
{
	int err = 0;

	entries->default_cell = 0;
	for (size_t i = 0; i < policy->failsafe.count && !err; i++)
		err = add_failsafe(policy, i, &policy->failsafe.v[i].to, 0, services, entries);
	return !err && policy_host_is_nowhere(policy) ? add_for_boot(policy, services, entries) : err;
}

void entries_clear(struct entries *entries)
{
	array_free(&entries->all);
	side_clear(&entries->side[0]);
	side_clear(&entries->side[1]);
}
