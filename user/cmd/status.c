// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall status: what is attached and healthy, what decides, and what it takes.
 */
#include <json-c/json.h>
#include <string.h>

#include "cmd/view.h"
#include "watch/report.h"

static const struct option_help options[] = {
	{ { "verbose", no_argument, NULL, 'v' }, NULL, "packets by attach point and reason" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

static struct json_object *make(const struct instance *instance, const char *name)
{
	return report_status(instance, name, NULL);
}

static uint64_t packets(struct json_object *point, const char *verdict)
{
	return view_number(view_get(point, verdict), "packets");
}

static unsigned long long number(struct json_object *object, const char *key)
{
	return view_number(object, key);
}

static void print_trial(struct json_object *report)
{
	struct json_object *trial = view_get(report, "trial");
	unsigned long long fallback = number(trial, "fallback"), reverted = number(report, "reverted");

	if (trial) {
		printf(", on trial: in %s ", view_seconds(number(trial, "left_seconds")));
		if (fallback)
			printf("generation %llu is back", fallback);
		else
			printf("everything passes again");
		printf(" unless it is confirmed");
	} else if (reverted) {
		printf(", since generation %llu was not confirmed in time", reverted);
	}
}

static void print_head(struct json_object *report)
{
	struct json_object *run = view_get(report, "run");

	printf("instance %s: generation %llu", view_string(report, "instance"),
	       (unsigned long long)view_number(report, "generation"));
	if (!view_number(report, "generation"))
		printf(" (everything passes)");
	print_trial(report);
	if (run)
		printf("; zonewall run is alive (process %llu, since %s)\n",
		       (unsigned long long)view_number(run, "pid"), view_string(run, "since"));
	else
		printf("; zonewall run is not running: enforced, but new interfaces and addresses are not followed\n");
}

static void print_points(const struct globals *globals, struct json_object *report)
{
	struct libscols_table *table = view_table(globals, "INTERFACE HOOK MODE STATE SOURCE >ALLOWED >DROPPED NOTE");
	struct json_object *points = view_get(report, "attach_points");

	for (size_t i = 0; i < json_object_array_length(points); i++) {
		struct json_object *point = json_object_array_get_idx(points, i);

		view_line(table, view_get(point, "interface") ? view_string(point, "interface") : "(gone)",
			  view_string(point, "hook"), view_string(point, "mode"),
			  view_bool(point, "healthy") ? "ok" : "BROKEN", view_string(point, "source"), view_count(packets(point, "allowed")),
			  view_count(packets(point, "dropped")), view_string(point, "note"));
	}
	view_print(table);
}

static void add_reasons(struct libscols_table *table, struct json_object *point, const char *name, const char *verdict)
{
	struct json_object *reasons = view_get(view_get(point, verdict), "reasons");

	if (!reasons)
		return;
	json_object_object_foreach(reasons, reason, count)
		view_line(table, name, view_string(point, "hook"), !strcmp(verdict, "dropped") ? "drop" : "allow", reason,
			  view_count(view_number(count, "packets")), view_bytes(view_number(count, "bytes")));
}

static void print_reasons(const struct globals *globals, struct json_object *report)
{
	struct libscols_table *table = view_table(globals, "INTERFACE HOOK VERDICT REASON >PACKETS >BYTES");
	struct json_object *points = view_get(report, "attach_points");

	for (size_t i = 0; i < json_object_array_length(points); i++) {
		struct json_object *point = json_object_array_get_idx(points, i);

		add_reasons(table, point, view_string(point, "interface"), "allowed");
		add_reasons(table, point, view_string(point, "interface"), "dropped");
	}
	printf("\n");
	view_print(table);
}

static void print_generations(struct json_object *generations)
{
	for (size_t i = 0; i < json_object_array_length(generations); i++) {
		struct json_object *generation = json_object_array_get_idx(generations, i);

		printf("%s generation %llu: %llu rules, %llu zones, %llu atoms; tables %s, counters %s%s\n",
		       view_bool(generation, "current") ? "current" : "kept", number(generation, "number"),
		       number(generation, "rules"), number(generation, "zones"), number(generation, "atoms"),
		       view_bytes(number(generation, "tables_bytes")), view_bytes(number(generation, "counters_bytes")),
		       view_bool(generation, "candidate") ? "; a candidate is staged: zonewall rules --staged" : "");
	}
}

static void print_table(struct json_object *table, int family)
{
	unsigned long long replaced = number(table, "replaced"), refused = number(table, "refused");
	unsigned long long unprotected = number(table, "unprotected");

	printf("flows: IPv%d: %llu live, %llu of them protected, room for %llu, %s\n", family, number(table, "live"),
	       number(table, "protected"), number(table, "entries"), view_bytes(number(table, "bytes")));
	if (refused)
		printf("flows: IPv%d: table full: %llu new flows found no slot\n", family, refused);
	if (replaced)
		printf("flows: IPv%d: %llu unconfirmed flows gave their slots to newer ones\n", family, replaced);
	if (unprotected)
		printf("flows: IPv%d: %llu times a confirmed flow found no protected slot\n", family, unprotected);
}

static void print_flows(struct json_object *flows)
{
	print_table(view_get(flows, "ipv4"), 4);
	print_table(view_get(flows, "ipv6"), 6);
}

static void print_feeds(const struct globals *globals, struct json_object *feeds)
{
	struct libscols_table *table;
	size_t count = feeds ? json_object_array_length(feeds) : 0;

	if (!count)
		return;
	printf("\n");
	table = view_table(globals, "ZONE FILE >ENTRIES >AGE STATE");
	for (size_t i = 0; i < count; i++) {
		struct json_object *feed = json_object_array_get_idx(feeds, i);

		view_line(table, view_string(feed, "zone"), view_string(feed, "file"), view_count(view_number(feed, "entries")),
			  view_get(feed, "age_s") ? view_seconds(view_number(feed, "age_s")) : "-",
			  view_get(feed, "problem") ? "KEPT: the file on disk is not taken" : "ok");
	}
	view_print(table);
}

/* Only where limits have been asked. */
static void print_limits(struct json_object *limits)
{
	unsigned long long sources = number(limits, "sources"), rules = number(limits, "rules"), shared = number(limits, "shared");

	if (sources || rules || shared)
		printf("limits: buckets of %llu sources, room for %llu, and of %llu rules are not full\n", sources,
		       number(limits, "room"), rules);
	if (shared)
		printf("limits: no room: %llu packets of new sources asked their rule's bucket\n", shared);
}

static void print_events(struct json_object *events)
{
	if (!events)
		return;
	printf("events: %s packets told, %s pending, %s lost; ring %s of %s used, full %llu times\n",
	       view_count(number(events, "told")), view_count(number(events, "pending")),
	       view_count(number(events, "lost")), view_bytes(number(events, "ring_used_bytes")),
	       view_bytes(number(events, "ring_bytes")), number(events, "ring_full"));
}

static void print_warnings(const struct globals *globals, struct json_object *report)
{
	struct json_object *warnings = view_get(report, "warnings");

	for (size_t i = 0; i < json_object_array_length(warnings); i++)
		printf("%swarning:%s %s\n", globals->colour ? "\033[33m" : "", globals->colour ? "\033[0m" : "",
		       json_object_get_string(json_object_array_get_idx(warnings, i)));
}

static void print(const struct globals *globals, struct json_object *report, bool verbose)
{
	print_head(report);
	print_warnings(globals, report);
	printf("\n");
	print_points(globals, report);
	if (verbose)
		print_reasons(globals, report);
	printf("\n");
	print_generations(view_get(report, "generations"));
	print_flows(view_get(report, "flows"));
	print_limits(view_get(report, "limits"));
	print_events(view_get(report, "events"));
	print_feeds(globals, view_get(report, "feeds"));
}

static int run(const struct globals *globals, int argc, char **argv)
{
	struct json_object *report;
	bool verbose = false;
	int option, status;

	while ((option = command_getopt(&cmd_status, argc, argv)) != -1) {
		if (option != 'v')
			return EXIT_USAGE;
		verbose = true;
	}
	if (optind < argc) {
		fprintf(stderr, "zonewall status: this takes no argument: '%s'\n", argv[optind]);
		return EXIT_USAGE;
	}
	status = view_report(globals, "status", make, &report);
	if (status)
		return status;
	if (globals->json)
		view_json(report);
	else
		print(globals, report, verbose);
	json_object_put(report);
	return EXIT_DONE;
}

const struct command cmd_status = {
	.name = "status",
	.arguments = "",
	.summary = "show what is attached, what decides, and what it takes",
	.options = options,
	.run = run,
};
