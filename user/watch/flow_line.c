// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines are put together without printf: a snapshot has a million of them.
 */
#include "watch/flow_line.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "watch/event.h"

const char *flow_state_name(enum zw_flow_state state)
{
	static const char *const names[ZW_FLOW_STATES] = {
		[ZW_FLOW_TCP_SYN] = "syn",
		[ZW_FLOW_TCP_SYN_ACK] = "syn-ack",
		[ZW_FLOW_TCP_ESTABLISHED] = "established",
		[ZW_FLOW_TCP_FIN] = "fin",
		[ZW_FLOW_TCP_CLOSING] = "closing",
		[ZW_FLOW_TCP_RESET] = "reset",
		[ZW_FLOW_TCP_PICKED_UP] = "picked-up",
		[ZW_FLOW_UDP] = "unanswered",
		[ZW_FLOW_UDP_REPLIED] = "answered",
		[ZW_FLOW_UDP_CONFIRMED] = "confirmed",
		[ZW_FLOW_ICMP] = "open",
		[ZW_FLOW_SCTP] = "unanswered",
		[ZW_FLOW_SCTP_REPLIED] = "answered",
		[ZW_FLOW_SCTP_CONFIRMED] = "confirmed",
		[ZW_FLOW_OTHER] = "open",
	};

	return state < ZW_FLOW_STATES && names[state] ? names[state] : "";
}

bool flow_has_ports(const struct flow_record *flow)
{
	return flow->protocol == IPPROTO_TCP || flow->protocol == IPPROTO_UDP || flow->protocol == IPPROTO_SCTP;
}

static bool is_icmp(const struct flow_record *flow)
{
	return flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6;
}

static void put_address(int family, const __u32 *wire, struct buffer *buffer)
{
	const struct addr addr = addr_from_bytes(family, wire);
	char text[ADDR_TEXT_MAX];

	addr_print(&addr, text);
	buffer_put(buffer, text);
}

static void put_number(const char *key, uint64_t number, struct buffer *buffer)
{
	buffer_put(buffer, key);
	buffer_number(buffer, number);
}

/* Names of zones and ids of rules, a candidate's too, have no character that JSON escapes (design section 4.5). */
static void put_text(const char *key, const char *text, struct buffer *buffer)
{
	buffer_put(buffer, key);
	if (!text) {
		buffer_put(buffer, "null");
		return;
	}
	buffer_add(buffer, "\"", 1);
	buffer_put(buffer, text);
	buffer_add(buffer, "\"", 1);
}

static void put_seconds(const char *key, uint64_t jiffies, unsigned hz, struct buffer *buffer)
{
	char fraction[4] = { '.', '0', '0', '0' };
	unsigned ms = jiffies % hz * 1000 / hz;

	put_number(key, jiffies / hz, buffer);
	for (int i = 3; i > 0; i--, ms /= 10)
		fraction[i] += ms % 10;
	buffer_add(buffer, fraction, sizeof(fraction));
}

static void put_zones(const char *key, const struct flow_seen *flow, int end, struct buffer *buffer)
{
	buffer_put(buffer, key);
	for (size_t i = 0; i < flow->zone_count[end]; i++)
		put_text(i ? "," : "", flow->zones[end][i], buffer);
	buffer_put(buffer, "]");
}

static void put_ports(const struct flow_record *flow, struct buffer *buffer)
{
	if (flow_has_ports(flow)) {
		put_number(",\"sport\":", ntohs(flow->sport), buffer);
		put_number(",\"dport\":", ntohs(flow->dport), buffer);
		buffer_put(buffer, ",\"icmp\":null,\"id\":null");
		return;
	}
	buffer_put(buffer, ",\"sport\":null,\"dport\":null");
	if (!is_icmp(flow)) {
		buffer_put(buffer, ",\"icmp\":null,\"id\":null");
		return;
	}
	put_number(",\"icmp\":[", flow->port >> 8, buffer);
	put_number(",", flow->port & 255, buffer);
	put_number("],\"id\":", ntohs(flow->sport), buffer);
}

static void put_counts(const char *key, const struct flow_record *flow, int side, struct buffer *buffer)
{
	put_number(key, flow->packets[side], buffer);
	put_number(",\"bytes\":", flow->bytes[side], buffer);
	buffer_put(buffer, "}");
}

static void put_bool(const char *key, bool value, struct buffer *buffer)
{
	buffer_put(buffer, key);
	buffer_put(buffer, value ? "true" : "false");
}

void flow_json(const struct flow_seen *flow, unsigned hz, struct buffer *buffer)
{
	const struct flow_record *record = &flow->record;
	char protocol[16];

	protocol_text(record->protocol, protocol);
	buffer_put(buffer, "{\"schema\":\"" FLOW_SCHEMA "\",\"from\":\"");
	put_address(record->family, record->source, buffer);
	buffer_put(buffer, "\",\"to\":\"");
	put_address(record->family, record->destination, buffer);
	buffer_put(buffer, "\"");
	put_ports(record, buffer);
	put_text(",\"protocol\":", protocol, buffer);
	put_text(",\"state\":", flow_state_name(record->state), buffer);
	put_bool(",\"protected\":", record->confirmed, buffer);
	put_zones(",\"from_zones\":[", flow, 0, buffer);
	put_zones(",\"to_zones\":[", flow, 1, buffer);
	put_text(",\"reason\":", flow->reason, buffer);
	put_text(",\"rule\":", flow->rule, buffer);
	put_text(",\"staged\":", flow->staged, buffer);
	if (record->generation)
		put_number(",\"generation\":", record->generation, buffer);
	else
		buffer_put(buffer, ",\"generation\":null");
	put_bool(",\"stale\":", flow->stale, buffer);
	put_seconds(",\"age\":", record->age, hz, buffer);
	put_seconds(",\"idle\":", record->idle, hz, buffer);
	put_counts(",\"from_opener\":{\"packets\":", record, 0, buffer);
	put_counts(",\"to_opener\":{\"packets\":", record, 1, buffer);
	buffer_put(buffer, "}");
}

static void row_end(const struct flow_record *flow, const __u32 *wire, __be16 port, struct buffer *buffer)
{
	bool bracket = flow->family == 6 && flow_has_ports(flow);

	buffer_put(buffer, bracket ? "[" : "");
	put_address(flow->family, wire, buffer);
	buffer_put(buffer, bracket ? "]" : "");
	if (flow_has_ports(flow))
		put_number(":", ntohs(port), buffer);
	buffer_put(buffer, "\t");
}

static void row_zones(const struct flow_seen *flow, int end, struct buffer *buffer)
{
	for (size_t i = 0; i < flow->zone_count[end]; i++) {
		buffer_put(buffer, i ? "," : "");
		buffer_put(buffer, flow->zones[end][i]);
	}
	buffer_put(buffer, flow->zone_count[end] ? "\t" : "-\t");
}

/* Milliseconds of a time that fits: a flow that is 100 years old is so. */
static void row_ms(uint64_t jiffies, unsigned hz, struct buffer *buffer)
{
	buffer_number(buffer, jiffies / hz * 1000 + jiffies % hz * 1000 / hz);
	buffer_put(buffer, "\t");
}

void flow_row(const struct flow_seen *flow, unsigned hz, struct buffer *buffer)
{
	const struct flow_record *record = &flow->record;
	char protocol[16];

	protocol_text(record->protocol, protocol);
	buffer_put(buffer, protocol);
	buffer_put(buffer, "\t");
	buffer_put(buffer, flow_state_name(record->state));
	buffer_put(buffer, "\t");
	row_end(record, record->source, record->sport, buffer);
	row_zones(flow, 0, buffer);
	row_end(record, record->destination, record->dport, buffer);
	row_zones(flow, 1, buffer);
	buffer_put(buffer, flow->rule ? flow->rule : flow->reason ? flow->reason : "-");
	buffer_put(buffer, "\t");
	row_ms(record->age, hz, buffer);
	row_ms(record->idle, hz, buffer);
	for (int side = 0; side < 2; side++) {
		buffer_number(buffer, record->packets[side]);
		put_number("\t", record->bytes[side], buffer);
		buffer_put(buffer, "\t");
	}
	if (flow->stale && record->generation)
		put_number("of generation ", record->generation, buffer);
	else if (flow->stale)
		buffer_put(buffer, "not yet decided");
	if (!flow->staged)
		return;
	buffer_put(buffer, flow->stale ? "; staged " : "staged ");
	buffer_put(buffer, flow->staged);
	buffer_put(buffer, " would drop it");
}
