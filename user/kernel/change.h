/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all changes of an instance have in common: the lock, what a killed process or a trial that went back has left,
 * attaching with live connections seeded, and letting go of what cannot be met any more.
 */
#ifndef ZW_CHANGE_H
#define ZW_CHANGE_H

#include "kernel/gate.h"
#include "kernel/publish.h"
#include "kernel/seed.h"

/*
 * Locks the instance and removes what a killed process left. ret_gate as after gate_open(); errors are told, but for
 * -ENOENT: nothing is published.
 */
int change_begin(const char *instance, int *ret_lock, struct gate *ret_gate);
/*
 * For what needs a published instance in this network namespace: the same, with -ENOENT told unless `quiet`, and
 * change_end_trial().
 */
int change_begin_existing(const char *instance, bool quiet, int *ret_lock, struct gate *ret_gate);

int change_nothing(const char *instance); /* tells, and returns, -ENOENT; or -EPROTO: but by another ABI */

/*
 * If a trial's time is over: attaches and detaches what the generation before it wants, forgets the one that failed,
 * notes it in the book, and says so. What decides is not changed by this: the gate went back by itself.
 */
void change_end_trial(struct gate *gate);

/* That, of a trial whose word says that it went back; without the message. What cannot be attached or detached is told. */
void change_forget_trial(struct gate *gate, struct publish_report *report);

/* Is a trial on: can it still go back? */
bool change_is_on_trial(const struct gate *gate);

/*
 * attach_begin(), with live connections seeded around it if it attaches anything new where a generation decides: before,
 * so that their packets find them from the first one on, and after, for those that were opened meanwhile.
 */
int change_attach(struct gate *gate, struct attach_plan *plan, bool keep_going, struct seeder *seeder);
/*
 * After an error: what was attached is not any more. Interfaces that were noted as unnamed, unless some were before
 * (unnamed_is_marked()), are forgotten; a note that does not matter may stay.
 */
void change_undo(struct gate *gate, struct attach_plan *plan, bool was_marked);
/* Before the first generation the gate lets everything pass: no flow is needed, and none is opened. */
bool change_is_deciding(const struct gate *gate);

/* A pinned generation with its tables. Tells errors. */
int change_open_generation(const char *instance, uint32_t number, struct generation **ret_generation);

/*
 * Attaches what this generation, which a slot holds, wants and is not attached; if `prune`, detaches what it does not name
 * (0: everything). While a trial is on nothing is detached. What could be attached stays even if one interface refuses.
 */
int change_align(struct gate *gate, uint32_t number, bool prune, struct publish_report *report);

/*
 * Generations that the gate's word does not name are let go: their slots emptied, their counters saved, their pins
 * removed. busy: slots (a bit each) that packets may still be on their way to.
 */
void change_settle(struct gate *gate, unsigned busy);

void change_remove_pins(const char *instance, const char *file);
void change_remove_generation(const char *instance, uint32_t number);
/* Down to the folder of the instance: what `down` takes apart, and what a first apply that failed leaves. */
void change_remove_instance(const char *instance);

/* The report takes the changes over. */
void change_report(struct publish_report *report, struct attach_plan *plan);
/* What decides now, and, on trial, what it goes back to and when. */
void change_report_gate(struct publish_report *report, const struct gate *gate);

#endif
