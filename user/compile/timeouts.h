/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long flows live after their last packet (design section 5), as the programs want it.
 */
#ifndef ZW_TIMEOUTS_H
#define ZW_TIMEOUTS_H

#include "zonewall.h"

/* For a kernel with hz jiffies a second. */
void timeouts_set(struct zw_timeouts *timeouts, unsigned hz);

#endif
