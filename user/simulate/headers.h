/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who talks to whom in a frame, as the programs' own parser reads it (bpf/packet.h), and whether enough of the frame is
 * there to say so: captures often hold only the first bytes of each.
 */
#ifndef ZW_HEADERS_H
#define ZW_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct headers {
	bool has_addresses; /* else nothing else is set */
	struct addr from, to;
	uint8_t protocol;
	bool has_transport; /* its header was read: no later fragment, nothing malformed */
	uint16_t sport, dport; /* of an echo: its identifier, twice; 0 for protocols without */
	uint16_t port; /* as rules match it: the destination port, or ICMP type << 8 | code */
	uint8_t tcp_flags;
	bool echo_request, echo_reply; /* ICMP's or ICMPv6's */
	size_t hello_end; /* where in the frame the bytes end that stage tls may read; 0: it reads none */
};

/*
 * An Ethernet frame of len bytes, of which the first `captured` are known; they alone are read. False: what decides
 * about the frame may stand behind them. True: whatever stands there, the programs decide the same, if the policy has no
 * `tls` or they reach to hello_end.
 */
bool headers_read(const uint8_t *frame, size_t captured, size_t len, struct headers *ret_headers);

#endif
