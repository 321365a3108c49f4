// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall show: the policy that the files make, in one piece.
 */
#include <json-c/json.h>

#include "base/util.h"
#include "base/yaml_print.h"
#include "cmd/command.h"
#include "cmd/sources.h"
#include "policy/canonical.h"
#include "policy/policy.h"

DEFINE_CLEANUP(struct policy *, policy_free)
DEFINE_CLEANUP(struct diag *, diag_free)

#define SHOW_SCHEMA "zonewall.show/1"

enum { OPTION_EFFECTIVE = 256 };

static const struct option_help options[] = {
	{ { "effective", no_argument, NULL, OPTION_EFFECTIVE }, NULL,
	  "the whole policy: includes read, services resolved, addresses merged (the default)" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

extern const struct command cmd_show;

static int out_of_memory(void)
{
	fprintf(stderr, "zonewall show: out of memory\n");
	return EXIT_FAILED;
}

static int read_arguments(struct sources *sources, int argc, char **argv)
{
	int option;

	while ((option = command_getopt(&cmd_show, argc, argv)) != -1)
		if (option != OPTION_EFFECTIVE)
			return EXIT_USAGE;
	return sources_read_words(sources, argc - optind, argv + optind);
}

static void print_json(struct json_object *policy)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "schema", json_object_new_string(SHOW_SCHEMA));
	json_object_object_add(object, "policy", json_object_get(policy));
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

static int print(const struct globals *globals, const struct policy *policy)
{
	struct json_object *object = policy_canonical(policy);

	if (!object)
		return out_of_memory();
	if (globals->json)
		print_json(object);
	else
		yaml_print(object, stdout);
	json_object_put(object);
	return EXIT_DONE;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	_cleanup_(sources_clear) struct sources sources = { .command = "show" };
	_cleanup_(policy_freep) struct policy *policy = NULL;
	_cleanup_(diag_freep) struct diag *diag = NULL;
	int status = read_arguments(&sources, argc, argv), err;

	if (status)
		return status;
	diag = diag_new();
	err = diag ? policy_read(sources.files, sources.file_count, diag, &policy) : -ENOMEM;
	if (err == -ENOMEM)
		return out_of_memory();
	diag_print(diag, stderr, globals->colour && isatty(STDERR_FILENO));
	return err ? EXIT_POLICY : print(globals, policy);
}

const struct command cmd_show = {
	.name = "show",
	.arguments = "FILE...",
	.summary = "the policy that the files make, in one piece",
	.options = options,
	.run = run,
};
