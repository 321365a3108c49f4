// SPDX-License-Identifier: GPL-2.0-only
#include "watch/flow_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "policy/near.h"
#include "watch/event.h"
#include "watch/flow_line.h"

static int read_protocol(const struct filter_error *error, const char *value, struct flow_filter *filter)
{
	char text[16], number[16];

	for (unsigned i = 0; i < 256; i++) {
		protocol_text(i, text);
		snprintf(number, sizeof(number), "%u", i);
		if (strcmp(text, value) && strcmp(number, value))
			continue;
		filter->protocol = i;
		filter->has_protocol = true;
		return 0;
	}
	return filter_refuse(error, "not a protocol (tcp, udp, icmp, icmpv6, sctp, or a number)", value);
}

static int refuse_with_fix(const struct filter_error *error, const char *what, const char *value, const char *near)
{
	if (near)
		snprintf(error->text, error->room, "%s: '%.100s'\nfix: did you mean '%s'?", what, value, near);
	else
		filter_refuse(error, what, value);
	return -EINVAL;
}

static int read_state(const struct filter_error *error, const char *value, struct flow_filter *filter)
{
	struct near near = near_begin(value);

	filter->states = 0;
	for (unsigned i = 1; i < ZW_FLOW_STATES; i++) {
		if (!strcmp(flow_state_name(i), value))
			filter->states |= 1u << i;
		near_try(&near, flow_state_name(i), i);
	}
	return filter->states ? 0 : refuse_with_fix(error, "there is no such state", value,
						    near_found(&near) ? flow_state_name(near.best) : NULL);
}

static int read_family(const struct filter_error *error, const char *value, struct flow_filter *filter)
{
	if (strcmp(value, "4") && strcmp(value, "6"))
		return filter_refuse(error, "not a family (4, 6)", value);
	filter->family = *value - '0';
	return 0;
}

static int read_key(const struct filter_error *error, const char *key, const char *value, struct flow_filter *filter)
{
	if (!strcmp(key, "zone"))
		return filter_read_name(error, value, filter->zone);
	if (!strcmp(key, "rule"))
		return filter_read_name(error, value, filter->rule);
	if (!strcmp(key, "from"))
		return filter_read_end(error, value, &filter->from);
	if (!strcmp(key, "to"))
		return filter_read_end(error, value, &filter->to);
	if (!strcmp(key, "protocol"))
		return read_protocol(error, value, filter);
	if (!strcmp(key, "state"))
		return read_state(error, value, filter);
	if (!strcmp(key, "family"))
		return read_family(error, value, filter);
	if (!strcmp(key, "staged")) {
		filter->staged = true;
		return strcmp(value, "drop") ? filter_refuse(error, "what staged rules would do to a flow is drop it, not", value) : 0;
	}
	if (strcmp(key, "port"))
		return filter_refuse(error, "there is no such filter", key);
	filter->has_port = true;
	return filter_read_port(error, value, &filter->port);
}

int flow_filter_read(struct json_object *object, const struct filter_error *error, struct flow_filter *ret_filter)
{
	struct flow_filter filter = { .states = ~0u };

	if (object && !json_object_is_type(object, json_type_object))
		return filter_refuse(error, "not an object", json_object_get_string(object));
	if (object) {
		json_object_object_foreach(object, key, value) {
			int r = read_key(error, key, value ? json_object_get_string(value) : "", &filter);

			if (r)
				return r;
		}
	}
	*ret_filter = filter;
	return 0;
}

/* What an address may be in besides declared zones. */
static const char *const built_in[] = { "host", "world" };

static int check_zone(const struct names *names, const char *zone, const struct filter_error *error)
{
	size_t count = names_zone_count(names);
	struct near near = near_begin(zone);

	for (size_t i = 0; i < count + 2; i++) {
		const char *name = i < count ? names_zone(names, i) : built_in[i - count];

		if (!strcmp(name, zone))
			return 0;
		near_try(&near, name, i);
	}
	return refuse_with_fix(error, "the policy has no such zone", zone,
			       !near_found(&near)  ? NULL :
			       near.best < count ? names_zone(names, near.best) : built_in[near.best - count]);
}

static int check_rule(const struct flow_source *source, const char *rule, const struct filter_error *error)
{
	struct near near = near_begin(rule);
	const char *best = NULL;

	if (!strcmp(rule, "default") || !strcmp(rule, "intra-zone"))
		return 0;
	for (int i = 0; i < ZW_GATE_SLOTS; i++) {
		const struct names *names = source->generations[i] ? source->generations[i]->names : NULL;

		if (names && names_find_rule(names, rule))
			return 0;
		for (uint32_t number = 1; names && number <= names_rule_count(names); number++) {
			unsigned distance = near.distance;

			near_try(&near, names_rule(names, number)->id, number);
			if (near.distance < distance)
				best = names_rule(names, number)->id;
		}
	}
	return refuse_with_fix(error, "no published policy has such a rule", rule, best);
}

int flow_filter_check(const struct flow_filter *filter, const struct flow_source *source,
		      const struct filter_error *error)
{
	const struct generation *current = source->generations[0];
	const char *zones[] = { filter->zone, filter->from.zone, filter->to.zone };
	int r = 0;

	for (size_t i = 0; i < 3 && !r; i++) {
		if (!*zones[i])
			continue;
		r = current ? check_zone(current->names, zones[i], error) :
			      filter_refuse(error, "no policy decides now, so there is no zone", zones[i]);
	}
	return !r && *filter->rule ? check_rule(source, filter->rule, error) : r;
}

bool flow_filter_matches(const struct flow_filter *filter, const struct flow_record *flow)
{
	if (!(filter->states >> flow->state & 1) || (filter->has_protocol && filter->protocol != flow->protocol))
		return false;
	if (filter->has_port && (!flow_has_ports(flow) || ntohs(flow->dport) != filter->port))
		return false;
	return (!filter->from.family || filter_end_has(&filter->from, flow->family, flow->source)) &&
	       (!filter->to.family || filter_end_has(&filter->to, flow->family, flow->destination));
}

static bool has_zone(const struct flow_seen *flow, int end, const char *zone)
{
	for (size_t i = 0; i < flow->zone_count[end]; i++)
		if (!strcmp(flow->zones[end][i], zone))
			return true;
	return false;
}

bool flow_filter_has_names(const struct flow_filter *filter)
{
	return filter->staged || *filter->zone || *filter->rule || *filter->from.zone || *filter->to.zone;
}

bool flow_filter_matches_names(const struct flow_filter *filter, const struct flow_seen *flow)
{
	const char *rule = flow->rule ? flow->rule : flow->reason ? flow->reason : "";

	if ((*filter->rule && strcmp(filter->rule, rule)) || (filter->staged && !flow->staged))
		return false;
	if (*filter->zone && !has_zone(flow, 0, filter->zone) && !has_zone(flow, 1, filter->zone))
		return false;
	return (!*filter->from.zone || has_zone(flow, 0, filter->from.zone)) &&
	       (!*filter->to.zone || has_zone(flow, 1, filter->to.zone));
}
