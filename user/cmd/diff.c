// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall diff: what becomes allowed and what denied between two policies, or what runs and a policy (simulate/diff.h).
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/util.h"
#include "cmd/differences.h"
#include "cmd/sources.h"
#include "kernel/edge.h"
#include "kernel/host.h"

#define RUNNING "running"

enum { OPTION_HOST = 256, OPTION_FAIL_ON, OPTION_AT };

static const struct option_help options[] = {
	{ { "host", required_argument, NULL, OPTION_HOST },
	  "ADDR,...",
	  "the addresses of the host that both are for (default: not known; of 'running' this host's)" },
	{ { "at", required_argument, NULL, OPTION_AT },
	  "TIME",
	  "from when on, as rules have until: what is over then is not told (default: now)" },
	{ { "fail-on", required_argument, NULL, OPTION_FAIL_ON },
	  "widened|any",
	  "exit status 1 if more may pass than before, or if anything changes" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

enum fail_on { FAIL_NEVER, FAIL_WIDENED, FAIL_ANY };

struct work {
	const struct globals *globals;
	struct sources sources; /* the two words, and --host */
	enum fail_on fail_on;
	struct differences result;
};

static void clear_work(struct work *work)
{
	differences_clear(&work->result);
	sources_clear(&work->sources);
}

static int out_of_memory(void)
{
	fprintf(stderr, "zonewall diff: out of memory\n");
	return EXIT_FAILED;
}

/* --- Arguments ------------------------------------------------------------------------------------------------------ */

static int read_fail_on(struct work *work, const char *word)
{
	if (!strcmp(word, "widened"))
		work->fail_on = FAIL_WIDENED;
	else if (!strcmp(word, "any"))
		work->fail_on = FAIL_ANY;
	else
		fprintf(stderr, "zonewall diff: --fail-on: widened or any is needed, not '%s'\n", word);
	return work->fail_on ? EXIT_DONE : EXIT_USAGE;
}

static int read_option(struct work *work, int option)
{
	switch (option) {
	case OPTION_HOST:
		return sources_read_hosts(&work->sources, optarg);
	case OPTION_AT:
		return sources_read_at(&work->sources, optarg);
	case OPTION_FAIL_ON:
		return read_fail_on(work, optarg);
	default:
		return EXIT_USAGE;
	}
}

static bool is_running(const char *word)
{
	return !strcmp(word, RUNNING);
}

/* What runs here was made with this host's addresses, and so would be what is applied next. */
static int take_host(struct work *work)
{
	struct sources *sources = &work->sources;
	int err = 0;

	if (is_running(sources->files[DIFF_OLD]) || is_running(sources->files[DIFF_NEW])) {
		if (sources->has_host) {
			fprintf(stderr, "zonewall diff: what runs is about this host\nfix: leave out --host, "
					"or '" RUNNING "'\n");
			return EXIT_USAGE;
		}
		err = host_addresses(&sources->host);
		if (err)
			return edge_exit_status(edge_error(err, "cannot read the addresses of this host"));
		sources->has_host = true;
	}
	work->result.host_known = sources->has_host;
	return ranges_normalise(&sources->host) ? out_of_memory() : EXIT_DONE;
}

static int read_arguments(struct work *work, int argc, char **argv)
{
	int option, status;

	while ((option = command_getopt(&cmd_diff, argc, argv)) != -1) {
		status = read_option(work, option);
		if (status)
			return status;
	}
	status = sources_read_words(&work->sources, argc - optind, argv + optind);
	if (status)
		return status;
	if (work->sources.file_count != DIFF_SIDES) {
		fprintf(stderr,
			"zonewall diff: two policies are needed, the old one and the new one, not %zu\n"
			"fix: each a file, a directory, or 'running'\n",
			work->sources.file_count);
		return EXIT_USAGE;
	}
	return take_host(work);
}

/* --- Policies --------------------------------------------------------------------------------------------------------- */

static int add_file(struct differing *side, const char *name)
{
	char *copy = strdup(name);

	if (!copy || array_grow(&side->files, side->file_count, sizeof(*side->files))) {
		free(copy);
		return out_of_memory();
	}
	side->files[side->file_count++] = copy;
	return EXIT_DONE;
}

static int is_policy(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return *entry->d_name != '.' && dot && !strcmp(dot, ".yaml");
}

static int compare_entries(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Every *.yaml of a directory, sorted by name, whatever the locale. */
static int add_directory(struct differing *side, const char *name)
{
	struct dirent **entries;
	int count = scandir(name, &entries, is_policy, compare_entries), status = EXIT_DONE;
	char path[PATH_MAX];

	if (count < 0) {
		edge_error(errno, "cannot read directory '%s'", name);
		return EXIT_FAILED;
	}
	for (int i = 0; i < count; i++) {
		if (!status &&
		    snprintf(path, sizeof(path), "%s/%s", name, entries[i]->d_name) < (int)sizeof(path))
			status = add_file(side, path);
		free(entries[i]);
	}
	free(entries);
	if (!status && !side->file_count) {
		fprintf(stderr, "zonewall diff: there is no *.yaml in '%s'\n", name);
		status = EXIT_USAGE;
	}
	return status;
}

static int find_files(struct differing *side)
{
	struct stat stat_of;

	if (!stat(side->word, &stat_of) && S_ISDIR(stat_of.st_mode))
		return add_directory(side, side->word);
	return add_file(side, side->word);
}

static int compile(struct differing *side, const struct sources *sources)
{
	const struct compile_options compile = { 0 };
	int err = policy_read((const char *const *)side->files, side->file_count, side->diag, &side->policy);

	if (err)
		return err;
	err = policy_resolve(side->policy, sources->has_host ? &sources->host : NULL);
	if (!err)
		err = compile_policy(side->policy, &compile, side->diag, &side->compiled);
	side->tables = side->compiled;
	return err;
}

static int find_source(const struct work *work, struct differing *side)
{
	return is_running(side->word) ? running_open(work->globals, &side->running) : find_files(side);
}

static int read_side(const struct work *work, struct differing *side)
{
	int status = find_source(work, side), err;

	if (status)
		return status;
	side->diag = diag_new();
	if (!side->diag)
		return out_of_memory();
	err = side->running.instance ? differences_take_running(side) : compile(side, &work->sources);
	diag_print(side->diag, stderr, work->globals->colour && isatty(STDERR_FILENO));
	if (err == -ENOMEM)
		return out_of_memory();
	return err ? EXIT_POLICY : EXIT_DONE;
}

/* The mistakes of both are told. */
static int read_sides(struct work *work)
{
	int status = EXIT_DONE;

	for (int i = 0; i < DIFF_SIDES; i++) {
		struct differing *side = &work->result.sides[i];
		int one;

		side->word = work->sources.files[i];
		one = read_side(work, side);
		status = status ? status : one;
	}
	return status;
}

/* --- The answer --------------------------------------------------------------------------------------------------------- */

static int judge(const struct work *work)
{
	const struct differences *d = &work->result;
	bool fails = work->fail_on == FAIL_WIDENED ? d->widening
						   : work->fail_on == FAIL_ANY && !differences_are_none(d);

	if (!work->fail_on || !d->host_rule)
		return fails ? EXIT_FAILED : EXIT_DONE;
	fprintf(stderr,
		"zonewall diff: rule '%s' (%s:%u) names host or world, and the host's addresses are not "
		"known: --fail-on has "
		"no answer\nfix: --host ADDR,...\n",
		d->host_rule->id, diag_file_name(d->host_diag, d->host_rule->place.file),
		d->host_rule->place.line);
	return EXIT_FAILED;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	_cleanup_(clear_work) struct work work = { .globals = globals, .sources.command = "diff" };
	int status = read_arguments(&work, argc, argv), err;

	if (!status)
		status = read_sides(&work);
	if (status)
		return status;
	work.result.since = sources_time(&work.sources);
	err = differences_find(&work.result);
	if (!err)
		err = globals->json ? differences_print_json(&work.result)
				    : differences_print(&work.result, globals->colour);
	if (!err)
		return judge(&work);
	if (err == -ENOMEM)
		return out_of_memory();
	fprintf(stderr, "zonewall diff: the tables cannot be read\n");
	return EXIT_FAILED;
}

const struct command cmd_diff = {
	.name = "diff",
	.arguments = "OLD NEW",
	.summary = "what becomes allowed and what denied between two policies",
	.options = options,
	.run = run,
};
