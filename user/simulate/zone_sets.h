/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The zones of two generations as sets of elements (joint.h): declared ones, host and world of each, and those of all
 * addresses. A zone that both have by one name is one if both mean the same addresses by it; else there are two, each with
 * its generation.
 */
#ifndef ZW_ZONE_SETS_H
#define ZW_ZONE_SETS_H

#include "simulate/joint.h"

/* Numbers: of all addresses, then the old generation's zones, then the new one's. */
enum { ZONE_SETS_ALL, ZONE_SETS_IP4, ZONE_SETS_IP6, ZONE_SETS_NAMED };

struct named_zone {
	const char *name;
	enum diff_side side; /* DIFF_SIDES: the name says it */
	bool is_again; /* the new generation's, and the same as the old one's */
};

struct zone_sets {
	const struct joint *joint;
	struct named_zone *zones;
	size_t count;
	struct lists elements_of; /* of each zone, ascending */
	struct lists zones_of; /* of each element: named zones, those that are there again left out */
	uint32_t *sizes[2][1 << ORIGINS];
};

/* All borrowed. 0 or -ENOMEM; the caller clears it in any case. */
int zone_sets_make(const struct diff_source sources[DIFF_SIDES], const struct joint *joint,
		   struct zone_sets *sets);
void zone_sets_clear(struct zone_sets *sets);

/* Of each zone: how many elements are on this side of packets of these origins. NULL: out of memory. */
const uint32_t *zone_sets_sizes(struct zone_sets *sets, enum side side, unsigned origins);

#endif
