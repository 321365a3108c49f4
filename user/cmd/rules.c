// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall rules: what each rule has decided, over all generations that had it; or what staged rules would have.
 */
#include <json-c/json.h>
#include <string.h>

#include "cmd/view.h"
#include "compile/tables.h"
#include "watch/report.h"

enum { OPTION_STAGED = 256 };

static const struct option_help options[] = {
	{ { "staged", no_argument, NULL, OPTION_STAGED }, NULL,
	  "what staged rules would have decided, and a candidate that apply --stage has put beside the policy" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

static struct json_object *make(const struct instance *instance, const char *name)
{
	(void)name;
	return report_rules(instance);
}

/* --- What was decided ---------------------------------------------------------------------------------------------------- */

static void put_rule(struct libscols_table *table, struct json_object *rule)
{
	/* pass has no counter, and staged rules decide nothing */
	bool counts = strcmp(view_string(rule, "action"), "pass") && !view_get(rule, "staged");

	view_line(table, view_string(rule, "id"),
		  strcmp(view_string(rule, "kind"), "rule") ? view_string(rule, "kind")
		  : view_get(rule, "staged")		    ? "staged"
							    : view_string(rule, "action"),
		  view_string(rule, "service"), counts ? view_count(view_number(rule, "flows")) : "-",
		  counts ? view_count(view_number(rule, "packets")) : "-", counts ? view_bytes(view_number(rule, "bytes")) : "-",
		  counts ? view_count(view_number(rule, "limited")) : "-", counts ? view_age(view_string(rule, "last")) : "-",
		  view_string(rule, "place"));
}

static void print(const struct globals *globals, struct json_object *report)
{
	struct libscols_table *table =
		view_table(globals, "RULE ACTION SERVICE >FLOWS >PACKETS >BYTES >LIMITED >LAST PLACE");
	struct json_object *rules = view_get(report, "rules");

	for (size_t i = 0; i < json_object_array_length(rules); i++) {
		struct json_object *rule = json_object_array_get_idx(rules, i);

		if (strncmp(view_string(rule, "id"), CANDIDATE_PREFIX, sizeof(CANDIDATE_PREFIX) - 1))
			put_rule(table, rule);
	}
	view_print(table);
}

/* --- What would have been ------------------------------------------------------------------------------------------------ */

/* Takes the enforced rules out. Returns how many are left. */
static size_t keep_staged(struct json_object *report)
{
	struct json_object *staged = json_object_new_array(), *rules = view_get(report, "rules");

	for (size_t i = 0; i < json_object_array_length(rules); i++) {
		struct json_object *rule = json_object_array_get_idx(rules, i);

		if (view_get(rule, "staged"))
			json_object_array_add(staged, json_object_get(rule));
	}
	json_object_object_add(report, "rules", staged);
	return json_object_array_length(staged);
}

static void put_staged(struct libscols_table *table, struct json_object *rule)
{
	struct json_object *staged = view_get(rule, "staged");
	bool counts = strcmp(view_string(rule, "action"), "pass");

	view_line(table, view_string(rule, "id"), view_string(rule, "action"), view_string(rule, "service"),
		  counts ? view_count(view_number(staged, "allowed")) : "-",
		  counts ? view_count(view_number(staged, "dropped")) : "-",
		  counts ? view_count(view_number(staged, "changed")) : "-", counts ? view_age(view_string(rule, "last")) : "-",
		  view_string(rule, "place"));
}

static void print_candidate(struct json_object *candidate)
{
	printf("a candidate is staged: %s first packets newly allowed, %s newly dropped\n\n",
	       view_count(view_number(candidate, "newly_allowed")), view_count(view_number(candidate, "newly_dropped")));
}

static void print_staged(const struct globals *globals, struct json_object *report, size_t count)
{
	struct json_object *rules = view_get(report, "rules"), *candidate = view_get(report, "candidate");
	struct libscols_table *table;

	if (!count) {
		printf("no rule is staged\n");
		return;
	}
	if (candidate)
		print_candidate(candidate);
	table = view_table(globals, "RULE WOULD SERVICE >ALLOW >DROP >CHANGED >LAST PLACE");
	for (size_t i = 0; i < count; i++)
		put_staged(table, json_object_array_get_idx(rules, i));
	view_print(table);
	printf("\n'zonewall flows --staged' lists open connections that would be dropped,"
	       " 'zonewall drops --staged' drops that would pass\n");
	if (candidate)
		printf("to enforce the candidate: zonewall apply FILE...; to end it: apply the enforced policy again\n");
	else
		printf("to enforce one: zonewall promote RULE FILE..., then zonewall apply FILE...\n");
}

/* --- Both ------------------------------------------------------------------------------------------------------------------ */

static int read_arguments(int argc, char **argv, bool *ret_staged)
{
	int option;

	*ret_staged = false;
	while ((option = command_getopt(&cmd_rules, argc, argv)) != -1) {
		if (option != OPTION_STAGED)
			return EXIT_USAGE;
		*ret_staged = true;
	}
	if (optind == argc)
		return EXIT_DONE;
	fprintf(stderr, "zonewall rules: this takes no argument: '%s'\n", argv[optind]);
	return EXIT_USAGE;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	struct json_object *report;
	bool staged;
	int status = read_arguments(argc, argv, &staged);
	size_t count;

	if (!status)
		status = view_report(globals, "rules", make, &report);
	if (status)
		return status;
	count = staged ? keep_staged(report) : 0;
	if (globals->json)
		view_json(report);
	else if (staged)
		print_staged(globals, report, count);
	else
		print(globals, report);
	json_object_put(report);
	return EXIT_DONE;
}

const struct command cmd_rules = {
	.name = "rules",
	.arguments = "",
	.summary = "show what each rule has decided, or would have",
	.options = options,
	.run = run,
};
