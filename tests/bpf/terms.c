/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules that end, and rules that are staged (design section 4): packets at their instants, the flows that end with them or
 * go on, and what staged rules count. Each story runs in both families, on XDP, TC ingress and TC egress, through the
 * programs, the tables and the oracle.
 */
#include <string.h>

#include "scene.h"
#include "test.h"

#define UNTIL_1500 "until: 1970-01-01T00:25:00Z"
#define UNTIL_2000 "until: 1970-01-01T00:33:20Z"
#define UNTIL_2500 "until: 1970-01-01T00:41:40Z"
#define PING "icmp/echo-request, icmpv6/echo-request"

static const char policy[] =
	"version: 1\n"
	"defaults: {action: drop}\n"
	"tiers: [early, late]\n"
	"zones:\n"
	"  red: [10.1.0.0/16, \"fd00:1::/64\"]\n"
	"  blue: [10.2.0.0/16, \"fd00:2::/64\"]\n"
	"failsafe: [{id: rescue, from: red, to: blue, service: [tcp/22, udp/22, tcp/23]}]\n"
	"rules:\n"
	"  - {id: guest, from: red, to: blue, service: [tcp/80, udp/53, udp/22, proto/47, " PING "], action: allow, " UNTIL_2000 "}\n"
	"  - {id: names, from: red, to: blue, service: udp/53, action: allow}\n"
	"  - {id: closed, from: red, to: blue, service: tcp/81, action: drop, " UNTIL_2000 "}\n"
	"  - {id: opened, from: red, to: blue, service: tcp/81, action: allow}\n"
	"  - {id: first, from: red, to: blue, service: tcp/82, action: allow, " UNTIL_1500 "}\n"
	"  - {id: second, from: red, to: blue, service: tcp/82, action: allow, " UNTIL_2500 "}\n"
	"  - {id: never, from: red, to: blue, service: tcp/82, action: drop, " UNTIL_2000 "}\n"
	"  - {id: passing, tier: early, from: red, to: blue, service: tcp/83, action: pass, " UNTIL_2000 "}\n"
	"  - {id: shut, tier: early, from: red, to: blue, service: tcp/83, action: drop}\n"
	"  - {id: reached, from: red, to: blue, service: tcp/83, action: allow}\n"
	"  - {id: try-open, from: red, to: blue, service: [tcp/90, udp/90], action: allow, mode: stage}\n"
	"  - {id: try-shut, from: red, to: blue, service: [tcp/91, udp/91, tcp/22, tcp/23], action: drop, mode: stage}\n"
	"  - {id: try-same, from: red, to: blue, service: udp/92, action: allow, mode: stage}\n"
	"  - {id: allowed, from: red, to: blue, service: [tcp/91, udp/91, udp/92, tcp/94, udp/95, tcp/23], action: allow}\n"
	"  - {id: try-late, from: red, to: blue, service: tcp/94, action: drop, mode: stage}\n"
	"  - {id: try-pass, tier: early, from: red, to: blue, service: udp/95, action: pass, mode: stage}\n"
	"  - {id: denied, tier: early, from: red, to: blue, service: udp/95, action: drop}\n"
	"  - {id: try-while, from: red, to: blue, service: tcp/96, action: allow, mode: stage, " UNTIL_2000 "}\n"
	"  - {id: while-open, from: red, to: blue, service: tcp/97, action: allow, " UNTIL_2000 "}\n"
	"  - {id: try-then, from: red, to: blue, service: tcp/97, action: drop, mode: stage}\n";

struct step {
	double at; /* Unix seconds; 0: the story ends */
	bool back; /* from blue to red */
	struct packet_spec packet; /* without ends */
	bool quotes; /* an ICMP error about the SYN to port 80 */
	enum zw_reason reason;
	const char *rule;
	const char *staged; /* "+id": the staged rule would have allowed it; "-id" */
};

#define STEPS 12
struct story {
	const char *what;
	struct step steps[STEPS];
};

#define SYN(port) .packet = {.dport = port, .seq = 999}
#define SYN_ACK(port) .back = true, .packet = {.sport = port, .dport = 40000, .flags = F_SYN | F_ACK, .seq = 4999, .ack = 1000}
#define FORTH(port) .packet = {.dport = port, .flags = F_ACK, .seq = 1000, .ack = 5000}
#define BACK(port) .back = true, .packet = {.sport = port, .dport = 40000, .flags = F_ACK, .seq = 5000, .ack = 1000}
#define UDP(port) .packet = {.protocol = P_UDP, .dport = port}
#define UDP_BACK(port) .back = true, .packet = {.protocol = P_UDP, .sport = port, .dport = 40000}
#define FIRST(port) .packet = {.protocol = P_UDP, .dport = port, .more = true, .id = 9, .payload_len = 16}
#define LATER .packet = {.protocol = P_UDP, .fragment = true, .offset = 24, .id = 9, .payload_len = 16}
#define ERROR .back = true, .quotes = true
#define RULE(id) .reason = ZW_ALLOW_RULE, .rule = id
#define FLOW(id) .reason = ZW_ALLOW_FLOW, .rule = id
#define DROP(id) .reason = ZW_DROP_RULE, .rule = id
#define REVOKED(id) .reason = ZW_DROP_REVOKED, .rule = id
#define DEFAULT .reason = ZW_DROP_DEFAULT

static const struct story stories[] = {
	{"a rule ends at its instant", {
		{1, SYN(80), RULE("guest")}, {1999, SYN(80), RULE("guest")}, {1999.999, SYN(80), RULE("guest")},
		{2000, SYN(80), DEFAULT}, {1e9, SYN(80), DEFAULT},
	}},
	{"and lives again if the clock is set back", {{2000, SYN(80), DEFAULT}, {1999, SYN(80), RULE("guest")}}},
	{"its connections end with it, either way, and are not removed", {
		{1900, SYN(80), RULE("guest")}, {1901, SYN_ACK(80), FLOW("guest")}, {1902, FORTH(80), FLOW("guest")},
		{1999.5, BACK(80), FLOW("guest")}, {2000, BACK(80), REVOKED("guest")}, {2001, FORTH(80), REVOKED("guest")},
		{1999, BACK(80), FLOW("guest")}, {1999, FORTH(80), FLOW("guest")},
	}},
	{"its connections of UDP too, unless what follows allows them", {
		{1990, UDP(53), RULE("guest")}, {1991, UDP_BACK(53), FLOW("guest")}, {2000, UDP_BACK(53), FLOW("names")},
		{2001, UDP(53), FLOW("names")}, {1999, UDP(53), FLOW("names")}, {2020, UDP_BACK(53), FLOW("names")},
	}},
	{"failsafe lets pass what has ended", {
		{1990, UDP(22), RULE("guest")}, {2000, UDP(22), .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
		{2001, UDP_BACK(22), .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
	}},
	{"a protocol without ports", {
		{1990, .packet = {.protocol = P_GRE}, RULE("guest")}, {1999, .back = true, .packet = {.protocol = P_GRE}, FLOW("guest")},
		{2000, .back = true, .packet = {.protocol = P_GRE}, REVOKED("guest")},
	}},
	{"an ICMP error of a connection that has ended is not related", {
		{1990, SYN(80), RULE("guest")}, {1999, ERROR, .reason = ZW_ALLOW_RELATED, .rule = "guest"}, {2000, ERROR, DEFAULT},
		{2001, SYN_ACK(80), REVOKED("guest")},
	}},
	{"later fragments end with the rule of their first one", {
		{1990, FIRST(22), RULE("guest")}, {1999, LATER, .reason = ZW_ALLOW_FRAGMENT, .rule = "guest"},
		{2000, LATER, .reason = ZW_ALLOW_FRAGMENT, .rule = "rescue"},
	}},
	{"or go on by what follows it", {
		{1990, FIRST(53), RULE("guest")}, {1999, LATER, .reason = ZW_ALLOW_FRAGMENT, .rule = "guest"},
		{2000, LATER, .reason = ZW_ALLOW_FRAGMENT, .rule = "names"},
	}},
	{"or are dropped", {
		{1990, .packet = {.protocol = P_GRE, .more = true, .id = 9, .payload_len = 16}, RULE("guest")},
		{1999, .packet = {.protocol = P_GRE, .fragment = true, .offset = 24, .id = 9, .payload_len = 16},
		 .reason = ZW_ALLOW_FRAGMENT, .rule = "guest"},
		{2000, .packet = {.protocol = P_GRE, .fragment = true, .offset = 24, .id = 9, .payload_len = 16},
		 .reason = ZW_DROP_FRAGMENT},
	}},
	{"a rule that drops ends, too", {{1999, SYN(81), DROP("closed")}, {2000, SYN(81), RULE("opened")}}},
	{"one rule ends after the other; what would end sooner than the one before never decides", {
		{1499, SYN(82), RULE("first")}, {1499.5, SYN_ACK(82), FLOW("first")}, {1500, FORTH(82), FLOW("second")},
		{1501, SYN(82), RULE("second")}, {2000, BACK(82), FLOW("second")}, {2499, FORTH(82), FLOW("second")},
		{2500, FORTH(82), REVOKED("second")}, {2500, SYN(82), DEFAULT}, {1499, FORTH(82), FLOW("second")},
	}},
	{"a SYN that the next rule allows leaves the flow as it is: its next packet is that rule's", {
		{1490, SYN(82), RULE("first")}, {1500, SYN(82), RULE("second")}, {1500, SYN_ACK(82), FLOW("second")},
	}},
	{"pass ends", {{1999, SYN(83), RULE("reached")}, {2000, SYN(83), DROP("shut")}}},
	{"what staged rules would allow passes no sooner", {
		{100, SYN(90), DEFAULT, .staged = "+try-open"}, {101, SYN(90), DEFAULT, .staged = "+try-open"},
		{102, SYN_ACK(90), .reason = ZW_DROP_TCP_STATE}, {103, UDP(90), DEFAULT, .staged = "+try-open"},
	}},
	{"what they would drop passes, and is counted by its first packet", {
		{100, SYN(91), RULE("allowed"), .staged = "-try-shut"}, {100, SYN(91), RULE("allowed")},
		{101, SYN_ACK(91), FLOW("allowed")}, {102, FORTH(91), FLOW("allowed")},
		{103, UDP(91), RULE("allowed"), .staged = "-try-shut"}, {104, UDP(91), FLOW("allowed")},
	}},
	{"without a change", {{100, UDP(92), RULE("allowed"), .staged = "+try-same"}, {101, UDP_BACK(92), FLOW("allowed")}}},
	{"behind a rule that decides they decide nothing", {{100, SYN(94), RULE("allowed")}}},
	{"nor where failsafe lets pass what they would drop", {
		{100, SYN(22), .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"}, {100, SYN(23), RULE("allowed")},
	}},
	{"a staged pass changes who decides, and counts nothing of its own", {{100, UDP(95), DROP("denied")}}},
	{"a staged rule ends", {{1999, SYN(96), DEFAULT, .staged = "+try-while"}, {2000, SYN(96), DEFAULT}}},
	{"a staged rule decides when the one before it has ended", {
		{1999, SYN(97), RULE("while-open")}, {2000, SYN(97), DEFAULT, .staged = "-try-then"},
		{2001, SYN_ACK(97), REVOKED("while-open")},
	}},
};

static struct scene scene;
static unsigned host; /* so that stories do not meet */

static void build(const struct step *step, int family, struct packet *ret_packet)
{
	struct packet_spec spec = step->packet, quoted_spec = {.dport = 80, .seq = 999};
	struct packet quoted;
	char ends[2][48];

	for (int i = 0; i < 2; i++)
		snprintf(ends[i], sizeof(ends[i]), family == 4 ? "10.%d.0.%u" : "fd00:%d::%x", i + 1, host);
	quoted_spec.from = ends[0];
	quoted_spec.to = ends[1];
	spec.from = ends[step->back];
	spec.to = ends[!step->back];
	if (step->quotes) {
		packet_build(&quoted_spec, &quoted);
		spec.protocol = family == 4 ? P_ICMP : P_ICMPV6;
		spec.type = family == 4 ? 3 : 1;
		spec.payload = quoted.data + quoted.l3;
		spec.payload_len = quoted.len - quoted.l3;
	}
	packet_build(&spec, ret_packet);
}

static bool is_staged(const struct oracle_answer *answer, const char *want)
{
	if (!want || !answer->staged)
		return !want && !answer->staged;
	return answer->staged_allows == (*want == '+') && !strcmp(answer->staged, want + 1);
}

static void run(const struct story *story, int family, enum zw_hook hook)
{
	bool good = true;

	host++;
	for (const struct step *step = story->steps; step < story->steps + STEPS && step->at; step++) {
		struct scene_frame frame = {.hook = hook, .mac = {2, 0, 0, 0, 0, 10}, .time = step->at};
		struct oracle_answer answer;
		char text[SCENE_TEXT];
		struct packet packet;

		build(step, family, &packet);
		frame.data = packet.data;
		frame.len = packet.len;
		if (!scene_agrees(&scene, &frame, &answer, text) || answer.reason != step->reason ||
		    strcmp(answer.rule ? answer.rule : "", step->rule ? step->rule : "") || !is_staged(&answer, step->staged)) {
			good = false;
			note("step %zu: %s", step - story->steps + 1, text);
			note("wanted %s(%d) rule=%s staged=%s", reason_name(step->reason), step->reason,
			     step->rule ? step->rule : "-", step->staged ? step->staged : "-");
		}
	}
	ok(good, "%s (IPv%d, %s)", story->what, family, scene_hook_name(hook));
}

int main(void)
{
	const struct scene_options options = {.stateful = true, .kernel = scene_asks_kernel()};
	char text[SCENE_TEXT] = "";

	if (scene_open(policy, &options, &scene)) {
		ok(false, "the policy loads");
		return done();
	}
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		for (int family = 4; family <= 6; family += 2)
			for (int hook = 0; hook < ZW_HOOKS; hook++)
				run(&stories[i], family, hook);
	if (scene.testrun)
		ok(scene_counters_agree(&scene, text), "the programs counted of each staged rule what the oracle says %s", text);
	scene_close(&scene);
	return done();
}
