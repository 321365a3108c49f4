/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Policies of the size of design section 13, made in memory: rules of which a tenth name hosts and CIDRs instead of
 * zones, over prefixes of one of plan.h's shapes, each in one of the zones.
 */
#ifndef ZW_SCALE_H
#define ZW_SCALE_H

#include <linux/types.h>

#include "plan.h"
#include "policy/policy.h"

struct scale {
	enum plan_shape shape;
	int family; /* 4, 6 */
	size_t rules, prefixes, zones;
	unsigned cidr_bits; /* the bits that rules' CIDRs leave open */
	bool scattered; /* routing: a prefix is in any zone, however they nest; else a /16 (/32) and all in it in one */
	const char *interface; /* NULL: none */
	bool tc; /* attached there to TC ingress; else to native XDP */
	bool logged; /* drops are told */
	uint16_t open_port; /* allow from any to any tcp to this port: the last rule; 0: none */
	struct limit limit; /* of that rule */
	bool ends; /* it has `until`, in years */
	bool staged; /* before it a staged one drops the same */
};

/* What design section 13 calls full. */
#define SCALE_FULL .rules = 100000, .prefixes = 1000000, .zones = 1024

#define OPEN_PORT 443 /* of policies that are measured */

extern const char *const plan_shape_names[PLAN_SHAPES];

/* Exits without memory. policy_free() frees it. */
struct policy *scale_policy(const struct scale *scale);

/* An option that sets how large: -r RULES, -p PREFIXES, -z ZONES, of SCALE_OPTIONS. Returns false for any other. */
#define SCALE_OPTIONS "r:p:z:"
bool scale_set_size(struct scale *scale, int option, const char *value);

/* Each prefix, in the order of its number, and the zone that it is in. */
typedef void scale_prefix_handler(void *context, unsigned zone, u128 address, unsigned length);
void scale_prefixes(const struct scale *scale, scale_prefix_handler *each, void *context);

#endif
