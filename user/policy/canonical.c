// SPDX-License-Identifier: GPL-2.0-only
#include "policy/canonical.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/util.h"

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	add(object, key, json_object_new_string(text));
}

static void append_text(struct json_object *list, const char *text)
{
	json_object_array_add(list, json_object_new_string(text));
}

static void append_range(struct json_object *list, int family, const struct range *range)
{
	char text[RANGE_TEXT_MAX];

	range_print(family, range, text);
	append_text(list, text);
}

struct json_object *canonical_addresses(const struct ranges *written)
{
	struct json_object *list = json_object_new_array();
	struct ranges set = { 0 };

	if (ranges_add_all(&set, written) || ranges_normalise(&set)) {
		ranges_clear(&set);
		json_object_put(list);
		return NULL;
	}
	for (size_t i = 0; i < set.v4_count; i++)
		append_range(list, 4, &set.v4[i]);
	for (size_t i = 0; i < set.v6_count; i++)
		append_range(list, 6, &set.v6[i]);
	ranges_clear(&set);
	return list;
}

static struct json_object *zone_names(const struct policy *policy, const unsigned *zones, size_t count)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		append_text(list, policy->zones[zones[i]].name);
	return list;
}

/* The short form where there is nothing but addresses. */
static struct json_object *zone(const struct policy *policy, const struct zone *zone)
{
	struct json_object *object;

	if (!zone->is_union && ranges_empty(&zone->except))
		return canonical_addresses(&zone->listed);
	object = json_object_new_object();
	if (!ranges_empty(&zone->listed))
		add(object, "addresses", canonical_addresses(&zone->listed));
	if (zone->is_union)
		add(object, "zones", zone_names(policy, zone->zones, zone->zone_count));
	if (!ranges_empty(&zone->except))
		add(object, "except", canonical_addresses(&zone->except));
	return object;
}

static struct json_object *zones(const struct policy *policy)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < policy->zone_count; i++)
		if (policy->zones[i].kind == ZONE_DECLARED)
			add(object, policy->zones[i].name, zone(policy, &policy->zones[i]));
	return object;
}

/* One of an end or a service stands alone, several in a list. */
static struct json_object *one_or_all(struct json_object *list)
{
	struct json_object *one;

	if (json_object_array_length(list) != 1)
		return list;
	one = json_object_get(json_object_array_get_idx(list, 0));
	json_object_put(list);
	return one;
}

static struct json_object *ends(const struct policy *policy, const struct zone_list *list)
{
	return one_or_all(zone_names(policy, list->zone, list->count));
}

#define PORTS_MAX 65535

/* Types first to last, of all codes but for the ends of the range. */
static void append_icmp(struct json_object *list, const char *name, unsigned first, unsigned last)
{
	char text[32];

	for (unsigned at = first, end; at <= last; at = end + 1) {
		end = (at | 255) < last ? at | 255 : last;
		if (!(at & 255) && (end & 255) == 255) {
			sprintf(text, "%s/%u", name, at >> 8);
			append_text(list, text);
			continue;
		}
		for (unsigned code = at; code <= end; code++) {
			sprintf(text, "%s/%u/%u", name, code >> 8, code & 255);
			append_text(list, text);
		}
	}
}

static void append_ports(struct json_object *list, const char *name, unsigned first, unsigned last)
{
	char text[32];

	sprintf(text, first == last ? "%s/%u" : "%s/%u-%u", name, first, last);
	append_text(list, text);
}

static void append_selector(struct json_object *list, const struct selector *s)
{
	static const struct {
		uint8_t protocol;
		const char *name;
		void (*append)(struct json_object *list, const char *name, unsigned first, unsigned last);
	} known[] = { { 1, "icmp", append_icmp },
		      { 6, "tcp", append_ports },
		      { 17, "udp", append_ports },
		      { 58, "icmpv6", append_icmp },
		      { 132, "sctp", append_ports } };
	char text[16];

	if (s->any_protocol) {
		append_text(list, "any");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i].protocol != s->protocol)
			continue;
		if (!s->first && s->last == PORTS_MAX)
			append_text(list, known[i].name);
		else
			known[i].append(list, known[i].name, s->first, s->last);
		return;
	}
	sprintf(text, "proto/%u", s->protocol);
	append_text(list, text);
}

struct json_object *canonical_service(const struct selectors *selectors)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < selectors->count; i++)
		append_selector(list, &selectors->v[i]);
	return list;
}

/* The shortest unit that gives a whole number. */
static struct json_object *limit(const struct limit *limit)
{
	struct json_object *object = json_object_new_object();
	char text[32];

	if (limit->per_hour % 3600 == 0)
		sprintf(text, "%" PRIu64 "/s", limit->per_hour / 3600);
	else if (limit->per_hour % 60 == 0)
		sprintf(text, "%" PRIu64 "/m", limit->per_hour / 60);
	else
		sprintf(text, "%" PRIu64 "/h", limit->per_hour);
	add_text(object, "rate", text);
	add(object, "burst", json_object_new_uint64(limit->burst));
	if (limit->per_source)
		add_text(object, "per", "source");
	if (limit->ban_s)
		add_text(object, "ban", limit_print_ban(limit, text));
	return object;
}

static struct json_object *tls(const struct rule *rule)
{
	struct json_object *object = json_object_new_object();

	add(object, "require", json_object_new_boolean(rule->tls_require));
	if (rule->tls_min_1_2)
		add_text(object, "min", "1.2");
	return object;
}

static void add_until(struct json_object *object, int64_t until)
{
	time_t time = until;
	struct tm tm;
	char text[40];

	gmtime_r(&time, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	add_text(object, "until", text);
}

/* Two ends and a service: what failsafe entries and regions are. */
static struct json_object *region(const struct policy *policy, const struct rule *rule)
{
	struct json_object *object = json_object_new_object();

	add_text(object, "id", rule->id);
	add(object, "from", ends(policy, &rule->from));
	add(object, "to", ends(policy, &rule->to));
	add(object, "service", one_or_all(canonical_service(&rule->service)));
	return object;
}

static struct json_object *rule(const struct policy *policy, const struct rule *rule)
{
	static const char *const logs[] = { [LOG_NONE] = "none", [LOG_NEW] = "new", [LOG_ALL] = "all" };
	struct json_object *object = region(policy, rule);

	add_text(object, "action", action_name(rule->action));
	if (policy->tier_count > 1)
		add_text(object, "tier", policy->tiers[rule->tier]);
	if (rule->mode == MODE_STAGE)
		add_text(object, "mode", "stage");
	if (rule->log != LOG_UNSET)
		add_text(object, "log", logs[rule->log]);
	if (rule->limit.set)
		add(object, "limit", limit(&rule->limit));
	if (rule->tls_require || rule->tls_min_1_2)
		add(object, "tls", tls(rule));
	if (rule->expires)
		add_until(object, rule->until);
	if (rule->owner)
		add_text(object, "owner", rule->owner);
	return object;
}

static struct json_object *
each(const struct policy *policy, const struct rules *rules,
     struct json_object *(*make)(const struct policy *policy, const struct rule *rule))
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < rules->count; i++)
		json_object_array_add(list, make(policy, &rules->v[i]));
	return list;
}

static struct json_object *tests(const struct policy *policy)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < policy->test_count; i++) {
		const struct test *test = &policy->tests[i];
		struct json_object *object = json_object_new_object(), *what = json_object_new_array();
		char text[ADDR_TEXT_MAX];

		addr_print(&test->from, text);
		add_text(object, "from", text);
		addr_print(&test->to, text);
		add_text(object, "to", text);
		append_selector(what, &test->service);
		add(object, "service", one_or_all(what));
		add_text(object, "expect", test->expect == EXPECT_ALLOW ? "allow" : "drop");
		if (test->by)
			add_text(object, "by", test->by);
		json_object_array_add(list, object);
	}
	return list;
}

static struct json_object *interfaces(const struct policy *policy)
{
	static const char *const modes[] = { "auto", "native", "generic", "off" };
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < policy->interface_count; i++) {
		const struct interface_match *match = &policy->interfaces[i];
		struct json_object *object = json_object_new_object(), *patterns = json_object_new_array();

		for (size_t j = 0; j < match->pattern_count; j++)
			append_text(patterns, match->pattern[j]);
		add(object, "match", patterns);
		if (match->has_xdp)
			add_text(object, "xdp", modes[match->xdp]);
		if (match->has_source)
			add_text(object, "source", policy->zones[match->source].name);
		json_object_array_add(list, object);
	}
	return list;
}

static struct json_object *defaults(const struct policy *policy)
{
	static const char *const logs[] = { "drops", "all", "none" };
	struct json_object *object = json_object_new_object();

	add_text(object, "action", action_name(policy->default_action));
	add_text(object, "intra-zone", action_name(policy->intra_zone));
	add_text(object, "log", logs[policy->log]);
	add_text(object, "non-ip", policy->allow_non_ip ? "allow" : "drop");
	add_text(object, "tcp", policy->tcp_strict ? "strict" : "loose");
	if (policy->flows)
		add(object, "flows", json_object_new_uint64(policy->flows));
	else
		add_text(object, "flows", "auto");
	return object;
}

static struct json_object *tiers(const struct policy *policy)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < policy->tier_count; i++)
		append_text(list, policy->tiers[i]);
	return list;
}

struct json_object *policy_canonical(const struct policy *policy)
{
	struct json_object *object = json_object_new_object();

	if (!object)
		return NULL;
	add(object, "version", json_object_new_int(1));
	add(object, "defaults", defaults(policy));
	if (policy->interface_count)
		add(object, "interfaces", interfaces(policy));
	add(object, "zones", zones(policy));
	add(object, "failsafe", each(policy, &policy->failsafe, region));
	add(object, "tiers", tiers(policy));
	add(object, "rules", each(policy, &policy->rules, rule));
	if (policy->never.count)
		add(object, "never", each(policy, &policy->never, region));
	if (policy->always.count)
		add(object, "always", each(policy, &policy->always, region));
	if (policy->test_count)
		add(object, "tests", tests(policy));
	return object;
}
