/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A policy under test with everyone who can decide by it: the oracle, the tables in user space and the programs in the
 * kernel, on each hook. A disagreement is a text that says who said what.
 */
#ifndef ZW_SCENE_H
#define ZW_SCENE_H

#include "compile/tables.h"
#include "kernel/testrun.h"
#include "oracle.h"
#include "packet.h"
#include "policy/policy.h"
#include "simulate/decision.h"

struct scene_options {
	const char *host; /* addresses separated by spaces; NULL: not known */
	/* The block list: "ADDR/LENGTH" or, with flows, "ADDR/LENGTH=SECONDS" until then, separated by spaces; NULL: it is empty. */
	const char *blocks;
	bool stateful; /* packets leave flows, which all hooks share */
	bool kernel; /* load the programs: needs root */
	uint64_t dense_bytes; /* see struct compile_options */
	unsigned hooks; /* bits by enum zw_hook: the programs to load, 0 for all */
};

struct scene {
	struct policy *policy;
	struct ranges host;
	bool has_host;
	struct tables *tables;
	struct oracle *oracle;
	struct decider *decider;
	struct testrun *testrun; /* NULL without kernel */
	struct zw_staged_counters *staged; /* by rule number: what the programs should have counted, as the oracle says */
	struct zw_blocks *blocks; /* the decider's; NULL: none */
};

/* Reads the policy's text. Prints diagnostics as TAP comments if it has errors. 0 or -errno. */
int scene_open(const char *policy, const struct scene_options *options, struct scene *ret_scene);
void scene_close(struct scene *scene);

/* One more on the block list of a scene that has one: a word as in options->blocks (cut up). 0 or -errno. */
int scene_block(struct scene *scene, char *word, bool stateful);

struct scene_frame {
	const uint8_t *data;
	size_t len;
	enum zw_hook hook;
	double time;
	uint8_t mac[6];
	const char *interface; /* NULL: none that the policy knows */
};

/*
 * Asks everyone. ret_answer is the oracle's. Returns true if all agree on verdict, reason, rule and zones; else what
 * each said stands in ret_text. Where the kernel's test run does not take the frame it is refused, and counted; a hook without a program is not asked.
 */
#define SCENE_TEXT 4096
bool scene_agrees(struct scene *scene, const struct scene_frame *frame, struct oracle_answer *ret_answer,
		  char ret_text[SCENE_TEXT]);

/* Have the programs counted of each staged rule what the oracle says, over all frames that they were asked about? */
bool scene_counters_agree(struct scene *scene, char ret_text[SCENE_TEXT]);

extern unsigned long scene_kernel_asked, scene_kernel_refused;

/* Shows one decision as a text, for messages. */
void scene_describe(const struct scene *scene, const struct decision *decision, char *ret_text, size_t size);

const char *scene_hook_name(enum zw_hook hook);

/*
 * Is the kernel to be asked? Without root the whole program is skipped, and says so; with TABLES_ONLY in the environment
 * it goes on with oracle and tables.
 */
bool scene_asks_kernel(void);

#endif
