/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a command without a kernel is told: the policy's files, with --host the addresses of the host it is for, and with --at
 * what time it is.
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
	bool has_at;
	int64_t at; /* Unix seconds */
};

/* The argument of --host: one address, or several with commas between them (text is cut up). 0 or an exit status. */
int sources_read_hosts(struct sources *sources, char *text);

/* The words after the options: files, and addresses if --host came before (`--host ADDR ADDR FILE`). 0 or an exit status. */
int sources_read_words(struct sources *sources, int count, char **words);

/* The argument of --at, an instant as `until` has it. 0 or an exit status. */
int sources_read_at(struct sources *sources, const char *text);
int64_t sources_time(const struct sources *sources); /* that, or now */

void sources_clear(struct sources *sources);

#endif
