/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets that pretend to be something that passes: neighbour discovery, DHCP, multicast listening; and what tunnels hide.
 */
#include "evasion.h"

#define ND(type_, ...) PACKET(.protocol = P_ICMPV6, .type = type_, .hop_limit = 255, .payload_len = 16, __VA_ARGS__)
#define HOPS(hops, type_, ...) PACKET(.protocol = P_ICMPV6, .type = type_, .hop_limit = hops, .payload_len = 16, __VA_ARGS__)
#define V4(...) .family = 4, .steps = {{__VA_ARGS__}}
#define V6(...) .family = 6, .steps = {{__VA_ARGS__}}
#define DHCP(sport_, dport_, ...) PACKET(.protocol = P_UDP, .sport = sport_, .dport = dport_, .payload_len = 240, __VA_ARGS__)
#define TUNNEL(number) .steps = {{PACKET(.protocol = number), .inner = &inside, DEFAULT}}
#define UDP_TUNNEL(port) .steps = {{PACKET(UDP_(port)), .inner = &inside, DEFAULT}}

static const struct packet_spec inside = {NAMES};

static const struct evasion_case cases[] = {
	{"a neighbour solicitation that was forwarded", V6(HOPS(254, 135, .to = "blue"), DEFAULT)},
	{"a neighbour advertisement that was forwarded", V6(HOPS(64, 136, .to = "blue"), DEFAULT)},
	{"a router solicitation that was forwarded", V6(HOPS(254, 133, .to = "ff02::2"), DEFAULT)},
	{"a neighbour solicitation in a first fragment", V6(ND(135, .to = "blue", .more = true), DEFAULT)},
	{"a neighbour solicitation's later fragment",
	 V6(PACKET(.protocol = P_ICMPV6, .hop_limit = 255, .offset = 24, .payload_len = 8),
	 FRAGMENT)},
	{"a neighbour solicitation whose first fragment is tiny",
	 V6(PACKET(.protocol = P_ICMPV6, .type = 135, .hop_limit = 255,
	 .chain = "frag dst", .more = true, .ip_cut = 8), FRAGMENT)},
	{"a router advertisement from a global address", V6(ND(134, ENDS("blue", "ff02::1")), DEFAULT)},
	{"a router advertisement that was forwarded", V6(HOPS(254, 134, ENDS("fe80::1", "ff02::1")), DEFAULT)},
	{"a router advertisement from a site-local address", V6(ND(134, ENDS("fec0::1", "ff02::1")), DEFAULT)},
	{"a router advertisement in a first fragment", V6(ND(134, ENDS("fe80::1", "ff02::1"), .more = true), DEFAULT)},
	{"a router advertisement of a neighbour: it enters, and never leaves",
	 V6(ND(134, ENDS("fe80::1", "ff02::1")), ESSENTIAL, LEAVING(ZW_DROP_DEFAULT))},
	{"a redirect of a neighbour", V6(ND(137, ENDS("fe80::1", "blue")), DEFAULT)},
	{"router renumbering", V6(ND(138, ENDS("fe80::1", "ff02::1")), DEFAULT)},
	{"an inverse neighbour solicitation", V6(ND(141, ENDS("fe80::1", "ff02::1")), DEFAULT)},
	{"an MLD query that was forwarded", V6(HOPS(2, 130, ENDS("fe80::1", "ff02::1")), DEFAULT)},
	{"an MLD report to one host", V6(HOPS(1, 143, ENDS("fe80::1", "blue")), DEFAULT)},
	{"an MLD report in a first fragment", V6(HOPS(1, 143, ENDS("fe80::1", "ff02::16"), .more = true), DEFAULT)},
	{"IGMP that was forwarded", V4(PACKET(.protocol = P_IGMP, .to = "224.0.0.22", .hop_limit = 2, .payload_len = 8), DEFAULT)},
	{"IGMP to one host", V4(PACKET(.protocol = P_IGMP, .hop_limit = 1, .payload_len = 8), DEFAULT)},
	{"IGMP in a first fragment", V4(PACKET(.protocol = P_IGMP, .to = "224.0.0.22", .hop_limit = 1, .more = true, .payload_len = 8),
	 DEFAULT)},
	{"IGMP's number in IPv6", V6(PACKET(.protocol = P_IGMP, .to = "ff02::1", .hop_limit = 1, .payload_len = 8), DEFAULT)},
	{"neighbour discovery's numbers in UDP", V6(PACKET(UDP_(0x8700), .hop_limit = 255), DEFAULT)},

	{"a DHCP reply to another host", V4(DHCP(67, 68, ENDS("world", "red")), DEFAULT)},
	{"a DHCP reply to another host by a multicast MAC",
	 V4(DHCP(67, 68, ENDS("world", "red"), .dmac = "01005e000001"), DEFAULT)},
	{"a DHCP reply by broadcast: it enters, and never leaves",
	 V4(DHCP(67, 68, ENDS("world", "255.255.255.255")), ESSENTIAL,
	 LEAVING(ZW_DROP_DEFAULT))},
	{"a DHCP reply by broadcast in a first fragment",
	 V4(DHCP(67, 68, ENDS("world", "255.255.255.255"), .more = true), DEFAULT)},
	{"a DHCP request enters", V4(DHCP(68, 67, ENDS("none", "255.255.255.255")), DEFAULT, LEAVING(ZW_ALLOW_ESSENTIAL))},
	{"a DHCP request of another host leaves", V4(DHCP(68, 67, ENDS("red", "255.255.255.255")), DEFAULT)},
	{"DHCP's ports in the wrong direction", V4(DHCP(67, 67, ENDS("world", "255.255.255.255")), DEFAULT)},
	{"an unspecified source from port 68 to another than 67",
	 V4(DHCP(68, 68, ENDS("none", "255.255.255.255")), MALFORMED)},
	{"an unspecified source to port 67 from another than 68",
	 V4(DHCP(53, 67, ENDS("none", "255.255.255.255")), MALFORMED)},
	{"DHCP's ports in TCP", V4(PACKET(ENDS("world", "255.255.255.255"), .sport = 67, .dport = 68), DEFAULT)},
	{"DHCP's ports in IPv6", V6(DHCP(67, 68, ENDS("fe80::1", "fe80::2")), DEFAULT)},
	{"a DHCPv6 reply from a global address", V6(DHCP(547, 546, ENDS("blue", "fe80::2")), DEFAULT)},
	{"a DHCPv6 reply to a global address", V6(DHCP(547, 546, ENDS("fe80::1", "blue")), DEFAULT)},
	{"a DHCPv6 reply: it enters, and never leaves",
	 V6(DHCP(547, 546, ENDS("fe80::1", "fe80::2")), ESSENTIAL, LEAVING(ZW_DROP_DEFAULT))},
	{"a DHCPv6 request enters", V6(DHCP(546, 547, ENDS("fe80::1", "ff02::1:2")), DEFAULT, LEAVING(ZW_ALLOW_ESSENTIAL))},
	{"a DHCPv6 request to one host leaves", V6(DHCP(546, 547, ENDS("fe80::1", "fe80::2")), DEFAULT)},
	{"DHCPv6's ports in IPv4", V4(DHCP(547, 546, ENDS("world", "red")), DEFAULT)},
	{"mDNS to another port of its group", .steps = {{PACKET(UDP_(5354), .to = "group"), DEFAULT}}},

	{"an allowed packet inside IP in IP (4)", TUNNEL(4)},
	{"an allowed packet inside IPv6 encapsulation (41)", TUNNEL(41)},
	{"an allowed packet inside GRE (47)", TUNNEL(47)},
	{"an allowed packet inside ESP (50)", TUNNEL(50)},
	{"an allowed packet inside EtherIP (97)", TUNNEL(97)},
	{"an allowed packet inside L2TP (115)", TUNNEL(115)},
	{"an allowed packet inside MPLS in IP (137)", TUNNEL(137)},
	{"an allowed packet inside VXLAN (udp/4789)", UDP_TUNNEL(4789)},
	{"an allowed packet inside Geneve (udp/6081)", UDP_TUNNEL(6081)},
	{"an allowed packet inside GTP (udp/2152)", UDP_TUNNEL(2152)},
	{"an allowed packet inside Teredo (udp/3544)", UDP_TUNNEL(3544)},
	{"an allowed packet inside ESP in UDP (udp/4500)", UDP_TUNNEL(4500)},
	{"IP in IP behind an authentication header",
	 .steps = {{PACKET(.protocol = 4, .chain = "ah"), .inner = &inside, DEFAULT}}},
	{"IPv6 encapsulation behind destination options", .family = 6,
	 .steps = {{PACKET(.protocol = 41, .chain = "dst"), .inner = &inside, DEFAULT}}},
	{"protocol 255", .steps = {{PACKET(.protocol = 255), DEFAULT}}},
	{"VRRP (112)", .steps = {{PACKET(.protocol = 112, .to = "group", .hop_limit = 255), DEFAULT}}},
	{"OSPF (89)", .steps = {{PACKET(.protocol = 89, .to = "group", .hop_limit = 1), DEFAULT}}},
};

GROUP(evasion_disguises, "Disguises", cases);
