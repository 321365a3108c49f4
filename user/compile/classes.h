/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Classes of one side (source or destination) of a matrix: atoms that no rule tells apart there.
 *
 * An "end" is a distinct list of zones that entries have on this side. An atom's signature is the set of ends that hold
 * one of its zones; equal signatures make a class. `any` is no end: it tells nothing apart.
 */
#ifndef ZW_COMPILE_CLASSES_H
#define ZW_COMPILE_CLASSES_H

#include "compile/atoms.h"
#include "compile/sets.h"

#define END_ANY 0xffffffffu

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

struct side {
	struct sets ends; /* zones of each end */
	struct sets classes; /* ends of each class */
	uint32_t *class_of; /* of each atom */
	uint8_t *family; /* of each class: ATOM_IP4 | ATOM_IP6 */
	struct lists classes_of; /* classes of each end */
};

/* The end that this list of zones is, or END_ANY. The list is not empty. 0 or -ENOMEM. */
int side_add(struct side *side, const unsigned *zones, size_t count, uint32_t *ret_end);

/* After the last side_add. 0 or -ENOMEM. */
int side_classify(struct side *side, const struct atoms *atoms, size_t zone_count);
void side_clear(struct side *side);

#endif
