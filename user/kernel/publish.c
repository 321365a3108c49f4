// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/publish.h"

#include <inttypes.h>
#include <pthread.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "kernel/counters.h"
#include "kernel/edge.h"
#include "kernel/flows.h"
#include "kernel/gate.h"
#include "kernel/load.h"
#include "kernel/pins.h"
#include "kernel/programs.h"
#include "kernel/saved.h"
#include "kernel/seed.h"
#include "kernel/sources.h"
#include "zonewall.skel.h"

DEFINE_CLEANUP(struct zonewall_bpf *, zonewall_bpf__destroy)
DEFINE_CLEANUP(struct generation *, generation_free)
#define _cleanup_gate_ _cleanup_(gate_close)
#define _cleanup_plan_ _cleanup_(attach_plan_clear)

void publish_report_clear(struct publish_report *report)
{
	free(report->changes);
	*report = (struct publish_report){ 0 };
}

/* The report takes the changes over. */
static void report_changes(struct publish_report *report, struct attach_plan *plan)
{
	report->changes = take_ptr(plan->changes);
	report->change_count = plan->change_count;
	plan->change_count = 0;
}

static void remove_pins(const char *instance, const char *file)
{
	char path[PATH_MAX];

	pins_path(path, instance, "%s", file);
	pins_remove(path);
}

static void remove_generation(const char *instance, uint32_t number)
{
	char file[32];

	snprintf(file, sizeof(file), "/gen-%" PRIu32, number);
	remove_pins(instance, file);
}

/*
 * The inactive slot
 *
 * A slot takes three stores to fill and one to name, so a process can be killed in between. `pending` in the book says
 * that one is being filled, and `previous` what it held; the slot's own generation is 0 meanwhile, so that no rollback
 * goes there. mend() puts the former generation back, from its pins.
 */
static void mend(struct gate *gate)
{
	unsigned current = gate_current(gate->line), other = !current;
	struct book *book = gate->book;
	int program[ZW_HOOKS] = PROGRAMS_NONE;

	if (!book->pending)
		return;
	if (gate->line->generation[current] != book->pending) {
		gate->line->generation[other] = 0;
		if (book->previous && !gate_wait() &&
		    !programs_get(gate->instance, book->previous, programs_attached(gate), false, program) &&
		    !gate_fill(gate, other, program))
			__atomic_store_n(&gate->line->generation[other], book->previous, __ATOMIC_RELEASE);
		load_close(program);
	}
	book->previous = 0;
	__atomic_store_n(&book->pending, 0, __ATOMIC_RELEASE);
}

/* Fills the inactive slot and makes it the current one. The last store is the one that counts. */
static int flip(struct gate *gate, uint32_t number, const int program[ZW_HOOKS])
{
	volatile struct zw_gate *line = gate->line;
	unsigned other = !gate_current(line);
	int error;

	gate->book->previous = line->generation[other];
	__atomic_store_n(&gate->book->pending, number, __ATOMIC_RELEASE);
	__atomic_store_n(&line->generation[other], 0, __ATOMIC_RELEASE);
	error = gate_fill(gate, other, program);
	if (error) {
		mend(gate);
		return edge_error(error, "cannot put generation %" PRIu32 " into the gate", number);
	}
	__atomic_store_n(&line->generation[other], number, __ATOMIC_RELEASE);
	line->deadline = 0; /* none armed, or it has passed: what decides now is what was asked for */
	__atomic_store_n(&line->active, other, __ATOMIC_RELEASE);
	gate->book->previous = 0;
	__atomic_store_n(&gate->book->pending, 0, __ATOMIC_RELEASE);
	return 0;
}

/* Puts a generation that is still pinned into the slot that does not decide, as mend() would after a kill. */
static void put_back(struct gate *gate, uint32_t former)
{
	if (!former)
		return;
	gate->book->previous = former;
	__atomic_store_n(&gate->book->pending, former, __ATOMIC_RELEASE);
	mend(gate);
}

/* What of a generation takes memory; its counters and their names stay until they can be saved. */
static void remove_tables(const char *instance, uint32_t number)
{
	static const char *const files[] = { "zw_tables", "zw_sources", "zw_policy", "zw_xdp", "zw_ingress", "zw_egress" };
	char file[64];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(file, sizeof(file), "/gen-%" PRIu32 "/%s", number, files[i]);
		remove_pins(instance, file);
	}
}

/* Generations in neither slot: their counters are saved, their pins removed. No packet can be on its way to them. */
static void retire(const struct gate *gate)
{
	_cleanup_free_ uint32_t *numbers = NULL;
	size_t count;

	if (pins_generations(gate->instance, &numbers, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		if (numbers[i] == gate->line->generation[0] || numbers[i] == gate->line->generation[1])
			continue;
		if (counters_fold(gate->instance, numbers[i]))
			remove_tables(gate->instance, numbers[i]);
		else
			remove_generation(gate->instance, numbers[i]);
	}
}

/* Down to the folder of the instance: what `down` takes apart, and what a first apply that failed leaves. */
static void remove_instance(const char *instance)
{
	char from[PATH_MAX], to[PATH_MAX];

	pins_path(from, instance, "%s", "");
	pins_path(to, instance, "-gone");
	if (!rename(from, to))
		pins_remove(to);
	*strrchr(to, '/') = '\0';
	rmdir(to); /* unless another version's pins are there */
}

/* Locks the instance and finishes what a killed process left. ret_gate as after gate_open(). */
static int begin(const char *instance, int *ret_lock, struct gate *ret_gate)
{
	const char *missing = edge_missing_rights();
	int error;

	*ret_gate = (struct gate){ .program = { -1, -1, -1 }, .slots = { -1, -1, -1 } };
	edge_capture_libbpf();
	if (missing[0])
		return edge_error(EPERM, "%s needed (run it as root)", missing);
	error = pins_prepare();
	if (!error)
		error = pins_lock(instance, ret_lock);
	if (error)
		return error;
	remove_pins(instance, "-new");
	remove_pins(instance, "-gone");
	error = gate_open(instance, ret_gate);
	if (!error)
		mend(ret_gate);
	return error;
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
};

/* A slot is filled again only when packets that read the line before the last flip are through. Waits beside the work. */
static void wait_begin(struct waiting *waiting)
{
	waiting->error = 0;
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

static int pin_state(struct zonewall_bpf *skel, const char *instance)
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
		memcpy(at, parts[i].bytes, parts[i].len);
	munmap(memory, pins_mapped_len(size));
	bpf_map_freeze(fd);
	return take_fd(&fd);
}

static int make_names(const struct tables *tables, uint32_t generation)
{
	struct names_header header = { .abi = ZW_ABI, .layout_len = sizeof(tables->layout), .tables_len = tables->len };
	struct zw_layout layout = tables->layout;
	const void *bytes = names_bytes(tables->names, &header.names_len);
	const struct part parts[] = {
		{ &header, sizeof(header) },
		{ &layout, sizeof(layout) },
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
	_cleanup_close_ int names = make_names(tables, generation), policy = make_frozen("zw_policy", &pack, 1);
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
	};
	const char *suffix = created ? "-new" : "";
	char path[PATH_MAX];
	int error;

	if (names < 0 || policy < 0)
		return edge_error(names < 0 ? names : policy, "cannot make the map of names, or of the policy");
	pins_path(path, instance, "%s/gen-%" PRIu32, suffix, generation);
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
static uint32_t next_number(const char *instance, struct gate *gate)
{
	uint32_t highest = counters_highest(instance);

	if (gate->book && gate->book->generation > highest)
		highest = gate->book->generation;
	highest++;
	if (!highest)
		highest++; /* 0 is no generation */
	if (gate->book)
		gate->book->generation = highest;
	return highest;
}

static int load(const char *instance, const struct tables *tables, const struct publish_options *options,
		uint32_t number, bool created, unsigned hooks, struct publish_report *report,
		struct zonewall_bpf **ret_skel, int ret_program[ZW_HOOKS])
{
	const struct load_options how = { .generation = number, .flows = options->flows };
	_cleanup_(zonewall_bpf__destroyp) struct zonewall_bpf *skel = NULL;
	int error = load_open(tables, &how, &skel);
	struct zw_flow_layout flows;

	if (!error && !created)
		error = load_reuse_state(skel, instance, &report->flows_differ);
	if (!error)
		error = load_programs(skel, tables, hooks, ret_program);
	if (error)
		return error;
	flows = load_flow_layout(skel, 4);
	report->tables_len = tables->len;
	report->counters_len = load_cpus() * load_rules_stride(tables->layout.rule_count);
	report->flows = flows_room(&flows);
	*ret_skel = take_ptr(skel);
	return 0;
}

/* The hooks whose programs will be asked for, as far as that can be told before anything is attached: a bit each. */
static int wanted_hooks(const struct gate *gate, const struct names *names, unsigned *ret_hooks)
{
	_cleanup_plan_ struct attach_plan plan = { 0 };
	int error = attach_plan(names, false, &plan);

	if (error)
		return error;
	*ret_hooks = attach_hooks(&plan) | (gate->book ? programs_attached(gate) : 0);
	return 0;
}

/* Everything up to the point where the instance is there, with the generation pinned but in no slot. */
static int prepare(const char *instance, const struct tables *tables, const struct publish_options *options,
		   bool created, struct gate *gate, struct publish_report *report, int ret_program[ZW_HOOKS])
{
	_cleanup_(zonewall_bpf__destroyp) struct zonewall_bpf *skel = NULL;
	unsigned hooks;
	int error = created ? gate_create(instance) : gate_check_netns(gate);

	if (error)
		return error;
	report->generation = next_number(instance, gate);
	error = wanted_hooks(gate, tables->names, &hooks);
	if (!error)
		error = load(instance, tables, options, report->generation, created, hooks, report, &skel, ret_program);
	if (!error)
		error = pin_generation(skel, ret_program, tables, options, instance, report->generation, created);
	if (!error && created)
		error = pin_state(skel, instance);
	if (!error && created)
		error = gate_settle(instance);
	if (!error && created) {
		gate_close(gate);
		error = gate_open(instance, gate);
		if (!error)
			gate->book->generation = report->generation;
	}
	return error;
}

/* Before the first generation the gate lets everything pass: no flow is needed, and none is opened. */
static bool is_deciding(const struct gate *gate)
{
	return gate->line->generation[gate_current(gate->line)];
}

/*
 * attach_begin(), with live connections seeded around it if it attaches anything new where a generation decides: before,
 * so that their packets find them from the first one on, and after, for those that were opened meanwhile.
 */
static int attach_seeded(struct gate *gate, struct attach_plan *plan, bool keep_going, struct seeder *seeder)
{
	bool seeds = is_deciding(gate) && attach_brings_new(gate, plan);
	int error;

	if (seeds)
		seed_flows(seeder);
	error = attach_begin(gate, plan, keep_going);
	if (seeds && (!error || keep_going))
		seed_flows(seeder);
	return error;
}

/* flip(), with the same around it if this is the first generation. */
static int flip_seeded(struct gate *gate, uint32_t number, const int program[ZW_HOOKS], struct seeder *seeder)
{
	bool seeds = !is_deciding(gate);
	int error;

	if (seeds)
		seed_flows(seeder);
	error = flip(gate, number, program);
	if (seeds && !error)
		seed_flows(seeder);
	return error;
}

static int publish_prepared(struct gate *gate, const struct tables *tables, const struct publish_options *options,
			    int program[ZW_HOOKS], struct publish_report *report, struct waiting *waiting)
{
	struct seeder seeder = { .instance = gate->instance, .tables = tables->bytes, .layout = &tables->layout };
	_cleanup_plan_ struct attach_plan plan = { 0 };
	unsigned current = gate_current(gate->line);
	uint32_t former = gate->line->generation[!current];
	int error = attach_plan(tables->names, !options->quiet, &plan);

	report->previous = gate->line->generation[current];
	if (!error)
		error = sources_open(gate, report->generation);
	if (!error)
		error = attach_seeded(gate, &plan, false, &seeder);
	if (!error) {
		error = wait_end(waiting);
		if (error)
			edge_error(error, "cannot wait for packets on their way");
	}
	if (!error)
		error = programs_get(gate->instance, report->generation, programs_attached(gate), true, program);
	if (!error)
		error = flip_seeded(gate, report->generation, program, &seeder);
	if (error) {
		attach_undo(gate, &plan);
		return error;
	}
	attach_end(gate, &plan, true);
	if (options->same_policy)
		put_back(gate, former);
	seed_warn(&seeder);
	report->seeded = seeder.seeded;
	report_changes(report, &plan);
	return 0;
}

int publish(const char *instance, const struct tables *tables, const struct publish_options *options,
	    struct publish_report *ret_report)
{
	int program[ZW_HOOKS] = PROGRAMS_NONE;
	_cleanup_close_ int lock = -1;
	_cleanup_gate_ struct gate gate;
	struct publish_report report = { 0 };
	struct waiting waiting;
	bool created;
	int error = begin(instance, &lock, &gate);

	created = error == -ENOENT;
	if (error && !created)
		return error;
	wait_begin(&waiting);
	error = prepare(instance, tables, options, created, &gate, &report, program);
	if (!error)
		error = publish_prepared(&gate, tables, options, program, &report, &waiting);
	load_close(program);
	if (waiting.started)
		wait_end(&waiting);
	if (error) {
		remove_pins(instance, "-new");
		if (created)
			remove_instance(instance);
		else
			remove_generation(instance, report.generation);
		return error;
	}
	if (!gate.line->deadline) /* else `confirm` keeps it */
		saved_keep(instance, report.generation);
	retire(&gate);
	*ret_report = report;
	return 0;
}

int publish_try(const char *instance, const struct tables *tables, const struct publish_options *options,
		struct publish_report *ret_report)
{
	_cleanup_(zonewall_bpf__destroyp) struct zonewall_bpf *skel = NULL;
	int program[ZW_HOOKS] = PROGRAMS_NONE;
	struct publish_report report = { 0 };
	char path[PATH_MAX];
	int error;

	pins_path(path, instance, "%s", "");
	error = load(instance, tables, options, 0, access(path, F_OK) != 0, PROGRAMS_ALL, &report, &skel, program);
	load_close(program);
	if (!error)
		*ret_report = report;
	return error;
}

/* begin() for what needs a published generation. */
static int begin_existing(const char *instance, int *ret_lock, struct gate *ret_gate)
{
	int error = begin(instance, ret_lock, ret_gate);

	if (error == -ENOENT) {
		edge_error(0, "nothing is published under the instance name '%s'", instance);
		return -ENOENT;
	}
	return error;
}

int publish_rollback(const char *instance, struct publish_report *ret_report)
{
	_cleanup_(generation_freep) struct generation *former = NULL;
	_cleanup_plan_ struct attach_plan plan = { 0 };
	_cleanup_close_ int lock = -1;
	_cleanup_gate_ struct gate gate;
	struct publish_report report = { 0 };
	struct seeder seeder;
	unsigned current;
	int error = begin_existing(instance, &lock, &gate);

	if (!error)
		error = gate_check_netns(&gate);
	if (error)
		return error;
	current = gate_current(gate.line);
	report.previous = gate.line->generation[current];
	report.generation = gate.line->generation[!current];
	if (!report.generation) {
		edge_error(0, "there is no generation before %" PRIu32 " to go back to\n"
			      "fix: 'zonewall down' detaches everything", report.previous);
		return -ENOENT;
	}
	error = pins_open_generation(instance, report.generation, &former);
	if (!error)
		error = pins_map_tables(instance, former);
	if (error)
		return edge_error(error, "cannot open generation %" PRIu32, report.generation);
	seeder = (struct seeder){ .instance = instance, .tables = former->tables, .layout = &former->layout };
	error = attach_plan(former->names, true, &plan);
	if (!error)
		error = sources_open(&gate, 0);
	if (!error)
		error = attach_seeded(&gate, &plan, false, &seeder);
	if (error) {
		attach_undo(&gate, &plan);
		return error;
	}
	gate.line->deadline = 0;
	__atomic_store_n(&gate.line->active, !current, __ATOMIC_RELEASE);
	saved_keep(instance, report.generation);
	attach_end(&gate, &plan, false);
	seed_warn(&seeder);
	report.seeded = seeder.seeded;
	report.tables_len = former->tables_len;
	report.counters_len = former->counters_len;
	report_changes(&report, &plan);
	*ret_report = report;
	return 0;
}

int publish_down(const char *instance, struct publish_report *ret_report)
{
	_cleanup_free_ uint32_t *numbers = NULL;
	_cleanup_plan_ struct attach_plan plan = { 0 };
	_cleanup_close_ int lock = -1;
	_cleanup_gate_ struct gate gate;
	struct publish_report report = { 0 };
	size_t count = 0;
	int error = begin_existing(instance, &lock, &gate);

	if (error)
		return error;
	report.previous = gate.line->generation[gate_current(gate.line)];
	error = attach_plan(NULL, false, &plan);
	if (!error)
		error = attach_remove_all(&gate, &plan);
	if (error)
		return error;
	gate_wait();
	if (!pins_generations(instance, &numbers, &count))
		for (size_t i = 0; i < count; i++)
			counters_fold(instance, numbers[i]);
	remove_instance(instance);
	saved_mark_down(instance);
	report_changes(&report, &plan);
	*ret_report = report;
	return 0;
}

int publish_follow(const char *instance, struct publish_report *ret_report)
{
	_cleanup_(generation_freep) struct generation *generation = NULL;
	_cleanup_plan_ struct attach_plan plan = { 0 };
	_cleanup_close_ int lock = -1;
	_cleanup_gate_ struct gate gate;
	struct publish_report report = { 0 };
	struct seeder seeder;
	size_t kept = 0;
	int error = begin(instance, &lock, &gate);

	if (!error)
		error = gate_check_netns(&gate);
	if (error)
		return error;
	report.generation = report.previous = gate.line->generation[gate_current(gate.line)];
	if (!report.generation)
		return -ENOENT;
	error = pins_open_generation(instance, report.generation, &generation);
	if (!error)
		error = pins_map_tables(instance, generation);
	if (error)
		return edge_error(error, "cannot open generation %" PRIu32, report.generation);
	seeder = (struct seeder){
		.instance = instance, .tables = generation->tables, .layout = &generation->layout
	};
	error = attach_plan(generation->names, false, &plan);
	if (!error)
		error = sources_open(&gate, 0);
	if (error)
		return error;
	error = attach_seeded(&gate, &plan, true, &seeder);
	/* What could be attached stays attached even if one interface refuses. */
	attach_end(&gate, &plan, false);
	seed_warn(&seeder);
	report.seeded = seeder.seeded;
	for (size_t i = 0; i < plan.change_count; i++)
		if (plan.changes[i].change != CHANGE_KEPT)
			plan.changes[kept++] = plan.changes[i];
	plan.change_count = kept;
	report_changes(&report, &plan);
	*ret_report = report;
	return error;
}
