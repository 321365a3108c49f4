// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall version
 */
#include "cmd/command.h"
#include "zonewall.h"

static int run(const struct globals *globals, int argc, char **argv)
{
	if (command_getopt(&cmd_version, argc, argv) != -1)
		return EXIT_USAGE;
	if (optind < argc) {
		fprintf(stderr, "zonewall version: takes no arguments\n");
		return EXIT_USAGE;
	}
	if (globals->json)
		printf("{\"schema\":\"zonewall.version/1\",\"version\":\"%s\",\"abi\":%d}\n", ZW_VERSION, ZW_ABI);
	else
		printf("zonewall %s (abi %d)\n", ZW_VERSION, ZW_ABI);
	return EXIT_DONE;
}

const struct command cmd_version = {
	.name = "version",
	.arguments = "",
	.summary = "print the version, and the number of the pinned maps' format",
	.run = run,
};
