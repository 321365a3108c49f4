// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/publish.h"

#include <inttypes.h>
#include <pthread.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "kernel/block_book.h"
#include "kernel/change.h"
#include "kernel/counters.h"
#include "kernel/edge.h"
#include "kernel/flows.h"
#include "kernel/gate.h"
#include "kernel/jiffies.h"
#include "kernel/load.h"
#include "kernel/pins.h"
#include "kernel/predecessor.h"
#include "kernel/programs.h"
#include "kernel/saved.h"
#include "kernel/seed.h"
#include "kernel/sources.h"
#include "kernel/unnamed.h"
#include "zonewall.skel.h"

DEFINE_CLEANUP(struct zonewall_bpf *, zonewall_bpf__destroy)
#define _cleanup_gate_ _cleanup_(gate_close)
#define _cleanup_plan_ _cleanup_(attach_plan_clear)

void publish_report_clear(struct publish_report *report)
{
	free(report->changes);
	*report = (struct publish_report){ 0 };
}

/* Grace periods */

static void *wait_for_packets(void *ret_error)
{
	*(int *)ret_error = gate_wait();
	return NULL;
}

struct waiting {
	pthread_t thread;
	bool started;
	int error;
	unsigned busy; /* slots, a bit each, that packets may be on their way to all the same */
};

/* A slot is filled again only when packets that read the line before the last flip are through. Waits beside the work. */
static void wait_begin(struct waiting *waiting, unsigned busy)
{
	waiting->error = 0;
	waiting->busy = busy;
	waiting->started = !pthread_create(&waiting->thread, NULL, wait_for_packets, &waiting->error);
}

static int wait_end(struct waiting *waiting)
{
	if (waiting->started)
		pthread_join(waiting->thread, NULL);
	else
		waiting->error = gate_wait();
	waiting->started = false;
	return waiting->error;
}

/* Loading */

static int pin_state(const struct zonewall_bpf *skel, const char *instance)
{
	struct bpf_map *map;

	for (unsigned i = 0; (map = load_state_map(skel, i)); i++) {
		char path[PATH_MAX];

		pins_path(path, instance, "-new/state/%s", bpf_map__name(map));
		if (bpf_obj_pin(bpf_map__fd(map), path))
			return edge_error(errno, "cannot pin %s", path);
	}
	return 0;
}

struct part {
	const void *bytes;
	size_t len;
};

/* A frozen map whose value is the parts one after the other. Returns a descriptor or -errno. */
static int make_frozen(const char *name, const struct part *parts, size_t count)
{
	_cleanup_close_ int fd = -1;
	size_t size = 0;
	char *memory, *at;

	for (size_t i = 0; i < count; i++)
		size += parts[i].len;
	fd = pins_create_array(name, size);
	if (fd < 0)
		return fd;
	memory = at = mmap(NULL, pins_mapped_len(size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	for (size_t i = 0; i < count; at += parts[i++].len)
		if (parts[i].len)
			memcpy(at, parts[i].bytes, parts[i].len);
	munmap(memory, pins_mapped_len(size));
	bpf_map_freeze(fd);
	return take_fd(&fd);
}

static int make_names(const struct tables *tables, uint32_t generation)
{
	static const uint32_t part[ZW_PARTS] = ZW_PART_NUMBERS;
	const struct ranges *guarded = &tables->guarded;
	struct names_header header = {
		.part = part[ZW_PART_GENERATION],
		.layout_len = sizeof(tables->layout),
		.tables_len = tables->len,
		.guarded = { guarded->v4_count, guarded->v6_count },
	};
	struct zw_layout layout = tables->layout;
	const void *bytes = names_bytes(tables->names, &header.names_len);
	const struct part parts[] = {
		{ &header, sizeof(header) },
		{ &layout, sizeof(layout) },
		{ guarded->v4, guarded->v4_count * sizeof(*guarded->v4) },
		{ guarded->v6, guarded->v6_count * sizeof(*guarded->v6) },
		{ bytes, header.names_len },
	};

	layout.generation = generation;
	return make_frozen("zw_names", parts, ARRAY_LEN(parts));
}

/* Pins a loaded generation below the instance's folder, which is the new one's temporary name if `created`. */
static int pin_generation(const struct zonewall_bpf *skel, const int program[ZW_HOOKS], const struct tables *tables,
			  const struct publish_options *options, const char *instance, uint32_t generation, bool created)
{
	const struct part pack = { options->pack, options->pack_len };
	const struct part staged = { options->candidate, options->candidate_len };
	_cleanup_close_ int names = make_names(tables, generation), policy = make_frozen("zw_policy", &pack, 1);
	_cleanup_close_ int candidate = staged.bytes ? make_frozen("zw_candidate", &staged, 1) : -ENOENT;
	const struct {
		int fd;
		const char *file;
	} pins[] = {
		{ program[ZW_HOOK_XDP], programs_pin(ZW_HOOK_XDP) },
		{ program[ZW_HOOK_INGRESS], programs_pin(ZW_HOOK_INGRESS) },
		{ program[ZW_HOOK_EGRESS], programs_pin(ZW_HOOK_EGRESS) },
		{ bpf_map__fd(skel->maps.zw_tables), "zw_tables" },
		{ bpf_map__fd(skel->maps.zw_rules), "zw_rules" },
		{ bpf_map__fd(skel->maps.zw_sources), "zw_sources" },
		{ names, "zw_names" },
		{ policy, "zw_policy" },
		{ candidate, "zw_candidate" },
	};
	const char *suffix = created ? "-new" : "";
	char path[PATH_MAX];
	int error;

	if (names < 0 || policy < 0 || (staged.bytes && candidate < 0))
		return edge_error(names < 0 ? names : policy < 0 ? policy : candidate,
				  "cannot make the map of names, or of the policy");
	pins_path(path, instance, "%s/gen-%" PRIu32, suffix, generation);
	pins_remove(path); /* of a first apply that was killed before its number was in the book */
	error = pins_mkdir(path, 0700);
	if (error)
		return edge_error(error, "cannot make %s", path);
	for (size_t i = 0; i < ARRAY_LEN(pins); i++) {
		pins_path(path, instance, "%s/gen-%" PRIu32 "/%s", suffix, generation, pins[i].file);
		if (pins[i].fd >= 0 && bpf_obj_pin(pins[i].fd, path))
			return edge_error(errno, "cannot pin %s", path);
	}
	return 0;
}

/* Numbers are never used twice while anything could remember them: the book's highest, or the saved counters'. */
static uint32_t next_number(const char *instance, const struct book *book)
{
	uint32_t highest = counters_highest(instance);

	if (book && book->generation > highest)
		highest = book->generation;
	highest++;
	return highest ? highest : 1; /* 0 is no generation */
}

/* Where an instance's state is before the generation is loaded: its own, a predecessor's (not NULL then), or nowhere yet. */
struct origin {
	const char *instance;
	bool created;
	const struct predecessor *predecessor;
};

static int take_state(struct zonewall_bpf *skel, const struct origin *origin, bool *ret_resized)
{
	if (origin->predecessor)
		return load_take_state(skel, origin->instance, origin->predecessor, ret_resized);
	return origin->created ? 0 : load_reuse_state(skel, origin->instance, ret_resized);
}

static int load(const struct origin *origin, const struct tables *tables, const struct publish_options *options, uint32_t number,
		unsigned hooks, struct publish_report *report, struct zonewall_bpf **ret_skel, int ret_program[ZW_HOOKS])
{
	const struct load_options how = { .generation = number, .flows = options->flows };
	_cleanup_(zonewall_bpf__destroyp) struct zonewall_bpf *skel = NULL;
	int error = load_open(tables, &how, &skel);
	struct zw_flow_layout flows;

	if (!error)
		error = take_state(skel, origin, &report->flows_differ);
	if (error)
		return error;
	flows = load_flow_layout(skel, 4);
	error = load_programs(skel, tables, hooks, ret_program);
	if (error)
		return error;
	report->tables_len = tables->len;
	report->counters_len = load_cpus() * load_rules_stride(&tables->layout);
	report->flows = flows_room(&flows);
	*ret_skel = take_ptr(skel);
	return 0;
}

/* The hooks whose programs will be asked for, as far as that can be told before anything is attached: a bit each. */
static int wanted_hooks(const struct book *book, const struct names *names, unsigned *ret_hooks)
{
	_cleanup_plan_ struct attach_plan plan = { 0 };
	int error = attach_plan(names, false, &plan);

	if (error)
		return error;
	*ret_hooks = attach_hooks(&plan) | (book ? programs_attached(book) : 0);
	return 0;
}

/* A new instance's list is empty; what was put on it by hand before the boot is on it before anything is decided. */
static void restore_blocks(const char *instance)
{
	struct zw_blocks *blocks;
	int error = blocks_open(instance, true, &blocks);

	if (error) {
		edge_warn("the block list cannot be restored: %s", strerror(-error));
		return;
	}
	block_book_restore(instance, blocks);
	blocks_close(blocks);
}

/* The new folder is whole: it gets its name, and what a predecessor has attached. */
static int settle(const struct origin *origin, const struct zonewall_bpf *skel, struct gate *gate)
{
	int error = pin_state(skel, origin->instance);

	if (!error)
		error = gate_settle(origin->instance);
	if (error)
		return error;
	gate_close(gate);
	error = gate_open(origin->instance, gate);
	if (!origin->predecessor || !predecessor_keeps(origin->predecessor, ZW_PART_BLOCKS))
		restore_blocks(origin->instance);
	return error ? error : predecessor_end(gate);
}

/* Everything up to the point where the instance is there, with the generation pinned but in no slot. */
static int prepare(const struct origin *origin, const struct tables *tables, const struct publish_options *options,
		   struct gate *gate, struct publish_report *report, int ret_program[ZW_HOOKS])
{
	const struct book *book = origin->predecessor ? origin->predecessor->book : gate->book; /* NULL: none */
	_cleanup_(zonewall_bpf__destroyp) struct zonewall_bpf *skel = NULL;
	unsigned hooks;
	int error = origin->created ? gate_create(origin->instance, origin->predecessor) : 0;

	if (error)
		return error;
	report->generation = next_number(origin->instance, book);
	if (gate->book)
		gate->book->generation = report->generation;
	error = wanted_hooks(book, tables->names, &hooks);
	if (!error)
		error = load(origin, tables, options, report->generation, hooks, report, &skel, ret_program);
	if (!error)
		error = pin_generation(skel, ret_program, tables, options, origin->instance, report->generation,
				       origin->created);
	if (!error && origin->created)
		error = settle(origin, skel, gate);
	if (!error)
		gate->book->generation = report->generation;
	return error;
}

/* The word that makes a slot current. */
struct turn {
	const struct gate *gate;
	unsigned slot;
	bool trial, same_policy;
};

/* Can it be gone back to? Not to nothing, nor to a predecessor's that cannot be read. */
static bool is_pinned(const struct gate *gate, unsigned slot)
{
	char path[PATH_MAX];

	pins_path(path, gate->instance, "/gen-%" PRIu32, gate->line->generation[slot]);
	return !access(path, F_OK);
}

/* A generation that is on trial is never gone back to, nor the same policy for other addresses. Nor is nothing, but by a trial. */
static uint64_t turn_to(uint64_t word, const void *context)
{
	const struct turn *turn = context;
	bool was_trial = zw_gate_state(word) == ZW_GATE_ON_TRIAL, trial = turn->trial || was_trial;
	unsigned back = was_trial ? zw_gate_fallback(word) : zw_gate_active(word);

	if (!was_trial && turn->same_policy)
		back = zw_gate_fallback(word) == zw_gate_active(word) ? turn->slot : zw_gate_fallback(word);
	if (!trial && !is_pinned(turn->gate, back))
		back = turn->slot;
	return zw_gate_word(turn->slot, back, trial ? ZW_GATE_ON_TRIAL : ZW_GATE_CONFIRMED) | (word & ZW_GATE_PARTLY);
}

/* Before the word says that there is a trial. The time of one that is on may be given anew. */
static int set_deadline(struct gate *gate, unsigned seconds)
{
	uint64_t now;
	int error = seconds ? jiffies_now(&now) : 0;

	if (error)
		return edge_error(error, "cannot read the kernel's clock");
	if (seconds)
		__atomic_store_n(&gate->line->deadline, now + (uint64_t)seconds * jiffies_hz(), __ATOMIC_RELEASE);
	return 0;
}

/*
 * Fills a slot that no packet can come to, and makes it the current one. The last store is the one that counts. Killed
 * before it, it leaves a slot that is free as before.
 */
static int flip(struct gate *gate, uint32_t number, const int program[ZW_HOOKS], const struct publish_options *options,
		unsigned *busy)
{
	struct turn turn = { gate, gate_free_slot(gate_word(gate->line)), options->confirm_s, options->same_policy };
	int error;

	__atomic_store_n(&gate->line->generation[turn.slot], 0, __ATOMIC_RELEASE);
	error = gate_fill(gate, turn.slot, program);
	if (error)
		edge_error(error, "cannot put generation %" PRIu32 " into the gate", number);
	else
		error = set_deadline(gate, options->confirm_s);
	if (error) {
		gate_empty(gate, turn.slot);
		return error;
	}
	__atomic_store_n(&gate->line->generation[turn.slot], number, __ATOMIC_RELEASE);
	*busy |= 1u << zw_gate_active(gate_change(gate->line, turn_to, &turn));
	gate->book->reverted = 0;
	return 0;
}

/*
 * flip(), with live connections seeded around it if this is the first generation, or the first with these flow tables; and after it if interfaces were attached,
 * where what the generation before does not name has passed unseen until now.
 */
static int flip_seeded(struct gate *gate, uint32_t number, const int program[ZW_HOOKS],
		       const struct publish_options *options, const struct attach_plan *plan, struct seeder *seeder,
		       bool new_flows, unsigned *busy)
{
	bool is_first = new_flows || !change_is_deciding(gate);
	int error;

	if (is_first)
		seed_flows(seeder);
	error = flip(gate, number, program, options, busy);
	if (!error && (is_first || plan->added_count))
		seed_flows(seeder);
	return error;
}

/* Attaches what is new, and waits for the packets that could still come to a free slot. */
static int get_ready(struct gate *gate, uint32_t number, struct attach_plan *plan, struct seeder *seeder,
		     struct waiting *waiting)
{
	int error = sources_open(gate, number);

	if (!error)
		error = unnamed_mark(gate, plan, gate_free_slot(gate_word(gate->line)), number);
	if (!error)
		error = change_attach(gate, plan, false, seeder);
	if (!error) {
		error = wait_end(waiting);
		if (error)
			edge_error(error, "cannot wait for packets on their way");
	}
	return error;
}

static int publish_prepared(struct gate *gate, const struct tables *tables, const struct publish_options *options,
			    int program[ZW_HOOKS], struct publish_report *report, struct waiting *waiting)
{
	struct seeder seeder = { .instance = gate->instance, .tables = tables->bytes, .layout = &tables->layout };
	const bool was_marked = unnamed_is_marked(gate);
	_cleanup_plan_ struct attach_plan plan = { 0 };
	int error = attach_plan(tables->names, !options->quiet, &plan);

	report->previous = gate->line->generation[gate_current(gate->line)];
	if (!error)
		error = get_ready(gate, report->generation, &plan, &seeder, waiting);
	if (!error)
		error = programs_get(gate->instance, report->generation, programs_attached(gate->book), true, program);
	if (!error)
		error = flip_seeded(gate, report->generation, program, options, &plan, &seeder, report->new_flows,
				    &waiting->busy);
	if (error) {
		change_undo(gate, &plan, was_marked);
		return error;
	}
	if (!change_is_on_trial(gate))
		attach_end(gate, &plan, true);
	seed_warn(&seeder);
	report->seeded = seeder.seeded;
	change_report(report, &plan);
	return 0;
}

uint32_t publish_seen(const char *instance)
{
	volatile struct zw_gate *line;
	char path[PATH_MAX];
	uint32_t number;

	pins_path(path, instance, "/gate/zw_gate");
	if (pins_map(path, sizeof(*line), false, (void **)&line))
		return 0;
	number = line->generation[gate_current(line)];
	munmap((void *)line, pins_mapped_len(sizeof(*line)));
	return number;
}

/* Under the lock: does what the caller has seen decide still? */
static int compare(const struct gate *gate, bool created, const struct publish_options *options)
{
	static const char fix[] = "fix: look at the difference (zonewall diff running FILE), and apply again";
	uint32_t current = created ? 0 : gate->line->generation[gate_current(gate->line)];

	if (!options->compare || current == options->seen)
		return 0;
	if (current > options->seen)
		edge_error(0, "generation %" PRIu32 " was published by another meanwhile: nothing was changed\n%s", current, fix);
	else
		edge_error(0, "generation %" PRIu32 " does not decide any more: nothing was changed\n%s", options->seen, fix);
	return -ESTALE;
}

/* If nothing is published by this ABI: what another one has published, if it may be taken over. */
static int find_predecessor(const char *instance, const struct publish_options *options, struct predecessor *ret_predecessor)
{
	int error;

	if (options->is_running && pins_are_others(instance)) {
		edge_error(0, "a zonewall of another ABI has taken over instance '%s'", instance);
		return -ESTALE;
	}
	error = predecessor_open(instance, ret_predecessor);
	if (error == -ENOENT)
		return 0;
	return error ? error : predecessor_check(instance, ret_predecessor, options->confirm_s);
}

static void begin_report(struct publish_report *report, const struct predecessor *predecessor)
{
	report->predecessor = predecessor->abi;
	report->new_flows = predecessor->abi && !predecessor_keeps(predecessor, ZW_PART_FLOWS);
}

/* What was prepared is not to be found any more. What a predecessor had attached may be ours already, and stays. */
static void clear_away(const struct origin *origin, uint32_t generation)
{
	change_remove_pins(origin->instance, "-new");
	if (origin->created && !origin->predecessor)
		change_remove_instance(origin->instance);
	else
		change_remove_generation(origin->instance, generation);
}

int publish(const char *instance, const struct tables *tables, const struct publish_options *options,
	    struct publish_report *ret_report)
{
	int program[ZW_HOOKS] = PROGRAMS_NONE;
	_cleanup_predecessor_ struct predecessor predecessor = { 0 };
	_cleanup_close_ int lock = -1;
	_cleanup_gate_ struct gate gate;
	struct publish_report report = { 0 };
	struct origin origin = { .instance = instance };
	struct waiting waiting;
	int error = change_begin_existing(instance, true, &lock, &gate);

	origin.created = error == -ENOENT;
	if (origin.created)
		error = find_predecessor(instance, options, &predecessor);
	if (!error)
		error = compare(&gate, origin.created, options);
	if (error)
		return error;
	if (predecessor.abi)
		origin.predecessor = &predecessor;
	begin_report(&report, &predecessor);
	wait_begin(&waiting, origin.created ? 0 : 1u << gate_current(gate.line));
	error = prepare(&origin, tables, options, &gate, &report, program);
	if (!error)
		error = publish_prepared(&gate, tables, options, program, &report, &waiting);
	load_close(program);
	if (waiting.started)
		wait_end(&waiting);
	if (error) {
		clear_away(&origin, report.generation);
		return error;
	}
	if (!change_is_on_trial(&gate)) /* else `confirm` keeps it */
		saved_keep(instance, report.generation);
	change_settle(&gate, waiting.busy);
	change_report_gate(&report, &gate);
	*ret_report = report;
	return 0;
}

int publish_try(const char *instance, const struct tables *tables, const struct publish_options *options,
		struct publish_report *ret_report)
{
	_cleanup_(zonewall_bpf__destroyp) struct zonewall_bpf *skel = NULL;
	_cleanup_predecessor_ struct predecessor predecessor = { 0 };
	int program[ZW_HOOKS] = PROGRAMS_NONE, error;
	struct publish_report report = { 0 };
	struct origin origin = { .instance = instance };
	char path[PATH_MAX];

	pins_path(path, instance, "%s", "");
	origin.created = access(path, F_OK);
	error = origin.created ? find_predecessor(instance, options, &predecessor) : 0;
	if (predecessor.abi)
		origin.predecessor = &predecessor;
	begin_report(&report, &predecessor);
	if (!error)
		error = load(&origin, tables, options, 0, PROGRAMS_ALL, &report, &skel, program);
	load_close(program);
	if (!error)
		*ret_report = report;
	return error;
}
