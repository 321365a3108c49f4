// SPDX-License-Identifier: GPL-2.0-only
#include "compile/timeouts.h"

static const unsigned timeout_seconds[ZW_FLOW_STATES] = {
	[ZW_FLOW_TCP_SYN] = 120,
	[ZW_FLOW_TCP_SYN_ACK] = 60,
	[ZW_FLOW_TCP_ESTABLISHED] = 432000,
	[ZW_FLOW_TCP_FIN] = 120,
	[ZW_FLOW_TCP_CLOSING] = 30,
	[ZW_FLOW_TCP_RESET] = 10,
	[ZW_FLOW_TCP_PICKED_UP] = 300,
	[ZW_FLOW_UDP] = 30,
	[ZW_FLOW_UDP_REPLIED] = 30,
	[ZW_FLOW_UDP_CONFIRMED] = 120,
	[ZW_FLOW_ICMP] = 30,
	[ZW_FLOW_SCTP] = 60,
	[ZW_FLOW_SCTP_REPLIED] = 60,
	[ZW_FLOW_SCTP_CONFIRMED] = 210,
	[ZW_FLOW_OTHER] = 600,
};

void timeouts_set(struct zw_timeouts *timeouts, unsigned hz)
{
	for (unsigned i = 0; i < ZW_FLOW_STATES; i++)
		timeouts->jiffies[i] = timeout_seconds[i] * hz;
	for (timeouts->hint_shift = 0; timeouts->jiffies[ZW_FLOW_TCP_ESTABLISHED] >> timeouts->hint_shift >> ZW_HINT_TIME_BITS;)
		timeouts->hint_shift++;
}
