/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a command without a kernel is told: the policy's files, and with --host the addresses of the host it is for.
 */
#ifndef ZW_SOURCES_H
#define ZW_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"

struct sources {
	const char *command; /* its name, for messages; set by the caller */
	const char **files; /* borrowed words */
	size_t file_count;
	bool has_host;
	struct ranges host;
};

/* The argument of --host: one address, or several with commas between them (text is cut up). 0 or an exit status. */
int sources_read_hosts(struct sources *sources, char *text);

/* The words after the options: files, and addresses if --host came before (`--host ADDR ADDR FILE`). 0 or an exit status. */
int sources_read_words(struct sources *sources, int count, char **words);

/* What a rule with `until` allows depends on the time: commands that speak of all packets have no answer in this version. */
void sources_refuse_until(const struct sources *sources, const struct policy *policy, struct diag *diag);

void sources_clear(struct sources *sources);

#endif
