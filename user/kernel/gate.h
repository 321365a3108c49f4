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

struct predecessor;
struct sources;

struct gate {
	const char *instance; /* borrowed */
	int program[ZW_HOOKS]; /* entry programs, by hook */
	uint32_t program_id[ZW_HOOKS];
	int slots[ZW_HOOKS]; /* PROG_ARRAYs */
	int none[ZW_HOOKS]; /* what they hold of a generation that is retired; -errno: there is none */
	int unnamed; /* see ZW_GATE_PARTLY */
	volatile struct zw_gate *line;
	struct book *book;
	struct zw_point *points;
	struct sources *sources; /* NULL until sources_open() */
};

#define GATE_CLOSED \
	((struct gate){ .program = { -1, -1, -1 }, .slots = { -1, -1, -1 }, .none = { -1, -1, -1 }, .unnamed = -1 })

/*
 * Makes the folder of a new instance under its temporary name: gate, book, the reader's map. What stands there from a
 * killed process is removed. With a predecessor (NULL: none) it decides as that one does. Tells what is wrong.
 */
int gate_create(const char *instance, const struct predecessor *predecessor);
/* Gives the new folder its name. From here on the instance exists. */
int gate_settle(const char *instance);

/* -ENOENT, silent: there is none. Other errors are told. ret_gate is usable with gate_close() in any case. */
int gate_open(const char *instance, struct gate *ret_gate);
void gate_close(struct gate *gate);

/* Are the attach points in another network namespace than this process? */
bool gate_is_foreign(const struct gate *gate);
/* Refuses another network namespace then. Tells. */
int gate_check_netns(const struct gate *gate);
int book_check_netns(const struct book *book, const char *instance);

/* The line's word as it decides now: of a trial whose time is over, what the next packet makes of it. */
uint64_t gate_word(const volatile struct zw_gate *line);
/* The slot that decides now. */
unsigned gate_current(const volatile struct zw_gate *line);

/* Seconds that a trial still has, begun ones too. */
unsigned gate_left_s(const volatile struct zw_gate *line);

/*
 * Changes the word into what `next` makes of it; packets may end a trial meanwhile, so next is asked again then. Returns the
 * word as it was.
 */
uint64_t gate_change(volatile struct zw_gate *line, uint64_t (*next)(uint64_t word, const void *context),
		     const void *context);

/* Does the word name the slot neither as current nor to go back to? Then a packet can never come to it again. */
bool gate_is_free(uint64_t word, unsigned slot);
unsigned gate_free_slot(uint64_t word); /* the first such; the end of a trial does not change which are free */
/* Takes a generation's programs out of a slot that no packet is on its way to. */
void gate_empty(const struct gate *gate, unsigned slot);

/* Puts programs, by hook, into a slot; -1: none, for a hook that is attached nowhere (kernel/programs.h). 0 or -errno. */
int gate_fill(const struct gate *gate, unsigned slot, const int program[ZW_HOOKS]);

/* Waits until no packet is on its way that read the line before this call. 0 or -errno. */
int gate_wait(void);

#endif
