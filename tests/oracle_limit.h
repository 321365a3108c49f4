/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle's token buckets: a plain list of all there have ever been, with numbers of tokens that are filled up as time
 * passes (design section 5, stage limit). Time in a simulation is whole milliseconds, its tick.
 */
#ifndef ZW_ORACLE_LIMIT_H
#define ZW_ORACLE_LIMIT_H

#include <stdbool.h>

#include "policy/policy.h"

struct oracle_limits;

struct oracle_limits *oracle_limits_new(void);
void oracle_limits_free(struct oracle_limits *limits);

/* A first packet of this source, which the rule allows, takes a token. False: there is none. time: seconds. */
bool oracle_limits_take(struct oracle_limits *limits, const struct rule *rule, const struct addr *from, double time);

#endif
