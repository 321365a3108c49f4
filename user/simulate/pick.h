/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A packet to show, among those of a pair: what the pair's rows make of one packet, and a plain packet of a service of
 * which they make what is wanted.
 */
#ifndef ZW_PICK_H
#define ZW_PICK_H

#include "simulate/pair.h"
#include "simulate/space.h"

/* As stage policy, then failsafe over it (bpf/decide.h). ret_cell: policy's, or that of the entry that lets it pass. */
enum zw_reason pair_decide(const struct cells *cells, const struct pair *pair,
			   const struct space_packet *packet, uint32_t *ret_cell);

/* Sets all of the packet but its addresses, so that it is allowed (or dropped). The caller knows that there is one. */
void pair_pick(const struct cells *cells, const struct pair *pair, const struct selectors *service,
	       const struct origin *origin, bool allowed, struct space_packet *packet);

#endif
