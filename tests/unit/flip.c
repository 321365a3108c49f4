/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Would the comparison with the oracle see a wrong table? Every word of a small policy's tables is damaged in turn, and
 * every damage that changes a decision must be a disagreement with the oracle (design section 12).
 *
 * Two sets of packets. The representatives, which the comparison has: both ends of every range that the policy names and
 * the addresses around them (and a step of each 16-bit chunk away, where a search tree can be wrong without the end
 * being so), with every port at, before and behind the end of a service. And the witnesses, random ones: a damage that
 * changes a witness's decision, or a representative's, must be caught by a representative.
 * The big arrays, of 65,536 entries each, have representatives for each entry.
 */
#include <string.h>

#include "generate.h"
#include "scene.h"
#include "test.h"

static const char policy[] =
	"version: 1\n"
	"defaults: {action: drop, intra-zone: allow}\n"
	"zones:\n"
	"  red: [10.1.0.0/24, \"fd00:1::/64\"]\n"
	"  blue: [10.2.0.0/16, 10.3.0.7, \"fd00:2::/32\", \"fd00:3::7\"]\n"
	"  few: {addresses: [10.1.0.16-10.1.0.99], except: [10.1.0.50]}\n"
	"failsafe:\n"
	"  - {id: rescue, from: few, to: blue, service: tcp/22}\n"
	"rules:\n"
	"  - {id: no-telnet, from: red, to: any, service: tcp/23, action: drop}\n"
	"  - {id: web, from: red, to: blue, service: [tcp/80, tcp/8000-8099, icmp/8], action: allow}\n"
	"  - {id: names, from: any, to: blue, service: udp/53, action: allow}\n"
	"  - {id: tunnels, from: blue, to: red, service: proto/47, action: allow}\n"
	"  - {id: few-all, from: few, to: world, service: any, action: allow}\n";

static const struct {
	uint8_t protocol;
	uint16_t port;
} ports[] = { { P_TCP, 22 }, { P_TCP, 23 },     { P_TCP, 80 },   { P_UDP, 53 },     { P_GRE, 0 },
	      { P_ESP, 0 },  { P_ICMP, 0x800 }, { P_TCP, 8000 }, { P_TCP, 8099 },   { P_TCP, 21 },
	      { P_TCP, 24 }, { P_TCP, 79 },     { P_TCP, 81 },   { P_TCP, 7999 },   { P_TCP, 8100 },
	      { P_UDP, 52 }, { P_UDP, 54 },     { P_SCTP, 80 },  { P_ICMP, 0x7ff }, { P_ICMP, 0x900 } };
#define PORTS (sizeof(ports) / sizeof(ports[0]))
#define SERVICES 6 /* the first ones: one of each kind that rules tell apart */

static const char *const ends4[] = {
	"10.1.0.5", "10.1.0.20", "10.1.0.50", "10.2.3.4", "10.3.0.7", "192.0.2.1"
};
static const char *const ends6[] = { "fd00:1::5", "fd00:2::4", "fd00:3::7", "2001:db8::1" };

/* Sanitizers make each decision many times slower: then a part of the big arrays is enough. */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE 13
#else
#define STRIDE 1
#endif

struct sample {
	uint8_t data[96];
	size_t len;
	struct oracle_answer answer;
	struct decision decision; /* of the undamaged tables */
};

struct samples {
	struct sample *v;
	size_t count;
};

static struct scene scene;
static struct decider *damaged; /* reads the copy below */
static uint8_t *copy;
static unsigned long flips, changing, missed, idle;

static struct decision decide(struct decider *decider, const struct sample *sample)
{
	struct frame frame = { .data = sample->data, .len = sample->len, .hook = ZW_HOOK_XDP };
	struct decision decision;

	decider_decide(decider, &frame, &decision);
	return decision;
}

static void make(struct sample *sample, const char *from, const char *to, uint8_t protocol, uint16_t port)
{
	struct packet_spec spec = { .from = from,
				    .to = to,
				    .protocol = protocol,
				    .protocol_zero = !protocol,
				    .dport = port,
				    .type = port >> 8,
				    .code = port & 255 };
	struct oracle_frame frame;
	struct packet packet;

	packet_build(&spec, &packet);
	sample->len = packet.len;
	memcpy(sample->data, packet.data, packet.len);
	frame = (struct oracle_frame){ .data = sample->data, .len = sample->len };
	oracle_decide(scene.oracle, &frame, &sample->answer);
	sample->decision = decide(scene.decider, sample);
}

static void add(struct samples *samples, const char *from, const char *to, uint8_t protocol, uint16_t port)
{
	if (protocol == P_ICMP && strchr(from, ':'))
		return;
	samples->v = realloc(samples->v, (samples->count + 1) * sizeof(*samples->v));
	if (!samples->v)
		abort();
	make(&samples->v[samples->count++], from, to, protocol, port);
}

static bool is_changed(const struct decision *a, const struct decision *b)
{
	return a->allow != b->allow || a->reason != b->reason || a->rule != b->rule;
}

/* Does the comparison with the oracle report it? */
static bool is_caught(const struct sample *sample, const struct decision *decision)
{
	const struct rule_name *rule =
		decision->rule ? names_rule(scene.tables->names, decision->rule) : NULL;
	const char *id = rule ? rule->id : decision->rule ? "(none)" : "";

	return decision->allow != sample->answer.allow || decision->reason != sample->answer.reason ||
	       strcmp(id, sample->answer.rule ? sample->answer.rule : "");
}

static void tally(const char *where, size_t offset, bool changes, bool caught)
{
	flips++;
	changing += changes;
	idle += !changes;
	if (!changes || caught)
		return;
	if (missed++ < 5)
		note("a change of %s at byte %zu is not caught", where, offset);
}

/* The tables are damaged: is it seen? */
static void look(const char *where, size_t offset, const struct samples *representatives,
		 const struct samples *witnesses)
{
	bool changes = false, caught = false;

	for (size_t i = 0; i < representatives->count && !caught; i++) {
		struct decision decision = decide(damaged, &representatives->v[i]);

		changes |= is_changed(&decision, &representatives->v[i].decision);
		caught = is_caught(&representatives->v[i], &decision);
	}
	for (size_t i = 0; witnesses && i < witnesses->count && !changes; i++) {
		struct decision decision = decide(damaged, &witnesses->v[i]);

		changes = is_changed(&decision, &witnesses->v[i].decision);
	}
	tally(where, offset, changes || caught, caught);
}

static void flip_words(const char *where, uint32_t first, size_t lines, const struct samples *representatives,
		       const struct samples *witnesses)
{
	static const uint32_t damages[] = { 1,       2,          ZW_CELL_ALLOW, ZW_CELL_INTRA,
					    ZW_LINK, 0x00010000, 0x01000000,    0xffffffff };

	for (size_t offset = (size_t)first * 64; offset < (first + lines) * 64; offset += 4)
		for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
			uint32_t word, bad;

			memcpy(&word, copy + offset, 4);
			bad = word ^ damages[i];
			memcpy(copy + offset, &bad, 4);
			look(where, offset, representatives, witnesses);
			memcpy(copy + offset, &word, 4);
		}
}

static void report(const char *what)
{
	ok(missed == 0 && changing > 0,
	   "%s: %lu damages, %lu change a decision, each is caught; %lu reach no decision", what, flips,
	   changing, idle);
	flips = changing = missed = idle = 0;
}

/* --- The big arrays: representatives for each entry -------------------------------------------------------------- */

static const char *const pairs[4][2] = { { "10.1.0.5", "10.2.3.4" },
					 { "10.1.0.20", "10.3.0.7" },
					 { "10.1.0.20", "192.0.2.1" },
					 { "192.0.2.1", "10.2.3.4" } };

static void flip_class(const char *what, uint16_t *entry, uint8_t protocol, uint16_t port)
{
	struct sample sample[5];
	struct samples samples = { sample, 5 };
	uint16_t class = *entry;

	for (size_t i = 0; i < 4; i++)
		make(&sample[i], pairs[i][0], pairs[i][1], protocol, port);
	make(&sample[4], pairs[0][1], pairs[0][0], protocol, port);
	for (unsigned damage = 1; damage < 16; damage++) {
		*entry = class ^ damage;
		look(what, (uint8_t *)entry - copy, &samples, NULL);
	}
	*entry = class ^ 0xffff;
	look(what, (uint8_t *)entry - copy, &samples, NULL);
	*entry = class;
}

static void flip_protocols(void)
{
	uint16_t *entries = (uint16_t *)(copy + (size_t)scene.tables->layout.protocols * 64);

	for (unsigned protocol = 0; protocol < 256; protocol++)
		flip_class("protocols", &entries[protocol], protocol, 0);
	report("protocols");
}

static void flip_ports(const char *what, enum zw_port_table table, uint8_t protocol)
{
	uint32_t first = scene.tables->layout.ports[table];

	if (!first) {
		note("%s: this policy has no table of them", what);
		return;
	}
	for (unsigned port = 0; port < 65536; port += STRIDE)
		flip_class(what, (uint16_t *)(copy + (size_t)first * 64) + port, protocol, port);
	report(what);
}

static bool is_addressable(int family, unsigned high)
{
	if (family == 4)
		return high >> 8 != 127 && high >> 8 < 224 && high != 0;
	return high >> 8 != 0xff && high != 0;
}

static void flip_root(const char *what, int family, uint32_t first)
{
	const char *peer[] = { family == 4 ? "10.1.0.5" : "fd00:1::5",
			       family == 4 ? "10.1.0.20" : "fd00:1::6",
			       family == 4 ? "10.2.3.4" : "fd00:2::4" };

	for (unsigned high = 0; high < 65536; high += STRIDE) {
		uint32_t *entry = (uint32_t *)(copy + (size_t)first * 64) + high, step = *entry;
		struct addr addr = { family, family == 4 ? (u128)high << 16 | 5 : (u128)high << 112 | 5 };
		struct sample sample[18];
		struct samples samples = { sample, 18 };
		char text[ADDR_TEXT_MAX];

		if (!is_addressable(family, high))
			continue;
		addr_print(&addr, text);
		for (size_t i = 0; i < 9; i++) {
			make(&sample[2 * i], peer[i / 3], text, ports[1 + i % 3].protocol,
			     ports[1 + i % 3].port);
			make(&sample[2 * i + 1], text, peer[i / 3], ports[1 + i % 3].protocol,
			     ports[1 + i % 3].port);
		}
		for (uint32_t atom = 0; atom < scene.tables->layout.atom_count; atom++) {
			*entry = atom;
			look(what, high * 4, &samples, NULL);
		}
		*entry = step ^ ZW_NEXT;
		look(what, high * 4, &samples, NULL);
		*entry = step;
	}
	report(what);
}

/* --- Representatives ---------------------------------------------------------------------------------------------- */

static void around(struct samples *samples, int family, u128 value)
{
	const char *const *peers = family == 4 ? ends4 : ends6;
	size_t count = family == 4 ? sizeof(ends4) / sizeof(ends4[0]) : sizeof(ends6) / sizeof(ends6[0]);
	struct addr addr = { family, family == 4 ? (uint32_t)value : value };
	char text[ADDR_TEXT_MAX];

	addr_print(&addr, text);
	for (size_t i = 0; i < count; i++)
		for (size_t port = 0; port < SERVICES; port++) {
			add(samples, text, peers[i], ports[port].protocol, ports[port].port);
			add(samples, peers[i], text, ports[port].protocol, ports[port].port);
		}
}

static void around_end(struct samples *samples, int family, u128 value)
{
	unsigned bits = family == 4 ? 32 : 128;

	around(samples, family, value);
	for (unsigned shift = 0; shift < bits; shift += 16) {
		around(samples, family, value + ((u128)1 << shift));
		around(samples, family, value - ((u128)1 << shift));
	}
}

static void around_zones(struct samples *samples)
{
	for (size_t i = 0; i < scene.policy->zone_count; i++) {
		const struct ranges *sets[] = { &scene.policy->zones[i].listed,
						&scene.policy->zones[i].except };

		for (int set = 0; set < 2 && scene.policy->zones[i].kind == ZONE_DECLARED; set++) {
			for (size_t j = 0; j < sets[set]->v4_count; j++) {
				around_end(samples, 4, sets[set]->v4[j].first);
				around_end(samples, 4, sets[set]->v4[j].last);
			}
			for (size_t j = 0; j < sets[set]->v6_count; j++) {
				around_end(samples, 6, sets[set]->v6[j].first);
				around_end(samples, 6, sets[set]->v6[j].last);
			}
		}
	}
}

static void all_pairs(struct samples *samples, const char *const *ends, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++)
			for (size_t port = 0; port < PORTS; port++)
				add(samples, ends[i], ends[j], ports[port].protocol, ports[port].port);
}

static void make_witnesses(struct samples *samples)
{
	struct random random = { .state = 1 };

	for (int i = 0; i < 1500; i++) {
		int family = random_percent(&random, 50) ? 4 : 6;
		struct addr addr = { .family = family };
		char text[2][ADDR_TEXT_MAX];

		for (int end = 0; end < 2; end++) {
			if (family == 4)
				addr.value = 0x0a000000u | (random_next(&random) &
							    (random_below(&random, 2) ? 0x3ffff : 0x100ff));
			else
				addr.value = (u128)0xfd00 << 112 | (u128)random_below(&random, 5) << 96 |
					     random_below(&random, 9);
			addr_print(&addr, text[end]);
		}
		if (random_below(&random, 3))
			add(samples, text[0], text[1], P_TCP,
			    random_below(&random, 2) ? random_below(&random, 100)
						     : 7990 + random_below(&random, 120));
		else
			add(samples, text[0], text[1], random_below(&random, 256), 53);
	}
}

static bool all_agree(const struct samples *samples)
{
	for (size_t i = 0; i < samples->count; i++)
		if (is_caught(&samples->v[i], &samples->v[i].decision))
			return false;
	return true;
}

/* The lines that are neither roots nor ports nor protocols. */
static void flip_structure(const struct samples *representatives, const struct samples *witnesses)
{
	const struct zw_layout *layout = &scene.tables->layout;
	uint32_t line = 0;

	while (line < layout->lines) {
		uint32_t skip = line == layout->root4 || line == layout->root6 ? 65536 * 4 / 64 : 0;

		if (line == layout->protocols)
			skip = 256 * 2 / 64;
		for (int i = 0; i < ZW_PORT_TABLES; i++)
			if (layout->ports[i] && line == layout->ports[i])
				skip = 65536 * 2 / 64;
		if (!skip)
			flip_words("the tables", line, 1, representatives, witnesses);
		line += skip ? skip : 1;
	}
	report("search lines, atoms, pairs, rows and cells");
}

int main(void)
{
	const struct scene_options options = { 0 };
	struct samples representatives = { 0 }, witnesses = { 0 };

	if (scene_open(policy, &options, &scene)) {
		ok(false, "the policy compiles");
		return done();
	}
	copy = aligned_alloc(64, scene.tables->len);
	if (!copy || decider_new(copy, &scene.tables->layout, false, &damaged))
		abort();
	memcpy(copy, scene.tables->bytes, scene.tables->len);
	all_pairs(&representatives, ends4, sizeof(ends4) / sizeof(ends4[0]));
	all_pairs(&representatives, ends6, sizeof(ends6) / sizeof(ends6[0]));
	around_zones(&representatives);
	make_witnesses(&witnesses);
	ok(all_agree(&representatives) && all_agree(&witnesses),
	   "the undamaged tables agree with the oracle on %zu representatives "
	   "and %zu witnesses",
	   representatives.count, witnesses.count);
	flip_structure(&representatives, &witnesses);
	flip_protocols();
	flip_ports("TCP ports", ZW_PORT_TCP, P_TCP);
	flip_ports("UDP ports", ZW_PORT_UDP, P_UDP);
	flip_ports("ICMP types and codes", ZW_PORT_ICMP, P_ICMP);
	flip_root("the root of IPv4 addresses", 4, scene.tables->layout.root4);
	flip_root("the root of IPv6 addresses", 6, scene.tables->layout.root6);
	ok(!memcmp(copy, scene.tables->bytes, scene.tables->len), "every damage was mended");
	free(representatives.v);
	free(witnesses.v);
	decider_free(damaged);
	free(copy);
	scene_close(&scene);
	return done();
}
