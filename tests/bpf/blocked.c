// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stage block: rows of packets as time passes, through oracle, tables and programs, on each hook. What is blocked comes after
 * the stages before it and before a flow; failsafe goes over it; its end is the jiffy that was said.
 */
#include "packet.h"
#include "scene.h"
#include "test.h"

static const char policy[] =
	"version: 1\n"
	"defaults: {action: allow}\n"
	"zones: {ops: [10.5.0.0/16, \"fd00:5::/32\"]}\n"
	"failsafe: [{id: rescue, from: any, to: ops, service: [tcp/22, udp/22]}]\n"
	"rules: [{id: web, from: any, to: any, service: tcp/80, action: allow}]\n";

/* Behind '=': an end in seconds. The first two are of the same address. */
static const char blocks[] =
	"10.1.0.7/32=100 10.1.0.0/30=200 10.2.0.0/15=200 10.66.0.0/17 128.0.0.0/7=400 10.8.0.8/32=300 "
	"fd00:1::7/128=100 fd00:1::/126=200 fd00:2::/31=200 fd00:66:8000::/33 8000::/7=400 fd00:8::/64=300";

static const struct row {
	const char *what;
	double time;
	const char *from[2], *to[2]; /* IPv4, IPv6 */
	struct packet_spec packet;
	enum zw_reason reason;
	const char *rule;
	const char *put[2]; /* put on the list before */
} rows[] = {
#define ELSE "10.9.0.9", "fd00:9::9"
#define SEVEN "10.1.0.7", "fd00:1::7"
#define LATE "10.7.0.7", "fd00:7::7"
#define BLOCKED .reason = ZW_DROP_BLOCKED
#define WEB .packet = {.dport = 80}, .reason = ZW_ALLOW_RULE, .rule = "web"
	{"a source that is on the list", 1, {SEVEN}, {ELSE}, {.dport = 80}, BLOCKED},
	{"a destination that is", 1, {ELSE}, {SEVEN}, {.dport = 80}, BLOCKED},
	{"the address before it, as no prefix holds it", 1, {"10.1.0.6", "fd00:1::6"}, {ELSE}, WEB},
	{"the one behind it", 1, {"10.1.0.8", "fd00:1::8"}, {ELSE}, WEB},
	{"in a small prefix", 1, {"10.1.0.3", "fd00:1::3"}, {ELSE}, {.dport = 80}, BLOCKED},
	{"just behind that", 1, {"10.1.0.4", "fd00:1::4"}, {ELSE}, WEB},
	{"in a prefix wider than what the filter begins with", 1, {"10.3.255.255", "fd00:3:ffff:ffff:ffff:ffff:ffff:ffff"}, {ELSE},
	 {.dport = 80}, BLOCKED},
	{"just behind that", 1, {"10.4.0.0", "fd00:4::"}, {ELSE}, WEB},
	{"at the end of one without an end", 1, {ELSE}, {"10.66.127.255", "fd00:66:ffff::"}, {.dport = 80}, BLOCKED},
	{"just beside it", 1, {ELSE}, {"10.66.128.0", "fd00:66:7fff:ffff::"}, WEB},
	{"in one that the filter has no answer for", 1, {"129.0.0.1", "81ff::1"}, {ELSE}, {.dport = 80}, BLOCKED},
	{"another port, another protocol", 1, {SEVEN}, {ELSE}, {.protocol = P_UDP, .dport = 53}, BLOCKED},
	{"impossible flags come first", 1, {SEVEN}, {ELSE}, {.dport = 80, .flags = F_SYN | F_FIN}, .reason = ZW_DROP_TCP_STATE},
	{"a first fragment without its header, too", 1, {SEVEN}, {ELSE}, {.dport = 80, .more = true, .ip_cut = 12},
	 .reason = ZW_DROP_FRAGMENT},
	{"failsafe goes over it", 1, {SEVEN}, {"10.5.0.1", "fd00:5::1"}, {.dport = 22}, .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
	{"and over what comes back", 1, {"10.5.0.1", "fd00:5::1"}, {SEVEN}, {.sport = 22, .dport = 40000, .flags = F_ACK},
	 .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
	{"but not over its SYN", 1, {"10.5.0.1", "fd00:5::1"}, {SEVEN}, {.sport = 22, .dport = 40000}, BLOCKED},

	{"in its last millisecond", 99.999, {SEVEN}, {ELSE}, {.dport = 80}, BLOCKED},
	{"at its end", 100, {SEVEN}, {ELSE}, WEB},
	{"its answer: there is a flow", 100, {ELSE}, {SEVEN}, {.sport = 80, .dport = 40000, .flags = F_SYN | F_ACK},
	 .reason = ZW_ALLOW_FLOW, .rule = "web"},
	{"the other prefix has its own end", 199.999, {"10.1.0.3", "fd00:1::3"}, {ELSE}, {.dport = 80}, BLOCKED},
	{"which comes", 200, {"10.1.0.3", "fd00:1::3"}, {ELSE}, WEB},

	/* A flow that failsafe let in is none: its end is blocked in between, and the flow of before goes on afterwards. */
	{"a datagram through failsafe leaves no flow", 250, {"10.8.0.8", "fd00:8::8"}, {"10.5.0.1", "fd00:5::1"},
	 {.protocol = P_UDP, .dport = 22}, .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
	{"no answer on another port", 250, {"10.5.0.1", "fd00:5::1"}, {"10.8.0.8", "fd00:8::8"},
	 {.protocol = P_UDP, .sport = 23, .dport = 40000}, BLOCKED},
	{"a first fragment is blocked", 250, {"10.8.0.8", "fd00:8::8"}, {ELSE},
	 {.protocol = P_UDP, .dport = 53, .more = true, .id = 5, .payload_len = 16}, BLOCKED},
	{"and what follows has no first one", 250, {"10.8.0.8", "fd00:8::8"}, {ELSE},
	 {.protocol = P_UDP, .dport = 53, .fragment = true, .offset = 24, .id = 5, .payload_len = 16}, .reason = ZW_DROP_FRAGMENT},
	{"an ICMP error from there is blocked", 250, {"10.8.0.8", NULL}, {"10.9.0.9", NULL}, {.protocol = P_ICMP, .type = 3, .code = 1}, BLOCKED},
	{"all ends have come", 400, {"129.0.0.1", "81ff::1"}, {ELSE}, WEB},
	/* What is under way when its end is blocked. */
	{"a SYN by its rule", 500, {LATE}, {ELSE}, WEB},
	{"its answer", 500, {ELSE}, {LATE}, {.sport = 80, .dport = 40000, .flags = F_SYN | F_ACK}, .reason = ZW_ALLOW_FLOW, .rule = "web"},
	{"a SYN that failsafe would let in, too", 500, {LATE}, {"10.5.0.1", "fd00:5::1"}, {.dport = 22}, .reason = ZW_ALLOW_DEFAULT},
	{"then it is blocked: the connection's next packet", 501, {LATE}, {ELSE}, {.dport = 80, .flags = F_ACK, .seq = 1, .ack = 1}, BLOCKED,
	 .put = {"10.7.0.7/32=600", "fd00:7::7/128=600"}},
	{"a SYN for which failsafe goes over it", 501, {LATE}, {"10.5.0.1", "fd00:5::1"}, {.dport = 22}, .reason = ZW_ALLOW_FAILSAFE,
	 .rule = "rescue"},
	{"which says nothing of the packet behind it", 501, {LATE}, {ELSE}, {.dport = 80, .flags = F_ACK, .seq = 1, .ack = 1}, BLOCKED},
	{"and what comes back", 501, {ELSE}, {LATE}, {.sport = 80, .dport = 40000, .flags = F_ACK, .seq = 1, .ack = 1}, BLOCKED},
	{"but that of the other goes on", 501, {LATE}, {"10.5.0.1", "fd00:5::1"}, {.dport = 22, .flags = F_ACK, .seq = 1, .ack = 1},
	 .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
	{"both ways", 501, {"10.5.0.1", "fd00:5::1"}, {LATE}, {.sport = 22, .dport = 40000, .flags = F_ACK, .seq = 1, .ack = 1},
	 .reason = ZW_ALLOW_FAILSAFE, .rule = "rescue"},
	{"the block was no packet of the flow, which has ended", 621, {ELSE}, {LATE}, {.sport = 80, .dport = 40000, .flags = F_SYN | F_ACK},
	 .reason = ZW_DROP_TCP_STATE},
	{"but for ever", 1e9, {ELSE}, {"10.66.127.255", "fd00:66:ffff::"}, {.dport = 80}, BLOCKED},
};

static void run(struct scene *scene, const struct row *row, int family, enum zw_hook hook)
{
	struct packet_spec spec = row->packet;
	struct scene_frame frame = {.hook = hook, .time = row->time, .mac = {2, 0, 0, 0, 0, 10}};
	struct oracle_answer answer;
	struct packet packet;
	char text[SCENE_TEXT];

	spec.from = row->from[family == 6];
	spec.to = row->to[family == 6];
	if (!spec.from)
		return;
	if (row->put[0]) {
		char word[64];

		snprintf(word, sizeof(word), "%s", row->put[family == 6]);
		if (scene_block(scene, word, true))
			abort();
	}
	packet_build(&spec, &packet);
	frame.data = packet.data;
	frame.len = packet.len;
	if (!ok(scene_agrees(scene, &frame, &answer, text) && answer.reason == row->reason &&
		!strcmp(answer.rule ? answer.rule : "", row->rule ? row->rule : ""),
		"%s (IPv%d, %s)", row->what, family, scene_hook_name(hook)))
		note("%s; wanted %s", text, reason_name(row->reason));
}

int main(void)
{
	const struct scene_options options = {.stateful = true, .kernel = scene_asks_kernel(), .blocks = blocks};
	struct scene scene;

	for (int family = 4; family <= 6; family += 2)
		for (int hook = 0; hook < ZW_HOOKS; hook++) {
			if (scene_open(policy, &options, &scene)) {
				ok(false, "the policy loads");
				return done();
			}
			for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
				run(&scene, &rows[i], family, hook);
			scene_close(&scene);
		}
	return done();
}
