// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "policy/near.h"

#define WORD_MAX 72

struct near near_begin(const char *word)
{
	size_t len = strlen(word);

	/* One mistake in three letters, three at most: beyond that a suggestion is a guess. */
	return (struct near){ .word = word, .len = len, .distance = len < 3 ? 2 : len < 6 ? 3 : 4 };
}

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edit distance with neighbours exchanged as one edit (Damerau, optimal string alignment); case does not count. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);

			row[j] = min(min(last[j], row[j - 1]) + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
			    y == tolower((unsigned char)a[i - 2]))
				row[j] = min(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

void near_try(struct near *near, const char *candidate, size_t index)
{
	size_t len = strlen(candidate);
	unsigned d;

	if (near->len > WORD_MAX || len > WORD_MAX || labs((long)len - (long)near->len) >= (long)near->distance)
		return;
	d = distance(near->word, near->len, candidate, len);
	if (d >= near->distance || d >= len)
		return;
	near->distance = d;
	near->best = index;
	near->found = true;
}

bool near_found(const struct near *near)
{
	return near->found;
}
