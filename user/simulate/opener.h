/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who opened a connection whose beginning nobody saw: of its two ends, the one that policy lets open it.
 */
#ifndef ZW_OPENER_H
#define ZW_OPENER_H

#include <stdint.h>

#include "zonewall.h"

enum opener { OPENER_NEITHER, OPENER_FIRST, OPENER_SECOND };

/* One end, as it stands on the wire. port: 0 for protocols without. */
struct end {
	uint32_t address[4];
	__be16 port;
};

/*
 * Asks a generation's tables: failsafe entries before the policy, and of two allowed openers the first. For protocols
 * whose port classes are the destination's port (tcp, udp, sctp) or none (not ICMP). family: 4, 6.
 */
enum opener tables_opener(const void *tables, const struct zw_layout *layout, int family, uint8_t protocol,
			  const struct end *first, const struct end *second);

#endif
