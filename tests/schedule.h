/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every schedule of a few functions that share memory, with at most so many preemptions: each read, write and
 * compare-and-exchange of the shared memory is a point where another function may go on. The functions are the real
 * code, compiled with -fsanitize=thread, which calls out before each access; here those calls lead to a scheduler
 * instead of a detector of races. Memory is sequentially consistent: what weaker orders allow is the models' matter
 * (tests/model/).
 */
#ifndef ZW_SCHEDULE_H
#define ZW_SCHEDULE_H

#include <stddef.h>

#define SCHEDULE_THREADS 3

struct schedule {
	int threads;
	unsigned preemptions; /* of functions that could have gone on; one that has ended gives way for nothing */
	void *shared;
	size_t shared_len; /* bytes */
	void (*before)(void); /* makes the shared memory what it is at first */
	void (*thread)(int number);
	const char *(*after)(void); /* what is wrong at the end, or NULL */
};

/* Runs all schedules, or until one is wrong. Returns how many ran; *ret_wrong is what after() said. */
unsigned long schedule_all(const struct schedule *schedule, const char **ret_wrong);

/* From here on the running function is not preempted, until the next call. */
void schedule_hold(int hold);

#endif
