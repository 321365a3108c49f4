/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors that quote what nobody sent, and echo messages that answer nothing. In each case red has opened a connection
 * to blue, or pings it.
 */
#include "evasion.h"

#define SYN_ {PACKET(WEB), RULE}
#define PINGED4 {PACKET(PING4), RULE}
#define PINGED6 {PACKET(PING6), RULE}
#define UNREACHABLE .protocol = P_ICMP, .type = 3, .code = 4
#define TOO_BIG .protocol = P_ICMPV6, .type = 2
#define QUOTES(packet) .inner = &packet, .inner_back = true /* sent by blue */
/* An error that red sends to blue, about what blue sent. */
#define ERROR4(...) .family = 4, .steps = {SYN_, {PACKET(UNREACHABLE), __VA_ARGS__}}
#define ERROR6(...) .family = 6, .steps = {SYN_, {PACKET(TOO_BIG), __VA_ARGS__}}
#define BOTH_ERRORS(trick, ...) {trick, ERROR4(__VA_ARGS__)}, {trick " (ICMPv6)", ERROR6(__VA_ARGS__)}
#define ECHO4(type_, id_) PACKET(.protocol = P_ICMP, .type = type_, .id = id_)
#define ECHO6(type_, id_) PACKET(.protocol = P_ICMPV6, .type = type_, .id = id_)

static const struct packet_spec answer = {.sport = 80, .dport = 40000, .flags = F_ACK};
static const struct packet_spec other_port = {.sport = 80, .dport = 40001, .flags = F_ACK};
static const struct packet_spec other_protocol = {.protocol = P_UDP, .sport = 80, .dport = 40000};
static const struct packet_spec question = {.dport = 80, .flags = F_ACK};
static const struct packet_spec short_answer = {.sport = 80, .dport = 40000, .flags = F_ACK, .ip_cut = 13};
static const struct packet_spec headers_only = {.sport = 80, .dport = 40000, .flags = F_ACK, .ip_cut = 20};
static const struct packet_spec later_fragment = {.sport = 80, .dport = 40000, .offset = 16, .payload = "\x00\x50\x9c\x40\0\0\0\0",
						  .payload_len = 8};
static const struct packet_spec wrong_version = {.sport = 80, .dport = 40000, .flags = F_ACK, .version = 7};
static const struct packet_spec short_header = {.sport = 80, .dport = 40000, .flags = F_ACK, .ihl = 4};
static const struct packet_spec two_fragment_headers = {.sport = 80, .dport = 40000, .flags = F_ACK, .chain = "frag frag"};
static const struct packet_spec routed = {.sport = 80, .dport = 40000, .flags = F_ACK, .chain = "rt:1"};
static const struct packet_spec error4 = {.protocol = P_ICMP, .type = 3, .id = 7, .payload_len = 28};
static const struct packet_spec error6 = {.protocol = P_ICMPV6, .type = 1, .id = 7, .payload_len = 48};
static const struct packet_spec reply4 = {.protocol = P_ICMP, .id = 7};
static const struct packet_spec reply6 = {.protocol = P_ICMPV6, .type = 129, .id = 7};
static const struct packet_spec request4 = {PING4};
static const struct packet_spec denied = {.sport = 81, .dport = 40000, .flags = F_ACK};

static const struct evasion_case cases[] = {
	BOTH_ERRORS("an error about a packet of the flow, to its sender", QUOTES(answer), RELATED),
	BOTH_ERRORS("a forged error: it quotes another port", QUOTES(other_port), DEFAULT),
	BOTH_ERRORS("a forged error: it quotes another protocol", QUOTES(other_protocol), DEFAULT),
	BOTH_ERRORS("a forged error: it quotes a flow, but goes to one who did not send it", .inner = &question, DEFAULT),
	{"a forged error: it quotes a flow and goes to a third host", .family = 4, .steps = {SYN_,
	 {PACKET(UNREACHABLE, .to = "blue2"), QUOTES(answer), DEFAULT}}},
	{"a forged error: it quotes a flow and goes to a third host (ICMPv6)", .family = 6,
	 .steps = {SYN_, {PACKET(TOO_BIG, .to = "blue2"), QUOTES(answer), DEFAULT}}},
	BOTH_ERRORS("an error that quotes seven bytes of the transport header", QUOTES(short_answer), DEFAULT),
	BOTH_ERRORS("an error that quotes no transport header", QUOTES(headers_only), DEFAULT),
	BOTH_ERRORS("an error that quotes nothing", DEFAULT),
	BOTH_ERRORS("an error that quotes a later fragment which looks like the flow's header", QUOTES(later_fragment), DEFAULT),
	BOTH_ERRORS("an error that quotes a wrong version", QUOTES(wrong_version), DEFAULT),
	{"an error that quotes a header length below five", ERROR4(QUOTES(short_header), DEFAULT)},
	{"an error that quotes two fragment headers", ERROR6(QUOTES(two_fragment_headers), DEFAULT)},
	{"an error that quotes a routing header with segments left", ERROR6(QUOTES(routed), DEFAULT)},
	{"an error about an error", .family = 4, .steps = {PINGED4, {PACKET(UNREACHABLE), QUOTES(error4), DEFAULT}}},
	{"an error about an error (ICMPv6)", .family = 6, .steps = {PINGED6, {PACKET(TOO_BIG), QUOTES(error6), DEFAULT}}},
	{"an error about a ping's reply, to its sender", .family = 4,
	 .steps = {PINGED4, {PACKET(UNREACHABLE), QUOTES(reply4), RELATED}}},
	{"an error about a ping's reply, to its sender (ICMPv6)", .family = 6,
	 .steps = {PINGED6, {PACKET(TOO_BIG), QUOTES(reply6), RELATED}}},
	{"an error about a request that the other side never sent", .family = 4, .steps = {PINGED4,
	 {PACKET(UNREACHABLE), QUOTES(request4), DEFAULT}}},
	{"an error about a connection that was denied", .family = 4, .steps = {{PACKET(TCP_SECRET), DEFAULT},
	 {PACKET(UNREACHABLE), QUOTES(denied), DEFAULT}}},
	{"an error in fragments, about a packet of the flow", .family = 4, .steps = {SYN_,
	 {PACKET(UNREACHABLE, .more = true), QUOTES(answer), RELATED}}},
	{"an error in fragments, about a packet of the flow (ICMPv6)", .family = 6,
	 .steps = {SYN_, {PACKET(TOO_BIG, .more = true), QUOTES(answer), RELATED}}},
	{"a later fragment that writes over what an error's first one quotes", .family = 4, .steps = {SYN_,
	 {PACKET(UNREACHABLE, .more = true), QUOTES(answer), RELATED},
	 {PACKET(.protocol = P_ICMP, .offset = 8, .more = true, .payload_len = 40), FRAGMENT}}},
	{"a later fragment that writes over what an error's first one quotes (ICMPv6)", .family = 6, .steps = {SYN_,
	 {PACKET(TOO_BIG, .more = true), QUOTES(answer), RELATED},
	 {PACKET(.protocol = P_ICMPV6, .offset = 64, .payload_len = 8), FRAGMENT}}},
	{"the rest of an error in fragments, behind what the first one quotes", .steps = {SYN_,
	 {PACKET(UNREACHABLE, .more = true), QUOTES(answer), RELATED},
	 {PACKET(.protocol = P_ICMP, .offset = 48, .payload_len = 8), LATER}}, .family = 4},
	{"a redirect that quotes a packet of the flow", .family = 4, .steps = {SYN_,
	 {PACKET(.protocol = P_ICMP, .type = 5), QUOTES(answer), DEFAULT}}},
	{"a redirect that quotes a packet of the flow (ICMPv6)", .family = 6, .steps = {SYN_,
	 {PACKET(.protocol = P_ICMPV6, .type = 137, .hop_limit = 255), QUOTES(answer), DEFAULT}}},
	{"a source quench that quotes a packet of the flow", .family = 4, .steps = {SYN_,
	 {PACKET(.protocol = P_ICMP, .type = 4), QUOTES(answer), DEFAULT}}},
	{"an error that policy denies, without any flow", .family = 4,
	 .steps = {{PACKET(UNREACHABLE), QUOTES(answer), DEFAULT}}},
	{"an ICMPv6 error of unknown type 5", .family = 6,
	 .steps = {SYN_, {PACKET(.protocol = P_ICMPV6, .type = 5), QUOTES(answer), DEFAULT}}},
	{"an ICMP error in IPv6", .family = 6, .steps = {SYN_, {PACKET(UNREACHABLE), QUOTES(answer), MALFORMED}}},
	{"an ICMPv6 error in IPv4", .family = 4, .steps = {SYN_, {PACKET(TOO_BIG), QUOTES(answer), MALFORMED}}},

	{"an echo reply without a request", .family = 4, .steps = {{.back = true, ECHO4(0, 7), DEFAULT}}},
	{"an echo reply without a request (ICMPv6)", .family = 6, .steps = {{.back = true, ECHO6(129, 7), DEFAULT}}},
	{"an echo reply with another identifier", .family = 4, .steps = {PINGED4, {.back = true, ECHO4(0, 8), DEFAULT}}},
	{"an echo reply with another identifier (ICMPv6)", .family = 6,
	 .steps = {PINGED6, {.back = true, ECHO6(129, 8), DEFAULT}}},
	{"an echo request by the other side with the same identifier", .family = 4,
	 .steps = {PINGED4, {.back = true, ECHO4(8, 7), DEFAULT}}},
	{"an echo request by the other side with the same identifier (ICMPv6)", .family = 6,
	 .steps = {PINGED6, {.back = true, ECHO6(128, 7), DEFAULT}}},
	{"an echo reply the same way as the request", .family = 4, .steps = {PINGED4, {ECHO4(0, 7), DEFAULT}}},
	{"an echo reply the same way as the request (ICMPv6)", .family = 6, .steps = {PINGED6, {ECHO6(129, 7), DEFAULT}}},
	{"an echo reply from another host", .family = 4, .steps = {PINGED4,
	 {PACKET(.protocol = P_ICMP, .id = 7, ENDS("blue2", "red")), DEFAULT}}},
	{"a neighbour solicitation, identifier 0, opens no way for an echo", .family = 6, .steps = {
	 {PACKET(.protocol = P_ICMPV6, .type = 135, .hop_limit = 255), ESSENTIAL}, {.back = true, ECHO6(129, 0), DEFAULT}}},
	{"a timestamp request", .family = 4, .steps = {{ECHO4(13, 7), DEFAULT}}},
	{"a timestamp reply to a ping", .family = 4, .steps = {PINGED4, {.back = true, ECHO4(14, 7), DEFAULT}}},
	{"an address mask request", .family = 4, .steps = {{ECHO4(17, 7), DEFAULT}}},
	{"a router advertisement of ICMP", .family = 4, .steps = {{ECHO4(9, 0), DEFAULT}}},
	{"a node information query", .family = 6, .steps = {{ECHO6(139, 0), DEFAULT}}},
	{"an ICMP echo request in IPv6", .family = 6, .steps = {{PACKET(PING4), MALFORMED}}},
	{"an ICMPv6 echo request in IPv4", .family = 4, .steps = {{PACKET(PING6), MALFORMED}}},
	{"an ICMPv6 later fragment in IPv4", .family = 4,
	 .steps = {{PACKET(.protocol = P_ICMPV6, .offset = 16, .payload_len = 8), MALFORMED}}},
	{"an ICMP error that ends after any of its bytes", .family = 4, .sweep = SWEEP_CUT, .steps = {SYN_,
	 {PACKET(UNREACHABLE), QUOTES(answer), MALFORMED}}},
};

GROUP(evasion_icmp, "ICMP", cases);
