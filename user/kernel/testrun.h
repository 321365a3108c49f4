/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One packet's decision, from the kernel: the same object with the same tables as a published generation, loaded apart
 * with private state, and run with BPF_PROG_TEST_RUN. Nothing that is published is touched.
 */
#ifndef ZW_TESTRUN_H
#define ZW_TESTRUN_H

#include "compile/tables.h"
#include "simulate/decision.h"

struct testrun;

struct testrun_options {
	bool stateful; /* packets leave flows behind */
	unsigned hooks; /* bits by enum zw_hook: the programs to load, 0 for all */
};

/* tables are borrowed during the call. Tells what is wrong; 0 or -errno. */
int testrun_new(const struct tables *tables, const struct testrun_options *options, struct testrun **ret_run);
void testrun_free(struct testrun *run);

/*
 * 0; -EINVAL: the kernel's test run does not take this frame; -ENOENT: the hook's program was not loaded; -EPROTO: the
 * program's return value does not say what its noted reason says; another -errno. Silent.
 */
int testrun_decide(struct testrun *run, const struct frame *frame, struct decision *ret_decision);

/* The private block list (kernel/blocks.h), whose ends are in jiffies of SIMULATED_HZ; NULL: it cannot be mapped. Borrowed. */
struct zw_blocks *testrun_blocks(struct testrun *run);

/* The private counters, summed over CPUs. */
void testrun_count_reason(const struct testrun *run, enum zw_reason reason, struct zw_count *ret_count);
void testrun_count_rule(const struct testrun *run, uint32_t rule, struct zw_rule_counters *ret_counters);
/* The sum of zw_event_head.logged: packets that are told of. */
uint64_t testrun_logged(const struct testrun *run);

#endif
