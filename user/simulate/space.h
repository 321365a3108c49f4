/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The space of all first packets under a generation: is some packet of a region allowed, is some dropped? Answered by
 * classes, so for every packet there is, and with a packet to show for it.
 *
 * First packets are those that reach stage policy (design section 5) without a flow: whole packets that stage parse
 * takes, TCP as a SYN, of any source port, entering or leaving. What stages spoof, essentials, flow and related would
 * make of them is not the policy's and does not count. So there is no packet from a multicast or loopback address, no
 * ICMPv6 in IPv4, no protocol 51 (it is read through), and one from an unspecified address is ICMPv6 or DHCP's.
 *
 * Allowed is what the policy allows or failsafe lets pass. Failsafe also takes a packet with its ends and ports
 * exchanged: that counts, for there need be no flow for it, but with TCP, where only a SYN begins anything. Limits
 * count as never reached, TLS checks as passed (design 4.8).
 */
#ifndef ZW_SPACE_H
#define ZW_SPACE_H

#include "policy/policy.h"
#include "simulate/atom_ranges.h"
#include "simulate/cells.h"
#include "simulate/decision.h"
#include "simulate/places.h"

struct space;

/* As cells_new(). tables are borrowed until space_free. */
int space_new(const void *tables, const struct zw_layout *layout, int64_t time, struct space **ret_space);
void space_free(struct space *space);

/* Sets as addr.h has them, borrowed for the call. */
struct region {
	const struct ranges *source, *destination;
	const struct selectors *service;
};

struct space_packet {
	struct addr from, to;
	uint8_t protocol;
	uint16_t sport; /* of tcp, udp, sctp */
	uint16_t port; /* as in zonewall.h; 0 for other protocols */
};

#define SPACE_ALLOWED 1u
#define SPACE_DROPPED 2u

struct space_answer {
	bool is_empty; /* no packet is in the region */
	unsigned found; /* SPACE_ALLOWED: some packet is allowed; SPACE_DROPPED: some is dropped */
	struct space_packet allowed, dropped; /* such a packet, a plain one where there is a choice */
};

/* Looks for what `wanted` names (SPACE_...), and no further once it is found. 0 or -ENOMEM. */
int space_ask(struct space *space, const struct region *region, unsigned wanted, struct space_answer *ret_answer);

/* What becomes of a packet of the space. */
void space_decide(struct space *space, const struct space_packet *packet, struct decision *ret_decision);

/* What the answers are made of, for those who walk over all of the space. Borrowed. */
const struct atom_ranges *space_ranges(const struct space *space, int family);
struct cells *space_cells(struct space *space);
uint32_t space_atom(const struct space *space, const struct addr *addr);
const struct place_classes *space_sports(const struct space *space); /* of all source ports of UDP and SCTP */

/* An address of a set, one for each kind of atom. */
struct end {
	uint32_t atom;
	struct addr addr;
	u128 last; /* up to here all addresses are of this atom and in the set */
};

struct ends {
	struct end *v; /* grows by array_grow; the caller frees it */
	size_t count;
};

/* Adds the ends of a set (packets.h says which addresses are possible), as sources of an origin or as destinations. 0 or -ENOMEM. */
int space_sources(struct space *space, const struct origin *origin, const struct ranges *set, struct ends *ends);
int space_destinations(struct space *space, int family, const struct ranges *set, struct ends *ends);

#endif
