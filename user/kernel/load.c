// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/file.h"
#include "base/util.h"
#include "compile/timeouts.h"
#include "kernel/blocks.h"
#include "kernel/clock.h"
#include "kernel/edge.h"
#include "kernel/flows.h"
#include "kernel/jiffies.h"
#include "kernel/pins.h"
#include "kernel/predecessor.h"
#include "kernel/probe.h"
#include "kernel/values.h"
#include "zonewall.skel.h"

#define MIB (1024.0 * 1024.0)

/* What stands there is a list of ranges, in ascending order, as in "0-3,8-11" (Linux, Documentation/admin-guide/cputopology.rst). */
unsigned load_cpus(void)
{
	static unsigned cpus;
	struct file_text list = { 0 };
	const char *last;
	int err;

	if (cpus)
		return cpus;
	err = file_read("/sys/devices/system/cpu/possible", 65536, &list);
	if (err) {
		errno = -err;
		return 0;
	}
	last = list.text + strcspn(list.text, "\n");
	while (last > list.text && last[-1] >= '0' && last[-1] <= '9')
		last--;
	if (*last >= '0' && *last <= '9')
		cpus = strtoul(last, NULL, 10) + 1;
	else
		errno = EIO;
	free(list.text);
	return cpus;
}

int load_know_cpus(void)
{
	return load_cpus() ? 0 : edge_error(errno, "cannot read how many CPUs there may be");
}

size_t load_rules_stride(const struct zw_layout *layout)
{
	return zw_rules_stride(layout->rule_count, layout->limit_words);
}

size_t load_events_stride(void)
{
	return sizeof(struct zw_event_head) + ZW_EVENT_ALL_ENTRIES * sizeof(struct zw_event_entry);
}

size_t load_counters_stride(void)
{
	return ZW_POINT_SLOTS * sizeof(struct zw_point_counters);
}

static struct bpf_map *flows_map(const struct zonewall_bpf *skel, int family)
{
	return family == 4 ? skel->maps.zw_flows4 : skel->maps.zw_flows6;
}

/* The object is not loaded yet: this writes to what will become its constants. */
static void set_flow_layout(struct zonewall_bpf *skel, int family, const struct zw_flow_layout *layout)
{
	memcpy(family == 4 ? (void *)&skel->rodata->zw_flow_layout4 : (void *)&skel->rodata->zw_flow_layout6, layout,
	       sizeof(*layout));
}

struct zw_flow_layout load_flow_layout(const struct zonewall_bpf *skel, int family)
{
	struct zw_flow_layout layout;

	memcpy(&layout,
	       family == 4 ? (const void *)&skel->rodata->zw_flow_layout4 : (const void *)&skel->rodata->zw_flow_layout6,
	       sizeof(layout));
	return layout;
}

static int set_value_size(struct bpf_map *map, size_t bytes, const char *what)
{
	if (bytes > ZW_TABLES_MAX)
		return edge_error(ENOSPC, "%s would take %.1f MiB, more than the %.0f MiB of one map", what,
				  bytes / MIB, ZW_TABLES_MAX / MIB);
	return bpf_map__set_value_size(map, bytes) ? edge_error(errno, "cannot size %s", what) : 0;
}

static int set_sizes(struct zonewall_bpf *skel, const struct tables *tables, const struct load_options *options)
{
	unsigned cpus = load_cpus();
	uint64_t flows = options->flows ? options->flows : flows_auto();
	uint32_t fragments = options->fragment_buckets ? options->fragment_buckets : ZW_FRAGMENT_BUCKETS;
	int error;

	error = set_value_size(skel->maps.zw_tables, tables->len, "the tables");
	if (!error)
		error = set_value_size(skel->maps.zw_rules, cpus * load_rules_stride(&tables->layout),
				       "the rules' counters");
	if (!error)
		error = set_value_size(skel->maps.zw_matches, skel->rodata->zw_match_bytes, "the match cache");
	if (!error)
		error = set_value_size(skel->maps.zw_jobs, (size_t)cpus * bpf_map__value_size(skel->maps.zw_jobs),
				       "the programs' own memory");
	if (!error)
		error = set_value_size(skel->maps.zw_points, ZW_POINT_ENTRIES * sizeof(struct zw_point),
				       "the attach points");
	if (!error)
		error = set_value_size(skel->maps.zw_blocks, sizeof(struct zw_blocks), "the block list");
	if (!error)
		error = set_value_size(skel->maps.zw_counters, cpus * load_counters_stride(), "the counters");
	if (!error)
		error = set_value_size(skel->maps.zw_events, cpus * load_events_stride(), "the events");
	if (!error)
		error = set_value_size(skel->maps.zw_simulation, sizeof(struct zw_simulation), "the simulation");
	if (error)
		return error;
	for (int family = 4; family <= 6 && !error; family += 2) {
		struct zw_flow_layout layout = flows_layout(family, cpus, flows, fragments);

		if (flows_room(&layout) < flows)
			return edge_error(0, "a table of %llu flows is too large: %llu IPv%d flows are possible",
					  (unsigned long long)flows, (unsigned long long)flows_room(&layout), family);
		set_flow_layout(skel, family, &layout);
		error = set_value_size(flows_map(skel, family), layout.size, "the flows");
	}
	return error;
}

int load_open(const struct tables *tables, const struct load_options *options, struct zonewall_bpf **ret_skel)
{
	struct zw_timeouts timeouts;
	struct zonewall_bpf *skel;
	int error;

	edge_capture_libbpf();
	error = load_know_cpus();
	if (error)
		return error;
	error = values_register();
	skel = error ? NULL : zonewall_bpf__open();
	if (!skel) {
		error = error ? -error : errno;
		edge_print_captured();
		return edge_error(error, "cannot open the programs");
	}
	skel->rodata->zw_cpus = load_cpus();
	skel->rodata->zw_match_entries = zw_match_entries_of(load_cpus());
	skel->rodata->zw_match_bytes = (__u64)load_cpus() * zw_match_entries_of(load_cpus()) * sizeof(struct zw_match);
	error = set_sizes(skel, tables, options);
	if (error) {
		zonewall_bpf__destroy(skel);
		return error;
	}
	timeouts_set(&timeouts, jiffies_hz());
	memcpy((void *)&skel->rodata->zw_layout, &tables->layout, sizeof(tables->layout));
	memcpy((void *)&skel->rodata->zw_timeouts, &timeouts, sizeof(timeouts));
	skel->rodata->zw_layout.generation = options->generation;
	skel->rodata->zw_layout.simulate = options->simulate;
	skel->rodata->zw_hz = jiffies_hz();
	skel->rodata->zw_limit_tick_ns = limit_tick_ns(jiffies_hz());
	*ret_skel = skel;
	return 0;
}

struct state_map {
	struct bpf_map *map; /* NULL: after the last */
	enum zw_part part;
};

static struct state_map state_map(const struct zonewall_bpf *skel, unsigned index)
{
	const struct state_map maps[] = {
		{ skel->maps.zw_flows4, ZW_PART_FLOWS },     { skel->maps.zw_flows6, ZW_PART_FLOWS },
		{ skel->maps.zw_points, ZW_PART_POINTS },    { skel->maps.zw_counters, ZW_PART_POINTS },
		{ skel->maps.zw_events, ZW_PART_EVENTS },    { skel->maps.zw_ring, ZW_PART_EVENTS },
		{ skel->maps.zw_limits, ZW_PART_LIMITS },    { skel->maps.zw_blocks, ZW_PART_BLOCKS },
		{ skel->maps.zw_clock, ZW_PART_CLOCK },
	};

	return index < ARRAY_LEN(maps) ? maps[index] : (struct state_map){ 0 };
}

struct bpf_map *load_state_map(const struct zonewall_bpf *skel, unsigned index)
{
	return state_map(skel, index).map;
}

/* A flow table of another size than this policy asks for is used as it is. */
static int reuse_size(struct zonewall_bpf *skel, struct bpf_map *map, uint32_t value_size, bool *ret_resized)
{
	int family = map == skel->maps.zw_flows4 ? 4 : map == skel->maps.zw_flows6 ? 6 : 0;
	struct zw_flow_layout layout;

	if (value_size == bpf_map__value_size(map))
		return 0;
	if (!family)
		return -EPROTO;
	layout = flows_layout_of(family, load_cpus(), value_size);
	if (!layout.buckets)
		return -EPROTO;
	set_flow_layout(skel, family, &layout);
	*ret_resized = true;
	return bpf_map__set_value_size(map, value_size) ? -errno : 0;
}

int load_reuse(struct zonewall_bpf *skel, struct bpf_map *map, const char *path, bool *ret_resized)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	_cleanup_close_ int fd = bpf_obj_get(path);
	int error;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
	    info.max_entries != bpf_map__max_entries(map) || info.map_flags != bpf_map__map_flags(map))
		return -EPROTO;
	error = reuse_size(skel, map, info.value_size, ret_resized);
	if (error)
		return error;
	return bpf_map__reuse_fd(map, fd) ? -errno : 0;
}

/* abi: whose pins; that of a predecessor if that is not NULL. */
static int reuse_state(struct zonewall_bpf *skel, const char *instance, unsigned abi, const struct predecessor *predecessor,
		       bool *ret_resized)
{
	struct state_map state;
	int error = 0;

	for (unsigned i = 0; (state = state_map(skel, i)).map && !error; i++) {
		char path[PATH_MAX];

		if (predecessor && !predecessor_keeps(predecessor, state.part))
			continue;
		pins_path_of(path, instance, abi, "/state/%s", bpf_map__name(state.map));
		error = load_reuse(skel, state.map, path, ret_resized);
		if (error == -EPROTO)
			edge_error(0, "the pinned map %s has another shape than this version's\n"
				      "fix: 'zonewall down' forgets it, with all flows", path);
		else if (error)
			edge_error(error, "cannot use the pinned map %s", path);
	}
	return error;
}

int load_reuse_state(struct zonewall_bpf *skel, const char *instance, bool *ret_resized)
{
	return reuse_state(skel, instance, ZW_ABI, NULL, ret_resized);
}

int load_take_state(struct zonewall_bpf *skel, const char *instance, const struct predecessor *predecessor, bool *ret_resized)
{
	return reuse_state(skel, instance, predecessor->abi, predecessor, ret_resized);
}

/* Filled through a mapping, which must be gone before the map can be frozen: from then on nobody can write it. */
static int fill(int fd, const struct tables *tables)
{
	size_t len = pins_mapped_len(tables->len);
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return edge_error(errno, "cannot map the tables");
	memcpy(memory, tables->bytes, tables->len);
	munmap(memory, len);
	if (bpf_map_freeze(fd))
		return edge_error(errno, "cannot freeze the tables");
	return 0;
}

static int explain(int error, const struct zonewall_bpf *skel, const struct tables *tables)
{
	double rules = load_cpus() * load_rules_stride(&tables->layout) / MIB;
	const char *missing = edge_missing_rights(), *feature;

	if ((error == -EPERM || error == -EACCES) && missing[0])
		return edge_error(error, "cannot load the programs: %s needed", missing);
	feature = probe_missing(tables->len);
	if (feature) {
		edge_error(0, "cannot load the programs: this kernel lacks %s", feature);
		return -EOPNOTSUPP;
	}
	if (error == -ENOMEM || error == -ENOSPC)
		return edge_error(error,
				  "cannot load the programs: tables %.1f MiB, rules' counters %.1f MiB, "
				  "flows %.1f and %.1f MiB",
				  tables->len / MIB, rules, bpf_map__value_size(skel->maps.zw_flows4) / MIB,
				  bpf_map__value_size(skel->maps.zw_flows6) / MIB);
	edge_print_captured();
	return edge_error(error, "cannot load the programs");
}

static int init_blocks(int fd)
{
	size_t len = pins_mapped_len(offsetof(struct zw_blocks, filter)); /* what is set */
	struct zw_blocks *blocks = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int error;

	if (blocks == MAP_FAILED)
		return edge_error(errno, "cannot map the block list");
	error = blocks_init(blocks);
	munmap(blocks, len);
	return error ? edge_error(error, "cannot give the block list its seeds") : 0;
}

/* Of an object whose programs the kernel took. */
static int fill_maps(struct zonewall_bpf *skel, const struct tables *tables)
{
	int error = clock_set(bpf_map__fd(skel->maps.zw_clock));

	if (error)
		return edge_error(error, "cannot tell the programs what time it is");
	for (int family = 4; family <= 6 && !error; family += 2)
		error = flows_seed(bpf_map__fd(flows_map(skel, family)));
	if (error)
		return edge_error(error, "cannot give the flow tables their seeds");
	error = flows_seed(bpf_map__fd(skel->maps.zw_limits));
	if (error)
		return edge_error(error, "cannot give the token buckets their seeds");
	error = init_blocks(bpf_map__fd(skel->maps.zw_blocks));
	return error ? error : fill(bpf_map__fd(skel->maps.zw_tables), tables);
}

int load_finish(struct zonewall_bpf *skel, const struct tables *tables)
{
	int error = zonewall_bpf__load(skel);

	return error ? explain(error, skel, tables) : fill_maps(skel, tables);
}

/*
 * On two CPUs
 *
 * libbpf verifies the programs of an object one after the other. So there are two objects, of the same constants and the same
 * maps, and each loads a part of the programs. The maps are made first.
 */
static struct bpf_program *program_of(const struct zonewall_bpf *skel, enum zw_hook hook)
{
	struct bpf_program *const programs[ZW_HOOKS] = { skel->progs.zw_xdp, skel->progs.zw_ingress, skel->progs.zw_egress };

	return programs[hook];
}

/* What becomes a map of its own in each object: the constants. */
static bool is_private(const struct bpf_map *map)
{
	return bpf_map__is_internal(map);
}

static int make_map(struct bpf_map *map)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = bpf_map__map_flags(map));
	_cleanup_close_ int fd = bpf_map_create(bpf_map__type(map), bpf_map__name(map), bpf_map__key_size(map),
						bpf_map__value_size(map), bpf_map__max_entries(map), &options);

	if (fd < 0)
		return -errno;
	return bpf_map__reuse_fd(map, fd) ? -errno : 0;
}

static int make_maps(struct zonewall_bpf *skel)
{
	struct bpf_map *map;
	int error = 0;

	bpf_object__for_each_map(map, skel->obj)
		if (!error && !is_private(map) && bpf_map__fd(map) < 0)
			error = make_map(map);
	return error;
}

/* The second object: the first one's maps and constants. */
static int open_twin(const struct zonewall_bpf *skel, struct zonewall_bpf **ret_twin)
{
	struct zonewall_bpf *twin = zonewall_bpf__open();
	struct bpf_map *map;
	int error = 0;

	if (!twin)
		return -errno;
	memcpy(twin->rodata, skel->rodata, sizeof(*twin->rodata));
	bpf_object__for_each_map(map, twin->obj) {
		const struct bpf_map *first = bpf_object__find_map_by_name(skel->obj, bpf_map__name(map));

		if (!error && !is_private(map))
			error = bpf_map__reuse_fd(map, bpf_map__fd(first)) ? -errno : 0;
	}
	if (error)
		zonewall_bpf__destroy(twin);
	else
		*ret_twin = twin;
	return error;
}

static void choose(struct zonewall_bpf *skel, unsigned hooks)
{
	for (int hook = 0; skel && hook < ZW_HOOKS; hook++)
		bpf_program__set_autoload(program_of(skel, hook), hooks >> hook & 1);
}

static void *load_twin(void *twin)
{
	return (void *)(intptr_t)zonewall_bpf__load(twin);
}

/* Both at once, or, if there can be no thread, one after the other. twin: NULL if there is nothing for it to do. */
static int load_both(struct zonewall_bpf *skel, struct zonewall_bpf *twin)
{
	pthread_t thread;
	bool beside = twin && !pthread_create(&thread, NULL, load_twin, twin);
	int error = zonewall_bpf__load(skel);
	void *result = NULL;

	if (beside)
		pthread_join(thread, &result);
	else if (twin)
		result = load_twin(twin);
	return error ? error : (int)(intptr_t)result;
}

/* The object may be destroyed, its programs stay. */
static int take_programs(const struct zonewall_bpf *skel, unsigned hooks, int program[ZW_HOOKS])
{
	for (int hook = 0; hook < ZW_HOOKS; hook++) {
		if (!(hooks >> hook & 1))
			continue;
		program[hook] = fcntl(bpf_program__fd(program_of(skel, hook)), F_DUPFD_CLOEXEC, 0);
		if (program[hook] < 0)
			return edge_error(errno, "cannot keep the programs");
	}
	return 0;
}

void load_close(int program[ZW_HOOKS])
{
	for (int hook = 0; hook < ZW_HOOKS; hook++)
		closep(&program[hook]);
}

int load_programs(struct zonewall_bpf *skel, const struct tables *tables, unsigned hooks, int ret_program[ZW_HOOKS])
{
	unsigned first = hooks & -hooks, others = hooks & ~first; /* `first`: the lowest bit */
	struct zonewall_bpf *twin = NULL;
	int error = make_maps(skel);

	if (!error && others)
		error = open_twin(skel, &twin);
	if (!error) {
		choose(skel, first);
		choose(twin, others);
		error = load_both(skel, twin);
	}
	if (error)
		error = explain(error, skel, tables);
	else
		error = take_programs(skel, first, ret_program);
	if (!error)
		error = take_programs(twin, others, ret_program);
	zonewall_bpf__destroy(twin);
	return error || !tables->bytes ? error : fill_maps(skel, tables);
}
