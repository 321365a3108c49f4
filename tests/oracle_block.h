/* SPDX-License-Identifier: GPL-2.0-only */
/* Stage block of design section 5, for the oracle: prefixes one after the other, each with its end. */
#ifndef ZW_ORACLE_BLOCK_H
#define ZW_ORACLE_BLOCK_H

#include <stdbool.h>

#include "base/addr.h"

struct oracle_blocks;

/* until: seconds; 0: for ever. Adds to `blocks`, or to a new list if that is NULL, and returns it. */
struct oracle_blocks *oracle_blocks_add(struct oracle_blocks *blocks, const struct addr *first, unsigned length, double until);
bool oracle_blocks_hold(const struct oracle_blocks *blocks, const struct addr *addr, double time);
void oracle_blocks_free(struct oracle_blocks *blocks);

#endif
