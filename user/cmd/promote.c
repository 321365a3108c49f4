// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall promote: staged rules become enforced ones, in the file in which they stand. Nothing is written unless the files then
 * mean what they meant, but for that.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/util.h"
#include "cmd/differences.h"
#include "cmd/sources.h"
#include "cmd/view.h"
#include "policy/canonical.h"
#include "policy/near.h"
#include "policy/unstage.h"

#define PROMOTE_SCHEMA "zonewall.promote/1"

enum { OPTION_HOST = 256, OPTION_DRY_RUN };

static const struct option_help options[] = {
	{ { "dry-run", no_argument, NULL, OPTION_DRY_RUN }, NULL, "show it, but write nothing" },
	{ { "host", required_argument, NULL, OPTION_HOST },
	  "ADDR,...",
	  "the addresses of the host that the policy is for (default: not known)" },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

/* A file as it is, and as it will be. */
struct edited {
	const char *path; /* the diagnostics' */
	struct file_text old;
	const char *text; /* of the last change in it */
	size_t len;
};

struct promoted {
	struct rule *rule; /* the differences' */
	const char *path;
	struct unstaged change;
};

struct work {
	const struct globals *globals;
	struct sources sources;
	bool dry_run;
	char **ids; /* borrowed */
	size_t count;
	struct files *files;
	struct promoted *rules; /* count */
	struct edited *edited; /* at most count */
	size_t edited_count;
	struct differences differences; /* between the files as they are and as they will be */
};

static void clear_work(struct work *work)
{
	for (size_t i = 0; work->rules && i < work->count; i++)
		unstaged_clear(&work->rules[i].change);
	for (size_t i = 0; i < work->edited_count; i++)
		free(work->edited[i].old.text);
	free(work->rules);
	free(work->edited);
	differences_clear(&work->differences);
	files_free(work->files);
	sources_clear(&work->sources);
}

static int out_of_memory(void)
{
	fprintf(stderr, "zonewall promote: out of memory\n");
	return EXIT_FAILED;
}

static struct policy *policy_of(const struct work *work, enum diff_side side)
{
	return work->differences.sides[side].policy;
}

/* --- Arguments -------------------------------------------------------------------------------------------------------- */

/* An id has no slash; one that is a file's name here, too, has to come first. */
static bool is_file(const char *word)
{
	struct stat st;

	return strchr(word, '/') || (!stat(word, &st) && S_ISREG(st.st_mode));
}

static int read_arguments(struct work *work, int argc, char **argv)
{
	int option, status;

	while ((option = command_getopt(&cmd_promote, argc, argv)) != -1) {
		status = option == OPTION_HOST ? sources_read_hosts(&work->sources, optarg) : EXIT_DONE;
		work->dry_run |= option == OPTION_DRY_RUN;
		if (status || (option != OPTION_HOST && option != OPTION_DRY_RUN))
			return status ? status : EXIT_USAGE;
	}
	work->ids = argv + optind;
	while (optind < argc && (!work->count || !is_file(argv[optind]))) {
		work->count++;
		optind++;
	}
	if (!work->count) {
		fprintf(stderr, "zonewall promote: the id of a staged rule is needed, before the files\n"
				"fix: zonewall promote RULE... FILE...\n");
		return EXIT_USAGE;
	}
	status = sources_read_words(&work->sources, argc - optind, argv + optind);
	return !status && ranges_normalise(&work->sources.host) ? out_of_memory() : status;
}

/* --- The policy before and after -------------------------------------------------------------------------------------- */

static int compile(const struct work *work, struct differing *side)
{
	const struct compile_options compile = { 0 };
	int err = policy_read_from(work->files, work->sources.files, work->sources.file_count, NULL, side->diag, &side->policy);

	if (!err)
		err = policy_resolve(side->policy, work->sources.has_host ? &work->sources.host : NULL);
	if (!err)
		err = compile_policy(side->policy, &compile, side->diag, &side->compiled);
	side->tables = side->compiled;
	return err;
}

/* The mistakes of the files are told; those that the change would make are one, and not the files'. */
static int read_side(struct work *work, enum diff_side which)
{
	struct differing *side = &work->differences.sides[which];
	int err;

	side->word = which == DIFF_OLD ? "as it is" : "promoted";
	side->diag = diag_new();
	if (!side->diag)
		return out_of_memory();
	err = compile(work, side);
	if (err == -ENOMEM)
		return out_of_memory();
	if (which == DIFF_OLD)
		diag_print(side->diag, stderr, work->globals->colour && isatty(STDERR_FILENO));
	return err ? EXIT_POLICY : EXIT_DONE;
}

/* --- The rules --------------------------------------------------------------------------------------------------------- */

static int unknown_rule(const struct policy *policy, const char *id)
{
	struct near near = near_begin(id);

	for (size_t i = 0; i < policy->rules.count; i++)
		if (policy->rules.v[i].mode == MODE_STAGE)
			near_try(&near, policy->rules.v[i].id, i);
	fprintf(stderr, "zonewall promote: there is no rule '%s'\n", id);
	if (near_found(&near))
		fprintf(stderr, "fix: did you mean '%s'?\n", policy->rules.v[near.best].id);
	return EXIT_USAGE;
}

static int find_rule(const struct work *work, const char *id, struct rule **ret_rule)
{
	const struct policy *policy = policy_of(work, DIFF_OLD);

	for (size_t i = 0; i < policy->rules.count; i++) {
		struct rule *rule = &policy->rules.v[i];

		if (strcmp(rule->id, id))
			continue;
		*ret_rule = rule;
		if (rule->mode == MODE_STAGE)
			return EXIT_DONE;
		fprintf(stderr, "zonewall promote: rule '%s' is not staged: it is enforced already\n", id);
		return EXIT_FAILED;
	}
	return unknown_rule(policy, id);
}

static struct edited *find_edited(struct work *work, const char *path)
{
	for (size_t i = 0; i < work->edited_count; i++)
		if (!strcmp(work->edited[i].path, path))
			return &work->edited[i];
	return NULL;
}

/* The file's text; it is the same as was read, or changed since, which is seen before it is written. */
static struct edited *open_edited(struct work *work, const char *path)
{
	struct edited *edited = find_edited(work, path);

	if (edited)
		return edited;
	edited = &work->edited[work->edited_count];
	*edited = (struct edited){ .path = path };
	if (files_read(work->files, path, SIZE_MAX, &edited->old))
		return NULL;
	edited->text = edited->old.text;
	edited->len = edited->old.len;
	work->edited_count++;
	return edited;
}

static int by_hand(const struct promoted *promoted, const char *why)
{
	fprintf(stderr,
		"zonewall promote: '%s' (%s:%u): %s; nothing was written\nfix: take 'mode: stage' out by hand\n",
		promoted->rule->id, promoted->path, promoted->rule->place.line, why);
	return EXIT_FAILED;
}

static int change_file(struct work *work, struct promoted *promoted)
{
	struct edited *edited = open_edited(work, promoted->path);
	int err = edited ? unstage(edited->text, edited->len, promoted->rule->id, &promoted->change) : -ENOENT;

	if (err == -ENOMEM)
		return out_of_memory();
	if (err)
		return by_hand(promoted, "the file is not what it was a moment ago");
	edited->text = promoted->change.text;
	edited->len = promoted->change.len;
	return EXIT_DONE;
}

static bool is_twice(const struct work *work, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (!strcmp(work->ids[i], work->ids[index]))
			return true;
	return false;
}

/* All are looked for before any is changed, so that each mistake is told. */
static int find_rules(struct work *work)
{
	size_t kept = 0;
	int status = EXIT_DONE;

	work->rules = array_new(work->count, sizeof(*work->rules));
	work->edited = array_new(work->count, sizeof(*work->edited));
	if (!work->rules || !work->edited)
		return out_of_memory();
	for (size_t i = 0; i < work->count; i++) {
		struct promoted *promoted = &work->rules[kept];
		int one = is_twice(work, i) ? EXIT_DONE : find_rule(work, work->ids[i], &promoted->rule);

		status = status ? status : one;
		if (one || is_twice(work, i))
			continue;
		promoted->path = diag_file_name(work->differences.sides[DIFF_OLD].diag, promoted->rule->place.file);
		kept++;
	}
	work->count = kept;
	return status;
}

static int change_files(struct work *work)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < work->count && !status; i++)
		status = change_file(work, &work->rules[i]);
	for (size_t i = 0; i < work->edited_count && !status; i++)
		if (files_edit(work->files, work->edited[i].path, work->edited[i].text, work->edited[i].len))
			status = out_of_memory();
	return status;
}

/* --- The same but for that ------------------------------------------------------------------------------------------------ */

static void set_mode(const struct work *work, enum rule_mode mode)
{
	for (size_t i = 0; i < work->count; i++)
		work->rules[i].rule->mode = mode;
}

/* As one text: everything that a policy says. NULL: out of memory. */
static char *text_of(const struct policy *policy)
{
	struct json_object *object = policy_canonical(policy);
	const char *text = object ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN) : NULL;
	char *copy = text ? strdup(text) : NULL;

	json_object_put(object);
	return copy;
}

static int check_same(struct work *work)
{
	_cleanup_free_ char *want = NULL, *got = NULL;
	int status = read_side(work, DIFF_NEW);

	if (status == EXIT_POLICY)
		return by_hand(&work->rules[0], "without the key the files are no policy any more");
	if (status)
		return status;
	set_mode(work, MODE_ENFORCE);
	want = text_of(policy_of(work, DIFF_OLD));
	set_mode(work, MODE_STAGE);
	got = text_of(policy_of(work, DIFF_NEW));
	if (!want || !got)
		return out_of_memory();
	return strcmp(want, got) ? by_hand(&work->rules[0], "without the key the files mean something else, too") : EXIT_DONE;
}

static int compare(struct work *work)
{
	work->differences.since = sources_time(&work->sources);
	work->differences.host_known = work->sources.has_host;
	return differences_find(&work->differences) ? out_of_memory() : EXIT_DONE;
}

/* --- Writing ---------------------------------------------------------------------------------------------------------- */

static int write_file(const struct edited *edited)
{
	int err = file_replace(edited->path, edited->old.text, edited->old.len, edited->text, edited->len);

	if (!err)
		return EXIT_DONE;
	fprintf(stderr, "zonewall promote: cannot write %s: %s\n", edited->path,
		err == -ESTALE ? "someone has changed it meanwhile" : strerror(-err));
	return err == -EPERM || err == -EACCES ? EXIT_PERMISSION : EXIT_FAILED;
}

static int write_files(const struct work *work)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < work->edited_count && !status && !work->dry_run; i++)
		status = write_file(&work->edited[i]);
	return status;
}

/* --- What is told ------------------------------------------------------------------------------------------------------- */

static void put_lines(struct buffer *text, const char *mark, const char *lines)
{
	for (size_t len; *lines; lines += len + (lines[len] == '\n')) {
		_cleanup_free_ char *line = NULL;

		len = strcspn(lines, "\n");
		line = strndup(lines, len);
		buffer_put(text, mark);
		buffer_plain(text, line ? line : "");
		buffer_put(text, "\n");
	}
}

static int print_changes(const struct work *work)
{
	struct buffer text = { 0 };
	int status = EXIT_DONE;

	for (size_t i = 0; i < work->count; i++) {
		const struct promoted *promoted = &work->rules[i];

		buffer_plain(&text, promoted->path);
		buffer_printf(&text, ":%u: %s\n", promoted->rule->place.line, promoted->rule->id);
		put_lines(&text, "- ", promoted->change.before);
		put_lines(&text, "+ ", promoted->change.after);
		buffer_put(&text, "\n");
	}
	if (text.failed)
		status = out_of_memory();
	else
		fputs(text.data, stdout);
	buffer_free(&text);
	return status;
}

static int print(const struct work *work)
{
	int status = print_changes(work);

	if (!status && differences_print(&work->differences, work->globals->colour))
		status = out_of_memory();
	if (status)
		return status;
	printf("\n%s; it is not applied: zonewall apply", work->dry_run ? "nothing was written (--dry-run)" : "written");
	for (size_t i = 0; i < work->sources.file_count; i++)
		printf(" %s", work->sources.files[i]);
	putchar('\n');
	return EXIT_DONE;
}

static struct json_object *json_rule(const struct promoted *promoted)
{
	struct json_object *object = json_object_new_object();
	struct buffer place = { 0 };

	buffer_printf(&place, "%s:%u", promoted->path, promoted->rule->place.line);
	json_object_object_add(object, "id", json_object_new_string(promoted->rule->id));
	json_object_object_add(object, "place", json_object_new_string(place.failed ? "" : place.data));
	json_object_object_add(object, "before", json_object_new_string(promoted->change.before));
	json_object_object_add(object, "after", json_object_new_string(promoted->change.after));
	buffer_free(&place);
	return object;
}

static int print_json(const struct work *work)
{
	struct json_object *root = json_object_new_object(), *rules = json_object_new_array();

	for (size_t i = 0; i < work->count; i++)
		json_object_array_add(rules, json_rule(&work->rules[i]));
	json_object_object_add(root, "schema", json_object_new_string(PROMOTE_SCHEMA));
	json_object_object_add(root, "written", json_object_new_boolean(!work->dry_run));
	json_object_object_add(root, "rules", rules);
	json_object_object_add(root, "diff", differences_json(&work->differences));
	view_json(root);
	json_object_put(root);
	return EXIT_DONE;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	_cleanup_(clear_work) struct work work = { .globals = globals, .sources.command = "promote" };
	int status = read_arguments(&work, argc, argv);

	if (!status && !(work.files = files_new()))
		return out_of_memory();
	if (!status)
		status = read_side(&work, DIFF_OLD);
	if (!status)
		status = find_rules(&work);
	if (!status)
		status = change_files(&work);
	if (!status)
		status = check_same(&work);
	if (!status)
		status = compare(&work);
	if (!status)
		status = write_files(&work);
	if (status)
		return status;
	return globals->json ? print_json(&work) : print(&work);
}

const struct command cmd_promote = {
	.name = "promote",
	.arguments = "RULE... FILE...",
	.summary = "take 'mode: stage' out of rules, in their files",
	.options = options,
	.run = run,
};
