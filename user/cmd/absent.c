// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stand-ins for commands that this tree does not have: a command's own file overrides them.
 */
#include "cmd/command.h"

static int run(const struct globals *globals, int argc, char **argv)
{
	(void)globals;
	(void)argc;
	fprintf(stderr, "zonewall: '%s' is not built in this version\n", argv[0]);
	return EXIT_UNSUPPORTED;
}

#define ABSENT(word)                                                                                                 \
	__attribute__((weak)) const struct command cmd_##word = {                                                    \
		.name = #word, .arguments = "", .summary = "(not built)", .run = run                                 \
	}
ABSENT(check);
ABSENT(simulate);
ABSENT(apply);
ABSENT(rollback);
ABSENT(down);
ABSENT(run);
ABSENT(drops);
ABSENT(rules);
ABSENT(status);
