// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets that belong to nothing: answers without a question, from the side that policy lets open connections (forth) and
 * from the other (back). Whatever becomes of them, they leave no state that lets the other side in: after each, the
 * other side sends what that state would let pass. Both families, all hooks, loose and strict; through the programs, the
 * tables and the oracle.
 */
#include <string.h>
#include <unistd.h>

#include "scene.h"
#include "test.h"

static const char policy[] =
	"version: 1\n"
	"defaults: {action: drop, tcp: %s}\n"
	"zones:\n"
	"  red: [10.1.0.0/24, \"fd00:1::/64\"]\n"
	"  blue: [10.2.0.0/24, \"fd00:2::/64\"]\n"
	"failsafe: []\n"
	"rules:\n"
	"  - {id: web, from: red, to: blue, service: tcp/80, action: allow}\n"
	"  - {id: echo, from: red, to: blue, service: [icmp, icmpv6], action: allow}\n";

enum { LOOSE, STRICT };

struct verdict {
	enum zw_reason reason;
	const char *rule;
};

#define RULE(id) { ZW_ALLOW_RULE, id }
#define FLOW(id) { ZW_ALLOW_FLOW, id }
#define DEFAULT { ZW_DROP_DEFAULT, NULL }
#define STATE { ZW_DROP_TCP_STATE, NULL }
#define TCP_FORTH(f) { .dport = 80, .flags = f }
#define TCP_BACK(f) { .sport = 80, .dport = 40000, .flags = f }
#define ECHO4(type_) { .protocol = P_ICMP, .type = type_, .id = 7 }
#define ECHO6(type_) { .protocol = P_ICMPV6, .type = type_, .id = 7 }

static const struct row {
	const char *what;
	int family; /* 0: both */
	bool back; /* the stray; the probe goes the other way */
	struct packet_spec stray, probe;
	struct verdict want[2], then[2]; /* loose, strict: of the stray, of the probe */
} rows[] = {
	{ "SYN+ACK forth", 0, false, TCP_FORTH(F_SYN | F_ACK), TCP_BACK(F_ACK), { STATE, STATE }, { DEFAULT, STATE } },
	/* An ACK may be of a connection that policy allows and nobody saw beginning: then its answers belong to it. */
	{ "ACK forth", 0, false, TCP_FORTH(F_ACK), TCP_BACK(F_ACK), { RULE("web"), STATE }, { FLOW("web"), STATE } },
	{ "ACK forth, then a SYN", 0, false, TCP_FORTH(F_ACK), TCP_BACK(F_SYN), { RULE("web"), STATE }, { DEFAULT, DEFAULT } },
	{ "RST forth", 0, false, TCP_FORTH(F_RST), TCP_BACK(F_ACK), { RULE("web"), STATE }, { DEFAULT, STATE } },
	{ "RST+ACK forth", 0, false, TCP_FORTH(F_RST | F_ACK), TCP_BACK(F_ACK), { RULE("web"), STATE }, { DEFAULT, STATE } },
	{ "FIN+ACK forth", 0, false, TCP_FORTH(F_FIN | F_ACK), TCP_BACK(F_ACK), { RULE("web"), STATE }, { DEFAULT, STATE } },
	{ "echo reply forth", 4, false, ECHO4(0), ECHO4(8), { RULE("echo"), RULE("echo") }, { DEFAULT, DEFAULT } },
	{ "echo reply forth, and one back", 4, false, ECHO4(0), ECHO4(0), { RULE("echo"), RULE("echo") }, { DEFAULT, DEFAULT } },
	{ "echo reply forth in IPv6", 6, false, ECHO6(129), ECHO6(128), { RULE("echo"), RULE("echo") }, { DEFAULT, DEFAULT } },
	{ "echo reply forth, and one back, in IPv6", 6, false, ECHO6(129), ECHO6(129), { RULE("echo"), RULE("echo") },
	  { DEFAULT, DEFAULT } },

	{ "SYN+ACK back", 0, true, TCP_BACK(F_SYN | F_ACK), TCP_FORTH(F_FIN | F_ACK), { STATE, STATE }, { RULE("web"), STATE } },
	{ "ACK back", 0, true, TCP_BACK(F_ACK), TCP_FORTH(F_FIN | F_ACK), { DEFAULT, STATE }, { RULE("web"), STATE } },
	{ "RST back", 0, true, TCP_BACK(F_RST), TCP_FORTH(F_FIN | F_ACK), { DEFAULT, STATE }, { RULE("web"), STATE } },
	{ "FIN+ACK back", 0, true, TCP_BACK(F_FIN | F_ACK), TCP_FORTH(F_FIN | F_ACK), { DEFAULT, STATE }, { RULE("web"), STATE } },
	{ "echo reply back", 4, true, ECHO4(0), ECHO4(0), { DEFAULT, DEFAULT }, { RULE("echo"), RULE("echo") } },
	{ "echo reply back in IPv6", 6, true, ECHO6(129), ECHO6(129), { DEFAULT, DEFAULT }, { RULE("echo"), RULE("echo") } },
};

static unsigned host; /* so that rows do not meet */

static bool sends(struct scene *scene, const struct packet_spec *of, int family, bool back, enum zw_hook hook,
		  const struct verdict *want, const char *what)
{
	struct scene_frame frame = { .hook = hook, .mac = { 2, 0, 0, 0, 0, 10 }, .time = 1000 };
	char red[48], blue[48], text[SCENE_TEXT];
	struct packet_spec spec = *of;
	struct oracle_answer answer;
	struct packet packet;

	snprintf(red, sizeof(red), family == 4 ? "10.1.0.%u" : "fd00:1::%x", host);
	snprintf(blue, sizeof(blue), family == 4 ? "10.2.0.%u" : "fd00:2::%x", host);
	spec.from = back ? blue : red;
	spec.to = back ? red : blue;
	packet_build(&spec, &packet);
	frame.data = packet.data;
	frame.len = packet.len;
	if (scene_agrees(scene, &frame, &answer, text) && answer.reason == want->reason &&
	    !strcmp(answer.rule ? answer.rule : "", want->rule ? want->rule : ""))
		return true;
	note("%s: %s, wanted %s(%d) rule=%s", what, text, reason_name(want->reason), want->reason,
	     want->rule ? want->rule : "-");
	return false;
}

static void run(struct scene *scene, const struct row *r, int mode, int family, enum zw_hook hook)
{
	bool good;

	host++;
	good = sends(scene, &r->stray, family, r->back, hook, &r->want[mode], "the stray") &&
	       sends(scene, &r->probe, family, !r->back, hook, &r->then[mode], "the other side");
	ok(good, "%s (%s, IPv%d, %s)", r->what, mode == STRICT ? "strict" : "loose", family, scene_hook_name(hook));
}

int main(void)
{
	static const char *const modes[] = { [LOOSE] = "loose", [STRICT] = "strict" };
	const struct scene_options options = { .stateful = true, .kernel = true };

	if (geteuid() != 0)
		skip_all("loading the programs needs root");
	for (int mode = LOOSE; mode <= STRICT; mode++) {
		struct scene scene;
		char text[sizeof(policy) + 16];

		snprintf(text, sizeof(text), policy, modes[mode]);
		host = 0;
		if (scene_open(text, &options, &scene)) {
			ok(false, "the policy loads");
			return done();
		}
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			for (int family = 4; family <= 6; family += 2)
				for (int hook = 0; hook < ZW_HOOKS; hook++)
					if (!rows[i].family || rows[i].family == family)
						run(&scene, &rows[i], mode, family, hook);
		scene_close(&scene);
	}
	return done();
}
