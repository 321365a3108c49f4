// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall unblock: takes addresses off the block list.
 */
#include <json-c/json.h>
#include <string.h>

#include "base/util.h"
#include "cmd/block.h"
#include "cmd/view.h"
#include "kernel/block_book.h"
#include "kernel/edge.h"
#include "watch/report_blocks.h"

enum { OPTION_ALL = 256 };

static const struct option_help options[] = {
	{ { "all", no_argument, NULL, OPTION_ALL }, NULL, "everything that is on the list" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

/* It may be inside a prefix that is there. */
static void tell_absent(struct block_list *list, const struct blocked *what)
{
	const struct addr first = { what->family, what->first };
	char text[RANGE_TEXT_MAX], other[RANGE_TEXT_MAX];
	struct blocked found;

	blocked_print(what, text);
	fprintf(stderr, "zonewall: %s is not on the block list\n", text);
	if (!blocks_find(list->blocks, &first, list->now, &found))
		return;
	blocked_print(&found, other);
	fprintf(stderr, "fix: it is blocked by %s, which is on it\n", other);
}

/* Removes them, and puts first those that were there. Returns how many these are. */
static size_t remove_all(struct block_list *list, struct prefixes *prefixes)
{
	size_t removed = 0;

	for (size_t i = 0; i < prefixes->count; i++) {
		struct blocked what = prefixes->v[i];

		if (blocks_remove(list->blocks, &what, list->now))
			prefixes->v[removed++] = what;
		else
			tell_absent(list, &what);
	}
	return removed;
}

static void tell(const struct globals *globals, const struct prefixes *prefixes, size_t count)
{
	char text[RANGE_TEXT_MAX];

	if (globals->json) {
		struct json_object *removed = json_object_new_array(), *report = json_object_new_object();

		for (size_t i = 0; i < count; i++) {
			blocked_print(&prefixes->v[i], text);
			json_object_array_add(removed, json_object_new_string(text));
		}
		json_object_object_add(report, "schema", json_object_new_string("zonewall.unblocked/1"));
		json_object_object_add(report, "addresses", removed);
		view_json(report);
		json_object_put(report);
		return;
	}
	for (size_t i = 0; i < count && count <= 10; i++) {
		blocked_print(&prefixes->v[i], text);
		printf("%s is not blocked any more\n", text);
	}
	if (count > 10)
		printf("%zu prefixes are not blocked any more\n", count);
}

static int unblock(const struct globals *globals, struct prefixes *prefixes, bool all)
{
	struct block_list list;
	size_t asked, count;
	int r = 0, status = block_list_open(globals, &list);

	if (status)
		return status;
	if (all)
		r = blocks_read(list.blocks, list.now, &prefixes->v, &prefixes->count);
	asked = prefixes->count;
	count = remove_all(&list, prefixes);
	if (!r)
		r = blocks_settle(list.blocks, list.now);
	if (!r)
		r = block_book_remove(globals->instance, prefixes->v, count);
	block_list_close(&list);
	tell(globals, prefixes, count);
	if (r)
		edge_error(r, "cannot write down what was taken off: it comes back with the next boot");
	return r || count < asked ? EXIT_FAILED : EXIT_DONE;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	struct prefixes prefixes = { .command = "unblock" };
	int option, status = EXIT_DONE;
	bool all = false;

	while ((option = command_getopt(&cmd_unblock, argc, argv)) != -1) {
		if (option == '?')
			return EXIT_USAGE;
		all = true;
	}
	if (!all)
		status = prefixes_read(&prefixes, argc - optind, argv + optind);
	else if (optind < argc) {
		fprintf(stderr, "zonewall unblock: --all takes no address: '%s'\n", argv[optind]);
		status = EXIT_USAGE;
	}
	if (!status)
		status = unblock(globals, &prefixes, all);
	prefixes_clear(&prefixes);
	return status;
}

const struct command cmd_unblock = {
	.name = "unblock",
	.arguments = "ADDR|CIDR...|-",
	.summary = "take addresses off the block list",
	.options = options,
	.run = run,
};
