/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of addresses as reach.c sees it: one address of each kind (cells.h) and of each combination of traits, by which
 * stages before policy tell addresses apart.
 */
#ifndef ZW_REACH_ENDS_H
#define ZW_REACH_ENDS_H

#include "simulate/space.h"

struct reach_end {
	struct addr example;
	uint32_t atom, kind;
	uint32_t traits; /* a number: 0..traits_count - 1 */
	uint32_t block, flags, origin; /* the traits */
	bool is_host;
};

struct reach_ends {
	struct reach_end *v; /* grows by array_grow; plain addresses before multicast and the like */
	size_t count;
	uint32_t traits_count;
};

/* 0; -ENOMEM. */
int reach_ends_find(struct space *space, enum side side, int family, const struct ranges *set,
		    struct reach_ends *ret_ends);
void reach_ends_clear(struct reach_ends *ends);

#endif
