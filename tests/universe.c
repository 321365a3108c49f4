// SPDX-License-Identifier: GPL-2.0-only
#include "universe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"
#include "test.h"

#define pick(random, array) ((array)[random_below(random, sizeof(array) / sizeof((array)[0]))])
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- The universe: an address of every kind that a policy below can name, and every port around what it names ------ */

static const char *const outside4[] = { "0.0.0.0", "9.9.9.9", "127.0.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255" };
static const char *const outside6[] = { "::", "::1", "::ffff:1.2.3.4", "2001:db8::1", "abcd::1", "fe80::1", "ff02::1" };

#define INSIDE 8

static const uint16_t tcp_ports[] = { 0, 1, 21, 22, 23, 79, 80, 81, 442, 443, 444, 7999, 8000, 8001, 8002, 8003, 65535 };
static const uint16_t udp_ports[] = { 0, 52, 53, 54, 66, 67, 68, 79, 80, 81, 65535 };
static const uint16_t sctp_ports[] = { 0, 79, 80, 81, 65535 };
static const uint16_t udp_sports[] = { 40000, 1, 53, 60, 67, 70, 80 }; /* 68 is DHCP's, see below */
static const uint16_t sctp_sports[] = { 40000, 1, 80 };
static const uint16_t icmp4[] = { 0x0000, 0x0001, 0x0300, 0x0301, 0x0800, 0x0801, 0x0d00 };
static const uint16_t icmp6[] = { 0x0100, 0x0101, 0x8000, 0x8001, 0x8100, 0x8700 };
static const uint8_t others[] = { 0, 2, 43, 44, 47, 51, 59, 60, 135, 255 };

static const char *const services[] = {
	"tcp/22", "tcp/80", "tcp/443", "tcp/8000-8002", "tcp/0", "tcp/65535", "tcp", "udp/53", "udp/53-67", "udp/67",
	"udp/80", "udp", "sctp/80", "sctp", "icmp/8", "icmp/3/1", "icmp", "icmpv6/128", "icmpv6/1/1", "icmpv6/135",
	"icmpv6", "proto/0", "proto/2", "proto/43", "proto/47", "proto/51", "proto/6", "any", "any", "any",
};

struct universe universe;

/* --- Time -------------------------------------------------------------------------------------------------------------- */

#define UNTIL ", until: "

static const char *const instants[UNIVERSE_INSTANTS] = {
	"2001-01-01T00:00:00Z", "2030-06-01T12:00:00+02:00", "2100-01-01T00:00:00.5Z"
};
const int64_t universe_instants[UNIVERSE_INSTANTS] = { 978307200, 1906538400, 4102444800 };
bool universe_rules_end;

/* --- The universe's packets -------------------------------------------------------------------------------------------- */

static void add_address(const char *text)
{
	struct address *address = &universe.address[universe.address_count++];

	if (addr_parse(text, &address->addr))
		abort();
	snprintf(address->text, sizeof(address->text), "%s", text);
}

static void make_addresses(void)
{
	char text[ADDR_TEXT_MAX];

	for (int i = 0; i < INSIDE; i++) {
		snprintf(text, sizeof(text), "10.0.0.%d", i);
		add_address(text);
	}
	for (size_t i = 0; i < COUNT(outside4); i++)
		add_address(outside4[i]);
	for (int i = 0; i < INSIDE; i++) {
		snprintf(text, sizeof(text), "fd00::%d", i);
		add_address(text);
	}
	for (size_t i = 0; i < COUNT(outside6); i++)
		add_address(outside6[i]);
}

/*
 * A frame that no stage before the policy's takes: it leaves (nothing that leaves is spoofed), its hop limit makes no
 * neighbour discovery of it. Only DHCP's first packet leaves as an essential, so that one enters.
 */
void universe_build(const struct addr *from, const struct addr *to, uint8_t protocol, uint16_t sport, uint16_t port,
		  struct packet *ret_packet, bool *ret_enters)
{
	char source[ADDR_TEXT_MAX], destination[ADDR_TEXT_MAX];
	struct packet_spec spec = { .from = source, .to = destination, .protocol = protocol, .protocol_zero = !protocol };

	addr_print(from, source);
	addr_print(to, destination);
	spec.sport = sport;
	spec.dport = port;
	spec.type = port >> 8;
	spec.code = port & 0xff;
	packet_build(&spec, ret_packet);
	*ret_enters = from->value == 0;
}

static void add_probe(uint8_t from, uint8_t to, uint8_t protocol, uint16_t sport, uint16_t port)
{
	struct probe *probe = &universe.probe[universe.probe_count];
	struct packet packet;

	if (universe.address[from].addr.family != universe.address[to].addr.family)
		return;
	*probe = (struct probe){ .from = from, .to = to, .protocol = protocol, .sport = sport, .port = port };
	universe_build(&universe.address[from].addr, &universe.address[to].addr, protocol, sport, port, &packet, &probe->enters);
	if (packet.len > sizeof(probe->data))
		abort();
	memcpy(probe->data, packet.data, packet.len);
	probe->len = packet.len;
	universe.probe_count++;
}

static void add_probes(uint8_t from, uint8_t to)
{
	for (size_t i = 0; i < COUNT(tcp_ports); i++)
		add_probe(from, to, P_TCP, 40000, tcp_ports[i]);
	for (size_t i = 0; i < COUNT(udp_ports); i++)
		for (size_t j = 0; j < COUNT(udp_sports); j++)
			add_probe(from, to, P_UDP, udp_sports[j], udp_ports[i]);
	if (!universe.address[from].addr.value)
		add_probe(from, to, P_UDP, 68, 67);
	for (size_t i = 0; i < COUNT(sctp_ports); i++)
		for (size_t j = 0; j < COUNT(sctp_sports); j++)
			add_probe(from, to, P_SCTP, sctp_sports[j], sctp_ports[i]);
	for (size_t i = 0; i < COUNT(icmp4); i++)
		add_probe(from, to, P_ICMP, 0, icmp4[i]);
	for (size_t i = 0; i < COUNT(icmp6); i++)
		add_probe(from, to, P_ICMPV6, 0, icmp6[i]);
	for (size_t i = 0; i < COUNT(others); i++)
		add_probe(from, to, others[i], 0, 0);
}

/* Those that the oracle takes for malformed, whatever the policy, are no packets. */
static void drop_malformed(void)
{
	struct scene scene;
	size_t kept = 0;

	if (scene_open("version: 1\ndefaults: {action: drop}\nrules: []\n", &(struct scene_options){ 0 }, &scene))
		abort();
	for (size_t i = 0; i < universe.probe_count; i++) {
		const struct oracle_frame frame = { .data = universe.probe[i].data, .len = universe.probe[i].len, .egress = !universe.probe[i].enters };
		struct oracle_answer answer;

		oracle_decide(scene.oracle, &frame, &answer);
		if (answer.reason == ZW_DROP_MALFORMED)
			continue;
		if (answer.reason != ZW_DROP_DEFAULT) {
			note("probe %zu is %s", i, reason_name(answer.reason));
			exit(1);
		}
		universe.probe[kept++] = universe.probe[i];
	}
	universe.probe_count = kept;
	scene_close(&scene);
}

void universe_make(void)
{
	make_addresses();
	universe.probe = calloc(universe.address_count * universe.address_count * 200, sizeof(*universe.probe));
	if (!universe.probe)
		abort();
	for (size_t from = 0; from < universe.address_count; from++)
		for (size_t to = 0; to < universe.address_count; to++)
			add_probes(from, to);
	drop_malformed();
}

/* --- Policies -------------------------------------------------------------------------------------------------------- */

static void put_address(struct random *random, FILE *out)
{
	static const char *const wide[] = { "0.0.0.0/1", "224.0.0.0/4", "\"::/0\"", "\"fe80::/10\"", "\"::/1\"", "0.0.0.0/0", "0.0.0.0", "\"::\"" };
	unsigned bits = random_below(random, 4), first = random_below(random, INSIDE) & ~((1u << bits) - 1);

	if (random_percent(random, 8))
		fputs(pick(random, wide), out);
	else if (random_percent(random, 60))
		fprintf(out, "10.0.0.%u/%u", first, 32 - bits);
	else
		fprintf(out, "\"fd00::%u/%u\"", first, 128 - bits);
}

static void put_zones(struct random *random, FILE *out, unsigned count)
{
	fputs("zones:\n", out);
	for (unsigned i = 0; i < count; i++) {
		fprintf(out, "  z%u: {addresses: [", i);
		for (unsigned n = random_below(random, 4); n; n--) {
			put_address(random, out);
			fputs(n > 1 ? ", " : "", out);
		}
		fputs("]", out);
		if (i && random_percent(random, 20))
			fprintf(out, ", zones: [z%u]", random_below(random, i));
		if (random_percent(random, 20)) {
			fputs(", except: [", out);
			put_address(random, out);
			fputs("]", out);
		}
		fputs("}\n", out);
	}
}

static void put_end(struct random *random, FILE *out, unsigned zones)
{
	static const char *const built_in[] = { "any", "any", "host", "world" };
	unsigned form = random_below(random, 10);

	if (form < 5 && zones)
		fprintf(out, "z%u", random_below(random, zones));
	else if (form < 8)
		fputs(pick(random, built_in), out);
	else
		put_address(random, out);
}

static void put_ends(struct random *random, FILE *out, unsigned zones, const char *key)
{
	fprintf(out, "%s: [", key);
	put_end(random, out, zones);
	if (random_percent(random, 20)) {
		fputs(", ", out);
		put_end(random, out, zones);
	}
	fputs("], ", out);
}

/* Where addresses come from that are not yet assigned. */
static void put_start(struct random *random, FILE *out)
{
	static const char *const udp[] = { "udp", "udp/66-68", "udp/67", "any", "icmpv6" };

	fprintf(out, "from: [%s], to: [any], service: [%s]", random_percent(random, 50) ? "0.0.0.0" : "\"::\"", pick(random, udp));
}

/* Without the id and what a rule has besides. */
static void put_region(struct random *random, FILE *out, unsigned zones)
{
	if (random_percent(random, 4)) {
		put_start(random, out);
		return;
	}
	put_ends(random, out, zones, "from");
	put_ends(random, out, zones, "to");
	fprintf(out, "service: [%s", pick(random, services));
	while (random_percent(random, 30))
		fprintf(out, ", %s", pick(random, services));
	fputs("]", out);
}

static void put_regions(struct random *random, FILE *out, const char *key, unsigned count, unsigned zones)
{
	fprintf(out, count ? "%s:\n" : "%s: []\n", key);
	for (unsigned i = 0; i < count; i++) {
		fprintf(out, "  - {id: %s%u, ", key, i);
		put_region(random, out, zones);
		fputs("}\n", out);
	}
}

void universe_rule(struct random *random, FILE *out, unsigned id, unsigned tiers, unsigned zones)
{
	static const char *const actions[] = { "allow", "allow", "allow", "drop", "drop", "pass" };
	static const char *const extras[] = { ", mode: stage", ", limit: {rate: 1/s}" };
	static const char *const logs[] = { "none", "new", "all" };
	const char *action = pick(random, actions), *extra = pick(random, extras);

	fprintf(out, "  - {id: r%u, ", id);
	put_region(random, out, zones);
	fprintf(out, ", action: %s, tier: t%u", action, random_below(random, tiers));
	if (random_percent(random, 12) && (!strcmp(action, "allow") || extra == extras[0]))
		fputs(extra, out);
	if (random_percent(random, 8) && strcmp(action, "pass"))
		fprintf(out, ", log: %s", pick(random, logs));
	if (universe_rules_end && random_percent(random, 60))
		fprintf(out, UNTIL "%s", pick(random, instants));
	fputs("}\n", out);
}

/* Which instant ends the rule of this line; UNIVERSE_INSTANTS: none. */
static int find_end(const char *line, size_t len)
{
	for (int i = 0; i < UNIVERSE_INSTANTS; i++)
		if (memmem(line, len, instants[i], strlen(instants[i])))
			return i;
	return UNIVERSE_INSTANTS;
}

static bool is_rule(const char *line)
{
	return !strncmp(line, "  - {id: r", 10);
}

/* until is a rule's last key. */
static void put_line(const char *line, size_t len, int instant, FILE *out)
{
	const char *until = memmem(line, len, UNTIL, strlen(UNTIL));

	if (find_end(line, len) <= instant)
		return;
	if (until)
		fprintf(out, "%.*s}\n", (int)(until - line), line);
	else
		fprintf(out, "%.*s\n", (int)len, line);
}

char *universe_at(const char *policy, int instant)
{
	char *text = NULL;
	size_t size, len;
	FILE *out = open_memstream(&text, &size);
	bool left = false;

	if (!out)
		abort();
	for (const char *line = policy; *line; line += len + 1) {
		len = strcspn(line, "\n");
		left |= is_rule(line) && find_end(line, len) > instant;
	}
	for (const char *line = policy; *line; line += len + 1) {
		len = strcspn(line, "\n");
		if (!left && !strncmp(line, "rules:\n", 7))
			fputs("rules: []\n", out);
		else if (strncmp(line, "  []\n", 5)) /* an empty list of its own line, as mutations leave it */
			put_line(line, len, instant, out);
	}
	fclose(out);
	return text;
}

static void put_rules(struct random *random, FILE *out, unsigned tiers, unsigned zones)
{
	unsigned count = random_below(random, 9);

	fprintf(out, count ? "rules:\n" : "rules: []\n");
	for (unsigned i = 0; i < count; i++)
		universe_rule(random, out, i, tiers, zones);
}

char *universe_policy(struct random *random)
{
	static const char *const intra[] = { "", ", intra-zone: drop", ", intra-zone: allow" };
	unsigned zones = random_below(random, 6), tiers = 1 + random_below(random, 3);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	fprintf(out, "version: 1\ndefaults: {action: %s%s}\ntiers: [t0%s%s]\n", random_percent(random, 60) ? "drop" : "allow",
		pick(random, intra), tiers > 1 ? ", t1" : "", tiers > 2 ? ", t2" : "");
	if (zones)
		put_zones(random, out, zones);
	if (random_percent(random, 80))
		put_regions(random, out, "failsafe", random_below(random, 3), zones);
	put_rules(random, out, tiers, zones);
	put_regions(random, out, "never", UNIVERSE_REGIONS, zones);
	put_regions(random, out, "always", UNIVERSE_REGIONS, zones);
	fclose(out);
	return text;
}

void universe_host(struct random *random, char *text)
{
	*text = 0;
	for (unsigned n = 1 + random_below(random, 3); n; n--)
		sprintf(text + strlen(text), random_percent(random, 60) ? "10.0.0.%u " : "fd00::%u ", random_below(random, INSIDE));
}
