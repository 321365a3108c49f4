/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sparse keys (zonewall.h): lines of few keys among many, so that scattered hosts cost one read, however many they are.
 */
#ifndef ZW_COMPILE_SPARSE_H
#define ZW_COMPILE_SPARSE_H

#include "compile/lines.h"

/*
 * How many of a key's upper bits have to choose the line so that all of it takes the fewest lines; runs as search_build() takes
 * them. Negative: it would take `limit` lines or more, or the runs have other values than atoms of 16 bits.
 */
int sparse_bits(const struct run *runs, size_t count, size_t limit);

/* Appends the lines. ret_step: ZW_SPARSE and where they are; ret_reads: how many of them a key reads at most. 0, -ENOMEM, -E2BIG. */
int sparse_build(struct lines *lines, const struct run *runs, size_t count, unsigned bits, uint32_t *ret_step, unsigned *ret_reads);

#endif
