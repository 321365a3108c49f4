/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `diff` found, and the words that its text and its JSON share.
 */
#ifndef ZW_DIFFERENCES_H
#define ZW_DIFFERENCES_H

#include "cmd/command.h"
#include "cmd/running.h"
#include "simulate/diff.h"

/* One of the two that are compared. */
struct differing {
	const char *word; /* as given */
	char **files; /* of a policy: the file, or those of the directory */
	size_t file_count;
	struct policy *policy;
	const struct tables *tables; /* compiled, or of what runs */
	struct tables *compiled;
	struct diag *diag;
	struct running running; /* of files: empty */
};

struct differences {
	struct differing sides[DIFF_SIDES];
	bool host_known;
	const struct rule
		*host_rule; /* with the host not known, the first rule that names it or world; NULL: none */
	const struct diag *host_diag; /* knows the rule's file */
	struct diff diff;
};

/* diff_text.c, diff_json.c: to stdout. 0 or -ENOMEM. */
int differences_print(const struct differences *differences, bool colour);
int differences_print_json(const struct differences *differences);

#endif
