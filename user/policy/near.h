/* SPDX-License-Identifier: GPL-2.0-only */
/* The candidate nearest to a misspelt word. */
#ifndef ZW_NEAR_H
#define ZW_NEAR_H

#include <stdbool.h>
#include <stddef.h>

struct near {
	const char *word;
	size_t len;
	unsigned distance; /* of the best so far; candidates must beat it */
	size_t best;
	bool found;
};

struct near near_begin(const char *word);
void near_try(struct near *near, const char *candidate, size_t index);
bool near_found(const struct near *near);

#endif
