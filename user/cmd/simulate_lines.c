// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall simulate: packets as JSON lines on standard input, verdicts as JSON lines on standard output (design section 11).
 */
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "cmd/simulate.h"
#include "simulate/conversation.h"
#include "simulate/frame.h"
#include "simulate/input.h"
#include "simulate/line.h"
#include "watch/buffer.h"

DEFINE_CLEANUP(struct input_parser *, input_parser_free)
DEFINE_CLEANUP(struct conversations *, conversations_free)
DEFINE_CLEANUP(struct line_reader *, line_reader_free)

struct simulation {
	struct engine engine;
	enum zw_hook hook;
	struct input_parser *parser;
	struct conversations *conversations;
	double time; /* of the line before; of the first one, now */
	bool failed; /* a line could not be read */
	uint8_t bytes[FRAME_MAX];
};

static void put_error(struct simulation *simulation, const char *what)
{
	struct buffer text = { 0 };

	buffer_json_string(&text, what);
	printf("{\"error\":%s}\n", text.failed ? "\"out of memory\"" : text.data);
	buffer_free(&text);
	simulation->failed = true;
}

static void put_zones(const struct names *names, uint32_t atom)
{
	const char *const *zones;
	size_t count = atom == ZW_NO_ATOM ? 0 : names_zones(names, atom, &zones);

	putchar_unlocked('[');
	for (size_t i = 0; i < count; i++) {
		fputs_unlocked(i ? ",\"" : "\"", stdout);
		fputs_unlocked(zones[i], stdout);
		putchar_unlocked('"');
	}
	putchar_unlocked(']');
}

/* A fixed template: ids and names hold no character that JSON would escape (design section 4.5). */
static void put_decision(const struct names *names, const struct decision *decision)
{
	const struct rule_name *rule =
		reason_shows_rule(decision->reason) ? names_rule(names, decision->rule) : NULL;

	fputs_unlocked(decision->allow ? "{\"verdict\":\"allow\",\"reason\":\""
				       : "{\"verdict\":\"drop\",\"reason\":\"",
		       stdout);
	fputs_unlocked(reason_name(decision->reason), stdout);
	fputs_unlocked(rule ? "\",\"rule\":\"" : "\",\"rule\":null", stdout);
	if (rule) {
		fputs_unlocked(rule->id, stdout);
		putchar_unlocked('"');
	}
	fputs_unlocked(",\"from_zones\":", stdout);
	put_zones(names, decision->atom[0]);
	fputs_unlocked(",\"to_zones\":", stdout);
	put_zones(names, decision->atom[1]);
	fputs_unlocked("}\n", stdout);
}

static enum zw_hook hook_of(const struct simulation *simulation, const struct input *input)
{
	if (!input->has_hook)
		return simulation->hook;
	if (input->egress)
		return ZW_HOOK_EGRESS;
	return simulation->hook == ZW_HOOK_EGRESS ? ZW_HOOK_XDP : simulation->hook;
}

/* Prints the answer. 0, or -errno after which there is no going on. */
static int answer(struct simulation *simulation, struct input *input)
{
	struct frame frame = {
		.data = input->bytes,
		.len = input->len,
		.hook = hook_of(simulation, input),
		.source_set = simulation->engine.source_set,
	};
	struct decision decision;
	int r;

	/* An interface that no entry matches has no `source:`; nor has a packet of which no interface is told. */
	if (*input->interface)
		frame.source_set = names_source_set(simulation->engine.tables->names, input->interface);
	if (input->has_time)
		simulation->time = input->time;
	frame.time = simulation->time;
	if (!input->is_frame) {
		r = conversations_follow(simulation->conversations, input);
		if (r)
			return r;
		frame.len = frame_build(input, simulation->bytes);
		frame.data = simulation->bytes;
		if (!frame.len) {
			put_error(simulation, "payload: the packet would be longer than an IP packet can be");
			return 0;
		}
	}
	r = engine_decide(&simulation->engine, &frame, &decision);
	if (r == -EINVAL)
		put_error(simulation, "the kernel's test run does not take this frame");
	else if (!r)
		put_decision(simulation->engine.tables->names, &decision);
	return r == -EINVAL ? 0 : r;
}

static int one_line(struct simulation *simulation, struct line_reader *reader)
{
	char *line, error[INPUT_ERROR_MAX];
	struct input input;
	size_t len;
	int r;

	if (!line_reader_has_next(reader))
		fflush(stdout); /* whoever writes the lines may wait for this answer */
	r = line_reader_next(reader, &line, &len);
	if (r == -E2BIG) {
		put_error(simulation, "the line is longer than 1 MiB");
		return 1;
	}
	if (r <= 0)
		return r;
	r = input_parse(simulation->parser, line, len, &input, error);
	if (r == -EINVAL)
		put_error(simulation, error);
	else if (!r)
		r = answer(simulation, &input);
	return r && r != -EINVAL ? r : 1;
}

static int all_lines(struct simulation *simulation)
{
	_cleanup_(line_reader_freep) struct line_reader *reader = NULL;
	int r = line_reader_new(STDIN_FILENO, INPUT_LINE_MAX, &reader);

	if (r)
		return r;
	do
		r = one_line(simulation, reader);
	while (r > 0 && !ferror(stdout));
	if (fflush(stdout) || ferror(stdout))
		r = errno ? -errno : -EIO;
	return r;
}

int simulate_lines(const struct simulate_arguments *arguments, const struct tables *tables)
{
	_cleanup_(engine_close) struct engine engine = { 0 };
	_cleanup_(input_parser_freep) struct input_parser *parser = NULL;
	_cleanup_(conversations_freep) struct conversations *conversations = NULL;
	_cleanup_free_ struct simulation *simulation = calloc(1, sizeof(*simulation));
	int r = simulation ? engine_open(arguments, tables, &engine) : simulate_out_of_memory();

	if (r)
		return r;
	if (input_parser_new(&parser) || conversations_new(arguments->stateful, &conversations))
		return simulate_out_of_memory();
	*simulation = (struct simulation){
		.engine = engine,
		.hook = arguments->hook,
		.parser = parser,
		.conversations = conversations,
		.time = time(NULL),
	};
	r = all_lines(simulation);
	if (r)
		fprintf(stderr, "zonewall simulate: cannot go on: %s\n", strerror(-r));
	return r || simulation->failed ? EXIT_FAILED : EXIT_DONE;
}
