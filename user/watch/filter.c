// SPDX-License-Identifier: GPL-2.0-only
#include "watch/filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulate/decision.h"

#define ALL_DROPS 0xffff0000u
#define ALL_REASONS 0xffffffffu

int filter_refuse(const struct filter_error *error, const char *what, const char *value)
{
	snprintf(error->text, error->room, "%s: '%.100s'", what, value);
	return -EINVAL;
}

int filter_read_name(const struct filter_error *error, const char *value, char ret_name[FILTER_NAME_MAX])
{
	if (!*value || strlen(value) >= FILTER_NAME_MAX)
		return filter_refuse(error, "not a name", value);
	strcpy(ret_name, value);
	return 0;
}

/* "10.2.0.0/24" or "10.2.0.9"; bits behind the prefix do not matter here. -EINVAL: neither. */
static int read_range(const char *value, struct filter_end *ret_end)
{
	char text[ADDR_TEXT_MAX], *slash, *end;
	unsigned long bits, width;
	struct addr addr;
	u128 mask;

	if (strlen(value) >= sizeof(text))
		return -EINVAL;
	strcpy(text, value);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	if (addr_parse(text, &addr))
		return -EINVAL;
	width = addr.family == 4 ? 32 : 128;
	bits = width;
	if (slash) {
		errno = 0;
		bits = strtoul(slash, &end, 10);
		if (*slash < '0' || *slash > '9' || *end || errno || bits > width)
			return -EINVAL;
	}
	mask = bits == width ? 0 : (addr.family == 4 ? ADDR_MAX4 : ADDR_MAX6) >> bits;
	ret_end->family = addr.family;
	ret_end->range.first = addr.value & ~mask;
	ret_end->range.last = addr.value | mask;
	return 0;
}

int filter_read_end(const struct filter_error *error, const char *value, struct filter_end *ret_end)
{
	if (!read_range(value, ret_end))
		return 0;
	/* No name of a zone has these: it was meant to be an address. */
	if (strpbrk(value, "/:"))
		return filter_refuse(error, "not an address, CIDR or zone", value);
	return filter_read_name(error, value, ret_end->zone);
}

int filter_read_port(const struct filter_error *error, const char *value, uint16_t *ret_port)
{
	char *end;
	unsigned long port;

	errno = 0;
	port = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || port > 65535)
		return filter_refuse(error, "not a port", value);
	*ret_port = port;
	return 0;
}

static int read_verdict(const struct filter_error *error, const char *value, uint32_t *ret_verdicts)
{
	if (!strcmp(value, "drop"))
		*ret_verdicts = ALL_DROPS;
	else if (!strcmp(value, "allow"))
		*ret_verdicts = ALL_REASONS & ~ALL_DROPS;
	else if (!strcmp(value, "any"))
		*ret_verdicts = ALL_REASONS;
	else
		return filter_refuse(error, "not a verdict (drop, allow, any)", value);
	return 0;
}

static int read_key(const struct filter_error *error, const char *key, const char *value, struct filter *filter,
		    uint32_t *ret_verdicts)
{
	if (!strcmp(key, "zone"))
		return filter_read_name(error, value, filter->zone);
	if (!strcmp(key, "rule"))
		return filter_read_name(error, value, filter->rule);
	if (!strcmp(key, "interface"))
		return filter_read_name(error, value, filter->interface);
	if (!strcmp(key, "from"))
		return filter_read_end(error, value, &filter->from);
	if (!strcmp(key, "to"))
		return filter_read_end(error, value, &filter->to);
	if (!strcmp(key, "port")) {
		filter->has_port = true;
		return filter_read_port(error, value, &filter->port);
	}
	if (!strcmp(key, "verdict"))
		return read_verdict(error, value, ret_verdicts);
	if (!strcmp(key, "staged")) {
		filter->staged = true;
		return strcmp(value, "changed") ? filter_refuse(error, "staged rules are asked for by 'changed', not", value) : 0;
	}
	if (strcmp(key, "reason"))
		return filter_refuse(error, "there is no such filter", key);
	filter->reasons = reason_find(value);
	return filter->reasons ? 0 : filter_refuse(error, "there is no such reason", value);
}

int filter_read(struct json_object *object, struct filter *ret_filter, char *ret_why, size_t why_len)
{
	const struct filter_error error = { ret_why, why_len };
	struct filter filter = { .reasons = ALL_REASONS };
	uint32_t verdicts = ALL_DROPS;
	int r;

	if (object && !json_object_is_type(object, json_type_object))
		return filter_refuse(&error, "not an object", json_object_get_string(object));
	if (object) {
		json_object_object_foreach(object, key, value) {
			const char *text = value ? json_object_get_string(value) : "";

			r = read_key(&error, key, text, &filter, &verdicts);
			if (r)
				return r;
		}
	}
	filter.reasons &= verdicts;
	*ret_filter = filter;
	return 0;
}

bool filter_end_has(const struct filter_end *end, int family, const void *wire)
{
	struct addr addr;

	if (family != end->family)
		return false;
	addr = addr_from_bytes(family, wire);
	return addr.value >= end->range.first && addr.value <= end->range.last;
}

static bool has_zone(const char *zones, const char *zone)
{
	size_t len = strlen(zone);

	while (*zones) {
		size_t name_len = strcspn(zones, ",");

		if (name_len == len && !memcmp(zones, zone, len))
			return true;
		zones += name_len + !!zones[name_len];
	}
	return false;
}

static bool end_matches(const struct filter_end *end, const struct event *event, const void *wire, const char *zones)
{
	if (*end->zone)
		return has_zone(zones, end->zone);
	if (!end->family)
		return true;
	return !(event->key.flags & ZW_EVENT_FOLDED) && filter_end_has(end, event->key.family, wire);
}

static bool port_matches(const struct filter *filter, const struct event *event)
{
	uint8_t protocol = event->key.protocol;

	if (event->key.flags & ZW_EVENT_FOLDED)
		return false;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_SCTP)
		return false;
	return ntohs(event->key.port) == filter->port || (event->has_packet && event->source_port == filter->port);
}

bool filter_matches(const struct filter *filter, const struct event *event)
{
	if (event->time_ns < filter->since_ns || !(filter->reasons >> (event->key.reason & 31) & 1))
		return false;
	if (*filter->rule && strcmp(filter->rule, event->rule))
		return false;
	if (*filter->interface && strcmp(filter->interface, event->interface))
		return false;
	if (*filter->zone && !has_zone(event->from_zones, filter->zone) && !has_zone(event->to_zones, filter->zone))
		return false;
	if ((filter->has_port && !port_matches(filter, event)) || (filter->staged && !*event->staged))
		return false;
	return end_matches(&filter->from, event, event->key.source, event->from_zones) &&
	       end_matches(&filter->to, event, event->key.destination, event->to_zones);
}
