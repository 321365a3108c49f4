// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/explained.h"

#include <netinet/in.h>

#include "base/util.h"

#define LIST_MAX 4

void put_place(struct buffer *buffer, const struct explained *explained, const struct place *place)
{
	const char *file = place->line ? diag_file_name(explained->diag, place->file) : NULL;

	if (!file)
		return;
	buffer_plain(buffer, file);
	buffer_printf(buffer, ":%u", place->line);
}

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	default:
		return NULL;
	}
}

static bool is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

void put_protocol(struct buffer *buffer, uint8_t protocol)
{
	const char *name = protocol_name(protocol);

	if (name)
		buffer_put(buffer, name);
	else
		buffer_printf(buffer, "proto/%u", protocol);
}

void put_packet_service(struct buffer *buffer, const struct first_packet *packet)
{
	put_protocol(buffer, packet->protocol);
	if (is_icmp(packet->protocol))
		buffer_printf(buffer, "/%u/%u", packet->port >> 8, packet->port & 255);
	else if (protocol_name(packet->protocol))
		buffer_printf(buffer, "/%u", packet->port);
}

static void put_selector(struct buffer *buffer, const struct selector *s)
{
	const char *name = protocol_name(s->protocol);

	if (s->any_protocol) {
		buffer_put(buffer, "any");
		return;
	}
	if (!name) {
		buffer_printf(buffer, "proto/%u", s->protocol);
		return;
	}
	buffer_put(buffer, name);
	if (s->first == 0 && s->last == 65535)
		return;
	if (is_icmp(s->protocol) && s->first >> 8 == s->last >> 8 && (s->first & 255) == 0 && (s->last & 255) == 255)
		buffer_printf(buffer, "/%u", s->first >> 8);
	else if (is_icmp(s->protocol))
		buffer_printf(buffer, s->first == s->last ? "/%u/%u" : "/%u/%u-…", s->first >> 8, s->first & 255);
	else if (s->first == s->last)
		buffer_printf(buffer, "/%u", s->first);
	else
		buffer_printf(buffer, "/%u-%u", s->first, s->last);
}

/* Does the text name a service, rather than write all out? */
static bool has_name(const char *text)
{
	static const char *const literal[] = { "tcp", "udp", "sctp", "icmp", "icmpv6", "any" };

	for (size_t len; *text; text += len + strspn(text + len, ", ")) {
		bool is_literal = false;

		len = strcspn(text, ",");
		for (size_t i = 0; i < ARRAY_LEN(literal); i++)
			is_literal |= strlen(literal[i]) == len && !strncmp(text, literal[i], len);
		if (!is_literal && !memchr(text, '/', len))
			return true;
	}
	return false;
}

void put_rule_service(struct buffer *buffer, const struct rule *rule)
{
	size_t shown = rule->service.count < LIST_MAX ? rule->service.count : LIST_MAX;

	if (rule->service_text)
		buffer_plain(buffer, rule->service_text);
	if (rule->service_text && !has_name(rule->service_text))
		return;
	buffer_put(buffer, " (");
	for (size_t i = 0; i < shown; i++) {
		buffer_put(buffer, i ? ", " : "");
		put_selector(buffer, &rule->service.v[i]);
	}
	if (rule->service.count > shown)
		buffer_printf(buffer, " and %zu more", rule->service.count - shown);
	buffer_put(buffer, ")");
}

void put_zone_list(struct buffer *buffer, const struct policy *policy, const unsigned *zones, size_t count)
{
	for (size_t i = 0; i < count && i < LIST_MAX; i++) {
		buffer_put(buffer, i ? " or " : "");
		buffer_plain(buffer, policy->zones[zones[i]].name);
	}
	if (count > LIST_MAX)
		buffer_printf(buffer, " or %zu more", count - LIST_MAX);
}

size_t put_zones_of(struct buffer *buffer, const struct policy *policy, const struct addr *addr)
{
	_cleanup_free_ unsigned *zones = array_new(policy->zone_count, sizeof(*zones));
	size_t count = zones ? explain_zones(policy, addr, zones) : 0;

	buffer->failed |= !zones;
	for (size_t i = 0; i < count; i++) {
		buffer_put(buffer, i ? ", " : "");
		buffer_plain(buffer, policy->zones[zones[i]].name);
	}
	return count;
}

bool lacks_family(const struct policy *policy, const struct zone_list *list, int family)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct ranges *set = &policy->zones[list->zone[i]].set;

		if (family == 4 ? set->v4_count : set->v6_count)
			return false;
	}
	return true;
}

static void put_limit(struct buffer *buffer, const struct limit *limit)
{
	const char *unit = limit->per_hour % 3600 == 0 ? "second" : limit->per_hour % 60 == 0 ? "minute" : "hour";
	uint64_t rate = limit->per_hour / (limit->per_hour % 3600 == 0 ? 3600 : limit->per_hour % 60 == 0 ? 60 : 1);
	char text[32];

	buffer_printf(buffer, "at most %llu new flows a %s%s (burst %u)", (unsigned long long)rate, unit,
		      limit->per_source ? " from each source" : "", limit->burst);
	if (limit->ban_s)
		buffer_printf(buffer, ", a source that asks for more is blocked for %s", limit_print_ban(limit, text));
}

bool put_conditions(struct buffer *buffer, const struct rule *rule, int64_t now)
{
	const char *comma = "";

	if (rule->limit.set) {
		put_limit(buffer, &rule->limit);
		comma = "; ";
	}
	if (rule->tls_require) {
		buffer_printf(buffer, "%sthe opener begins with a TLS%s handshake", comma,
			      rule->tls_min_1_2 ? " 1.2 or later" : "");
		comma = "; ";
	}
	if (rule->expires) {
		buffer_printf(buffer, "%suntil ", comma);
		put_instant(buffer, rule->until);
		buffer_put(buffer, rule->until <= now ? " (which is over: the rule has ended)" : "");
		comma = "; ";
	}
	return *comma;
}

size_t shown_outcomes(const struct reach *reach, bool allow, const struct reach_outcome *ret_shown[SHOWN_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < reach->count; i++) {
		const struct reach_outcome *o = &reach->outcomes[i];

		if (o->allow != allow ||
		    (o->reason == ZW_ALLOW_ESSENTIAL && (reach->some_allowed || reach->some_dropped)))
			continue;
		if (count < SHOWN_MAX)
			ret_shown[count] = o;
		count++;
	}
	return count;
}

const struct rule *explained_rule(const struct explained *explained, uint32_t number)
{
	const struct rule_name *name = number ? names_rule(explained->tables->names, number) : NULL;
	const struct rules *rules = name && name->is_failsafe ? &explained->policy->failsafe : &explained->policy->rules;

	for (size_t i = 0; name && i < rules->count; i++)
		if (!strcmp(rules->v[i].id, name->id))
			return &rules->v[i];
	return NULL;
}
