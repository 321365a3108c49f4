// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/sources.h"

#include <inttypes.h>
#include <sys/mman.h>

#include "base/util.h"
#include "kernel/edge.h"

#define HELD_MAX (ZW_GATE_SLOTS + 1)

struct held {
	struct generation *generation; /* for its names */
	struct zw_sources *map; /* its zw_sources, mapped */
};

struct sources {
	struct held held[HELD_MAX];
	unsigned count;
};

static int hold(struct sources *sources, const char *instance, uint32_t number)
{
	struct held *held = &sources->held[sources->count];
	struct zw_layout layout;
	char path[PATH_MAX];
	int error;

	pins_path(path, instance, "/gen-%" PRIu32 "/zw_sources", number);
	if (access(path, F_OK) && errno == ENOENT)
		return 0; /* of a version that knew no sources */
	error = pins_read_layout(instance, number, &layout);
	if (error || !layout.source_sets)
		return error;
	error = pins_map(path, sizeof(*held->map), true, (void **)&held->map);
	if (error)
		return error;
	sources->count++; /* also half open, sources_free() closes it */
	return pins_open_generation(instance, number, &held->generation);
}

int sources_open(struct gate *gate, uint32_t coming)
{
	sources_free(gate->sources);
	gate->sources = calloc(1, sizeof(*gate->sources));
	if (!gate->sources)
		return edge_error(ENOMEM, "cannot open the generations' sources");
	for (unsigned i = 0; i < HELD_MAX; i++) {
		uint32_t number = i < ZW_GATE_SLOTS ? gate->line->generation[i] : coming;
		int error = number ? hold(gate->sources, gate->instance, number) : 0;

		if (error)
			return edge_error(error, "cannot open the sources of generation %" PRIu32, number);
	}
	return 0;
}

void sources_free(struct sources *sources)
{
	if (!sources)
		return;
	for (unsigned i = 0; i < sources->count; i++) {
		munmap(sources->held[i].map, pins_mapped_len(sizeof(*sources->held[i].map)));
		generation_free(sources->held[i].generation);
	}
	free(sources);
}

bool sources_bind(const struct gate *gate, const char *ifname)
{
	for (unsigned i = 0; gate->sources && i < gate->sources->count; i++)
		if (names_source_set(gate->sources->held[i].generation->names, ifname))
			return true;
	return false;
}

void sources_update(struct gate *gate, unsigned slot)
{
	const struct book_slot *point = &gate->book->slot[slot];

	for (unsigned i = 0; gate->sources && i < gate->sources->count; i++) {
		struct held *held = &gate->sources->held[i];
		uint32_t set = 0;

		if (point->hook != ZW_HOOK_EGRESS)
			set = names_source_set(held->generation->names, point->ifname);
		__atomic_store_n(&held->map->set[slot], set, __ATOMIC_RELEASE);
	}
}

void sources_update_all(struct gate *gate)
{
	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++)
		if (gate->book->slot[i].attached)
			sources_update(gate, i);
}
