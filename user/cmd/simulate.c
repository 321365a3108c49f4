// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall simulate: packets in, verdicts out (design section 11): lines of JSON on standard input, or a capture. Here are
 * the options, the policies, and who decides by them.
 */
#include <getopt.h>
#include <string.h>

#include "base/util.h"
#include "cmd/simulate.h"
#include "kernel/edge.h"
#include "kernel/testrun.h"
#include "policy/policy.h"

#define LIMIT 50

enum { OPTION_ENGINE = 256, OPTION_HOOK, OPTION_HOST, OPTION_STATEFUL, OPTION_INTERFACE, OPTION_PCAP, OPTION_DIFF,
       OPTION_LIMIT, OPTION_BLOCK };

static const struct option_help options[] = {
	{ { "engine", required_argument, NULL, OPTION_ENGINE },
	  "tables|kernel",
	  "walk the tables in user space (default), or run the programs in the kernel (root)" },
	{ { "hook", required_argument, NULL, OPTION_HOOK },
	  "xdp|tc-ingress|tc-egress",
	  "where the packets are seen (default: xdp)" },
	{ { "host", required_argument, NULL, OPTION_HOST },
	  "ADDR,...",
	  "addresses of the host that the policy is for; may be given again (default: not known)" },
	{ { "interface", required_argument, NULL, OPTION_INTERFACE },
	  "NAME",
	  "where packets enter, to judge their source by (default: not said)" },
	{ { "stateful", no_argument, NULL, OPTION_STATEFUL }, NULL, "earlier lines leave flows behind" },
	{ { "block", required_argument, NULL, OPTION_BLOCK },
	  "ADDR|CIDR[=TIME]",
	  "is on the block list, with --stateful perhaps up to a time (Unix seconds); may be given again" },
	{ { "pcap", required_argument, NULL, OPTION_PCAP },
	  "CAPTURE",
	  "replay a capture (pcap, pcapng; - is standard input) instead of lines: totals, and what is dropped" },
	{ { "diff", required_argument, NULL, OPTION_DIFF },
	  "OLD",
	  "with --pcap: what this policy would have decided otherwise; may be given again, for more files of it" },
	{ { "limit", required_argument, NULL, OPTION_LIMIT },
	  "N",
	  "with --pcap: list so many conversations at most (default: 50)" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

DEFINE_CLEANUP(struct policy *, policy_free)
DEFINE_CLEANUP(struct tables *, tables_free)
DEFINE_CLEANUP(struct diag *, diag_free)

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "zonewall simulate: %s '%s'\n", what, word);
	return EXIT_USAGE;
}

int simulate_out_of_memory(void)
{
	fprintf(stderr, "zonewall simulate: out of memory\n");
	return EXIT_FAILED;
}

static int read_hook_name(struct simulate_arguments *arguments, const char *name)
{
	static const char *const names[ZW_HOOKS] = { "xdp", "tc-ingress", "tc-egress" };

	for (int i = 0; i < ZW_HOOKS; i++)
		if (!strcmp(names[i], name)) {
			arguments->hook = i;
			return 0;
		}
	return usage("--hook: xdp, tc-ingress or tc-egress is needed, not", name);
}

static int add_old(struct simulate_arguments *arguments, const char *path)
{
	struct sources *old = &arguments->old;

	if (array_grow(&old->files, old->file_count, sizeof(*old->files)))
		return simulate_out_of_memory();
	old->files[old->file_count++] = path;
	return 0;
}

static int read_limit(struct simulate_arguments *arguments, const char *text)
{
	char *end;

	errno = 0;
	arguments->limit = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno)
		return usage("--limit: a number is needed, not", text);
	return 0;
}

static int read_option(struct simulate_arguments *arguments, int option)
{
	switch (option) {
	case OPTION_ENGINE:
		arguments->kernel = !strcmp(optarg, "kernel");
		if (!arguments->kernel && strcmp(optarg, "tables"))
			return usage("--engine: tables or kernel is needed, not", optarg);
		return 0;
	case OPTION_HOOK:
		return read_hook_name(arguments, optarg);
	case OPTION_HOST:
		return sources_read_hosts(&arguments->sources, optarg);
	case OPTION_STATEFUL:
		arguments->stateful = true;
		return 0;
	case OPTION_INTERFACE:
		arguments->interface = optarg;
		return 0;
	case OPTION_BLOCK:
		return simulate_read_block(arguments, optarg);
	case OPTION_PCAP:
		arguments->capture = optarg;
		arguments->stateful = true;
		return 0;
	case OPTION_DIFF:
		return add_old(arguments, optarg);
	case OPTION_LIMIT:
		return read_limit(arguments, optarg);
	default:
		return EXIT_USAGE;
	}
}

static int read_arguments(int argc, char **argv, struct simulate_arguments *arguments)
{
	int option, r;

	while ((option = command_getopt(&cmd_simulate, argc, argv)) != -1) {
		r = read_option(arguments, option);
		if (r)
			return r;
	}
	if (!arguments->capture && arguments->old.file_count) {
		fprintf(stderr, "zonewall simulate: --diff compares by a capture\nfix: add --pcap CAPTURE\n");
		return EXIT_USAGE;
	}
	if (arguments->block_ends && !arguments->stateful) {
		fprintf(stderr, "zonewall simulate: --block with an end: packets that are each the first have no time\n"
				"fix: add --stateful\n");
		return EXIT_USAGE;
	}
	r = sources_read_words(&arguments->sources, argc - optind, argv + optind);
	if (!r && ranges_normalise(&arguments->sources.host))
		return simulate_out_of_memory();
	return r;
}

static int compile(const struct simulate_arguments *arguments, const struct sources *files, struct diag *diag,
		   struct tables **ret_tables)
{
	const struct compile_options compile = { 0 };
	_cleanup_(policy_freep) struct policy *policy = NULL;
	int r = policy_read(files->files, files->file_count, diag, &policy);

	if (!r)
		r = policy_resolve(policy, arguments->sources.has_host ? &arguments->sources.host : NULL);
	if (!r)
		r = compile_policy(policy, &compile, diag, ret_tables);
	return r;
}

/* files: of the policy, or of the old one. */
static int load(const struct globals *globals, const struct simulate_arguments *arguments, const struct sources *files,
		struct tables **ret_tables)
{
	_cleanup_(diag_freep) struct diag *diag = diag_new();
	int r;

	if (!diag)
		return simulate_out_of_memory();
	r = compile(arguments, files, diag, ret_tables);
	diag_print(diag, stderr, globals->colour && isatty(STDERR_FILENO));
	if (r == -ENOMEM)
		return simulate_out_of_memory();
	return r ? EXIT_POLICY : 0;
}

int engine_open(const struct simulate_arguments *arguments, const struct tables *tables, struct engine *ret_engine)
{
	const struct testrun_options kernel = { .stateful = arguments->stateful };
	struct engine engine = { .tables = tables };
	int r, status;

	if (arguments->interface)
		engine.source_set = names_source_set(tables->names, arguments->interface);
	if (arguments->kernel) {
		r = testrun_new(tables, &kernel, &engine.testrun);
		if (r)
			return edge_exit_status(r); /* it said what is wrong */
	} else if (decider_new(tables->bytes, &tables->layout, arguments->stateful, &engine.decider)) {
		return simulate_out_of_memory();
	}
	status = simulate_block(arguments, &engine);
	if (status)
		engine_close(&engine);
	else
		*ret_engine = engine;
	return status;
}

void engine_close(struct engine *engine)
{
	decider_free(engine->decider);
	testrun_free(engine->testrun);
	free(engine->blocks);
}

int engine_decide(struct engine *engine, const struct frame *frame, struct decision *ret_decision)
{
	if (engine->testrun)
		return testrun_decide(engine->testrun, frame, ret_decision);
	decider_decide(engine->decider, frame, ret_decision);
	return 0;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	struct simulate_arguments arguments = {
		.hook = ZW_HOOK_XDP, .limit = LIMIT, .sources.command = "simulate", .old.command = "simulate", .blocked.command = "simulate"
	};
	_cleanup_(tables_freep) struct tables *new = NULL;
	_cleanup_(tables_freep) struct tables *old = NULL;
	int status = read_arguments(argc, argv, &arguments);

	if (!status)
		status = load(globals, &arguments, &arguments.sources, &new);
	if (!status && arguments.old.file_count)
		status = load(globals, &arguments, &arguments.old, &old);
	if (!status && arguments.capture)
		status = simulate_capture(globals, &arguments, (struct tables *const[]){ new, old });
	else if (!status)
		status = simulate_lines(&arguments, new);
	sources_clear(&arguments.sources);
	sources_clear(&arguments.old);
	prefixes_clear(&arguments.blocked);
	return status;
}

const struct command cmd_simulate = {
	.name = "simulate",
	.arguments = "FILE...",
	.summary = "decide packets: lines of JSON, one answer a line, or a capture",
	.options = options,
	.run = run,
};
