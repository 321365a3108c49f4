// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall block: addresses that nothing is let in from or out to, for a while.
 */
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "base/util.h"
#include "cmd/block.h"
#include "cmd/view.h"
#include "kernel/block_book.h"
#include "kernel/edge.h"
#include "kernel/host.h"
#include "kernel/jiffies.h"
#include "kernel/pins.h"
#include "kernel/publish.h"
#include "watch/report_blocks.h"

enum { OPTION_FOR = 256, OPTION_REASON, OPTION_FORCE, OPTION_LIST };

static const struct option_help options[] = {
	{ { "for", required_argument, NULL, OPTION_FOR }, "TIME", "so long: 90s, 10m, 2h, 1d (default: until 'unblock')" },
	{ { "reason", required_argument, NULL, OPTION_REASON }, "TEXT", "why: shown by --list and by 'drops'" },
	{ { "force", no_argument, NULL, OPTION_FORCE }, NULL, "also if it is an address of this host" },
	{ { "list", no_argument, NULL, OPTION_LIST }, NULL, "show what is blocked" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

struct arguments {
	struct prefixes prefixes;
	double seconds; /* 0: for ever */
	const char *reason;
	bool force, list;
};

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "zonewall block: %s: '%s'\n", what, word);
	return EXIT_USAGE;
}

static int read_option(struct arguments *arguments, int option)
{
	switch (option) {
	case OPTION_FOR:
		arguments->seconds = command_duration(optarg);
		return arguments->seconds > 0 ? EXIT_DONE : usage("--for: a time is needed (90s, 10m, 2h, 1d), not", optarg);
	case OPTION_REASON:
		arguments->reason = optarg;
		return block_reason_is_valid(optarg) ? EXIT_DONE : usage("--reason: one line of at most 128 bytes is needed, not", optarg);
	case OPTION_FORCE:
		arguments->force = true;
		return EXIT_DONE;
	case OPTION_LIST:
		arguments->list = true;
		return EXIT_DONE;
	default:
		return EXIT_USAGE;
	}
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
	int option, status = EXIT_DONE;

	while (!status && (option = command_getopt(&cmd_block, argc, argv)) != -1)
		status = read_option(arguments, option);
	if (status)
		return status;
	if (!arguments->list)
		return prefixes_read(&arguments->prefixes, argc - optind, argv + optind);
	return optind < argc ? usage("--list takes no address", argv[optind]) : EXIT_DONE;
}

/* The first prefix that shares an address with the set, or NULL. */
static const struct blocked *first_in(const struct prefixes *prefixes, const struct ranges *set)
{
	for (size_t i = 0; i < prefixes->count; i++) {
		struct range range = blocked_range(&prefixes->v[i]);
		struct ranges one = { 0 };

		if (prefixes->v[i].family == 4) {
			one.v4 = &range;
			one.v4_count = 1;
		} else {
			one.v6 = &range;
			one.v6_count = 1;
		}
		if (ranges_meet(&one, set))
			return &prefixes->v[i];
	}
	return NULL;
}

/* Nobody shall shut himself out with a wrong digit. */
static int refuse_host(const struct arguments *arguments)
{
	struct ranges host = { 0 };
	const struct blocked *own;
	char text[RANGE_TEXT_MAX];
	int r = host_addresses(&host);

	if (r)
		return edge_exit_status(edge_error(r, "cannot read the addresses of this host"));
	own = arguments->force ? NULL : first_in(&arguments->prefixes, &host);
	ranges_clear(&host);
	if (!own)
		return EXIT_DONE;
	blocked_print(own, text);
	fprintf(stderr, "zonewall: %s holds an address of this host: nothing was blocked\nfix: --force, if it is meant\n", text);
	return EXIT_FAILED;
}

/* What failsafe lets in from there would pass all the same, and the rest is not worth the mistake. */
static int refuse_guarded(const struct globals *globals, const struct arguments *arguments)
{
	struct ranges guarded = { 0 };
	const struct blocked *found;
	char text[RANGE_TEXT_MAX];
	uint32_t current = publish_seen(globals->instance);
	int r = current ? pins_read_guarded(globals->instance, current, &guarded) : 0;

	if (r)
		return edge_exit_status(edge_error(r, "cannot read the failsafe entries of generation %u", current));
	found = first_in(&arguments->prefixes, &guarded);
	ranges_clear(&guarded);
	if (!found)
		return EXIT_DONE;
	blocked_print(found, text);
	fprintf(stderr, "zonewall: %s holds an address from which a failsafe entry lets people in: nothing was blocked\n"
			"fix: block a smaller part, or change the policy's 'failsafe'\n", text);
	return EXIT_FAILED;
}

static int refuse_full(const struct blocked *what, int error)
{
	char text[RANGE_TEXT_MAX];

	blocked_print(what, text);
	if (error == -E2BIG)
		fprintf(stderr, "zonewall: %s is not blocked: prefixes of %u other lengths are on the list\n"
				"fix: block prefixes of fewer lengths, or unblock some\n", text, ZW_BLOCK_LENGTHS);
	else
		fprintf(stderr, "zonewall: %s is not blocked: the list is full\n"
				"fix: unblock some (zonewall block --list), or block larger prefixes in their place\n", text);
	return EXIT_FAILED;
}

/* Up to the first that finds no room. Returns how many are blocked now. */
static size_t put_all(const struct arguments *arguments, struct block_list *list, int *ret_error)
{
	uint64_t until = ZW_BLOCK_FOR_EVER;

	*ret_error = 0;
	if (arguments->seconds)
		until = list->now + (uint64_t)(arguments->seconds * jiffies_hz() + 1);
	for (size_t i = 0; i < arguments->prefixes.count; i++) {
		struct blocked *what = &arguments->prefixes.v[i];

		what->until = until;
		*ret_error = blocks_put(list->blocks, what, list->now);
		if (*ret_error)
			return i;
	}
	return arguments->prefixes.count;
}

/* They are blocked, whatever becomes of this. */
static void write_down(const struct globals *globals, const struct arguments *arguments, size_t count)
{
	_cleanup_free_ struct block_note *notes = array_new(count, sizeof(*notes));
	int64_t now = time(NULL);
	int r = notes ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !r; i++) {
		notes[i] = (struct block_note){
			.what = arguments->prefixes.v[i],
			.since = now,
			.until = arguments->seconds ? now + (int64_t)(arguments->seconds + 0.5) : 0,
		};
		snprintf(notes[i].reason, sizeof(notes[i].reason), "%s", arguments->reason ? arguments->reason : "");
	}
	if (!r)
		r = block_book_add(globals->instance, notes, count);
	if (r)
		edge_warn("the addresses are blocked, but not after the next boot: that cannot be written down: %s", strerror(-r));
}

static void tell(const struct globals *globals, const struct arguments *arguments, size_t count, uint64_t now)
{
	struct json_object *entries = globals->json ? json_object_new_array() : NULL;
	char text[RANGE_TEXT_MAX];

	for (size_t i = 0; i < count; i++) {
		const struct blocked *what = &arguments->prefixes.v[i];

		blocked_print(what, text);
		if (entries)
			json_object_array_add(entries, report_block(what, NULL, now));
		else if (count <= 10)
			printf("blocked %s %s%s\n", text, arguments->seconds ? "for " : "until 'zonewall unblock'",
			       arguments->seconds ? view_seconds(arguments->seconds) : "");
	}
	if (entries) {
		struct json_object *report = report_block_list(entries);

		view_json(report);
		json_object_put(report);
	} else if (count > 10) {
		printf("blocked %zu prefixes\n", count);
	}
}

static int block(const struct globals *globals, const struct arguments *arguments)
{
	struct block_list list;
	int status, error;
	size_t count;

	status = refuse_host(arguments);
	if (!status)
		status = refuse_guarded(globals, arguments);
	if (!status)
		status = block_list_open(globals, &list);
	if (status)
		return status;
	count = put_all(arguments, &list, &error);
	write_down(globals, arguments, count);
	block_list_close(&list);
	tell(globals, arguments, count, list.now);
	return error ? refuse_full(&arguments->prefixes.v[count], error) : EXIT_DONE;
}

static void print_list(const struct globals *globals, struct json_object *entries)
{
	struct libscols_table *table = view_table(globals, "ADDRESS BY >LEFT SINCE REASON");

	for (size_t i = 0; i < json_object_array_length(entries); i++) {
		struct json_object *entry = json_object_array_get_idx(entries, i);
		bool for_ever = !view_get(entry, "left_s");

		view_line(table, view_string(entry, "address"), view_string(entry, "by"),
			  for_ever ? "-" : view_seconds(view_number(entry, "left_s")), view_string(entry, "since"),
			  view_string(entry, "reason"));
	}
	view_print(table);
}

static int show(const struct globals *globals)
{
	struct json_object *report;
	int status = view_report(globals, "blocks", report_blocks, &report);

	if (status)
		return status;
	if (globals->json)
		view_json(report);
	else
		print_list(globals, view_get(report, "entries"));
	json_object_put(report);
	return EXIT_DONE;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	struct arguments arguments = { .prefixes.command = "block" };
	int status = read_arguments(argc, argv, &arguments);

	if (!status)
		status = arguments.list ? show(globals) : block(globals, &arguments);
	prefixes_clear(&arguments.prefixes);
	return status;
}

const struct command cmd_block = {
	.name = "block",
	.arguments = "ADDR|CIDR...|-",
	.summary = "drop everything from and to addresses, for a while",
	.options = options,
	.run = run,
};
