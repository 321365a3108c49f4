// SPDX-License-Identifier: GPL-2.0-only
#include "watch/event.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "simulate/decision.h"

#define STRINGS 7

struct event *event_copy(const struct event *event)
{
	const char *from[STRINGS] = { event->interface, event->rule, event->cgroup, event->from_zones, event->to_zones,
				      event->staged, event->block_reason };
	size_t len[STRINGS], total = sizeof(*event);
	struct event *copy;
	char *to;

	for (int i = 0; i < STRINGS; i++)
		total += len[i] = strlen(from[i]) + 1;
	copy = malloc(total);
	if (!copy)
		return NULL;
	*copy = *event;
	to = (char *)(copy + 1);
	for (int i = 0; i < STRINGS; i++) {
		from[i] = memcpy(to, from[i], len[i]);
		to += len[i];
	}
	copy->interface = from[0];
	copy->rule = from[1];
	copy->cgroup = from[2];
	copy->from_zones = from[3];
	copy->to_zones = from[4];
	copy->staged = from[5];
	copy->block_reason = from[6];
	return copy;
}

static bool is_folded(const struct event *event)
{
	return event->key.flags & ZW_EVENT_FOLDED;
}

static bool is_banned(const struct event *event)
{
	return event->key.flags & ZW_EVENT_BANNED;
}

static bool has_addresses(const struct event *event)
{
	return event->key.family && !is_folded(event);
}

static bool has_ports(const struct event *event)
{
	uint8_t protocol = event->key.protocol;

	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

static bool is_icmp(const struct event *event)
{
	return event->key.protocol == IPPROTO_ICMP || event->key.protocol == IPPROTO_ICMPV6;
}

static void address(const struct event *event, const __u32 *wire, char text[INET6_ADDRSTRLEN])
{
	inet_ntop(event->key.family == 6 ? AF_INET6 : AF_INET, wire, text, INET6_ADDRSTRLEN);
}

void protocol_text(uint8_t protocol, char text[16])
{
	switch (protocol) {
	case IPPROTO_TCP:
		strcpy(text, "tcp");
		break;
	case IPPROTO_UDP:
		strcpy(text, "udp");
		break;
	case IPPROTO_SCTP:
		strcpy(text, "sctp");
		break;
	case IPPROTO_ICMP:
		strcpy(text, "icmp");
		break;
	case IPPROTO_ICMPV6:
		strcpy(text, "icmpv6");
		break;
	default:
		snprintf(text, 16, "proto/%u", protocol);
	}
}

/* Letters as the batch interface takes them. */
static void tcp_flags_text(uint8_t flags, char text[9])
{
	static const struct { uint8_t bit; char letter; } letters[] = {
		{ 0x02, 'S' }, { 0x10, 'A' }, { 0x01, 'F' }, { 0x04, 'R' },
		{ 0x08, 'P' }, { 0x20, 'U' }, { 0x40, 'E' }, { 0x80, 'C' },
	};

	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (flags & letters[i].bit)
			*text++ = letters[i].letter;
	*text = '\0';
}

static const char *hook_text(enum zw_hook hook)
{
	static const char *const names[ZW_HOOKS] = { "xdp", "ingress", "egress" };

	return hook < ZW_HOOKS ? names[hook] : "";
}

static const char *direction_text(const struct event *event)
{
	return event->key.flags & ZW_EVENT_EGRESS ? "egress" : "ingress";
}

static void json_time(int64_t time_ns, struct buffer *buffer)
{
	time_t seconds = time_ns / 1000000000;
	struct tm tm;
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buffer_printf(buffer, "\"%s.%06uZ\"", text, (unsigned)(time_ns % 1000000000 / 1000));
}

static void json_zones(const char *zones, struct buffer *buffer)
{
	buffer_put(buffer, "[");
	while (*zones) {
		size_t len = strcspn(zones, ",");

		/* Names of zones have no character that JSON escapes (design section 4.5). */
		buffer_printf(buffer, "\"%.*s\"%s", (int)len, zones, zones[len] ? "," : "");
		zones += len + !!zones[len];
	}
	buffer_put(buffer, "]");
}

static void json_address(const struct event *event, const char *field, const __u32 *wire, struct buffer *buffer)
{
	char text[INET6_ADDRSTRLEN];

	buffer_printf(buffer, ",\"%s\":", field);
	if (!has_addresses(event)) {
		buffer_put(buffer, "null");
		return;
	}
	address(event, wire, text);
	buffer_json_string(buffer, text);
}

static void json_number(const char *field, bool known, uint64_t number, struct buffer *buffer)
{
	if (known)
		buffer_printf(buffer, ",\"%s\":%llu", field, (unsigned long long)number);
	else
		buffer_printf(buffer, ",\"%s\":null", field);
}

static void json_text(const char *field, const char *text, struct buffer *buffer)
{
	buffer_printf(buffer, ",\"%s\":", field);
	buffer_json_or_null(buffer, text);
}

static void json_packet(const struct event *event, struct buffer *buffer)
{
	bool addressed = has_addresses(event), packet = event->has_packet && !is_folded(event);
	char protocol[16] = "", flags[9] = "";
	uint16_t port = ntohs(event->key.port);

	json_address(event, "from", event->key.source, buffer);
	json_address(event, "to", event->key.destination, buffer);
	json_number("sport", packet && addressed && has_ports(event), event->source_port, buffer);
	json_number("dport", addressed && has_ports(event), port, buffer);
	if (addressed && is_icmp(event))
		buffer_printf(buffer, ",\"icmp\":[%u,%u]", port >> 8, port & 255);
	else
		buffer_put(buffer, ",\"icmp\":null");
	if (addressed)
		protocol_text(event->key.protocol, protocol);
	json_text("protocol", protocol, buffer);
	json_number("length", packet, event->length_bytes, buffer);
	if (packet && event->key.protocol == IPPROTO_TCP)
		tcp_flags_text(event->tcp_flags, flags);
	json_text("tcp_flags", flags, buffer);
	json_number("vlan", packet && event->vlan, event->vlan, buffer);
}

void event_json(const struct event *event, struct buffer *buffer)
{
	buffer_put(buffer, "{\"schema\":\"" EVENT_SCHEMA "\",\"time\":");
	json_time(event->time_ns, buffer);
	json_text("interface", event->interface, buffer);
	json_text("hook", hook_text(event->hook), buffer);
	json_text("direction", is_folded(event) ? "" : direction_text(event), buffer);
	json_packet(event, buffer);
	buffer_put(buffer, ",\"from_zones\":");
	json_zones(event->from_zones, buffer);
	buffer_put(buffer, ",\"to_zones\":");
	json_zones(event->to_zones, buffer);
	json_text("verdict", ZW_REASON_IS_DROP(event->key.reason) ? "drop" : "allow", buffer);
	json_text("reason", reason_name(event->key.reason), buffer);
	json_text("rule", event->rule, buffer);
	json_text("staged", event->staged, buffer);
	json_number("count", true, event->count, buffer);
	buffer_printf(buffer, ",\"folded\":%s", is_folded(event) ? "true" : "false");
	buffer_printf(buffer, ",\"banned\":%s", is_banned(event) ? "true" : "false");
	json_number("generation", event->key.generation, event->key.generation, buffer);
	json_text("cgroup", event->cgroup, buffer);
	json_text("block_reason", event->block_reason, buffer);
	buffer_put(buffer, "}");
}

const char *event_reason_text(enum zw_reason reason)
{
	switch (reason) {
	case ZW_DROP_ETHERTYPE:
		return "neither IPv4 nor IPv6";
	case ZW_DROP_MALFORMED:
		return "headers that make no sense";
	case ZW_DROP_SPOOFED:
		return "its source cannot come from there";
	case ZW_DROP_TCP_STATE:
		return "no flow that it could belong to, or impossible TCP flags";
	case ZW_DROP_FRAGMENT:
		return "a fragment that cannot be decided";
	case ZW_DROP_BLOCKED:
		return "on the block list";
	case ZW_DROP_REVOKED:
		return "the policy no longer allows this flow";
	case ZW_DROP_DEFAULT:
		return "no rule allows it";
	case ZW_DROP_LIMIT:
		return "more new flows than the rule's limit";
	case ZW_DROP_PLAINTEXT:
		return "the flow has not begun with TLS";
	default:
		return "";
	}
}

static void text_end(const struct event *event, const __u32 *wire, bool has_port, uint16_t port, struct buffer *buffer)
{
	char text[INET6_ADDRSTRLEN];

	address(event, wire, text);
	if (!has_port)
		buffer_put(buffer, text);
	else if (event->key.family == 6)
		buffer_printf(buffer, "[%s]:%u", text, port);
	else
		buffer_printf(buffer, "%s:%u", text, port);
}

static void text_ends(const struct event *event, struct buffer *buffer)
{
	uint16_t port = ntohs(event->key.port);
	char protocol[16];

	if (is_folded(event)) {
		buffer_put(buffer, "many");
		return;
	}
	if (!event->key.family) {
		buffer_put(buffer, "a frame");
		return;
	}
	protocol_text(event->key.protocol, protocol);
	text_end(event, event->key.source, event->has_packet && has_ports(event), event->source_port, buffer);
	buffer_put(buffer, " → ");
	text_end(event, event->key.destination, has_ports(event), port, buffer);
	if (has_ports(event))
		buffer_printf(buffer, "/%s", protocol);
	else if (is_icmp(event))
		buffer_printf(buffer, " %s/%u/%u", protocol, port >> 8, port & 255);
	else
		buffer_printf(buffer, " %s", protocol);
}

static void text_reason(const struct event *event, struct buffer *buffer)
{
	const char *explained = event_reason_text(event->key.reason);

	buffer_printf(buffer, " %s", reason_name(event->key.reason));
	if (*event->rule) {
		buffer_put(buffer, " ");
		buffer_plain(buffer, event->rule);
	}
	if (*event->block_reason) {
		buffer_printf(buffer, " (%s: ", explained);
		buffer_plain(buffer, event->block_reason);
		buffer_put(buffer, ")");
	} else if (*explained) {
		buffer_printf(buffer, " (%s)", explained);
	}
	if (is_banned(event))
		buffer_put(buffer, ", its source is blocked now");
}

void event_text(const struct event *event, bool colour, struct buffer *buffer)
{
	bool drop = ZW_REASON_IS_DROP(event->key.reason);
	time_t seconds = event->time_ns / 1000000000;
	struct tm tm;
	char time[16];

	localtime_r(&seconds, &tm);
	strftime(time, sizeof(time), "%H:%M:%S", &tm);
	buffer_printf(buffer, "%s %s%s%s ", time, !colour ? "" : drop ? "\033[31m" : "\033[32m",
		      drop ? "drop" : "allow", colour ? "\033[0m" : "");
	text_ends(event, buffer);
	if (*event->from_zones || *event->to_zones)
		buffer_printf(buffer, " %s → %s", *event->from_zones ? event->from_zones : "-",
			      *event->to_zones ? event->to_zones : "-");
	text_reason(event, buffer);
	if (*event->staged) {
		buffer_printf(buffer, "; staged ");
		buffer_plain(buffer, event->staged);
		buffer_put(buffer, drop ? " would allow it" : " would drop it");
	}
	if (*event->interface) {
		buffer_printf(buffer, " %s ", event->key.flags & ZW_EVENT_EGRESS ? "leaving" : "on");
		buffer_plain(buffer, event->interface);
	}
	if (*event->cgroup) {
		buffer_put(buffer, " by ");
		buffer_plain(buffer, event->cgroup);
	}
	if (event->count > 1)
		buffer_printf(buffer, " ×%llu", (unsigned long long)event->count);
}
