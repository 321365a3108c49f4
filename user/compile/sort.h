/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sorting of plain numbers in time that grows with their count alone.
 */
#ifndef ZW_COMPILE_SORT_H
#define ZW_COMPILE_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Sorts v ascending. `spare` holds count numbers and is overwritten. */
void sort_u64(uint64_t *v, uint64_t *spare, size_t count);

#endif
