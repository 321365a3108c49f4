/* SPDX-License-Identifier: GPL-2.0-only */
#include "oracle_block.h"

#include <stdlib.h>

struct oracle_blocks {
	struct {
		struct addr first;
		unsigned length;
		double until;
	} *v;
	unsigned count;
};

/* The place of a prefix: the one that it has, or a new one. Who says it again says how long from now on. */
static unsigned place_of(const struct oracle_blocks *blocks, const struct addr *first, unsigned length)
{
	unsigned shift = (first->family == 4 ? 32 : 128) - length, i = 0;

	while (i < blocks->count && (blocks->v[i].first.family != first->family || blocks->v[i].length != length ||
				     blocks->v[i].first.value >> shift != first->value >> shift))
		i++;
	return i;
}

struct oracle_blocks *oracle_blocks_add(struct oracle_blocks *blocks, const struct addr *first, unsigned length, double until)
{
	unsigned at;

	if (!blocks)
		blocks = calloc(1, sizeof(*blocks));
	if (!blocks)
		abort();
	blocks->v = realloc(blocks->v, (blocks->count + 1) * sizeof(*blocks->v));
	if (!blocks->v)
		abort();
	at = place_of(blocks, first, length);
	blocks->v[at].first = *first;
	blocks->v[at].length = length;
	blocks->v[at].until = until;
	blocks->count += at == blocks->count;
	return blocks;
}

bool oracle_blocks_hold(const struct oracle_blocks *blocks, const struct addr *addr, double time)
{
	for (unsigned i = 0; blocks && i < blocks->count; i++) {
		unsigned shift = (addr->family == 4 ? 32 : 128) - blocks->v[i].length;

		if (blocks->v[i].first.family == addr->family && blocks->v[i].first.value >> shift == addr->value >> shift &&
		    (blocks->v[i].until <= 0 || time < blocks->v[i].until))
			return true;
	}
	return false;
}

void oracle_blocks_free(struct oracle_blocks *blocks)
{
	if (blocks)
		free(blocks->v);
	free(blocks);
}
