// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall simulate --pcap: a capture replayed through a policy, statefully, its time as the clock; with --diff through
 * another one beside it.
 */
#include <string.h>

#include "base/util.h"
#include "cmd/simulate.h"

DEFINE_CLEANUP(struct capture *, capture_free)
DEFINE_CLEANUP(struct replay *, replay_free)

struct replaying {
	struct capture *capture; /* borrowed */
	struct replay *replay; /* borrowed */
	struct engine engine[REPLAY_SIDES];
	int sides;
	char broken[CAPTURE_ERROR_MAX]; /* why the rest cannot be read; "" */
};

static void close_engines(struct replaying *replaying)
{
	for (int side = 0; side < REPLAY_SIDES; side++)
		engine_close(&replaying->engine[side]);
}

static int open_engines(struct replaying *replaying, const struct simulate_arguments *arguments,
			struct tables *const tables[REPLAY_SIDES])
{
	int status = EXIT_DONE;

	while (!status && replaying->sides < REPLAY_SIDES && tables[replaying->sides]) {
		status = engine_open(arguments, tables[replaying->sides], &replaying->engine[replaying->sides]);
		replaying->sides++;
	}
	return status;
}

static int new_replay(const struct simulate_arguments *arguments, struct tables *const tables[REPLAY_SIDES],
		      struct replay **ret_replay)
{
	struct replay_options options = {
		.host = arguments->sources.has_host ? &arguments->sources.host : NULL,
		.hook = arguments->hook,
		.compare = tables[REPLAY_OLD],
	};

	for (int side = 0; side < REPLAY_SIDES && tables[side]; side++) {
		options.rule_count[side] = names_rule_count(tables[side]->names);
		options.has_tls |= tables[side]->layout.has_tls || tables[side]->layout.has_staged_tls;
	}
	return replay_new(&options, ret_replay) ? simulate_out_of_memory() : EXIT_DONE;
}

static int complain(const char *path, const char *why)
{
	bool is_stdin = !strcmp(path, "-");

	fprintf(stderr, "zonewall simulate: %s: %s\n", is_stdin ? "standard input" : path, why);
	return EXIT_FAILED;
}

static int open_capture(const char *path, struct capture **ret_capture)
{
	char why[CAPTURE_ERROR_MAX];
	FILE *file = strcmp(path, "-") ? fopen(path, "rbe") : fdopen(dup(STDIN_FILENO), "rb");
	int r;

	if (!file)
		return complain(path, strerror(errno));
	r = capture_open(file, ret_capture, why);
	if (r == -ENOMEM)
		return simulate_out_of_memory();
	if (!r)
		return EXIT_DONE;
	complain(path, why);
	fprintf(stderr, "fix: captures in pcap or pcapng format can be replayed, of Ethernet, Linux cooked (tcpdump -i any) "
			"or raw IP\n");
	return EXIT_FAILED;
}

/* Each side has its own flows, and what an interface's source is, is for its policy to say. 0 or -errno. */
static int ask(struct replaying *replaying, struct frame *frame)
{
	struct decision decision[REPLAY_SIDES];

	for (int side = 0; side < replaying->sides; side++) {
		int r;

		frame->source_set = replaying->engine[side].source_set;
		r = engine_decide(&replaying->engine[side], frame, &decision[side]);
		if (r == -EINVAL)
			replay_refuse(replaying->replay);
		if (r)
			return r == -EINVAL ? 0 : r; /* both sides run the same frame, and refuse it alike */
	}
	return replay_take(replaying->replay, decision);
}

/* 0, also if the capture is broken; or -errno. */
static int replay_all(struct replaying *replaying)
{
	struct captured captured;
	struct frame frame;
	int r;

	while ((r = capture_next(replaying->capture, &captured, replaying->broken)) > 0) {
		if (!replay_prepare(replaying->replay, &captured, &frame))
			continue;
		r = ask(replaying, &frame);
		if (r)
			return r;
	}
	return 0;
}

static int print(const struct globals *globals, const struct simulate_arguments *arguments,
		 struct tables *const tables[REPLAY_SIDES], const struct replaying *replaying)
{
	struct replayed replayed = {
		.arguments = arguments,
		.tables = { tables[REPLAY_NEW], tables[REPLAY_OLD] },
		.capture = replaying->capture,
		.replay = replaying->replay,
		.broken = *replaying->broken ? replaying->broken : NULL,
	};
	int r = 0;

	for (int which = 0; which < REPLAY_ROWS && !r; which++)
		r = replay_rows(replaying->replay, which, &replayed.rows[which], &replayed.count[which]);
	if (!r)
		r = globals->json ? replayed_print_json(&replayed) : replayed_print(globals, &replayed);
	for (int which = 0; which < REPLAY_ROWS; which++)
		free(replayed.rows[which]);
	return r;
}

/* Not all packets were decided, or, compared, some would be decided otherwise. */
static bool is_failed(const struct replaying *replaying)
{
	const struct replay_counts *counts = replay_counts(replaying->replay);

	return *replaying->broken || counts->cut || counts->refused || counts->newly_dropped || counts->newly_allowed;
}

int simulate_capture(const struct globals *globals, const struct simulate_arguments *arguments,
		     struct tables *const tables[REPLAY_SIDES])
{
	_cleanup_(capture_freep) struct capture *capture = NULL;
	_cleanup_(replay_freep) struct replay *replay = NULL;
	_cleanup_(close_engines) struct replaying replaying = { 0 };
	int status = open_capture(arguments->capture, &capture), r;

	if (!status)
		status = open_engines(&replaying, arguments, tables);
	if (!status)
		status = new_replay(arguments, tables, &replay);
	if (status)
		return status;
	replaying.capture = capture;
	replaying.replay = replay;
	r = replay_all(&replaying);
	if (!r)
		r = print(globals, arguments, tables, &replaying);
	if (r == -ENOMEM)
		return simulate_out_of_memory();
	if (r)
		return complain(arguments->capture, strerror(-r));
	if (*replaying.broken)
		complain(arguments->capture, replaying.broken);
	return is_failed(&replaying) ? EXIT_FAILED : EXIT_DONE;
}
