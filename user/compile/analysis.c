// SPDX-License-Identifier: GPL-2.0-only
#include "compile/analysis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void analysis_free(struct analysis *analysis)
{
	if (analysis)
		free(analysis->v);
	free(analysis);
}

static void append(char *text, const char *more)
{
	size_t len = strlen(text);

	snprintf(text + len, NAMED_TEXT_MAX - len, "%s", more);
}

/* "'a' (web.yaml:3)" */
static void append_rule(char *text, const struct rule *rule, const struct diag *diag)
{
	const char *file = rule->place.line ? diag_file_name(diag, rule->place.file) : NULL;
	size_t len = strlen(text);

	if (file)
		snprintf(text + len, NAMED_TEXT_MAX - len, "'%s' (%s:%u)", rule->id, file, rule->place.line);
	else
		snprintf(text + len, NAMED_TEXT_MAX - len, "'%s'", rule->id);
}

void named_print(const struct named *named, const struct diag *diag, char *text)
{
	const char *last[3];
	size_t lasts = 0;

	*text = 0;
	if (named->more)
		last[lasts++] = "others";
	if (named->intra_zone)
		last[lasts++] = "intra-zone";
	if (named->by_default)
		last[lasts++] = "the default";
	for (size_t i = 0; i < named->count; i++) {
		append(text, !i ? "" : i + 1 < named->count || lasts ? ", " : " and ");
		append_rule(text, named->rule[i], diag);
	}
	for (size_t i = 0; i < lasts; i++) {
		append(text, !i && !named->count ? "" : i + 1 < lasts ? ", " : " and ");
		append(text, last[i]);
	}
}

bool named_are_several(const struct named *named)
{
	return named->count + named->more + named->intra_zone + named->by_default > 1;
}

static void warn_redundant(const struct rule_finding *finding, struct diag *diag)
{
	const struct rule *rule = finding->rule;
	const char *verb = rule->action == ACTION_ALLOW ? "allow" : "drop";
	char by[NAMED_TEXT_MAX];

	named_print(&finding->instead, diag, by);
	if (rule->action == ACTION_PASS)
		diag_warning(diag, &rule->place, NULL, "rule '%s' is redundant: without it, %s decide%s the same", rule->id, by,
			     named_are_several(&finding->instead) ? "" : "s");
	else
		diag_warning(diag, &rule->place, NULL, "rule '%s' is redundant: what it %ss, %s %s%s too", rule->id, verb, by, verb,
			     named_are_several(&finding->instead) ? "" : "s");
}

void analysis_warn(const struct analysis *analysis, struct diag *diag)
{
	char by[NAMED_TEXT_MAX];

	for (size_t i = 0; i < analysis->count; i++) {
		const struct rule_finding *finding = &analysis->v[i];

		if (finding->redundant)
			warn_redundant(finding, diag);
		if (!finding->shadowed)
			continue;
		named_print(&finding->by, diag, by);
		diag_warning(diag, &finding->rule->place, "remove it, or put it before them",
			     "rule '%s' is shadowed by %s: it never decides", finding->rule->id, by);
	}
}
