// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall drops: drop events, history and live, as `zonewall run` tells them.
 */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "watch/client.h"
#include "watch/filter.h"

enum { OPTION_SINCE = 256, OPTION_ZONE, OPTION_FROM, OPTION_TO, OPTION_PORT, OPTION_RULE, OPTION_REASON,
       OPTION_INTERFACE, OPTION_STAGED, OPTION_VERDICT };

static const struct option_help options[] = {
	{ { "follow", no_argument, NULL, 'f' }, NULL, "go on with new ones until interrupted" },
	{ { "lines", required_argument, NULL, 'n' }, "N", "the last N (default with -f: 10, else all that are kept)" },
	{ { "since", required_argument, NULL, OPTION_SINCE }, "TIME", "of the last 30s, 10m, 2h or 1d" },
	{ { "zone", required_argument, NULL, OPTION_ZONE }, "ZONE", "from or to this zone" },
	{ { "from", required_argument, NULL, OPTION_FROM }, "ADDR|CIDR|ZONE", "from there" },
	{ { "to", required_argument, NULL, OPTION_TO }, "ADDR|CIDR|ZONE", "to there" },
	{ { "port", required_argument, NULL, OPTION_PORT }, "PORT", "with this destination or source port" },
	{ { "rule", required_argument, NULL, OPTION_RULE }, "ID", "decided by this rule" },
	{ { "reason", required_argument, NULL, OPTION_REASON }, "REASON", "for this reason: default, rule, spoofed, ..." },
	{ { "interface", required_argument, NULL, OPTION_INTERFACE }, "NAME", "at this interface" },
	{ { "staged", no_argument, NULL, OPTION_STAGED }, NULL, "that a staged rule, or the candidate of apply --stage, would allow" },
	{ { "verdict", required_argument, NULL, OPTION_VERDICT }, "drop|allow|any",
	  "allowed packets too, where a rule logs them (default: drop)" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "zonewall drops: %s: '%s'\n", what, word);
	return EXIT_USAGE;
}

static int read_count(const char *text, long *ret_count)
{
	char *end;

	errno = 0;
	*ret_count = strtol(text, &end, 10);
	return *text < '0' || *text > '9' || *end || errno ? -EINVAL : 0;
}

static const char *filter_key(int option)
{
	switch (option) {
	case OPTION_ZONE:
		return "zone";
	case OPTION_FROM:
		return "from";
	case OPTION_TO:
		return "to";
	case OPTION_PORT:
		return "port";
	case OPTION_RULE:
		return "rule";
	case OPTION_REASON:
		return "reason";
	case OPTION_INTERFACE:
		return "interface";
	case OPTION_VERDICT:
		return "verdict";
	default:
		return NULL;
	}
}

/* Adds what one option asks for. Returns an exit status. */
static int read_option(int option, struct json_object *request, struct json_object *filters)
{
	const char *key = filter_key(option);
	double seconds;
	long count;

	if (key) {
		json_object_object_add(filters, key, json_object_new_string(optarg));
		return EXIT_DONE;
	}
	switch (option) {
	case OPTION_STAGED:
		json_object_object_add(filters, "staged", json_object_new_string("changed"));
		return EXIT_DONE;
	case 'f':
		json_object_object_add(request, "follow", json_object_new_boolean(true));
		return EXIT_DONE;
	case 'n':
		if (read_count(optarg, &count))
			return usage("-n: not a number", optarg);
		json_object_object_add(request, "last", json_object_new_int64(count));
		return EXIT_DONE;
	case OPTION_SINCE:
		seconds = command_duration(optarg);
		if (seconds < 0)
			return usage("--since: not a time like 30s, 10m, 2h or 1d", optarg);
		json_object_object_add(request, "since", json_object_new_double(seconds));
		return EXIT_DONE;
	default:
		return EXIT_USAGE;
	}
}

static int read_arguments(int argc, char **argv, struct json_object *request)
{
	struct json_object *filters = json_object_new_object();
	struct filter filter;
	char why[256];
	int option, status;

	json_object_object_add(request, "filters", filters);
	while ((option = command_getopt(&cmd_drops, argc, argv)) != -1) {
		status = option == '?' ? EXIT_USAGE : read_option(option, request, filters);
		if (status)
			return status;
	}
	if (optind < argc)
		return usage("this takes no argument", argv[optind]);
	if (filter_read(filters, &filter, why, sizeof(why))) {
		fprintf(stderr, "zonewall drops: %s\n", why);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

static int ask(const struct globals *globals, struct json_object *request)
{
	bool follow = json_object_object_get_ex(request, "follow", NULL);
	FILE *answer = client_ask(globals->instance, request, follow);
	int r;

	if (!answer)
		return client_refused(globals->instance, errno);
	r = client_copy(answer);
	fclose(answer);
	return client_ended(r);
}

static int run(const struct globals *globals, int argc, char **argv)
{
	struct json_object *request = json_object_new_object(), *value;
	int status;

	json_object_object_add(request, "request", json_object_new_string("drops"));
	status = read_arguments(argc, argv, request);
	if (!status && json_object_object_get_ex(request, "follow", &value) &&
	    !json_object_object_get_ex(request, "last", &value) && !json_object_object_get_ex(request, "since", &value))
		json_object_object_add(request, "last", json_object_new_int64(10));
	if (!status && !globals->json) {
		json_object_object_add(request, "text", json_object_new_boolean(true));
		json_object_object_add(request, "colour", json_object_new_boolean(globals->colour));
	}
	if (!status)
		status = ask(globals, request);
	json_object_put(request);
	return status;
}

const struct command cmd_drops = {
	.name = "drops",
	.arguments = "",
	.summary = "show which packets were dropped, and why",
	.options = options,
	.run = run,
};
