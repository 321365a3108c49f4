// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options: the global ones and a command's own, read in one pass of getopt_long so that they may stand in any order,
 * be clustered (-fo json) and abbreviated.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"

/* Above all values a command gives to its own long options. */
enum { GLOBAL_INSTANCE = 1 << 20, GLOBAL_NO_COLOUR, GLOBAL_VERSION };

const struct option_help command_global_options[] = {
	{ { "output", required_argument, NULL, 'o' }, "json|text", "how to print the result (default: text)" },
	{ { "instance", required_argument, NULL, GLOBAL_INSTANCE }, "NAME",
	  "which firewall of this machine (default: $ZONEWALL_INSTANCE, else \"default\")" },
	{ { "no-colour", no_argument, NULL, GLOBAL_NO_COLOUR }, NULL, "no colours on a terminal" },
	{ { "help", no_argument, NULL, 'h' }, NULL, "help, of the command if one is named" },
	{ { "version", no_argument, NULL, GLOBAL_VERSION }, NULL, "print the version" },
	{ { "no-color", no_argument, NULL, GLOBAL_NO_COLOUR }, NULL, NULL },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

/* What getopt_long wants: the options of a command, if any, and the global ones unless it is their second reading. */
struct getopt_tables {
	struct option *options;
	char letters[256];
};

static size_t count_options(const struct option_help *help)
{
	size_t count = 0;

	while (help && help[count].option.name)
		count++;
	return count;
}

static void add_options(struct getopt_tables *tables, size_t *count, const struct option_help *help)
{
	char *end = tables->letters + strlen(tables->letters);

	for (; help && help->option.name; help++) {
		int letter = help->option.val;

		tables->options[(*count)++] = help->option;
		if (letter > 255 || !isalnum(letter) || strchr(tables->letters, letter) ||
		    end + 4 > tables->letters + sizeof(tables->letters))
			continue;
		*end++ = letter;
		for (int colons = 0; colons < help->option.has_arg; colons++)
			*end++ = ':';
		*end = '\0';
	}
}

/* mode is the head of the option string: ":" permutes and tells a missing argument, "+:" stops at the first argument. */
static int make_tables(const struct option_help *own, const struct option_help *global, const char *mode,
		       struct getopt_tables *ret_tables)
{
	struct getopt_tables tables = { 0 };
	size_t count = 0;

	tables.options = calloc(count_options(own) + count_options(global) + 1, sizeof(*tables.options));
	if (!tables.options)
		return -ENOMEM;
	strcpy(tables.letters, mode);
	add_options(&tables, &count, global);
	add_options(&tables, &count, own);
	*ret_tables = tables;
	return 0;
}

static const char *name_of(const struct option *options, int val)
{
	for (; options->name; options++)
		if (options->val == val)
			return options->name;
	return "";
}

/* getopt_long returned `got` ('?' or ':') for the word argv[optind - 1], or for the letter optopt in it. */
static void report(const struct command *command, const struct option *options, int got, char **argv)
{
	const char *word = argv[optind - 1];
	bool is_long = !strncmp(word, "--", 2);

	fprintf(stderr, "zonewall%s%s: ", command ? " " : "", command ? command->name : "");
	if (got == ':')
		fprintf(stderr, "option '--%s' needs a value\n", name_of(options, optopt));
	else if (optopt && is_long)
		fprintf(stderr, "option '--%s' takes no value\n", name_of(options, optopt));
	else if (optopt && isprint(optopt))
		fprintf(stderr, "unknown option '-%c'\n", optopt);
	else
		fprintf(stderr, "unknown or ambiguous option '%s'\n", word);
	fprintf(stderr, "fix: see 'zonewall help%s%s'\n", command ? " " : "", command ? command->name : "");
}

int command_getopt(const struct command *command, int argc, char **argv)
{
	/* getopt keeps a pointer into argv only; the tables are made again for each call, which is short. */
	struct getopt_tables tables;
	int got;

	if (make_tables(command->options, NULL, ":", &tables)) {
		fprintf(stderr, "zonewall: out of memory\n");
		return '?';
	}
	opterr = 0;
	got = getopt_long(argc, argv, tables.letters, tables.options, NULL);
	if (got == '?' || got == ':') {
		report(command, tables.options, got, argv);
		got = '?';
	}
	free(tables.options);
	return got;
}

bool command_instance_is_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return isalnum((unsigned char)name[0]) && !name[len] && len <= 63;
}

/* Returns 0, what command_line returns, or 1 if the option is not a global one. */
static int take_global(int option, struct globals *globals)
{
	switch (option) {
	case 'o':
		globals->format = optarg; /* which the command may not know: check_format */
		globals->json = !strcmp(optarg, "json");
		return 0;
	case GLOBAL_INSTANCE:
		if (!command_instance_is_valid(optarg)) {
			fprintf(stderr, "zonewall: '%s' is not an instance name\n"
					"fix: a letter or digit, then up to 62 letters, digits, '_', '.' and '-'\n",
				optarg);
			return '?';
		}
		globals->instance = optarg;
		return 0;
	case GLOBAL_NO_COLOUR:
		globals->colour = false;
		return 0;
	case 'h':
		return 'h';
	case GLOBAL_VERSION:
		return 'V';
	default:
		return 1;
	}
}

static bool knows_format(const struct command *command, const char *format)
{
	if (!strcmp(format, "text") || !strcmp(format, "json"))
		return true;
	for (const char *const *own = command->formats; own && *own; own++)
		if (!strcmp(*own, format))
			return true;
	return false;
}

/* Returns 0, or '?' after having printed what is wrong. */
static int check_format(const struct command *command, const char *format)
{
	if (knows_format(command, format))
		return 0;
	fprintf(stderr, "zonewall: cannot print '%s'\nfix: -o json", format);
	for (const char *const *own = command->formats; own && *own; own++)
		fprintf(stderr, ", -o %s", *own);
	fprintf(stderr, " or -o text\n");
	return '?';
}

/* The words of the rewritten command line; strings stand behind the pointers in one block. */
struct words {
	char **v;
	int count;
	char *text;
};

static int words_new(int argc, char **argv, const struct option_help *own, struct words *ret_words)
{
	size_t longest = 0, bytes = sizeof("--") + 1, slots = 2 * (size_t)argc + 3;

	for (; own && own->option.name; own++)
		if (strlen(own->option.name) > longest)
			longest = strlen(own->option.name);
	/* Each letter of a cluster can become one "--name=", each word's text is used once. */
	for (int i = 0; i < argc; i++) {
		slots += strlen(argv[i]);
		bytes += (strlen(argv[i]) + 1) * (longest + sizeof("--=") + 1);
	}
	ret_words->v = calloc(1, slots * sizeof(char *) + bytes);
	if (!ret_words->v)
		return -ENOMEM;
	ret_words->text = (char *)(ret_words->v + slots);
	ret_words->count = 0;
	return 0;
}

static void words_add(struct words *words, const char *dashes, const char *name, const char *value)
{
	int len = sprintf(words->text, "%s%s%s%s", dashes, name, value ? "=" : "", value ? value : "");

	words->v[words->count++] = words->text;
	words->text += len + 1;
}

static int read_line(const struct command *command, int argc, char **argv, const struct getopt_tables *tables,
		     struct globals *globals, struct words *words)
{
	int got;

	while ((got = getopt_long(argc, argv, tables->letters, tables->options, NULL)) != -1) {
		int taken;

		if (got == '?' || got == ':') {
			report(command, tables->options, got, argv);
			return '?';
		}
		taken = take_global(got, globals);
		if (taken == 1)
			words_add(words, "--", name_of(tables->options, got), optarg);
		else if (taken)
			return taken;
	}
	return 0;
}

int command_line(const struct command *command, int argc, char **argv, struct globals *globals, int *ret_argc,
		 char ***ret_argv)
{
	const struct option_help *own = command ? command->options : NULL;
	struct getopt_tables tables = { 0 };
	struct words words;
	int got;

	if (make_tables(own, command_global_options, command ? ":" : "+:", &tables))
		return -ENOMEM;
	if (words_new(argc, argv, own, &words)) {
		free(tables.options);
		return -ENOMEM;
	}
	words_add(&words, "", argv[0], NULL);
	opterr = 0;
	optind = 0; /* glibc: begin anew, which also forgets the place within a cluster */
	got = read_line(command, argc, argv, &tables, globals, &words);
	free(tables.options);
	if (!got && command)
		got = check_format(command, globals->format);
	if (got || !command) {
		free(words.v);
		*ret_argc = optind;
		return got;
	}
	words_add(&words, "--", "", NULL);
	for (int i = optind; i < argc; i++)
		words_add(&words, "", argv[i], NULL);
	optind = 0; /* for command_getopt */
	*ret_argc = words.count;
	*ret_argv = words.v;
	return 0;
}

#define HELP_COLUMN 31
#define HELP_WIDTH 80

/* Columns of a terminal: every byte but those that go on with a character of UTF-8 (RFC 3629 3). */
static size_t columns(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += (text[i] & 0xc0) != 0x80;
	return count;
}

/* The text from HELP_COLUMN on, broken between words; `at` is the column where the cursor stands. */
static void print_help(FILE *out, const char *text, size_t at)
{
	if (at >= HELP_COLUMN) {
		fputc('\n', out);
		at = 0;
	}
	fprintf(out, "%*s", (int)(HELP_COLUMN - at), "");
	at = HELP_COLUMN;
	while (*text) {
		size_t len = strcspn(text, " "), width = columns(text, len);

		if (at > HELP_COLUMN && at + 1 + width > HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_COLUMN, "");
			at = HELP_COLUMN;
		} else if (at > HELP_COLUMN) {
			fputc(' ', out);
			at++;
		}
		fprintf(out, "%.*s", (int)len, text);
		at += width;
		text += len + strspn(text + len, " ");
	}
	fputc('\n', out);
}

static void help_options(const struct option_help *options, FILE *out)
{
	for (; options && options->option.name; options++) {
		const struct option *option = &options->option;
		char left[80], letter[8] = "    ";

		if (!options->help)
			continue;
		if (option->val < 256 && isalnum(option->val))
			snprintf(letter, sizeof(letter), "-%c, ", option->val);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name, options->argument ? " " : "",
			 options->argument ? options->argument : "");
		fprintf(out, "  %s", left);
		print_help(out, options->help, 2 + columns(left, strlen(left)));
	}
}

static void help_formats(const char *const *formats, FILE *out)
{
	for (; formats && *formats; formats++)
		fprintf(out, "  -o, --output %-15s the result as %s\n", *formats, *formats);
}

void command_help(const struct command *command, FILE *out)
{
	if (command) {
		fprintf(out, "usage: zonewall %s%s%s%s\n\n%s\n", command->name,
			command->options ? " [OPTION]..." : "", command->arguments && *command->arguments ? " " : "",
			command->arguments ? command->arguments : "", command->summary);
		if (command->options)
			fprintf(out, "\noptions:\n");
		help_options(command->options, out);
		help_formats(command->formats, out);
	} else {
		fprintf(out, "usage: zonewall COMMAND [OPTION]... [ARGUMENT]...\n\n"
			     "Decides which zones of addresses may talk to each other on this host.\n\ncommands:\n");
		for (const struct command *const *c = commands; *c; c++)
			fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
	}
	fprintf(out, "\noptions of every command:\n");
	help_options(command_global_options, out);
	if (!command)
		fprintf(out, "\n'zonewall help COMMAND' tells more of a command. The manual pages are\n"
			     "zonewall(1) and, for policies, zonewall.yaml(5).\n");
}

double command_duration(const char *text)
{
	static const struct { char letter; unsigned seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { '\0', 1 },
	};
	char *end;
	double number;

	if (*text < '0' || *text > '9' || strpbrk(text, "xXeE"))
		return -1;
	number = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*end == units[i].letter && (!*end || !end[1]))
			return number * units[i].seconds < 1e9 ? number * units[i].seconds : -1;
	return -1;
}
