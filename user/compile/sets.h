/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lists of numbers, each stored once and named by a small number in order of first appearance. Atoms (sets of zones),
 * classes (sets of ends), port classes (sets of services), rule lists and rows are all named this way: what is equal
 * gets the same name, exactly: a hash only finds candidates.
 */
#ifndef ZW_COMPILE_SETS_H
#define ZW_COMPILE_SETS_H

#include <stddef.h>
#include <stdint.h>

#include "compile/array.h"

struct sets {
	ARRAY(uint32_t) members; /* of all sets, one after the other */
	ARRAY(size_t) start; /* of each set; the next one's start is the end */
	uint32_t *slot; /* open hash of set numbers + 1; 0 is empty */
	uint32_t *hash; /* of each slot, to compare before following it */
	size_t slots; /* a power of two, or 0 */
};

/* Spreads a number over 64 bits. The sum of the spread members is a set's hash that can be kept up to date. */
static inline uint64_t sets_spread(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint64_t sets_hash(const uint32_t *members, size_t count); /* sum of sets_spread(member) */

/*
 * The number of the list, which is stored if it is new. Order counts: a set is a sorted list. `hash` is any function of
 * the list, the same for all calls on one struct sets. 0, -ENOMEM, or -E2BIG beyond 2^32 - 2 lists.
 */
int sets_intern(struct sets *sets, const uint32_t *members, size_t count, uint64_t hash,
		uint32_t *ret_number);

size_t sets_count(const struct sets *sets);
/* The members of a set (borrowed until the next sets_intern). */
const uint32_t *sets_get(const struct sets *sets, size_t number, size_t *ret_count);
void sets_clear(struct sets *sets);

#endif
