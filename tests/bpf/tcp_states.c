/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP's states: in every state of bpf/flow.h's table, every combination of the six flags from either side, in window and
 * out of it, through programs, tables and oracle. The state that it leads to shows in how long the flow then lives: just
 * before its timeout a packet of the other side passes, just after it on another flow of the same story it does not.
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
	"failsafe: []\n"
	"rules: [{id: web, from: red, to: blue, service: tcp/80, action: allow}]\n";

enum state { SAME, SYN, SYN_ACK, ESTABLISHED, FIN, CLOSING, RESET, PICKED_UP };

static const double timeouts[] = { [SYN] = 120, [SYN_ACK] = 60, [ESTABLISHED] = 432000, [FIN] = 120,
				   [CLOSING] = 30, [RESET] = 10, [PICKED_UP] = 300 };

enum { FORTH, BACK };

struct said {
	bool back;
	unsigned flags; /* 0: nothing more */
};

/* How a flow comes into a state, and where a packet in window leads from there, by what it is and who sends it. */
struct row {
	const char *name;
	enum state is;
	struct said story[8];
	enum state syn_ack[2], ack[2], fin[2], rst[2], rst_ack[2];
};

#define OPEN { FORTH, F_SYN }, { BACK, F_SYN | F_ACK }
#define CONNECT OPEN, { FORTH, F_ACK }

static const struct row rows[] = {
	{ "SYN seen", SYN, { { FORTH, F_SYN } }, { SAME, SYN_ACK }, { SAME, SAME }, { SAME, SAME }, { RESET, SAME },
	  { RESET, RESET } },
	{ "SYN+ACK seen", SYN_ACK, { OPEN }, { SAME, SAME }, { ESTABLISHED, SAME }, { FIN, FIN }, { RESET, RESET },
	  { RESET, RESET } },
	{ "established", ESTABLISHED, { CONNECT }, { SAME, SAME }, { SAME, SAME }, { FIN, FIN }, { RESET, RESET },
	  { RESET, RESET } },
	{ "the opener's FIN seen", FIN, { CONNECT, { FORTH, F_FIN | F_ACK } }, { SAME, SAME }, { SAME, SAME },
	  { SAME, CLOSING }, { RESET, RESET }, { RESET, RESET } },
	{ "the other side's FIN seen", FIN, { CONNECT, { BACK, F_FIN | F_ACK } }, { SAME, SAME }, { SAME, SAME },
	  { CLOSING, SAME }, { RESET, RESET }, { RESET, RESET } },
	{ "closing", CLOSING, { CONNECT, { FORTH, F_FIN | F_ACK }, { BACK, F_FIN | F_ACK } }, { SAME, SAME },
	  { SAME, SAME }, { SAME, SAME }, { RESET, RESET }, { RESET, RESET } },
	{ "reset", RESET, { CONNECT, { BACK, F_RST } }, { SAME, SAME }, { SAME, SAME }, { SAME, SAME }, { SAME, SAME },
	  { SAME, SAME } },
	{ "picked up", PICKED_UP, { { FORTH, F_ACK } }, { SAME, SAME }, { SAME, SAME }, { SAME, SAME },
	  { RESET, SAME }, { RESET, SAME } },
	{ "picked up and answered", PICKED_UP, { { FORTH, F_ACK }, { BACK, F_ACK } }, { SAME, SAME },
	  { ESTABLISHED, SAME }, { FIN, FIN }, { RESET, RESET }, { RESET, RESET } },
};

static struct scene scene;
static double now = 1000;
static unsigned flows;
static unsigned long packets, wrong;

/* The flow at hand: its ends, and what each side sends next. */
static int family;
static enum zw_hook hook;
static uint32_t next[2];

static void begin(void)
{
	flows++;
	next[FORTH] = 1000000000 + flows * 7919;
	next[BACK] = 4294967290u; /* soon beyond the wrap */
}

static void send(bool back, unsigned flags, uint32_t aside, enum zw_reason reason, const char *rule)
{
	char red[32], blue[32], text[SCENE_TEXT];
	struct packet_spec spec = { .from = back ? blue : red,
				    .to = back ? red : blue,
				    .sport = back ? 80 : 40000,
				    .dport = back ? 40000 : 80,
				    .flags = flags | F_NONE,
				    .seq = next[back] + aside,
				    .ack = flags & F_ACK ? next[!back] + aside : 0 };
	struct scene_frame frame = { .hook = hook, .time = now };
	struct oracle_answer answer;
	struct packet packet;
	bool agree;

	snprintf(red, sizeof(red), family == 4 ? "10.1.%u.%u" : "fd00:1::%x:%x", flows >> 8 & 255, flows & 255);
	snprintf(blue, sizeof(blue), family == 4 ? "10.2.%u.1" : "fd00:2::%x:1", flows >> 16 & 255);
	packet_build(&spec, &packet);
	frame.data = packet.data;
	frame.len = packet.len;
	agree = scene_agrees(&scene, &frame, &answer, text);
	packets++;
	if (!aside)
		next[back] += !!(flags & F_SYN) + !!(flags & F_FIN);
	if (agree && answer.reason == reason && !strcmp(answer.rule ? answer.rule : "", rule))
		return;
	if (wrong++ < 5) {
		note("%s", text);
		note("wanted %s, flags 0x%02x, %s, %s window", reason_name(reason), flags, back ? "back" : "forth",
		     aside ? "out of" : "in");
	}
}

static void tell(const struct row *row)
{
	begin();
	for (const struct said *said = row->story; said->flags; said++) {
		bool first = said == row->story;

		send(said->back, said->flags, 0, first ? ZW_ALLOW_RULE : ZW_ALLOW_FLOW, "web");
	}
}

/* A bare SYN is decided by policy, which knows the opener's way only; on a flow that gives way it opens a new one. */
static enum state after_syn(const struct row *row, bool back)
{
	return !back && (row->is == CLOSING || row->is == RESET || row->is == PICKED_UP) ? SYN : SAME;
}

/* Sends the packet and returns the state it leads to. */
static enum state say(const struct row *row, bool back, unsigned flags, uint32_t aside)
{
	enum zw_reason reason = ZW_ALLOW_FLOW;
	enum state leads = SAME;
	switch (flags & (F_SYN | F_FIN | F_RST | F_ACK)) {
	case F_SYN:
		leads = after_syn(row, back);
		send(back, flags, aside, back ? ZW_DROP_DEFAULT : ZW_ALLOW_RULE, back ? "" : "web");
		return leads;
	case F_SYN | F_ACK:
		leads = aside ? SAME : row->syn_ack[back];
		break;
	case F_ACK:
		leads = aside ? SAME : row->ack[back];
		break;
	case F_FIN | F_ACK:
		leads = aside ? SAME : row->fin[back];
		break;
	case F_RST:
		leads = aside ? SAME : row->rst[back];
		break;
	case F_RST | F_ACK:
		leads = aside ? SAME : row->rst_ack[back];
		break;
	default:
		reason = ZW_DROP_TCP_STATE;
	}
	send(back, flags, aside, reason, reason == ZW_ALLOW_FLOW ? "web" : "");
	return leads;
}

static void probe(const struct row *row, bool back, unsigned flags, uint32_t aside)
{
	for (int late = 0; late < 2; late++) {
		enum state leads;

		tell(row);
		leads = say(row, back, flags, aside);
		now += timeouts[leads == SAME ? row->is : leads] + (late ? 2 : -2);
		send(true, F_ACK, 0, late ? ZW_DROP_DEFAULT : ZW_ALLOW_FLOW, late ? "" : "web");
		now += 500000; /* nothing of it is left */
	}
}

static void all_flags(const struct row *row)
{
	packets = wrong = 0;
	for (unsigned flags = 0; flags < 64; flags++)
		for (int back = 0; back < 2; back++)
			for (uint32_t aside = 0; aside <= 5000; aside += 5000)
				probe(row, back, flags, aside);
	ok(!wrong, "%s: all flags, both sides, in window and out of it (IPv%d, %s, %lu packets)", row->name, family,
	   scene_hook_name(hook), packets);
}

int main(void)
{
	const struct scene_options options = { .stateful = true, .kernel = scene_asks_kernel() };

	for (hook = 0; hook < ZW_HOOKS; hook++)
		for (family = 4; family <= 6; family += 2) {
			/* Anew, because the oracle looks through all flows there ever were. */
			if (scene_open(policy, &options, &scene)) {
				ok(false, "the policy loads");
				return done();
			}
			for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
				all_flags(&rows[i]);
			scene_close(&scene);
		}
	return done();
}
