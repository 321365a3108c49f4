/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stage spoof, one packet a row, and packets of live flows: where a packet enters and whence it says it comes. Each row runs in both families where it
 * is not bound to one, on XDP, TC ingress and TC egress, through the programs, the tables and the oracle; verdict, reason,
 * rule and the reason's counter must be as written. How an attach point gets its source is tests/net/spoof.sh's matter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "scene.h"
#include "test.h"

static const char policy[] =
	"version: 1\n"
	"defaults: {action: drop}\n"
	"interfaces:\n"
	"  - {match: [eth0]}\n"
	"  - {match: [\"red*\", blue0], source: red}\n"
	"  - {match: [\"b*\"], source: blue}\n" /* later: blue0 is blue */
	"  - {match: [blue0], xdp: off}\n" /* another key: it stays blue */
	"  - {match: [both0], source: colours}\n"
	"  - {match: [green0], source: green}\n"
	"  - {match: [wan0], source: world}\n"
	"  - {match: [own0], source: host}\n"
	"  - {match: [all0], source: any}\n"
	"  - {match: [one0], source: 10.1.0.7}\n"
	"  - {match: [link0], source: links}\n"
	"  - {match: [empty0], source: nobody}\n"
	"zones:\n"
	"  red: [10.1.0.0/24, 10.1.1.0/24, \"fd00:1::/64\"]\n"
	"  blue: [10.2.0.0/24, \"fd00:2::/64\"]\n"
	"  green: {addresses: [10.3.0.0-10.3.0.99, \"fd00:3::/64\"], except: [10.3.0.50, \"fd00:3::50\"]}\n"
	"  colours: {zones: [red, blue], except: [10.1.1.0/24, \"fd00:1::8\"]}\n"
	"  links: [\"fe80::/10\"]\n"
	"  nobody: []\n"
	"failsafe: [{id: rescue, from: any, to: red, service: tcp/22}]\n"
	"rules:\n"
	"  - {id: open, from: any, to: any, service: any, action: allow}\n";

static const struct {
	const char *name, *v4, *v6;
} ends[] = {
	{ "red", "10.1.0.7", "fd00:1::7" },     { "blue", "10.2.0.9", "fd00:2::9" },
	{ "green", "10.3.0.1", "fd00:3::1" },   { "gap", "10.3.0.50", "fd00:3::50" },
	{ "first", "10.1.0.0", "fd00:1::" },    { "last", "10.1.1.255", "fd00:1::ffff:ffff:ffff:ffff" },
	{ "before", "10.0.255.255", "fd00:0:ffff:ffff:ffff:ffff:ffff:ffff" }, { "behind", "10.1.2.0", "fd00:1:0:1::" },
	{ "out", "10.1.1.7", "fd00:1::8" }, /* of colours, by except; still red */
	{ "host", "10.9.0.1", "fd00:9::1" },    { "world", "192.0.2.1", "2001:db8::1" },
};

#define IN (1 << ZW_HOOK_XDP | 1 << ZW_HOOK_INGRESS)
#define OUT (1 << ZW_HOOK_EGRESS)

struct row {
	const char *what;
	const char *interface; /* NULL: the packet's is not told */
	int family; /* 0: both */
	unsigned hooks; /* 0: all */
	struct packet_spec packet;
	enum zw_reason want; /* ZW_ALLOW_RULE is by the rule `open` */
};

#define FROM(from_) .packet = { .from = from_, .to = "blue", .dport = 80 }
#define ICMPV6(type_, from_, to_, limit) \
	.family = 6, .packet = { .protocol = P_ICMPV6, .type = type_, .from = from_, .to = to_, .hop_limit = limit }
#define ALLOWED ZW_ALLOW_RULE
#define SPOOFED ZW_DROP_SPOOFED
#define ESSENTIAL ZW_ALLOW_ESSENTIAL

static const struct row rows[] = {
	{ "who is in the source zone enters", "red0", .hooks = IN, FROM("red"), .want = ALLOWED },
	{ "the zone's first address enters", "red0", .hooks = IN, FROM("first"), .want = ALLOWED },
	{ "the zone's last address enters", "red0", .hooks = IN, FROM("last"), .want = ALLOWED },
	{ "the address before the zone does not", "red0", .hooks = IN, FROM("before"), .want = SPOOFED },
	{ "the address behind the zone does not", "red0", .hooks = IN, FROM("behind"), .want = SPOOFED },
	{ "another zone's address does not", "red0", .hooks = IN, FROM("blue"), .want = SPOOFED },
	{ "the world does not", "red0", .hooks = IN, FROM("world"), .want = SPOOFED },
	{ "this host's address does not", "red0", .hooks = IN, FROM("host"), .want = SPOOFED },
	{ "any interface that the pattern matches is bound", "red-17", .hooks = IN, FROM("blue"), .want = SPOOFED },
	{ "what leaves is not checked", "red0", .hooks = OUT, FROM("blue"), .want = ALLOWED },
	{ "what this host sends leaves", "red0", .hooks = OUT, FROM("host"), .want = ALLOWED },
	{ "a later entry overrides a former one's source", "blue0", .hooks = IN, FROM("red"), .want = SPOOFED },
	{ "and its zone enters", "blue0", .hooks = IN, FROM("blue"), .want = ALLOWED },
	{ "an interface without a source takes any", "eth0", FROM("blue"), .want = ALLOWED },
	{ "but not this host's address", "eth0", .hooks = IN, FROM("host"), .want = SPOOFED },
	{ "an interface that no entry matches has no source", "tun0", FROM("world"), .want = ALLOWED },
	{ "nor has lo", "lo", FROM("world"), .want = ALLOWED },
	{ "nor has a packet whose interface is not told", NULL, FROM("world"), .want = ALLOWED },

	/* Every kind of zone can be a source. */
	{ "a union lets its first zone in", "both0", .hooks = IN, FROM("red"), .want = ALLOWED },
	{ "a union lets its second zone in", "both0", .hooks = IN, FROM("blue"), .want = ALLOWED },
	{ "a union's exception does not enter", "both0", .hooks = IN, FROM("out"), .want = SPOOFED },
	{ "which enters where its own zone is the source", "red0", .hooks = IN, FROM("out"), .want = ALLOWED },
	{ "who is in no member does not", "both0", .hooks = IN, FROM("green"), .want = SPOOFED },
	{ "a zone's exception does not enter", "green0", .hooks = IN, FROM("gap"), .want = SPOOFED },
	{ "the zone does", "green0", .hooks = IN, FROM("green"), .want = ALLOWED },
	{ "the world enters from the world", "wan0", .hooks = IN, FROM("world"), .want = ALLOWED },
	{ "who is in a zone does not enter from the world", "wan0", .hooks = IN, FROM("red"), .want = SPOOFED },
	{ "nor does an exception, which stays listed", "wan0", .hooks = IN, FROM("gap"), .want = SPOOFED },
	{ "nor does this host", "wan0", .hooks = IN, FROM("host"), .want = SPOOFED },
	{ "source: host lets nobody in: this host is spoofed", "own0", .hooks = IN, FROM("host"), .want = SPOOFED },
	{ "and everybody else is not this host", "own0", .hooks = IN, FROM("red"), .want = SPOOFED },
	{ "source: any lets everybody in", "all0", FROM("world"), .want = ALLOWED },
	{ "but not this host", "all0", .hooks = IN, FROM("host"), .want = SPOOFED },
	{ "an address can be a source", "one0", .hooks = IN, .family = 4, FROM("red"), .want = ALLOWED },
	{ "its neighbour does not enter", "one0", .hooks = IN, .family = 4, FROM("10.1.0.8"), .want = SPOOFED },
	{ "nor does the other family", "one0", .hooks = IN, .family = 6, FROM("red"), .want = SPOOFED },
	{ "an empty zone lets nobody in", "empty0", .hooks = IN, FROM("red"), .want = SPOOFED },

	/* Unspecified sources, which stage parse lets through, have no address to be wrong yet. */
	{ "a DHCP client asks", "red0", .hooks = IN, .family = 4,
	  .packet = { .from = "0.0.0.0", .to = "255.255.255.255", .protocol = P_UDP, .sport = 68, .dport = 67 },
	  .want = ALLOWED },
	{ "also where an empty zone is the source", "empty0", .hooks = IN, .family = 4,
	  .packet = { .from = "0.0.0.0", .to = "255.255.255.255", .protocol = P_UDP, .sport = 68, .dport = 67 },
	  .want = ALLOWED },
	{ "with an address it must be the right one", "red0", .hooks = IN, .family = 4,
	  .packet = { .from = "blue", .to = "255.255.255.255", .protocol = P_UDP, .sport = 68, .dport = 67 },
	  .want = SPOOFED },
	{ "no other UDP has an unspecified source", "red0", .hooks = IN, .family = 4,
	  .packet = { .from = "0.0.0.0", .to = "blue", .protocol = P_UDP, .sport = 68, .dport = 68 },
	  .want = ZW_DROP_MALFORMED },
	{ "duplicate addresses are looked for", "red0", .hooks = IN, ICMPV6(135, "::", "ff02::1:ff00:7", 255), .want = ESSENTIAL },
	{ "and asks for routers", "red0", .hooks = IN, ICMPV6(133, "::", "ff02::2", 255), .want = ESSENTIAL },
	{ "any ICMPv6 may", "red0", .hooks = IN, ICMPV6(128, "::", "blue", 64), .want = ALLOWED },

	/* Essentials come after. */
	{ "neighbours are found from the zone", "red0", .hooks = IN, ICMPV6(135, "red", "ff02::1:ff00:7", 255), .want = ESSENTIAL },
	{ "not from elsewhere", "red0", .hooks = IN, ICMPV6(136, "blue", "red", 255), .want = SPOOFED },
	{ "a link-local source must be in the zone", "red0", .hooks = IN, ICMPV6(135, "fe80::1", "red", 255), .want = SPOOFED },
	{ "where it is, neighbours are found", "link0", .hooks = IN, ICMPV6(135, "fe80::1", "red", 255), .want = ESSENTIAL },
	{ "a router advertises where there is no source", "eth0", .hooks = IN, ICMPV6(134, "fe80::1", "ff02::1", 255),
	  .want = ESSENTIAL },
	{ "where there is one it is a packet for the policy", "link0", .hooks = IN, ICMPV6(134, "fe80::1", "ff02::1", 255),
	  .want = ALLOWED },
	{ "also if any may enter", "all0", .hooks = IN, ICMPV6(134, "fe80::1", "ff02::1", 255), .want = ALLOWED },
	{ "one from elsewhere is spoofed", "red0", .hooks = IN, ICMPV6(134, "fe80::1", "ff02::1", 255), .want = SPOOFED },
	{ "DHCP's answer from elsewhere is spoofed", "red0", .hooks = IN, .family = 4,
	  .packet = { .from = "blue", .to = "255.255.255.255", .protocol = P_UDP, .sport = 67, .dport = 68 },
	  .want = SPOOFED },

	/* Other stages. */
	{ "a forged later fragment is spoofed", "red0", .hooks = IN,
	  .packet = { .from = "blue", .to = "red", .dport = 80, .offset = 800, .payload_len = 8 }, .want = SPOOFED },
	{ "forged impossible flags are spoofed", "red0", .hooks = IN,
	  .packet = { .from = "blue", .to = "red", .dport = 80, .flags = F_SYN | F_FIN }, .want = SPOOFED },
	{ "a broken packet is malformed first", "red0", .hooks = IN, .family = 4,
	  .packet = { .from = "127.0.0.1", .to = "red", .dport = 80 }, .want = ZW_DROP_MALFORMED },
	{ "failsafe does not let a forged source in", "red0", .hooks = IN,
	  .packet = { .from = "blue", .to = "red", .dport = 22 }, .want = SPOOFED },
	{ "behind VLAN tags it is the same source", "red0", .hooks = IN,
	  .packet = { .from = "blue", .to = "red", .dport = 80, .tags = 2 }, .want = SPOOFED },
};

static struct scene scene;

static const char *resolve(const char *name, int family)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(ends[i].name, name))
			return family == 4 ? ends[i].v4 : ends[i].v6;
	return name;
}

static uint64_t count(enum zw_reason reason)
{
	struct zw_count count = { 0 };

	if (scene.testrun)
		testrun_count_reason(scene.testrun, reason, &count);
	return count.packets;
}

static const char *rule_of(enum zw_reason reason)
{
	return reason == ZW_ALLOW_RULE || reason == ZW_ALLOW_FLOW ? "open" : "";
}

static void run(const struct row *row, int family, enum zw_hook hook)
{
	struct packet_spec spec = row->packet;
	struct scene_frame frame = { .hook = hook, .mac = { 2, 0, 0, 0, 0, 10 }, .interface = row->interface };
	struct oracle_answer answer;
	struct packet packet;
	char text[SCENE_TEXT];
	uint64_t before;
	bool good;

	spec.from = resolve(spec.from, family);
	spec.to = resolve(spec.to, family);
	packet_build(&spec, &packet);
	frame.data = packet.data;
	frame.len = packet.len;
	before = count(row->want);
	good = scene_agrees(&scene, &frame, &answer, text) && answer.reason == row->want &&
	       !strcmp(answer.rule ? answer.rule : "", rule_of(row->want)) &&
	       (!scene.testrun || count(row->want) == before + 1);
	ok(good, "%s (IPv%d, %s)", row->what, family, scene_hook_name(hook));
	if (!good)
		note("%s; wanted %s", text, reason_name(row->want));
}

/* Packets of one connection, after each other: its flow says whether this host's address is at an end. */
struct step {
	const char *what, *interface;
	bool leaves, back; /* back: to the one who opens */
	uint8_t flags;
	enum zw_reason want;
};

#define ENTERS(interface_) interface_, false
#define LEAVES "eth0", true
#define FLOW ZW_ALLOW_FLOW

static const struct step opened_here[] = {
	{ "this host opens", LEAVES, false, F_SYN, ALLOWED },
	{ "and is answered", ENTERS("eth0"), true, F_SYN | F_ACK, FLOW },
	{ "this host goes on", LEAVES, false, F_ACK, FLOW },
	{ "somebody else goes on for it", ENTERS("eth0"), false, F_ACK, SPOOFED },
	{ "somebody else repeats its SYN", ENTERS("eth0"), false, F_SYN, SPOOFED },
	{ "an answer from where the other side is", ENTERS("red0"), true, F_ACK, FLOW },
	{ "an answer from where it is not", ENTERS("wan0"), true, F_ACK, SPOOFED },
	{ "an answer on its way elsewhere", LEAVES, true, F_ACK, FLOW },
};

static const struct step opened_there[] = {
	{ "the other side opens", ENTERS("eth0"), false, F_SYN, ALLOWED },
	{ "this host answers", LEAVES, true, F_SYN | F_ACK, FLOW },
	{ "the other side goes on", ENTERS("eth0"), false, F_ACK, FLOW },
	{ "somebody else answers for this host", ENTERS("eth0"), true, F_ACK, SPOOFED },
	{ "the other side goes on where it is not", ENTERS("wan0"), false, F_ACK, SPOOFED },
};

static void run_step(const struct step *step, bool here, int family, enum zw_hook in)
{
	const char *from = here != step->back ? "host" : "red", *to = here != step->back ? "red" : "host";
	const struct row row = { .what = step->what, .interface = step->interface,
				 .packet = { .from = from, .to = to, .flags = step->flags, .sport = step->back ? 80 : 40000,
					     .dport = step->back ? 40000 : 80 },
				 .want = step->want };

	run(&row, family, step->leaves ? ZW_HOOK_EGRESS : in);
}

static void run_flows(bool kernel)
{
	const struct scene_options options = { .host = "10.9.0.1 fd00:9::1", .kernel = kernel, .stateful = true };

	for (int family = 4; family <= 6; family += 2)
		for (int hook = ZW_HOOK_XDP; hook <= ZW_HOOK_INGRESS; hook++)
			for (int here = 0; here < 2; here++) {
				const struct step *steps = here ? opened_here : opened_there;
				size_t count = here ? ARRAY_LEN(opened_here) : ARRAY_LEN(opened_there);

				if (!ok(!scene_open(policy, &options, &scene), "the policy loads, for flows"))
					return;
				for (size_t i = 0; i < count; i++)
					run_step(&steps[i], here, family, hook);
				scene_close(&scene);
			}
}

/* More interfaces than a word has bits, each with an address of its own, and more addresses than two words have. */
#define MANY 70

static char *many_policy(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	fputs("version: 1\ndefaults: {action: drop}\nfailsafe: []\ninterfaces:\n", out);
	for (int i = 1; i <= MANY; i++)
		fprintf(out, "  - {match: [one%d], source: one%d}\n", i, i);
	fputs("zones:\n", out);
	for (int i = 1; i <= MANY; i++)
		fprintf(out, "  one%d: [10.1.0.%d, \"fd00:1::%d\"]\n", i, i, i);
	fputs("rules: [{id: open, from: any, to: any, service: any, action: allow}]\n", out);
	fclose(out);
	return text;
}

/* Each address enters its own interface, not the ones before and behind, nor the one a word further. */
static void run_many(bool kernel)
{
	const struct scene_options options = { .kernel = kernel };
	static const int steps[] = { 0, 1, MANY - 1, 32 };
	char *text = many_policy(), from[32], interface[16];

	if (!ok(!scene_open(text, &options, &scene), "the policy of many sources loads"))
		return;
	for (int i = 0; i < 4 * MANY; i++) {
		int number = i / 4 + 1, step = steps[i % 4];
		struct row row = { .what = step ? "another's address" : "its own address", .interface = interface,
				   .packet = { .from = from, .dport = 80 },
				   .want = step ? SPOOFED : ALLOWED };

		snprintf(interface, sizeof(interface), "one%d", (number - 1 + step) % MANY + 1);
		for (int family = 4; family <= 6; family += 2) {
			snprintf(from, sizeof(from), family == 4 ? "10.1.0.%d" : "fd00:1::%d", number);
			row.packet.to = family == 4 ? "10.2.0.9" : "fd00:2::9";
			run(&row, family, ZW_HOOK_XDP);
		}
	}
	scene_close(&scene);
	free(text);
}

int main(void)
{
	const struct scene_options options = { .host = "10.9.0.1 fd00:9::1", .kernel = scene_asks_kernel() };

	if (!ok(!scene_open(policy, &options, &scene), "the policy loads"))
		return done();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int family = 4; family <= 6; family += 2)
			for (int hook = 0; hook < ZW_HOOKS; hook++)
				if ((!rows[i].family || rows[i].family == family) && (!rows[i].hooks || rows[i].hooks >> hook & 1))
					run(&rows[i], family, hook);
	scene_close(&scene);
	run_flows(options.kernel);
	run_many(options.kernel);
	ok(scene_kernel_refused == 0, "the kernel's test run took every frame");
	return done();
}
