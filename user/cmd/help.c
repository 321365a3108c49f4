// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall help [COMMAND]
 */
#include <ctype.h>
#include <errno.h>

#include <json-c/json.h>

#include "cmd/command.h"

static struct json_object *json_text(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static struct json_object *json_options(const struct option_help *options)
{
	struct json_object *list = json_object_new_array();

	for (; list && options && options->option.name; options++) {
		char letter[2] = { 0 };
		struct json_object *entry;

		if (!options->help)
			continue;
		if (options->option.val < 256 && isalnum(options->option.val))
			letter[0] = options->option.val;
		entry = json_object_new_object();
		json_object_object_add(entry, "name", json_text(options->option.name));
		json_object_object_add(entry, "letter", json_text(*letter ? letter : NULL));
		json_object_object_add(entry, "argument", json_text(options->argument));
		json_object_object_add(entry, "help", json_text(options->help));
		json_object_array_add(list, entry);
	}
	return list;
}

/* Of -o, besides text and json. */
static struct json_object *json_formats(const char *const *formats)
{
	struct json_object *list = json_object_new_array();

	for (; list && formats && *formats; formats++)
		json_object_array_add(list, json_object_new_string(*formats));
	return list;
}

/* Adding to a json-c object takes the value over; a failed allocation leaves the member null, which is as good as out. */
static int print_json(const struct command *only)
{
	struct json_object *root = json_object_new_object(), *list = json_object_new_array();

	if (!root || !list) {
		json_object_put(root);
		json_object_put(list);
		return -ENOMEM;
	}
	json_object_object_add(root, "schema", json_object_new_string("zonewall.help/1"));
	json_object_object_add(root, "commands", list);
	for (const struct command *const *command = commands; *command; command++) {
		struct json_object *entry;

		if (only && only != *command)
			continue;
		entry = json_object_new_object();
		json_object_object_add(entry, "name", json_object_new_string((*command)->name));
		json_object_object_add(entry, "arguments",
				       json_object_new_string((*command)->arguments ? (*command)->arguments : ""));
		json_object_object_add(entry, "summary", json_object_new_string((*command)->summary));
		json_object_object_add(entry, "options", json_options((*command)->options));
		json_object_object_add(entry, "formats", json_formats((*command)->formats));
		json_object_array_add(list, entry);
	}
	json_object_object_add(root, "options", json_options(command_global_options));
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
	return 0;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	const struct command *command = NULL;
	int got = command_getopt(&cmd_help, argc, argv);

	if (got != -1)
		return EXIT_USAGE;
	if (argc - optind > 1) {
		fprintf(stderr, "zonewall help: one command at a time\n");
		return EXIT_USAGE;
	}
	if (optind < argc) {
		command = command_find(argv[optind]);
		if (!command)
			return command_unknown(argv[optind]);
	}
	if (globals->json)
		return print_json(command) ? EXIT_FAILED : EXIT_DONE;
	command_help(command, stdout);
	return EXIT_DONE;
}

const struct command cmd_help = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "what the commands are and what options they take",
	.run = run,
};
