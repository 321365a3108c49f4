/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A policy file without the `mode: stage` of one of its rules, in which every other byte is what it was: the key and its value go,
 * with the comma of a map in braces, or the line that is empty then. Comments stay.
 *
 * It looks at the text as a reader does, not as YAML has it, so what comes of it is to be read again and compared.
 */
#ifndef ZW_UNSTAGE_H
#define ZW_UNSTAGE_H

#include <stddef.h>

struct unstaged {
	char *text; /* of the whole file; len bytes and a NUL */
	size_t len;
	char *before, *after; /* the lines that are another now, without the last one's end; after: "" if they are gone */
};

/* id: of a rule in the file's list `rules`. 0; -ENOENT: there is no such rule with a key `mode`; -ENOMEM. */
int unstage(const char *text, size_t len, const char *id, struct unstaged *ret_unstaged);
void unstaged_clear(struct unstaged *unstaged);

#endif
