/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The gate of an instance, opened for change by the one process that holds the lock: its programs and slots, its line,
 * the book, and the table of attach points.
 */
#ifndef ZW_GATE_H
#define ZW_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/pins.h"
#include "zonewall.h"

struct sources;

struct gate {
	const char *instance; /* borrowed */
	int program[ZW_HOOKS]; /* entry programs, by hook */
	uint32_t program_id[ZW_HOOKS];
	int slots[ZW_HOOKS]; /* PROG_ARRAYs */
	volatile struct zw_gate *line;
	struct book *book;
	struct zw_point *points;
	struct sources *sources; /* NULL until sources_open() */
};

/*
 * Makes the folder of a new instance under its temporary name: gate, book, the reader's map. What stands there from a
 * killed process is removed. Tells what is wrong.
 */
int gate_create(const char *instance);
/* Gives the new folder its name. From here on the instance exists. */
int gate_settle(const char *instance);

/* -ENOENT, silent: there is none. Other errors are told. ret_gate is usable with gate_close() in any case. */
int gate_open(const char *instance, struct gate *ret_gate);
void gate_close(struct gate *gate);

/* Are the attach points in another network namespace than this process? */
bool gate_is_foreign(const struct gate *gate);
/* Refuses another network namespace then. Tells. */
int gate_check_netns(const struct gate *gate);

/* The slot that decides now, dead man included; and the one that does not. */
unsigned gate_current(const volatile struct zw_gate *line);

/* Puts programs, by hook, into a slot; -1: none, for a hook that is attached nowhere (kernel/programs.h). 0 or -errno. */
int gate_fill(const struct gate *gate, unsigned slot, const int program[ZW_HOOKS]);

/* Waits until no packet is on its way that read the line before this call. 0 or -errno. */
int gate_wait(void);

#endif
