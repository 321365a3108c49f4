// SPDX-License-Identifier: GPL-2.0-only
/* What a replay found, for people. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "cmd/explained.h"
#include "cmd/simulate.h"
#include "cmd/view.h"

void put_row_service(struct buffer *buffer, const struct replay_row *row)
{
	const struct first_packet packet = { .protocol = row->protocol, .port = row->port };

	if (row->has_port)
		put_packet_service(buffer, &packet);
	else
		put_protocol(buffer, row->protocol);
}

void put_time(struct buffer *buffer, double time, int digits)
{
	static const unsigned units[] = { 1000000, 100000, 10000, 1000, 100, 10, 1 };
	int64_t micro = time * 1e6 + 0.5;
	time_t seconds = micro / 1000000;
	struct tm tm;
	char text[32] = "";

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buffer_put(buffer, text);
	if (digits)
		buffer_printf(buffer, ".%0*u", digits, (unsigned)(micro % 1000000) / units[digits]);
	buffer_put(buffer, "Z");
}

const char *decision_rule(const struct tables *tables, const struct decision *decision)
{
	const struct rule_name *rule =
		reason_shows_rule(decision->reason) ? names_rule(tables->names, decision->rule) : NULL;

	return rule ? rule->id : NULL;
}

/* "4 packets", "1 conversation" */
static void put_count(struct buffer *text, uint64_t count, const char *what)
{
	buffer_printf(text, "%" PRIu64 " %s%s", count, what, count == 1 ? "" : "s");
}

static void put_head(const struct replayed *r, struct buffer *text)
{
	const struct replay_counts *c = replay_counts(r->replay);
	const char *path = r->arguments->capture;

	buffer_plain(text, strcmp(path, "-") ? path : "standard input");
	buffer_printf(text, " (%s): ", capture_link_text(r->capture));
	put_count(text, c->packets, "packet");
	buffer_put(text, ", ");
	put_count(text, c->conversations, "conversation");
	if (c->first) {
		buffer_put(text, ", ");
		put_time(text, c->first, 0);
		buffer_printf(text, ", %s", view_seconds(c->last - c->first));
	}
	buffer_put(text, "\n");
}

static void put_verdicts(const struct replayed *r, enum replay_side side, struct buffer *text)
{
	const struct sources *sources = side == REPLAY_OLD ? &r->arguments->old : &r->arguments->sources;
	const struct replay_counts *c = replay_counts(r->replay);

	for (size_t i = 0; i < sources->file_count && r->tables[REPLAY_OLD]; i++) {
		buffer_put(text, i ? " " : "");
		buffer_plain(text, sources->files[i]);
	}
	buffer_printf(text, "%s%" PRIu64 " allowed, %" PRIu64 " dropped\n", r->tables[REPLAY_OLD] ? ": " : "",
		      c->allowed[side], c->dropped[side]);
}

/* What makes the account less than the whole. */
static void put_notes(const struct replayed *r, struct buffer *text)
{
	const struct replay_counts *c = replay_counts(r->replay);
	const struct {
		uint64_t count;
		const char *what;
	} notes[] = {
		{ c->cut, "not decided: their headers were not captured" },
		{ c->refused, "not decided: the kernel's test run does not take such frames" },
		{ c->loopback, "not decided: of a loopback device, where no hook stands" },
		{ c->late, "earlier than the one before, and decided at its time" },
	};

	for (size_t i = 0; i < ARRAY_LEN(notes); i++)
		if (notes[i].count)
			buffer_printf(text, "%" PRIu64 " %s\n", notes[i].count, notes[i].what);
}

static const char *number(uint64_t value, char text[24])
{
	snprintf(text, 24, "%" PRIu64, value);
	return text;
}

static void print_totals(const struct globals *globals, const struct replayed *r)
{
	struct libscols_table *table = view_table(globals, "VERDICT REASON RULE >PACKETS");
	size_t rules = names_rule_count(r->tables[REPLAY_NEW]->names);
	char text[24];

	for (int reason = 1; reason < ZW_REASONS; reason++)
		for (uint32_t rule = 0; rule <= rules; rule++) {
			uint64_t packets = replay_total(r->replay, REPLAY_NEW, reason, rule);
			const struct decision decision = { .reason = reason, .rule = rule };
			const char *id = packets ? decision_rule(r->tables[REPLAY_NEW], &decision) : NULL;

			if (packets)
				view_line(table, ZW_REASON_IS_DROP(reason) ? "drop" : "allow", reason_name(reason), id,
					  number(packets, text));
		}
	view_print(table);
}

/* Rules that pass count nothing. */
static bool counts_staged(const struct rule_name *rule)
{
	return rule && rule->staged && rule->action != ACTION_PASS;
}

uint32_t replayed_staged(const struct replayed *r, enum replay_side side, uint32_t after)
{
	const struct names *names = r->tables[side]->names;

	for (uint32_t rule = after + 1; rule <= names_rule_count(names); rule++)
		if (counts_staged(names_rule(names, rule)))
			return rule;
	return 0;
}

static void print_staged(const struct globals *globals, const struct replayed *r)
{
	struct libscols_table *table = view_table(globals, "STAGED >ALLOW >DROP >CHANGED");
	char allowed[24], dropped[24], changed[24];

	for (uint32_t rule = replayed_staged(r, REPLAY_NEW, 0); rule; rule = replayed_staged(r, REPLAY_NEW, rule)) {
		struct replay_staged staged = replay_staged(r->replay, REPLAY_NEW, rule);

		view_line(table, names_rule(r->tables[REPLAY_NEW]->names, rule)->id, number(staged.allowed, allowed),
			  number(staged.dropped, dropped), number(staged.changed, changed));
	}
	view_print(table);
}

/* The texts of a row, until the next one. */
struct cells {
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], packets[24], conversations[24];
	struct buffer service, first, was, is;
};

/* "rule web-in", "default" */
static void put_decision(struct buffer *text, const struct tables *tables, const struct decision *decision)
{
	const char *rule = decision_rule(tables, decision);

	buffer_put(text, reason_name(decision->reason));
	if (rule)
		buffer_printf(text, " %s", rule);
}

static void fill(const struct replayed *r, const struct replay_row *row, struct cells *cells)
{
	addr_print(&row->from, cells->from);
	addr_print(&row->to, cells->to);
	number(row->packets, cells->packets);
	number(row->conversations, cells->conversations);
	buffer_clear(&cells->service);
	put_row_service(&cells->service, row);
	buffer_clear(&cells->first);
	put_time(&cells->first, row->first, 3);
	buffer_clear(&cells->is);
	put_decision(&cells->is, r->tables[REPLAY_NEW], &row->decision[REPLAY_NEW]);
	buffer_clear(&cells->was);
	if (r->tables[REPLAY_OLD] && row->decision[REPLAY_OLD].reason)
		put_decision(&cells->was, r->tables[REPLAY_OLD], &row->decision[REPLAY_OLD]);
}

static bool free_cells(struct cells *cells)
{
	bool failed = cells->service.failed || cells->first.failed || cells->was.failed || cells->is.failed;

	buffer_free(&cells->service);
	buffer_free(&cells->first);
	buffer_free(&cells->was);
	buffer_free(&cells->is);
	return failed;
}

static int print_rows(const struct globals *globals, const struct replayed *r, enum replay_rows which)
{
	const bool compared = which != REPLAY_DROPPED;
	struct libscols_table *table =
		view_table(globals, compared ? "FROM TO SERVICE >CONVERSATIONS >PACKETS FIRST OLD NEW" :
					       "FROM TO SERVICE >CONVERSATIONS >PACKETS FIRST REASON");
	size_t shown = r->count[which] < r->arguments->limit ? r->count[which] : r->arguments->limit;
	struct cells cells = { 0 };

	for (size_t i = 0; i < shown; i++) {
		fill(r, &r->rows[which][i], &cells);
		view_line(table, cells.from, cells.to, cells.service.data, cells.conversations, cells.packets,
			  cells.first.data, compared ? cells.was.data : cells.is.data, cells.is.data);
	}
	view_print(table);
	if (shown < r->count[which])
		printf("%zu more: --limit N lists N\n", r->count[which] - shown);
	return free_cells(&cells) ? -ENOMEM : 0;
}

/* A list with its headline; nothing if there is none. */
static int print_list(const struct globals *globals, const struct replayed *r, enum replay_rows which,
		      const char *head, uint64_t packets, uint64_t unlisted)
{
	struct buffer text = { 0 };
	int err;

	if (!packets)
		return 0;
	buffer_printf(&text, "\n%s: ", head);
	put_count(&text, packets, "packet");
	if (unlisted)
		buffer_printf(&text, ", %" PRIu64 " of them without addresses, or of more than %u conversations",
			      unlisted, REPLAY_CONVERSATIONS);
	err = text.failed ? -ENOMEM : 0;
	if (!err)
		puts(text.data);
	buffer_free(&text);
	return err || !r->count[which] ? err : print_rows(globals, r, which);
}

static int print_changes(const struct globals *globals, const struct replayed *r)
{
	const struct replay_counts *c = replay_counts(r->replay);
	int err;

	if (!c->newly_dropped && !c->newly_allowed) {
		puts("\nno packet is decided otherwise than by the old policy");
		return 0;
	}
	err = print_list(globals, r, REPLAY_NEWLY_DROPPED, "newly dropped", c->newly_dropped, 0);
	if (!err)
		err = print_list(globals, r, REPLAY_NEWLY_ALLOWED, "newly allowed", c->newly_allowed, 0);
	if (c->changed_unlisted)
		printf("%" PRIu64 " of these packets are without addresses, or of more than %u conversations\n",
		       c->changed_unlisted, REPLAY_CONVERSATIONS);
	return err;
}

int replayed_print(const struct globals *globals, const struct replayed *r)
{
	const struct replay_counts *c = replay_counts(r->replay);
	struct buffer text = { 0 };

	put_head(r, &text);
	if (r->tables[REPLAY_OLD])
		put_verdicts(r, REPLAY_OLD, &text);
	put_verdicts(r, REPLAY_NEW, &text);
	put_notes(r, &text);
	if (!text.failed)
		fputs(text.data, stdout);
	buffer_free(&text);
	if (c->allowed[REPLAY_NEW] + c->dropped[REPLAY_NEW]) {
		putchar('\n');
		print_totals(globals, r);
	}
	if (replayed_staged(r, REPLAY_NEW, 0)) {
		putchar('\n');
		print_staged(globals, r);
	}
	return r->tables[REPLAY_OLD] ? print_changes(globals, r) :
				       print_list(globals, r, REPLAY_DROPPED, "dropped", c->dropped[REPLAY_NEW],
						  c->dropped_unlisted);
}
