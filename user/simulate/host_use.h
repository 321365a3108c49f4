/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does an answer depend on the addresses of the host, while they are not known? `host` is empty then, and `world` holds
 * what may be the host's: rules that name one of them may match more, or less, once they are known.
 */
#ifndef ZW_HOST_USE_H
#define ZW_HOST_USE_H

#include "simulate/space.h"

/* What knowing the host may do to a packet. */
#define HOST_MAY_ALLOW 1u /* it is dropped now, and may be allowed then */
#define HOST_MAY_DROP 2u

struct host_user {
	const struct rule *rule;
	unsigned effects;
	bool is_failsafe;
};

/* Enforced rules that have not ended, and failsafe entries, that name host or world. */
struct host_use {
	const struct policy *policy; /* borrowed */
	struct host_user *v; /* grows by array_grow */
	size_t count;
};

/* time: as until (policy.h). 0 or -ENOMEM. */
int host_use_find(const struct policy *policy, int64_t time, struct host_use *ret_use);
void host_use_clear(struct host_use *use);

/* The first rule or entry that may do one of `effects` to some packet of the region; NULL: none. */
const struct rule *host_use_matters(const struct host_use *use, const struct region *region, unsigned effects);

#endif
