// SPDX-License-Identifier: GPL-2.0-only
/* Changes of an instance that need no new generation: rollback, confirm, following interfaces, down. */
#include <inttypes.h>

#include "base/util.h"
#include "kernel/block_book.h"
#include "kernel/change.h"
#include "kernel/counters.h"
#include "kernel/edge.h"
#include "kernel/pins.h"
#include "kernel/predecessor.h"
#include "kernel/saved.h"
#include "kernel/sources.h"
#include "kernel/unnamed.h"

DEFINE_CLEANUP(struct generation *, generation_free)
#define _cleanup_gate_ _cleanup_(gate_close)
#define _cleanup_plan_ _cleanup_(attach_plan_clear)

static uint64_t go_back(uint64_t word, const void *context)
{
	(void)context;
	return zw_gate_state(word) == ZW_GATE_ON_TRIAL ? zw_gate_reverted(word) : word;
}

/* The trial is over by hand: as if its time were, but not as a failure. What cannot be attached or detached has been told. */
static int roll_back_trial(struct gate *gate, struct publish_report *report)
{
	gate_change(gate->line, go_back, NULL);
	report->previous = gate->line->generation[zw_gate_fallback(gate_word(gate->line))];
	change_forget_trial(gate, report);
	gate->book->reverted = 0;
	return 0;
}

/* What stays attached is decided by it, unless somebody was killed who had attached it, or was about to detach it. */
static uint64_t exchange(uint64_t word, const void *was_marked)
{
	return zw_gate_word(zw_gate_fallback(word), zw_gate_active(word), ZW_GATE_CONFIRMED) |
	       (*(const bool *)was_marked ? word & ZW_GATE_PARTLY : 0);
}

/* What the former generation names and is not attached is attached first. */
static int roll_back_confirmed(struct gate *gate, struct publish_report *report)
{
	_cleanup_(generation_freep) struct generation *former = NULL;
	_cleanup_plan_ struct attach_plan plan = { 0 };
	uint64_t word = gate_word(gate->line);
	uint32_t number = gate->line->generation[zw_gate_fallback(word)];
	const bool was_marked = unnamed_is_marked(gate);
	struct seeder seeder;
	int error;

	report->previous = gate->line->generation[zw_gate_active(word)];
	if (!number || number == report->previous) {
		edge_error(0, "there is no generation before %" PRIu32 " to go back to\n"
			      "fix: 'zonewall down' detaches everything", report->previous);
		return -ENOENT;
	}
	error = change_open_generation(gate->instance, number, &former);
	if (error)
		return error;
	seeder = (struct seeder){ .instance = gate->instance, .tables = former->tables, .layout = &former->layout };
	error = attach_plan(former->names, true, &plan);
	if (!error)
		error = sources_open(gate, 0);
	if (!error)
		error = unnamed_mark(gate, &plan, 0, 0);
	if (!error)
		error = change_attach(gate, &plan, false, &seeder);
	if (error) {
		change_undo(gate, &plan, was_marked);
		return error;
	}
	gate_change(gate->line, exchange, &was_marked);
	if (plan.added_count)
		seed_flows(&seeder); /* what passed there unseen */
	saved_keep(gate->instance, number);
	attach_end(gate, &plan, false);
	seed_warn(&seeder);
	report->seeded = seeder.seeded;
	report->tables_len = former->tables_len;
	report->counters_len = former->counters_len;
	change_report(report, &plan);
	return 0;
}

int publish_rollback(const char *instance, struct publish_report *ret_report)
{
	_cleanup_close_ int lock = -1;
	_cleanup_gate_ struct gate gate;
	struct publish_report report = { 0 };
	int error = change_begin_existing(instance, false, &lock, &gate);

	if (!error)
		error = change_is_on_trial(&gate) ? roll_back_trial(&gate, &report) : roll_back_confirmed(&gate, &report);
	if (error) {
		publish_report_clear(&report);
		return error;
	}
	change_report_gate(&report, &gate);
	*ret_report = report;
	return 0;
}

/* Nothing is kept to go back to if that was nothing. */
static uint64_t confirm(uint64_t word, const void *context)
{
	const struct gate *gate = context;
	unsigned back = zw_gate_fallback(word);

	if (zw_gate_state(word) != ZW_GATE_ON_TRIAL)
		return word;
	if (!gate->line->generation[back])
		back = zw_gate_active(word);
	return zw_gate_word(zw_gate_active(word), back, ZW_GATE_CONFIRMED) | (word & ZW_GATE_PARTLY);
}

static int refuse_to_confirm(const struct gate *gate)
{
	uint32_t current = gate->line->generation[gate_current(gate->line)];

	if (gate->book->reverted)
		edge_error(0, "it is too late to confirm generation %" PRIu32 "\nfix: apply it again",
			   gate->book->reverted);
	else
		edge_error(0, "nothing waits to be confirmed: generation %" PRIu32 " decides", current);
	return -ETIME;
}

int publish_confirm(const char *instance, struct publish_report *ret_report)
{
	_cleanup_close_ int lock = -1;
	_cleanup_gate_ struct gate gate;
	struct publish_report report = { 0 };
	int error = change_begin_existing(instance, false, &lock, &gate);

	if (error)
		return error;
	if (zw_gate_state(gate_change(gate.line, confirm, &gate)) != ZW_GATE_ON_TRIAL) {
		change_end_trial(&gate); /* which may have ended between the two */
		return refuse_to_confirm(&gate);
	}
	gate.line->deadline = 0;
	change_report_gate(&report, &gate);
	saved_keep(instance, report.generation);
	report.previous = report.generation;
	change_align(&gate, report.generation, true, &report); /* it is confirmed, whatever interface refuses */
	change_settle(&gate, ~0u);
	*ret_report = report;
	return 0;
}

/* Of any other ABI. */
static int remove_all_others(const char *instance)
{
	unsigned abi;
	int error = 0;

	while (!error && (abi = pins_other_abi(instance)))
		error = predecessor_remove(instance, abi);
	return error;
}

/* Nothing is published by this ABI. */
static int remove_others(const char *instance, struct publish_report *ret_report)
{
	int error;

	if (!pins_other_abi(instance))
		return change_nothing(instance);
	error = remove_all_others(instance);
	if (error)
		return error;
	change_remove_instance(instance);
	saved_mark_down(instance);
	*ret_report = (struct publish_report){ 0 };
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
	int error = change_begin(instance, &lock, &gate);

	if (error == -ENOENT)
		return remove_others(instance, ret_report);
	if (!error)
		error = remove_all_others(instance);
	if (error)
		return error;
	report.previous = gate.line->generation[gate_current(gate.line)];
	error = attach_plan(NULL, false, &plan);
	if (!error)
		error = unnamed_mark_all(&gate);
	if (error)
		return error;
	error = attach_remove_all(&gate, &plan);
	if (error) {
		edge_warn("everything passes all the same\nfix: zonewall down, again; or zonewall apply");
		return error;
	}
	gate_wait();
	if (!pins_generations(instance, &numbers, &count))
		for (size_t i = 0; i < count; i++)
			counters_fold(instance, numbers[i]);
	change_remove_instance(instance);
	saved_mark_down(instance);
	block_book_forget(instance);
	change_report(&report, &plan);
	*ret_report = report;
	return 0;
}

static void leave_out_kept(struct publish_report *report)
{
	size_t kept = 0;

	for (size_t i = 0; i < report->change_count; i++)
		if (report->changes[i].change != CHANGE_KEPT)
			report->changes[kept++] = report->changes[i];
	report->change_count = kept;
}

int publish_follow(const char *instance, struct publish_report *ret_report)
{
	_cleanup_close_ int lock = -1;
	_cleanup_gate_ struct gate gate;
	struct publish_report report = { 0 };
	int error = change_begin_existing(instance, true, &lock, &gate);

	if (error)
		return error;
	change_report_gate(&report, &gate);
	report.previous = report.generation;
	if (!report.generation)
		return -ENOENT;
	error = change_align(&gate, report.generation, false, &report);
	leave_out_kept(&report);
	*ret_report = report;
	return error;
}
