// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cuts for people and for programs, and the refusal of those that the administrator would not survive.
 */
#include <json-c/json.h>
#include <string.h>

#include "base/addr.h"
#include "base/util.h"
#include "cmd/cuts_find.h"
#include "cmd/view.h"
#include "kernel/edge.h"
#include "kernel/session.h"
#include "simulate/decision.h"
#include "watch/event.h"

#define SHOWN_MAX 50 /* the rest is counted; JSON has all */

int cuts_verdict(const struct names *names, const char *reason, const char *id, uint32_t number, struct verdict *ret_verdict)
{
	const struct rule_name *rule = number ? names_rule(names, number) : NULL;

	if (rule)
		id = rule->id;
	*ret_verdict = (struct verdict){ .reason = reason, .rule = id ? strdup(id) : NULL };
	return id && !ret_verdict->rule ? -ENOMEM : 0;
}

/* --- Text ----------------------------------------------------------------------------------------------------------- */

#define END_MAX (ADDR_TEXT_MAX + 10)

/* "10.2.0.9:443", "[fd00::9]:443" */
static void put_end(char text[END_MAX], int family, const uint32_t *address, __be16 port, bool has_port)
{
	const struct addr addr = addr_from_bytes(family, address);
	char plain[ADDR_TEXT_MAX];

	addr_print(&addr, plain);
	if (!has_port)
		snprintf(text, END_MAX, "%s", plain);
	else
		snprintf(text, END_MAX, family == 6 ? "[%s]:%u" : "%s:%u", plain, be16toh(port));
}

static const char *words_of(const struct verdict *verdict, char *ret_text, size_t len)
{
	if (verdict->rule)
		snprintf(ret_text, len, "%s %s", verdict->reason, verdict->rule);
	else
		snprintf(ret_text, len, "%s", verdict->reason ? verdict->reason : "not decided");
	return ret_text;
}

#define WORDS_MAX 128

/* "by default: 3, by rule no-db: 2" */
static void print_by_rule(const struct cuts *cuts)
{
	char words[WORDS_MAX];
	size_t from = 0;

	for (size_t i = 1; i <= cuts->count; i++) {
		const char *rule = cuts->cuts[from].now.rule, *next = i < cuts->count ? cuts->cuts[i].now.rule : NULL;

		if (i < cuts->count && (rule == next || (rule && next && !strcmp(rule, next))))
			continue;
		printf("%sby %s: %zu", from ? ", " : "", words_of(&cuts->cuts[from].now, words, sizeof(words)), i - from);
		from = i;
	}
	printf("\n");
}

static void print_connections(const struct globals *globals, const struct cuts *cuts)
{
	struct libscols_table *table = view_table(globals, "PROTO FROM TO BEFORE NOW NOTE");

	for (size_t i = 0; i < cuts->count && i < SHOWN_MAX; i++) {
		const struct cut *cut = &cuts->cuts[i];
		const struct connection *c = &cut->connection;
		bool has_ports = fate_has_ports(c->protocol);
		char protocol[16], from[END_MAX], to[END_MAX], before[WORDS_MAX], now[WORDS_MAX];

		protocol_text(c->protocol, protocol);
		put_end(from, c->family, c->source, c->sport, has_ports);
		put_end(to, c->family, c->destination, c->dport, has_ports);
		view_line(table, protocol, from, to, words_of(&cut->before, before, sizeof(before)),
			  words_of(&cut->now, now, sizeof(now)), cut->is_own ? "this command was typed over it" : "");
	}
	view_print(table);
	if (cuts->count > SHOWN_MAX)
		printf("and %zu more\n", cuts->count - SHOWN_MAX);
}

static void print_closed(const struct globals *globals, const struct cuts *cuts)
{
	struct libscols_table *table = view_table(globals, "PROTO ADDRESS BEFORE NOW");

	for (size_t i = 0; i < cuts->closed_count && i < SHOWN_MAX; i++) {
		const struct closed *closed = &cuts->closed[i];
		char protocol[16], address[END_MAX], before[WORDS_MAX], now[WORDS_MAX];

		protocol_text(closed->protocol, protocol);
		put_end(address, closed->family, closed->address, closed->port, true);
		view_line(table, protocol, address, words_of(&closed->before, before, sizeof(before)),
			  words_of(&closed->now, now, sizeof(now)));
	}
	view_print(table);
	if (cuts->closed_count > SHOWN_MAX)
		printf("and %zu more\n", cuts->closed_count - SHOWN_MAX);
}

void cuts_print(const struct globals *globals, const struct cuts *cuts)
{
	printf("%zu of %llu live connections would be cut\n", cuts->count, (unsigned long long)cuts->live);
	if (cuts->count) {
		print_by_rule(cuts);
		print_connections(globals, cuts);
	}
	printf("%zu of %zu listening sockets could be reached by nobody any more\n", cuts->closed_count, cuts->listening);
	if (cuts->closed_count)
		print_closed(globals, cuts);
}

/* --- JSON ----------------------------------------------------------------------------------------------------------- */

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

static void add_protocol(struct json_object *object, uint8_t protocol)
{
	char text[16];

	protocol_text(protocol, text);
	add_text(object, "proto", text);
}

static void add_address(struct json_object *object, const char *key, int family, const uint32_t *address)
{
	const struct addr addr = addr_from_bytes(family, address);
	char text[ADDR_TEXT_MAX];

	addr_print(&addr, text);
	add_text(object, key, text);
}

static void add_port(struct json_object *object, const char *key, uint8_t protocol, __be16 port)
{
	json_object_object_add(object, key, fate_has_ports(protocol) ? json_object_new_int(be16toh(port)) : NULL);
}

static void add_verdict(struct json_object *object, const char *key, const struct verdict *verdict)
{
	struct json_object *value = NULL;

	if (verdict->reason) {
		value = json_object_new_object();
		add_text(value, "reason", verdict->reason);
		add_text(value, "rule", verdict->rule);
	}
	json_object_object_add(object, key, value);
}

static struct json_object *cut_json(const struct cut *cut)
{
	struct json_object *object = json_object_new_object();
	const struct connection *c = &cut->connection;

	add_protocol(object, c->protocol);
	add_address(object, "from", c->family, c->source);
	add_port(object, "sport", c->protocol, c->sport);
	add_address(object, "to", c->family, c->destination);
	add_port(object, "dport", c->protocol, c->dport);
	add_verdict(object, "before", &cut->before);
	add_verdict(object, "now", &cut->now);
	json_object_object_add(object, "own", json_object_new_boolean(cut->is_own));
	return object;
}

static struct json_object *closed_json(const struct closed *closed)
{
	struct json_object *object = json_object_new_object();

	add_protocol(object, closed->protocol);
	add_address(object, "address", closed->family, closed->address);
	add_port(object, "port", closed->protocol, closed->port);
	add_verdict(object, "before", &closed->before);
	add_verdict(object, "now", &closed->now);
	return object;
}

void cuts_add_json(const struct cuts *cuts, struct json_object *object)
{
	struct json_object *list = json_object_new_array(), *closed = json_object_new_array();

	for (size_t i = 0; i < cuts->count; i++)
		json_object_array_add(list, cut_json(&cuts->cuts[i]));
	for (size_t i = 0; i < cuts->closed_count; i++)
		json_object_array_add(closed, closed_json(&cuts->closed[i]));
	json_object_object_add(object, "connections", json_object_new_uint64(cuts->live));
	json_object_object_add(object, "cut", list);
	json_object_object_add(object, "listening", json_object_new_uint64(cuts->listening));
	json_object_object_add(object, "closed", closed);
}

/* --- One's own ------------------------------------------------------------------------------------------------------ */

static int refuse(const struct session *session, const struct connection *c, const struct verdict *verdict)
{
	char from[END_MAX], to[END_MAX], words[WORDS_MAX], whose[64] = "";

	put_end(from, c->family, c->source, c->sport, true);
	put_end(to, c->family, c->destination, c->dport, true);
	if (session->pid)
		snprintf(whose, sizeof(whose), " (of %s, process %ld)", session->name, session->pid);
	edge_error(0,
		   "this would cut the connection over which it was typed: %s → %s/tcp%s, dropped by %s\n"
		   "zonewall: nothing was changed\n"
		   "fix: a rule or a failsafe that allows it; or --force",
		   from, to, whose, words_of(verdict, words, sizeof(words)));
	return EXIT_FAILED;
}

int cuts_refuse_own(const struct tables *tables)
{
	struct session sessions[SESSIONS_MAX];
	struct ways ways = { 0 };
	size_t count = 0;
	int status = EXIT_DONE;

	if (sessions_find(sessions, &count) || !count || cuts_read_ways(NULL, tables, &ways))
		return EXIT_DONE;
	for (size_t i = 0; i < count && !status; i++) {
		const struct connection c = cuts_opened(tables, &sessions[i].live);
		const struct fate fate = cuts_fate(&ways, tables, &c);
		struct verdict verdict = { 0 };

		if (live_is_local(&sessions[i].live) || fate.passes || !cuts_are_decided(&ways, &c) ||
		    cuts_verdict(tables->names, reason_name(fate.reason), NULL, fate.rule, &verdict))
			continue;
		status = refuse(&sessions[i], &c, &verdict);
		free(verdict.rule);
	}
	cuts_clear_ways(&ways);
	return status;
}
