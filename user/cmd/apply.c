// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall apply: policy files become the current generation.
 */
#include <json-c/json.h>

#include "base/util.h"
#include "cmd/budget.h"
#include "cmd/published.h"
#include "kernel/edge.h"
#include "kernel/load.h"

#define DRY_RUN_SCHEMA "zonewall.apply-dry-run/1"

enum { OPTION_CONFIRM = 256, OPTION_DRY_RUN, OPTION_WERROR, OPTION_NO_TEST, OPTION_BUDGET };

static const struct option_help options[] = {
	{ { "dry-run", no_argument, NULL, OPTION_DRY_RUN }, NULL,
	  "compile, and let the kernel verify, but change nothing" },
	{ { "werror", no_argument, NULL, OPTION_WERROR }, NULL, "warnings are errors" },
	{ { "no-test", no_argument, NULL, OPTION_NO_TEST }, NULL,
	  "do not run the policy's tests, never and always first" },
	{ { "budget", required_argument, NULL, OPTION_BUDGET }, "SIZE", BUDGET_HELP },
	{ { "confirm", required_argument, NULL, OPTION_CONFIRM }, "TIME",
	  "go back by itself unless confirmed (not built in this version)" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

struct arguments {
	bool dry_run, werror, no_test;
	uint64_t budget_bytes; /* 0: the default */
	const char *const *files;
	size_t count;
};

/* Returns an exit status; EXIT_DONE: go on. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
	int option, status;

	while ((option = command_getopt(&cmd_apply, argc, argv)) != -1)
		switch (option) {
		case OPTION_DRY_RUN:
			arguments->dry_run = true;
			break;
		case OPTION_WERROR:
			arguments->werror = true;
			break;
		case OPTION_NO_TEST:
			arguments->no_test = true;
			break;
		case OPTION_BUDGET:
			status = budget_read("apply", optarg, &arguments->budget_bytes);
			if (status)
				return status;
			break;
		case OPTION_CONFIRM:
			edge_error(0, "apply --confirm is not built in this version; nothing was changed");
			return EXIT_UNSUPPORTED;
		default:
			return EXIT_USAGE;
		}
	arguments->files = (const char *const *)argv + optind;
	arguments->count = argc - optind;
	if (arguments->count)
		return EXIT_DONE;
	edge_error(0, "apply needs a policy file");
	return EXIT_USAGE;
}

/* For people, before anything is loaded: the answer to whether it should be. */
static void print_dry_run(const struct tables *tables)
{
	printf("tables      %.1f KiB: %u rules, %zu atoms\n", tables->len / 1024.0, tables->layout.rule_count, tables->stats.atoms);
	budget_print(tables, load_cpus());
	fflush(stdout);
}

/* The same for programs: one object. */
static void print_dry_run_json(const struct tables *tables, const struct publish_report *report)
{
	struct json_object *root = json_object_new_object();

	json_object_object_add(root, "schema", json_object_new_string(DRY_RUN_SCHEMA));
	json_object_object_add(root, "rules", json_object_new_uint64(tables->layout.rule_count));
	json_object_object_add(root, "atoms", json_object_new_uint64(tables->stats.atoms));
	json_object_object_add(root, "tables_bytes", json_object_new_uint64(report->tables_len));
	json_object_object_add(root, "counters_bytes", json_object_new_uint64(report->counters_len));
	budget_add_json(root, tables);
	printf("%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

/* Of a policy that is read, tested and compiled: everything else that apply does before something is changed. */
static int dry_run(const struct globals *globals, const struct publication *policy, const struct publish_options *how)
{
	struct publish_report report = { 0 };
	int status;

	if (!globals->json)
		print_dry_run(policy->tables);
	status = edge_exit_status(publish_try(globals->instance, policy->tables, how, &report));
	if (status)
		return status;
	if (globals->json)
		print_dry_run_json(policy->tables, &report);
	else
		printf("the kernel takes it; nothing was changed\n");
	return EXIT_DONE;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	_cleanup_(publication_clear) struct publication policy = { 0 };
	struct arguments arguments = { 0 };
	struct publish_options how;
	struct publish_report report = { 0 };
	struct published_options compile = { .colour = globals->colour };
	int status = read_arguments(argc, argv, &arguments);

	if (status)
		return status;
	compile.werror = arguments.werror;
	compile.no_test = arguments.no_test;
	compile.budget_bytes = arguments.budget_bytes;
	status = published_compile(arguments.files, arguments.count, &compile, &policy);
	if (status)
		return status;
	/* Quiet: published_compile has warned, with places. */
	how = (struct publish_options){ .flows = policy.flows, .pack = policy.pack, .pack_len = policy.pack_len, .quiet = true };
	if (arguments.dry_run)
		return dry_run(globals, &policy, &how);
	status = edge_exit_status(publish(globals->instance, policy.tables, &how, &report));
	if (status)
		return status;
	published_print(globals, "apply", &report, policy.tables);
	published_warn_alone(globals->instance);
	publish_report_clear(&report);
	return EXIT_DONE;
}

const struct command cmd_apply = {
	.name = "apply",
	.arguments = "FILE...",
	.summary = "make the policy the one that decides, in one step",
	.options = options,
	.run = run,
};
