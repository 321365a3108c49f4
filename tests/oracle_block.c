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

struct oracle_blocks *oracle_blocks_add(struct oracle_blocks *blocks, const struct addr *first, unsigned length, double until)
{
	if (!blocks)
		blocks = calloc(1, sizeof(*blocks));
	if (!blocks)
		abort();
	blocks->v = realloc(blocks->v, (blocks->count + 1) * sizeof(*blocks->v));
	if (!blocks->v)
		abort();
	blocks->v[blocks->count].first = *first;
	blocks->v[blocks->count].length = length;
	blocks->v[blocks->count++].until = until;
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
