// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/programs.h"

#include <inttypes.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "kernel/edge.h"
#include "kernel/load.h"
#include "kernel/pins.h"
#include "zonewall.skel.h"

DEFINE_CLEANUP(struct zonewall_bpf *, zonewall_bpf__destroy)
DEFINE_CLEANUP(struct generation *, generation_free)

const char *programs_pin(enum zw_hook hook)
{
	static const char *const pins[ZW_HOOKS] = { "zw_xdp", "zw_ingress", "zw_egress" };

	return pins[hook];
}

static void pin_path(char *ret_path, const char *instance, uint32_t number, const char *file)
{
	pins_path(ret_path, instance, "/gen-%" PRIu32 "/%s", number, file);
}

static int reuse(struct bpf_map *map, const char *instance, uint32_t number)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	pin_path(path, instance, number, bpf_map__name(map));
	fd = bpf_obj_get(path);
	return fd < 0 || bpf_map__reuse_fd(map, fd) ? -errno : 0;
}

/* What the generation's programs share: its own maps, and those of state. */
static int reuse_maps(struct zonewall_bpf *skel, const char *instance, uint32_t number)
{
	struct bpf_map *const own[] = { skel->maps.zw_tables, skel->maps.zw_rules, skel->maps.zw_sources };
	bool resized;
	int error = 0;

	for (size_t i = 0; i < ARRAY_LEN(own) && !error; i++)
		error = reuse(own[i], instance, number);
	if (error)
		return edge_error(error, "cannot use the maps of generation %" PRIu32, number);
	return load_reuse_state(skel, instance, &resized);
}

static int pin_program(const char *instance, uint32_t number, enum zw_hook hook, int fd)
{
	char path[PATH_MAX];

	pin_path(path, instance, number, programs_pin(hook));
	return bpf_obj_pin(fd, path) ? edge_error(errno, "cannot pin %s", path) : 0;
}

static int load_missing(const char *instance, uint32_t number, unsigned hooks, int program[ZW_HOOKS])
{
	const struct load_options options = { .generation = number };
	_cleanup_(zonewall_bpf__destroyp) struct zonewall_bpf *skel = NULL;
	_cleanup_(generation_freep) struct generation *generation = NULL;
	struct tables tables = { 0 };
	int error = pins_open_generation(instance, number, &generation);

	if (error)
		return edge_error(error, "cannot open generation %" PRIu32, number);
	tables.layout = generation->layout;
	tables.len = generation->tables_len;
	error = load_open(&tables, &options, &skel);
	if (!error)
		error = reuse_maps(skel, instance, number);
	if (!error)
		error = load_programs(skel, &tables, hooks, program);
	for (int hook = 0; hook < ZW_HOOKS && !error; hook++)
		if (hooks >> hook & 1)
			error = pin_program(instance, number, hook, program[hook]);
	return error;
}

int programs_get(const char *instance, uint32_t number, unsigned hooks, bool load, int program[ZW_HOOKS])
{
	unsigned missing = 0;

	for (int hook = 0; hook < ZW_HOOKS; hook++) {
		char path[PATH_MAX];

		if (!(hooks >> hook & 1) || program[hook] >= 0)
			continue;
		pin_path(path, instance, number, programs_pin(hook));
		program[hook] = bpf_obj_get(path);
		if (program[hook] < 0 && errno != ENOENT)
			return edge_error(errno, "cannot open %s", path);
		missing |= program[hook] < 0 ? 1u << hook : 0;
	}
	if (!missing)
		return 0;
	return load ? load_missing(instance, number, missing, program) : -ENOENT;
}

static int complete_slot(const struct gate *gate, uint32_t slot, enum zw_hook hook)
{
	int program[ZW_HOOKS] = PROGRAMS_NONE, error;
	uint32_t number = gate->line->generation[slot], there;

	if (!number || !bpf_map_lookup_elem(gate->slots[hook], &slot, &there))
		return 0;
	error = programs_get(gate->instance, number, 1u << hook, true, program);
	if (!error && bpf_map_update_elem(gate->slots[hook], &slot, &program[hook], BPF_ANY))
		error = edge_error(errno, "cannot put generation %" PRIu32 " into the gate", number);
	load_close(program);
	return error;
}

int programs_complete(const struct gate *gate, enum zw_hook hook)
{
	int error = 0;

	for (uint32_t slot = 0; slot < ARRAY_LEN(gate->line->generation) && !error; slot++)
		error = complete_slot(gate, slot, hook);
	return error;
}

unsigned programs_attached(const struct book *book)
{
	unsigned hooks = 0;

	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++)
		if (book->slot[i].attached)
			hooks |= 1u << book->slot[i].hook;
	return hooks;
}
