// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall down: detach everything and remove all state.
 */
#include "cmd/published.h"
#include "kernel/edge.h"

static int run(const struct globals *globals, int argc, char **argv)
{
	struct publish_report report = { 0 };
	int status;

	if (command_getopt(&cmd_down, argc, argv) != -1)
		return EXIT_USAGE;
	if (optind < argc) {
		edge_error(0, "down takes no arguments");
		return EXIT_USAGE;
	}
	status = edge_exit_status(publish_down(globals->instance, &report));
	if (status)
		return status;
	published_print(globals, "down", &report, NULL);
	publish_report_clear(&report);
	return EXIT_DONE;
}

const struct command cmd_down = {
	.name = "down",
	.arguments = "",
	.summary = "detach everything and remove all state",
	.run = run,
};
