// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall confirm: the policy that is on trial stays.
 */
#include "cmd/published.h"

static int run(const struct globals *globals, int argc, char **argv)
{
	return published_change(globals, &cmd_confirm, publish_confirm, argc, argv);
}

const struct command cmd_confirm = {
	.name = "confirm",
	.arguments = "",
	.summary = "keep the policy that apply --confirm put on trial",
	.run = run,
};
