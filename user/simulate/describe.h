/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sets of elements (joint.h) in words, as few as a person would need: a zone, zones and what is left of the set as ranges,
 * or what the set lacks to be a zone. The words mean exactly the set, among the addresses that count.
 *
 * Zones are the declared ones of both generations, host and world, and any, 0.0.0.0/0 and ::/0. Of sets that several zones
 * are, the one that is defined first is named.
 */
#ifndef ZW_DESCRIBE_H
#define ZW_DESCRIBE_H

#include "simulate/joint.h"

struct describer;

/* All borrowed until describer_free. 0 or -ENOMEM. */
int describer_new(const struct diff_source sources[DIFF_SIDES], const struct joint *joint,
		  struct describer **ret_describer);
void describer_free(struct describer *describer);

/*
 * origins: only addresses of packets of these origins count. Elements are each named once. 0 or -ENOMEM; the caller frees
 * with diff_set_clear.
 */
int describe(struct describer *describer, enum side side, const uint32_t *elements, size_t count,
	     unsigned origins, struct diff_set *ret_set);
void diff_set_clear(struct diff_set *set);

#endif
