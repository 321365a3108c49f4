// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/change.h"

#include <inttypes.h>

#include "base/util.h"
#include "kernel/counters.h"
#include "kernel/edge.h"
#include "kernel/pins.h"
#include "kernel/predecessor.h"
#include "kernel/sources.h"
#include "kernel/unnamed.h"

DEFINE_CLEANUP(struct generation *, generation_free)
#define _cleanup_plan_ _cleanup_(attach_plan_clear)

void change_report(struct publish_report *report, struct attach_plan *plan)
{
	report->changes = take_ptr(plan->changes);
	report->change_count = plan->change_count;
	plan->change_count = 0;
}

void change_report_gate(struct publish_report *report, const struct gate *gate)
{
	uint64_t word = gate_word(gate->line);

	report->generation = gate->line->generation[zw_gate_active(word)];
	report->on_trial = zw_gate_state(word) == ZW_GATE_ON_TRIAL;
	if (!report->on_trial)
		return;
	report->fallback = gate->line->generation[zw_gate_fallback(word)];
	report->left_s = gate_left_s(gate->line);
}

void change_remove_pins(const char *instance, const char *file)
{
	char path[PATH_MAX];

	pins_path(path, instance, "%s", file);
	pins_remove(path);
}

void change_remove_generation(const char *instance, uint32_t number)
{
	char file[32];

	snprintf(file, sizeof(file), "/gen-%" PRIu32, number);
	change_remove_pins(instance, file);
}

/* What of a generation takes memory; its counters and their names stay until they can be saved. */
static void remove_tables(const char *instance, uint32_t number)
{
	static const char *const files[] = { "zw_tables", "zw_sources", "zw_policy", "zw_candidate", "zw_xdp", "zw_ingress", "zw_egress" };
	char file[64];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(file, sizeof(file), "/gen-%" PRIu32 "/%s", number, files[i]);
		change_remove_pins(instance, file);
	}
}

static bool is_held(const struct gate *gate, uint32_t number)
{
	for (unsigned slot = 0; slot < ZW_GATE_SLOTS; slot++)
		if (gate->line->generation[slot] == number)
			return true;
	return false;
}

/* Generations in no slot: their counters are saved, their pins removed. No packet can be on its way to them. */
static void retire(const struct gate *gate)
{
	_cleanup_free_ uint32_t *numbers = NULL;
	size_t count;

	if (pins_generations(gate->instance, &numbers, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		if (is_held(gate, numbers[i]))
			continue;
		if (counters_fold(gate->instance, numbers[i]))
			remove_tables(gate->instance, numbers[i]);
		else
			change_remove_generation(gate->instance, numbers[i]);
	}
}

void change_settle(struct gate *gate, unsigned busy)
{
	uint64_t word = __atomic_load_n(&gate->line->word, __ATOMIC_ACQUIRE);
	bool partly = (word & ZW_GATE_PARTLY) && zw_gate_state(word) == ZW_GATE_CONFIRMED && !unnamed_is_attached(gate);
	bool wait = partly;

	if (partly)
		unnamed_end(gate);
	for (unsigned slot = 0; slot < ZW_GATE_SLOTS; slot++)
		wait |= gate_is_free(word, slot) && gate->line->generation[slot] && (busy >> slot & 1);
	if (wait && !gate_wait()) {
		busy = 0;
		if (partly)
			unnamed_clear(gate);
	}
	for (unsigned slot = 0; slot < ZW_GATE_SLOTS; slot++)
		if (gate_is_free(word, slot) && !(busy >> slot & 1))
			gate_empty(gate, slot);
	retire(gate);
}

void change_remove_instance(const char *instance)
{
	char from[PATH_MAX], to[PATH_MAX];

	pins_path(from, instance, "%s", "");
	pins_path(to, instance, "-gone");
	if (!rename(from, to))
		pins_remove(to);
	*strrchr(to, '/') = '\0';
	rmdir(to); /* unless another ABI's pins are there */
}

int change_begin(const char *instance, int *ret_lock, struct gate *ret_gate)
{
	const char *missing = edge_missing_rights();
	int error;

	*ret_gate = GATE_CLOSED;
	edge_capture_libbpf();
	if (missing[0])
		return edge_error(EPERM, "%s needed (run it as root)", missing);
	error = pins_prepare();
	if (!error)
		error = pins_lock(instance, ret_lock);
	if (error)
		return error;
	pins_remove_leftovers(instance);
	return gate_open(instance, ret_gate);
}

bool change_is_deciding(const struct gate *gate)
{
	return gate->line->generation[gate_current(gate->line)];
}

int change_attach(struct gate *gate, struct attach_plan *plan, bool keep_going, struct seeder *seeder)
{
	bool seeds = change_is_deciding(gate) && attach_brings_new(gate, plan);
	int error;

	if (seeds)
		seed_flows(seeder);
	error = attach_begin(gate, plan, keep_going);
	if (seeds && (!error || keep_going))
		seed_flows(seeder);
	return error;
}

void change_undo(struct gate *gate, struct attach_plan *plan, bool was_marked)
{
	attach_undo(gate, plan);
	if (!was_marked)
		unnamed_end(gate);
}

bool change_is_on_trial(const struct gate *gate)
{
	return zw_gate_state(gate_word(gate->line)) == ZW_GATE_ON_TRIAL;
}

int change_open_generation(const char *instance, uint32_t number, struct generation **ret_generation)
{
	_cleanup_(generation_freep) struct generation *generation = NULL;
	int error = pins_open_generation(instance, number, &generation);

	if (!error)
		error = pins_map_tables(instance, generation);
	if (error)
		return edge_error(error, "cannot open generation %" PRIu32, number);
	*ret_generation = take_ptr(generation);
	return 0;
}

int change_align(struct gate *gate, uint32_t number, bool prune, struct publish_report *report)
{
	_cleanup_(generation_freep) struct generation *generation = NULL;
	_cleanup_plan_ struct attach_plan plan = { 0 };
	bool on_trial = change_is_on_trial(gate);
	struct seeder seeder = { .instance = gate->instance };
	int error = number ? change_open_generation(gate->instance, number, &generation) : 0;

	if (!error)
		error = attach_plan(generation ? generation->names : NULL, false, &plan);
	if (!error)
		error = sources_open(gate, 0);
	if (!error && (on_trial || unnamed_is_marked(gate))) /* by this trial, or by an apply or a `down` that was killed */
		error = unnamed_mark(gate, &plan, 0, 0);
	if (error)
		return error;
	if (generation) {
		seeder.tables = generation->tables;
		seeder.layout = &generation->layout;
	}
	error = change_attach(gate, &plan, true, &seeder);
	if (!on_trial)
		attach_end(gate, &plan, prune);
	seed_warn(&seeder);
	report->seeded = seeder.seeded;
	change_report(report, &plan);
	return error;
}

/* The word of a trial that went back is still that until this is done, so whoever is killed here leaves it to the next. */
static uint64_t make_over(uint64_t word, const void *context)
{
	(void)context;
	return zw_gate_word(zw_gate_active(word), zw_gate_active(word), ZW_GATE_CONFIRMED) | (word & ZW_GATE_PARTLY);
}

void change_forget_trial(struct gate *gate, struct publish_report *report)
{
	uint64_t word = __atomic_load_n(&gate->line->word, __ATOMIC_ACQUIRE);
	uint32_t failed = gate->line->generation[zw_gate_fallback(word)];

	change_align(gate, gate->line->generation[zw_gate_active(word)], true, report);
	gate->book->reverted = failed;
	gate_change(gate->line, make_over, NULL);
	gate->line->deadline = 0;
	change_settle(gate, ~0u);
}

static void warn_of_failed(uint32_t failed, uint32_t current)
{
	if (current)
		edge_warn("generation %" PRIu32 " was not confirmed in time: generation %" PRIu32 " decides again", failed,
			  current);
	else
		edge_warn("generation %" PRIu32 " was not confirmed in time: everything passes again, as before", failed);
}

/* As a packet would have done. */
static uint64_t go_back_in_time(uint64_t word, const void *line)
{
	(void)word;
	return gate_word(line);
}

void change_end_trial(struct gate *gate)
{
	struct publish_report report = { 0 };

	gate_change(gate->line, go_back_in_time, (const void *)gate->line);
	if (zw_gate_state(__atomic_load_n(&gate->line->word, __ATOMIC_ACQUIRE)) != ZW_GATE_REVERTED)
		return;
	change_forget_trial(gate, &report);
	publish_report_clear(&report);
	warn_of_failed(gate->book->reverted, gate->line->generation[gate_current(gate->line)]);
}

int change_nothing(const char *instance)
{
	if (predecessor_tell(instance))
		return -EPROTO;
	edge_error(0, "nothing is published under the instance name '%s'", instance);
	return -ENOENT;
}

int change_begin_existing(const char *instance, bool quiet, int *ret_lock, struct gate *ret_gate)
{
	int error = change_begin(instance, ret_lock, ret_gate);

	if (error == -ENOENT && !quiet)
		return change_nothing(instance);
	if (!error)
		error = gate_check_netns(ret_gate);
	if (!error)
		error = predecessor_end(ret_gate); /* that a killed process has not brought to its end */
	if (!error)
		change_end_trial(ret_gate);
	return error;
}
