/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Conversations: packets one after the other, with the flows that they leave behind (design section 5, stages flow,
 * related and state). Each runs in both families where it is not bound to one, on XDP, TC ingress and TC egress, through
 * the programs, the tables and the oracle.
 */
#include <string.h>

#include "scene.h"
#include "test.h"

static const char policy[] =
	"version: 1\n"
	"defaults: {action: drop}\n"
	"zones:\n"
	"  red: [10.1.0.0/16, \"fd00:1::/64\"]\n"
	"  blue: [10.2.0.0/16, \"fd00:2::/64\"]\n"
	"failsafe: [{id: rescue, from: red, to: blue, service: [tcp/22, tcp/23]}]\n"
	"rules:\n"
	"  - {id: web, from: red, to: blue, service: [tcp/80, sctp/9], action: allow}\n"
	"  - {id: names, from: red, to: blue, service: udp/53, action: allow}\n"
	"  - {id: ping, from: red, to: blue, service: [icmp/echo-request, icmpv6/echo-request], action: allow}\n"
	"  - {id: tunnels, from: red, to: blue, service: proto/47, action: allow}\n"
	"  - {id: tls, from: red, to: blue, service: [tcp/443, tcp/23], action: allow, tls: {require: true}}\n"
	"  - {id: modern, from: red, to: blue, service: tcp/8443, action: allow, tls: {require: true, min: \"1.2\"}}\n"
	"  - {id: back, from: blue, to: red, service: tcp/40009, action: allow, tls: {require: true}}\n"
	"  - {id: two, from: red, to: blue, service: [tcp/86, udp/86], action: allow, limit: {rate: 1/m, burst: 2}}\n";

struct step {
	const char *what; /* NULL: the conversation ends */
	double wait; /* seconds since the step before */
	bool back; /* from blue to red */
	struct packet_spec packet; /* without ends; TCP: seq and ack are well-behaved */
	int seq_off, ack_off; /* but for so much; then it is said by somebody else */
	const struct packet_spec *quoted; /* an ICMP error's, from blue to red unless quoted_forth */
	bool quoted_forth;
	enum zw_reason reason;
	const char *rule;
};

#define STEPS 24
struct conversation {
	const char *what;
	int family; /* 0: both */
	struct step steps[STEPS];
};

#define SYN_ .packet = {.dport = 80}
#define FORTH(f) .packet = {.dport = 80, .flags = f}
#define BACK(f) .back = true, .packet = {.sport = 80, .dport = 40000, .flags = f}
#define RULE(id) .reason = ZW_ALLOW_RULE, .rule = id
#define FLOW(id) .reason = ZW_ALLOW_FLOW, .rule = id
#define RELATED(id) .reason = ZW_ALLOW_RELATED, .rule = id
#define DEFAULT .reason = ZW_DROP_DEFAULT
#define STATE .reason = ZW_DROP_TCP_STATE
#define UDP_FORTH .packet = {.protocol = P_UDP, .dport = 53}
#define UDP_BACK .back = true, .packet = {.protocol = P_UDP, .sport = 53, .dport = 40000}
#define SCTP_FORTH .packet = {.protocol = P_SCTP, .dport = 9}
#define SCTP_BACK .back = true, .packet = {.protocol = P_SCTP, .sport = 9, .dport = 40000}
#define FIRST(id_, port) .packet = {.protocol = P_UDP, .dport = port, .more = true, .id = id_, .payload_len = 16}
#define LATER(id_, at, len, ...) .packet = {.protocol = P_UDP, .dport = 53, .fragment = true, .offset = at, .id = id_, \
					    .payload_len = len, __VA_ARGS__}
#define PART(id) .reason = ZW_ALLOW_FRAGMENT, .rule = id
#define NO_PART .reason = ZW_DROP_FRAGMENT
#define ECHO4(type_, id_) .packet = {.protocol = P_ICMP, .type = type_, .id = id_}
#define ECHO6(type_, id_) .packet = {.protocol = P_ICMPV6, .type = type_, .id = id_}
#define UNREACHABLE .protocol = P_ICMP, .type = 3, .code = 4

/* To and from the ports of rules with `tls`. */
#define TO(port_, flags_, ...) .packet = {.dport = port_, .flags = flags_, __VA_ARGS__}
#define FROM(port_, flags_, ...) .back = true, .packet = {.sport = port_, .dport = 40000, .flags = flags_, __VA_ARGS__}
#define BYTES(bytes) .payload = bytes, .payload_len = sizeof(bytes) - 1
#define HELLO_AT "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"
#define HELLO BYTES(HELLO_AT "\x03\x03 and more")
#define SHORTEST_HELLO BYTES(HELLO_AT "\x03\x03")
#define OLD_HELLO BYTES(HELLO_AT "\x03\x02 and more")
#define HTTP BYTES("GET / HTTP/1.1\r\n")
#define PLAINTEXT(id) .reason = ZW_DROP_PLAINTEXT, .rule = id
#define OPENED(port, id) {"the SYN", TO(port, F_SYN), RULE(id)}, {"the SYN+ACK", FROM(port, F_SYN | F_ACK), FLOW(id)}, \
	{"the ACK", TO(port, F_ACK), FLOW(id)}

static const struct packet_spec answer = {.sport = 80, .dport = 40000, .flags = F_ACK};
static const struct packet_spec tls_answer = {.sport = 443, .dport = 40000, .flags = F_ACK};
static const struct packet_spec other_answer = {.sport = 80, .dport = 40001, .flags = F_ACK};
static const struct packet_spec question = {.dport = 80, .flags = F_ACK};
static const struct packet_spec short_answer = {.sport = 80, .dport = 40000, .flags = F_ACK, .ip_cut = 13};
static const struct packet_spec least_answer = {.sport = 80, .dport = 40000, .flags = F_ACK, .ip_cut = 12};
static const struct packet_spec answer_fragment = {.sport = 80, .dport = 40000, .offset = 8, .payload_len = 20};
static const struct packet_spec first_fragment = {.sport = 80, .dport = 40000, .flags = F_ACK, .more = true};
static const struct packet_spec other_version = {.sport = 80, .dport = 40000, .flags = F_ACK, .version = 6};
static const struct packet_spec short_ihl = {.from = "10.1.255.250", .to = "10.2.0.80", .flags = F_ACK, .ihl = 4};
static const struct packet_spec quoted_first = {.sport = 80, .dport = 40000, .flags = F_ACK, .more = true, .id = 0x99,
						.payload_len = 28};
static const struct packet_spec quoted_short_first = {.sport = 80, .dport = 40000, .flags = F_ACK, .more = true,
						      .id = 0x99, .ip_cut = 12};
static const struct packet_spec echo_reply = {.protocol = P_ICMP, .type = 0, .id = 7};
static const struct packet_spec nameless_timestamp = {.protocol = P_ICMP, .type = 13};
static const struct packet_spec quoted_error = {.protocol = P_ICMP, .type = 3, .id = 7};

#define ASK(port_, sport_) .packet = {.protocol = P_UDP, .sport = sport_, .dport = port_}
#define LIMIT(id) .reason = ZW_DROP_LIMIT, .rule = id

static const struct conversation conversations[] = {
	{"a limit of one a minute, two at once", 0, {
		{"a SYN, when the bucket is full", .wait = 3600, TO(86, F_SYN), RULE("two")},
		{"the same again: it takes none", TO(86, F_SYN), RULE("two")},
		{"its answer", FROM(86, F_SYN | F_ACK), FLOW("two")},
		{"another first packet", ASK(86, 1001), RULE("two")},
		{"a third one", ASK(86, 1002), LIMIT("two")},
		{"the second one again, which has a flow", ASK(86, 1001), FLOW("two")},
		{"the first one's ACK", TO(86, F_ACK), FLOW("two")},
		{"a RST of no flow", .packet = {.sport = 1003, .dport = 86, .flags = F_RST}, LIMIT("two")},
		{"a token comes in", .wait = 60, ASK(86, 1002), RULE("two")},
		{"and no more", ASK(86, 1004), LIMIT("two")},
		{"half of the next one", .wait = 30, ASK(86, 1004), LIMIT("two")},
		{"the rest of it", .wait = 30, ASK(86, 1004), RULE("two")},
		{"after an hour there are two", .wait = 3600, ASK(86, 1005), RULE("two")},
		{"the second", ASK(86, 1006), RULE("two")},
		{"and no third", ASK(86, 1007), LIMIT("two")}}},
	{"a TCP connection", 0, {
		{"the SYN by its rule", SYN_, RULE("web")},
		{"the SYN again", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"the ACK", FORTH(F_ACK), FLOW("web")},
		{"data back", BACK(F_ACK | F_PSH), FLOW("web")},
		{"data a day later", .wait = 86400, FORTH(F_ACK | F_PSH), FLOW("web")},
		{"FIN", FORTH(F_FIN | F_ACK), FLOW("web")},
		{"FIN back", BACK(F_FIN | F_ACK), FLOW("web")},
		{"the last ACK", FORTH(F_ACK), FLOW("web")},
		{"a new SYN on the closing flow", SYN_, RULE("web")},
		{"its SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"impossible flags, flow or not", FORTH(F_SYN | F_FIN), STATE},
	}},
	{"a denied SYN leaves no state", 0, {
		{"the SYN", .packet = {.dport = 81}, DEFAULT},
		{"its SYN+ACK", .back = true, .packet = {.sport = 81, .dport = 40000,
		 .flags = F_SYN | F_ACK}, STATE},
		{"an ACK back", .back = true, .packet = {.sport = 81, .dport = 40000, .flags = F_ACK}, DEFAULT},
	}},
	{"a SYN is always decided by policy", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"a SYN the other way on the live flow", BACK(F_SYN), DEFAULT},
		{"the flow lives on", BACK(F_SYN | F_ACK), FLOW("web")},
	}},
	{"an unanswered SYN", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK 118 s later", .wait = 118, BACK(F_SYN | F_ACK), FLOW("web")},
		{"again 58 s later", .wait = 58, BACK(F_SYN | F_ACK), FLOW("web")},
		{"again 62 s later", .wait = 62, BACK(F_SYN | F_ACK), STATE},
	}},
	{"a SYN is forgotten after 120 s", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK 122 s later", .wait = 122, BACK(F_SYN | F_ACK), STATE},
	}},
	{"a reset connection", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the RST+ACK", BACK(F_RST | F_ACK), FLOW("web")},
		{"what is under way", .wait = 8, BACK(F_ACK), FLOW("web")},
		{"12 s later it is gone", .wait = 12, BACK(F_ACK), DEFAULT},
	}},
	{"a RST out of window", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"a RST+ACK that acknowledges another SYN", BACK(F_RST | F_ACK), .ack_off = 1, FLOW("web")},
		{"a RST that acknowledges nothing", BACK(F_RST), FLOW("web")},
		{"the SYN+ACK, 60 s later", .wait = 60, BACK(F_SYN | F_ACK), FLOW("web")},
		{"the ACK", FORTH(F_ACK), FLOW("web")},
		{"a RST just beyond", BACK(F_RST), .seq_off = 1, FLOW("web")},
		{"a RST just before", BACK(F_RST), .seq_off = -1, FLOW("web")},
		{"a RST+ACK with the right acknowledgment at a wrong place", FORTH(F_RST | F_ACK), .seq_off = 1000,
		 FLOW("web")},
		{"a FIN of somebody who knows neither number", FORTH(F_FIN | F_ACK), .seq_off = 5000, .ack_off = 5000,
		 FLOW("web")},
		{"the connection lives, an hour later", .wait = 3600, BACK(F_ACK), FLOW("web")},
		{"a RST in window", BACK(F_RST), .ack_off = 1, FLOW("web")},
		{"8 s later", .wait = 8, FORTH(F_ACK), FLOW("web")},
		{"12 s later it is gone", .wait = 12, BACK(F_ACK), DEFAULT},
	}},
	{"a FIN that acknowledges something else", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"the ACK", FORTH(F_ACK), FLOW("web")},
		{"the FIN", FORTH(F_FIN | F_ACK), .ack_off = 5000, FLOW("web")},
		{"the connection lives", .wait = 3600, BACK(F_ACK), FLOW("web")},
	}},
	{"a FIN in another place", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"the ACK", FORTH(F_ACK), FLOW("web")},
		{"the FIN", FORTH(F_FIN | F_ACK), .seq_off = 5000, FLOW("web")},
		{"the connection lives", .wait = 3600, BACK(F_ACK), FLOW("web")},
	}},
	{"a RST among what is under way", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"data", .packet = {.dport = 80, .flags = F_ACK, .payload_len = 1000}, FLOW("web")},
		{"more data", .packet = {.dport = 80, .flags = F_ACK, .payload_len = 1000}, FLOW("web")},
		{"the first is acknowledged", BACK(F_ACK), .ack_off = -1000, FLOW("web")},
		{"a RST before that", FORTH(F_RST), .seq_off = -1001, FLOW("web")},
		{"a RST in between", FORTH(F_RST), .seq_off = -500, FLOW("web")},
		{"lives", .wait = 3600, BACK(F_ACK), .ack_off = -1000, FLOW("web")},
		{"a RST at what is acknowledged", FORTH(F_RST), .seq_off = -1000, FLOW("web")},
		{"is gone", .wait = 12, BACK(F_ACK), DEFAULT},
	}},
	{"at most 65,534 bytes under way are a window", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"the ACK", FORTH(F_ACK), FLOW("web")},
		{"a segment, after 100,000 bytes that were not seen", .packet = {.dport = 80, .flags = F_ACK,
		 .payload_len = 1000}, .seq_off = 100000, FLOW("web")},
		{"a RST 65,535 bytes back", FORTH(F_RST), .seq_off = 101000 - 65535, FLOW("web")},
		{"lives", .wait = 3600, BACK(F_ACK), FLOW("web")},
		{"a RST 65,534 bytes back", FORTH(F_RST), .seq_off = 101000 - 65534, FLOW("web")},
		{"is gone", .wait = 12, BACK(F_ACK), DEFAULT},
	}},
	{"an acknowledgment tells of what was not seen", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"the ACK", FORTH(F_ACK), FLOW("web")},
		{"of 3,000 bytes that came another way", BACK(F_ACK), .ack_off = 3000, FLOW("web")},
		{"a RST where they began", FORTH(F_RST), FLOW("web")},
		{"lives", .wait = 3600, BACK(F_ACK), .ack_off = 3000, FLOW("web")},
		{"a RST where they end", FORTH(F_RST), .seq_off = 3000, FLOW("web")},
		{"is gone", .wait = 12, BACK(F_ACK), DEFAULT},
	}},
	{"an ACK that acknowledges something else does not confirm", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"a forged ACK", FORTH(F_ACK), .ack_off = 1, FLOW("web")},
		{"still half-open", .wait = 62, BACK(F_ACK), DEFAULT},
	}},
	{"simultaneous open", 0, {
		{"the opener's SYN", SYN_, RULE("web")},
		{"the other's SYN is decided by policy", BACK(F_SYN), DEFAULT},
		{"the opener's SYN+ACK", FORTH(F_SYN | F_ACK), .seq_off = -1, FLOW("web")},
		{"the other's SYN+ACK", BACK(F_SYN | F_ACK), .seq_off = -1, FLOW("web")},
		{"data", .packet = {.dport = 80, .flags = F_ACK, .payload_len = 10}, FLOW("web")},
		{"an hour later", .wait = 3600, BACK(F_ACK), FLOW("web")},
	}},
	{"a connection to a port that is used again and again", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"the ACK", FORTH(F_ACK), FLOW("web")},
		{"the other side closes first", BACK(F_FIN | F_ACK), FLOW("web")},
		{"the FIN", FORTH(F_FIN | F_ACK), FLOW("web")},
		{"the same ends again, with other numbers", SYN_, .seq_off = 1 << 30, RULE("web")},
		{"its SYN+ACK", BACK(F_SYN | F_ACK), .seq_off = 1 << 29, .ack_off = (1 << 30) + 1, FLOW("web")},
		{"its ACK", FORTH(F_ACK), .seq_off = (1 << 30) + 1, .ack_off = (1 << 29) + 1, FLOW("web")},
		{"an hour later", .wait = 3600, BACK(F_ACK), .seq_off = (1 << 29) + 1, .ack_off = (1 << 30) + 1,
		 FLOW("web")},
	}},
	{"an old connection's ACK meets a new SYN", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the ACK of what went before", BACK(F_ACK), .seq_off = 7777, .ack_off = 1 << 20, FLOW("web")},
		{"the RST that it gets", FORTH(F_RST), .seq_off = 1 << 20, FLOW("web")},
		{"the SYN+ACK, later", .wait = 12, BACK(F_SYN | F_ACK), FLOW("web")},
	}},
	{"half-closed for hours", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"the ACK", FORTH(F_ACK), FLOW("web")},
		{"the opener has said all", FORTH(F_FIN | F_ACK), FLOW("web")},
		{"data back", .wait = 118, .back = true, .packet = {.sport = 80, .dport = 40000, .flags = F_ACK,
		 .payload_len = 100}, FLOW("web")},
		{"is acknowledged", .wait = 118, FORTH(F_ACK), FLOW("web")},
		{"too late", .wait = 122, BACK(F_ACK), DEFAULT},
	}},
	{"picked up mid-stream", 0, {
		{"an ACK by policy", FORTH(F_ACK), RULE("web")},
		{"the answer", BACK(F_ACK), FLOW("web")},
		{"and the answer to that", FORTH(F_ACK), FLOW("web")},
		{"an hour later", .wait = 3600, BACK(F_ACK), FLOW("web")},
	}},
	{"picked up, and the opener has not answered", 0, {
		{"an ACK by policy", FORTH(F_ACK), RULE("web")},
		{"the answer", BACK(F_ACK), FLOW("web")},
		{"another", .wait = 298, BACK(F_ACK), FLOW("web")},
		{"302 s later", .wait = 302, BACK(F_ACK), DEFAULT},
	}},
	{"picked up, and the answer acknowledges something else", 0, {
		{"an ACK by policy", FORTH(F_ACK), RULE("web")},
		{"what the other side makes of a forged one", BACK(F_ACK), .ack_off = -5, FLOW("web")},
		{"an ACK again", FORTH(F_ACK), FLOW("web")},
		{"302 s later", .wait = 302, BACK(F_ACK), DEFAULT},
	}},
	{"picked up by an ACK of what was never sent", 0, {
		{"an ACK by policy", FORTH(F_ACK), .ack_off = 5, RULE("web")},
		{"the answer", BACK(F_ACK), FLOW("web")},
		{"an ACK again", FORTH(F_ACK), .ack_off = 5, FLOW("web")},
		{"302 s later", .wait = 302, BACK(F_ACK), DEFAULT},
	}},
	{"a forged ACK before a connection is opened", 0, {
		{"an ACK by policy", FORTH(F_ACK), .seq_off = 1, .ack_off = 99, RULE("web")},
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"the ACK", FORTH(F_ACK), FLOW("web")},
		{"an hour later", .wait = 3600, BACK(F_ACK), FLOW("web")},
	}},
	{"who forges the opener and does not see the answer confirms nothing", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"an ACK of any number", FORTH(F_ACK), .ack_off = 123456, FLOW("web")},
		{"again", FORTH(F_ACK), .ack_off = 123456, FLOW("web")},
		{"still half-open", .wait = 62, BACK(F_ACK), DEFAULT},
	}},
	{"a forged SYN+ACK that acknowledges nothing", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"the forged one", BACK(F_SYN | F_ACK), .seq_off = 777, .ack_off = 777, FLOW("web")},
		{"the ACK", FORTH(F_ACK), FLOW("web")},
		{"an hour later", .wait = 3600, BACK(F_ACK), FLOW("web")},
	}},
	{"two SYN+ACKs with different numbers, of which the opener takes the first", 0, {
		{"the SYN", SYN_, RULE("web")},
		{"the first", BACK(F_SYN | F_ACK), FLOW("web")},
		{"the second", BACK(F_SYN | F_ACK), .seq_off = 1 << 20, FLOW("web")},
		{"the ACK of the first, with a question", .packet = {.dport = 80, .flags = F_ACK, .payload_len = 100},
		 FLOW("web")},
		{"the answer", .back = true, .packet = {.sport = 80, .dport = 40000, .flags = F_ACK, .payload_len = 500},
		 FLOW("web")},
		{"its ACK", FORTH(F_ACK), FLOW("web")},
		{"an hour later", .wait = 3600, BACK(F_ACK), FLOW("web")},
	}},
	{"a SYN said again with another number, and the other one answered", 0, {
		{"the SYN", SYN_, .seq_off = 5000, RULE("web")},
		{"another", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"the ACK", FORTH(F_ACK), FLOW("web")},
		{"an hour later", .wait = 3600, BACK(F_ACK), FLOW("web")},
	}},
	{"picked up and not answered", 0, {
		{"an ACK by policy", FORTH(F_ACK), RULE("web")},
		{"302 s later", .wait = 302, BACK(F_ACK), DEFAULT},
	}},
	{"a FIN or RST leaves no flow", 0, {
		{"a FIN by policy", FORTH(F_FIN | F_ACK), RULE("web")},
		{"no answer to it", BACK(F_ACK), DEFAULT},
		{"a RST by policy", FORTH(F_RST), RULE("web")},
		{"no answer to it either", BACK(F_ACK), DEFAULT},
	}},
	{"an answer without a question", 0, {
		{"SYN+ACK", BACK(F_SYN | F_ACK), STATE},
		{"ACK", BACK(F_ACK), DEFAULT},
		{"UDP", UDP_BACK, DEFAULT},
	}},
	{"failsafe needs no flow", 0, {
		{"its SYN", .packet = {.dport = 22}, .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
		{"its SYN+ACK", .back = true, .packet = {.sport = 22, .dport = 40000, .flags = F_SYN | F_ACK},
		 .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
		{"its ACK", .packet = {.dport = 22, .flags = F_ACK}, .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
	}},
	{"UDP, unconfirmed", 0, {
		{"the question", UDP_FORTH, RULE("names")},
		{"the answer", .wait = 28, UDP_BACK, FLOW("names")},
		{"another answer, too late", .wait = 32, UDP_BACK, DEFAULT},
	}},
	{"UDP, confirmed", 0, {
		{"the question", UDP_FORTH, RULE("names")},
		{"the answer", UDP_BACK, FLOW("names")},
		{"the opener again", UDP_FORTH, FLOW("names")},
		{"118 s later", .wait = 118, UDP_BACK, FLOW("names")},
		{"122 s later", .wait = 122, UDP_BACK, DEFAULT},
		{"the next question", UDP_FORTH, RULE("names")},
	}},
	{"UDP, answered", 0, {
		{"the question", UDP_FORTH, RULE("names")},
		{"the answer", UDP_BACK, FLOW("names")},
		{"another answer", .wait = 28, UDP_BACK, FLOW("names")},
		{"another answer, too late", .wait = 32, UDP_BACK, DEFAULT},
	}},
	{"SCTP, unanswered", 0, {
		{"the first packet", SCTP_FORTH, RULE("web")},
		{"the answer", .wait = 58, SCTP_BACK, FLOW("web")},
		{"another answer", .wait = 58, SCTP_BACK, FLOW("web")},
		{"another answer, too late", .wait = 62, SCTP_BACK, DEFAULT},
		{"the first packet again", SCTP_FORTH, RULE("web")},
		{"its answer, too late", .wait = 62, SCTP_BACK, DEFAULT},
	}},
	{"SCTP", 0, {
		{"the first packet", SCTP_FORTH, RULE("web")},
		{"the answer", SCTP_BACK, FLOW("web")},
		{"the opener again", SCTP_FORTH, FLOW("web")},
		{"208 s later", .wait = 208, SCTP_BACK, FLOW("web")},
		{"212 s later", .wait = 212, SCTP_BACK, DEFAULT},
	}},
	{"a protocol without ports", 0, {
		{"GRE by its rule", .packet = {.protocol = P_GRE}, RULE("tunnels")},
		{"GRE back", .back = true, .packet = {.protocol = P_GRE}, FLOW("tunnels")},
		{"ESP back does not share its flow", .back = true, .packet = {.protocol = P_ESP}, DEFAULT},
		{"GRE back, 598 s later", .wait = 598, .back = true, .packet = {.protocol = P_GRE},
		 FLOW("tunnels")},
		{"GRE back, 602 s later", .wait = 602, .back = true, .packet = {.protocol = P_GRE}, DEFAULT},
	}},
	{"ping", 4, {
		{"the request", ECHO4(8, 7), RULE("ping")},
		{"the reply", .back = true, ECHO4(0, 7), FLOW("ping")},
		{"a request the other way with the same id is new", .back = true, ECHO4(8, 7), DEFAULT},
		{"a reply with another id", .back = true, ECHO4(0, 8), DEFAULT},
		{"a reply the same way", ECHO4(0, 7), DEFAULT},
		{"another type with the same id", .back = true, ECHO4(13, 7), DEFAULT},
		{"the next request", ECHO4(8, 7), FLOW("ping")},
		{"a reply 28 s later", .wait = 28, .back = true, ECHO4(0, 7), FLOW("ping")},
		{"a reply 32 s later", .wait = 32, .back = true, ECHO4(0, 7), DEFAULT},
	}},
	{"ping in IPv6", 6, {
		{"the request", ECHO6(128, 7), RULE("ping")},
		{"the reply", .back = true, ECHO6(129, 7), FLOW("ping")},
		{"a request the other way with the same id is new", .back = true, ECHO6(128, 7), DEFAULT},
		{"a reply with another id", .back = true, ECHO6(129, 8), DEFAULT},
		{"a forwarded neighbour solicitation is no reply", .back = true, ECHO6(135, 7), DEFAULT},
	}},
	{"ICMP errors of a flow", 4, {
		{"the SYN", SYN_, RULE("web")},
		{"fragmentation needed, to the sender of what it quotes", .packet = {UNREACHABLE},
		 .quoted = &answer, RELATED("web")},
		{"the same back, quoting the opener", .back = true, .packet = {UNREACHABLE}, .quoted = &question,
		 .quoted_forth = true, RELATED("web")},
		{"time exceeded", .packet = {.protocol = P_ICMP, .type = 11}, .quoted = &answer, RELATED("web")},
		{"a parameter problem", .packet = {.protocol = P_ICMP, .type = 12}, .quoted = &answer,
		 RELATED("web")},
		{"a source quench is none of them", .packet = {.protocol = P_ICMP, .type = 4}, .quoted = &answer,
		 DEFAULT},
		{"an error for somebody else's packet", .packet = {UNREACHABLE}, .quoted = &question,
		 .quoted_forth = true, DEFAULT},
		{"an error that quotes no flow", .packet = {UNREACHABLE}, .quoted = &other_answer, DEFAULT},
		{"an error that quotes seven bytes", .packet = {UNREACHABLE}, .quoted = &short_answer, DEFAULT},
		{"an error that quotes eight bytes", .packet = {UNREACHABLE}, .quoted = &least_answer,
		 RELATED("web")},
		{"an error that quotes a later fragment", .packet = {UNREACHABLE}, .quoted = &answer_fragment,
		 DEFAULT},
		{"an error that quotes a first fragment", .packet = {UNREACHABLE}, .quoted = &first_fragment,
		 RELATED("web")},
		{"an error that quotes another version of IP", .packet = {UNREACHABLE}, .quoted = &other_version,
		 DEFAULT},
		{"an error that quotes nothing", .packet = {UNREACHABLE}, DEFAULT},
		{"an error in fragments", .packet = {UNREACHABLE, .more = true}, .quoted = &answer, RELATED("web")},
		{"an error leaves the flow as it is", BACK(F_SYN | F_ACK), FLOW("web")},
	}},
	{"an ICMP error that quotes a header of 16 bytes, so that the flow's ports stand in its address", 4, {
		{"the SYN", .packet = {.from = "10.1.255.250", .to = "10.2.0.80", .sport = 2562, .dport = 80}, RULE("web")},
		{"the error", .packet = {.from = "10.2.0.80", .to = "10.1.255.250", UNREACHABLE}, .quoted = &short_ihl,
		 DEFAULT},
	}},
	{"ICMP errors of a ping", 4, {
		{"the request", ECHO4(8, 7), RULE("ping")},
		{"an error to the other side about its reply", .packet = {UNREACHABLE}, .quoted = &echo_reply,
		 RELATED("ping")},
		{"an error about an error", .packet = {UNREACHABLE}, .quoted = &quoted_error, DEFAULT},
	}},
	{"a ping without an identifier", 4, {
		{"the request", ECHO4(8, 0), RULE("ping")},
		{"an error about a timestamp is no error of the ping", .packet = {UNREACHABLE},
		 .quoted = &nameless_timestamp, DEFAULT},
		{"the reply", .back = true, ECHO4(0, 0), FLOW("ping")},
	}},
	{"ICMPv6 errors of a flow", 6, {
		{"the SYN", SYN_, RULE("web")},
		{"packet too big", .packet = {.protocol = P_ICMPV6, .type = 2}, .quoted = &answer, RELATED("web")},
		{"unreachable, back", .back = true, .packet = {.protocol = P_ICMPV6, .type = 1},
		 .quoted = &question, .quoted_forth = true, RELATED("web")},
		{"time exceeded", .packet = {.protocol = P_ICMPV6, .type = 3}, .quoted = &answer, RELATED("web")},
		{"a parameter problem", .packet = {.protocol = P_ICMPV6, .type = 4}, .quoted = &answer,
		 RELATED("web")},
		{"type 0 is none of them", .packet = {.protocol = P_ICMPV6, .type = 0}, .quoted = &answer, DEFAULT},
		{"type 5 is none of them", .packet = {.protocol = P_ICMPV6, .type = 5}, .quoted = &answer, DEFAULT},
		{"an error that quotes no flow", .packet = {.protocol = P_ICMPV6, .type = 2},
		 .quoted = &other_answer, DEFAULT},
	}},
	{"an ICMPv6 error in fragments that quotes a fragment is remembered by its own header", 6, {
		{"the SYN", SYN_, RULE("web")},
		{"the error's first fragment", .packet = {.protocol = P_ICMPV6, .type = 2, .more = true, .id = 0x77},
		 .quoted = &quoted_first, RELATED("web")},
		{"a later one of the error", .packet = {.protocol = P_ICMPV6, .type = 2, .fragment = true, .offset = 800,
		 .id = 0x77, .payload_len = 16}, PART("web")},
		{"a later one of what it quotes", .packet = {.dport = 80, .fragment = true, .offset = 800, .id = 0x99,
		 .payload_len = 16}, NO_PART},
	}},
	{"and does not write over what is known of the fragment that it quotes", 6, {
		{"the SYN", SYN_, RULE("web")},
		{"the SYN+ACK", BACK(F_SYN | F_ACK), FLOW("web")},
		{"a first fragment", .packet = {.dport = 80, .flags = F_ACK, .more = true, .id = 0x99, .payload_len = 4},
		 FLOW("web")},
		{"the error", .packet = {.protocol = P_ICMPV6, .type = 2, .more = true, .id = 0x77},
		 .quoted = &quoted_short_first, RELATED("web")},
		{"a later fragment into the TCP header", .packet = {.dport = 80, .fragment = true, .offset = 8, .id = 0x99,
		 .payload_len = 16}, NO_PART},
	}},
	{"a datagram in fragments", 0, {
		{"the first", FIRST(7, 53), RULE("names")},
		{"a later one", LATER(7, 24, 16), PART("names")},
		{"it again, 28 s later", .wait = 28, LATER(7, 24, 16), PART("names")},
		{"of another datagram", LATER(8, 24, 16), NO_PART},
		{"from another host", LATER(7, 24, 16, .from = "another red"), NO_PART},
		{"to another host", LATER(7, 24, 16, .to = "another blue"), NO_PART},
		{"the other way", .back = true, LATER(7, 24, 16), NO_PART},
		{"of another protocol", .packet = {.dport = 80, .fragment = true, .offset = 24, .id = 7, .payload_len = 16},
		 NO_PART},
		{"right behind the UDP header", LATER(7, 8, 16), PART("names")},
		{"17 bytes, though more follow", LATER(7, 24, 17, .more = true), NO_PART},
		{"17 bytes at the end", LATER(7, 24, 17), PART("names")},
		{"to byte 65,535", LATER(7, 65528, 7), PART("names")},
		{"to byte 65,536", LATER(7, 65528, 8), NO_PART},
		{"a later one after 32 s", .wait = 4, LATER(7, 24, 16), NO_PART},
	}},
	{"a datagram in fragments whose first is denied after it was allowed", 0, {
		{"the first", FIRST(7, 53), RULE("names")},
		{"a later one", LATER(7, 24, 16), PART("names")},
		{"another first, to a port that is closed", FIRST(7, 54), DEFAULT},
		{"a later one now", LATER(7, 24, 16), NO_PART},
	}},
	{"fragments of IPv6 are told apart by all of the identification", 6, {
		{"the first", FIRST(0x10007, 53), RULE("names")},
		{"a later one", LATER(0x10007, 24, 16), PART("names")},
		{"one that differs in the upper half", LATER(0x20007, 24, 16), NO_PART},
	}},
	{"a datagram with identification 0 in fragments", 0, {
		{"the first", FIRST(0, 53), RULE("names")},
		{"a later one", LATER(0, 24, 16), PART("names")},
		{"the other way", .back = true, LATER(0, 24, 16), NO_PART},
	}},
	{"fragments before their first, and without it", 0, {
		{"a later one", LATER(7, 24, 16), NO_PART},
		{"a first that ends in the UDP header", .packet = {.protocol = P_UDP, .dport = 53, .more = true, .id = 7,
		 .ip_cut = 1}, NO_PART},
		{"a later one still", LATER(7, 24, 16), NO_PART},
	}},
	{"TLS", 0, {
		OPENED(443, "tls"),
		{"the ClientHello", TO(443, F_ACK, HELLO), FLOW("tls")},
		{"what follows", TO(443, F_ACK, HTTP), FLOW("tls")},
		{"the answer", FROM(443, F_ACK, HTTP), FLOW("tls")},
		{"the ClientHello again", TO(443, F_ACK, HELLO), .seq_off = -36, FLOW("tls")},
		{"an hour later", .wait = 3600, FROM(443, F_ACK), FLOW("tls")},
		{"the FIN", TO(443, F_FIN | F_ACK), FLOW("tls")},
		{"the FIN back", FROM(443, F_FIN | F_ACK), FLOW("tls")},
		{"the same ends again", TO(443, F_SYN), .seq_off = 1 << 20, RULE("tls")},
		{"are asked again", TO(443, F_ACK, HTTP), .seq_off = (1 << 20) + 1, PLAINTEXT("tls")},
	}},
	{"plaintext instead", 0, {
		OPENED(443, "tls"),
		{"a request", TO(443, F_ACK | F_PSH, HTTP), PLAINTEXT("tls")},
		{"it again", TO(443, F_ACK | F_PSH, HTTP), .seq_off = -16, PLAINTEXT("tls")},
		{"a ClientHello, too late", TO(443, F_ACK, HELLO), .seq_off = -16, PLAINTEXT("tls")},
		{"payload back", FROM(443, F_ACK, HTTP), PLAINTEXT("tls")},
		{"an ACK", FROM(443, F_ACK), .seq_off = -16, .ack_off = -16, FLOW("tls")},
		{"an hour later still", .wait = 3600, TO(443, F_ACK, HELLO), .seq_off = -16, PLAINTEXT("tls")},
		{"the RST", TO(443, F_RST), .seq_off = -16, FLOW("tls")},
		{"the same ends again", TO(443, F_SYN), .seq_off = 1 << 20, RULE("tls")},
		{"with a ClientHello", TO(443, F_ACK, HELLO), .seq_off = (1 << 20) + 1, FLOW("tls")},
	}},
	{"who listens speaks first", 0, {
		OPENED(443, "tls"),
		{"a banner", FROM(443, F_ACK, BYTES("220 mail\r\n")), PLAINTEXT("tls")},
		{"a ClientHello", TO(443, F_ACK, HELLO), .ack_off = -10, FLOW("tls")},
		{"the banner again", FROM(443, F_ACK, BYTES("220 mail\r\n")), .seq_off = -10, FLOW("tls")},
	}},
	{"who listens begins with TLS", 0, {
		OPENED(443, "tls"),
		{"a ClientHello", FROM(443, F_ACK, HELLO), PLAINTEXT("tls")},
		{"one with the number of the opener's first byte", FROM(443, F_ACK, HELLO), .seq_off = -(5021 + 255), PLAINTEXT("tls")},
		{"the opener's", TO(443, F_ACK, HELLO), .ack_off = -20, FLOW("tls")},
	}},
	{"what a ClientHello begins with", 0, {
		OPENED(443, "tls"),
		{"the least of it", TO(443, F_ACK, SHORTEST_HELLO), FLOW("tls")},
	}},
	{"ten bytes of it", 0, {
		OPENED(443, "tls"),
		{"are too few", TO(443, F_ACK, BYTES(HELLO_AT "\x03")), PLAINTEXT("tls")},
		{"and the whole is too late", TO(443, F_ACK, HELLO), .seq_off = -10, PLAINTEXT("tls")},
	}},
	{"a record of data", 0, {OPENED(443, "tls"), {"", TO(443, F_ACK, BYTES("\x17" "\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")), PLAINTEXT("tls")}}},
	{"a record of another version", 0, {OPENED(443, "tls"), {"", TO(443, F_ACK, BYTES("\x16\x02\x01\x02\x00\x01\x00\x01\xfc\x03\x03")), PLAINTEXT("tls")}}},
	{"a ServerHello", 0, {OPENED(443, "tls"), {"", TO(443, F_ACK, BYTES("\x16\x03\x01\x02\x00\x02\x00\x01\xfc\x03\x03")), PLAINTEXT("tls")}}},
	{"TLS 1.1 where any will do", 0, {OPENED(443, "tls"), {"", TO(443, F_ACK, OLD_HELLO), FLOW("tls")}}},
	{"TLS 1.1 where 1.2 must be", 0, {OPENED(8443, "modern"), {"", TO(8443, F_ACK, OLD_HELLO), PLAINTEXT("modern")}}},
	{"SSL 2.3", 0, {OPENED(8443, "modern"), {"", TO(8443, F_ACK, BYTES(HELLO_AT "\x02\xff")), PLAINTEXT("modern")}}},
	{"a TLS to come", 0, {OPENED(8443, "modern"), {"", TO(8443, F_ACK, BYTES(HELLO_AT "\x04\x00")), FLOW("modern")}}},
	{"TLS 1.2 where it must be", 0, {
		OPENED(8443, "modern"),
		{"the ClientHello", TO(8443, F_ACK, HELLO), FLOW("modern")},
		{"what follows", FROM(8443, F_ACK, HTTP), FLOW("modern")},
	}},
	{"segments out of order", 0, {
		OPENED(443, "tls"),
		{"the second", TO(443, F_ACK, HTTP), .seq_off = 20, PLAINTEXT("tls")},
		{"an ACK from behind it", TO(443, F_ACK), .seq_off = 36, FLOW("tls")},
		{"the first", TO(443, F_ACK, HELLO), FLOW("tls")},
		{"the second again", TO(443, F_ACK, HTTP), FLOW("tls")},
	}},
	{"the first byte is where the opener began", 0, {
		OPENED(443, "tls"),
		{"an ACK far ahead", TO(443, F_ACK), .seq_off = 70000, FLOW("tls")},
		{"and a ClientHello there", TO(443, F_ACK, HELLO), .seq_off = 70000, PLAINTEXT("tls")},
		{"one byte further", TO(443, F_ACK, HELLO), .seq_off = 1, PLAINTEXT("tls")},
		{"a byte before it, as to keep the connection alive", TO(443, F_ACK, BYTES("\x16")), .seq_off = -1,
		 PLAINTEXT("tls")},
		{"an acknowledgment of what was not sent", FROM(443, F_ACK), .ack_off = 100, FLOW("tls")},
		{"and a ClientHello from there", TO(443, F_ACK, HELLO), .seq_off = 100, PLAINTEXT("tls")},
		{"the ClientHello", TO(443, F_ACK, HELLO), FLOW("tls")},
	}},
	{"a segment that begins before the first byte", 0, {
		OPENED(443, "tls"),
		{"and looks like a ClientHello", TO(443, F_ACK, HELLO), .seq_off = -1, PLAINTEXT("tls")},
		{"the ClientHello", TO(443, F_ACK, HELLO), PLAINTEXT("tls")},
	}},
	{"payload in the SYN", 0, {
		{"a ClientHello", TO(443, F_SYN, HELLO), RULE("tls")},
		{"the SYN+ACK, with payload", FROM(443, F_SYN | F_ACK, HTTP), FLOW("tls")},
		{"what follows", TO(443, F_ACK, HTTP), FLOW("tls")},
	}},
	{"plaintext in the SYN", 0, {
		{"is dropped", TO(443, F_SYN, HTTP), PLAINTEXT("tls")},
		{"and leaves no flow", FROM(443, F_SYN | F_ACK), STATE},
		{"the SYN without it", TO(443, F_SYN), .seq_off = -17, RULE("tls")},
		{"the SYN+ACK", FROM(443, F_SYN | F_ACK), .seq_off = -1, .ack_off = -16, FLOW("tls")},
		{"a ClientHello", TO(443, F_ACK, HELLO), .seq_off = -16, FLOW("tls")},
	}},
	{"TLS 1.1 in the SYN", 0, {
		{"where any will do", TO(443, F_SYN, OLD_HELLO), RULE("tls")},
		{"where 1.2 must be", TO(8443, F_SYN, OLD_HELLO), PLAINTEXT("modern")},
	}},
	{"ten bytes in the SYN", 0, {{"", TO(443, F_SYN, BYTES(HELLO_AT "\x03")), PLAINTEXT("tls")}}},
	{"a SYN said again with payload", 0, {
		{"the SYN", TO(443, F_SYN), RULE("tls")},
		{"with a ClientHello", TO(443, F_SYN, HELLO), .seq_off = -1, RULE("tls")},
		{"what follows", TO(443, F_ACK, HTTP), .seq_off = 20, FLOW("tls")},
		{"the SYN with something else", TO(443, F_SYN, HTTP), .seq_off = -1, RULE("tls")},
	}},
	{"a SYN said again with plaintext", 0, {
		{"the SYN", TO(443, F_SYN), RULE("tls")},
		{"with a request", TO(443, F_SYN, HTTP), .seq_off = -1, PLAINTEXT("tls")},
		{"a ClientHello, too late", TO(443, F_ACK, HELLO), PLAINTEXT("tls")},
	}},
	{"a SYN said again with another number", 0, {
		{"one", TO(443, F_SYN), .seq_off = 5000, RULE("tls")},
		{"another", TO(443, F_SYN), RULE("tls")},
		{"a ClientHello at number 0", TO(443, F_ACK, HELLO), .seq_off = 255, PLAINTEXT("tls")},
		{"and one where the second said, while nobody knows which one counts", TO(443, F_ACK, HELLO), PLAINTEXT("tls")},
		{"the SYN+ACK", FROM(443, F_SYN | F_ACK), .ack_off = -20, FLOW("tls")},
		{"the ClientHello", TO(443, F_ACK, HELLO), .seq_off = -20, FLOW("tls")},
	}},
	{"a SYN of somebody else in the middle of the handshake", 0, {
		OPENED(443, "tls"),
		{"the SYN", TO(443, F_SYN), .seq_off = 5000, RULE("tls")},
		{"the ClientHello", TO(443, F_ACK, HELLO), FLOW("tls")},
	}},
	{"a SYN of somebody else before the handshake's end", 0, {
		{"the SYN", TO(443, F_SYN), RULE("tls")},
		{"the SYN+ACK", FROM(443, F_SYN | F_ACK), FLOW("tls")},
		{"the other SYN", TO(443, F_SYN), .seq_off = 5000, RULE("tls")},
		{"an ACK of its sender", TO(443, F_ACK), .seq_off = 5001, .ack_off = 77, FLOW("tls")},
		{"a ClientHello of its sender", TO(443, F_ACK, HELLO), .seq_off = 5001, PLAINTEXT("tls")},
		{"what is said to the other SYN", FROM(443, F_ACK), FLOW("tls")},
		{"the ClientHello", TO(443, F_ACK, HELLO), FLOW("tls")},
	}},
	{"a SYN with payload from the other side", 0, {
		{"the SYN", TO(443, F_SYN, .sport = 40009), RULE("tls")},
		{"the other's, with a ClientHello", .back = true, .packet = {.sport = 443, .dport = 40009, .flags = F_SYN, HELLO},
		 PLAINTEXT("back")},
		{"the other's, without", .back = true, .packet = {.sport = 443, .dport = 40009, .flags = F_SYN}, .seq_off = -21,
		 RULE("back")},
	}},
	{"a connection without a word", 0, {
		OPENED(443, "tls"),
		{"the FIN", TO(443, F_FIN | F_ACK), FLOW("tls")},
		{"payload behind it", TO(443, F_ACK, HELLO), PLAINTEXT("tls")},
		{"the FIN back", FROM(443, F_FIN | F_ACK), .ack_off = -20, FLOW("tls")},
		{"the last ACK", TO(443, F_ACK), .seq_off = -20, FLOW("tls")},
		{"the same ends again", TO(443, F_SYN), .seq_off = 1 << 20, RULE("tls")},
		{"the ClientHello", TO(443, F_ACK, HELLO), .seq_off = (1 << 20) + 1, FLOW("tls")},
	}},
	{"the listener closes first", 0, {
		OPENED(443, "tls"),
		{"its FIN", FROM(443, F_FIN | F_ACK), FLOW("tls")},
		{"the ClientHello", TO(443, F_ACK, HELLO), FLOW("tls")},
		{"the FIN", TO(443, F_FIN | F_ACK), FLOW("tls")},
		{"a new SYN", TO(443, F_SYN), RULE("tls")},
	}},
	{"a FIN with plaintext", 0, {
		OPENED(443, "tls"),
		{"", TO(443, F_FIN | F_ACK, HTTP), PLAINTEXT("tls")},
		{"ends nothing", .wait = 3600, FROM(443, F_ACK), .ack_off = -17, FLOW("tls")},
	}},
	{"mid-stream", 0, {
		{"an ACK", TO(443, F_ACK), STATE},
		{"a ClientHello", TO(443, F_ACK, HELLO), STATE},
		{"a FIN", TO(443, F_FIN | F_ACK), STATE},
		{"a RST", TO(443, F_RST), STATE},
		{"the SYN", TO(443, F_SYN), RULE("tls")},
	}},
	{"plaintext to failsafe's port", 0, {
		{"the SYN", TO(23, F_SYN), RULE("tls")},
		{"the SYN+ACK", FROM(23, F_SYN | F_ACK), FLOW("tls")},
		{"payload", TO(23, F_ACK, HTTP), .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
		{"payload back", FROM(23, F_ACK, HTTP), .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
		{"an ACK", TO(23, F_ACK), FLOW("tls")},
		{"plaintext in another SYN", TO(23, F_SYN, HTTP, .sport = 40001), .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
		{"mid-stream", TO(23, F_ACK, .sport = 40002), .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
	}},
	{"a first segment in fragments", 0, {
		OPENED(443, "tls"),
		{"the first", TO(443, F_ACK, .more = true, .id = 7, BYTES(HELLO_AT "\x03\x03 so on")), FLOW("tls")},
		{"a later one", TO(443, F_ACK, .fragment = true, .offset = 32, .id = 7, .payload_len = 16), PART("tls")},
		{"one that writes over what was read", TO(443, F_ACK, .fragment = true, .offset = 24, .id = 7, .payload_len = 16),
		 NO_PART},
	}},
	{"plaintext in fragments", 0, {
		OPENED(443, "tls"),
		{"a first one that ends with its header", TO(443, F_ACK, .more = true, .id = 7), PLAINTEXT("tls")},
		{"the payload", TO(443, F_ACK, .fragment = true, .offset = 24, .id = 7, BYTES("GET / HTTP/1.1\r\n")), NO_PART},
		{"the ClientHello", TO(443, F_ACK, HELLO), .seq_off = -16, FLOW("tls")},
	}},
	{"an ICMP error of a connection that waits", 4, {
		OPENED(443, "tls"),
		{"fragmentation needed", .packet = {UNREACHABLE}, .quoted = &tls_answer, RELATED("tls")},
	}},
};

static struct scene scene;
static double now = 1000;
static unsigned host; /* so that conversations do not meet */

static void set_ends(struct packet_spec *spec, int family, bool back, char text[2][48])
{
	snprintf(text[0], 48, family == 4 ? "10.1.%u.%u" : "fd00:1::%x:%x", host >> 8, host & 255);
	snprintf(text[1], 48, family == 4 ? "10.2.%u.%u" : "fd00:2::%x:%x", host >> 8, host & 255);
	if (!spec->from)
		spec->from = text[back];
	else if (!strcmp(spec->from, "another red"))
		spec->from = family == 4 ? "10.1.255.254" : "fd00:1::ffff:ffff";
	if (!spec->to)
		spec->to = text[!back];
	else if (!strcmp(spec->to, "another blue"))
		spec->to = family == 4 ? "10.2.255.254" : "fd00:2::ffff:ffff";
}

/* What each side of the conversation sends next. */
static uint32_t next[2];

static void number(const struct step *step, struct packet_spec *spec)
{
	spec->seq = next[step->back] + step->seq_off;
	spec->ack = next[!step->back] + step->ack_off;
	if (!step->seq_off)
		next[step->back] += spec->payload_len + (!spec->flags || spec->flags & F_SYN) + !!(spec->flags & F_FIN);
}

static void build(const struct step *step, int family, struct packet *ret_packet)
{
	struct packet_spec spec = step->packet, quoted_spec;
	struct packet quoted;
	char text[2][48];

	set_ends(&spec, family, step->back, text);
	if (!spec.protocol)
		number(step, &spec);
	if (step->quoted) {
		quoted_spec = *step->quoted;
		set_ends(&quoted_spec, family, !step->quoted_forth, text);
		packet_build(&quoted_spec, &quoted);
		spec.payload = quoted.data + quoted.l3;
		spec.payload_len = quoted.len - quoted.l3;
	}
	packet_build(&spec, ret_packet);
}

static void run(const struct conversation *conversation, int family, enum zw_hook hook)
{
	bool good = true;

	host++;
	next[0] = 0xffffff00; /* near the wrap */
	next[1] = 5000;
	for (const struct step *step = conversation->steps; step < conversation->steps + STEPS && step->what; step++) {
		struct scene_frame frame = {.hook = hook, .mac = {2, 0, 0, 0, 0, 10}};
		char text[SCENE_TEXT], hex[2 * PACKET_MAX + 1];
		struct oracle_answer answer;
		struct packet packet;

		now += step->wait;
		build(step, family, &packet);
		frame.data = packet.data;
		frame.len = packet.len;
		frame.time = now;
		if (scene_agrees(&scene, &frame, &answer, text) && answer.reason == step->reason &&
		    !strcmp(answer.rule ? answer.rule : "", step->rule ? step->rule : ""))
			continue;
		good = false;
		packet_print_hex(packet.data, packet.len, hex);
		note("%s: %s", step->what, text);
		note("wanted %s(%d) rule=%s; frame %s", reason_name(step->reason), step->reason, step->rule ? step->rule : "-", hex);
	}
	ok(good, "%s (IPv%d, %s)", conversation->what, family, scene_hook_name(hook));
}

int main(void)
{
	const struct scene_options options = {.stateful = true, .kernel = scene_asks_kernel()};

	if (scene_open(policy, &options, &scene)) {
		ok(false, "the policy loads");
		return done();
	}
	for (size_t i = 0; i < sizeof(conversations) / sizeof(conversations[0]); i++)
		for (int family = 4; family <= 6; family += 2)
			for (int hook = 0; hook < ZW_HOOKS; hook++)
				if (!conversations[i].family || conversations[i].family == family)
					run(&conversations[i], family, hook);
	scene_close(&scene);
	return done();
}
