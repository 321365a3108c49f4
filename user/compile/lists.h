/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many lists of numbers in two arrays: who is in which class, which entries a combination has.
 */
#ifndef ZW_COMPILE_LISTS_H
#define ZW_COMPILE_LISTS_H

#include <stddef.h>
#include <stdint.h>

/* An array of lists of numbers: list i is number[start[i]] .. number[start[i + 1] - 1]. */
struct lists {
	size_t *start;
	uint32_t *number;
	size_t count;
};

/* Makes room for `count` lists. Afterwards: lists_expect for each number, lists_ready once, lists_put for each. */
int lists_new(struct lists *lists, size_t count);
static inline void lists_expect(struct lists *lists, size_t list)
{
	lists->start[list + 2]++;
}
int lists_ready(struct lists *lists);
static inline void lists_put(struct lists *lists, size_t list, uint32_t number)
{
	lists->number[lists->start[list + 1]++] = number;
}
static inline const uint32_t *lists_get(const struct lists *lists, size_t list, size_t *ret_count)
{
	*ret_count = lists->start[list + 1] - lists->start[list];
	return lists->number + lists->start[list];
}
void lists_clear(struct lists *lists);

#endif
