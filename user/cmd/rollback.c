// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall rollback: make the former generation current again.
 */
#include "cmd/published.h"

static int run(const struct globals *globals, int argc, char **argv)
{
	return published_change(globals, &cmd_rollback, publish_rollback, argc, argv);
}

const struct command cmd_rollback = {
	.name = "rollback",
	.arguments = "",
	.summary = "go back to the policy that decided before",
	.run = run,
};
