/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The peers of pipeline.bpf.c, filled with the prefixes and rules of a policy of scale.h. What they cannot express
 * is left out: of zones that overlap the last one counts; hashes hold hosts only; rules of CIDRs, any, and all but
 * the first of their ports are not there.
 */
#ifndef ZW_PEER_H
#define ZW_PEER_H

#include <stdint.h>

#include "bench/scale.h"

struct peer;

/* Exits with a message if the kernel refuses. flows: entries of the LRU hash. */
struct peer *peer_new(const struct scale *scale, uint32_t flows, uint16_t open_port);
void peer_free(struct peer *peer);

/* Programs. Descriptors, borrowed. -1: hashes cannot hold this shape's prefixes. */
int peer_on_hashes(const struct peer *peer);
int peer_on_tries(const struct peer *peer);

/* Packets that were allowed so far. */
uint64_t peer_allowed(const struct peer *peer);

#endif
