// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall rules: what each rule has decided, over all generations that had it.
 */
#include <json-c/json.h>
#include <string.h>

#include "cmd/view.h"
#include "watch/report.h"

static struct json_object *make(const struct instance *instance, const char *name)
{
	(void)name;
	return report_rules(instance);
}

static void print(const struct globals *globals, struct json_object *report)
{
	struct libscols_table *table =
		view_table(globals, "RULE ACTION SERVICE >FLOWS >PACKETS >BYTES >LIMITED >LAST PLACE");
	struct json_object *rules = view_get(report, "rules");

	for (size_t i = 0; i < json_object_array_length(rules); i++) {
		struct json_object *rule = json_object_array_get_idx(rules, i);
		bool passes = !strcmp(view_string(rule, "action"), "pass"); /* has no counter */

		view_line(table, view_string(rule, "id"),
			  strcmp(view_string(rule, "kind"), "rule") ? view_string(rule, "kind") : view_string(rule, "action"),
			  view_string(rule, "service"), passes ? "-" : view_count(view_number(rule, "flows")),
			  passes ? "-" : view_count(view_number(rule, "packets")),
			  passes ? "-" : view_bytes(view_number(rule, "bytes")),
			  passes ? "-" : view_count(view_number(rule, "limited")),
			  passes ? "-" : view_age(view_string(rule, "last")), view_string(rule, "place"));
	}
	view_print(table);
}

static int run(const struct globals *globals, int argc, char **argv)
{
	struct json_object *report;
	int status;

	if (command_getopt(&cmd_rules, argc, argv) != -1)
		return EXIT_USAGE;
	if (optind < argc) {
		fprintf(stderr, "zonewall rules: this takes no argument: '%s'\n", argv[optind]);
		return EXIT_USAGE;
	}
	status = view_report(globals, "rules", make, &report);
	if (status)
		return status;
	if (globals->json)
		view_json(report);
	else
		print(globals, report);
	json_object_put(report);
	return EXIT_DONE;
}

const struct command cmd_rules = {
	.name = "rules",
	.arguments = "",
	.summary = "show what each rule has decided",
	.run = run,
};
