/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A service's places as reach.c sees them: in groups that stages before policy tell apart, and in each one place for each
 * port class.
 */
#ifndef ZW_REACH_PLACES_H
#define ZW_REACH_PLACES_H

#include "simulate/places.h"

struct reach_place {
	uint8_t protocol;
	bool is_set;
	uint16_t port;
};

struct reach_group {
	uint8_t protocol; /* of protocols that only policy knows, any one */
	unsigned special; /* what stage essentials sees in the port, 0 nothing */
	enum place_kind kind;
	struct reach_place *place; /* by port class */
	uint32_t *before; /* how many classes below have a place */
};

struct reach_places {
	struct reach_group *group; /* grows by array_grow; in the order in which people think of them */
	size_t count;
};

/* family: that of the packets. 0 or -ENOMEM. */
int reach_places_find(const struct cells *cells, int family, const struct selectors *service,
		      struct reach_places *ret_places);
void reach_places_clear(struct reach_places *places);

static inline bool reach_group_holds(const struct reach_group *group, uint32_t first, uint32_t end)
{
	return group->before[end] != group->before[first];
}

/* The plainest place of classes first..end - 1, in which there is one, and `other`, if it is not NULL. */
const struct reach_place *reach_group_example(const struct reach_group *group, uint32_t first, uint32_t end,
					      const struct reach_place *other);

#endif
