/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addresses that are not the sender's, or nobody's.
 */
#include "evasion.h"

#define FROM(address) {PACKET(TCP_(443), .from = address), MALFORMED}
#define TO(address) {PACKET(WEB, .to = address), MALFORMED}
#define FROM4(address) .family = 4, .steps = {{PACKET(TCP_(443), ENDS(address, "blue")), MALFORMED}}
#define FROM6(address) .family = 6, .steps = {{PACKET(TCP_(443), ENDS(address, "blue")), MALFORMED}}
#define TO4(address) .family = 4, .steps = {{PACKET(WEB, .to = address), MALFORMED}}
#define TO6(address) .family = 6, .steps = {{PACKET(WEB, .to = address), MALFORMED}}

static const struct evasion_case cases[] = {
	{"a loopback source", .steps = {FROM("loopback")}},
	{"the last loopback source", FROM4("127.255.255.255")},
	{"a multicast source", .steps = {FROM("group")}},
	{"the last multicast source", FROM4("239.255.255.255")},
	{"a broadcast source", FROM4("255.255.255.255")},
	{"an IPv4-mapped source in a zone", FROM6("::ffff:10.1.0.7")},
	{"an unspecified source", .steps = {FROM("none")}},
	{"an unspecified source in UDP to a group", .steps = {{PACKET(UDP_(5353), ENDS("none", "group")), MALFORMED}}},
	{"an unspecified source in a later fragment",
	 .steps = {{PACKET(NAMES, .from = "none", .offset = 16, .payload_len = 8), MALFORMED}}},
	{"a loopback destination", .steps = {TO("loopback")}},
	{"another loopback destination", TO4("127.1.2.3")},
	{"an unspecified destination", .steps = {TO("none")}},
	{"an IPv4-mapped destination in a zone", TO6("::ffff:10.2.0.9")},
	{"a martian source in a later fragment",
	 .steps = {{PACKET(NAMES, .from = "loopback", .offset = 16, .payload_len = 8), MALFORMED}}},
	{"a martian source behind options or extension headers",
	 .steps = {{PACKET(WEB, .from = "loopback", .chain = "ah"), MALFORMED}}},
	{"the limited broadcast as a destination, to a denied port", .family = 4,
	 .steps = {{PACKET(SECRET, .to = "255.255.255.255"), DEFAULT}}},
	{"a group as a destination, to a denied port", .steps = {{PACKET(UDP_(5354), .to = "group"), DEFAULT}}},

	{"the firewall's own address as a source",
	 .steps = {{PACKET(TCP_(443), ENDS("host", "blue")), SPOOFED, LEAVING(ZW_ALLOW_RULE)}}},
	{"LAND: the firewall's own address as source and destination", .steps = {
	 {PACKET(TCP_(443), ENDS("host", "host"), .sport = 443), SPOOFED, LEAVING(ZW_ALLOW_RULE)}}},
	{"LAND: another host's address as source and destination", .steps = {
	 {PACKET(TCP_(81), ENDS("blue", "blue"), .sport = 81), DEFAULT}}},
	{"the own address as a source in a later fragment", .steps = {
	 {PACKET(NAMES, .from = "host", .offset = 16, .payload_len = 8), SPOOFED, LEAVING(ZW_DROP_FRAGMENT)}}},
	{"the own address as the source of an answer",
	 .steps = {{PACKET(NAMES, .from = "host"), SPOOFED, LEAVING(ZW_ALLOW_RULE)},
	 {PACKET(.protocol = P_UDP, ENDS("host", "blue"), .sport = 53, .dport = 40000), SPOOFED, LEAVING(ZW_DROP_DEFAULT)}}},
	{"the own address as the source of a failsafe answer", .steps = {
	 {PACKET(ENDS("host", "red"), .sport = 22, .dport = 40000, .flags = F_ACK), SPOOFED, LEAVING(ZW_ALLOW_FAILSAFE)}}},
	{"the own address as the source of a neighbour solicitation", .family = 6, .steps = {
	 {PACKET(.protocol = P_ICMPV6, .type = 135, .hop_limit = 255, ENDS("host", "blue")), SPOOFED, LEAVING(ZW_ALLOW_ESSENTIAL)}}},
};

GROUP(evasion_addresses, "Addresses", cases);
