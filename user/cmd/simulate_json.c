// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a replay found as JSON: one object, a contract. Keys are there always; what has no value is null.
 *
 * capture: file, link, packets, conversations, first, last, late, complete; undecided: cut, refused, loopback; allowed,
 * dropped, totals (verdict, reason, rule, packets), staged (rule, allowed, dropped, changed: what rules would have made of first
 * packets); conversations, more, unlisted: those that lost packets. compared: null, or
 * the old policy's files, allowed, dropped, totals, staged, and newly_dropped, newly_allowed: packets, conversations, more; unlisted.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "base/util.h"
#include "cmd/simulate.h"

#define REPLAY_SCHEMA "zonewall.replay/1"

static void put_number(struct buffer *text, const char *key, uint64_t value)
{
	buffer_printf(text, ",\"%s\":%" PRIu64, key, value);
}

static void put_instant(struct buffer *text, const char *key, double time)
{
	buffer_printf(text, ",\"%s\":", key);
	if (!time) {
		buffer_put(text, "null");
		return;
	}
	buffer_put(text, "\"");
	put_time(text, time, 6);
	buffer_put(text, "\"");
}

/* "verdict":…,"reason":…,"rule":…: names and ids hold no character that JSON would escape (design section 4.5). */
static void put_decision(struct buffer *text, const struct tables *tables, const struct decision *decision)
{
	buffer_printf(text, "\"verdict\":\"%s\",\"reason\":\"%s\",\"rule\":", decision->allow ? "allow" : "drop",
		      reason_name(decision->reason));
	buffer_json_or_null(text, decision_rule(tables, decision));
}

static void put_zones(struct buffer *text, const char *key, const struct tables *tables, const struct addr *addr)
{
	const char *const *zones;
	uint8_t wire[16];
	size_t count;

	addr_to_bytes(addr, wire);
	count = names_zones(tables->names, tables_atom(tables->bytes, &tables->layout, addr->family, wire), &zones);
	buffer_printf(text, ",\"%s\":[", key);
	for (size_t i = 0; i < count; i++)
		buffer_printf(text, "%s\"%s\"", i ? "," : "", zones[i]);
	buffer_put(text, "]");
}

static void put_service(struct buffer *text, const struct replay_row *row)
{
	bool icmp = row->protocol == IPPROTO_ICMP || row->protocol == IPPROTO_ICMPV6;
	bool ports = row->protocol == IPPROTO_TCP || row->protocol == IPPROTO_UDP || row->protocol == IPPROTO_SCTP;

	buffer_put(text, ",\"service\":\"");
	put_row_service(text, row);
	buffer_printf(text, "\",\"protocol\":%u,\"port\":", row->protocol);
	if (row->has_port && ports)
		buffer_number(text, row->port);
	else
		buffer_put(text, "null");
	if (row->has_port && icmp)
		buffer_printf(text, ",\"icmp\":[%u,%u]", row->port >> 8, row->port & 255);
	else
		buffer_put(text, ",\"icmp\":null");
}

static void put_row(struct buffer *text, const struct replayed *r, const struct replay_row *row, bool compared)
{
	const struct tables *tables = r->tables[REPLAY_NEW];
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	addr_print(&row->from, from);
	addr_print(&row->to, to);
	buffer_printf(text, "{\"from\":\"%s\",\"to\":\"%s\"", from, to);
	put_zones(text, "from_zones", tables, &row->from);
	put_zones(text, "to_zones", tables, &row->to);
	put_service(text, row);
	put_number(text, "conversations", row->conversations);
	put_number(text, "packets", row->packets);
	put_instant(text, "first", row->first);
	if (compared) {
		buffer_put(text, ",\"old\":{");
		put_decision(text, r->tables[REPLAY_OLD], &row->decision[REPLAY_OLD]);
		buffer_put(text, "},\"new\":{");
		put_decision(text, tables, &row->decision[REPLAY_NEW]);
		buffer_put(text, "}}");
		return;
	}
	buffer_put(text, ",");
	put_decision(text, tables, &row->decision[REPLAY_NEW]);
	buffer_put(text, "}");
}

static void put_rows(struct buffer *text, const struct replayed *r, enum replay_rows which)
{
	size_t shown = r->count[which] < r->arguments->limit ? r->count[which] : r->arguments->limit;

	buffer_put(text, ",\"conversations\":[");
	for (size_t i = 0; i < shown; i++) {
		buffer_put(text, i ? "," : "");
		put_row(text, r, &r->rows[which][i], which != REPLAY_DROPPED);
	}
	buffer_put(text, "]");
	put_number(text, "more", r->count[which] - shown);
}

static void put_capture(struct buffer *text, const struct replayed *r)
{
	const struct replay_counts *c = replay_counts(r->replay);

	buffer_put(text, ",\"capture\":{\"file\":");
	buffer_json_string(text, r->arguments->capture);
	buffer_printf(text, ",\"link\":\"%s\"", capture_link(r->capture));
	put_number(text, "packets", c->packets);
	put_number(text, "conversations", c->conversations);
	put_instant(text, "first", c->first);
	put_instant(text, "last", c->last);
	put_number(text, "late", c->late);
	buffer_printf(text, ",\"complete\":%s}", r->broken ? "false" : "true");
	buffer_printf(text, ",\"undecided\":{\"cut\":%" PRIu64, c->cut);
	put_number(text, "refused", c->refused);
	put_number(text, "loopback", c->loopback);
	buffer_put(text, "}");
}

static void put_staged(struct buffer *text, const struct replayed *r, enum replay_side side)
{
	const char *comma = "";

	buffer_put(text, ",\"staged\":[");
	for (uint32_t rule = replayed_staged(r, side, 0); rule; rule = replayed_staged(r, side, rule)) {
		struct replay_staged staged = replay_staged(r->replay, side, rule);

		buffer_printf(text, "%s{\"rule\":\"%s\"", comma, names_rule(r->tables[side]->names, rule)->id);
		put_number(text, "allowed", staged.allowed);
		put_number(text, "dropped", staged.dropped);
		put_number(text, "changed", staged.changed);
		buffer_put(text, "}");
		comma = ",";
	}
	buffer_put(text, "]");
}

static void put_totals(struct buffer *text, const struct replayed *r, enum replay_side side)
{
	const struct replay_counts *c = replay_counts(r->replay);
	size_t rules = names_rule_count(r->tables[side]->names);
	const char *comma = "";

	put_number(text, "allowed", c->allowed[side]);
	put_number(text, "dropped", c->dropped[side]);
	buffer_put(text, ",\"totals\":[");
	for (int reason = 1; reason < ZW_REASONS; reason++)
		for (uint32_t rule = 0; rule <= rules; rule++) {
			const struct decision decision = {
				.allow = !ZW_REASON_IS_DROP(reason), .reason = reason, .rule = rule
			};
			uint64_t packets = replay_total(r->replay, side, reason, rule);

			if (!packets)
				continue;
			buffer_printf(text, "%s{", comma);
			put_decision(text, r->tables[side], &decision);
			put_number(text, "packets", packets);
			buffer_put(text, "}");
			comma = ",";
		}
	buffer_put(text, "]");
	put_staged(text, r, side);
}

static void put_changes(struct buffer *text, const struct replayed *r, enum replay_rows which, const char *key,
			uint64_t packets)
{
	buffer_printf(text, ",\"%s\":{\"packets\":%" PRIu64, key, packets);
	put_rows(text, r, which);
	buffer_put(text, "}");
}

static void put_compared(struct buffer *text, const struct replayed *r)
{
	const struct replay_counts *c = replay_counts(r->replay);
	const struct sources *old = &r->arguments->old;

	if (!r->tables[REPLAY_OLD]) {
		buffer_put(text, ",\"compared\":null");
		return;
	}
	buffer_put(text, ",\"compared\":{\"files\":[");
	for (size_t i = 0; i < old->file_count; i++) {
		buffer_put(text, i ? "," : "");
		buffer_json_string(text, old->files[i]);
	}
	buffer_put(text, "]");
	put_totals(text, r, REPLAY_OLD);
	put_changes(text, r, REPLAY_NEWLY_DROPPED, "newly_dropped", c->newly_dropped);
	put_changes(text, r, REPLAY_NEWLY_ALLOWED, "newly_allowed", c->newly_allowed);
	put_number(text, "unlisted", c->changed_unlisted);
	buffer_put(text, "}");
}

int replayed_print_json(const struct replayed *r)
{
	struct buffer text = { 0 };
	int err;

	buffer_put(&text, "{\"schema\":\"" REPLAY_SCHEMA "\"");
	put_capture(&text, r);
	put_totals(&text, r, REPLAY_NEW);
	put_rows(&text, r, REPLAY_DROPPED);
	put_number(&text, "unlisted", replay_counts(r->replay)->dropped_unlisted);
	put_compared(&text, r);
	buffer_put(&text, "}");
	err = text.failed ? -ENOMEM : 0;
	if (!err)
		puts(text.data);
	buffer_free(&text);
	return err;
}
