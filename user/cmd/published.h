/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands that publish have in common: from policy files to tables, and the report of what was done.
 */
#ifndef ZW_PUBLISHED_H
#define ZW_PUBLISHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/command.h"
#include "compile/tables.h"
#include "kernel/publish.h"

struct published_options {
	bool werror, colour;
	bool no_test; /* of tests, never and always nothing is run, with a warning */
	uint64_t budget_bytes; /* of the tables; 0: the default (compile/tables.h) */
};

/* What is published of a policy, and the policy. */
struct publication {
	struct policy *policy;
	struct diag *diag; /* knows its files */
	struct tables *tables;
	uint64_t flows; /* the policy's `flows:`, 0 auto */
	void *pack; /* its files (base/files.h) */
	size_t pack_len;
};
void publication_clear(struct publication *publication);

/*
 * Reads, resolves with this host's addresses, checks, compiles, and runs what the policy says of itself: tests, never,
 * always. Diagnostics and what does not hold go to standard error. Returns an exit status; on EXIT_DONE the publication
 * is the caller's.
 */
int published_compile(const char *const *paths, size_t count, const struct published_options *options,
		      struct publication *ret_publication);

/* Prints the report of `verb` ("apply", ...): a line or two and the attach points, or one JSON object. */
void published_print(const struct globals *globals, const char *verb, const struct publish_report *report,
		     const struct tables *tables);

/* A command that takes no arguments and changes what is published: calls `change`, and prints its report. */
int published_change(const struct globals *globals, const struct command *command,
		     int (*change)(const char *instance, struct publish_report *ret_report), int argc, char **argv);

/* Warns if no `zonewall run` answers: nobody reads events then, and nobody follows interfaces. */
void published_warn_alone(const char *instance);

#endif
