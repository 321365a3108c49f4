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
#include "compile/lists.h"
#include "compile/sets.h"

#define END_ANY 0xffffffffu

struct side {
	struct sets ends; /* zones of each end */
	struct sets classes; /* ends of each class */
	uint32_t *class_of; /* of each atom */
	uint8_t *origins; /* of each class: policy/packets.h */
	struct lists classes_of; /* classes of each end */
};

/* The end that this list of zones is, or END_ANY. The list is not empty. 0 or -ENOMEM. */
int side_add(struct side *side, const unsigned *zones, size_t count, uint32_t *ret_end);

/* After the last side_add. number: 0 source, 1 destination. 0 or -ENOMEM. */
int side_classify(struct side *side, int number, const struct atoms *atoms, size_t zone_count);
void side_clear(struct side *side);

#endif
