// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall flows: the connections that are remembered, from the pins or, for members of the group, from the loader.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/flow_print.h"
#include "cmd/view.h"
#include "kernel/edge.h"
#include "watch/client.h"
#include "watch/flow_stream.h"

enum { OPTION_ZONE = 256, OPTION_FROM, OPTION_TO, OPTION_PROTO, OPTION_PORT, OPTION_RULE, OPTION_STATE, OPTION_STAGED,
       OPTION_SORT, OPTION_COUNT };

static const struct option_help options[] = {
	{ { "zone", required_argument, NULL, OPTION_ZONE }, "ZONE", "from or to this zone" },
	{ { "from", required_argument, NULL, OPTION_FROM }, "ADDR|CIDR|ZONE", "opened from there" },
	{ { "to", required_argument, NULL, OPTION_TO }, "ADDR|CIDR|ZONE", "opened to there" },
	{ { "proto", required_argument, NULL, OPTION_PROTO }, "PROTO", "of this protocol: tcp, udp, icmp, ... or a number" },
	{ { "port", required_argument, NULL, OPTION_PORT }, "PORT", "opened to this port" },
	{ { "rule", required_argument, NULL, OPTION_RULE }, "ID", "allowed by this rule, by default or by intra-zone" },
	{ { "state", required_argument, NULL, OPTION_STATE }, "STATE",
	  "syn, syn-ack, established, fin, closing, reset, picked-up; unanswered, answered, confirmed (udp, sctp); open" },
	{ { "staged", no_argument, NULL, OPTION_STAGED }, NULL, "that a staged rule, or the candidate of apply --stage, would drop" },
	{ { "ipv4", no_argument, NULL, '4' }, NULL, "IPv4 only" },
	{ { "ipv6", no_argument, NULL, '6' }, NULL, "IPv6 only" },
	{ { "sort", required_argument, NULL, OPTION_SORT }, "KEY",
	  "bytes, packets: most first; age: oldest first; idle: most recent first (default: as they come)" },
	{ { "limit", required_argument, NULL, 'n' }, "N", "so many at most" },
	{ { "count", no_argument, NULL, OPTION_COUNT }, NULL, "only say how many there are" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

static const char *filter_key(int option)
{
	switch (option) {
	case OPTION_ZONE:
		return "zone";
	case OPTION_FROM:
		return "from";
	case OPTION_TO:
		return "to";
	case OPTION_PROTO:
		return "protocol";
	case OPTION_PORT:
		return "port";
	case OPTION_RULE:
		return "rule";
	case OPTION_STATE:
		return "state";
	default:
		return NULL;
	}
}

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "zonewall flows: %s: '%s'\n", what, word);
	return EXIT_USAGE;
}

static int read_limit(struct json_object *request, struct flow_print_options *print)
{
	char *end;
	long long limit;

	errno = 0;
	limit = strtoll(optarg, &end, 10);
	if (*optarg < '0' || *optarg > '9' || *end || errno)
		return usage("-n: not a number", optarg);
	print->limit = limit;
	json_object_object_add(request, "limit", json_object_new_int64(limit));
	return EXIT_DONE;
}

static int read_option(int option, struct json_object *request, struct json_object *filters,
		       struct flow_print_options *print)
{
	const char *key = filter_key(option);

	if (key) {
		json_object_object_add(filters, key, json_object_new_string(optarg));
		return EXIT_DONE;
	}
	switch (option) {
	case OPTION_STAGED:
		json_object_object_add(filters, "staged", json_object_new_string("drop"));
		return EXIT_DONE;
	case '4':
	case '6':
		json_object_object_add(filters, "family", json_object_new_string(option == '4' ? "4" : "6"));
		return EXIT_DONE;
	case OPTION_SORT:
		print->sort = true;
		json_object_object_add(request, "sort", json_object_new_string(optarg));
		return EXIT_DONE;
	case OPTION_COUNT:
		print->count = true;
		json_object_object_add(request, "count", json_object_new_boolean(true));
		return EXIT_DONE;
	case 'n':
		return read_limit(request, print);
	default:
		return EXIT_USAGE;
	}
}

static int read_arguments(int argc, char **argv, struct json_object *request, struct flow_print_options *print)
{
	struct json_object *filters = json_object_new_object();
	char why[256];
	const struct filter_error error = { why, sizeof(why) };
	int option, status;

	json_object_object_add(request, "filters", filters);
	while ((option = command_getopt(&cmd_flows, argc, argv)) != -1) {
		status = option == '?' ? EXIT_USAGE : read_option(option, request, filters, print);
		if (status)
			return status;
	}
	if (optind < argc)
		return usage("this takes no argument", argv[optind]);
	if (print->text)
		json_object_object_add(request, "text", json_object_new_boolean(true));
	if (flow_request_check(request, &error)) {
		fprintf(stderr, "zonewall flows: %s\n", why);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* What the lines' end means for the exit status. */
static int finish(struct flow_print *print, int r)
{
	if (!r)
		r = flow_print_end(print);
	if (r == -ENOMEM)
		fprintf(stderr, "zonewall: out of memory\n");
	return client_ended(r);
}

static int ask(const struct globals *globals, struct json_object *request, struct flow_print *print)
{
	FILE *answer = client_ask(globals->instance, request, false);
	int r;

	if (!answer)
		return client_refused(globals->instance, errno);
	r = client_lines(answer, flow_print_take, print);
	fclose(answer);
	return finish(print, r);
}

static int copy_stream(struct flow_stream *stream, struct flow_print *print)
{
	struct buffer lines = { 0 };
	bool more = true;
	int r = 0;

	while (more && !r) {
		more = flow_stream_add(stream, &lines, 65536, UINT64_MAX);
		r = lines.failed ? -ENOMEM : flow_print_take(print, lines.data, lines.len);
		buffer_clear(&lines);
	}
	buffer_free(&lines);
	return r;
}

static int read_stream(struct flow_stream *stream, struct flow_print *print)
{
	int r = copy_stream(stream, print);

	flow_stream_free(stream);
	return finish(print, r);
}

/* Who may read the pins does; the loader has better things to do. */
static int show(const struct globals *globals, struct json_object *request, struct flow_print *print)
{
	char why[256] = "cannot read what is published";
	const struct filter_error error = { why, sizeof(why) };
	struct flow_stream *stream = NULL;
	struct instance *instance;
	int r = instance_open(globals->instance, &instance);

	if (!r) {
		r = flow_stream_open(instance, request, &error, &stream);
		instance_free(instance);
	}
	if (!r)
		return read_stream(stream, print);
	if (r == -EPERM || r == -EACCES)
		return ask(globals, request, print);
	if (r == -ENOENT)
		return view_nothing_published(globals->instance);
	fprintf(stderr, "zonewall: %s\n", why);
	return r == -EINVAL ? EXIT_FAILED : edge_exit_status(r);
}

static int run(const struct globals *globals, int argc, char **argv)
{
	struct flow_print_options print_options = { .text = !globals->json, .limit = UINT64_MAX };
	struct json_object *request = json_object_new_object();
	struct flow_print *print = NULL;
	int status;

	json_object_object_add(request, "request", json_object_new_string("flows"));
	status = read_arguments(argc, argv, request, &print_options);
	if (!status) {
		print = flow_print_new(&print_options);
		status = print ? show(globals, request, print) : edge_exit_status(edge_error(ENOMEM, "cannot print"));
	}
	flow_print_free(print);
	json_object_put(request);
	return status;
}

const struct command cmd_flows = {
	.name = "flows",
	.arguments = "",
	.summary = "show the connections that are remembered",
	.options = options,
	.run = run,
};
