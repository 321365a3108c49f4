// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall down: detach everything and remove all state.
 */
#include "cmd/published.h"

static int run(const struct globals *globals, int argc, char **argv)
{
	return published_change(globals, &cmd_down, publish_down, argc, argv);
}

const struct command cmd_down = {
	.name = "down",
	.arguments = "",
	.summary = "detach everything and remove all state",
	.run = run,
};
