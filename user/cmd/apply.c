// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall apply: policy files become the current generation.
 */
#include <json-c/json.h>
#include <time.h>

#include "base/diag.h"
#include "base/util.h"
#include "cmd/budget.h"
#include "cmd/cuts.h"
#include "cmd/differences.h"
#include "cmd/published.h"
#include "cmd/stage.h"
#include "kernel/edge.h"
#include "kernel/load.h"
#include "policy/policy.h"

#define DRY_RUN_SCHEMA "zonewall.apply-dry-run/1"

enum { OPTION_CONFIRM = 256, OPTION_DRY_RUN, OPTION_FORCE, OPTION_WERROR, OPTION_NO_TEST, OPTION_BUDGET, OPTION_STAGE };

static const struct option_help options[] = {
	{ { "dry-run", no_argument, NULL, OPTION_DRY_RUN }, NULL,
	  "tell what would change and what it would cut, but change nothing" },
	{ { "force", no_argument, NULL, OPTION_FORCE }, NULL, "also if it cuts the connection over which this is typed" },
	{ { "werror", no_argument, NULL, OPTION_WERROR }, NULL, "warnings are errors" },
	{ { "no-test", no_argument, NULL, OPTION_NO_TEST }, NULL,
	  "do not run the policy's tests, never and always first" },
	{ { "budget", required_argument, NULL, OPTION_BUDGET }, "SIZE", BUDGET_HELP },
	{ { "confirm", required_argument, NULL, OPTION_CONFIRM }, "TIME",
	  "go back by itself after this time, unless confirmed: 30s, 10m, 2h" },
	{ { "stage", no_argument, NULL, OPTION_STAGE }, NULL,
	  "what decides stays: only count what this policy would decide otherwise (rules --staged)" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

struct arguments {
	bool dry_run, force, werror, no_test, stage;
	uint64_t budget_bytes; /* 0: the default */
	unsigned confirm_s; /* 0: as it stands */
	const char *const *files;
	size_t count;
};

#define CONFIRM_MAX_S 86400

/* Seconds, begun ones too; 0: not a time to wait for a confirmation. */
static unsigned read_confirm(const char *text)
{
	double seconds = command_duration(text);

	if (seconds >= 1 && seconds <= CONFIRM_MAX_S)
		return seconds + 0.999;
	edge_error(0, "--confirm: not a time from 1s to 1d, like 30s, 10m or 2h: '%s'", text);
	return 0;
}

/* Returns an exit status; EXIT_DONE: go on. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
	int option, status;

	while ((option = command_getopt(&cmd_apply, argc, argv)) != -1)
		switch (option) {
		case OPTION_DRY_RUN:
			arguments->dry_run = true;
			break;
		case OPTION_FORCE:
			arguments->force = true;
			break;
		case OPTION_WERROR:
			arguments->werror = true;
			break;
		case OPTION_NO_TEST:
			arguments->no_test = true;
			break;
		case OPTION_STAGE:
			arguments->stage = true;
			break;
		case OPTION_BUDGET:
			status = budget_read("apply", optarg, &arguments->budget_bytes);
			if (status)
				return status;
			break;
		case OPTION_CONFIRM:
			arguments->confirm_s = read_confirm(optarg);
			if (!arguments->confirm_s)
				return EXIT_USAGE;
			break;
		default:
			return EXIT_USAGE;
		}
	arguments->files = (const char *const *)argv + optind;
	arguments->count = argc - optind;
	if (!arguments->count)
		edge_error(0, "apply needs a policy file");
	else if (arguments->stage && (arguments->dry_run || arguments->confirm_s))
		edge_error(0, "--stage changes no verdict: there is nothing to foresee or to confirm\n"
			      "fix: leave out --stage, or --dry-run and --confirm");
	else
		return EXIT_DONE;
	return EXIT_USAGE;
}

/* What a dry run finds out. */
struct foresight {
	struct publish_report report;
	bool has_differences; /* something decides now */
	struct differences differences;
	struct cuts cuts;
};

static void foresight_clear(struct foresight *foresight)
{
	publish_report_clear(&foresight->report);
	differences_clear(&foresight->differences);
	cuts_clear(&foresight->cuts);
}

/* Between what runs, as `diff running`, and the policy, which is taken over. Returns an exit status. */
static int compare(const struct globals *globals, struct publication *policy, struct foresight *foresight)
{
	struct differing *old = &foresight->differences.sides[DIFF_OLD], *new = &foresight->differences.sides[DIFF_NEW];
	int status = running_open_if_any(globals, &old->running), error;

	if (status || !old->running.instance)
		return status;
	*old = (struct differing){ .word = "running", .diag = diag_new(), .running = old->running };
	*new = (struct differing){
		.word = "new", .policy = take_ptr(policy->policy), .diag = take_ptr(policy->diag), .tables = policy->tables
	};
	foresight->differences.host_known = true;
	foresight->differences.since = time(NULL);
	foresight->has_differences = true;
	error = old->diag ? differences_take_running(old) : -ENOMEM;
	if (!error)
		error = differences_find(&foresight->differences);
	return error ? edge_exit_status(edge_error(error, "cannot compare the policy with what is applied")) : EXIT_DONE;
}

/* For people, before anything is loaded: the answer to whether it should be. */
static void print_dry_run(const struct tables *tables)
{
	printf("tables      %.1f KiB: %u rules, %zu atoms\n", tables->len / 1024.0, tables->layout.rule_count, tables->stats.atoms);
	budget_print(tables, load_cpus());
	fflush(stdout);
}

static int print_foresight(const struct globals *globals, const struct foresight *foresight)
{
	if (foresight->report.predecessor)
		printf("a policy of a zonewall of ABI %u decides now: it cannot be compared\n", foresight->report.predecessor);
	else if (!foresight->has_differences)
		printf("nothing decides now: everything passes\n");
	else if (differences_print(&foresight->differences, globals->colour))
		return edge_exit_status(edge_error(ENOMEM, "cannot print the differences"));
	cuts_print(globals, &foresight->cuts);
	printf("the kernel takes it; nothing was changed\n");
	return EXIT_DONE;
}

/* The same for programs: one object. */
static int print_foresight_json(const struct tables *tables, const struct foresight *foresight)
{
	struct json_object *root = json_object_new_object();
	struct json_object *diff = foresight->has_differences ? differences_json(&foresight->differences) : NULL;

	json_object_object_add(root, "schema", json_object_new_string(DRY_RUN_SCHEMA));
	json_object_object_add(root, "rules", json_object_new_uint64(tables->layout.rule_count));
	json_object_object_add(root, "atoms", json_object_new_uint64(tables->stats.atoms));
	json_object_object_add(root, "tables_bytes", json_object_new_uint64(foresight->report.tables_len));
	json_object_object_add(root, "counters_bytes", json_object_new_uint64(foresight->report.counters_len));
	budget_add_json(root, tables);
	json_object_object_add(root, "diff", diff);
	cuts_add_json(&foresight->cuts, root);
	printf("%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
	return EXIT_DONE;
}

/* Of a policy that is read, tested and compiled: everything else that apply does before something is changed. */
static int dry_run(const struct globals *globals, struct publication *policy, const struct publish_options *how)
{
	_cleanup_(foresight_clear) struct foresight foresight = { 0 };
	int status;

	if (!globals->json)
		print_dry_run(policy->tables);
	status = edge_exit_status(publish_try(globals->instance, policy->tables, how, &foresight.report));
	if (!status)
		status = compare(globals, policy, &foresight);
	if (!status)
		status = edge_exit_status(cuts_find(globals->instance, policy->tables, &foresight.cuts));
	if (status)
		return status;
	return globals->json ? print_foresight_json(policy->tables, &foresight) : print_foresight(globals, &foresight);
}

/* Of a policy that is read, tested and compiled: it is counted beside the one that decides. */
static int stage(const struct globals *globals, const struct arguments *arguments, struct publication *candidate, uint32_t seen)
{
	_cleanup_(publication_clear) struct publication both = { 0 };
	struct publish_report report = { 0 };
	struct publish_options how;
	int status = stage_compile(globals, candidate, arguments->budget_bytes, &both);

	if (status)
		return status;
	how = (struct publish_options){
		.flows = both.flows,
		.pack = both.pack,
		.pack_len = both.pack_len,
		.candidate = candidate->pack,
		.candidate_len = candidate->pack_len,
		.quiet = true,
		.same_policy = true,
		.compare = true,
		.seen = seen,
	};
	status = edge_exit_status(publish(globals->instance, both.tables, &how, &report));
	if (status)
		return status;
	published_print(globals, "apply", &report, both.tables);
	if (!globals->json)
		printf("what decided before still does; what the candidate would change is counted: zonewall rules --staged\n");
	published_warn_alone(globals->instance);
	publish_report_clear(&report);
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
	uint32_t seen;

	if (status)
		return status;
	seen = publish_seen(globals->instance);
	compile.werror = arguments.werror;
	compile.no_test = arguments.no_test;
	compile.budget_bytes = arguments.budget_bytes;
	status = published_compile(arguments.files, arguments.count, &compile, &policy);
	if (status)
		return status;
	if (arguments.stage)
		return stage(globals, &arguments, &policy, seen);
	/* Quiet: published_compile has warned, with places. */
	how = (struct publish_options){
		.flows = policy.flows,
		.pack = policy.pack,
		.pack_len = policy.pack_len,
		.quiet = true,
		.compare = true,
		.seen = seen,
		.confirm_s = arguments.confirm_s,
	};
	if (arguments.dry_run)
		return dry_run(globals, &policy, &how);
	if (!arguments.force)
		status = cuts_refuse_own(policy.tables);
	if (status)
		return status;
	policy_free(take_ptr(policy.policy)); /* of a large one the tables alone take enough */
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
