/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The gate of an instance, as `apply` attaches it. All functions here exit with a message when something fails.
 */
#ifndef ZW_BENCH_GATE_H
#define ZW_BENCH_GATE_H

#include <stdint.h>

#include "policy/policy.h"
#include "zonewall.h"

/* Publishes as `apply` does; so many flows a family. */
void gate_publish(const char *instance, const struct policy *policy, uint64_t flows);

/* The attached XDP program. It stays the same when another policy is published. */
int gate_program(const char *instance);

/* Packets by reason at the instance's XDP attach points. */
uint64_t gate_count(const char *instance, enum zw_reason reason);

#endif
