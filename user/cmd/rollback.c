// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall rollback: make the former generation current again.
 */
#include "cmd/published.h"
#include "kernel/edge.h"

static int run(const struct globals *globals, int argc, char **argv)
{
	struct publish_report report = { 0 };
	int status;

	if (command_getopt(&cmd_rollback, argc, argv) != -1)
		return EXIT_USAGE;
	if (optind < argc) {
		edge_error(0, "rollback takes no arguments");
		return EXIT_USAGE;
	}
	status = edge_exit_status(publish_rollback(globals->instance, &report));
	if (status)
		return status;
	published_print(globals, "rollback", &report, NULL);
	publish_report_clear(&report);
	return EXIT_DONE;
}

const struct command cmd_rollback = {
	.name = "rollback",
	.arguments = "",
	.summary = "go back to the policy that decided before",
	.run = run,
};
