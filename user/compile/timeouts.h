/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Times as the programs want them, for a kernel with hz jiffies a second.
 */
#ifndef ZW_TIMEOUTS_H
#define ZW_TIMEOUTS_H

#include "zonewall.h"

/* How long flows live after their last packet (design section 5). */
void timeouts_set(struct zw_timeouts *timeouts, unsigned hz);

/* A jiffy, as limits count time. */
static inline __u64 limit_tick_ns(unsigned hz)
{
	return 1000000000 / hz / ZW_LIMIT_STEP_NS * ZW_LIMIT_STEP_NS;
}

#endif
