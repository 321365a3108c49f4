/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table bytes under construction: a sequence of 64-byte lines that only grows, within a budget; and search trees
 * in it (zonewall.h describes both).
 */
#ifndef ZW_COMPILE_LINES_H
#define ZW_COMPILE_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "compile/array.h"
#include "zonewall.h"

struct lines {
	ARRAY(struct zw_line) all;
	size_t budget; /* lines */
};

/* Appends count zeroed lines. 0 and the first one's number; -ENOMEM; -E2BIG beyond the budget. */
int lines_add(struct lines *lines, size_t count, uint32_t *ret_first);

/* Appends enough lines for `len` bytes. */
int lines_add_bytes(struct lines *lines, size_t len, uint32_t *ret_first);

/* Valid until the next line is added. */
static inline void *lines_at(const struct lines *lines, uint32_t line)
{
	return &lines->all.v[line];
}

/* The value from this key on, up to the next run's key. */
struct run {
	uint16_t key;
	uint32_t value; /* ZW_LINK not set */
};

/*
 * Appends a search tree for runs: ascending keys, the first 0, count >= 1. It has the least possible number of lines,
 * ceil((count - 1) / 9) but at least one, and the least depth, ceil(log10(count)) but at least 1.
 */
int search_build(struct lines *lines, const struct run *runs, size_t count, uint32_t *ret_line);
size_t search_lines(size_t count);
unsigned search_depth(size_t count);

#endif
