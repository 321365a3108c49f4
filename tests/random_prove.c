/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * never and always against the oracle's exhaustive answer: random policies over a /29 and a /125, and every packet that
 * they could tell apart. The engine must find what the oracle finds, and each counterexample must be one for oracle,
 * tables and programs. With the host not known, an answer that is given must be the answer for any host.
 *
 *   random_prove [--seed N] [--policies N] [--kernel N]
 *
 * The policy number i of seed s is the only policy of seed s + i. --kernel: how many are also loaded (root).
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "generate.h"
#include "scene.h"
#include "simulate/prove.h"
#include "test.h"

#define pick(random, array) ((array)[random_below(random, sizeof(array) / sizeof((array)[0]))])
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- The universe: an address of every kind that a policy below can name, and every port around what it names ------ */

static const char *const outside4[] = { "0.0.0.0", "9.9.9.9", "127.0.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255" };
static const char *const outside6[] = { "::", "::1", "::ffff:1.2.3.4", "2001:db8::1", "abcd::1", "fe80::1", "ff02::1" };

#define INSIDE 8
#define ADDRESSES_MAX 32

static const uint16_t tcp_ports[] = { 0, 1, 21, 22, 23, 79, 80, 81, 442, 443, 444, 7999, 8000, 8001, 8002, 8003, 65535 };
static const uint16_t udp_ports[] = { 0, 52, 53, 54, 66, 67, 68, 79, 80, 81, 65535 };
static const uint16_t sctp_ports[] = { 0, 79, 80, 81, 65535 };
static const uint16_t udp_sports[] = { 40000, 53, 60, 67, 80 }; /* 68 is DHCP's, see below */
static const uint16_t sctp_sports[] = { 40000, 80 };
static const uint16_t icmp4[] = { 0x0000, 0x0001, 0x0300, 0x0301, 0x0800, 0x0801, 0x0d00 };
static const uint16_t icmp6[] = { 0x0100, 0x0101, 0x8000, 0x8001, 0x8100, 0x8700 };
static const uint8_t others[] = { 0, 2, 43, 44, 47, 51, 59, 60, 135, 255 };

static const char *const services[] = {
	"tcp/22", "tcp/80", "tcp/443", "tcp/8000-8002", "tcp/0", "tcp/65535", "tcp", "udp/53", "udp/53-67", "udp/67",
	"udp/80", "udp", "sctp/80", "sctp", "icmp/8", "icmp/3/1", "icmp", "icmpv6/128", "icmpv6/1/1", "icmpv6/135",
	"icmpv6", "proto/0", "proto/2", "proto/43", "proto/47", "proto/51", "proto/6", "any", "any", "any",
};

struct address {
	struct addr addr;
	char text[ADDR_TEXT_MAX];
};

static struct address addresses[ADDRESSES_MAX];
static size_t address_count;

/* Every packet there is in the universe. */
struct probe {
	uint8_t from, to; /* addresses */
	uint8_t protocol;
	uint16_t sport, port;
	bool enters;
	uint16_t len;
	uint8_t data[86];
};

static struct probe *probes;
static size_t probe_count;

static void add_address(const char *text)
{
	struct address *address = &addresses[address_count++];

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
static bool build(const struct addr *from, const struct addr *to, uint8_t protocol, uint16_t sport, uint16_t port,
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
	return true;
}

static void add_probe(uint8_t from, uint8_t to, uint8_t protocol, uint16_t sport, uint16_t port)
{
	struct probe *probe = &probes[probe_count];
	struct packet packet;

	if (addresses[from].addr.family != addresses[to].addr.family)
		return;
	*probe = (struct probe){ .from = from, .to = to, .protocol = protocol, .sport = sport, .port = port };
	build(&addresses[from].addr, &addresses[to].addr, protocol, sport, port, &packet, &probe->enters);
	if (packet.len > sizeof(probe->data))
		abort();
	memcpy(probe->data, packet.data, packet.len);
	probe->len = packet.len;
	probe_count++;
}

static void add_probes(uint8_t from, uint8_t to)
{
	for (size_t i = 0; i < COUNT(tcp_ports); i++)
		add_probe(from, to, P_TCP, 40000, tcp_ports[i]);
	for (size_t i = 0; i < COUNT(udp_ports); i++)
		for (size_t j = 0; j < COUNT(udp_sports); j++)
			add_probe(from, to, P_UDP, udp_sports[j], udp_ports[i]);
	if (!addresses[from].addr.value)
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
	for (size_t i = 0; i < probe_count; i++) {
		const struct oracle_frame frame = { .data = probes[i].data, .len = probes[i].len, .egress = !probes[i].enters };
		struct oracle_answer answer;

		oracle_decide(scene.oracle, &frame, &answer);
		if (answer.reason == ZW_DROP_MALFORMED)
			continue;
		if (answer.reason != ZW_DROP_DEFAULT) {
			note("probe %zu is %s", i, reason_name(answer.reason));
			exit(1);
		}
		probes[kept++] = probes[i];
	}
	probe_count = kept;
	scene_close(&scene);
}

static void make_universe(void)
{
	make_addresses();
	probes = calloc(address_count * address_count * 160, sizeof(*probes));
	if (!probes)
		abort();
	for (size_t from = 0; from < address_count; from++)
		for (size_t to = 0; to < address_count; to++)
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

static void put_rules(struct random *random, FILE *out, unsigned tiers, unsigned zones)
{
	static const char *const actions[] = { "allow", "allow", "allow", "drop", "drop", "pass" };
	static const char *const extras[] = { ", mode: stage", ", limit: {rate: 1/s}" };
	unsigned count = random_below(random, 9);

	fprintf(out, count ? "rules:\n" : "rules: []\n");
	for (unsigned i = 0; i < count; i++) {
		const char *action = pick(random, actions), *extra = pick(random, extras);

		fprintf(out, "  - {id: r%u, ", i);
		put_region(random, out, zones);
		fprintf(out, ", action: %s, tier: t%u", action, random_below(random, tiers));
		if (random_percent(random, 12) && (!strcmp(action, "allow") || extra == extras[0]))
			fputs(extra, out);
		fputs("}\n", out);
	}
}

#define REGIONS 4 /* never, and as many always */

static char *make_policy(struct random *random)
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
	put_regions(random, out, "never", REGIONS, zones);
	put_regions(random, out, "always", REGIONS, zones);
	fclose(out);
	return text;
}

static void make_host(struct random *random, char *text)
{
	*text = 0;
	for (unsigned n = random_below(random, 4); n; n--)
		sprintf(text + strlen(text), random_percent(random, 60) ? "10.0.0.%u " : "fd00::%u ", random_below(random, INSIDE));
}

/* --- The oracle's answers -------------------------------------------------------------------------------------------- */

struct truth {
	bool any, allowed, dropped;
};

static bool in_service(const struct selectors *service, uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < service->count; i++) {
		const struct selector *s = &service->v[i];

		if (s->any_protocol || (s->protocol == protocol && s->first <= port && port <= s->last))
			return true;
	}
	return false;
}

static bool in_end(const struct scene *scene, const struct zone_list *list, const struct addr *addr)
{
	for (size_t i = 0; i < list->count; i++)
		if (oracle_in_zone(scene->oracle, list->zone[i], addr))
			return true;
	return false;
}

static struct truth look(const struct scene *scene, const bool *allowed, const struct rule *region)
{
	bool from[ADDRESSES_MAX], to[ADDRESSES_MAX];
	struct truth truth = { 0 };

	for (size_t i = 0; i < address_count; i++) {
		from[i] = in_end(scene, &region->from, &addresses[i].addr);
		to[i] = in_end(scene, &region->to, &addresses[i].addr);
	}
	for (size_t i = 0; i < probe_count; i++) {
		const struct probe *probe = &probes[i];

		if (!from[probe->from] || !to[probe->to] || !in_service(&region->service, probe->protocol, probe->port))
			continue;
		truth.any = true;
		truth.allowed |= allowed[i];
		truth.dropped |= !allowed[i];
	}
	return truth;
}

/* What becomes of every packet. */
static void ask_oracle(struct scene *scene, bool *allowed)
{
	for (size_t i = 0; i < probe_count; i++) {
		const struct oracle_frame frame = { .data = probes[i].data, .len = probes[i].len, .egress = !probes[i].enters };
		struct oracle_answer answer;

		oracle_decide(scene->oracle, &frame, &answer);
		allowed[i] = answer.allow;
	}
}

static enum outcome_result expect(const struct truth *truth, enum outcome_kind kind)
{
	if (kind == OUTCOME_NEVER)
		return truth->allowed ? OUTCOME_COUNTEREXAMPLE : OUTCOME_HOLDS;
	return truth->dropped ? OUTCOME_COUNTEREXAMPLE : truth->any ? OUTCOME_HOLDS : OUTCOME_EMPTY;
}

/* --- Comparison ------------------------------------------------------------------------------------------------------ */

static unsigned long answers, counterexamples, by_failsafe, from_nowhere, hostless, open_hosts;
static unsigned long results[2][OUTCOME_HOST + 1];

/* Is it in the region, and does everybody see what the engine saw? */
static bool is_confirmed(struct scene *scene, const struct outcome *outcome)
{
	const struct space_packet *p = &outcome->packet;
	const struct rule *region = outcome_region(scene->policy, outcome);
	const struct rule_name *rule = outcome_rule(scene->tables, outcome);
	struct scene_frame frame = { 0 };
	struct oracle_answer answer;
	struct packet packet;
	char text[SCENE_TEXT];
	bool enters;

	if (!in_end(scene, &region->from, &p->from) || !in_end(scene, &region->to, &p->to) ||
	    !in_service(&region->service, p->protocol, p->port)) {
		note("the counterexample of %s is not in its region", region->id);
		return false;
	}
	build(&p->from, &p->to, p->protocol, p->sport, p->port, &packet, &enters);
	frame.data = packet.data;
	frame.len = packet.len;
	frame.hook = enters ? ZW_HOOK_XDP : ZW_HOOK_EGRESS;
	if (!scene_agrees(scene, &frame, &answer, text)) {
		note("%s: %s", region->id, text);
		return false;
	}
	if (answer.reason == outcome->decision.reason && answer.allow == (outcome->kind == OUTCOME_NEVER) &&
	    !strcmp(answer.rule ? answer.rule : "", rule ? rule->id : ""))
		return true;
	note("%s: the engine said %s by %s, but %s", region->id, reason_name(outcome->decision.reason),
	     rule ? rule->id : "nothing", text);
	return false;
}

static bool compare(struct scene *scene, const bool *allowed, const struct outcome *outcome)
{
	const struct rule *region = outcome_region(scene->policy, outcome);
	struct truth truth = look(scene, allowed, region);
	enum outcome_result want = expect(&truth, outcome->kind);

	answers++;
	results[outcome->kind == OUTCOME_ALWAYS][outcome->result]++;
	if (outcome->result != want) {
		note("%s: result %d, the oracle has %d", region->id, outcome->result, want);
		return false;
	}
	if (outcome->result != OUTCOME_COUNTEREXAMPLE)
		return true;
	counterexamples++;
	by_failsafe += outcome->decision.reason == ZW_ALLOW_FAILSAFE;
	from_nowhere += !outcome->packet.from.value;
	return is_confirmed(scene, outcome);
}

static bool open_scene(const char *policy, const char *host, bool kernel, struct random *random, struct scene *scene)
{
	const struct scene_options options = {
		.host = host,
		.kernel = kernel,
		.dense_bytes = random_percent(random, 30) ? 4u << random_below(random, 5) : 0,
	};

	return !scene_open(policy, &options, scene);
}

static bool check_known(struct random *random, const char *policy, const char *host, bool kernel)
{
	bool *allowed = calloc(probe_count, sizeof(*allowed)), good;
	struct outcomes outcomes = { 0 };
	struct scene scene;

	good = allowed && open_scene(policy, host, kernel, random, &scene);
	if (!good)
		return false;
	ask_oracle(&scene, allowed);
	good = !prove(scene.policy, scene.tables, &outcomes);
	for (size_t i = 0; i < outcomes.count && good; i++)
		good = compare(&scene, allowed, &outcomes.v[i]);
	good = good && outcomes.count == 2 * REGIONS;
	outcomes_clear(&outcomes);
	scene_close(&scene);
	free(allowed);
	return good;
}

static bool results_of(struct random *random, const char *policy, const char *host, enum outcome_result *ret_results)
{
	struct outcomes outcomes = { 0 };
	struct scene scene;
	bool good = open_scene(policy, host, false, random, &scene);

	if (!good)
		return false;
	good = !prove(scene.policy, scene.tables, &outcomes) && outcomes.count == 2 * REGIONS;
	for (size_t i = 0; i < outcomes.count && good; i++)
		ret_results[i] = outcomes.v[i].result;
	outcomes_clear(&outcomes);
	scene_close(&scene);
	return good;
}

/* The answer without the host's addresses is the answer with any, if there is one. */
static bool check_unknown(struct random *random, const char *policy)
{
	enum outcome_result without[2 * REGIONS], with[2 * REGIONS];
	char host[128];

	if (!results_of(random, policy, NULL, without))
		return false;
	for (int i = 0; i < 2 * REGIONS; i++) {
		hostless += without[i] != OUTCOME_HOST;
		open_hosts += without[i] == OUTCOME_HOST;
	}
	for (int tries = 0; tries < 6; tries++) {
		make_host(random, host);
		if (!results_of(random, policy, host, with))
			return false;
		for (int i = 0; i < 2 * REGIONS; i++) {
			if (without[i] == OUTCOME_HOST || without[i] == with[i])
				continue;
			note("entry %d: result %d without the host, %d with host '%s'", i, without[i], with[i], host);
			return false;
		}
	}
	return true;
}

static bool check(uint64_t seed, bool kernel)
{
	struct random random = { seed * 0x9e3779b97f4a7c15ull };
	char *policy = make_policy(&random), host[128];
	bool good;

	make_host(&random, host);
	good = check_known(&random, policy, host, kernel) && check_unknown(&random, policy);
	if (!good) {
		note("seed %llu, host '%s'", (unsigned long long)seed, host);
		for (char *line = strtok(policy, "\n"); line; line = strtok(NULL, "\n"))
			note("%s", line);
	}
	free(policy);
	return good;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "policies", required_argument, NULL, 'p' },
		{ "kernel", required_argument, NULL, 'k' },
		{ 0 },
	};
	unsigned long seed = 1, policies = 200, loaded = 12, failed = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return 2;
		*(option == 's' ? &seed : option == 'p' ? &policies : &loaded) = strtoul(optarg, NULL, 10);
	}
	if (geteuid() || getenv("TABLES_ONLY"))
		loaded = 0;
	make_universe();
	for (unsigned long i = 0; i < policies && failed < 5; i++)
		failed += !check(seed + i, i < loaded);
	ok(!failed, "never and always are what the oracle finds in %zu packets under each of %lu policies, %lu of them loaded",
	   probe_count, policies, loaded);
	note("%lu answers: never holds %lu, fails %lu; always holds %lu, fails %lu, empty %lu", answers,
	     results[0][OUTCOME_HOLDS], results[0][OUTCOME_COUNTEREXAMPLE], results[1][OUTCOME_HOLDS],
	     results[1][OUTCOME_COUNTEREXAMPLE], results[1][OUTCOME_EMPTY]);
	note("%lu counterexamples (%lu by failsafe, %lu from the unspecified address), the kernel was asked %lu times", counterexamples,
	     by_failsafe, from_nowhere, scene_kernel_asked);
	note("host not known: %lu answers that hold for any, %lu that depend on it", hostless, open_hosts);
	return done();
}
