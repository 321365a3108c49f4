// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall simulate: packets as JSON lines on standard input, verdicts as JSON lines on standard output (design section 11).
 */
#include <getopt.h>
#include <string.h>

#include "base/util.h"
#include "cmd/command.h"
#include "cmd/sources.h"
#include "compile/tables.h"
#include "kernel/edge.h"
#include "kernel/testrun.h"
#include "policy/policy.h"
#include "simulate/conversation.h"
#include "simulate/decision.h"
#include "simulate/frame.h"
#include "simulate/input.h"
#include "simulate/line.h"
#include "watch/buffer.h"

enum { OPTION_ENGINE = 256, OPTION_HOOK, OPTION_HOST, OPTION_STATEFUL, OPTION_PCAP };

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
	{ { "stateful", no_argument, NULL, OPTION_STATEFUL }, NULL, "earlier lines leave flows behind" },
	{ { "pcap", required_argument, NULL, OPTION_PCAP },
	  "FILE",
	  "replay a capture (not built in this version)" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

DEFINE_CLEANUP(struct policy *, policy_free)
DEFINE_CLEANUP(struct tables *, tables_free)
DEFINE_CLEANUP(struct diag *, diag_free)
DEFINE_CLEANUP(struct decider *, decider_free)
DEFINE_CLEANUP(struct testrun *, testrun_free)
DEFINE_CLEANUP(struct input_parser *, input_parser_free)
DEFINE_CLEANUP(struct conversations *, conversations_free)
DEFINE_CLEANUP(struct line_reader *, line_reader_free)

struct arguments {
	bool kernel, stateful;
	enum zw_hook hook;
	struct sources sources;
};

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "zonewall simulate: %s '%s'\n", what, word);
	return EXIT_USAGE;
}

static int out_of_memory(void)
{
	fprintf(stderr, "zonewall simulate: out of memory\n");
	return EXIT_FAILED;
}

static int read_hook_name(struct arguments *arguments, const char *name)
{
	static const char *const names[ZW_HOOKS] = { "xdp", "tc-ingress", "tc-egress" };

	for (int i = 0; i < ZW_HOOKS; i++)
		if (!strcmp(names[i], name)) {
			arguments->hook = i;
			return 0;
		}
	return usage("--hook: xdp, tc-ingress or tc-egress is needed, not", name);
}

static int read_option(struct arguments *arguments, int option)
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
	case OPTION_PCAP:
		fprintf(stderr, "zonewall simulate: --pcap is not built in this version\n"
				"fix: give each packet as a line with \"frame\"\n");
		return EXIT_UNSUPPORTED;
	default:
		return EXIT_USAGE;
	}
}

static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
	int option, r;

	while ((option = command_getopt(&cmd_simulate, argc, argv)) != -1) {
		r = read_option(arguments, option);
		if (r)
			return r;
	}
	r = sources_read_words(&arguments->sources, argc - optind, argv + optind);
	if (!r && ranges_normalise(&arguments->sources.host))
		return out_of_memory();
	return r;
}

static void refuse(struct diag *diag, const struct place *place, const char *what)
{
	diag_error(diag, place, NULL, "%s is not built in this version: simulate has no answer", what);
}

/*
 * What would make answers wrong, as this version cannot decide it. A limit takes nothing from a single packet, and staged
 * rules decide nothing: those are answered.
 */
static void refuse_unbuilt(const struct policy *policy, bool stateful, struct diag *diag)
{
	for (size_t i = 0; i < policy->rules.count; i++) {
		const struct rule *rule = &policy->rules.v[i];

		if (rule->tls_require)
			refuse(diag, &rule->place, "tls");
		if (rule->expires)
			refuse(diag, &rule->place, "until");
		if (rule->limit.set && stateful)
			refuse(diag, &rule->place, "limit with --stateful");
	}
}

static int compile(struct arguments *arguments, struct diag *diag, struct tables **ret_tables)
{
	const struct compile_options compile = { 0 };
	_cleanup_(policy_freep) struct policy *policy = NULL;
	int r = policy_read(arguments->sources.files, arguments->sources.file_count, diag, &policy);

	if (!r) {
		refuse_unbuilt(policy, arguments->stateful, diag);
		r = diag_errors(diag) ? -EINVAL : 0;
	}
	if (!r)
		r = policy_resolve(policy, arguments->sources.has_host ? &arguments->sources.host : NULL);
	if (!r)
		r = compile_policy(policy, &compile, diag, ret_tables);
	return r;
}

static int load(const struct globals *globals, struct arguments *arguments, struct tables **ret_tables)
{
	_cleanup_(diag_freep) struct diag *diag = diag_new();
	int r;

	if (!diag)
		return out_of_memory();
	r = compile(arguments, diag, ret_tables);
	diag_print(diag, stderr, globals->colour && isatty(STDERR_FILENO));
	if (r == -ENOMEM)
		return out_of_memory();
	return r ? EXIT_POLICY : 0;
}

struct simulation {
	const struct tables *tables;
	enum zw_hook hook;
	struct decider *decider; /* this or the other */
	struct testrun *testrun;
	struct input_parser *parser;
	struct conversations *conversations;
	double time; /* of the line before */
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

/* Reasons that say which rule decided; for all others section 11 says null. */
static bool shows_rule(enum zw_reason reason)
{
	const uint32_t shown = 1u << ZW_ALLOW_RULE | 1u << ZW_DROP_RULE | 1u << ZW_ALLOW_FAILSAFE |
			       1u << ZW_DROP_LIMIT | 1u << ZW_DROP_PLAINTEXT | 1u << ZW_ALLOW_FLOW |
			       1u << ZW_ALLOW_RELATED | 1u << ZW_ALLOW_FRAGMENT | 1u << ZW_DROP_REVOKED;

	return shown >> reason & 1;
}

/* A fixed template: ids and names hold no character that JSON would escape (design section 4.5). */
static void put_decision(const struct names *names, const struct decision *decision)
{
	const struct rule_name *rule =
		shows_rule(decision->reason) ? names_rule(names, decision->rule) : NULL;

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

static int decide(struct simulation *simulation, const struct frame *frame, struct decision *ret_decision)
{
	if (simulation->testrun)
		return testrun_decide(simulation->testrun, frame, ret_decision);
	decider_decide(simulation->decider, frame, ret_decision);
	return 0;
}

/* Prints the answer. 0, or -errno after which there is no going on. */
static int answer(struct simulation *simulation, struct input *input)
{
	struct frame frame = { .data = input->bytes, .len = input->len, .hook = hook_of(simulation, input) };
	struct decision decision;
	int r;

	/* An interface that no entry matches has no `source:`; nor has a packet of which no interface is told. */
	if (*input->interface)
		frame.source_set = names_source_set(simulation->tables->names, input->interface);
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
	r = decide(simulation, &frame, &decision);
	if (r == -EINVAL)
		put_error(simulation, "the kernel's test run does not take this frame");
	else if (!r)
		put_decision(simulation->tables->names, &decision);
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

static int simulate(const struct arguments *arguments, const struct tables *tables)
{
	_cleanup_(decider_freep) struct decider *decider = NULL;
	_cleanup_(testrun_freep) struct testrun *testrun = NULL;
	_cleanup_(input_parser_freep) struct input_parser *parser = NULL;
	_cleanup_(conversations_freep) struct conversations *conversations = NULL;
	_cleanup_free_ struct simulation *simulation = calloc(1, sizeof(*simulation));
	const struct testrun_options kernel = { .stateful = arguments->stateful };
	int r = simulation ? 0 : -ENOMEM;

	if (!r && arguments->kernel) {
		r = testrun_new(tables, &kernel, &testrun);
		if (r)
			return edge_exit_status(r); /* it said what is wrong */
	} else if (!r) {
		r = decider_new(tables->bytes, &tables->layout, arguments->stateful, &decider);
	}
	if (!r)
		r = input_parser_new(&parser);
	if (!r)
		r = conversations_new(arguments->stateful, &conversations);
	if (r)
		return out_of_memory();
	*simulation = (struct simulation){
		.tables = tables,
		.hook = arguments->hook,
		.decider = decider,
		.testrun = testrun,
		.parser = parser,
		.conversations = conversations,
	};
	r = all_lines(simulation);
	if (r)
		fprintf(stderr, "zonewall simulate: cannot go on: %s\n", strerror(-r));
	return r || simulation->failed ? EXIT_FAILED : EXIT_DONE;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	_cleanup_(tables_freep) struct tables *tables = NULL;
	struct arguments arguments = { .hook = ZW_HOOK_XDP, .sources.command = "simulate" };
	int status = read_arguments(argc, argv, &arguments);

	if (!status)
		status = load(globals, &arguments, &tables);
	if (!status)
		status = simulate(&arguments, tables);
	sources_clear(&arguments.sources);
	return status;
}

const struct command cmd_simulate = {
	.name = "simulate",
	.arguments = "FILE...",
	.summary = "decide packets given as JSON lines, one answer a line",
	.options = options,
	.run = run,
};
