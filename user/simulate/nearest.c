// SPDX-License-Identifier: GPL-2.0-only
/*
 * The nearest misses. What counts is in how many fields a rule differs: one is nearer than two, and a rule that differs in
 * all three is none. Those with the fewest are as near as each other; only to show the likeliest first, they are ordered
 * by how far the fields are, in bits: of an address those below the longest prefix that it shares with an end of the
 * zone (IPv4 times four), of a port those of the difference (times eight); another protocol is further than any port.
 */
#include "simulate/nearest.h"

#include "base/util.h"
#include "policy/moments.h"

#define FARTHEST 255u

int fields_new(const struct policy *policy, const struct first_packet *packet, struct fields *fields)
{
	const struct addr *ends[2] = { &packet->from, &packet->to };

	*fields = (struct fields){ .policy = policy, .packet = packet };
	for (int side = 0; side < 2; side++) {
		fields->in[side] = array_new(policy->zone_count, sizeof(bool));
		if (!fields->in[side]) {
			fields_clear(fields);
			return -ENOMEM;
		}
		for (size_t i = 0; i < policy->zone_count; i++)
			fields->in[side][i] = ranges_contain(&policy->zones[i].set, ends[side]);
	}
	return 0;
}

void fields_clear(struct fields *fields)
{
	for (int side = 0; side < 2; side++) {
		free(fields->in[side]);
		free(fields->distance[side]);
	}
	*fields = (struct fields){ 0 };
}

bool fields_match_end(const struct fields *fields, int side, const struct zone_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (fields->in[side][list->zone[i]])
			return true;
	return false;
}

bool fields_match_service(const struct selectors *service, uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < service->count; i++) {
		const struct selector *s = &service->v[i];

		if (s->any_protocol || (s->protocol == protocol && s->first <= port && port <= s->last))
			return true;
	}
	return false;
}

bool fields_match(const struct fields *fields, const struct rule *rule)
{
	return fields_match_end(fields, 0, &rule->from) && fields_match_end(fields, 1, &rule->to) &&
	       fields_match_service(&rule->service, fields->packet->protocol, fields->packet->port);
}

static unsigned bits(u128 value)
{
	unsigned n = 0;

	for (; value; value >>= 1)
		n++;
	return n;
}

/* Only the ends beside the address can share the longest prefix with it. */
static unsigned zone_distance(const struct ranges *set, const struct addr *addr)
{
	const struct range *v = addr->family == 4 ? set->v4 : set->v6;
	size_t low = 0, high = addr->family == 4 ? set->v4_count : set->v6_count, count = high;
	unsigned near = FARTHEST, scale = addr->family == 4 ? 4 : 1, d;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (v[middle].last < addr->value)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < count) {
		if (v[low].first <= addr->value)
			return 0;
		near = bits(v[low].first ^ addr->value) * scale;
	}
	if (low > 0) {
		d = bits(v[low - 1].last ^ addr->value) * scale;
		near = d < near ? d : near;
	}
	return near;
}

static int measure_zones(struct fields *fields)
{
	const struct addr *ends[2] = { &fields->packet->from, &fields->packet->to };

	for (int side = 0; side < 2; side++) {
		fields->distance[side] = array_new(fields->policy->zone_count, sizeof(uint8_t));
		if (!fields->distance[side])
			return -ENOMEM;
		for (size_t i = 0; i < fields->policy->zone_count; i++)
			fields->distance[side][i] = zone_distance(&fields->policy->zones[i].set, ends[side]);
	}
	return 0;
}

static unsigned end_distance(const struct fields *fields, int side, const struct zone_list *list)
{
	unsigned near = FARTHEST;

	for (size_t i = 0; i < list->count; i++)
		if (fields->distance[side][list->zone[i]] < near)
			near = fields->distance[side][list->zone[i]];
	return near;
}

static unsigned service_distance(const struct selectors *service, uint8_t protocol, uint16_t port)
{
	unsigned near = FARTHEST;

	for (size_t i = 0; i < service->count; i++) {
		const struct selector *s = &service->v[i];
		unsigned gap = port < s->first ? s->first - port : port > s->last ? port - s->last : 0;
		unsigned d = bits(gap) * 8 + (s->protocol == protocol ? 0 : 129);

		near = d < near ? d : near;
	}
	return near < FARTHEST ? near : FARTHEST;
}

/* The fields in which a rule differs, and how far it is. Returns their number. */
static unsigned differ(const struct fields *fields, const struct rule *rule, struct miss *miss)
{
	const struct first_packet *packet = fields->packet;

	*miss = (struct miss){
		.rule = rule,
		.from = !fields_match_end(fields, 0, &rule->from),
		.to = !fields_match_end(fields, 1, &rule->to),
		.service = !fields_match_service(&rule->service, packet->protocol, packet->port),
	};
	if (miss->from)
		miss->distance += end_distance(fields, 0, &rule->from);
	if (miss->to)
		miss->distance += end_distance(fields, 1, &rule->to);
	if (miss->service)
		miss->distance += service_distance(&rule->service, packet->protocol, packet->port);
	return miss->from + miss->to + miss->service;
}

/* A rule with an empty list matches nothing, so nothing misses it. */
static bool can_match(const struct rule *rule)
{
	return rule->from.count && rule->to.count && rule->service.count;
}

/* Keeps the nearest; earlier rules (of earlier tiers) stay in front of equals. */
static void keep(struct explanation *e, const struct miss *miss)
{
	size_t at = e->miss_count;

	while (at > 0 && (miss->distance < e->miss[at - 1].distance))
		at--;
	if (e->miss_count == MISSES_MAX)
		e->more_misses++;
	else
		e->miss_count++;
	if (at >= e->miss_count)
		return;
	memmove(&e->miss[at + 1], &e->miss[at], (e->miss_count - at - 1) * sizeof(*miss));
	e->miss[at] = *miss;
}

/* A rule that matches and did not decide stands behind one that went on to the next tier. */
static const struct rule *passed_by(const struct explanation *explanation, const struct rule *rule)
{
	for (size_t i = 0; i < explanation->tier_count; i++)
		if (explanation->tiers[i].tier == rule->tier)
			return explanation->tiers[i].rule;
	return NULL;
}

int nearest_find(struct fields *fields, struct explanation *explanation)
{
	const struct policy *policy = fields->policy;
	unsigned fewest = 3;
	int err = measure_zones(fields);

	for (size_t tier = 0; !err && tier < policy->tier_count; tier++) {
		for (size_t i = 0; i < policy->rules.count; i++) {
			const struct rule *rule = &policy->rules.v[i];
			struct miss miss;
			unsigned n;

			if (rule->tier != tier || rule->mode != MODE_ENFORCE || rule->action != ACTION_ALLOW ||
			    !can_match(rule) || rule_has_ended(rule, fields->packet->time))
				continue;
			n = differ(fields, rule, &miss);
			if (n > fewest || n == 3)
				continue;
			if (n < fewest)
				explanation->miss_count = explanation->more_misses = 0;
			fewest = n;
			miss.passed = n ? NULL : passed_by(explanation, rule);
			keep(explanation, &miss);
		}
	}
	return err;
}
