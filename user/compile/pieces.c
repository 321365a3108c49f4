// SPDX-License-Identifier: GPL-2.0-only
#include "compile/pieces.h"

#include <string.h>

#include "compile/sort.h"

static int make_room(struct pieces *pieces, size_t points)
{
	if (!pieces->piece_at) {
		pieces->piece_at = calloc(PORT_CLASSES_MAX + 2, sizeof(*pieces->piece_at));
		if (!pieces->piece_at)
			return -ENOMEM;
	}
	if (points <= pieces->room)
		return 0;
	free(pieces->points);
	free(pieces->next);
	pieces->points = malloc(2 * points * sizeof(*pieces->points));
	pieces->next = malloc(points * sizeof(*pieces->next));
	pieces->room = pieces->points && pieces->next ? points : 0;
	return pieces->room ? 0 : -ENOMEM;
}

int pieces_cut(struct pieces *pieces, const struct services *services, const struct entry *entries,
	       const uint32_t *list, size_t count)
{
	size_t runs, points = 2, n = 0;
	const struct class_run *run;
	int err;

	for (size_t i = 0; i < count; i++) {
		services_runs(services, entries[list[i]].service, &runs);
		points += 2 * runs;
	}
	err = make_room(pieces, points);
	if (err)
		return err;
	pieces->points[n++] = 0;
	pieces->points[n++] = services_classes(services);
	for (size_t i = 0; i < count; i++) {
		run = services_runs(services, entries[list[i]].service, &runs);
		for (size_t j = 0; j < runs; j++) {
			pieces->points[n++] = run[j].first;
			pieces->points[n++] = run[j].last + 1;
		}
	}
	sort_u64(pieces->points, pieces->points + n, n);
	pieces->count = 0;
	for (size_t i = 0; i < n; i++)
		if (!i || pieces->points[i] != pieces->points[pieces->count - 1])
			pieces->points[pieces->count++] = pieces->points[i];
	pieces->count--;
	for (size_t i = 0; i <= pieces->count; i++) {
		pieces->piece_at[pieces->points[i]] = i;
		pieces->next[i] = i;
	}
	return 0;
}

void pieces_clear(struct pieces *pieces)
{
	free(pieces->points);
	free(pieces->piece_at);
	free(pieces->next);
	memset(pieces, 0, sizeof(*pieces));
}
