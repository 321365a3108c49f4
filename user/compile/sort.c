// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/sort.h"

static void insertion(uint64_t *v, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		uint64_t x = v[i];
		size_t j = i;

		for (; j && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

/* One stable pass by the byte at `shift`; counts[] holds how often each byte value occurs. */
static void scatter(const uint64_t *from, uint64_t *to, size_t count, unsigned shift, const size_t *counts)
{
	size_t at[256], sum = 0;

	for (unsigned i = 0; i < 256; i++) {
		at[i] = sum;
		sum += counts[i];
	}
	for (size_t i = 0; i < count; i++)
		to[at[from[i] >> shift & 255]++] = from[i];
}

/* Radix sort, least significant byte first; a byte that is the same in all numbers costs no pass. */
void sort_u64(uint64_t *v, uint64_t *spare, size_t count)
{
	size_t counts[8][256] = { 0 };
	uint64_t *from = v, *to = spare;

	if (count < 64) {
		insertion(v, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		for (unsigned b = 0; b < 8; b++)
			counts[b][v[i] >> (8 * b) & 255]++;
	for (unsigned b = 0; b < 8; b++) {
		uint64_t *swap = from;

		if (counts[b][v[0] >> (8 * b) & 255] == count)
			continue;
		scatter(from, to, count, 8 * b, counts[b]);
		from = to;
		to = swap;
	}
	if (from != v)
		memcpy(v, from, count * sizeof(*v));
}
