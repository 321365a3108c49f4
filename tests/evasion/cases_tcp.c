/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP, ports, and who opened what.
 */
#include "evasion.h"

#define SYN_ {PACKET(WEB, .seq = 1000), RULE}
#define SYN_ACK_ {.back = true, PACKET(.sport = 80, .dport = 40000, .flags = F_SYN | F_ACK, .seq = 5000, .ack = 1001), FLOW}
#define ACK_ {PACKET(WEB, .flags = F_ACK, .seq = 1001, .ack = 5001), FLOW}
#define BACK(flags_) .back = true, PACKET(.sport = 80, .dport = 40000, .flags = flags_, .seq = 5001, .ack = 1001)
#define UDP_BACK .back = true, PACKET(.protocol = P_UDP, .sport = 53, .dport = 40000)

static const struct evasion_case cases[] = {
	{"an answer without a question: SYN+ACK", .steps = {{BACK(F_SYN | F_ACK), STATE}}},
	{"an answer without a question: ACK", .steps = {{BACK(F_ACK), DEFAULT}}},
	{"an answer without a question: RST", .steps = {{BACK(F_RST), DEFAULT}}},
	{"an answer without a question: FIN+ACK", .steps = {{BACK(F_FIN | F_ACK), DEFAULT}}},
	{"an answer without a question: UDP from port 53", .steps = {{UDP_BACK, DEFAULT}}},
	{"a SYN+ACK to an allowed port without a flow", .steps = {{PACKET(WEB, .flags = F_SYN | F_ACK), STATE}}},
	{"a SYN+ACK without a flow does not make one",
	 .steps = {{PACKET(WEB, .flags = F_SYN | F_ACK), STATE}, {BACK(F_ACK), DEFAULT}}},
	{"a stray RST to an allowed port does not make a flow",
	 .steps = {{PACKET(WEB, .flags = F_RST), RULE}, {BACK(F_ACK), DEFAULT}}},
	{"a stray FIN to an allowed port does not make a flow", .steps = {{PACKET(WEB, .flags = F_FIN | F_ACK), RULE},
	 {BACK(F_ACK), DEFAULT}}},
	{"a denied SYN leaves no way back", .steps = {{PACKET(TCP_SECRET), DEFAULT},
	 {.back = true, PACKET(.sport = 81, .dport = 40000, .flags = F_SYN | F_ACK), STATE}}},
	{"a denied datagram leaves no way back", .steps = {{PACKET(SECRET), DEFAULT},
	 {.back = true, PACKET(.protocol = P_UDP, .sport = 54, .dport = 40000), DEFAULT}}},
	{"a stray answer does not turn the flow round",
	 .steps = {{UDP_BACK, DEFAULT}, {PACKET(NAMES), RULE}, {UDP_BACK, FLOW},
	 {.back = true, PACKET(.protocol = P_UDP, .sport = 40000, .dport = 53), DEFAULT}}},
	{"strict: an ACK to an allowed port without a flow", .strict = true,
	 .steps = {{PACKET(WEB, .flags = F_ACK), STATE}}},
	{"strict: a RST to an allowed port without a flow", .strict = true,
	 .steps = {{PACKET(WEB, .flags = F_RST), STATE}}},
	{"strict: a FIN+ACK to an allowed port without a flow", .strict = true,
	 .steps = {{PACKET(WEB, .flags = F_FIN | F_ACK), STATE}}},
	{"strict: an ACK to a denied port without a flow", .strict = true,
	 .steps = {{PACKET(TCP_SECRET, .flags = F_ACK), STATE}}},
	{"strict: a connection from its SYN on", .strict = true, .steps = {SYN_, SYN_ACK_, ACK_}},
	{"an ACK to a denied port", .steps = {{PACKET(TCP_SECRET, .flags = F_ACK), DEFAULT}}},
	{"a SYN with data to a denied port", .steps = {{PACKET(TCP_SECRET, .payload_len = 64), DEFAULT}}},
	{"a SYN with ECE, CWR, PSH and URG to a denied port",
	 .steps = {{PACKET(TCP_SECRET, .flags = F_SYN | F_ECE | F_CWR | F_PSH | F_URG), DEFAULT}}},
	{"null: no flags", .steps = {{PACKET(WEB, .flags = F_NONE), STATE}}},
	{"Xmas: FIN, PSH and URG", .steps = {{PACKET(WEB, .flags = F_FIN | F_PSH | F_URG), STATE}}},
	{"all flags", .steps = {{PACKET(WEB, .flags = 0xff), STATE}}},
	{"SYN+FIN", .steps = {{PACKET(WEB, .flags = F_SYN | F_FIN), STATE}}},
	{"SYN+RST", .steps = {{PACKET(WEB, .flags = F_SYN | F_RST), STATE}}},
	{"FIN without ACK", .steps = {{PACKET(WEB, .flags = F_FIN), STATE}}},
	{"FIN without ACK on an established flow",
	 .steps = {SYN_, SYN_ACK_, ACK_, {PACKET(WEB, .flags = F_FIN, .seq = 1001), STATE}}},
	{"SYN+FIN to the failsafe's port", .steps = {{PACKET(TCP_(22), .to = "host", .flags = F_SYN | F_FIN), STATE}}},
	{"a split handshake: the other side answers with a SYN", .steps = {SYN_, {BACK(F_SYN), DEFAULT}}},
	{"a split handshake leaves the flow as it was", .steps = {SYN_, {BACK(F_SYN), DEFAULT}, SYN_ACK_, ACK_}},
	{"a SYN the other way on an established flow", .steps = {SYN_, SYN_ACK_, ACK_, {BACK(F_SYN), DEFAULT}}},
	{"a simultaneous open where both may open", .steps = {
	 {PACKET(.to = "red2", .sport = 7000, .dport = 7000, .seq = 1000), RULE},
	 {PACKET(ENDS("red2", "red"), .sport = 7000, .dport = 7000, .seq = 5000), RULE},
	 {PACKET(.to = "red2", .sport = 7000, .dport = 7000, .flags = F_SYN | F_ACK, .seq = 1000, .ack = 5001), FLOW},
	 {PACKET(ENDS("red2", "red"), .sport = 7000, .dport = 7000, .flags = F_SYN | F_ACK, .seq = 5000, .ack = 1001), FLOW}}},
	{"a flow's packet from another port", .steps = {SYN_, SYN_ACK_, {.back = true, PACKET(.sport = 81, .dport = 40000, .flags = F_ACK,
	 .seq = 5001, .ack = 1001), DEFAULT}}},
	{"a flow's packet to another port", .steps = {SYN_, SYN_ACK_, {.back = true, PACKET(.sport = 80, .dport = 40001, .flags = F_ACK,
	 .seq = 5001, .ack = 1001), DEFAULT}}},
	{"a flow's packet from another host", .steps = {SYN_, SYN_ACK_,
	 {PACKET(ENDS("blue2", "red"), .sport = 80, .dport = 40000,
	 .flags = F_ACK, .seq = 5001, .ack = 1001), DEFAULT}}},
	{"a flow's ports in another protocol", .steps = {{PACKET(NAMES), RULE}, {.back = true, PACKET(.sport = 53, .dport = 40000,
	 .flags = F_ACK), DEFAULT}}},

	{"source port 53 to a denied UDP port", .steps = {{PACKET(SECRET, .sport = 53), DEFAULT}}},
	{"source port 67 to a denied UDP port", .steps = {{PACKET(SECRET, .sport = 67), DEFAULT}}},
	{"source port 123 to a denied UDP port", .steps = {{PACKET(SECRET, .sport = 123), DEFAULT}}},
	{"source port 20 to a denied TCP port", .steps = {{PACKET(TCP_SECRET, .sport = 20), DEFAULT}}},
	{"source port 80 to a denied TCP port", .steps = {{PACKET(TCP_SECRET, .sport = 80), DEFAULT}}},
	{"source port 22, the failsafe's, to a denied port of another host",
	 .steps = {{PACKET(TCP_SECRET, .sport = 22, .flags = F_ACK), DEFAULT}}},
	{"an ACK to the failsafe's port without a flow: it needs none", .steps = {{PACKET(TCP_(22), .to = "host", .flags = F_ACK), FAILSAFE}}},
	{"the failsafe's port from another zone", .steps = {{PACKET(TCP_(22), ENDS("blue", "host")), DEFAULT}}},
	{"the failsafe's port of another host", .steps = {{PACKET(TCP_(22)), DEFAULT}}},
	{"UDP to the failsafe's port", .steps = {{PACKET(UDP_(22), .to = "host"), DEFAULT}}},
	{"UDP to port 0", .steps = {{PACKET(UDP_(0)), DEFAULT}}},
	{"TCP to port 0", .steps = {{PACKET(TCP_(0)), DEFAULT}}},
	{"SCTP to port 0", .steps = {{PACKET(.protocol = P_SCTP), DEFAULT}}},
	{"TCP to the port that is open for UDP", .steps = {{PACKET(TCP_(53)), DEFAULT}}},
	{"UDP to the port that is open for TCP", .steps = {{PACKET(UDP_(80)), DEFAULT}}},
	{"SCTP to a denied port", .steps = {{PACKET(SCTP_SECRET), DEFAULT}}},
	{"UDP-Lite (136) to the port that is open for UDP", .steps = {{PACKET(.protocol = 136,
	 .payload = "\x9c\x40\x00\x35\x00\x08\x00\x00", .payload_len = 8), DEFAULT}}},
	{"DCCP (33) to the port that is open for TCP", .steps = {{PACKET(.protocol = 33,
	 .payload = "\x9c\x40\x00\x50\x05\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", .payload_len = 16), DEFAULT}}},
};

GROUP(evasion_tcp, "TCP, UDP and ports", cases);

/* Every combination of flags in every state, from each side. */
#define CLOSE_ {PACKET(WEB, .flags = F_FIN | F_ACK, .seq = 1001, .ack = 5001), FLOW}
#define CLOSE_BACK_ {.back = true, PACKET(.sport = 80, .dport = 40000, .flags = F_FIN | F_ACK, .seq = 5001, .ack = 1002), FLOW}
#define RESET_ {PACKET(WEB, .flags = F_RST | F_ACK, .seq = 1001, .ack = 5001), FLOW}
#define PICK_UP_ {PACKET(WEB, .flags = F_ACK, .seq = 1001, .ack = 5001), RULE}
#define ANY_FORTH {PACKET(WEB, .seq = 1001, .ack = 5001), FLOW, .syn = ZW_ALLOW_RULE, .syn_ack = ZW_ALLOW_FLOW}
#define ANY_BACK {BACK(0), FLOW, .syn = ZW_DROP_DEFAULT, .syn_ack = ZW_ALLOW_FLOW}
#define ALL .sweep = SWEEP_FLAGS

static const struct evasion_case flags_cases[] = {
	{"without a flow, to an allowed port", ALL,
	 .steps = {{PACKET(WEB), RULE, .syn = ZW_ALLOW_RULE, .syn_ack = ZW_DROP_TCP_STATE}}},
	{"without a flow, to a denied port", ALL,
	 .steps = {{PACKET(TCP_SECRET), DEFAULT, .syn = ZW_DROP_DEFAULT, .syn_ack = ZW_DROP_TCP_STATE}}},
	{"strict, without a flow, to an allowed port", ALL, .strict = true,
	 .steps = {{PACKET(WEB), STATE, .syn = ZW_ALLOW_RULE, .syn_ack = ZW_DROP_TCP_STATE}}},
	{"SYN seen, from the opener", ALL, .steps = {SYN_, ANY_FORTH}},
	{"SYN seen, from the other side", ALL, .steps = {SYN_, ANY_BACK}},
	{"SYN+ACK seen, from the opener", ALL, .steps = {SYN_, SYN_ACK_, ANY_FORTH}},
	{"SYN+ACK seen, from the other side", ALL, .steps = {SYN_, SYN_ACK_, ANY_BACK}},
	{"established, from the opener", ALL, .steps = {SYN_, SYN_ACK_, ACK_, ANY_FORTH}},
	{"established, from the other side", ALL, .steps = {SYN_, SYN_ACK_, ACK_, ANY_BACK}},
	{"picked up, from the opener", ALL, .steps = {PICK_UP_, ANY_FORTH}},
	{"picked up, from the other side", ALL, .steps = {PICK_UP_, ANY_BACK}},
	{"FIN seen, from the opener", ALL, .steps = {SYN_, SYN_ACK_, ACK_, CLOSE_, ANY_FORTH}},
	{"FIN seen, from the other side", ALL, .steps = {SYN_, SYN_ACK_, ACK_, CLOSE_, ANY_BACK}},
	{"closing, from the opener", ALL, .steps = {SYN_, SYN_ACK_, ACK_, CLOSE_, CLOSE_BACK_, ANY_FORTH}},
	{"closing, from the other side", ALL, .steps = {SYN_, SYN_ACK_, ACK_, CLOSE_, CLOSE_BACK_, ANY_BACK}},
	{"RST seen, from the opener", ALL, .steps = {SYN_, SYN_ACK_, ACK_, RESET_, ANY_FORTH}},
	{"RST seen, from the other side", ALL, .steps = {SYN_, SYN_ACK_, ACK_, RESET_, ANY_BACK}},
};

GROUP(evasion_tcp_flags, "Each of the 64 combinations of TCP flags", flags_cases);
