// SPDX-License-Identifier: GPL-2.0-only
/*
 * allocations.so, for LD_PRELOAD: makes one allocation of a program fail, those of its libraries included.
 *
 * FAIL_ALLOCATION=N       the Nth fails
 * LIST_ALLOCATIONS=FILE   none does; the file gets the numbers, a line each, of the first of those that were made by the same
 *                         calls
 *
 * Counted from when it is loaded. For glibc alone: its own names of these functions are what is called.
 */
#include <errno.h>
#include <execinfo.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

#define STACKS 65536 /* a power of two */
#define DEPTH 24

static uint64_t count, fails_at;
static const char *list_path;
static struct {
	uint64_t hash, first;
} stacks[STACKS];
static __thread bool inside;

static void note_stack(uint64_t number)
{
	void *frames[DEPTH];
	int depth;
	uint64_t hash = 0xcbf29ce484222325;
	unsigned i;

	inside = true;
	depth = backtrace(frames, DEPTH);
	inside = false;
	for (int frame = 0; frame < depth; frame++)
		hash = (hash ^ (uintptr_t)frames[frame]) * 0x100000001b3;
	for (i = hash % STACKS; stacks[i].first && stacks[i].hash != hash; i = (i + 1) % STACKS)
		;
	stacks[i].hash = hash;
	if (!stacks[i].first)
		stacks[i].first = number;
}

static bool fails(void)
{
	uint64_t number;

	if (inside || (!fails_at && !list_path))
		return false;
	number = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
	if (list_path)
		note_stack(number);
	else if (number == fails_at)
		errno = ENOMEM;
	return number == fails_at;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
	return fails() ? NULL : __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t number, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(number, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return fails() ? NULL : __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
	return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
	void *memory = fails() ? NULL : __libc_memalign(alignment, size);

	if (!memory)
		return ENOMEM;
	*ret_memory = memory;
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	const char *number = getenv("FAIL_ALLOCATION");
	void *frame;

	inside = true;
	backtrace(&frame, 1); /* which loads a library the first time */
	inside = false;
	unsetenv("LD_PRELOAD");
	list_path = getenv("LIST_ALLOCATIONS");
	fails_at = number ? strtoull(number, NULL, 10) : 0;
}

__attribute__((destructor)) static void end(void)
{
	FILE *list;

	inside = true;
	list = list_path ? fopen(list_path, "we") : NULL;
	for (unsigned i = 0; list && i < STACKS; i++)
		if (stacks[i].first)
			fprintf(list, "%llu\n", (unsigned long long)stacks[i].first);
	if (list)
		fclose(list);
}
