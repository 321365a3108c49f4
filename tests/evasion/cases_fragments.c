/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments. Each fragment for itself may look harmless; what a host makes of them together must have been allowed.
 */
#include "evasion.h"

#define FIRST(...) PACKET(__VA_ARGS__, .more = true)
#define OPEN_FIRST {FIRST(NAMES, .udp_len = 32, .payload_len = 8), RULE}
#define V6(...) .family = 6, .steps = {__VA_ARGS__}
/* A UDP header of its own: from 53 to 54. */
#define FORGED_HEADER .payload = "\x00\x35\x00\x36\x00\x18\x00\x00", .payload_len = 8

static const struct evasion_case cases[] = {
	{"a first fragment to a denied port", .steps = {{FIRST(SECRET, .payload_len = 8), DEFAULT}}},
	{"a later fragment to a denied port", .steps = {{FIRST(SECRET, .payload_len = 8), DEFAULT},
	 {PACKET(SECRET, .offset = 16, .payload_len = 8), FRAGMENT}}},
	{"a later fragment whose payload looks like an allowed port", .steps = {{PACKET(SECRET, .offset = 16,
	 .payload = "\x9c\x40\x00\x35\x00\x08\x00\x00", .payload_len = 8), FRAGMENT}}},
	{"a later fragment that overtakes its first", .steps = {{PACKET(NAMES, .offset = 16, .payload_len = 8), FRAGMENT}}},
	{"a last fragment without a first, to an allowed port",
	 .steps = {{PACKET(WEB, .offset = 1480, .payload_len = 100), FRAGMENT}}},
	{"fragments of an allowed datagram, in order", .steps = {OPEN_FIRST,
	 {PACKET(NAMES, .offset = 16, .more = true, .payload_len = 8), LATER},
	 {PACKET(NAMES, .offset = 24, .payload_len = 8), LATER}}},
	{"fragments of an allowed datagram, the later ones exchanged", .steps = {OPEN_FIRST,
	 {PACKET(NAMES, .offset = 24, .payload_len = 8), LATER},
	 {PACKET(NAMES, .offset = 16, .more = true, .payload_len = 8), LATER}}},

	{"a tiny first fragment: eight bytes of TCP, its flags in the next",
	 .steps = {{FIRST(WEB, .ip_cut = 12), FRAGMENT}}},
	{"a tiny first fragment: sixteen bytes of TCP", .steps = {{FIRST(WEB, .ip_cut = 4), FRAGMENT}}},
	{"the rest of a TCP header in a second fragment", .steps = {{FIRST(WEB, .ip_cut = 12), FRAGMENT},
	 {PACKET(WEB, .offset = 8, .payload_len = 12), FRAGMENT}}},
	{"a tiny first fragment: less than a UDP header", .steps = {{FIRST(NAMES, .ip_cut = 1), FRAGMENT}}},
	{"a tiny first fragment: eight bytes of SCTP", .steps = {{FIRST(SIGNALS, .ip_cut = 4), FRAGMENT}}},
	{"a tiny first fragment: half an ICMP header", .family = 4, .steps = {{FIRST(PING4, .ip_cut = 4), FRAGMENT}}},
	{"a tiny first fragment: half an ICMPv6 header", V6({FIRST(PING6, .ip_cut = 4), FRAGMENT})},
	{"a first fragment without a byte of payload", .steps = {{FIRST(NAMES, .ip_cut = 8), FRAGMENT}}},
	{"a first fragment whose chain goes on in the second",
	 V6({FIRST(NAMES, .chain = "frag dst", .ip_cut = 12), FRAGMENT})},
	{"a first fragment whose transport header stands in the second",
	 V6({FIRST(NAMES, .chain = "frag dst", .ip_cut = 8), FRAGMENT})},
	{"a first fragment whose authentication header goes on in the second",
	 .steps = {{FIRST(NAMES, .chain = "frag ah", .ip_cut = 16), FRAGMENT}}, .family = 6},
	{"a first fragment whose authentication header goes on in the second (IPv4)",
	 .steps = {{FIRST(NAMES, .chain = "ah", .ip_cut = 16), FRAGMENT}}, .family = 4},
	{"a TCP data offset beyond the first fragment", .steps = {{FIRST(WEB, .doff = 15, .payload_len = 4), MALFORMED}}},

	{"a second fragment that begins inside the TCP header and rewrites its flags", .steps = {
	 {FIRST(WEB, .flags = F_ACK, .payload_len = 20), RULE}, {PACKET(WEB, .offset = 8, .payload_len = 16), FRAGMENT}}},
	{"a second fragment that begins in the last bytes of the TCP header", .steps = {
	 {FIRST(WEB, .payload_len = 20), RULE}, {PACKET(WEB, .offset = 16, .payload_len = 16), FRAGMENT}}},
	{"a second fragment that begins in the last bytes of the SCTP header", .steps = {
	 {FIRST(SIGNALS, .payload_len = 12), RULE}, {PACKET(SIGNALS, .offset = 8, .payload_len = 16), FRAGMENT}}},
	{"a second fragment that rewrites a UDP header behind destination options", V6(
	 {FIRST(NAMES, .chain = "frag dst", .udp_len = 32, .payload_len = 8), RULE},
	 {PACKET(.protocol = 60, .offset = 8, .more = true, FORGED_HEADER), FRAGMENT})},
	{"a second fragment that rewrites a UDP header behind an authentication header", .family = 4, .steps = {
	 {FIRST(NAMES, .chain = "ah", .udp_len = 32, .payload_len = 8), RULE},
	 {PACKET(.protocol = P_AH, .offset = 16, .more = true, FORGED_HEADER), FRAGMENT}}},
	{"a second fragment that overlaps the first behind its header", .steps = {
	 OPEN_FIRST, {PACKET(NAMES, .offset = 8, .more = true, FORGED_HEADER), LATER},
	 {PACKET(NAMES, .offset = 16, .payload_len = 16), LATER}}},
	{"another first fragment, to a denied port, in place of an allowed one", .steps = {
	 OPEN_FIRST, {FIRST(SECRET, .udp_len = 32, .payload_len = 8), DEFAULT}}},
	{"what follows when a first fragment to a denied port took an allowed one's place", .steps = {
	 OPEN_FIRST, {FIRST(SECRET, .udp_len = 32, .payload_len = 8), DEFAULT},
	 {PACKET(NAMES, .offset = 16, .payload_len = 16), FRAGMENT}}},
	{"an allowed first fragment after the later fragments of a denied datagram", .steps = {
	 {FIRST(SECRET, .udp_len = 32, .payload_len = 8), DEFAULT},
	 {PACKET(SECRET, .offset = 16, .payload_len = 16), FRAGMENT}, OPEN_FIRST}},
	{"a tiny first fragment in place of an allowed one, and what follows", .steps = {
	 OPEN_FIRST, {FIRST(NAMES, .ip_cut = 1), FRAGMENT}, {PACKET(NAMES, .offset = 16, .payload_len = 16), FRAGMENT}}},
	{"a malformed first fragment in place of an allowed one", .steps = {
	 OPEN_FIRST, {FIRST(NAMES, .udp_len = 7, .payload_len = 8), MALFORMED}}},

	{"a fragment that ends beyond byte 65,535", .steps = {
	 OPEN_FIRST, {PACKET(NAMES, .offset = 65528, .payload_len = 16), FRAGMENT}}},
	{"a fragment that ends at byte 65,535",
	 .steps = {OPEN_FIRST, {PACKET(NAMES, .offset = 65528, .payload_len = 7), LATER}}},
	{"a middle fragment that is no multiple of eight bytes", .steps = {
	 OPEN_FIRST, {PACKET(NAMES, .offset = 16, .more = true, .payload_len = 9), FRAGMENT}}},
	{"a later fragment with another identification", .steps = {
	 OPEN_FIRST, {PACKET(NAMES, .id = 9, .offset = 16, .payload_len = 16), FRAGMENT}}},
	{"a later fragment of another protocol with the same identification", .steps = {
	 OPEN_FIRST, {PACKET(WEB, .offset = 24, .payload_len = 16), FRAGMENT}}},
	{"a later fragment from another source", .steps = {
	 OPEN_FIRST, {PACKET(NAMES, .from = "red2", .offset = 16, .payload_len = 16), FRAGMENT}}},
	{"a later fragment to another destination", .steps = {
	 OPEN_FIRST, {PACKET(NAMES, .to = "blue2", .offset = 16, .payload_len = 16), FRAGMENT}}},
	{"a later fragment the other way", .steps = {
	 OPEN_FIRST, {.back = true, PACKET(NAMES, .offset = 16, .payload_len = 16), FRAGMENT}}},
	{"a later fragment of a live flow without its first", .steps = {
	 {PACKET(NAMES), RULE}, {PACKET(NAMES, .offset = 16, .payload_len = 16), FRAGMENT}}},
	{"an answer in fragments, in order", .steps = {{PACKET(NAMES), RULE},
	 {.back = true, FIRST(.protocol = P_UDP, .sport = 53, .dport = 40000, .udp_len = 32, .payload_len = 8), FLOW},
	 {.back = true, PACKET(.protocol = P_UDP, .offset = 16, .payload_len = 16), LATER}}},
	{"a first fragment with flags that no TCP sends",
	 .steps = {{FIRST(WEB, .flags = F_SYN | F_FIN, .payload_len = 4), STATE}}},
	{"a fragment to the failsafe's port without its first", .steps = {
	 {PACKET(TCP_(22), .to = "host", .offset = 24, .payload_len = 8), FRAGMENT}}},
	{"a tiny first fragment to the failsafe's port", .steps = {{FIRST(TCP_(22), .to = "host", .ip_cut = 4), FRAGMENT}}},
	{"a fragmented echo request, and another's later fragment", .family = 4, .steps = {
	 {FIRST(PING4, .payload_len = 8), RULE},
	 {PACKET(.protocol = P_ICMP, .from = "red2", .id = 7, .offset = 16, .payload_len = 8), FRAGMENT}}},

	{"an atomic fragment to a denied port", V6({PACKET(SECRET, .fragment = true), DEFAULT})},
	{"an atomic fragment is a whole packet", V6({PACKET(NAMES, .fragment = true), RULE})},
	{"an atomic fragment makes no way for later ones", V6({PACKET(NAMES, .fragment = true), RULE},
	 {PACKET(NAMES, .offset = 16, .payload_len = 8), FRAGMENT})},
	{"an IPv4 fragment with \"don't fragment\" set, to a denied port", .family = 4,
	 .steps = {{FIRST(SECRET, .payload_len = 8), .poke_at = 6, .poke = "6000", DEFAULT}}},
	{"the reserved bit instead of \"more fragments\", to a denied port", .family = 4,
	 .steps = {{PACKET(SECRET), .poke_at = 6, .poke = "8000", DEFAULT}}},
};

GROUP(evasion_fragments, "Fragments", cases);
