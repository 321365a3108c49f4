// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/instance.h"

#include <sys/mman.h>

#include <net/if.h>

#include <bpf/bpf.h>

#include "base/files.h"
#include "base/util.h"
#include "kernel/attach.h"
#include "kernel/edge.h"
#include "kernel/gate.h"
#include "kernel/load.h"
#include "kernel/netdev.h"
#include "kernel/pins.h"

struct instance {
	char name[NAME_MAX + 1];
	unsigned cpus;
	int ring;
	uint32_t program_id[ZW_HOOKS];
	const volatile struct zw_gate *gate;
	const struct book *book;
	const volatile char *counters, *events;
	volatile struct collected *collected;
};

static size_t collected_size(const struct instance *instance)
{
	return (size_t)instance->cpus * ZW_EVENT_ALL_ENTRIES * sizeof(struct collected);
}

static int map_file(const struct instance *instance, const char *file, size_t size, bool writable, void *ret_memory)
{
	char path[PATH_MAX];

	pins_path(path, instance->name, "/%s", file);
	return pins_map(path, size, writable, ret_memory);
}

static int open_maps(struct instance *instance)
{
	char path[PATH_MAX];
	int error = map_file(instance, "gate/zw_gate", sizeof(*instance->gate), false, &instance->gate);

	if (!error)
		error = map_file(instance, "gate/zw_book", sizeof(*instance->book), false, &instance->book);
	if (!error)
		error = map_file(instance, "state/zw_counters", instance->cpus * load_counters_stride(), false,
				 &instance->counters);
	if (!error)
		error = map_file(instance, "state/zw_events", instance->cpus * load_events_stride(), false,
				 &instance->events);
	if (!error)
		error = map_file(instance, "state/zw_collected", collected_size(instance), true, &instance->collected);
	if (error)
		return error;
	pins_path(path, instance->name, "/state/zw_ring");
	instance->ring = bpf_obj_get(path);
	return instance->ring < 0 ? -errno : 0;
}

static int read_program_ids(struct instance *instance)
{
	for (unsigned hook = 0; hook < ZW_HOOKS; hook++) {
		struct bpf_prog_info info = { 0 };
		__u32 len = sizeof(info);
		char path[PATH_MAX];
		_cleanup_close_ int fd = -1;

		pins_path(path, instance->name, "/gate/zw_gate_%s", attach_hook_name(hook));
		fd = bpf_obj_get(path);
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
			return -errno;
		instance->program_id[hook] = info.id;
	}
	return 0;
}

int instance_open(const char *name, struct instance **ret_instance)
{
	struct instance *instance = calloc(1, sizeof(*instance));
	char path[PATH_MAX];
	int error;

	if (!instance)
		return -ENOMEM;
	edge_capture_libbpf();
	instance->ring = -1;
	instance->cpus = load_cpus();
	snprintf(instance->name, sizeof(instance->name), "%s", name);
	pins_path(path, name, "%s", "");
	if (access(path, F_OK))
		error = -errno;
	else if (!instance->cpus)
		error = -EIO;
	else if ((error = open_maps(instance)) == 0)
		error = read_program_ids(instance);
	else if (error == -ENOENT && !access(path, F_OK))
		error = -EPROTO; /* the folder appears whole, so a pin that lacks is another version's */
	if (error) {
		instance_free(instance);
		return error;
	}
	*ret_instance = instance;
	return 0;
}

static void unmap(const volatile void *memory, size_t size)
{
	if (memory)
		munmap((void *)memory, pins_mapped_len(size));
}

void instance_free(struct instance *instance)
{
	if (!instance)
		return;
	unmap(instance->gate, sizeof(*instance->gate));
	unmap(instance->book, sizeof(*instance->book));
	unmap(instance->counters, instance->cpus * load_counters_stride());
	unmap(instance->events, instance->cpus * load_events_stride());
	unmap(instance->collected, collected_size(instance));
	closep(&instance->ring);
	free(instance);
}

const char *instance_name(const struct instance *instance)
{
	return instance->name;
}

const volatile struct zw_gate *instance_gate(const struct instance *instance)
{
	return instance->gate;
}

uint32_t instance_current(const struct instance *instance)
{
	return instance->gate->generation[gate_current(instance->gate)];
}

void instance_trial(const struct instance *instance, struct instance_trial *ret_trial)
{
	const volatile struct zw_gate *gate = instance->gate;
	uint64_t word = gate_word(gate);

	*ret_trial = (struct instance_trial){ .failed = instance->book->reverted };
	if (zw_gate_state(word) == ZW_GATE_ON_TRIAL) {
		ret_trial->on = true;
		ret_trial->fallback = gate->generation[zw_gate_fallback(word)];
		ret_trial->left_s = gate_left_s(gate);
	} else if (zw_gate_state(word) == ZW_GATE_REVERTED) {
		ret_trial->is_over = true;
		ret_trial->failed = gate->generation[zw_gate_fallback(word)];
	}
}

unsigned instance_cpus(const struct instance *instance)
{
	return instance->cpus;
}

int instance_ring_fd(const struct instance *instance)
{
	return instance->ring;
}

const volatile struct zw_event_head *instance_events(const struct instance *instance, unsigned cpu,
						     const volatile struct zw_event_entry **ret_entries)
{
	const volatile struct zw_event_head *head = (const volatile void *)(instance->events + cpu * load_events_stride());

	*ret_entries = (const volatile void *)(head + 1);
	return head;
}

volatile struct collected *instance_collected(const struct instance *instance, unsigned cpu)
{
	return instance->collected + (size_t)cpu * ZW_EVENT_ALL_ENTRIES;
}

void instance_count(const struct instance *instance, unsigned slot, struct zw_count ret_counts[ZW_REASONS])
{
	memset(ret_counts, 0, ZW_REASONS * sizeof(*ret_counts));
	for (unsigned cpu = 0; cpu < instance->cpus; cpu++) {
		const volatile struct zw_point_counters *counters =
			(const volatile void *)(instance->counters + cpu * load_counters_stride());

		for (unsigned reason = 0; reason < ZW_REASONS; reason++) {
			ret_counts[reason].packets += counters[slot].reason[reason].packets;
			ret_counts[reason].bytes += counters[slot].reason[reason].bytes;
		}
	}
}

/* Does not look at the hook: that is attach_check's. */
static void describe(const struct instance *instance, unsigned i, struct attach_point *ret_point)
{
	const struct book_slot *slot = &instance->book->slot[i];

	*ret_point = (struct attach_point){
		.ifindex = slot->ifindex, .hook = slot->hook, .mode = slot->mode, .slot = i
	};
	memcpy(ret_point->ifname, slot->ifname, sizeof(ret_point->ifname) - 1);
}

int instance_attach_points(const struct instance *instance, struct attach_point **ret_points, size_t *ret_count)
{
	struct attach_point *points = array_new(ZW_POINT_SLOTS, sizeof(*points));
	_cleanup_free_ struct netdev *devices = NULL;
	size_t device_count, count = 0;
	int error = points ? netdevs_read(&devices, &device_count) : -ENOMEM;

	if (error) {
		free(points);
		return error;
	}
	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++) {
		const struct book_slot *slot = &instance->book->slot[i];
		struct attach_point *point = &points[count];
		const struct netdev *device;

		if (!slot->attached)
			continue;
		describe(instance, i, point);
		device = netdevs_find(devices, device_count, slot->ifindex);
		memcpy(point->ifname, device ? device->name : "", device ? sizeof(point->ifname) : 1);
		point->healthy = attach_check(instance->name, slot, instance->program_id[slot->hook], device, point->note);
		count++;
	}
	*ret_points = points;
	*ret_count = count;
	return 0;
}

int instance_lost_points(const struct instance *instance, struct attach_point **ret_points, size_t *ret_count)
{
	_cleanup_free_ struct attach_point *points = NULL;
	size_t count = 0;

	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++) {
		const struct book_slot *slot = &instance->book->slot[i];
		char name[IF_NAMESIZE], note[128];

		if (!slot->attached ||
		    attach_is_held(instance->name, slot, instance->program_id[slot->hook], note) ||
		    !if_indextoname(slot->ifindex, name))
			continue;
		if (array_grow(&points, count, sizeof(*points)))
			return -ENOMEM;
		describe(instance, i, &points[count]);
		memcpy(points[count].ifname, name, sizeof(name));
		memcpy(points[count++].note, note, sizeof(note));
	}
	*ret_points = take_ptr(points);
	*ret_count = count;
	return 0;
}

bool instance_slot(const struct instance *instance, unsigned slot, struct attach_point *ret_point)
{
	if (slot == 0 || slot >= ZW_POINT_SLOTS || !instance->book->slot[slot].ifindex)
		return false;
	describe(instance, slot, ret_point);
	return true;
}

static size_t guarded_len(const struct names_header *header)
{
	return (header->guarded[0] + header->guarded[1]) * sizeof(struct range);
}

static bool is_sound(const struct names_header *header, size_t size)
{
	static const uint32_t part[ZW_PARTS] = ZW_PART_NUMBERS;
	size_t left = size;

	if (left < sizeof(*header) || header->part != part[ZW_PART_GENERATION] || header->layout_len != sizeof(struct zw_layout))
		return false;
	left -= sizeof(*header);
	if (left < header->layout_len)
		return false;
	left -= header->layout_len;
	if (header->guarded[0] > left / sizeof(struct range) || header->guarded[1] > left / sizeof(struct range) ||
	    guarded_len(header) > left)
		return false;
	return header->names_len <= left - guarded_len(header);
}

/* Maps a generation's zw_names. On success the caller unmaps it. */
static int map_names(const char *name, uint32_t number, const struct names_header **ret_header, size_t *ret_size)
{
	const struct names_header *header;
	char path[PATH_MAX];
	size_t size;
	int error;

	pins_path(path, name, "/gen-%u/zw_names", number);
	error = pins_map_whole(path, (const void **)&header, &size);
	if (error)
		return error;
	if (!is_sound(header, size)) {
		munmap((void *)header, pins_mapped_len(size));
		return -EPROTO;
	}
	*ret_header = header;
	*ret_size = size;
	return 0;
}

int pins_read_layout(const char *instance, uint32_t number, struct zw_layout *ret_layout)
{
	const struct names_header *header;
	size_t size;
	int error = map_names(instance, number, &header, &size);

	if (error)
		return error;
	memcpy(ret_layout, header + 1, sizeof(*ret_layout));
	munmap((void *)header, pins_mapped_len(size));
	return 0;
}

/* Only the head of the map is touched: it stands before the names, which may be many. */
int pins_read_guarded(const char *instance, uint32_t number, struct ranges *ret_guarded)
{
	const struct names_header *header;
	struct ranges guarded = { 0 };
	char path[PATH_MAX];
	size_t counts[2], len;
	int error;

	pins_path(path, instance, "/gen-%u/zw_names", number);
	error = pins_map_head(path, sizeof(*header), (const void **)&header);
	if (error)
		return error;
	memcpy(counts, header->guarded, sizeof(counts));
	len = sizeof(*header) + header->layout_len + guarded_len(header);
	munmap((void *)header, pins_mapped_len(sizeof(*header)));
	error = pins_map_head(path, len, (const void **)&header);
	if (error)
		return error;
	for (size_t i = 0; i < counts[0] + counts[1] && !error; i++) {
		struct range range;

		memcpy(&range, (const char *)(header + 1) + header->layout_len + i * sizeof(range), sizeof(range));
		error = ranges_add(&guarded, i < counts[0] ? 4 : 6, range.first, range.last);
	}
	munmap((void *)header, pins_mapped_len(len));
	if (error)
		ranges_clear(&guarded);
	else
		*ret_guarded = guarded;
	return error;
}

static int read_names(const char *name, struct generation *generation)
{
	const struct names_header *header;
	size_t size;
	int error = map_names(name, generation->number, &header, &size);

	if (error)
		return error;
	memcpy(&generation->layout, header + 1, sizeof(generation->layout));
	generation->tables_len = header->tables_len;
	error = names_load((const char *)(header + 1) + header->layout_len + guarded_len(header), header->names_len, &generation->names);
	munmap((void *)header, pins_mapped_len(size));
	return error;
}

static int open_generation(const char *name, uint32_t number, unsigned cpus, struct generation *generation)
{
	char path[PATH_MAX];
	int error;

	generation->number = number;
	error = read_names(name, generation);
	if (error)
		return error;
	generation->counters_stride = load_rules_stride(&generation->layout);
	generation->counters_len = cpus * generation->counters_stride;
	pins_path(path, name, "/gen-%u/zw_rules", number);
	return pins_map(path, generation->counters_len, false, (void **)&generation->counters);
}

int pins_map_tables(const char *instance, struct generation *generation)
{
	char path[PATH_MAX];

	pins_path(path, instance, "/gen-%u/zw_tables", generation->number);
	return pins_map(path, generation->tables_len, false, (void **)&generation->tables);
}

int generation_open(const struct instance *instance, uint32_t number, struct generation **ret_generation)
{
	struct generation *generation;
	char path[PATH_MAX];
	int error = pins_open_generation(instance->name, number, &generation);

	if (error)
		return error;
	error = pins_map_tables(instance->name, generation);
	pins_path(path, instance->name, "/gen-%u/zw_sources", number);
	if (!error)
		error = pins_map(path, sizeof(*generation->sources), false, (void **)&generation->sources);
	if (error)
		generation_free(generation);
	else
		*ret_generation = generation;
	return error;
}

static int read_pack(const struct instance *instance, uint32_t number, const char *name, struct files **ret_files)
{
	const void *pack;
	char path[PATH_MAX];
	size_t size;
	int error;

	pins_path(path, instance->name, "/gen-%u/%s", number, name);
	error = pins_map_whole(path, &pack, &size);
	if (error)
		return error;
	error = files_unpack(pack, size, ret_files);
	munmap((void *)pack, pins_mapped_len(size));
	return error == -EINVAL ? -EPROTO : error;
}

int generation_files(const struct instance *instance, uint32_t number, struct files **ret_files)
{
	return read_pack(instance, number, "zw_policy", ret_files);
}

int generation_candidate(const struct instance *instance, uint32_t number, struct files **ret_files)
{
	return read_pack(instance, number, "zw_candidate", ret_files);
}

int pins_open_generation(const char *instance, uint32_t number, struct generation **ret_generation)
{
	struct generation *generation = calloc(1, sizeof(*generation));
	const unsigned cpus = load_cpus();
	int error = !generation ? -ENOMEM : !cpus ? -EIO : open_generation(instance, number, cpus, generation);

	if (error)
		generation_free(generation);
	else
		*ret_generation = generation;
	return error;
}

void generation_free(struct generation *generation)
{
	if (!generation)
		return;
	unmap(generation->tables, generation->tables_len);
	unmap(generation->counters, generation->counters_len);
	unmap(generation->sources, sizeof(*generation->sources));
	names_free(generation->names);
	free(generation);
}

void generation_count(const struct instance *instance, const struct generation *generation, uint32_t rule,
		      struct zw_rule_counters *ret_counters)
{
	(void)instance;
	*ret_counters = (struct zw_rule_counters){ 0 };
	for (size_t at = 0; at < generation->counters_len; at += generation->counters_stride) {
		const volatile struct zw_rule_counters *counters =
			(const volatile void *)((const volatile char *)generation->counters + at);

		ret_counters->flows += counters[rule].flows;
		ret_counters->packets.packets += counters[rule].packets.packets;
		ret_counters->packets.bytes += counters[rule].packets.bytes;
		if (counters[rule].last > ret_counters->last)
			ret_counters->last = counters[rule].last;
	}
}

uint64_t generation_limited(const struct generation *generation, uint32_t rule)
{
	uint64_t limited = 0;

	for (size_t at = 0; at < generation->counters_len && rule < generation->layout.limit_words; at += generation->counters_stride)
		limited += *(const volatile uint64_t *)((const volatile char *)generation->counters + at +
							zw_rules_limited(generation->layout.rule_count) + rule * sizeof(uint64_t));
	return limited;
}
