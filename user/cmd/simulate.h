/* SPDX-License-Identifier: GPL-2.0-only */
/* What the ways of `zonewall simulate` share: lines of JSON (simulate_lines.c) and captures (simulate_pcap.c, _print.c, _json.c). */
#ifndef ZW_CMD_SIMULATE_H
#define ZW_CMD_SIMULATE_H

#include "cmd/block.h"
#include "cmd/command.h"
#include "cmd/sources.h"
#include "compile/tables.h"
#include "simulate/decision.h"
#include "simulate/replay.h"
#include "watch/buffer.h"

struct simulate_arguments {
	bool kernel, stateful;
	enum zw_hook hook;
	const char *interface; /* where packets enter that do not say; NULL: not known */
	const char *capture; /* NULL: lines */
	uint64_t limit; /* conversations of a list */
	struct sources sources; /* of the policy, and who the host is */
	struct sources old; /* --diff: the files of another policy */
	struct prefixes blocked; /* --block */
	bool block_ends; /* some of them before the end of time */
};

/* One policy and who decides by it. */
struct engine {
	const struct tables *tables;
	uint32_t source_set; /* of the interface */
	struct decider *decider; /* this or the other */
	struct testrun *testrun;
	struct zw_blocks *blocks; /* the decider's, NULL: none */
};

/* Tells what is wrong. Returns an exit status. tables are borrowed. */
int engine_open(const struct simulate_arguments *arguments, const struct tables *tables, struct engine *ret_engine);
void engine_close(struct engine *engine);

/* As testrun_decide(). */
int engine_decide(struct engine *engine, const struct frame *frame, struct decision *ret_decision);

int simulate_out_of_memory(void);

/* ADDR|CIDR[=SECONDS], which is cut up. 0 or an exit status. */
int simulate_read_block(struct simulate_arguments *arguments, char *text);
/* Gives an engine its block list. Returns an exit status. */
int simulate_block(const struct simulate_arguments *arguments, struct engine *engine);

/* Both return an exit status. tables by enum replay_side, NULL: there is no old policy. */
int simulate_lines(const struct simulate_arguments *arguments, const struct tables *tables);
int simulate_capture(const struct globals *globals, const struct simulate_arguments *arguments,
		     struct tables *const tables[REPLAY_SIDES]);

/* What a replay found, for printing. All borrowed. */
struct replayed {
	const struct simulate_arguments *arguments;
	const struct tables *tables[REPLAY_SIDES];
	const struct capture *capture;
	const struct replay *replay;
	const char *broken; /* why the rest of the capture could not be read; NULL: all of it was */
	struct replay_row *rows[REPLAY_ROWS];
	size_t count[REPLAY_ROWS];
};

/* To stdout. 0 or -ENOMEM. */
/* The staged rule of a side that comes next after a number, 0 before the first; 0: there is none. */
uint32_t replayed_staged(const struct replayed *replayed, enum replay_side side, uint32_t after);

int replayed_print(const struct globals *globals, const struct replayed *replayed);
int replayed_print_json(const struct replayed *replayed);

/* "tcp/5432", "icmp/8/0"; "tcp" where no port was read. */
void put_row_service(struct buffer *buffer, const struct replay_row *row);
/* "2026-05-01T10:00:00.123456Z", with so many digits of the second (0, 3, 6). */
void put_time(struct buffer *buffer, double time, int digits);
/* The id of the rule that stands beside the reason; NULL: none. */
const char *decision_rule(const struct tables *tables, const struct decision *decision);

#endif
