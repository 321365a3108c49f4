// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/gate.h"

#include <inttypes.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "gate.skel.h"
#include "kernel/edge.h"
#include "kernel/jiffies.h"
#include "kernel/load.h"
#include "kernel/predecessor.h"
#include "kernel/probe.h"
#include "kernel/programs.h"
#include "kernel/sources.h"

DEFINE_CLEANUP(struct gate_bpf *, gate_bpf__destroy)

static const char *const slot_pins[ZW_HOOKS] = { "zw_slot_xdp", "zw_slot_ingress", "zw_slot_egress" };
static const char *const program_pins[ZW_HOOKS] = { "zw_gate_xdp", "zw_gate_ingress", "zw_gate_egress" };
static const char *const none_pins[ZW_HOOKS] = { "zw_none_xdp", "zw_none_tc", "zw_none_tc" };

static int pin(int fd, const char *instance, const char *file)
{
	char path[PATH_MAX];

	pins_path(path, instance, "-new/%s", file);
	return fd < 0 || bpf_obj_pin(fd, path) ? -errno : 0;
}

/* What another ABI has pinned. Returns a descriptor or -errno. */
static int get_of(const char *instance, unsigned abi, const char *file)
{
	char path[PATH_MAX];
	int fd;

	pins_path_of(path, instance, abi, "/%s", file);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static int make_folders(const char *instance)
{
	static const char *const folders[] = { "", "/gate", "/links", "/state" };
	char path[PATH_MAX];
	int error = 0;

	pins_path(path, instance, "-new");
	pins_remove(path);
	for (size_t i = 0; i < ARRAY_LEN(folders) && !error; i++) {
		pins_path(path, instance, "-new%s", folders[i]);
		error = pins_mkdir(path, 0700);
	}
	return error;
}

static int slot_map(const struct gate_bpf *skel, unsigned hook)
{
	const struct bpf_map *const maps[ZW_HOOKS] = { skel->maps.zw_slot_xdp, skel->maps.zw_slot_ingress,
						       skel->maps.zw_slot_egress };

	return bpf_map__fd(maps[hook]);
}

/* Before the first generation all slots pass everything. */
static int fill_with_pass(const struct gate_bpf *skel)
{
	const int xdp = bpf_program__fd(skel->progs.zw_pass_xdp), tc = bpf_program__fd(skel->progs.zw_pass_tc);

	for (unsigned hook = 0; hook < ZW_HOOKS; hook++)
		for (__u32 slot = 0; slot < ZW_GATE_SLOTS; slot++)
			if (bpf_map_update_elem(slot_map(skel, hook), &slot, hook == ZW_HOOK_XDP ? &xdp : &tc, BPF_ANY))
				return -errno;
	return 0;
}

static int pin_gate(const char *instance, const struct gate_bpf *skel)
{
	const struct {
		int fd;
		const char *file;
	} pins[] = {
		{ bpf_map__fd(skel->maps.bss), "gate/zw_gate" },
		{ bpf_map__fd(skel->maps.zw_unnamed), "gate/zw_unnamed" },
		{ bpf_map__fd(skel->maps.zw_slot_xdp), "gate/zw_slot_xdp" },
		{ bpf_map__fd(skel->maps.zw_slot_ingress), "gate/zw_slot_ingress" },
		{ bpf_map__fd(skel->maps.zw_slot_egress), "gate/zw_slot_egress" },
		{ bpf_program__fd(skel->progs.zw_gate_xdp), "gate/zw_gate_xdp" },
		{ bpf_program__fd(skel->progs.zw_gate_ingress), "gate/zw_gate_ingress" },
		{ bpf_program__fd(skel->progs.zw_gate_egress), "gate/zw_gate_egress" },
		{ bpf_program__fd(skel->progs.zw_none_xdp), "gate/zw_none_xdp" },
		{ bpf_program__fd(skel->progs.zw_none_tc), "gate/zw_none_tc" },
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_LEN(pins) && !error; i++)
		error = pin(pins[i].fd, instance, pins[i].file);
	return error;
}

static int read_netns(uint64_t ret_netns[2])
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st))
		return -errno;
	ret_netns[0] = st.st_dev;
	ret_netns[1] = st.st_ino;
	return 0;
}

static int make_book(const char *instance, const struct predecessor *predecessor)
{
	static const uint32_t part[ZW_PARTS] = ZW_PART_NUMBERS;
	_cleanup_close_ int fd = pins_create_array("zw_book", sizeof(struct book));
	struct book *book;
	int error = 0;

	if (fd < 0)
		return fd;
	book = mmap(NULL, pins_mapped_len(sizeof(*book)), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (book == MAP_FAILED)
		return -errno;
	if (predecessor)
		*book = *predecessor->book;
	else
		error = read_netns(book->netns);
	book->magic = BOOK_MAGIC;
	memset(book->part, 0, sizeof(book->part));
	memcpy(book->part, part, sizeof(part));
	munmap(book, pins_mapped_len(sizeof(*book)));
	return error ? error : pin(fd, instance, "gate/zw_book");
}

static int make_collected(const char *instance, const struct predecessor *predecessor)
{
	_cleanup_close_ int fd = -1;

	if (predecessor && predecessor_keeps(predecessor, ZW_PART_EVENTS))
		fd = get_of(instance, predecessor->abi, "state/zw_collected");
	else
		fd = pins_create_array("zw_collected",
				       (size_t)load_cpus() * ZW_EVENT_ALL_ENTRIES * sizeof(struct collected));
	return fd < 0 ? fd : pin(fd, instance, "state/zw_collected");
}

/* zw_unnamed speaks of slots, and the predecessor's stay where they are. */
static int use_unnamed(struct gate_bpf *skel, const char *instance, const struct predecessor *predecessor)
{
	_cleanup_close_ int fd = get_of(instance, predecessor->abi, "gate/zw_unnamed");

	return fd < 0 ? fd : bpf_map__reuse_fd(skel->maps.zw_unnamed, fd) ? -errno : 0;
}

static int explain_load(int error)
{
	const char *missing = edge_missing_rights(), *feature;

	if ((error == -EPERM || error == -EACCES) && missing[0])
		return edge_error(error, "cannot load the gate: %s needed", missing);
	feature = probe_missing(0);
	if (feature) {
		edge_error(0, "cannot load the gate: this kernel lacks %s", feature);
		return -EOPNOTSUPP;
	}
	edge_print_captured();
	return edge_error(error, "cannot load the gate");
}

static int load_gate(const char *instance, const struct predecessor *predecessor, struct gate_bpf **ret_skel)
{
	_cleanup_(gate_bpf__destroyp) struct gate_bpf *skel = NULL;
	int error = 0;

	edge_capture_libbpf();
	skel = gate_bpf__open();
	if (!skel)
		return explain_load(-errno);
	if (predecessor)
		error = use_unnamed(skel, instance, predecessor);
	if (!error)
		error = gate_bpf__load(skel);
	if (error)
		return explain_load(error);
	*ret_skel = take_ptr(skel);
	return 0;
}

/*
 * The predecessor's programs of one generation. For a hook that it has none of, the slot is empty, so that it is loaded when
 * it is wanted; or passes, as such hooks do with that generation, if it cannot be loaded any more.
 */
static int fill_from(const struct gate_bpf *skel, const char *instance, const struct predecessor *predecessor, __u32 slot,
		     uint32_t generation)
{
	for (unsigned hook = 0; hook < ZW_HOOKS; hook++) {
		_cleanup_close_ int program = -1;
		char file[64];

		snprintf(file, sizeof(file), "gen-%" PRIu32 "/%s", generation, programs_pin(hook));
		program = get_of(instance, predecessor->abi, file);
		if (program < 0 && program != -ENOENT)
			return program;
		if (program >= 0 && bpf_map_update_elem(slot_map(skel, hook), &slot, &program, BPF_ANY))
			return -errno;
		if (program < 0 && predecessor_keeps(predecessor, ZW_PART_GENERATION))
			bpf_map_delete_elem(slot_map(skel, hook), &slot);
	}
	return 0;
}

static int succeed(struct gate_bpf *skel, const char *instance, const struct predecessor *predecessor)
{
	struct zw_gate line;
	int error = 0;

	predecessor_line(instance, predecessor, &line);
	for (__u32 slot = 0; slot < ZW_GATE_SLOTS && !error; slot++)
		if (line.generation[slot])
			error = fill_from(skel, instance, predecessor, slot, line.generation[slot]);
	memcpy((void *)&skel->bss->zw_gate, &line, sizeof(line));
	return error ? error : predecessor_pin_generations(instance, predecessor);
}

int gate_create(const char *instance, const struct predecessor *predecessor)
{
	_cleanup_(gate_bpf__destroyp) struct gate_bpf *skel = NULL;
	int error = load_know_cpus();

	if (error)
		return error;
	error = make_folders(instance);
	if (error)
		return edge_error(error, "cannot make the folder of instance '%s' below " PINS_OWN, instance);
	error = load_gate(instance, predecessor, &skel);
	if (error)
		return error;
	error = fill_with_pass(skel);
	if (!error && predecessor)
		error = succeed(skel, instance, predecessor);
	if (!error)
		error = pin_gate(instance, skel);
	if (!error)
		error = make_book(instance, predecessor);
	if (!error)
		error = make_collected(instance, predecessor);
	return error ? edge_error(error, "cannot pin the gate of instance '%s'", instance) : 0;
}

int gate_settle(const char *instance)
{
	char from[PATH_MAX], to[PATH_MAX];

	pins_path(from, instance, "-new");
	pins_path(to, instance, "%s", "");
	return rename(from, to) ? edge_error(errno, "cannot rename %s", from) : 0;
}

static int get(const char *instance, const char *file)
{
	char path[PATH_MAX];
	int fd;

	pins_path(path, instance, "/gate/%s", file);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

static int get_programs(struct gate *gate)
{
	for (unsigned hook = 0; hook < ZW_HOOKS; hook++) {
		struct bpf_prog_info info = { 0 };
		__u32 len = sizeof(info);

		gate->program[hook] = get(gate->instance, program_pins[hook]);
		if (gate->program[hook] < 0)
			return gate->program[hook];
		gate->slots[hook] = get(gate->instance, slot_pins[hook]);
		if (gate->slots[hook] < 0)
			return gate->slots[hook];
		gate->none[hook] = get(gate->instance, none_pins[hook]);
		if (gate->none[hook] < 0 && gate->none[hook] != -ENOENT)
			return gate->none[hook];
		if (bpf_obj_get_info_by_fd(gate->program[hook], &info, &len))
			return -errno;
		gate->program_id[hook] = info.id;
	}
	return 0;
}

static int map_file(const char *instance, const char *file, size_t size, void **ret_memory)
{
	char path[PATH_MAX];

	pins_path(path, instance, "/%s", file);
	return pins_map(path, size, true, ret_memory);
}

static int open_all(struct gate *gate)
{
	int error = get_programs(gate);

	gate->unnamed = get(gate->instance, "zw_unnamed");
	if (!error && gate->unnamed < 0)
		error = gate->unnamed;
	if (!error)
		error = map_file(gate->instance, "gate/zw_gate", sizeof(*gate->line), (void **)&gate->line);
	if (!error)
		error = map_file(gate->instance, "gate/zw_book", sizeof(*gate->book), (void **)&gate->book);
	if (!error)
		error = map_file(gate->instance, "state/zw_points", ZW_POINT_ENTRIES * sizeof(struct zw_point),
				 (void **)&gate->points);
	return error;
}

int gate_open(const char *instance, struct gate *ret_gate)
{
	char path[PATH_MAX];
	int error;

	*ret_gate = GATE_CLOSED;
	ret_gate->instance = instance;
	pins_path(path, instance, "%s", "");
	if (access(path, F_OK) && errno == ENOENT)
		return -ENOENT;
	error = open_all(ret_gate);
	if (error == -EPROTO || error == -ENOENT)
		return edge_error(EPROTO, "what is pinned below %s is not what this version expects", path);
	return error ? edge_error(error, "cannot open the pins below %s", path) : 0;
}

void gate_close(struct gate *gate)
{
	for (unsigned hook = 0; hook < ZW_HOOKS; hook++) {
		closep(&gate->program[hook]);
		closep(&gate->slots[hook]);
		closep(&gate->none[hook]);
	}
	closep(&gate->unnamed);
	if (gate->line)
		munmap((void *)gate->line, pins_mapped_len(sizeof(*gate->line)));
	if (gate->book)
		munmap(gate->book, pins_mapped_len(sizeof(*gate->book)));
	if (gate->points)
		munmap(gate->points, pins_mapped_len(ZW_POINT_ENTRIES * sizeof(struct zw_point)));
	sources_free(gate->sources);
	*gate = GATE_CLOSED;
}

static bool is_foreign(const struct book *book)
{
	uint64_t netns[2];

	return read_netns(netns) || netns[0] != book->netns[0] || netns[1] != book->netns[1];
}

bool gate_is_foreign(const struct gate *gate)
{
	return is_foreign(gate->book);
}

int gate_check_netns(const struct gate *gate)
{
	return book_check_netns(gate->book, gate->instance);
}

int book_check_netns(const struct book *book, const char *instance)
{
	if (!is_foreign(book))
		return 0;
	edge_error(0,
		   "instance '%s' belongs to another network namespace\n"
		   "fix: give this one a name of its own: --instance NAME; or, if that namespace is gone: "
		   "zonewall down --instance %s",
		   instance, instance);
	return -EEXIST;
}

static bool is_over(uint64_t deadline)
{
	uint64_t now;

	return deadline && !jiffies_now(&now) && (int64_t)(now - deadline) >= 0;
}

uint64_t gate_word(const volatile struct zw_gate *line)
{
	uint64_t word = __atomic_load_n(&line->word, __ATOMIC_ACQUIRE);

	return zw_gate_state(word) == ZW_GATE_ON_TRIAL && is_over(line->deadline) ? zw_gate_reverted(word) : word;
}

unsigned gate_current(const volatile struct zw_gate *line)
{
	return zw_gate_active(gate_word(line));
}

unsigned gate_left_s(const volatile struct zw_gate *line)
{
	uint64_t deadline = line->deadline, now;
	unsigned hz = jiffies_hz();

	if (jiffies_now(&now) || deadline <= now)
		return 0;
	return (deadline - now + hz - 1) / hz;
}

uint64_t gate_change(volatile struct zw_gate *line, uint64_t (*next)(uint64_t word, const void *context),
		     const void *context)
{
	__u64 seen = __atomic_load_n(&line->word, __ATOMIC_ACQUIRE);

	while (!__atomic_compare_exchange_n(&line->word, &seen, next(seen, context), false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE))
		;
	return seen;
}

bool gate_is_free(uint64_t word, unsigned slot)
{
	return slot != zw_gate_active(word) && slot != zw_gate_fallback(word);
}

unsigned gate_free_slot(uint64_t word)
{
	unsigned slot = 0;

	while (!gate_is_free(word, slot))
		slot++;
	return slot;
}

/* To delete it the kernel waits for a grace period, so that is for where there is no `none`, because its pin is gone. */
static void retire(int slots, __u32 slot, int none)
{
	__u32 program;

	if (bpf_map_lookup_elem(slots, &slot, &program) && errno == ENOENT)
		return; /* since the generation has none for this hook */
	if (none < 0 || bpf_map_update_elem(slots, &slot, &none, BPF_ANY))
		bpf_map_delete_elem(slots, &slot);
}

void gate_empty(const struct gate *gate, unsigned slot)
{
	gate->line->generation[slot] = 0;
	for (unsigned hook = 0; hook < ZW_HOOKS; hook++)
		retire(gate->slots[hook], slot, gate->none[hook]);
}

int gate_fill(const struct gate *gate, unsigned slot, const int program[ZW_HOOKS])
{
	__u32 key = slot;

	for (unsigned hook = 0; hook < ZW_HOOKS; hook++)
		if (program[hook] < 0)
			bpf_map_delete_elem(gate->slots[hook], &key);
		else if (bpf_map_update_elem(gate->slots[hook], &key, &program[hook], BPF_ANY))
			return -errno;
	return 0;
}

/* The kernel waits for a grace period before it lets go of an outer map's former element. */
static int wait_by_map(void)
{
	_cleanup_close_ int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "zw_wait", 4, 4, 1, NULL);
	LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = inner);
	_cleanup_close_ int outer = -1;
	__u32 zero = 0;

	if (inner < 0)
		return -errno;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "zw_waits", 4, 4, 1, &options);
	if (outer < 0 || bpf_map_update_elem(outer, &zero, &inner, BPF_ANY))
		return -errno;
	return 0;
}

int gate_wait(void)
{
	if (!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		return 0;
	return wait_by_map(); /* on CPUs without a tick membarrier refuses */
}
