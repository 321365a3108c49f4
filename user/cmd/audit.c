// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall audit: rules that do nothing, more than was meant, or nobody's, and zones that nothing reaches, as a report.
 */
#include <json-c/json.h>
#include <time.h>

#include "base/files.h"
#include "base/util.h"
#include "cmd/audited.h"
#include "cmd/running.h"
#include "cmd/sources.h"
#include "cmd/view.h"
#include "watch/report.h"

#define DAY_S 86400

enum { OPTION_HOST = 256, OPTION_WIDE, OPTION_SOON, OPTION_USAGE, OPTION_RUNNING, OPTION_FAIL };

static const struct option_help options[] = {
	{ { "wide", required_argument, NULL, OPTION_WIDE }, "LEN,LEN6", "networks of this length are wide, and wider ones (default: 8,32)" },
	{ { "soon", required_argument, NULL, OPTION_SOON }, "DAYS", "a rule that ends within them ends soon (default: 30)" },
	{ { "fail", required_argument, NULL, OPTION_FAIL }, "KIND,...", "exit status 1 if there is one of these findings; all: any" },
	{ { "host", required_argument, NULL, OPTION_HOST }, "ADDR,...", "the addresses of the host the policy is for (default: not known)" },
	{ { "usage", no_argument, NULL, OPTION_USAGE }, NULL, "the files are what is applied here: look at its counters, as 'zonewall rules' does" },
	{ { "running", no_argument, NULL, OPTION_RUNNING }, NULL, "the policy that is applied here, with its counters; no files (root)" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

extern const struct command cmd_audit;
const unsigned audit_wide_default[2] = { 8, 32 };

struct work {
	struct sources sources;
	struct running running;
	bool is_running, wants_usage;
	unsigned fail; /* kinds, as bits */
	struct audit_use *use;
	struct audited audited;
};

static void clear_work(struct work *work)
{
	left_clear(&work->audited.left);
	audit_clear(&work->audited.audit);
	tables_free(work->audited.tables);
	policy_free(work->audited.policy);
	diag_free(work->audited.diag);
	json_object_put(work->audited.rules);
	free(work->use);
	sources_clear(&work->sources);
	running_close(&work->running);
}

static int out_of_memory(void)
{
	fprintf(stderr, "zonewall audit: out of memory\n");
	return EXIT_FAILED;
}

/* --- Arguments ---------------------------------------------------------------------------------------------------- */

static int read_soon(struct work *work, const char *text)
{
	char *end;
	unsigned long days = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || days > 36500) {
		fprintf(stderr, "zonewall audit: --soon: not a number of days: '%s'\nfix: --soon 30\n", text);
		return EXIT_USAGE;
	}
	work->audited.options.soon = work->audited.options.now + (int64_t)days * DAY_S;
	return EXIT_DONE;
}

static int read_fail(struct work *work, char *text)
{
	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		int kind = audit_kind_find(word);

		if (!strcmp(word, "all")) {
			work->fail |= AUDIT_ALL;
		} else if (kind >= 0) {
			work->fail |= 1u << kind;
		} else {
			fprintf(stderr, "zonewall audit: --fail: there is no finding '%s'\nfix: all", word);
			for (int i = 0; i < AUDIT_KINDS; i++)
				fprintf(stderr, ", %s", audit_kind_name(i));
			fprintf(stderr, "\n");
			return EXIT_USAGE;
		}
	}
	return EXIT_DONE;
}

static int read_option(struct work *work, int option)
{
	switch (option) {
	case OPTION_HOST:
		return sources_read_hosts(&work->sources, optarg);
	case OPTION_WIDE:
		return audit_read_wide("audit", optarg, work->audited.options.wide);
	case OPTION_SOON:
		return read_soon(work, optarg);
	case OPTION_FAIL:
		return read_fail(work, optarg);
	case OPTION_USAGE:
		work->wants_usage = true;
		return EXIT_DONE;
	case OPTION_RUNNING:
		work->is_running = work->wants_usage = true;
		return EXIT_DONE;
	default:
		return EXIT_USAGE;
	}
}

static int read_arguments(struct work *work, int argc, char **argv)
{
	int option, status;

	while ((option = command_getopt(&cmd_audit, argc, argv)) != -1) {
		status = read_option(work, option);
		if (status)
			return status;
	}
	if (!work->is_running)
		return sources_read_words(&work->sources, argc - optind, argv + optind);
	if (!work->sources.has_host && argc == optind)
		return EXIT_DONE;
	fprintf(stderr, "zonewall audit: --running takes neither files nor --host: it is about this host, and what is applied here\n"
			"fix: leave out --running, or the rest\n");
	return EXIT_USAGE;
}

/* --- Work ------------------------------------------------------------------------------------------------------------ */

static int read_policy(struct work *work)
{
	const struct compile_options compile = { .analyse = true };
	struct audited *x = &work->audited;
	const struct ranges *host = work->is_running ? &work->running.host : &work->sources.host;
	size_t count = work->sources.file_count;
	const char *const *paths = work->is_running ? files_named(work->running.files, &count) : work->sources.files;
	int err;

	x->diag = diag_new();
	if (!x->diag || ranges_normalise(&work->sources.host))
		return -ENOMEM;
	err = policy_read_from(work->running.files, paths, count, NULL, x->diag, &x->policy);
	if (!err)
		err = policy_resolve(x->policy, work->is_running || work->sources.has_host ? host : NULL);
	return err ? err : compile_policy(x->policy, &compile, x->diag, &x->tables);
}

static struct json_object *make_rules(const struct instance *instance, const char *name)
{
	(void)name;
	return report_rules(instance);
}

static int compare_use(const void *x, const void *y)
{
	return strcmp(((const struct audit_use *)x)->id, ((const struct audit_use *)y)->id);
}

/* What the generation that decides has counted, by id. */
static int take_usage(struct work *work)
{
	struct json_object *rules = view_get(work->audited.rules, "rules");
	size_t count = json_object_array_length(rules);
	struct audit_options *o = &work->audited.options;

	work->use = array_new(count, sizeof(*work->use));
	if (!work->use)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct json_object *rule = json_object_array_get_idx(rules, i);

		if (!strcmp(view_string(rule, "kind"), "rule"))
			work->use[o->use_count++] = (struct audit_use){ view_string(rule, "id"), view_number(rule, "packets") };
	}
	if (o->use_count)
		qsort(work->use, o->use_count, sizeof(*work->use), compare_use);
	o->use = work->use;
	o->has_usage = true;
	return 0;
}

static int find(struct work *work)
{
	struct audited *x = &work->audited;
	int err = read_policy(work);

	if (!err && x->rules)
		err = take_usage(work);
	if (!err)
		err = audit_find(x->policy, x->tables, &x->options, &x->audit);
	return err ? err : left_find(x->policy, x->tables->analysis, &x->left);
}

/* A policy with errors has no findings; what is wrong goes to standard error, or into the object. */
static int print_errors(const struct globals *globals, const struct diag *diag)
{
	struct json_object *object;

	if (!globals->json) {
		diag_print(diag, stderr, globals->colour && isatty(STDERR_FILENO));
		return EXIT_POLICY;
	}
	object = json_object_new_object();
	json_object_object_add(object, "schema", json_object_new_string("zonewall.audit/1"));
	json_object_object_add(object, "diagnostics", diag_json(diag));
	view_json(object);
	json_object_put(object);
	return EXIT_POLICY;
}

static int finish(const struct globals *globals, const struct work *work)
{
	const struct audited *x = &work->audited;

	if (globals->json)
		audited_print_json(x);
	else if (audited_print(x))
		return out_of_memory();
	for (int kind = 0; kind < AUDIT_KINDS; kind++)
		if (work->fail >> kind & 1 && x->audit.of_kind[kind])
			return EXIT_FAILED;
	return EXIT_DONE;
}

bool audited_lacks_host(const struct audited *x)
{
	for (size_t i = 0; i < x->policy->rules.count && !x->policy->host_known; i++)
		if (zone_list_names_host(&x->policy->rules.v[i].from) || zone_list_names_host(&x->policy->rules.v[i].to))
			return true;
	return false;
}

size_t audited_zones(const struct audited *x)
{
	size_t count = 0;

	for (size_t i = 0; i < x->policy->zone_count; i++)
		count += x->policy->zones[i].kind == ZONE_DECLARED;
	return count;
}

/* A number up to `max`, and what stands behind it. */
static bool read_number(const char **text, unsigned max, unsigned *ret_number)
{
	char *end;
	unsigned long number = strtoul(*text, &end, 10);

	if (**text < '0' || **text > '9' || number > max)
		return false;
	*text = end;
	*ret_number = number;
	return true;
}

int audit_read_wide(const char *command, const char *text, unsigned wide[2])
{
	const char *at = text;
	bool good = read_number(&at, 32, &wide[0]);

	if (good && *at == ',') {
		at++;
		good = read_number(&at, 128, &wide[1]);
	}
	if (good && !*at)
		return EXIT_DONE;
	fprintf(stderr, "zonewall %s: --wide: not a prefix length: '%s'\nfix: a length for IPv4, or one for each family: --wide 16,48\n",
		command, text);
	return EXIT_USAGE;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	_cleanup_(clear_work) struct work work = { .sources.command = "audit" };
	struct audit_options *o = &work.audited.options;
	int status, err;

	o->kinds = AUDIT_ALL;
	o->now = time(NULL);
	o->soon = o->now + 30 * DAY_S;
	memcpy(o->wide, audit_wide_default, sizeof(o->wide));
	status = read_arguments(&work, argc, argv);
	if (!status && work.is_running)
		status = running_open(globals, &work.running);
	if (!status && work.wants_usage)
		status = view_report(globals, "rules", make_rules, &work.audited.rules);
	if (status)
		return status;
	err = find(&work);
	if (err == -EINVAL && diag_errors(work.audited.diag))
		return print_errors(globals, work.audited.diag);
	if (!err)
		return finish(globals, &work);
	if (err == -ENOMEM)
		return out_of_memory();
	fprintf(stderr, "zonewall audit: the tables cannot be read\n");
	return EXIT_FAILED;
}

const struct command cmd_audit = {
	.name = "audit",
	.arguments = "FILE...|--running",
	.summary = "report rules that do nothing, too much, or are nobody's",
	.options = options,
	.run = run,
};
