/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which first packets there are: what stage parse takes (design section 5), of addresses, protocols and ports. A rule for
 * packets that cannot be matches nothing, whatever a table would say.
 *
 * There is no packet from a multicast or loopback address, none to a loopback or unspecified one, no ICMPv6 in IPv4, no
 * protocol 51 (it is read through); one from the unspecified address is ICMPv6 (RFC 4862 5.4: an address that is not yet
 * assigned) or DHCP's, from UDP port 68 to 67.
 */
#ifndef ZW_PACKETS_H
#define ZW_PACKETS_H

#include "policy/policy.h"

#define DHCP_CLIENT 68
#define DHCP_SERVER 67

/* Where packets come from: addresses of a family, or its unspecified one. */
struct origin {
	int family; /* 4, 6 */
	bool unspecified;
};

/* The unspecified address, whose packets are the least plain ones, last. */
#define ORIGINS 4
extern const struct origin packet_origins[ORIGINS];

/*
 * Ports *first..*last of a protocol, cut down to those that packets from this origin go to. False: there are none. A protocol
 * without ports has them all.
 */
bool packets_cut_ports(const struct origin *origin, uint8_t protocol, uint32_t *first, uint32_t *last);

/* Addresses that a packet may come from (without the unspecified one) or go to: set minus all others. 0 or -ENOMEM. */
int packets_sources(const struct ranges *set, struct ranges *ret_set);
int packets_destinations(const struct ranges *set, struct ranges *ret_set);

/*
 * Sets of origins, as bits: 1 << index in packet_origins. Of which origins are there packets that come from (go to) the
 * addresses first..last, or that go to the ports first..last? There are packets from a to b for a service if the three have
 * a bit in common.
 */
unsigned packets_from(int family, u128 first, u128 last);
unsigned packets_to(int family, u128 first, u128 last);
unsigned packets_for(uint8_t protocol, uint32_t first, uint32_t last);
unsigned packets_for_service(const struct selectors *service);

/*
 * Why a rule matches no packet, for people: "its ends have no address family in common". NULL: it matches some, or one of its
 * ends has no address at all. `host` may be any address, whether it is known or not.
 */
struct packet_ends {
	uint8_t *from, *to; /* of each zone: of which origins there are packets from (to) it */
};
int packet_ends_find(const struct policy *policy, struct packet_ends *ret_ends); /* The policy is resolved. 0 or -ENOMEM. */
void packet_ends_clear(struct packet_ends *ends);
const char *packets_why_none(const struct policy *policy, const struct packet_ends *ends, const struct rule *rule);

#endif
