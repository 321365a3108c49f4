// SPDX-License-Identifier: GPL-2.0-only
/* --block of `zonewall simulate`: the block list that packets meet. */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cmd/simulate.h"
#include "kernel/edge.h"
#include "kernel/testrun.h"

int simulate_read_block(struct simulate_arguments *arguments, char *text)
{
	char *until = strchr(text, '='), *end;
	double seconds = 0;
	int status;

	if (until) {
		*until++ = '\0';
		seconds = strtod(until, &end);
		if (*until < '0' || *until > '9' || *end || seconds * SIMULATED_HZ >= ZW_BLOCK_FOR_EVER) {
			fprintf(stderr, "zonewall simulate: --block: Unix seconds are needed behind '=', not '%s'\n", until);
			return EXIT_USAGE;
		}
		arguments->block_ends = true;
	}
	status = prefixes_add(&arguments->blocked, text);
	if (!status)
		arguments->blocked.v[arguments->blocked.count - 1].until = until ? seconds * SIMULATED_HZ : ZW_BLOCK_FOR_EVER;
	return status;
}

/* Of all packets at once: an end in the past is one all the same. */
static int fill(const struct prefixes *prefixes, struct zw_blocks *blocks)
{
	int r = blocks_init(blocks);

	for (size_t i = 0; i < prefixes->count && !r; i++)
		r = blocks_put(blocks, &prefixes->v[i], 0);
	return r ? edge_error(-r, "the block list has no room for what --block names") : 0;
}

int simulate_block(const struct simulate_arguments *arguments, struct engine *engine)
{
	struct zw_blocks *blocks;

	if (!arguments->blocked.count)
		return EXIT_DONE;
	if (engine->testrun) {
		blocks = testrun_blocks(engine->testrun);
	} else {
		blocks = engine->blocks = calloc(1, sizeof(*blocks));
		decider_block(engine->decider, blocks);
	}
	if (!blocks)
		return simulate_out_of_memory();
	return fill(&arguments->blocked, blocks) ? EXIT_FAILED : EXIT_DONE;
}
