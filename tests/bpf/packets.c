/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One packet a row, without a flow: every stage and reason of design section 5. Each row runs in both families where it
 * is not bound to one, on XDP, TC ingress and TC egress, through the programs, the tables and the oracle; verdict,
 * reason, rule, zones and the counters must be as written.
 */
#include <string.h>

#include "scene.h"
#include "test.h"

static const char policy[] =
	"version: 1\n"
	"defaults: {action: drop}\n"
	"zones:\n"
	"  red: [10.1.0.0/24, \"fd00:1::/64\"]\n"
	"  blue: [10.2.0.0/24, \"fd00:2::/64\"]\n"
	"  green: {addresses: [10.3.0.0-10.3.0.99, \"fd00:3::/64\"], except: [10.3.0.50, \"fd00:3::50\"]}\n"
	"  colours: {zones: [red, blue]}\n"
	"  home: [10.9.0.0/24, \"fd00:9::/64\"]\n"
	"failsafe:\n"
	"  - {id: rescue, from: green, to: host, service: [tcp/22, udp/123]}\n"
	"  - {id: beacon, from: green, to: blue, service: proto/112}\n"
	"rules:\n"
	"  - {id: no-telnet, from: any, to: any, service: tcp/23, action: drop}\n"
	"  - {id: web, from: red, to: blue, service: [tcp/80, tcp/8000-8099], action: allow}\n"
	"  - {id: names, from: red, to: blue, service: udp/53, action: allow}\n"
	"  - {id: signals, from: red, to: blue, service: sctp/2905, action: allow}\n"
	"  - {id: ping, from: red, to: blue, service: [icmp/echo-request, icmpv6/echo-request], action: allow}\n"
	"  - {id: tunnels, from: red, to: blue, service: proto/47, action: allow}\n"
	"  - {id: redirects, from: red, to: blue, service: [icmp/5, icmpv6/137], action: allow}\n"
	"  - {id: open, from: red, to: green, service: any, action: allow}\n"
	"  - {id: groups, from: any, to: [224.0.0.0/4, \"ff00::/8\"], service: udp/5353, action: allow}\n"
	"  - {id: front, from: world, to: red, service: tcp/443, action: allow}\n"
	"  - {id: mine, from: host, to: any, service: tcp/443, action: allow}\n"
	"  - {id: to-me, from: red, to: host, service: tcp/9100, action: allow}\n"
	"  - {id: private, from: red, to: blue, service: tcp/8443, action: allow, tls: {require: true, min: \"1.2\"}}\n";

/* Ends by name, in both families. */
static const struct {
	const char *name, *v4, *v6;
} ends[] = {
	{"red", "10.1.0.7", "fd00:1::7"},	 {"blue", "10.2.0.9", "fd00:2::9"},
	{"green", "10.3.0.1", "fd00:3::1"},	 {"gap", "10.3.0.50", "fd00:3::50"},
	{"host", "10.9.0.1", "fd00:9::1"},	 {"neighbour", "10.9.0.2", "fd00:9::2"},
	{"world", "192.0.2.1", "2001:db8::1"},	 {"none", "0.0.0.0", "::"},
	{"loopback", "127.0.0.1", "::1"},	 {"group", "224.0.0.251", "ff02::fb"},
	{"far", "223.255.255.255", "2a00::1"},
};

#define X (1 << ZW_HOOK_XDP)
#define I (1 << ZW_HOOK_INGRESS)
#define E (1 << ZW_HOOK_EGRESS)
#define IN (X | I)

struct want {
	enum zw_reason reason;
	const char *rule;
};

struct row {
	const char *what;
	int family; /* 0: both */
	unsigned hooks; /* 0: all */
	struct packet_spec packet;
	struct want want;
	const char *hex; /* instead of packet: the frame */
};

#define TCP_TO(from_, to_, port) .from = from_, .to = to_, .dport = port
#define UDP_TO(from_, to_, port) .from = from_, .to = to_, .protocol = P_UDP, .dport = port
#define ALLOWED(id) {ZW_ALLOW_RULE, id}
#define DROPPED {ZW_DROP_DEFAULT, NULL}
#define MALFORMED {ZW_DROP_MALFORMED, NULL}
#define ESSENTIAL {ZW_ALLOW_ESSENTIAL, NULL}
#define STATE {ZW_DROP_TCP_STATE, NULL}
#define PRIVATE TCP_TO("red", "blue", 8443)
#define HELLO(version) .payload = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc" version, .payload_len = sizeof(version) + 8
#define PLAINTEXT {ZW_DROP_PLAINTEXT, "private"}
#define FRAGMENT {ZW_DROP_FRAGMENT, NULL}
#define SPOOFED {ZW_DROP_SPOOFED, NULL}
#define NON_IP {ZW_ALLOW_NON_IP, NULL}
#define ETHERTYPE {ZW_DROP_ETHERTYPE, NULL}
#define WEB TCP_TO("red", "blue", 80)
#define OWN_MAC "02000000000a"

static const struct row rows[] = {
	/* Policy. */
	{"a service that a rule allows passes", .packet = {WEB}, .want = ALLOWED("web")},
	{"the first port of a range belongs to it", .packet = {TCP_TO("red", "blue", 8000)},
	 .want = ALLOWED("web")},
	{"the last port of a range belongs to it", .packet = {TCP_TO("red", "blue", 8099)}, .want = ALLOWED("web")},
	{"the port before a range does not", .packet = {TCP_TO("red", "blue", 7999)}, .want = DROPPED},
	{"the port behind a range does not", .packet = {TCP_TO("red", "blue", 8100)}, .want = DROPPED},
	{"the same port of another protocol does not", .packet = {UDP_TO("red", "blue", 80)}, .want = DROPPED},
	{"rules have a direction", .packet = {TCP_TO("blue", "red", 80)}, .want = DROPPED},
	{"a drop rule drops with its id", .packet = {TCP_TO("red", "blue", 23)},
	 .want = {ZW_DROP_RULE, "no-telnet"}},
	{"an earlier drop wins over a later allow", .packet = {TCP_TO("red", "green", 23)},
	 .want = {ZW_DROP_RULE, "no-telnet"}},
	{"any service includes every port", .packet = {TCP_TO("red", "green", 65535)}, .want = ALLOWED("open")},
	{"any service includes port 0", .packet = {UDP_TO("red", "green", 0)}, .want = ALLOWED("open")},
	{"an address taken out by except is not in the zone", .packet = {TCP_TO("red", "gap", 80)},
	 .want = DROPPED},
	{"an address taken out by except is not in the world", .packet = {TCP_TO("gap", "red", 443)},
	 .want = DROPPED},
	{"the world is whom no zone lists", .packet = {TCP_TO("world", "red", 443)}, .want = ALLOWED("front")},
	{"the last unicast address is in the world", .packet = {TCP_TO("far", "red", 443)},
	 .want = ALLOWED("front")},
	{"a zone's address is not in the world", .packet = {TCP_TO("blue", "red", 443)}, .want = DROPPED},
	{"UDP is decided by its destination port", .packet = {UDP_TO("red", "blue", 53)}, .want = ALLOWED("names")},
	{"SCTP is decided by its destination port", .packet = {.from = "red", .to = "blue", .protocol = P_SCTP,
	 .dport = 2905},
	 .want = ALLOWED("signals")},
	{"another SCTP port is dropped", .packet = {.from = "red", .to = "blue", .protocol = P_SCTP, .dport = 2904},
	 .want = DROPPED},
	{"a protocol without ports is decided by its number", .packet = {.from = "red", .to = "blue",
	 .protocol = P_GRE},
	 .want = ALLOWED("tunnels")},
	{"another protocol without ports does not share its rule", .packet = {.from = "red", .to = "blue",
	 .protocol = P_ESP},
	 .want = DROPPED},
	{"IP in IP without a rule is dropped", .packet = {.from = "red", .to = "blue", .protocol = 4},
	 .want = DROPPED},
	{"IPv6 in IP without a rule is dropped", .packet = {.from = "red", .to = "blue", .protocol = 41},
	 .want = DROPPED},
	{"protocol 255 is a protocol", .packet = {.from = "red", .to = "green", .protocol = 255},
	 .want = ALLOWED("open")},
	{"multicast is a destination like others", .packet = {UDP_TO("red", "group", 5353)},
	 .want = ALLOWED("groups")},
	{"multicast without a rule is dropped", .packet = {UDP_TO("red", "group", 5354)}, .want = DROPPED},
	{"the limited broadcast is a destination like others", .family = 4,
	 .packet = {UDP_TO("red", "255.255.255.255", 53)},
	 .want = DROPPED},
	{"who is in no zone meets the default", .packet = {TCP_TO("world", "blue", 80)}, .want = DROPPED},

	/* ICMP. */
	{"an echo request by rule", .family = 4, .packet = {.from = "red", .to = "blue", .protocol = P_ICMP,
	 .type = 8}, .want = ALLOWED("ping")},
	{"an ICMPv6 echo request by rule", .family = 6, .packet = {.from = "red", .to = "blue",
	 .protocol = P_ICMPV6, .type = 128},
	 .want = ALLOWED("ping")},
	{"an echo reply needs a rule or a flow", .family = 4, .packet = {.from = "blue", .to = "red",
	 .protocol = P_ICMP}, .want = DROPPED},
	{"an ICMPv6 echo reply needs a rule or a flow", .family = 6, .packet = {.from = "blue", .to = "red",
	 .protocol = P_ICMPV6, .type = 129},
	 .want = DROPPED},
	{"a type without its code is every code", .family = 4, .packet = {.from = "red", .to = "blue",
	 .protocol = P_ICMP, .type = 5, .code = 3},
	 .want = ALLOWED("redirects")},
	{"a redirect is a first packet for the policy", .family = 6, .packet = {.from = "blue", .to = "red",
	 .protocol = P_ICMPV6, .type = 137,
	 .hop_limit = 255}, .want = DROPPED},
	{"an ICMP error without a flow is a first packet", .family = 4, .packet = {.from = "blue", .to = "red",
	 .protocol = P_ICMP, .type = 3, .code = 4},
	 .want = DROPPED},
	{"ICMP in IPv6 is malformed", .family = 6, .packet = {.from = "red", .to = "green", .protocol = P_ICMP,
	 .type = 8}, .want = MALFORMED},
	{"ICMPv6 in IPv4 is malformed", .family = 4, .packet = {.from = "red", .to = "green", .protocol = P_ICMPV6,
	 .type = 128}, .want = MALFORMED},

	/* Failsafe. */
	{"failsafe passes what policy would drop", .packet = {TCP_TO("green", "host", 22)},
	 .want = {ZW_ALLOW_FAILSAFE, "rescue"}},
	{"failsafe passes the answer without a flow", .hooks = E, .packet = {.from = "host", .to = "green",
	 .sport = 22, .dport = 40000,
	 .flags = F_SYN | F_ACK}, .want = {ZW_ALLOW_FAILSAFE, "rescue"}},
	{"failsafe passes an answering ACK that policy would drop", .hooks = E, .packet = {.from = "host",
	 .to = "green", .sport = 22,
	 .dport = 40000, .flags = F_ACK}, .want = {ZW_ALLOW_FAILSAFE, "rescue"}},
	{"failsafe's answers are no SYN", .hooks = E, .packet = {.from = "host", .to = "green", .sport = 22,
	 .dport = 40000}, .want = DROPPED},
	{"failsafe's UDP works both ways", .hooks = E, .packet = {.from = "host", .to = "green", .protocol = P_UDP,
	 .sport = 123, .dport = 999},
	 .want = {ZW_ALLOW_FAILSAFE, "rescue"}},
	{"failsafe overrides the state stage", .packet = {TCP_TO("green", "host", 22), .flags = F_SYN | F_ACK},
	 .want = {ZW_ALLOW_FAILSAFE, "rescue"}},
	{"failsafe does not override impossible flags", .packet = {TCP_TO("green", "host", 22),
	 .flags = F_SYN | F_FIN}, .want = STATE},
	{"failsafe does not override spoofing", .hooks = IN, .packet = {.from = "host", .to = "green", .sport = 22,
	 .flags = F_ACK, .dport = 1},
	 .want = SPOOFED},
	{"failsafe is for its service", .packet = {TCP_TO("green", "host", 21)}, .want = DROPPED},
	{"failsafe is for its zones", .packet = {TCP_TO("world", "host", 22)}, .want = DROPPED},
	{"failsafe for a protocol without ports", .packet = {.from = "green", .to = "blue", .protocol = 112},
	 .want = {ZW_ALLOW_FAILSAFE, "beacon"}},
	{"failsafe for a protocol without ports, back", .packet = {.from = "blue", .to = "green", .protocol = 112},
	 .want = {ZW_ALLOW_FAILSAFE, "beacon"}},
	{"a rule that allows comes before failsafe", .packet = {TCP_TO("red", "host", 9100)},
	 .want = ALLOWED("to-me")},

	/* Spoof. */
	{"an own address from outside is spoofed", .hooks = IN, .packet = {TCP_TO("host", "red", 443)},
	 .want = SPOOFED},
	{"an own address leaving is not", .hooks = E, .packet = {TCP_TO("host", "red", 443)},
	 .want = ALLOWED("mine")},
	{"a neighbour in the host's network is not the host", .packet = {TCP_TO("neighbour", "red", 443)},
	 .want = DROPPED},
	{"a spoofed fragment is spoofed", .hooks = IN, .packet = {TCP_TO("host", "red", 443), .fragment = true,
	 .offset = 800}, .want = SPOOFED},

	/* TCP state without a flow. */
	{"a SYN+ACK without a flow is dropped", .packet = {WEB, .flags = F_SYN | F_ACK}, .want = STATE},
	{"an ACK without a flow is decided by policy", .packet = {WEB, .flags = F_ACK}, .want = ALLOWED("web")},
	{"a FIN+ACK without a flow is decided by policy", .packet = {WEB, .flags = F_FIN | F_ACK},
	 .want = ALLOWED("web")},
	{"a RST without a flow is decided by policy", .packet = {WEB, .flags = F_RST}, .want = ALLOWED("web")},
	{"an ACK that policy denies is dropped", .packet = {TCP_TO("blue", "red", 80), .flags = F_ACK},
	 .want = DROPPED},
	{"SYN with ECE and CWR is a SYN", .packet = {WEB, .flags = F_SYN | F_ECE | F_CWR}, .want = ALLOWED("web")},
	{"no flags at all are impossible", .packet = {WEB, .flags = F_NONE}, .want = STATE},
	{"SYN+RST is impossible", .packet = {WEB, .flags = F_SYN | F_RST}, .want = STATE},
	{"FIN alone is impossible", .packet = {WEB, .flags = F_FIN}, .want = STATE},
	{"Xmas is impossible", .packet = {WEB, .flags = F_FIN | F_PSH | F_URG}, .want = STATE},

	/* Other L3. */
	{"ARP passes", .packet = {WEB, .ether_type = 0x0806}, .want = NON_IP},
	{"ARP in two VLANs passes", .packet = {WEB, .ether_type = 0x0806, .tags = 2}, .want = NON_IP},
	{"LLDP passes by its destination", .packet = {WEB, .ether_type = 0x88cc, .dmac = "0180c200000e"},
	 .want = NON_IP},
	{"spanning tree passes by its destination", .packet = {WEB, .ether_type = 0x0026, .dmac = "0180c2000000"},
	 .want = NON_IP},
	{"the last bridge group address passes", .packet = {WEB, .ether_type = 0x8809, .dmac = "0180c200000f"},
	 .want = NON_IP},
	{"the address behind it does not", .packet = {WEB, .ether_type = 0x8809, .dmac = "0180c2000010"},
	 .want = ETHERTYPE},
	{"another group of the same block is dropped", .packet = {WEB, .ether_type = 0x8809, .dmac = "0180c2000102"},
	 .want = ETHERTYPE},
	{"another block of these addresses is dropped", .packet = {WEB, .ether_type = 0x8809, .dmac = "0180c2010000"},
	 .want = ETHERTYPE},
	{"another vendor's group is dropped", .packet = {WEB, .ether_type = 0x8809, .dmac = "0180b3000002"},
	 .want = ETHERTYPE},
	{"IP to a bridge group address is decided as IP", .packet = {TCP_TO("red", "blue", 81),
	 .dmac = "0180c2000003"}, .want = DROPPED},
	{"LLDP to another address does not", .packet = {WEB, .ether_type = 0x88cc}, .want = ETHERTYPE},
	{"802.3 with a length is not IP", .packet = {WEB, .ether_type = 0x0040}, .want = ETHERTYPE},
	{"MPLS is not IP", .packet = {WEB, .ether_type = 0x8847}, .want = ETHERTYPE},
	{"RARP is not ARP", .packet = {WEB, .ether_type = 0x8035}, .want = ETHERTYPE},
	{"ether type 0xffff is not IP", .packet = {WEB, .ether_type = 0xffff}, .want = ETHERTYPE},
	{"Q-in-Q's old number 0x9100 is no tag", .packet = {WEB, .tags = 1, .tpid = {0x9100}}, .want = ETHERTYPE},
	{"one VLAN tag is read through", .packet = {WEB, .tags = 1, .vid = {5}}, .want = ALLOWED("web")},
	{"a priority tag is read through", .packet = {WEB, .tags = 1, .vid = {0xe000}}, .want = ALLOWED("web")},
	{"one 802.1ad tag is read through", .packet = {WEB, .tags = 1, .tpid = {0x88a8}, .vid = {5}},
	 .want = ALLOWED("web")},
	{"two tags are read through", .packet = {WEB, .tags = 2, .tpid = {0x88a8, 0x8100}, .vid = {5, 6}},
	 .want = ALLOWED("web")},
	{"two 802.1Q tags are read through", .packet = {WEB, .tags = 2, .vid = {5, 6}}, .want = ALLOWED("web")},
	{"two 802.1ad tags are read through", .packet = {WEB, .tags = 2, .tpid = {0x88a8, 0x88a8}},
	 .want = ALLOWED("web")},
	{"a third tag is malformed", .packet = {WEB, .tags = 3, .tpid = {0x88a8, 0x8100, 0x8100}},
	 .want = MALFORMED},
	{"a third 802.1ad tag is malformed", .packet = {WEB, .tags = 3, .tpid = {0x8100, 0x8100, 0x88a8}},
	 .want = MALFORMED},
	{"a frame that ends in its tag is malformed", .hooks = X, .hex = "020000000002020000000001810000050800",
	 .want = MALFORMED},
	{"a frame that ends behind a tag's id is malformed", .hooks = X, .hex = "0200000000020200000000018100000a",
	 .want = MALFORMED},
	{"an IPv4 type and an IPv6 packet is malformed", .family = 6, .packet = {WEB, .ether_type = 0x0800},
	 .want = MALFORMED},
	{"an IPv6 type and an IPv4 packet is malformed", .family = 4, .packet = {WEB, .ether_type = 0x86dd},
	 .want = MALFORMED},
	{"an empty IPv4 frame is malformed", .hooks = X, .hex = "0200000000020200000000010800", .want = MALFORMED},
	{"an empty IPv6 frame is malformed", .hooks = X, .hex = "02000000000202000000000186dd", .want = MALFORMED},

	/* Parse: IPv4. */
	{"a wrong version is malformed", .packet = {WEB, .version = 5}, .want = MALFORMED},
	{"bytes behind the IP length are padding", .packet = {WEB, .pad = 30}, .want = ALLOWED("web")},
	{"an IP length beyond the frame is malformed", .packet = {WEB, .total_add = 1}, .want = MALFORMED},
	{"an IP length that cuts the TCP header is malformed", .packet = {WEB, .total_add = -1}, .want = MALFORMED},
	{"an IP length below the IP header is malformed", .family = 4, .packet = {WEB, .total_add = -21},
	 .want = MALFORMED},
	{"an IP length of zero is malformed", .family = 4, .packet = {WEB, .total_add = -40}, .want = MALFORMED},
	{"ports behind options are found", .family = 4, .packet = {WEB, .options = "94040000"},
	 .want = ALLOWED("web")},
	{"a port inside options is not the port", .family = 4, .packet = {TCP_TO("red", "blue", 81),
	 .options = "4408050000500050"}, .want = DROPPED},
	{"no-operation and end of options are fine", .family = 4, .packet = {WEB, .options = "01010100"},
	 .want = ALLOWED("web")},
	{"loose source routing is malformed", .family = 4, .packet = {WEB, .options = "83070408080808"},
	 .want = MALFORMED},
	{"strict source routing is malformed", .family = 4, .packet = {WEB, .options = "89070408080808"},
	 .want = MALFORMED},
	{"a source route behind other options is malformed", .family = 4, .packet = {WEB, .options = "0101830303"},
	 .want = MALFORMED},
	{"a source route behind the end of options is none", .family = 4, .packet = {WEB, .options = "00830304"},
	 .want = ALLOWED("web")},
	{"an option of length 0 is malformed", .family = 4, .packet = {WEB, .options = "44000000"},
	 .want = MALFORMED},
	{"an option of length 1 is malformed", .family = 4, .packet = {WEB, .options = "44010000"},
	 .want = MALFORMED},
	{"an option beyond the header is malformed", .family = 4, .packet = {WEB, .options = "44050500"},
	 .want = MALFORMED},
	{"an authentication header is read through", .packet = {WEB, .chain = "ah"}, .want = ALLOWED("web")},
	{"a port inside an authentication header is not the port", .packet = {TCP_TO("red", "blue", 81),
	 .chain = "ah"}, .want = DROPPED},
	{"eight authentication headers are read through", .packet = {WEB, .chain = "ah ah ah ah ah ah ah ah"},
	 .want = ALLOWED("web")},
	{"nine are malformed", .packet = {WEB, .chain = "ah ah ah ah ah ah ah ah ah"}, .want = MALFORMED},
	{"256 bytes of them are read through", .packet = {WEB, .chain = "ah:62"}, .want = ALLOWED("web")},
	{"260 are malformed", .packet = {WEB, .chain = "ah:63"}, .want = MALFORMED},
	{"one that ends behind the packet is malformed", .packet = {WEB, .chain = "ah", .chain_len = 40},
	 .want = MALFORMED},
	{"hop-by-hop options are a protocol in IPv4", .family = 4, .packet = {.from = "red", .to = "green",
	 .protocol_zero = true}, .want = ALLOWED("open")},
	{"destination options are a protocol in IPv4", .family = 4, .packet = {.from = "red", .to = "green",
	 .protocol = 60}, .want = ALLOWED("open")},
	{"no next header is a protocol", .family = 6, .packet = {.from = "red", .to = "green", .protocol = 59},
	 .want = ALLOWED("open")},

	/* Parse: IPv6. */
	{"hop-by-hop options are read through", .family = 6, .packet = {WEB, .chain = "hop"},
	 .want = ALLOWED("web")},
	{"hop-by-hop options not first are malformed", .family = 6, .packet = {WEB, .chain = "dst hop"},
	 .want = MALFORMED},
	{"hop-by-hop options twice are malformed", .family = 6, .packet = {WEB, .chain = "hop hop"},
	 .want = MALFORMED},
	{"a routing header at its end is read through", .family = 6, .packet = {WEB, .chain = "rt:0"},
	 .want = ALLOWED("web")},
	{"a routing header with segments left is malformed", .family = 6, .packet = {WEB, .chain = "rt:1"},
	 .want = MALFORMED},
	{"destination options and mobility are read through", .family = 6, .packet = {WEB, .chain = "dst mh"},
	 .want = ALLOWED("web")},
	{"every known header at once is read through", .family = 6, .packet = {WEB,
	 .chain = "hop dst rt frag ah dst mh"}, .want = ALLOWED("web")},
	{"eight extension headers are read through", .family = 6, .packet = {WEB,
	 .chain = "hop dst dst dst dst dst dst dst"}, .want = ALLOWED("web")},
	{"nine extension headers are malformed", .family = 6, .packet = {WEB,
	 .chain = "hop dst dst dst dst dst dst dst dst"}, .want = MALFORMED},
	{"256 bytes of extension headers are read through", .family = 6, .packet = {WEB, .chain = "dst:31"},
	 .want = ALLOWED("web")},
	{"256 bytes in two headers are read through", .family = 6, .packet = {WEB, .chain = "hop dst:30"},
	 .want = ALLOWED("web")},
	{"264 bytes of extension headers are malformed", .family = 6, .packet = {WEB, .chain = "dst:31 dst"},
	 .want = MALFORMED},
	{"an extension header beyond the packet is malformed", .family = 6, .packet = {WEB, .chain = "dst",
	 .chain_len = 30}, .want = MALFORMED},
	{"an extension header that is cut is malformed", .family = 6, .packet = {WEB, .chain = "dst", .ip_cut = 24},
	 .want = MALFORMED},
	{"a second fragment header is malformed", .family = 6, .packet = {WEB, .chain = "frag frag"},
	 .want = MALFORMED},
	{"an atomic fragment is a whole packet", .family = 6, .packet = {WEB, .fragment = true},
	 .want = ALLOWED("web")},
	{"an unknown header is the protocol", .family = 6, .packet = {.from = "red", .to = "green",
	 .protocol = 253}, .want = ALLOWED("open")},

	/* Parse: transport. */
	{"a TCP header that is cut is malformed", .packet = {WEB, .ip_cut = 1}, .want = MALFORMED},
	{"a TCP data offset below five is malformed", .packet = {WEB, .doff = 4}, .want = MALFORMED},
	{"a TCP data offset of zero is malformed", .packet = {WEB, .doff = NOTHING}, .want = MALFORMED},
	{"a TCP data offset beyond the packet is malformed", .packet = {WEB, .doff = 6}, .want = MALFORMED},
	{"a TCP header with options passes", .packet = {WEB, .doff = 15, .payload_len = 40},
	 .want = ALLOWED("web")},
	{"a UDP header that is cut is malformed", .packet = {UDP_TO("red", "blue", 53), .ip_cut = 1},
	 .want = MALFORMED},
	{"a UDP length below eight is malformed", .packet = {UDP_TO("red", "blue", 53), .udp_len = 7},
	 .want = MALFORMED},
	{"a UDP length of zero is malformed", .packet = {UDP_TO("red", "blue", 53), .udp_len = NOTHING},
	 .want = MALFORMED},
	{"a UDP length beyond the packet is malformed", .packet = {UDP_TO("red", "blue", 53), .udp_len = 9},
	 .want = MALFORMED},
	{"a UDP length short of the packet passes", .packet = {UDP_TO("red", "blue", 53), .udp_len = 8,
	 .payload_len = 9}, .want = ALLOWED("names")},
	{"an SCTP header that is cut is malformed", .packet = {.from = "red", .to = "blue", .protocol = P_SCTP,
	 .dport = 2905, .ip_cut = 1}, .want = MALFORMED},
	{"an ICMP header that is cut is malformed", .family = 4, .packet = {.from = "red", .to = "blue",
	 .protocol = P_ICMP, .type = 8, .ip_cut = 1}, .want = MALFORMED},
	{"an ICMPv6 header that is cut is malformed", .family = 6, .packet = {.from = "red", .to = "blue",
	 .protocol = P_ICMPV6, .type = 128, .ip_cut = 1},
	 .want = MALFORMED},
	{"GRE without a byte passes", .packet = {.from = "red", .to = "blue", .protocol = P_GRE},
	 .want = ALLOWED("tunnels")},

	/* Parse: addresses. */
	{"a multicast source is malformed", .packet = {TCP_TO("group", "red", 443)}, .want = MALFORMED},
	{"a broadcast source is malformed", .family = 4, .packet = {TCP_TO("255.255.255.255", "red", 443)},
	 .want = MALFORMED},
	{"a loopback source is malformed", .packet = {TCP_TO("loopback", "red", 443)}, .want = MALFORMED},
	{"the last loopback source is malformed", .family = 4, .packet = {TCP_TO("127.255.255.255", "red", 443)},
	 .want = MALFORMED},
	{"the address behind loopback is the world", .family = 4, .packet = {TCP_TO("128.0.0.0", "red", 443)},
	 .want = ALLOWED("front")},
	{"an IPv4-mapped source is malformed", .family = 6, .packet = {TCP_TO("::ffff:10.1.0.7", "blue", 80)},
	 .want = MALFORMED},
	{"an unspecified source is malformed", .packet = {TCP_TO("none", "red", 443)}, .want = MALFORMED},
	{"an unspecified source in TCP is malformed on a DHCP client's ports too", .family = 4, .packet = {.from = "none",
	 .to = "255.255.255.255", .sport = 68, .dport = 67}, .want = MALFORMED},
	{"an unspecified source in UDP is malformed", .packet = {UDP_TO("none", "group", 5353)}, .want = MALFORMED},
	{"a loopback destination is malformed", .packet = {TCP_TO("red", "loopback", 80)}, .want = MALFORMED},
	{"an unspecified destination is malformed", .packet = {TCP_TO("red", "none", 80)}, .want = MALFORMED},
	{"an IPv4-mapped destination is malformed", .family = 6, .packet = {TCP_TO("red", "::ffff:10.2.0.9", 80)},
	 .want = MALFORMED},

	/* Essentials. */
	{"a neighbour solicitation passes", .family = 6, .packet = {.from = "red", .to = "ff02::1:ff00:9",
	 .protocol = P_ICMPV6, .type = 135, .hop_limit = 255},
	 .want = ESSENTIAL},
	{"a neighbour advertisement passes", .family = 6, .packet = {.from = "red", .to = "blue",
	 .protocol = P_ICMPV6, .type = 136, .hop_limit = 255}, .want = ESSENTIAL},
	{"address detection from :: passes", .family = 6, .packet = {.from = "none", .to = "ff02::1:ff00:9",
	 .protocol = P_ICMPV6, .type = 135, .hop_limit = 255},
	 .want = ESSENTIAL},
	{"a neighbour solicitation that was forwarded does not", .family = 6, .packet = {.from = "red",
	 .to = "blue", .protocol = P_ICMPV6, .type = 135, .hop_limit = 254},
	 .want = DROPPED},
	{"a router solicitation passes", .family = 6, .packet = {.from = "fe80::1", .to = "ff02::2",
	 .protocol = P_ICMPV6, .type = 133, .hop_limit = 255}, .want = ESSENTIAL},
	{"a router advertisement enters", .family = 6, .hooks = IN, .packet = {.from = "fe80::1", .to = "ff02::1",
	 .protocol = P_ICMPV6, .type = 134, .hop_limit = 255},
	 .want = ESSENTIAL},
	{"a router advertisement does not leave", .family = 6, .hooks = E, .packet = {.from = "fe80::1",
	 .to = "ff02::1", .protocol = P_ICMPV6, .type = 134, .hop_limit = 255},
	 .want = DROPPED},
	{"a router advertisement from a global address does not enter", .family = 6, .packet = {.from = "blue",
	 .to = "ff02::1", .protocol = P_ICMPV6, .type = 134,
	 .hop_limit = 255}, .want = DROPPED},
	{"the last link-local source is one", .family = 6, .hooks = IN, .packet = {.from = "febf::1",
	 .to = "ff02::1", .protocol = P_ICMPV6, .type = 134, .hop_limit = 255},
	 .want = ESSENTIAL},
	{"site-local is not link-local", .family = 6, .hooks = IN, .packet = {.from = "fec0::1", .to = "ff02::1",
	 .protocol = P_ICMPV6, .type = 134, .hop_limit = 255},
	 .want = DROPPED},
	{"an MLD report behind a router alert passes", .family = 6, .packet = {.from = "fe80::1", .to = "ff02::16",
	 .protocol = P_ICMPV6, .type = 143, .hop_limit = 1,
	 .chain = "hop"}, .want = ESSENTIAL},
	{"an MLD query passes", .family = 6, .packet = {.from = "fe80::1", .to = "ff02::1", .protocol = P_ICMPV6,
	 .type = 130, .hop_limit = 1, .payload_len = 20}, .want = ESSENTIAL},
	{"MLD with another hop limit does not", .family = 6, .packet = {.from = "fe80::1", .to = "ff02::1",
	 .protocol = P_ICMPV6, .type = 131, .hop_limit = 2}, .want = DROPPED},
	{"MLD to one host does not", .family = 6, .packet = {.from = "fe80::1", .to = "blue", .protocol = P_ICMPV6,
	 .type = 132, .hop_limit = 1}, .want = DROPPED},
	{"a fragmented neighbour solicitation does not", .family = 6, .packet = {.from = "red", .to = "blue",
	 .protocol = P_ICMPV6, .type = 135, .hop_limit = 255, .more = true},
	 .want = DROPPED},
	{"IGMP passes", .family = 4, .packet = {.from = "red", .to = "224.0.0.22", .protocol = P_IGMP,
	 .hop_limit = 1, .options = "94040000", .payload_len = 8},
	 .want = ESSENTIAL},
	{"IGMP to one host does not", .family = 4, .packet = {.from = "red", .to = "blue", .protocol = P_IGMP,
	 .hop_limit = 1, .payload_len = 8}, .want = DROPPED},
	{"IGMP with another TTL does not", .family = 4, .packet = {.from = "red", .to = "224.0.0.22",
	 .protocol = P_IGMP, .hop_limit = 2, .payload_len = 8}, .want = DROPPED},
	{"protocol 2 in IPv6 is not IGMP", .family = 6, .packet = {.from = "red", .to = "ff02::1",
	 .protocol = P_IGMP, .hop_limit = 1, .payload_len = 8}, .want = DROPPED},
	{"protocol 2 in IPv6 is not IGMP, whatever the address", .family = 6, .packet = {.from = "red", .to = "e000::16",
	 .protocol = P_IGMP, .hop_limit = 1, .payload_len = 8}, .want = DROPPED},
	{"a DHCP discover leaves", .family = 4, .hooks = E, .packet = {.from = "none", .to = "255.255.255.255",
	 .protocol = P_UDP, .sport = 68, .dport = 67},
	 .want = ESSENTIAL},
	{"a DHCP renewal leaves from the host", .family = 4, .hooks = E, .packet = {.from = "host", .to = "world",
	 .protocol = P_UDP, .sport = 68, .dport = 67}, .want = ESSENTIAL},
	{"somebody else's DHCP discover does not enter", .family = 4, .hooks = IN, .packet = {.from = "none",
	 .to = "255.255.255.255", .protocol = P_UDP, .sport = 68, .dport = 67},
	 .want = DROPPED},
	{"somebody else's DHCP renewal does not leave", .family = 4, .hooks = E, .packet = {.from = "red",
	 .to = "world", .protocol = P_UDP, .sport = 68, .dport = 67},
	 .want = DROPPED},
	{"a DHCP offer by broadcast enters", .family = 4, .hooks = IN, .packet = {.from = "world",
	 .to = "255.255.255.255", .protocol = P_UDP, .sport = 67, .dport = 68},
	 .want = ESSENTIAL},
	{"a DHCP acknowledgement to the host enters", .family = 4, .hooks = IN, .packet = {.from = "world",
	 .to = "host", .protocol = P_UDP, .sport = 67, .dport = 68},
	 .want = ESSENTIAL},
	{"a DHCP offer to the attach point's MAC enters", .family = 4, .hooks = IN, .packet = {.from = "world",
	 .to = "10.9.0.77", .protocol = P_UDP, .sport = 67, .dport = 68,
	 .dmac = OWN_MAC}, .want = ESSENTIAL},
	{"a DHCP offer to another host does not", .family = 4, .packet = {.from = "world", .to = "10.9.0.77",
	 .protocol = P_UDP, .sport = 67, .dport = 68}, .want = DROPPED},
	{"a DHCP server's answer does not leave", .family = 4, .hooks = E, .packet = {.from = "world",
	 .to = "255.255.255.255", .protocol = P_UDP, .sport = 67, .dport = 68},
	 .want = DROPPED},
	{"a DHCPv6 request leaves", .family = 6, .hooks = E, .packet = {.from = "fe80::1", .to = "ff02::1:2",
	 .protocol = P_UDP, .sport = 546, .dport = 547}, .want = ESSENTIAL},
	{"a DHCPv6 request does not enter", .family = 6, .hooks = IN, .packet = {.from = "fe80::1",
	 .to = "ff02::1:2", .protocol = P_UDP, .sport = 546, .dport = 547},
	 .want = DROPPED},
	{"a DHCPv6 reply enters", .family = 6, .hooks = IN, .packet = {.from = "fe80::2", .to = "fe80::1",
	 .protocol = P_UDP, .sport = 547, .dport = 546}, .want = ESSENTIAL},
	{"a DHCPv6 request from another port does not leave", .family = 6, .hooks = E, .packet = {.from = "fe80::1",
	 .to = "ff02::1:2", .protocol = P_UDP, .sport = 545, .dport = 547}, .want = DROPPED},
	{"a DHCPv6 request to another port does not leave", .family = 6, .hooks = E, .packet = {.from = "fe80::1",
	 .to = "ff02::1:2", .protocol = P_UDP, .sport = 546, .dport = 548}, .want = DROPPED},
	{"a DHCPv6 request to site-wide servers does not leave", .family = 6, .hooks = E, .packet = {.from = "fe80::1",
	 .to = "ff05::1:2", .protocol = P_UDP, .sport = 546, .dport = 547}, .want = DROPPED},
	{"a DHCPv6 request to another group does not leave", .family = 6, .hooks = E, .packet = {.from = "fe80::1",
	 .to = "ff02::1:3", .protocol = P_UDP, .sport = 546, .dport = 547}, .want = DROPPED},
	{"a DHCPv6 request from afar does not leave", .family = 6, .hooks = E, .packet = {.from = "host",
	 .to = "ff02::1:2", .protocol = P_UDP, .sport = 546, .dport = 547}, .want = DROPPED},
	{"a DHCPv6 reply from another port does not enter", .family = 6, .hooks = IN, .packet = {.from = "fe80::2",
	 .to = "fe80::1", .protocol = P_UDP, .sport = 548, .dport = 546}, .want = DROPPED},
	{"a DHCPv6 reply to another port does not enter", .family = 6, .hooks = IN, .packet = {.from = "fe80::2",
	 .to = "fe80::1", .protocol = P_UDP, .sport = 547, .dport = 545}, .want = DROPPED},
	{"a DHCPv6 reply to a global address does not enter", .family = 6, .hooks = IN, .packet = {.from = "fe80::2",
	 .to = "host", .protocol = P_UDP, .sport = 547, .dport = 546}, .want = DROPPED},
	{"a DHCPv6 reply from afar does not", .family = 6, .packet = {.from = "world", .to = "fe80::1",
	 .protocol = P_UDP, .sport = 547, .dport = 546}, .want = DROPPED},

	/* Fragments. */
	{"a first fragment is decided as a packet", .packet = {WEB, .more = true, .payload_len = 100},
	 .want = ALLOWED("web")},
	{"a first fragment that policy denies is dropped", .packet = {TCP_TO("red", "blue", 81), .more = true,
	 .payload_len = 100}, .want = DROPPED},
	{"a later fragment is dropped", .packet = {WEB, .offset = 1480, .payload_len = 100}, .want = FRAGMENT},
	{"a later fragment in the middle is dropped", .packet = {WEB, .offset = 1480, .more = true,
	 .payload_len = 104}, .want = FRAGMENT},
	{"a later fragment of an open service is dropped", .packet = {UDP_TO("red", "green", 53), .offset = 8,
	 .payload_len = 8}, .want = FRAGMENT},
	{"a later fragment inside the header is dropped", .packet = {WEB, .offset = 8, .payload_len = 12},
	 .want = FRAGMENT},
	{"a first fragment without the whole TCP header is dropped", .packet = {WEB, .more = true, .ip_cut = 4},
	 .want = FRAGMENT},
	{"a first fragment with eight bytes of TCP is dropped", .packet = {WEB, .more = true, .ip_cut = 12},
	 .want = FRAGMENT},
	{"a first fragment without the whole UDP header is dropped", .packet = {UDP_TO("red", "blue", 53),
	 .more = true, .ip_cut = 1}, .want = FRAGMENT},
	{"a first fragment without the whole SCTP header is dropped", .packet = {.from = "red", .to = "blue",
	 .protocol = P_SCTP, .dport = 2905, .more = true, .ip_cut = 4},
	 .want = FRAGMENT},
	{"a first fragment without the whole ICMP header is dropped", .family = 4, .packet = {.from = "red",
	 .to = "blue", .protocol = P_ICMP, .type = 8, .more = true, .ip_cut = 1},
	 .want = FRAGMENT},
	{"a first fragment without its whole chain is dropped", .family = 6, .packet = {WEB, .chain = "frag dst",
	 .more = true, .ip_cut = 24},
	 .want = FRAGMENT},
	{"a first fragment of a protocol without ports passes", .packet = {.from = "red", .to = "blue",
	 .protocol = P_GRE, .more = true, .payload_len = 8},
	 .want = ALLOWED("tunnels")},
	{"a UDP length beyond a first fragment passes", .packet = {UDP_TO("red", "blue", 53), .more = true,
	 .udp_len = 3000, .payload_len = 800}, .want = ALLOWED("names")},
	{"a UDP length below eight in a first fragment is malformed", .packet = {UDP_TO("red", "blue", 53),
	 .more = true, .udp_len = 7, .payload_len = 800}, .want = MALFORMED},
	{"a first fragment with impossible flags is dropped as such", .packet = {WEB, .more = true,
	 .flags = F_SYN | F_FIN}, .want = STATE},
	{"failsafe does not override the fragment stage", .packet = {TCP_TO("green", "host", 22), .offset = 80,
	 .payload_len = 8}, .want = FRAGMENT},
	{"ICMPv6 in an IPv4 later fragment is malformed", .family = 4, .packet = {.from = "red", .to = "blue",
	 .protocol = P_ICMPV6, .offset = 80, .payload_len = 8}, .want = MALFORMED},

	/* TLS */
	{"a SYN where TLS is asked for", .packet = {PRIVATE}, .want = ALLOWED("private")},
	{"with a ClientHello", .packet = {PRIVATE, HELLO("\x03\x03")}, .want = ALLOWED("private")},
	{"behind TCP options", .packet = {PRIVATE, .doff = 8, .payload_len = 23,
	 .payload = "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
	 .want = ALLOWED("private")},
	{"with the ClientHello of an older TLS", .packet = {PRIVATE, HELLO("\x03\x02")}, .want = PLAINTEXT},
	{"with plaintext", .packet = {PRIVATE, .payload = "GET / HTTP/1.1\r\n", .payload_len = 16}, .want = PLAINTEXT},
	{"with a byte", .packet = {PRIVATE, .payload_len = 1}, .want = PLAINTEXT},
	{"an ACK without a connection where TLS is asked for", .packet = {PRIVATE, .flags = F_ACK}, .want = STATE},
	{"a first fragment that ends with its header", .packet = {PRIVATE, .more = true}, .want = PLAINTEXT},
	{"a first fragment with a ClientHello", .packet = {PRIVATE, .more = true, HELLO("\x03\x03 and on")},
	 .want = ALLOWED("private")},
};

/* The other defaults. */
static const char open_policy[] =
	"version: 1\n"
	"defaults: {action: allow, intra-zone: drop, non-ip: allow, tcp: strict, log: none}\n"
	"zones:\n"
	"  red: [10.1.0.0/24, \"fd00:1::/64\"]\n"
	"  blue: [10.2.0.0/24, \"fd00:2::/64\"]\n"
	"  colours: {zones: [red, blue]}\n"
	"tiers: [guard, app]\n"
	"failsafe: []\n"
	"rules:\n"
	"  - {id: guard-web, tier: guard, from: red, to: blue, service: tcp/80, action: pass}\n"
	"  - {id: guard-blue, tier: guard, from: red, to: blue, service: tcp, action: drop}\n"
	"  - {id: web, from: red, to: blue, service: tcp/80-81, action: allow}\n"
	"  - {id: nobody, from: [], to: any, service: any, action: drop}\n"
	"  - {id: nothing, from: any, to: any, service: [], action: drop}\n"
	"  - {id: red-web, from: red, to: red, service: tcp/80, action: pass}\n"
	"  - {id: red-rest, from: red, to: red, service: tcp/80-81, action: allow}\n";

static const struct row open_rows[] = {
	{"an unknown ether type passes", .packet = {WEB, .ether_type = 0x88cc}, .want = NON_IP},
	{"802.3 with a length passes", .packet = {WEB, .ether_type = 0x0040}, .want = NON_IP},
	{"a third tag is malformed all the same", .packet = {WEB, .tags = 3}, .want = MALFORMED},
	{"what no rule matches passes by default", .packet = {UDP_TO("red", "blue", 53)},
	 .want = {ZW_ALLOW_DEFAULT, NULL}},
	{"an empty list matches nothing", .packet = {TCP_TO("world", "world", 1)},
	 .want = {ZW_ALLOW_DEFAULT, NULL}},
	{"both ends in one zone meet intra-zone", .packet = {UDP_TO("red", "10.1.0.9", 53)}, .family = 4,
	 .want = DROPPED},
	{"both ends in one union do not", .packet = {UDP_TO("blue", "red", 53)}, .want = {ZW_ALLOW_DEFAULT, NULL}},
	{"pass goes on to the next tier", .packet = {TCP_TO("red", "blue", 80)}, .want = ALLOWED("web")},
	{"an earlier tier decides first", .packet = {TCP_TO("red", "blue", 81)},
	 .want = {ZW_DROP_RULE, "guard-blue"}},
	{"pass in the last tier goes on to intra-zone", .packet = {TCP_TO("red", "10.1.0.9", 80)}, .family = 4,
	 .want = DROPPED},
	{"the rule behind it decides other ports", .packet = {TCP_TO("red", "10.1.0.9", 81)}, .family = 4,
	 .want = ALLOWED("red-rest")},
	{"strict: an ACK without a flow is dropped", .packet = {TCP_TO("red", "blue", 80), .flags = F_ACK},
	 .want = STATE},
	{"strict: a RST without a flow is dropped", .packet = {TCP_TO("red", "blue", 80), .flags = F_RST},
	 .want = STATE},
	{"strict: what policy denies is dropped for its state first", .packet = {TCP_TO("red", "blue", 81),
	 .flags = F_ACK}, .want = STATE},
	{"without --host nobody is the host", .packet = {TCP_TO("host", "world", 22)},
	 .want = {ZW_ALLOW_DEFAULT, NULL}},
	{"malformed is dropped under any default", .packet = {TCP_TO("loopback", "blue", 80)}, .want = MALFORMED},
	{"later fragments too", .packet = {UDP_TO("red", "blue", 53), .offset = 80, .payload_len = 8},
	 .want = FRAGMENT},
};

static struct scene scene;
static bool kernel;
static bool tells_drops; /* defaults.log */

static const char *resolve(const char *name, int family)
{
	for (size_t i = 0; name && i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(ends[i].name, name))
			return family == 4 ? ends[i].v4 : ends[i].v6;
	return name;
}

struct counts {
	struct zw_count reason;
	struct zw_rule_counters rule;
	uint64_t logged;
};

static struct counts count(enum zw_reason reason, uint32_t rule)
{
	struct counts counts = {0};

	if (!scene.testrun)
		return counts;
	testrun_count_reason(scene.testrun, reason, &counts.reason);
	if (rule)
		testrun_count_rule(scene.testrun, rule, &counts.rule);
	counts.logged = testrun_logged(scene.testrun);
	return counts;
}

/* The IP packet's length where the row's packet has a right one, else 0. */
static uint64_t ip_bytes(const struct packet *packet, enum zw_reason reason)
{
	const uint8_t *ip = packet->data + packet->l3;

	if (!packet->l3 || reason == ZW_DROP_MALFORMED || reason == ZW_ALLOW_NON_IP || reason == ZW_DROP_ETHERTYPE)
		return 0;
	return (ip[0] >> 4) == 4 ? ip[2] << 8 | ip[3] : 40 + (ip[4] << 8 | ip[5]);
}

static const char *wrong_counts(const struct counts *before, const struct counts *after, bool told, bool rule, uint64_t bytes)
{
	if (after->reason.packets - before->reason.packets != 1)
		return "the reason's packets";
	if (bytes && after->reason.bytes - before->reason.bytes != bytes)
		return "the reason's bytes";
	if (rule && after->rule.packets.packets - before->rule.packets.packets != 1)
		return "the rule's packets";
	if (rule && bytes && after->rule.packets.bytes - before->rule.packets.bytes != bytes)
		return "the rule's bytes";
	return after->logged - before->logged != told ? "the events" : NULL;
}

static unsigned splits; /* frames that were decided so */

/* A frame whose headers lie in several buffers is the same frame. Older kernels' test runs refuse it. */
static const char *wrong_split(const struct scene_frame *whole, enum zw_reason reason, uint64_t bytes)
{
	struct frame frame = {.data = whole->data, .len = whole->len, .hook = whole->hook, .split = 14};
	struct zw_count before, after;
	struct decision decision;

	memcpy(frame.mac, whole->mac, sizeof(frame.mac));
	if (!scene.testrun || frame.hook != ZW_HOOK_XDP || frame.len <= frame.split)
		return NULL;
	testrun_count_reason(scene.testrun, reason, &before);
	if (testrun_decide(scene.testrun, &frame, &decision))
		return NULL;
	testrun_count_reason(scene.testrun, reason, &after);
	splits++;
	if (decision.reason != reason)
		return reason_name(decision.reason);
	return after.bytes - before.bytes == bytes ? NULL : "other bytes";
}

static void run(const struct row *row, int family, enum zw_hook hook)
{
	struct packet_spec spec = row->packet;
	struct packet packet = {0};
	struct scene_frame frame = {.hook = hook, .mac = {2, 0, 0, 0, 0, 10}};
	uint32_t rule = row->want.rule ? names_find_rule(scene.tables->names, row->want.rule) : 0;
	bool drop = ZW_REASON_IS_DROP(row->want.reason), agree, right;
	char text[SCENE_TEXT], hex[2 * PACKET_MAX + 1];
	const char *miscounted = NULL, *split = NULL;
	struct oracle_answer answer;
	struct counts before, after;

	if (row->hex) {
		packet.len = packet_hex(row->hex, packet.data, sizeof(packet.data));
	} else {
		spec.from = resolve(spec.from, family);
		spec.to = resolve(spec.to, family);
		packet_build(&spec, &packet);
	}
	frame.data = packet.data;
	frame.len = packet.len;
	before = count(row->want.reason, rule);
	agree = scene_agrees(&scene, &frame, &answer, text);
	after = count(row->want.reason, rule);
	right = answer.reason == row->want.reason && !strcmp(answer.rule ? answer.rule : "", row->want.rule ? row->want.rule : "");
	if (scene.testrun && agree && right)
		miscounted = wrong_counts(&before, &after, drop && tells_drops, rule != 0, ip_bytes(&packet, row->want.reason));
	if (agree && right)
		split = wrong_split(&frame, answer.reason, after.reason.bytes - before.reason.bytes);
	ok(agree && right && !miscounted && !split, "%s (%s%s)", row->what, row->hex ? "" : family == 4 ? "IPv4, " : "IPv6, ",
	   scene_hook_name(hook));
	if (agree && right && !miscounted && !split)
		return;
	packet_print_hex(packet.data, packet.len, hex);
	note("%s", text);
	note("wanted %s rule=%s%s%s%s%s; frame %s", reason_name(row->want.reason), row->want.rule ? row->want.rule : "-",
	     miscounted ? "; miscounted: " : "", miscounted ? miscounted : "", split ? "; in two buffers: " : "",
	     split ? split : "", hex);
}

static void run_row(const struct row *row)
{
	unsigned hooks = row->hooks ? row->hooks : X | I | E;

	for (int family = 4; family <= 6; family += 2) {
		if ((row->family && row->family != family) || (row->hex && family == 6))
			continue;
		for (int hook = 0; hook < ZW_HOOKS; hook++)
			if (hooks >> hook & 1)
				run(row, family, hook);
	}
}

static void run_rows(const char *what, const char *text, const char *host, const struct row *table, size_t rows_count)
{
	const struct scene_options options = {.host = host, .kernel = kernel};

	if (!ok(!scene_open(text, &options, &scene), "the %s policy loads", what))
		return;
	for (size_t i = 0; i < rows_count; i++)
		run_row(&table[i]);
	scene_close(&scene);
}

/*
 * A GSO packet counts as its segments: told by the stack, or, of one that a guest or a tunnel's peer made, worked out. Its IP
 * length says nothing.
 */
static void run_gso(int family, enum zw_hook hook, uint32_t told, bool stated)
{
	struct packet_spec spec = {.from = resolve("red", family), .to = resolve("blue", family), .dport = 80, .payload_len = 2401};
	unsigned header = family == 4 ? 40 : 60;
	struct zw_count before, after;
	struct decision decision;
	struct packet packet;
	struct frame frame;
	bool allowed;

	packet_build(&spec, &packet);
	if (!stated)
		memset(packet.data + packet.l3 + (family == 4 ? 2 : 4), 0, 2);
	frame = (struct frame){.data = packet.data, .len = packet.len, .hook = hook, .gso_size = 1200, .gso_segs = told};
	testrun_count_reason(scene.testrun, ZW_ALLOW_RULE, &before);
	allowed = !testrun_decide(scene.testrun, &frame, &decision) && decision.reason == ZW_ALLOW_RULE;
	testrun_count_reason(scene.testrun, ZW_ALLOW_RULE, &after);
	ok(allowed && after.packets - before.packets == 3 && after.bytes - before.bytes == 2401 + 3 * header,
	   "a GSO packet of %u known segments, %s length (IPv%d, %s)", told, stated ? "with its" : "without a", family,
	   scene_hook_name(hook));
	if (!allowed || after.packets - before.packets != 3)
		note("reason %s, %llu packets, %llu bytes", reason_name(decision.reason),
		     (unsigned long long)(after.packets - before.packets), (unsigned long long)(after.bytes - before.bytes));
}

static void run_all_gso(void)
{
	const struct scene_options options = {.kernel = kernel};

	if (!ok(!scene_open(policy, &options, &scene), "the policy loads"))
		return;
	for (int i = 0; i < 16; i++)
		run_gso(i & 1 ? 6 : 4, i & 2 ? ZW_HOOK_EGRESS : ZW_HOOK_INGRESS, i & 4 ? 3 : 0, i & 8);
	scene_close(&scene);
}

int main(void)
{
	kernel = scene_asks_kernel();
	tells_drops = true;
	run_rows("closed", policy, "10.9.0.1 fd00:9::1", rows, sizeof(rows) / sizeof(rows[0]));
	tells_drops = false;
	run_rows("open", open_policy, NULL, open_rows, sizeof(open_rows) / sizeof(open_rows[0]));
	if (kernel)
		run_all_gso();
	ok(scene_kernel_refused == 0, "the kernel's test run took every frame");
	note("%u frames with their headers in several buffers", splits);
	return done();
}
