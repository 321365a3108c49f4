// SPDX-License-Identifier: GPL-2.0-only
#include "compile/lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Two more starts than lists: list i is counted in start[i + 2] and filled through start[i + 1]. */
int lists_new(struct lists *lists, size_t count)
{
	lists->count = count;
	lists->number = NULL;
	lists->start = calloc(count + 2, sizeof(*lists->start));
	return lists->start ? 0 : -ENOMEM;
}

int lists_ready(struct lists *lists)
{
	for (size_t i = 1; i < lists->count + 2; i++)
		lists->start[i] += lists->start[i - 1];
	lists->number = malloc((lists->start[lists->count + 1] + 1) * sizeof(*lists->number));
	return lists->number ? 0 : -ENOMEM;
}

void lists_clear(struct lists *lists)
{
	free(lists->start);
	free(lists->number);
	memset(lists, 0, sizeof(*lists));
}
