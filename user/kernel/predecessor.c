// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/predecessor.h"

#include <dirent.h>
#include <inttypes.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "base/util.h"
#include "kernel/attach.h"
#include "kernel/edge.h"
#include "kernel/gate.h"
#include "kernel/hook.h"
#include "kernel/netdev.h"

static const uint32_t own_part[ZW_PARTS] = ZW_PART_NUMBERS;

static int refuse(const char *instance, unsigned abi)
{
	edge_error(0,
		   "instance '%s' is published by a zonewall of ABI %u, which this one (ABI %d) cannot take over: nothing was "
		   "changed\nfix: go on with that version; or 'zonewall down --instance %s', which lets everything pass, and "
		   "apply again", instance, abi, ZW_ABI, instance);
	return -EPROTO;
}

/* What every book begins with can be read whatever follows. */
static bool has_our_control(const char *instance, unsigned abi)
{
	const struct book *book;
	char path[PATH_MAX];
	size_t size;
	bool same;

	pins_path_of(path, instance, abi, "/gate/zw_book");
	if (pins_map_whole(path, (const void **)&book, &size))
		return false;
	same = size == sizeof(*book) && book->magic == BOOK_MAGIC &&
	       book->part[ZW_PART_CONTROL] == own_part[ZW_PART_CONTROL];
	munmap((void *)book, pins_mapped_len(size));
	return same;
}

int predecessor_open(const char *instance, struct predecessor *ret_predecessor)
{
	struct predecessor *p = ret_predecessor;
	char path[PATH_MAX];
	int error;

	*p = (struct predecessor){ .abi = pins_are_others(instance) ? pins_other_abi(instance) : 0 };
	if (!p->abi)
		return -ENOENT;
	if (!has_our_control(instance, p->abi))
		return refuse(instance, p->abi);
	pins_path_of(path, instance, p->abi, "/gate/zw_book");
	error = pins_map(path, sizeof(*p->book), false, (void **)&p->book);
	pins_path_of(path, instance, p->abi, "/gate/zw_gate");
	if (!error)
		error = pins_map(path, sizeof(*p->line), false, (void **)&p->line);
	return error ? edge_error(error, "cannot open %s", path) : 0;
}

void predecessor_close(struct predecessor *p)
{
	if (p->book)
		munmap((void *)p->book, pins_mapped_len(sizeof(*p->book)));
	if (p->line)
		munmap((void *)p->line, pins_mapped_len(sizeof(*p->line)));
	*p = (struct predecessor){ 0 };
}

bool predecessor_keeps(const struct predecessor *p, enum zw_part part)
{
	return p->book->part[part] == own_part[part];
}

static void warn_of_losses(const struct predecessor *p)
{
	static const char *const losses[ZW_PARTS] = {
		[ZW_PART_GENERATION] = "tables: what its rules have counted since the last apply is lost, and it cannot be gone back to",
		[ZW_PART_FLOWS] = "flows: connections that sockets or conntrack know become flows anew; any other is picked up with "
				  "the next packet that policy allows",
		[ZW_PART_POINTS] = "attach points: they count from 0 on",
		[ZW_PART_EVENTS] = "events: what was not told yet is not told",
		[ZW_PART_LIMITS] = "token buckets: they begin full",
		[ZW_PART_BLOCKS] = "the block list: it has again what was blocked by hand, not what limits have banned",
	};

	for (unsigned part = 0; part < ZW_PARTS; part++)
		if (losses[part] && !predecessor_keeps(p, part))
			edge_warn("ABI %u has another layout of %s", p->abi, losses[part]);
}

int predecessor_check(const char *instance, const struct predecessor *p, bool on_trial)
{
	int error = book_check_netns(p->book, instance);

	if (error)
		return error;
	if (zw_gate_state(gate_word(p->line)) == ZW_GATE_ON_TRIAL) {
		edge_error(0, "a policy of ABI %u is on trial for another %u s: nothing was changed\nfix: wait, or confirm it with "
			      "that version", p->abi, gate_left_s(p->line));
		return -EBUSY;
	}
	if (on_trial && !predecessor_keeps(p, ZW_PART_GENERATION)) {
		edge_error(0, "ABI %u has another layout of tables, so a trial could not go back: nothing was changed\n"
			      "fix: zonewall restore; then apply it with --confirm", p->abi);
		return -EOPNOTSUPP;
	}
	warn_of_losses(p);
	return 0;
}

static bool is_pinned(const char *instance, const struct predecessor *p, uint32_t generation)
{
	char path[PATH_MAX];

	pins_path_of(path, instance, p->abi, "/gen-%" PRIu32 "/zw_names", generation);
	return !access(path, F_OK);
}

static uint64_t confirmed_word(const char *instance, const struct predecessor *p)
{
	uint64_t word = gate_word(p->line);
	unsigned active = zw_gate_active(word), back = zw_gate_fallback(word);

	if (zw_gate_state(word) != ZW_GATE_CONFIRMED || !predecessor_keeps(p, ZW_PART_GENERATION) ||
	    !is_pinned(instance, p, p->line->generation[back]))
		back = active;
	return zw_gate_word(active, back, ZW_GATE_CONFIRMED) | (word & ZW_GATE_PARTLY);
}

void predecessor_line(const char *instance, const struct predecessor *p, struct zw_gate *ret_line)
{
	uint64_t word = confirmed_word(instance, p);

	*ret_line = (struct zw_gate){ .word = word, .missed = p->line->missed };
	for (unsigned slot = 0; slot < ZW_GATE_SLOTS; slot++)
		if (!gate_is_free(word, slot))
			ret_line->generation[slot] = p->line->generation[slot];
}

/* One more pin of what is pinned at `from`. */
static int pin_again(const char *from, const char *to)
{
	_cleanup_close_ int fd = bpf_obj_get(from);

	return fd < 0 || bpf_obj_pin(fd, to) ? -errno : 0;
}

static int pin_generation(const char *instance, unsigned abi, uint32_t number)
{
	char from[PATH_MAX], to[PATH_MAX], file[NAME_MAX + 1];
	struct dirent *entry;
	int error;
	DIR *dir;

	pins_path(to, instance, "-new/gen-%" PRIu32, number);
	error = pins_mkdir(to, 0700);
	pins_path_of(from, instance, abi, "/gen-%" PRIu32, number);
	dir = error ? NULL : opendir(from);
	if (!dir)
		return error ? error : -errno;
	while (!error && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s", entry->d_name);
		pins_path_of(from, instance, abi, "/gen-%" PRIu32 "/%s", number, file);
		pins_path(to, instance, "-new/gen-%" PRIu32 "/%s", number, file);
		error = pin_again(from, to);
	}
	closedir(dir);
	return error;
}

int predecessor_pin_generations(const char *instance, const struct predecessor *p)
{
	uint64_t word = confirmed_word(instance, p);
	int error = 0;

	for (unsigned slot = 0; slot < ZW_GATE_SLOTS && !error; slot++)
		if (!gate_is_free(word, slot) && p->line->generation[slot] && predecessor_keeps(p, ZW_PART_GENERATION))
			error = pin_generation(instance, p->abi, p->line->generation[slot]);
	return error;
}

/* What is not there any more is attach_begin()'s to mend. */
static int take_filter(const struct gate *gate, const struct book_slot *slot)
{
	uint32_t there;
	bool made;
	int error = hook_read_filter(slot->ifindex, slot->hook, &there);

	if (error || !there || there == gate->program_id[slot->hook])
		return error;
	return hook_add_filter(gate->program[slot->hook], slot->ifindex, slot->hook, &made);
}

static int take_link(const struct gate *gate, const struct book_slot *slot, unsigned abi)
{
	char from[PATH_MAX], to[PATH_MAX], file[32];

	snprintf(file, sizeof(file), "/links/%s-%u", attach_hook_name(slot->hook), slot->ifindex);
	pins_path_of(from, gate->instance, abi, "%s", file);
	pins_path(to, gate->instance, "%s", file);
	return hook_hand_over(from, to, gate->program[slot->hook]);
}

static int take_points(const struct gate *gate, unsigned abi)
{
	int error = 0;

	for (unsigned i = 1; i < ZW_POINT_SLOTS && !error; i++) {
		const struct book_slot *slot = &gate->book->slot[i];

		if (!slot->attached)
			continue;
		error = slot->mode == ATTACH_CLSACT ? take_filter(gate, slot) : take_link(gate, slot, abi);
		if (error)
			return edge_error(error, "cannot take %s of '%s' over from ABI %u", attach_hook_name(slot->hook),
					  slot->ifname, abi);
	}
	return 0;
}

static void remove_folder(const char *instance, unsigned abi)
{
	char from[PATH_MAX], to[PATH_MAX];

	pins_path_of(from, instance, abi, "%s", "");
	pins_path_of(to, instance, abi, "-gone");
	if (!rename(from, to))
		pins_remove(to);
}

/* A packet may be on its way through the other gate, whose slots are emptied with their last pin. */
int predecessor_end(const struct gate *gate)
{
	unsigned abi;
	int error;

	while ((abi = pins_other_abi(gate->instance))) {
		error = has_our_control(gate->instance, abi) ? take_points(gate, abi) : refuse(gate->instance, abi);
		if (error)
			return error;
		error = gate_wait();
		if (error)
			return edge_error(error, "cannot wait for packets on their way");
		remove_folder(gate->instance, abi);
	}
	return 0;
}

static int remove_links(const char *instance, unsigned abi)
{
	char path[PATH_MAX], name[NAME_MAX + 1];
	struct dirent *entry;
	int error = 0;
	DIR *dir;

	pins_path_of(path, instance, abi, "/links");
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!error && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s", entry->d_name);
		pins_path_of(path, instance, abi, "/links/%s", name);
		error = hook_unlink(path);
	}
	closedir(dir);
	return error;
}

/* By their handle: where its book says that they are is not known here. A qdisc of its own stays, which does nothing. */
static int remove_filters(void)
{
	_cleanup_free_ struct netdev *devices = NULL;
	size_t count;
	int error = netdevs_read(&devices, &count);

	for (size_t i = 0; i < count && !error; i++)
		for (unsigned hook = ZW_HOOK_INGRESS; hook <= ZW_HOOK_EGRESS && !error; hook++) {
			uint32_t there = 0;

			error = hook_read_filter(devices[i].ifindex, hook, &there);
			if (there)
				error = hook_remove_filter(devices[i].ifindex, hook);
		}
	return error;
}

int predecessor_remove(const char *instance, unsigned abi)
{
	int error = remove_links(instance, abi);

	if (!error)
		error = remove_filters();
	if (error)
		return edge_error(error, "cannot detach what ABI %u has attached", abi);
	gate_wait();
	remove_folder(instance, abi);
	return 0;
}

bool predecessor_tell(const char *instance)
{
	unsigned abi = pins_are_others(instance) ? pins_other_abi(instance) : 0;

	if (abi)
		edge_error(0,
			   "instance '%s' is published by a zonewall of ABI %u, and this one is of ABI %d\nfix: 'zonewall restore', "
			   "or 'zonewall apply FILE', takes it over, with its connections", instance, abi, ZW_ABI);
	return abi;
}
