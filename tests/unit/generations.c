/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flows under another generation than the one that let them in (design section 5, stages flow, related and fragment):
 * decided again by their first packet, cut as `revoked` or going on. Through the code that the programs run, natively.
 */
#include <string.h>

#include "scene.h"
#include "test.h"

#define ZONES                                                  \
	"version: 1\n"                                         \
	"defaults: {action: drop}\n"                           \
	"zones:\n"                                             \
	"  red: [10.1.0.0/24, \"fd00:1::/64\"]\n"              \
	"  blue: [10.2.0.0/24, \"fd00:2::/64\"]\n"
#define PING "icmp/echo-request, icmpv6/echo-request"

#define OPEN ZONES "failsafe: []\n" \
		   "rules: [{id: web, from: red, to: blue, service: [tcp/80, udp/53, proto/47, " PING "], action: allow}]\n"

#define RED_IS_HERE "open, and this host has the addresses of red"

/* What is applied, by name. */
static const struct policy_text {
	const char *name, *text;
} policies[] = {
	{"open", OPEN},
	{RED_IS_HERE, OPEN},
	{"renamed", ZONES "failsafe: []\n"
		    "rules:\n"
		    "  - {id: no-backwards, from: blue, to: red, service: any, action: drop}\n"
		    "  - {id: site, from: red, to: blue, service: [tcp/80, udp/53, proto/47, " PING "], action: allow}\n"},
	{"by default", "version: 1\ndefaults: {action: allow}\nfailsafe: []\n"},
	{"closed", ZONES "failsafe: []\n"
		   "rules: [{id: web, from: red, to: blue, service: tcp/81, action: allow}]\n"},
	{"backwards", ZONES "failsafe: []\n"
		      "rules: [{id: answers, from: blue, to: red, service: any, action: allow}]\n"},
	{"ports exchanged", ZONES "failsafe: []\n"
			    "rules: [{id: high, from: red, to: blue, service: [tcp/40000, udp/40000], action: allow}]\n"},
	{"rescue", ZONES "failsafe: [{id: rescue, from: red, to: blue, service: [tcp/80, udp/53]}]\n"},
	{"tls", ZONES "failsafe: []\n"
		"rules: [{id: private, from: red, to: blue, service: tcp/80, action: allow, tls: {require: true}}]\n"},
	{"tls 1.2", ZONES "failsafe: []\n"
		    "rules:\n"
		    "  - {id: mail, from: red, to: blue, service: tcp/25, action: allow}\n"
		    "  - {id: modern, from: red, to: blue, service: tcp/80, action: allow, tls: {require: true, min: \"1.2\"}}\n"},
};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

struct step {
	const char *apply; /* a policy, instead of a packet */
	double wait;
	bool back;
	struct packet_spec packet; /* without ends */
	bool quotes; /* an ICMP error, to red, about a packet of blue's */
	enum zw_reason reason;
	const char *rule; /* its id in the generation at hand; NULL: none of it */
};

#define STEPS 16
struct story {
	const char *what;
	struct step steps[STEPS];
};

#define APPLY(name) .apply = name
#define SYN_ .packet = {.dport = 80, .seq = 999}
#define FORTH .packet = {.dport = 80, .flags = F_ACK, .seq = 1000, .ack = 5000}
#define BACK .back = true, .packet = {.sport = 80, .dport = 40000, .flags = F_ACK, .seq = 5000, .ack = 1000}
#define SYN_ACK .back = true, .packet = {.sport = 80, .dport = 40000, .flags = F_SYN | F_ACK, .seq = 4999, .ack = 1000}
#define BYTES(bytes) .packet = {.dport = 80, .flags = F_ACK, .seq = 1000, .ack = 5000, .payload = bytes, \
				.payload_len = sizeof(bytes) - 1}
#define HELLO BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
#define OLD_HELLO BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x01")
#define PLAIN BYTES("GET / HTTP/1.1\r\n")
#define FIRST_PART .packet = {.dport = 80, .flags = F_ACK, .seq = 1000, .ack = 5000, .more = true, .id = 9, \
			      .payload = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and on", .payload_len = 18}
#define LATER_PART .packet = {.fragment = true, .offset = 40, .id = 9, .payload_len = 16}
#define UDP_FORTH .packet = {.protocol = P_UDP, .dport = 53}
#define UDP_BACK .back = true, .packet = {.protocol = P_UDP, .sport = 53, .dport = 40000}
#define ERROR .packet = {.protocol = P_ICMP}, .quotes = true
#define FIRST .packet = {.protocol = P_UDP, .dport = 53, .more = true, .id = 9, .payload_len = 16}
#define LATER .packet = {.protocol = P_UDP, .dport = 53, .fragment = true, .offset = 24, .id = 9, .payload_len = 16}
#define RULE(id) .reason = ZW_ALLOW_RULE, .rule = id
#define FLOW(id) .reason = ZW_ALLOW_FLOW, .rule = id
#define REVOKED .reason = ZW_DROP_REVOKED
#define DEFAULT .reason = ZW_DROP_DEFAULT
#define SPOOFED .reason = ZW_DROP_SPOOFED
#define PLAINTEXT(id) .reason = ZW_DROP_PLAINTEXT, .rule = id
#define OPENED(id) {SYN_, RULE(id)}, {SYN_ACK, FLOW(id)}, {FORTH, FLOW(id)}

static const struct story stories[] = {
	{"a connection that is still allowed goes on, by its new rule", {
		{APPLY("open")}, {SYN_, RULE("web")}, {SYN_ACK, FLOW("web")}, {FORTH, FLOW("web")},
		{APPLY("renamed")}, {BACK, FLOW("site")}, {FORTH, FLOW("site")}, {.wait = 3600, BACK, FLOW("site")},
	}},
	{"and by the default", {
		{APPLY("open")}, {SYN_, RULE("web")}, {SYN_ACK, FLOW("web")},
		{APPLY("by default")}, {FORTH, .reason = ZW_ALLOW_FLOW}, {BACK, .reason = ZW_ALLOW_FLOW},
	}},
	{"a denied connection is cut, either way, and goes on when it is allowed again", {
		{APPLY("open")}, {SYN_, RULE("web")}, {SYN_ACK, FLOW("web")}, {FORTH, FLOW("web")},
		{APPLY("closed")}, {BACK, REVOKED}, {FORTH, REVOKED}, {.wait = 3600, BACK, REVOKED},
		{APPLY("open")}, {BACK, FLOW("web")}, {FORTH, FLOW("web")},
	}},
	{"a revoked flow is not refreshed", {
		{APPLY("open")}, {UDP_FORTH, RULE("web")}, {APPLY("closed")}, {.wait = 28, UDP_FORTH, REVOKED},
		{.wait = 4, UDP_FORTH, DEFAULT}, {APPLY("open")}, {UDP_BACK, DEFAULT},
	}},
	{"a revoked flow does not change its state", {
		{APPLY("open")}, {SYN_, RULE("web")}, {SYN_ACK, FLOW("web")}, {FORTH, FLOW("web")}, {APPLY("closed")},
		{.back = true, .packet = {.sport = 80, .dport = 40000, .flags = F_RST, .seq = 5000}, REVOKED},
		{APPLY("open")}, {.wait = 3600, BACK, FLOW("web")},
	}},
	{"a SYN is decided by policy, flow or not", {
		{APPLY("open")}, {SYN_, RULE("web")}, {APPLY("closed")}, {SYN_, DEFAULT}, {SYN_ACK, REVOKED},
		{APPLY("renamed")}, {SYN_, RULE("site")}, {SYN_ACK, FLOW("site")},
	}},
	{"it is the first packet that is decided again: not the answers'", {
		{APPLY("open")}, {SYN_, RULE("web")}, {APPLY("backwards")}, {SYN_ACK, REVOKED}, {FORTH, REVOKED},
	}},
	{"and its port: not the answers'", {
		{APPLY("open")}, {SYN_, RULE("web")}, {APPLY("ports exchanged")}, {SYN_ACK, REVOKED}, {FORTH, REVOKED},
	}},
	{"UDP", {
		{APPLY("open")}, {UDP_FORTH, RULE("web")}, {APPLY("closed")}, {UDP_BACK, REVOKED},
		{APPLY("renamed")}, {UDP_BACK, FLOW("site")}, {UDP_FORTH, FLOW("site")},
	}},
	{"a protocol without ports", {
		{APPLY("open")}, {.packet = {.protocol = P_GRE}, RULE("web")}, {APPLY("closed")},
		{.back = true, .packet = {.protocol = P_GRE}, REVOKED}, {APPLY("renamed")},
		{.back = true, .packet = {.protocol = P_GRE}, FLOW("site")},
	}},
	{"an ICMP error of a revoked flow is not related", {
		{APPLY("open")}, {SYN_, RULE("web")}, {ERROR, .reason = ZW_ALLOW_RELATED, .rule = "web"}, {APPLY("closed")},
		{ERROR, DEFAULT}, {APPLY("renamed")}, {ERROR, .reason = ZW_ALLOW_RELATED, .rule = "site"},
		{SYN_ACK, FLOW("site")},
	}},
	{"later fragments, by their first one", {
		{APPLY("open")}, {FIRST, RULE("web")}, {LATER, .reason = ZW_ALLOW_FRAGMENT, .rule = "web"}, {APPLY("closed")},
		{LATER, .reason = ZW_DROP_FRAGMENT}, {APPLY("renamed")},
		{LATER, .reason = ZW_ALLOW_FRAGMENT, .rule = "site"}, {APPLY("rescue")},
		{LATER, .reason = ZW_ALLOW_FRAGMENT, .rule = "rescue"},
	}},
	{"failsafe overrides revoked", {
		{APPLY("open")}, {SYN_, RULE("web")}, {SYN_ACK, FLOW("web")}, {APPLY("rescue")},
		{FORTH, .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"}, {BACK, .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
		{UDP_FORTH, .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"}, {APPLY("open")}, {BACK, FLOW("web")},
		{UDP_BACK, DEFAULT},
	}},
	{"a flow whose opener has become this host does not come in from there", {
		{APPLY("open")}, OPENED("web"), {APPLY(RED_IS_HERE)}, {FORTH, SPOOFED}, {BACK, FLOW("web")}, {FORTH, SPOOFED},
		{APPLY("open")}, {FORTH, FLOW("web")}, {APPLY(RED_IS_HERE)}, {BACK, FLOW("web")}, {FORTH, SPOOFED},
	}},
	{"a flow that began with TLS is taken over by rules with `tls`", {
		{APPLY("tls")}, OPENED("private"), {HELLO, FLOW("private")}, {APPLY("tls 1.2")}, {PLAIN, FLOW("modern")},
		{APPLY("tls")}, {BACK, FLOW("private")}, {PLAIN, FLOW("private")},
	}},
	{"also after a rule without", {
		{APPLY("tls")}, OPENED("private"), {HELLO, FLOW("private")}, {APPLY("open")}, {PLAIN, FLOW("web")},
		{APPLY("tls 1.2")}, {PLAIN, FLOW("modern")}, {BACK, FLOW("modern")},
	}},
	{"but not one of an old TLS by a rule that wants a new one", {
		{APPLY("tls")}, OPENED("private"), {OLD_HELLO, FLOW("private")}, {PLAIN, FLOW("private")}, {APPLY("tls 1.2")},
		{BACK, REVOKED}, {PLAIN, REVOKED}, {APPLY("tls")}, {PLAIN, FLOW("private")},
	}},
	{"a flow whose beginning nobody saw is revoked by a rule with `tls`", {
		{APPLY("open")}, OPENED("web"), {HELLO, FLOW("web")}, {APPLY("tls")}, {BACK, REVOKED}, {HELLO, REVOKED},
		{APPLY("open")}, {BACK, FLOW("web")}, {HELLO, FLOW("web")},
	}},
	{"even before its first byte", {
		{APPLY("open")}, OPENED("web"), {APPLY("tls")}, {HELLO, REVOKED},
	}},
	{"a flow that waits goes on waiting", {
		{APPLY("tls")}, OPENED("private"), {APPLY("tls 1.2")}, {FORTH, FLOW("modern")}, {OLD_HELLO, PLAINTEXT("modern")},
		{HELLO, PLAINTEXT("modern")}, {APPLY("tls")}, {FORTH, REVOKED},
	}},
	{"with its first byte", {
		{APPLY("tls")}, OPENED("private"), {APPLY("tls 1.2")}, {HELLO, FLOW("modern")}, {PLAIN, FLOW("modern")},
	}},
	{"unless a rule let it speak in between", {
		{APPLY("tls")}, OPENED("private"), {APPLY("open")}, {PLAIN, FLOW("web")}, {APPLY("tls")}, {FORTH, REVOKED},
	}},
	{"not if it was revoked in between", {
		{APPLY("tls")}, OPENED("private"), {APPLY("closed")}, {HELLO, REVOKED}, {APPLY("tls")}, {HELLO, FLOW("private")},
	}},
	{"a flow that was refused is revoked by another rule with `tls`, and goes on by one without", {
		{APPLY("tls")}, OPENED("private"), {PLAIN, PLAINTEXT("private")}, {APPLY("tls 1.2")}, {BACK, REVOKED},
		{APPLY("tls")}, {BACK, REVOKED}, {APPLY("open")}, {PLAIN, FLOW("web")},
	}},
	{"what is refused stays so", {
		{APPLY("tls")}, OPENED("private"), {PLAIN, PLAINTEXT("private")}, {BACK, FLOW("private")}, {HELLO, PLAINTEXT("private")},
	}},
	{"a SYN said again under a rule with `tls` leaves the flow as it is", {
		{APPLY("open")}, {SYN_, RULE("web")}, {APPLY("tls")}, {SYN_, RULE("private")}, {SYN_ACK, REVOKED},
	}},
	{"later fragments of a segment with a ClientHello", {
		{APPLY("tls")}, OPENED("private"), {FIRST_PART, FLOW("private")}, {APPLY("tls 1.2")},
		{LATER_PART, .reason = ZW_ALLOW_FRAGMENT, .rule = "modern"}, {APPLY("open")},
		{LATER_PART, .reason = ZW_ALLOW_FRAGMENT, .rule = "web"},
	}},
	{"later fragments of a segment that was not asked", {
		{APPLY("open")}, OPENED("web"), {FIRST_PART, FLOW("web")}, {LATER_PART, .reason = ZW_ALLOW_FRAGMENT, .rule = "web"},
		{APPLY("tls")}, {LATER_PART, .reason = ZW_DROP_FRAGMENT},
	}},
};

static struct scene scenes[POLICIES];
static struct decider *decider;
static double now = 1000;
static unsigned host, generation;

/* All addresses that red has in a story. */
static const char *red_addresses(void)
{
	static char text[256 * 32];
	size_t len = 0;

	for (int i = 1; i < 256; i++)
		len += snprintf(text + len, sizeof(text) - len, "10.1.0.%d fd00:1::%x ", i, i);
	return text;
}

static const struct scene *apply(const char *name)
{
	for (size_t i = 0; i < POLICIES; i++) {
		struct zw_layout layout = scenes[i].tables->layout;

		if (strcmp(policies[i].name, name))
			continue;
		layout.generation = ++generation;
		decider_replace(decider, scenes[i].tables->bytes, &layout);
		return &scenes[i];
	}
	abort();
}

static void build(const struct step *step, int family, struct packet *ret_packet)
{
	struct packet_spec spec = step->packet, quoted_spec = {.sport = 80, .dport = 40000, .flags = F_ACK};
	struct packet quoted;
	char red[48], blue[48];

	snprintf(red, sizeof(red), family == 4 ? "10.1.0.%u" : "fd00:1::%x", host);
	snprintf(blue, sizeof(blue), family == 4 ? "10.2.0.%u" : "fd00:2::%x", host);
	spec.from = step->back ? blue : red;
	spec.to = step->back ? red : blue;
	if (step->quotes) {
		quoted_spec.from = blue;
		quoted_spec.to = red;
		packet_build(&quoted_spec, &quoted);
		spec.protocol = family == 4 ? P_ICMP : P_ICMPV6;
		spec.type = family == 4 ? 3 : 1;
		spec.payload = quoted.data + quoted.l3;
		spec.payload_len = quoted.len - quoted.l3;
	}
	packet_build(&spec, ret_packet);
}

static bool is_as_wanted(const struct step *step, const struct scene *scene, int family)
{
	struct packet packet;
	struct frame frame = {.hook = ZW_HOOK_XDP, .time = now};
	struct decision decision;
	const struct rule_name *rule;
	const char *id = NULL;

	build(step, family, &packet);
	frame.data = packet.data;
	frame.len = packet.len;
	decider_decide(decider, &frame, &decision);
	rule = decision.rule ? names_rule(scene->tables->names, decision.rule) : NULL;
	/* A revoked flow's rule is one of its own generation. */
	if (rule && decision.reason != ZW_DROP_REVOKED)
		id = rule->id;
	if (decision.reason == step->reason && !strcmp(id ? id : "", step->rule ? step->rule : ""))
		return true;
	note("%s(%d) rule=%s, wanted %s(%d) rule=%s", reason_name(decision.reason), decision.reason, id ? id : "-",
	     reason_name(step->reason), step->reason, step->rule ? step->rule : "-");
	return false;
}

static void tell(const struct story *story, int family)
{
	const struct scene *scene = NULL;
	int number = 0, wrong = 0;

	host++;
	for (const struct step *step = story->steps; step < story->steps + STEPS && (step->apply || step->reason); step++) {
		number++;
		now += step->wait;
		if (step->apply) {
			scene = apply(step->apply);
		} else if (!is_as_wanted(step, scene, family)) {
			note("in step %d", number);
			wrong++;
		}
	}
	ok(!wrong, "%s (IPv%d)", story->what, family);
}

int main(void)
{
	for (size_t i = 0; i < POLICIES; i++) {
		const struct scene_options options = {.stateful = true, .host = strcmp(policies[i].name, RED_IS_HERE) ? NULL : red_addresses()};

		if (scene_open(policies[i].text, &options, &scenes[i])) {
			ok(false, "policy '%s' loads", policies[i].name);
			return done();
		}
	}
	if (decider_new(scenes[0].tables->bytes, &scenes[0].tables->layout, true, &decider))
		abort();
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		for (int family = 4; family <= 6; family += 2)
			tell(&stories[i], family);
	decider_free(decider);
	for (size_t i = 0; i < POLICIES; i++)
		scene_close(&scenes[i]);
	return done();
}
