// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall restore: the policy that was confirmed last decides again. For the boot, when nothing is in the kernel yet.
 */
#include "base/util.h"
#include "cmd/published.h"
#include "cmd/run_policy.h"
#include "kernel/edge.h"
#include "kernel/instance.h"
#include "kernel/saved.h"

DEFINE_CLEANUP(struct instance *, instance_free)
DEFINE_CLEANUP(struct run_policy *, run_policy_free)

/* The generation that decides, 0 none. What cannot be read is publish()'s to tell. */
static uint32_t deciding(const char *name)
{
	_cleanup_(instance_freep) struct instance *instance = NULL;

	return instance_open(name, &instance) ? 0 : instance_current(instance);
}

/* Tests, never, always and the budget are not held against it anew: they were when it was applied, and now nothing decides. */
static int restore(const struct globals *globals, enum saved which, struct publish_report *ret_report)
{
	_cleanup_(run_policy_freep) struct run_policy *policy = run_policy_new(globals, NULL, 0, ZW_TABLES_MAX);

	if (!policy)
		return edge_exit_status(edge_error(ENOMEM, "cannot restore the policy"));
	return run_policy_restore(policy, which, ret_report);
}

/* Some policy was confirmed, so the host was not meant to be open; nor is it to be out of reach. Returns the status that it failed with. */
static int fall_back(const struct globals *globals, int status, struct publish_report *ret_report)
{
	edge_warn("no saved policy can be restored: nothing but SSH to this host (tcp/22) is let in or out, on any interface\n"
		  "fix: zonewall apply FILE...; or zonewall down, which lets everything pass");
	if (restore(globals, SAVED_FAILSAFE, ret_report))
		edge_error(0, "nothing decides: everything passes");
	return status;
}

static bool is_saved(const char *instance, enum saved which)
{
	char path[PATH_MAX];

	return !instance_state_path(instance, saved_name(which), path) && !access(path, F_OK);
}

static int run(const struct globals *globals, int argc, char **argv)
{
	struct publish_report report = { 0 };
	uint32_t generation;
	int status;

	if (command_getopt(&cmd_restore, argc, argv) != -1)
		return EXIT_USAGE;
	if (optind < argc) {
		edge_error(0, "restore takes no arguments");
		return EXIT_USAGE;
	}
	generation = deciding(globals->instance);
	if (generation) {
		fprintf(stderr, "zonewall: generation %u decides already: nothing was changed\n", generation);
		return EXIT_DONE;
	}
	if (!is_saved(globals->instance, SAVED_CONFIRMED) && !is_saved(globals->instance, SAVED_FORMER)) {
		edge_error(0, "no policy of instance '%s' is saved\nfix: zonewall apply FILE... saves what it applies",
			   globals->instance);
		return EXIT_NOT_RUNNING;
	}
	status = restore(globals, SAVED_CONFIRMED, &report);
	if (status && is_saved(globals->instance, SAVED_FORMER)) {
		edge_warn("the policy that was confirmed before it is restored instead");
		status = restore(globals, SAVED_FORMER, &report);
	}
	if (status)
		status = fall_back(globals, status, &report);
	if (!report.generation)
		return status;
	published_print(globals, "restore", &report, NULL);
	publish_report_clear(&report);
	return status;
}

const struct command cmd_restore = {
	.name = "restore",
	.arguments = "",
	.summary = "after a boot: the policy that was confirmed last decides again",
	.run = run,
};
