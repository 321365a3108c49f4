/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A growing array of the compiler: plain data, grown by half as much again, never shrunk. The owner frees it with
 * array_free; all of it is zero when new.
 */
#ifndef ZW_COMPILE_ARRAY_H
#define ZW_COMPILE_ARRAY_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

/* An array of `type`: elements v[0..count). */
#define ARRAY(type)                                                                                          \
	struct {                                                                                             \
		type *v;                                                                                     \
		size_t count, room;                                                                          \
	}

/* The array v with room for `want` elements; if that fails, v as it was and *ret_err set. */
static inline void *array_make_room(void *v, size_t *room, size_t want, size_t size, int *ret_err)
{
	size_t more = *room + *room / 2 + 16;
	void *grown;

	*ret_err = 0;
	if (want <= *room)
		return v;
	if (more < want)
		more = want;
	grown = more > SIZE_MAX / size ? NULL : realloc(v, more * size);
	if (!grown) {
		*ret_err = -ENOMEM;
		return v;
	}
	*room = more;
	return grown;
}

/* Room for n more elements: 0 or -ENOMEM. The elements are not initialised and not yet counted. */
#define array_reserve(a, n)                                                                                  \
	({                                                                                                   \
		int reserve_error;                                                                           \
		(a)->v = array_make_room((a)->v, &(a)->room, (a)->count + (n), sizeof(*(a)->v),              \
					 &reserve_error);                                                    \
		reserve_error;                                                                               \
	})

/* Appends a value: 0 or -ENOMEM. */
#define array_push(a, value)                                                                                 \
	({                                                                                                   \
		int push_error = array_reserve(a, 1);                                                        \
		if (!push_error)                                                                             \
			(a)->v[(a)->count++] = (value);                                                      \
		push_error;                                                                                  \
	})

#define array_free(a)                                                                                        \
	do {                                                                                                 \
		free((a)->v);                                                                                \
		(a)->v = NULL;                                                                               \
		(a)->count = (a)->room = 0;                                                                  \
	} while (0)

#endif
