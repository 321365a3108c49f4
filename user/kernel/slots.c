// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/slots.h"

#include <inttypes.h>

#include <bpf/bpf.h>

#include "base/util.h"
#include "kernel/attach.h"
#include "kernel/gate.h"
#include "kernel/pins.h"
#include "kernel/programs.h"

/* One hook's part of one slot: what should be there and what is. */
struct entry {
	__u32 slot;
	enum zw_hook hook;
	uint32_t generation;
	int array, program; /* -1: the generation has none for this hook */
	__u32 wanted, there; /* ids, 0 none */
};

static void entry_close(struct entry *entry)
{
	closep(&entry->array);
	closep(&entry->program);
}

static int get(const char *instance, const char *file)
{
	char path[PATH_MAX];

	pins_path(path, instance, "/%s", file);
	return bpf_obj_get(path);
}

static __u32 program_id(int program)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	return program < 0 || bpf_obj_get_info_by_fd(program, &info, &len) ? 0 : info.id;
}

static bool is_readable(const char *instance, uint32_t generation)
{
	char path[PATH_MAX];

	pins_path(path, instance, "/gen-%" PRIu32 "/zw_names", generation);
	return generation && !access(path, F_OK);
}

/* entry->slot and hook are set. What cannot be opened is the keeper's. */
static bool open_entry(const char *instance, struct entry *entry)
{
	char file[64];

	snprintf(file, sizeof(file), "gate/zw_slot_%s", attach_hook_name(entry->hook));
	entry->array = get(instance, file);
	snprintf(file, sizeof(file), "gen-%" PRIu32 "/%s", entry->generation, programs_pin(entry->hook));
	entry->program = get(instance, file);
	if (entry->array < 0 || (entry->program < 0 && errno != ENOENT))
		return false;
	entry->wanted = program_id(entry->program);
	if (bpf_map_lookup_elem(entry->array, &entry->slot, &entry->there))
		entry->there = 0;
	return true;
}

static int put_back(const struct entry *entry)
{
	int error = entry->program < 0 ? bpf_map_delete_elem(entry->array, &entry->slot) :
					 bpf_map_update_elem(entry->array, &entry->slot, &entry->program, BPF_ANY);

	return error ? -errno : 0;
}

/* How many are not as they should be; with `tell` they are put back. */
static unsigned look(const struct instance *instance, slot_teller *tell, void *context)
{
	const volatile struct zw_gate *line = instance_gate(instance);
	uint64_t word = gate_word(line);
	unsigned edited = 0;

	for (unsigned i = 0; i < ZW_GATE_SLOTS * ZW_HOOKS; i++) {
		_cleanup_(entry_close) struct entry entry = { .slot = i / ZW_HOOKS, .hook = i % ZW_HOOKS, .array = -1, .program = -1 };

		entry.generation = line->generation[entry.slot];
		if (gate_is_free(word, entry.slot) || !is_readable(instance_name(instance), entry.generation) ||
		    !open_entry(instance_name(instance), &entry) || entry.there == entry.wanted)
			continue;
		edited++;
		if (tell)
			tell(context, entry.slot, entry.hook, entry.generation, put_back(&entry));
	}
	return edited;
}

void slots_look(const struct instance *instance, slot_teller *tell, void *context)
{
	_cleanup_close_ int lock = -1;

	/* As they are while nobody publishes: an apply pins a program before it fills the slot. */
	if (look(instance, NULL, NULL) && !pins_lock(instance_name(instance), &lock))
		look(instance, tell, context);
}
