/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The addresses of two generations, seen together.
 *
 *   ranges    both address spaces, cut wherever one of the two cuts them, or where packets end (places.h)
 *   elements  ranges that neither tells apart: the same atom before, the same after, the same packets
 *   kinds     elements that no rule tells apart on one side: equal classes in both
 *   groups    kinds with equal groups (cells_group_row) in both: for most pairs of kinds, it is the pair of groups that
 *             has the row
 *
 * Kinds and groups know no family: an IPv4 and an IPv6 address may be of one kind. Where a packet may come from decides
 * which packets there are, so each element says of which origins its packets are.
 */
#ifndef ZW_JOINT_H
#define ZW_JOINT_H

#include "compile/array.h"
#include "compile/lists.h"
#include "compile/sets.h"
#include "simulate/diff.h"
#include "simulate/places.h"
#include "simulate/space.h"

/* Origins as a set: bit i is packet_origins[i]. */

struct joint_range {
	u128 first, last;
	uint32_t element;
};

struct element {
	uint32_t atom[DIFF_SIDES];
	uint8_t family;
	uint8_t origins[2]; /* by enum side: of packets from here (one or none); of packets to here */
};

struct kinds {
	size_t count, group_count;
	uint32_t *of; /* of each element; NO_KIND: no packet has it on this side */
	uint32_t *group; /* of each kind */
	uint8_t *origins, *group_origins; /* of each kind, each group: of all its elements */
	struct lists elements; /* of each kind */
	struct lists members; /* kinds of each group */
	struct lists of_class[DIFF_SIDES]; /* kinds of each class of the policy matrix */
};
#define NO_KIND 0xffffffffu

struct joint {
	struct space *space[DIFF_SIDES];
	ARRAY(struct joint_range) ranges; /* IPv4, then IPv6, ascending */
	struct element *elements; /* in order of first appearance */
	size_t count;
	struct lists ranges_of; /* indices into ranges, of each element */
	struct kinds kinds[2]; /* by enum side */
	uint32_t *failsafe_of; /* of each element: number of its classes in both failsafe matrices */
	uint32_t *failsafe_sample; /* of each such number: an element */
	size_t failsafe_count;
};

/* The number of a list whose order counts (sets.h). */
static inline int list_number(struct sets *lists, const uint32_t *list, size_t count, uint32_t *ret_number)
{
	uint64_t hash = count;

	for (size_t i = 0; i < count; i++)
		hash = sets_spread(hash ^ list[i]);
	return sets_intern(lists, list, count, hash, ret_number);
}

/* 0; -ENOMEM; -EINVAL if tables are damaged. The caller clears it in any case. */
int joint_make(const struct diff_source sources[DIFF_SIDES], struct joint *joint);
void joint_clear(struct joint *joint);

/* The pair's row of the policy matrix. 0 or -ENOMEM. */
int joint_row(const struct joint *joint, enum diff_side side, uint32_t source, uint32_t destination,
	      uint32_t *ret_row);

#endif
