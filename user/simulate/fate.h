/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What becomes of a connection that is open when a generation begins to decide: its first packet is decided again
 * (design section 5, stage flow), and failsafe lets its packets pass either way. Ask it of tables that are not applied yet.
 */
#ifndef ZW_FATE_H
#define ZW_FATE_H

#include <stdbool.h>
#include <stdint.h>

#include "zonewall.h"

/* As its opener sees it. */
struct connection {
	int family; /* 4, 6 */
	uint8_t protocol;
	uint32_t source[4], destination[4]; /* wire order */
	__be16 sport, dport; /* of tcp, udp, sctp; an echo's identifier, twice */
	uint16_t port; /* of its first packet: destination port, or ICMP type << 8 | code; 0 for protocols without */
	uint32_t cell; /* of its flow, for what stage tls knows of it (bpf/tls_state.h); 0: it has none */
};

struct fate {
	bool passes;
	/*
	 * Of its first packet. ZW_ALLOW_FAILSAFE: the rules drop it, failsafe lets it pass; ZW_DROP_REVOKED: the rule lets it
	 * pass, but has `tls`, and nobody saw how the connection began.
	 */
	enum zw_reason reason;
	uint32_t rule; /* that decides, 0 none */
	uint32_t staged; /* the staged rule that would make the other verdict of it, as in struct zw_variant; 0 none */
};

/* now: Unix seconds; rules that end have ended by then, or not. */
struct fate fate_of(const void *tables, const struct zw_layout *layout, const struct connection *connection, uint64_t now);

/* Does an attach point that is bound to this source set (from 1) let packets from the address in? */
bool fate_takes_source(const void *tables, const struct zw_layout *layout, uint32_t source_set, int family,
		       const uint32_t *address);

bool fate_has_ports(uint8_t protocol); /* tcp, udp, sctp */

#endif
