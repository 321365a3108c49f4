// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall test: what the policy says of itself is held against its tables: `tests`, `never`, `always` (design 4.8).
 */
#include <string.h>

#include "base/util.h"
#include "cmd/command.h"
#include "cmd/findings.h"
#include "cmd/sources.h"
#include "compile/tables.h"
#include "policy/policy.h"

enum { OPTION_HOST = 256, OPTION_AT };

static const struct option_help options[] = {
	{ { "host", required_argument, NULL, OPTION_HOST }, "ADDR,...",
	  "the addresses of the host the policy is for (default: not known)" },
	{ { "at", required_argument, NULL, OPTION_AT }, "TIME",
	  "when tests are, as rules have until (default: now); never and always are at every time" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

static const char *const formats[] = { "tap", "junit", NULL };

extern const struct command cmd_test;

/* Without tables there is an error in diag. */
struct work {
	struct sources sources;
	struct policy *policy;
	struct tables *tables;
	struct diag *diag;
	struct outcomes outcomes;
};

static void clear_work(struct work *work)
{
	outcomes_clear(&work->outcomes);
	tables_free(work->tables);
	policy_free(work->policy);
	diag_free(work->diag);
	sources_clear(&work->sources);
}

static int read_arguments(struct work *work, int argc, char **argv)
{
	int option, status;

	while ((option = command_getopt(&cmd_test, argc, argv)) != -1) {
		status = option == OPTION_HOST ? sources_read_hosts(&work->sources, optarg)
			 : option == OPTION_AT ? sources_read_at(&work->sources, optarg)
					       : EXIT_USAGE;
		if (status)
			return status;
	}
	return sources_read_words(&work->sources, argc - optind, argv + optind);
}

static int compile(struct work *work)
{
	const struct compile_options compile = { 0 };
	int err;

	work->diag = diag_new();
	if (!work->diag || ranges_normalise(&work->sources.host))
		return -ENOMEM;
	err = policy_read(work->sources.files, work->sources.file_count, work->diag, &work->policy);
	if (err)
		return err;
	err = policy_resolve(work->policy, work->sources.has_host ? &work->sources.host : NULL);
	return err ? err : compile_policy(work->policy, &compile, work->diag, &work->tables);
}

static bool is_format(const struct globals *globals, const char *format)
{
	return !strcmp(globals->format, format);
}

static int put(struct buffer *text)
{
	int err = text->failed ? -ENOMEM : 0;

	if (!err && text->len)
		fwrite(text->data, 1, text->len, stdout);
	buffer_free(text);
	return err;
}

/* What is wrong with the policy, as a text for JUnit. */
static int put_junit_errors(const struct diag *diag, struct buffer *text)
{
	char *messages = NULL;
	size_t len;
	FILE *out = open_memstream(&messages, &len);

	if (!out)
		return -ENOMEM;
	diag_print(diag, out, false);
	if (!fclose(out))
		findings_junit_errors(messages, text);
	free(messages);
	return 0;
}

static int print_errors(const struct globals *globals, const struct work *work)
{
	struct buffer text = { 0 };
	int err = 0;

	if (globals->json) {
		findings_json_errors(work->diag, &text);
	} else {
		diag_print(work->diag, stderr, globals->colour && isatty(STDERR_FILENO));
		if (is_format(globals, "junit"))
			err = put_junit_errors(work->diag, &text);
		else if (is_format(globals, "tap"))
			buffer_put(&text, "TAP version 13\nBail out! The policy has errors.\n");
	}
	return err ? err : put(&text);
}

static int print(const struct globals *globals, const struct work *work)
{
	const struct findings findings = { work->policy, work->tables, work->diag, &work->outcomes };
	struct buffer text = { 0 };

	if (globals->json) {
		findings_json(&findings, &text);
		return put(&text);
	}
	diag_print(work->diag, stderr, globals->colour && isatty(STDERR_FILENO));
	if (is_format(globals, "tap"))
		findings_tap(&findings, &text);
	else if (is_format(globals, "junit"))
		findings_junit(&findings, &text);
	else
		findings_text(&findings, &text);
	return put(&text);
}

static int run(const struct globals *globals, int argc, char **argv)
{
	_cleanup_(clear_work) struct work work = { .sources.command = "test" };
	int status = read_arguments(&work, argc, argv), err;

	if (status)
		return status;
	err = compile(&work);
	if (err == -EINVAL) {
		status = EXIT_POLICY;
		err = print_errors(globals, &work);
	} else if (!err) {
		err = prove(work.policy, work.tables, sources_time(&work.sources), &work.outcomes);
		if (!err)
			err = print(globals, &work);
		status = work.outcomes.failed ? EXIT_FAILED : EXIT_DONE;
	}
	if (!err)
		return status;
	fprintf(stderr, "zonewall test: %s\n", err == -ENOMEM ? "out of memory" : "the tables cannot be read");
	return EXIT_FAILED;
}

const struct command cmd_test = {
	.name = "test",
	.arguments = "FILE...",
	.summary = "run the policy's tests, and prove its never and always",
	.options = options,
	.formats = formats,
	.run = run,
};
