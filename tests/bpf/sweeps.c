/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets by the thousand, each with an expectation of its own that is worked out here from the sentence of design
 * section 5 and nothing else: all TCP flags, every IHL with every truncation, every truncation of every kind of packet,
 * ports around every end of a range.
 */
#include <string.h>

#include "scene.h"
#include "test.h"

static const char policy[] =
	"version: 1\n"
	"defaults: {action: drop}\n"
	"zones:\n"
	"  red: [10.1.0.0/24, \"fd00:1::/64\"]\n"
	"  blue: [10.2.0.0/24, \"fd00:2::/64\"]\n"
	"failsafe: []\n"
	"rules:\n"
	"  - {id: web, from: red, to: blue, service: [tcp/80, udp/53, sctp/9, icmp/8, icmpv6/128, proto/47], "
	"action: allow}\n"
	"  - {id: low, from: red, to: blue, service: [tcp/0, udp/0-1], action: allow}\n"
	"  - {id: high, from: red, to: blue, service: [tcp/65535, udp/65534-65535], action: allow}\n"
	"  - {id: middle, from: red, to: blue, service: [tcp/1000-2000, udp/1-65535, sctp/0-65534], action: "
	"drop}\n"
	"  - {id: rest, from: red, to: blue, service: [tcp/999-2001, sctp/65535], action: allow}\n";

static struct scene scene;

struct sweep {
	unsigned long tried, wrong;
};

/* Everyone agrees, and with reason and rule as expected. */
static void expect(struct sweep *sweep, const uint8_t *data, size_t len, enum zw_hook hook,
		   enum zw_reason reason, const char *rule)
{
	struct scene_frame frame = { .data = data, .len = len, .hook = hook, .mac = { 2, 0, 0, 0, 0, 10 } };
	struct oracle_answer answer;
	char text[SCENE_TEXT], hex[2 * PACKET_MAX + 1];
	bool agree = scene_agrees(&scene, &frame, &answer, text);

	sweep->tried++;
	if (agree && answer.reason == reason && !strcmp(answer.rule ? answer.rule : "", rule))
		return;
	if (sweep->wrong++ >= 5)
		return;
	packet_print_hex(data, len, hex);
	note("%s", text);
	note("wanted %s(%d) rule=%s; frame %s", reason_name(reason), reason, *rule ? rule : "-", hex);
}

static void judge(const struct sweep *sweep, const char *what)
{
	ok(sweep->wrong == 0 && sweep->tried > 0, "%s (%lu packets)", what, sweep->tried);
}

static struct packet_spec base(int family)
{
	struct packet_spec spec = { .from = family == 4 ? "10.1.0.7" : "fd00:1::7",
				    .to = family == 4 ? "10.2.0.9" : "fd00:2::9",
				    .dport = 80 };

	return spec;
}

static bool is_possible(unsigned flags)
{
	switch (flags & (F_SYN | F_FIN | F_RST | F_ACK)) {
	case F_SYN:
	case F_SYN | F_ACK:
	case F_ACK:
	case F_FIN | F_ACK:
	case F_RST:
	case F_RST | F_ACK:
		return true;
	}
	return false;
}

static void all_flags(int family)
{
	struct sweep sweep = { 0 };

	for (unsigned flags = 0; flags < 256; flags++)
		for (int hook = 0; hook < ZW_HOOKS; hook++) {
			struct packet_spec spec = base(family);
			struct packet packet;
			bool pass = is_possible(flags) && (flags & (F_SYN | F_ACK)) != (F_SYN | F_ACK);

			spec.flags = flags | F_NONE;
			packet_build(&spec, &packet);
			expect(&sweep, packet.data, packet.len, hook,
			       pass ? ZW_ALLOW_RULE : ZW_DROP_TCP_STATE, pass ? "web" : "");
		}
	judge(&sweep, family == 4 ? "all TCP flags in IPv4" : "all TCP flags in IPv6");
}

/* Options of every IHL filled with no-operations, then TCP; IHL and truncation vary. */
static void all_header_lengths(void)
{
	struct sweep sweep = { 0 };

	for (unsigned ihl = 0; ihl < 16; ihl++)
		for (size_t keep = 14; keep <= 14 + 80; keep++) {
			uint8_t frame[128] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0 };
			uint8_t *ip = frame + 14;
			size_t header = ihl < 5 ? 20 : ihl * 4, len = 14 + header + 20;
			bool whole = ihl >= 5 && keep >= len;
			static const uint8_t from[4] = { 10, 1, 0, 7 }, to[4] = { 10, 2, 0, 9 };

			if (keep > len)
				break;
			memset(ip + 20, 1, header - 20);
			ip[0] = 0x40 | ihl;
			ip[3] = header + 20;
			ip[8] = 64;
			ip[9] = P_TCP;
			memcpy(ip + 12, from, 4);
			memcpy(ip + 16, to, 4);
			ip[header] = 0x9c;
			ip[header + 3] = 80;
			ip[header + 12] = 5 << 4;
			ip[header + 13] = F_SYN;
			for (int hook = 0; hook < ZW_HOOKS; hook++)
				expect(&sweep, frame, keep, hook, whole ? ZW_ALLOW_RULE : ZW_DROP_MALFORMED,
				       whole ? "web" : "");
		}
	judge(&sweep, "every IHL with every truncation");
}

static void all_truncations(int family)
{
	static const struct {
		int protocol;
		unsigned dport, type;
		const char *chain;
	} kinds[] = { { P_TCP, 80, 0, NULL },
		      { P_UDP, 53, 0, NULL },
		      { P_SCTP, 9, 0, NULL },
		      { P_ICMP, 0, 8, NULL },
		      { P_GRE, 0, 0, NULL },
		      { P_TCP, 80, 0, "ah" },
		      { P_TCP, 80, 0, "hop dst rt frag ah dst" } };
	struct sweep sweep = { 0 };

	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
		struct packet_spec spec = base(family);
		struct packet packet;

		spec.protocol = kinds[kind].protocol;
		spec.dport = kinds[kind].dport;
		spec.type = kinds[kind].type;
		spec.chain = kinds[kind].chain;
		if (family == 6 && spec.protocol == P_ICMP) {
			spec.protocol = P_ICMPV6;
			spec.type = 128;
		}
		if (family == 4 && spec.chain && strcmp(spec.chain, "ah"))
			continue;
		packet_build(&spec, &packet);
		for (size_t keep = 0; keep <= packet.len; keep++)
			for (int hook = 0; hook < ZW_HOOKS; hook++)
				expect(&sweep, packet.data, keep, hook,
				       keep == packet.len ? ZW_ALLOW_RULE : ZW_DROP_MALFORMED,
				       keep == packet.len ? "web" : "");
	}
	judge(&sweep, family == 4 ? "every truncation of every kind of IPv4 packet"
				  : "every truncation of every kind of IPv6 packet");
}

struct port_answer {
	enum zw_reason reason;
	const char *rule;
};

/* The rules above, as a person reads them. */
static struct port_answer wanted(int protocol, unsigned port)
{
	static const struct port_answer web = { ZW_ALLOW_RULE, "web" }, low = { ZW_ALLOW_RULE, "low" },
					high = { ZW_ALLOW_RULE, "high" }, middle = { ZW_DROP_RULE, "middle" },
					rest = { ZW_ALLOW_RULE, "rest" }, none = { ZW_DROP_DEFAULT, "" };

	switch (protocol) {
	case P_TCP:
		if (port == 80)
			return web;
		if (port == 0 || port == 65535)
			return port ? high : low;
		if (port >= 1000 && port <= 2000)
			return middle;
		return port >= 999 && port <= 2001 ? rest : none;
	case P_UDP:
		if (port == 53)
			return web;
		if (port <= 1)
			return low;
		return port >= 65534 ? high : middle;
	default:
		if (port == 9)
			return web;
		return port <= 65534 ? middle : rest;
	}
}

static void all_ports(int family, int protocol, const char *what)
{
	struct sweep sweep = { 0 };

	for (unsigned port = 0; port < 65536; port += port < 2100 || port > 65400 ? 1 : 97) {
		struct port_answer want = wanted(protocol, port);
		struct packet_spec spec = base(family);
		struct packet packet;

		spec.protocol = protocol;
		spec.dport = port;
		packet_build(&spec, &packet);
		expect(&sweep, packet.data, packet.len, ZW_HOOK_XDP, want.reason, want.rule);
	}
	judge(&sweep, what);
}

int main(void)
{
	const struct scene_options options = { .kernel = scene_asks_kernel() };

	if (scene_open(policy, &options, &scene)) {
		ok(false, "the policy loads");
		return done();
	}
	all_flags(4);
	all_flags(6);
	all_header_lengths();
	all_truncations(4);
	all_truncations(6);
	all_ports(4, P_TCP, "TCP ports in IPv4");
	all_ports(6, P_TCP, "TCP ports in IPv6");
	all_ports(4, P_UDP, "UDP ports");
	all_ports(6, P_SCTP, "SCTP ports");
	note("%lu of %lu frames were too short for the kernel's test run", scene_kernel_refused,
	     scene_kernel_asked);
	scene_close(&scene);
	return done();
}
