/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small helpers that every part uses: destructors on locals, owning pointers, arrays, checked sizes.
 */
#ifndef ZW_UTIL_H
#define ZW_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* `_cleanup_(x_freep) struct x *x = NULL;` runs x_freep(&x) where x leaves its scope. */
#define _cleanup_(function) __attribute__((cleanup(function)))

/* Defines name##p, for _cleanup_, from a function that takes the pointer. `type` is the pointer's type. */
#define DEFINE_CLEANUP(type, name)                                                                             \
	static inline __attribute__((unused)) void name##p(type *owned)                                        \
	{                                                                                                      \
		if (*owned)                                                                                    \
			name(*owned);                                                                          \
	}

/* The value of an owning variable, which gives it up: it holds NULL afterwards. */
#define take_ptr(owned)                                                                                        \
	({                                                                                                     \
		__auto_type _owned = &(owned);                                                                 \
		__auto_type _value = *_owned;                                                                  \
		*_owned = NULL;                                                                                \
		_value;                                                                                        \
	})

/* Pointers of any type are read and written through memcpy: a void ** may not alias a struct x *. */
static inline void freep(void *owned)
{
	void *memory;

	memcpy(&memory, owned, sizeof(memory));
	free(memory);
}
#define _cleanup_free_ _cleanup_(freep)

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define _cleanup_close_ _cleanup_(closep)

/* The descriptor in an owning variable, which gives it up. */
static inline int take_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

static inline void fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
}
#define _cleanup_fclose_ _cleanup_(fclosep)

/*
 * Room for one more element in an array of count elements. The capacity is never stored: it is at least count rounded
 * up to a power of two, so only an array that is exactly that long grows. Every element must be added through here.
 * `array` is the address of the pointer. Returns 0 or -ENOMEM; the array is as it was then.
 */
static inline int array_grow(void *array, size_t count, size_t element_bytes)
{
	size_t bytes;
	void *old, *grown;

	if (count & (count - 1))
		return 0;
	if (__builtin_mul_overflow(count ? count * 2 : 1, element_bytes, &bytes))
		return -ENOMEM;
	memcpy(&old, array, sizeof(old));
	grown = realloc(old, bytes);
	if (!grown)
		return -ENOMEM;
	memcpy(array, &grown, sizeof(grown));
	return 0;
}

/* A zeroed array that is filled at once; never NULL for a count of 0, only when out of memory. */
static inline void *array_new(size_t count, size_t element_bytes)
{
	return calloc(count ? count : 1, element_bytes);
}

#endif
