// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands. A new one: its file beside this one, and a line in the table.
 */
#include <string.h>

#include "cmd/command.h"

const struct command *const commands[] = {
	&cmd_check,    &cmd_show,    &cmd_test, &cmd_explain, &cmd_diff,  &cmd_simulate, &cmd_promote, &cmd_apply,
	&cmd_confirm,  &cmd_rollback, &cmd_restore, &cmd_down, &cmd_run,  &cmd_block,    &cmd_unblock,
	&cmd_drops,    &cmd_flows,
	&cmd_rules,    &cmd_status,  &cmd_audit, &cmd_help,   &cmd_version, NULL,
};

/* Named by the language and the documents, built later: refused by name, so that nobody takes one for a spelling mistake. */
static const char *const planned[] = {
	"top", NULL,
};

const struct command *command_find(const char *name)
{
	for (const struct command *const *command = commands; *command; command++)
		if (!strcmp((*command)->name, name))
			return *command;
	return NULL;
}

static bool is_planned(const char *name)
{
	for (const char *const *word = planned; *word; word++)
		if (!strcmp(*word, name))
			return true;
	return false;
}

#define NAME_MAX_LEN 16

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

/* Levenshtein distance of two short words, one row at a time. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_LEN + 1];
	size_t len_b = strlen(b);

	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len_b; j++) {
			unsigned above = row[j + 1];

			row[j + 1] = min3(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[len_b];
}

static const char *near_name(const char *name)
{
	const char *best = NULL;
	unsigned best_distance = 3;

	if (strlen(name) > NAME_MAX_LEN)
		return NULL;
	for (const struct command *const *command = commands; *command; command++) {
		unsigned d = distance(name, (*command)->name);

		if (d < best_distance && d < strlen((*command)->name)) {
			best = (*command)->name;
			best_distance = d;
		}
	}
	return best;
}

int command_unknown(const char *name)
{
	const char *near;

	if (is_planned(name)) {
		fprintf(stderr, "zonewall: '%s' is not built in this version\n", name);
		return EXIT_UNSUPPORTED;
	}
	near = near_name(name);
	fprintf(stderr, "zonewall: there is no command '%s'\n", name);
	if (near)
		fprintf(stderr, "fix: did you mean '%s'?\n", near);
	else
		fprintf(stderr, "fix: 'zonewall help' lists the commands\n");
	return EXIT_USAGE;
}
