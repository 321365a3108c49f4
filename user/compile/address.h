/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From intervals of addresses to the address tables of zonewall.h: a root of 65,536 steps and what hangs below it.
 *
 * A part of the space that lies in one atom ends early, as an atom. Any other part is a search tree over the next 16
 * bits, or, where that would be deeper than two lines, blocks. Where all keys lead to atoms, sparse keys are made instead if
 * they take fewer lines. But if all boundaries of a part agree in these 16 bits, so that the tree would hold one interesting key,
 * a tail (IPv6) skips to the bits where they differ. A tail's `outside` is always an atom, its `inside` an atom, ZW_NEXT,
 * ZW_SPARSE or ZW_BLOCK. What is one prefix in one atom (IPv6) is a tail, too, or below a block, where they are many, one of
 * the three of a struct zw_lone.
 * Each boundary is met once a level, so the work grows linearly with the intervals.
 */
#ifndef ZW_COMPILE_ADDRESS_H
#define ZW_COMPILE_ADDRESS_H

#include "compile/atoms.h"
#include "compile/lines.h"

/*
 * Builds the tables of a family (4 or 6). ret_reads: the most lines that one address reads, the root's included.
 * 0, -ENOMEM, -E2BIG (over budget).
 */
int address_build(struct lines *lines, int family, const struct intervals *intervals, uint32_t *ret_root,
		  unsigned *ret_reads);

#endif
