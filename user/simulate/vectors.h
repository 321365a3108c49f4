/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What changes for each kind of source (joint.h), towards every kind of destination: a "vector". It is written as what
 * changes towards groups of destinations ("base"), and the kinds for which something else does. Sources with equal vectors
 * have the same number.
 */
#ifndef ZW_VECTORS_H
#define ZW_VECTORS_H

#include "simulate/delta.h"

struct vectors {
	struct sets bases; /* group, delta, group, delta, ...: ascending, without DELTA_NONE */
	uint32_t *base_of; /* of each group of sources */
	struct sets all; /* base, kind, delta, kind, delta, ...: ascending; here DELTA_NONE may stand */
	uint32_t *of; /* of each kind of source */
};

/* 0 or -ENOMEM. The caller clears it in any case. */
int vectors_find(const struct joint *joint, struct deltas *deltas, struct vectors *vectors);
void vectors_clear(struct vectors *vectors);

#endif
