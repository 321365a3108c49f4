// SPDX-License-Identifier: GPL-2.0-only
/*
 * A depth-first walk over decisions. A schedule is the list of decisions that a run asks for; the next schedule changes
 * the last decision that has another choice left. Functions run as coroutines of one thread.
 */
#include "schedule.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK 65536
#define DECISIONS 4096

struct decision {
	unsigned chosen, choices;
};

static const struct schedule *current;
static struct decision decisions[DECISIONS];
static size_t depth, decided; /* asked for in this run; known from runs before */
static ucontext_t scheduler, threads[SCHEDULE_THREADS];
static char stacks[SCHEDULE_THREADS][STACK] __attribute__((aligned(64)));
static bool ended[SCHEDULE_THREADS];
static int running = -1, next;
static unsigned preemptions, held;

static unsigned decide(unsigned choices)
{
	if (depth == DECISIONS) {
		fprintf(stderr, "schedule: too long\n");
		abort();
	}
	if (depth == decided)
		decisions[decided++] = (struct decision){ 0, choices };
	return decisions[depth++].chosen;
}

static unsigned alive(int without)
{
	unsigned count = 0;

	for (int i = 0; i < current->threads; i++)
		count += !ended[i] && i != without;
	return count;
}

/* The n-th function that can go on, not counting one. */
static int pick(unsigned n, int without)
{
	for (int i = 0; i < current->threads; i++)
		if (!ended[i] && i != without && !n--)
			return i;
	abort();
}

/* Before an access to shared memory: choice 0 goes on. */
static void point(uintptr_t address)
{
	unsigned others, choice;

	if (running < 0 || held || address - (uintptr_t)current->shared >= current->shared_len ||
	    preemptions == current->preemptions)
		return;
	others = alive(running);
	choice = others ? decide(others + 1) : 0;
	if (!choice)
		return;
	preemptions++;
	next = pick(choice - 1, running);
	swapcontext(&threads[running], &scheduler);
}

static void run_thread(int number)
{
	current->thread(number);
	ended[number] = true;
	held = 0;
	next = -1;
}

static void run_once(void)
{
	depth = 0;
	preemptions = 0;
	current->before();
	for (int i = 0; i < current->threads; i++) {
		ended[i] = false;
		getcontext(&threads[i]);
		threads[i].uc_stack.ss_sp = stacks[i];
		threads[i].uc_stack.ss_size = STACK;
		threads[i].uc_link = &scheduler;
		makecontext(&threads[i], (void (*)(void))run_thread, 1, i);
	}
	next = -1;
	while (alive(-1)) {
		running = next < 0 ? pick(decide(alive(-1)), -1) : next;
		swapcontext(&scheduler, &threads[running]);
	}
	running = -1;
}

/* False if all schedules have run. */
static bool advance(void)
{
	while (decided && decisions[decided - 1].chosen + 1 == decisions[decided - 1].choices)
		decided--;
	if (!decided)
		return false;
	decisions[decided - 1].chosen++;
	return true;
}

unsigned long schedule_all(const struct schedule *schedule, const char **ret_wrong)
{
	unsigned long count = 0;

	current = schedule;
	decided = 0;
	do {
		run_once();
		count++;
		*ret_wrong = schedule->after();
	} while (!*ret_wrong && advance());
	return count;
}

void schedule_hold(int hold)
{
	held = hold;
}

/* What the compiler calls. One function a kind and size of access; the names are its contract. */
#define ACCESS(name)                     \
	void __tsan_##name(void *address); \
	void __tsan_##name(void *address)  \
	{                                  \
		point((uintptr_t)address); \
	}
#define ACCESSES(size)          \
	ACCESS(read##size)      \
	ACCESS(write##size)     \
	ACCESS(volatile_read##size)  \
	ACCESS(volatile_write##size) \
	ACCESS(unaligned_read##size) \
	ACCESS(unaligned_write##size) \
	ACCESS(unaligned_volatile_read##size) \
	ACCESS(unaligned_volatile_write##size)
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
ACCESS(func_entry)

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

void __tsan_init(void);
void __tsan_init(void)
{
}

uint64_t __tsan_atomic64_compare_exchange_val(volatile uint64_t *address, uint64_t old, uint64_t new, int success,
					      int failure);
uint64_t __tsan_atomic64_compare_exchange_val(volatile uint64_t *address, uint64_t old, uint64_t new, int success,
					      int failure)
{
	(void)success, (void)failure;
	point((uintptr_t)address);
	return __sync_val_compare_and_swap(address, old, new);
}

uint64_t __tsan_atomic64_fetch_xor(volatile uint64_t *address, uint64_t bits, int order);
uint64_t __tsan_atomic64_fetch_xor(volatile uint64_t *address, uint64_t bits, int order)
{
	(void)order;
	point((uintptr_t)address);
	return __sync_fetch_and_xor(address, bits);
}

int __tsan_atomic64_compare_exchange_strong(volatile uint64_t *address, uint64_t *old, uint64_t new, int success,
					    int failure);
int __tsan_atomic64_compare_exchange_strong(volatile uint64_t *address, uint64_t *old, uint64_t new, int success,
					    int failure)
{
	uint64_t found = __tsan_atomic64_compare_exchange_val(address, *old, new, success, failure);
	bool done = found == *old;

	*old = found;
	return done;
}

#define RANGE(name)                                   \
	void __tsan_##name(void *address, size_t size); \
	void __tsan_##name(void *address, size_t size)  \
	{                                             \
		(void)size;                           \
		point((uintptr_t)address);            \
	}
RANGE(read_range)
RANGE(write_range)

void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memcpy(void *to, const void *from, size_t size)
{
	point((uintptr_t)to);
	return memcpy(to, from, size);
}

void *__tsan_memset(void *to, int byte, size_t size);
void *__tsan_memset(void *to, int byte, size_t size)
{
	point((uintptr_t)to);
	return memset(to, byte, size);
}
