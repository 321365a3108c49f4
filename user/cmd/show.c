// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall show: the policy that the files make, in one piece; or which services it opens from each zone to each other.
 */
#include <json-c/json.h>

#include "base/util.h"
#include "base/yaml_print.h"
#include "cmd/command.h"
#include "cmd/matrix.h"
#include "cmd/sources.h"
#include "cmd/view.h"
#include "policy/canonical.h"
#include "policy/policy.h"

#define SHOW_SCHEMA "zonewall.show/1"

enum { OPTION_EFFECTIVE = 256, OPTION_MATRIX, OPTION_FROM, OPTION_TO, OPTION_HOST, OPTION_AT };

static const struct option_help options[] = {
	{ { "effective", no_argument, NULL, OPTION_EFFECTIVE },
	  NULL,
	  "the whole policy: includes read, services resolved, addresses merged (the default)" },
	{ { "matrix", no_argument, NULL, OPTION_MATRIX },
	  NULL,
	  "which services are open from each zone to each other (the default of -o dot and -o html)" },
	{ { "from", required_argument, NULL, OPTION_FROM },
	  "ZONE,...",
	  "rows of the matrix (default: all zones)" },
	{ { "to", required_argument, NULL, OPTION_TO },
	  "ZONE,...",
	  "columns of the matrix (default: all zones)" },
	{ { "host", required_argument, NULL, OPTION_HOST },
	  "ADDR,...",
	  "for the matrix: the addresses of the host that decides (default: not known)" },
	{ { "at", required_argument, NULL, OPTION_AT },
	  "TIME",
	  "for the matrix: when, as rules have until (default: now)" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

static const char *const formats[] = { "dot", "html", NULL };

extern const struct command cmd_show;

struct work {
	struct sources sources;
	bool effective, matrix;
	const char *from, *to;
	int64_t at;
	struct policy *policy;
	struct tables *tables;
	struct diag *diag;
};

static void clear_work(struct work *work)
{
	tables_free(work->tables);
	policy_free(work->policy);
	diag_free(work->diag);
	sources_clear(&work->sources);
}

static int out_of_memory(void)
{
	fprintf(stderr, "zonewall show: out of memory\n");
	return EXIT_FAILED;
}

static bool is_drawing(const struct globals *globals)
{
	return !strcmp(globals->format, "dot") || !strcmp(globals->format, "html");
}

/* What goes with what. */
static int check_options(const struct globals *globals, struct work *work)
{
	const char *wrong = NULL;

	if (work->effective && (work->matrix || is_drawing(globals)))
		wrong = "--effective is text or JSON, and no matrix";
	work->matrix |= is_drawing(globals);
	if (!wrong && !work->matrix && (work->from || work->to || work->sources.has_host || work->sources.has_at))
		wrong = "--from, --to, --host and --at are for the matrix";
	if (!wrong)
		return EXIT_DONE;
	fprintf(stderr, "zonewall show: %s\nfix: %s\n", wrong,
		work->effective ? "--effective or --matrix, one of them" : "add --matrix");
	return EXIT_USAGE;
}

static int read_arguments(const struct globals *globals, struct work *work, int argc, char **argv)
{
	int option, status = EXIT_DONE;

	while (!status && (option = command_getopt(&cmd_show, argc, argv)) != -1) {
		if (option == OPTION_EFFECTIVE)
			work->effective = true;
		else if (option == OPTION_MATRIX)
			work->matrix = true;
		else if (option == OPTION_FROM)
			work->from = optarg;
		else if (option == OPTION_TO)
			work->to = optarg;
		else
			status = option == OPTION_HOST ? sources_read_hosts(&work->sources, optarg)
				 : option == OPTION_AT ? sources_read_at(&work->sources, optarg)
						       : EXIT_USAGE;
	}
	if (!status)
		status = check_options(globals, work);
	return status ? status : sources_read_words(&work->sources, argc - optind, argv + optind);
}

static int print_effective(const struct globals *globals, const struct policy *policy)
{
	struct json_object *policy_object = policy_canonical(policy), *object;

	if (!policy_object)
		return out_of_memory();
	if (globals->json) {
		object = json_object_new_object();
		json_object_object_add(object, "schema", json_object_new_string(SHOW_SCHEMA));
		json_object_object_add(object, "policy", json_object_get(policy_object));
		view_json(object);
		json_object_put(object);
	} else {
		yaml_print(policy_object, stdout);
	}
	json_object_put(policy_object);
	return EXIT_DONE;
}

/* What a page or a graph can hold, and anybody look at. */
#define CELLS_MAX 40000

static int check_size(const struct globals *globals, const struct matrix_view *view)
{
	size_t cells = view->from_count * view->to_count;

	if (!is_drawing(globals) || cells <= CELLS_MAX)
		return EXIT_DONE;
	fprintf(stderr,
		"zonewall show: the matrix has %zu cells: -o %s draws no more than %u\n"
		"fix: name the zones of interest with --from and --to\n",
		cells, globals->format, CELLS_MAX);
	return EXIT_FAILED;
}

static int print_matrix(const struct globals *globals, const struct work *work)
{
	_cleanup_(matrix_view_clear) struct matrix_view view = { 0 };
	int status = matrix_view_open(work->policy, work->tables, work->at, work->from, work->to, &view), err;

	if (!status)
		status = check_size(globals, &view);
	if (status)
		return status;
	if (!strcmp(globals->format, "dot"))
		err = matrix_print_dot(&view);
	else if (!strcmp(globals->format, "html"))
		err = matrix_print_html(&view);
	else
		err = globals->json ? matrix_print_json(&view) : matrix_print_text(&view, globals);
	return err ? out_of_memory() : EXIT_DONE;
}

static int load(struct work *work)
{
	const struct compile_options compile = { 0 };
	int err = policy_read(work->sources.files, work->sources.file_count, work->diag, &work->policy);

	if (err || !work->matrix)
		return err;
	err = ranges_normalise(&work->sources.host);
	if (!err)
		err = policy_resolve(work->policy, work->sources.has_host ? &work->sources.host : NULL);
	work->at = sources_time(&work->sources);
	return err ? err : compile_policy(work->policy, &compile, work->diag, &work->tables);
}

static int run(const struct globals *globals, int argc, char **argv)
{
	_cleanup_(clear_work) struct work work = { .sources.command = "show" };
	int status = read_arguments(globals, &work, argc, argv), err;

	if (status)
		return status;
	work.diag = diag_new();
	err = work.diag ? load(&work) : -ENOMEM;
	if (err == -ENOMEM)
		return out_of_memory();
	diag_print(work.diag, stderr, globals->colour && isatty(STDERR_FILENO));
	if (err)
		return EXIT_POLICY;
	return work.matrix ? print_matrix(globals, &work) : print_effective(globals, work.policy);
}

const struct command cmd_show = {
	.name = "show",
	.arguments = "FILE...",
	.summary = "the policy that the files make, in one piece; its matrix of zones",
	.options = options,
	.formats = formats,
	.run = run,
};
