// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/audit.h"

#include "base/util.h"
#include "policy/moments.h"
#include "policy/packets.h"
#include "simulate/host_use.h"

static const char *const names[AUDIT_KINDS] = {
	[AUDIT_SHADOWED] = "shadowed",	       [AUDIT_REDUNDANT] = "redundant",	    [AUDIT_PARTLY] = "partly-shadowed",
	[AUDIT_NOTHING] = "match-nothing",     [AUDIT_EXPIRED] = "expired",	    [AUDIT_EXPIRING] = "expiring",
	[AUDIT_UNUSED] = "unused",	       [AUDIT_ANY] = "any",		    [AUDIT_WIDE] = "wide",
	[AUDIT_OWNERLESS] = "ownerless",       [AUDIT_UNREACHABLE] = "unreachable", [AUDIT_UNNAMED] = "unnamed",
};

const char *audit_kind_name(enum audit_kind kind)
{
	return names[kind];
}

int audit_kind_find(const char *name)
{
	for (int kind = 0; kind < AUDIT_KINDS; kind++)
		if (!strcmp(names[kind], name))
			return kind;
	return -1;
}

struct auditor {
	const struct policy *policy;
	const struct tables *tables;
	const struct audit_options *options;
	struct packet_ends ends;
	bool *named_zones;
	struct audit audit;
	int err;
};

static void add(struct auditor *a, struct audit_finding finding)
{
	struct audit *audit = &a->audit;

	if (!(a->options->kinds >> finding.kind & 1))
		return;
	if (!a->err)
		a->err = array_grow(&audit->v, audit->count, sizeof(*audit->v));
	if (a->err)
		return;
	audit->v[audit->count++] = finding;
	audit->of_kind[finding.kind]++;
}

static void add_rule(struct auditor *a, enum audit_kind kind, const struct rule *rule, const char *why)
{
	add(a, (struct audit_finding){ .kind = kind, .rule = rule, .why = why });
}

/* --- Rules by themselves -------------------------------------------------------------------------------------------- */

static void look_at_any(struct auditor *a, const struct rule *rule)
{
	bool ends = zone_list_has(&rule->from, ZONE_INDEX_ANY) && zone_list_has(&rule->to, ZONE_INDEX_ANY);
	bool service = selectors_have_any(&rule->service);

	if (ends || service)
		add_rule(a, AUDIT_ANY, rule, !ends ? "the service any" : !service ? "from any to any" : "from any to any, the service any");
}

/* The widest range of a set in one family, if it has as many addresses as a network of this length. */
static bool find_wide(const struct range *range, size_t count, unsigned open_bits, struct range *ret_widest)
{
	u128 least = open_bits >= 128 ? ~(u128)0 : ((u128)1 << open_bits) - 1;
	bool found = false;

	for (size_t i = 0; i < count; i++)
		if (range[i].last - range[i].first >= least &&
		    (!found || range[i].last - range[i].first > ret_widest->last - ret_widest->first)) {
			*ret_widest = range[i];
			found = true;
		}
	return found;
}

/* Built-in zones are as wide as they are meant. */
static bool look_at_zone(struct auditor *a, const struct rule *rule, const struct zone *zone)
{
	struct audit_finding finding = { .kind = AUDIT_WIDE, .rule = rule, .zone = zone, .family = 4 };
	bool wide;

	if (zone->kind != ZONE_DECLARED && zone->kind != ZONE_LITERAL)
		return false;
	wide = find_wide(zone->set.v4, zone->set.v4_count, 32 - a->options->wide[0], &finding.range);
	if (!wide) {
		finding.family = 6;
		wide = find_wide(zone->set.v6, zone->set.v6_count, 128 - a->options->wide[1], &finding.range);
	}
	if (wide)
		add(a, finding);
	return wide;
}

static void look_at_wide(struct auditor *a, const struct rule *rule)
{
	const struct zone_list *lists[] = { &rule->from, &rule->to };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t j = 0; j < lists[i]->count; j++)
			if (look_at_zone(a, rule, &a->policy->zones[lists[i]->zone[j]]))
				break;
}

static void look_at_end(struct auditor *a, const struct rule *rule)
{
	if (!rule->expires)
		return;
	if (rule->until <= a->options->now)
		add_rule(a, AUDIT_EXPIRED, rule, NULL);
	else if (rule->until <= a->options->soon)
		add_rule(a, AUDIT_EXPIRING, rule, NULL);
}

static int compare_use(const void *id, const void *use)
{
	return strcmp(id, ((const struct audit_use *)use)->id);
}

/* Neither `pass` nor staged rules have a counter of what they decide. */
static void look_at_use(struct auditor *a, const struct rule *rule)
{
	const struct audit_options *o = a->options;
	const struct audit_use *use;

	if (!o->has_usage || rule->action == ACTION_PASS || rule->mode == MODE_STAGE || !o->use_count)
		return;
	use = bsearch(rule->id, o->use, o->use_count, sizeof(*use), compare_use);
	if (use && !use->packets)
		add_rule(a, AUDIT_UNUSED, rule, NULL);
}

static void look_at_rule(struct auditor *a, const struct rule *rule)
{
	const char *why = packets_why_none(a->policy, &a->ends, rule);

	if (why)
		add_rule(a, AUDIT_NOTHING, rule, why);
	look_at_end(a, rule);
	look_at_use(a, rule);
	if (rule->action == ACTION_ALLOW) {
		look_at_any(a, rule);
		look_at_wide(a, rule);
	}
	if (!rule->owner)
		add_rule(a, AUDIT_OWNERLESS, rule, NULL);
}

static void look_at_analysis(struct auditor *a)
{
	for (size_t i = 0; i < a->tables->analysis->count; i++) {
		const struct rule_finding *f = &a->tables->analysis->v[i];

		if (f->shadowed)
			add(a, (struct audit_finding){ .kind = AUDIT_SHADOWED, .rule = f->rule, .named = &f->by });
		if (f->redundant)
			add(a, (struct audit_finding){ .kind = AUDIT_REDUNDANT, .rule = f->rule, .named = &f->instead });
		if (f->partly)
			add(a, (struct audit_finding){ .kind = AUDIT_PARTLY, .rule = f->rule, .named = &f->by });
	}
}

/* --- Zones ------------------------------------------------------------------------------------------------------------- */

/* Is some first packet of the region allowed, or could one be for some host? */
static int may_pass(struct space *space, const struct host_use *use, const struct ranges *from, const struct ranges *to,
		    bool *ret_may)
{
	struct selector any = { .any_protocol = true, .last = 65535 };
	const struct selectors service = { &any, 1 };
	const struct region region = { from, to, &service };
	struct space_answer answer;
	int err = space_ask(space, &region, SPACE_ALLOWED, &answer);

	*ret_may = err || answer.found & SPACE_ALLOWED ||
		   (!use->policy->host_known && host_use_matters(use, &region, HOST_MAY_ALLOW));
	return err;
}

static int look_at_reach(struct auditor *a, struct space *space, const struct host_use *use, const struct zone *zone)
{
	const struct ranges *all = &a->policy->zones[ZONE_INDEX_ANY].set;
	bool may;
	int err = may_pass(space, use, all, &zone->set, &may);

	if (!err && !may)
		err = may_pass(space, use, &zone->set, all, &may);
	if (!err && !may)
		add(a, (struct audit_finding){ .kind = AUDIT_UNREACHABLE, .zone = zone });
	return err;
}

/* A union is as reachable as its members. Failsafe, which is for emergencies, does not count: it is open to everybody. */
static int look_at_zones(struct auditor *a)
{
	struct zw_layout layout = a->tables->layout;
	struct policy policy = *a->policy;
	struct space *space = NULL;
	struct host_use use = { 0 };
	int err;

	layout.has_failsafe = 0;
	policy.failsafe.count = 0;
	err = space_new(a->tables->bytes, &layout, TIME_BEGIN, &space);
	if (!err)
		err = host_use_find(&policy, TIME_BEGIN, &use);
	for (size_t i = ZONE_INDEX_FIRST_DECLARED; i < a->policy->zone_count && !err; i++) {
		const struct zone *zone = &a->policy->zones[i];

		if (zone->kind != ZONE_DECLARED)
			continue;
		if (!a->named_zones[i])
			add(a, (struct audit_finding){ .kind = AUDIT_UNNAMED, .zone = zone });
		else if (!zone->is_union && !ranges_empty(&zone->set))
			err = look_at_reach(a, space, &use, zone);
	}
	host_use_clear(&use);
	space_free(space);
	return err;
}

/* --- The whole -------------------------------------------------------------------------------------------------------- */

static int compare(const void *x, const void *y)
{
	const struct audit_finding *a = x, *b = y;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->rule != b->rule)
		return a->rule < b->rule ? -1 : 1;
	return a->zone < b->zone ? -1 : a->zone > b->zone;
}

static int look(struct auditor *a)
{
	int err;

	a->named_zones = array_new(a->policy->zone_count, sizeof(*a->named_zones));
	err = a->named_zones ? policy_used_zones(a->policy, a->named_zones) : -ENOMEM;
	if (!err)
		err = packet_ends_find(a->policy, &a->ends);
	if (err)
		return err;
	look_at_analysis(a);
	for (size_t i = 0; i < a->policy->rules.count; i++)
		look_at_rule(a, &a->policy->rules.v[i]);
	if (a->options->kinds & (1u << AUDIT_UNREACHABLE | 1u << AUDIT_UNNAMED))
		err = look_at_zones(a);
	return err ? err : a->err;
}

int audit_find(const struct policy *policy, const struct tables *tables, const struct audit_options *options,
	       struct audit *ret_audit)
{
	struct auditor a = { .policy = policy, .tables = tables, .options = options };
	int err = look(&a);

	free(a.named_zones);
	packet_ends_clear(&a.ends);
	if (err) {
		audit_clear(&a.audit);
		return err;
	}
	if (a.audit.count)
		qsort(a.audit.v, a.audit.count, sizeof(*a.audit.v), compare);
	*ret_audit = a.audit;
	return 0;
}

void audit_clear(struct audit *audit)
{
	free(audit->v);
	*audit = (struct audit){ 0 };
}
