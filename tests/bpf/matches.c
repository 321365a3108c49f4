/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exact-match cache of the programs (bpf/match_cache.h): many packets that differ in one part of its key alone, asked one after
 * the other and then all once more. Whoever finds the match of another must not take it. Oracle and tables have no cache.
 */
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "scene.h"
#include "test.h"

#define ZONES                                                                                              \
	"version: 1\n"                                                                                     \
	"defaults: {action: drop}\n"                                                                       \
	"zones:\n"                                                                                         \
	"  red: {addresses: [10.0.0.0/9, \"fd00::/17\"], except: [\"fd00:0:0:1:8000::/65\"]}\n"         \
	"  blue: {addresses: [11.0.0.0/9, \"fd80::/17\"], except: [\"fd80:0:0:1:8000::/65\"]}\n"        \
	"interfaces:\n"                                                                                    \
	"  - {match: [red0], source: red}\n"                                                               \
	"  - {match: [blue0], source: blue}\n"

static const char policy[] =
	ZONES
	"failsafe: []\n"
	"rules:\n"
	"  - {id: some, from: red, to: blue, service: tcp/1-32767, action: allow}\n"
	"  - {id: until, from: red, to: blue, service: udp/1-32767, action: allow, until: \"1970-01-12T13:46:40Z\"}\n"
	"  - {id: then, from: red, to: blue, service: udp/53, action: allow}\n";

#define ENDS_AT 1000000 /* of rule `until` */

/* The same is asked of failsafe, which a match remembers beside the policy's answer. */
static const char failsafe[] =
	ZONES
	"failsafe: [{id: way-in, from: red, to: blue, service: [tcp/1-32767, udp/1-32767]}]\n"
	"rules: []\n";

static struct scene scene;
static enum zw_hook hook = ZW_HOOK_XDP;
static struct random generator = { .state = 12345 };
static unsigned long allowed, denied; /* by policy, or failsafe */

/* What varies. */
enum part { SOURCE4, DESTINATION4, SOURCE_HIGH, SOURCE_LOW, DESTINATION_HIGH, DESTINATION_LOW, PORT4, PORT6, PARTS };

static const char *const part_names[PARTS] = {
	"IPv4 sources", "IPv4 destinations", "upper halves of IPv6 sources", "lower halves of IPv6 sources",
	"upper halves of IPv6 destinations", "lower halves of IPv6 destinations", "ports and protocols, IPv4",
	"ports and protocols, IPv6"
};

struct key {
	char from[64], to[64];
	int protocol;
	unsigned port;
};

/* The lower half fixed and the upper one any, or the other way round; the policy allows about half of either. */
static void draw6(char text[64], unsigned first, bool high)
{
	const unsigned a = random_below(&generator, 65536), b = random_below(&generator, 65536);

	if (high)
		snprintf(text, 64, "%x:%x:%x:1::7", first, a, b);
	else
		snprintf(text, 64, "%x:0:0:1:%x:%x::9", first, a, b);
}

static void draw_key(enum part part, struct key *key)
{
	const unsigned bits = random_below(&generator, 1 << 24);
	const bool v4 = part == SOURCE4 || part == DESTINATION4 || part == PORT4;

	*key = (struct key){ .protocol = P_TCP, .port = 80 };
	strcpy(key->from, v4 ? "10.0.0.7" : "fd00:0:0:1::7");
	strcpy(key->to, v4 ? "11.0.0.9" : "fd80:0:0:1::9");
	switch (part) {
	case SOURCE4:
	case DESTINATION4:
		snprintf(part == SOURCE4 ? key->from : key->to, 64, "%d.%u.%u.%u", part == SOURCE4 ? 10 : 11, bits >> 16,
			 bits >> 8 & 0xff, bits & 0xff);
		break;
	case SOURCE_HIGH:
	case SOURCE_LOW:
		draw6(key->from, 0xfd00, part == SOURCE_HIGH);
		break;
	case DESTINATION_HIGH:
	case DESTINATION_LOW:
		draw6(key->to, 0xfd80, part == DESTINATION_HIGH);
		break;
	default:
		key->protocol = bits >> 16 & 1 ? P_TCP : P_UDP;
		key->port = bits & 0xffff;
	}
}

/* Does everybody say the same, and the oracle this? */
static bool ask_packet(const struct packet_spec *spec, const char *interface, double time, enum zw_reason wanted)
{
	struct oracle_answer answer;
	char text[SCENE_TEXT];
	struct packet packet;
	struct scene_frame frame = { .hook = hook, .time = time, .mac = { 2, 0, 0, 0, 0, 10 }, .interface = interface };

	packet_build(spec, &packet);
	frame.data = packet.data;
	frame.len = packet.len;
	if (scene_agrees(&scene, &frame, &answer, text) && (!wanted || answer.reason == wanted)) {
		allowed += answer.reason == ZW_ALLOW_RULE || answer.reason == ZW_ALLOW_FAILSAFE;
		denied += answer.reason == ZW_DROP_DEFAULT;
		return true;
	}
	note("%s to %s, protocol %d port %u%s%s at %.0f: %s", spec->from, spec->to, spec->protocol, spec->dport,
	     interface ? " from " : "", interface ? interface : "", time, text);
	return false;
}

static bool ask(const struct key *key, const char *interface, double time, enum zw_reason wanted)
{
	const struct packet_spec spec = { .from = key->from, .to = key->to, .protocol = key->protocol, .dport = key->port };

	return ask_packet(&spec, interface, time, wanted);
}

static bool ask_impossible(const struct key *key)
{
	const struct packet_spec spec = { .from = key->from, .to = key->to, .dport = key->port, .flags = F_SYN | F_FIN };

	return ask_packet(&spec, NULL, 0, 0);
}

#define KEYS 16384 /* as many as lines of IPv4 matches, where there are 16 CPUs or less: some share one, and some must give way */

static void vary(enum part part, const char *by)
{
	static struct key keys[KEYS];
	bool good = true;

	allowed = denied = 0;
	for (size_t i = 0; i < KEYS; i++)
		draw_key(part, &keys[i]);
	for (size_t i = 0; i < 2 * KEYS && good; i++)
		good = ask(&keys[i % KEYS], NULL, 0, 0);
	ok(good && allowed > KEYS / 2 && denied > KEYS / 2, "%s, %s: %u keys, twice; %lu times allowed, %lu denied", by,
	   part_names[part], KEYS, allowed, denied);
	/* Those of a source set have matches of their own; those with flags that no TCP sends leave some that know no cell. */
	for (size_t i = KEYS; i-- && good;)
		good = ask(&keys[i], "blue0", 0, 0) && (keys[i].protocol != P_TCP || ask_impossible(&keys[i]));
	for (size_t i = 0; i < KEYS && good; i++)
		good = ask(&keys[i], NULL, 0, 0);
	ok(good, "%s, %s: after they came from elsewhere, and with other flags", by, part_names[part]);
}

/* The same words of addresses in both families. */
static void both_families(void)
{
	bool good = true;

	for (unsigned i = 1; i < 256 && good; i++) {
		struct key v4 = { .protocol = P_TCP, .port = 80 }, v6 = v4;

		snprintf(v4.from, sizeof(v4.from), "10.%u.2.3", i & 127);
		snprintf(v4.to, sizeof(v4.to), "11.%u.2.3", i & 127);
		snprintf(v6.from, sizeof(v6.from), "a%02x:203::", i & 127);
		snprintf(v6.to, sizeof(v6.to), "b%02x:203::", i & 127);
		good = ask(&v4, NULL, 0, ZW_ALLOW_RULE) && ask(&v6, NULL, 0, ZW_DROP_DEFAULT) && ask(&v4, NULL, 0, ZW_ALLOW_RULE);
	}
	ok(good, "addresses of the same words in both families");
}

/* IPv6 packets whose source's upper half are both addresses of an IPv4 packet, in so many lines that one is that packet's. */
static void parts_of_others(void)
{
	const struct key v4 = { "10.0.0.7", "11.0.0.9", P_TCP, 80 };
	struct key v6 = { "a00:7:b00:9::1", "", P_TCP, 80 };
	bool good = true;

	for (unsigned i = 0; i < 8 * KEYS && good; i++) {
		snprintf(v6.to, sizeof(v6.to), "fd80::%x:%x", i >> 8, i & 0xff);
		good = ask(&v6, NULL, 0, ZW_DROP_DEFAULT);
	}
	ok(good && ask(&v4, NULL, 0, ZW_ALLOW_RULE), "a part of an IPv6 packet's match is no IPv4 packet's");
}

/* Where a packet enters, as its source set, and when, which no key has. Failing, it would be taken from the packet before. */
static void what_is_not_kept(void)
{
	const struct key tcp = { "10.0.0.7", "11.0.0.9", P_TCP, 80 }, udp = { "10.0.0.7", "11.0.0.9", P_UDP, 80 };
	bool good = true;

	for (int i = 0; i < 3 && good; i++)
		good = ask(&tcp, NULL, 0, ZW_ALLOW_RULE) && ask(&tcp, "blue0", 0, ZW_DROP_SPOOFED) &&
		       ask(&tcp, "red0", 0, ZW_ALLOW_RULE);
	ok(good, "the interface is asked for each packet");
	for (int i = 0; i < 3 && good; i++)
		good = ask(&udp, NULL, ENDS_AT - 1, ZW_ALLOW_RULE) && ask(&udp, NULL, ENDS_AT, ZW_DROP_DEFAULT);
	ok(good, "and so is the time, of a rule that ends");
}

/* Addresses of this host, each the source of packets that have matches already. */
static void from_this_host(void)
{
	static const char *const from[] = { "10.0.0.1", "fd00:0:0:1::1" }, *const others[] = { "10.0.0.7", "fd00:0:0:1::7" };
	static const char *const to[] = { "11.0.0.9", "fd80:0:0:1::9" };
	struct key own = { .protocol = P_TCP, .port = 80 }, other = own;
	bool good = true;

	for (int i = 0; i < 6 && good; i++) {
		strcpy(own.from, from[i & 1]);
		strcpy(other.from, others[i & 1]);
		strcpy(own.to, to[i & 1]);
		strcpy(other.to, to[i & 1]);
		good = ask(&other, NULL, 0, ZW_ALLOW_RULE) && ask(&own, NULL, 0, ZW_DROP_SPOOFED) &&
		       ask(&own, "red0", 0, ZW_DROP_SPOOFED);
	}
	ok(good, "this host's addresses are nobody else's, however often they are asked for");
}

static bool open_scene(const char *text, bool stateful)
{
	const struct scene_options options = { .host = "10.0.0.1 fd00:0:0:1::1 11.0.0.1 fd80:0:0:1::1",
					       .stateful = stateful,
					       .kernel = scene_asks_kernel(),
					       .hooks = 1u << ZW_HOOK_XDP | (stateful ? 1u << ZW_HOOK_EGRESS : 0) };

	return !scene_open(text, &options, &scene) || ok(false, "the policy compiles and loads");
}

/* Two flows to this host, the second's opening like the first's: nobody else may answer. */
static void to_this_host(void)
{
	static const char *const from[] = { "10.0.0.7", "fd00:0:0:1::7" }, *const to[] = { "11.0.0.1", "fd80:0:0:1::1" };
	bool good = true;

	for (unsigned i = 0; i < 4 && good; i++) {
		const struct packet_spec opening = { .from = from[i & 1], .to = to[i & 1], .sport = 40000 + i / 2, .dport = 80 };
		const struct packet_spec answer = { .from = opening.to, .to = opening.from, .sport = 80,
						    .dport = opening.sport, .flags = F_SYN | F_ACK, .ack = 1 };

		good = ask_packet(&opening, NULL, 0, ZW_ALLOW_RULE) && ask_packet(&answer, NULL, 0, ZW_DROP_SPOOFED);
	}
	ok(good, "a flow that leads to this host knows so by a match, too");
}

/* Two flows from this host, the second's opening like the first's, and a third to a port that the policy denies. */
static void leaving_this_host(void)
{
	static const char *const from[] = { "10.0.0.1", "fd00:0:0:1::1" }, *const to[] = { "11.0.0.9", "fd80:0:0:1::9" };
	bool good = true;

	for (unsigned i = 0; i < 6 && good; i++) {
		struct packet_spec spec = { .from = from[i & 1], .to = to[i & 1], .sport = 40000 + i / 2, .dport = 80 };

		hook = ZW_HOOK_EGRESS;
		good = ask_packet(&spec, NULL, 0, ZW_ALLOW_RULE);
		hook = ZW_HOOK_XDP;
		spec.flags = F_ACK;
		good = good && ask_packet(&spec, NULL, 0, ZW_DROP_SPOOFED);
		hook = ZW_HOOK_EGRESS;
		spec.flags = F_SYN;
		spec.dport = 40000;
		good = good && ask_packet(&spec, NULL, 0, ZW_DROP_DEFAULT);
		hook = ZW_HOOK_XDP;
		good = good && ask_packet(&spec, NULL, 0, ZW_DROP_SPOOFED);
	}
	ok(good, "and so does one that this host opens; its packets leave, and do not enter");
}

/* Packets of no flow that failsafe lets pass as answers: what it says of them as they are is kept, and no more. */
static void answers_by_failsafe(void)
{
	static const char *const from[] = { "11.0.0.9", "fd80:0:0:1::9" }, *const to[] = { "10.0.0.7", "fd00:0:0:1::7" };
	bool good = true;

	for (unsigned i = 0; i < 6 && good; i++) {
		const struct packet_spec spec = { .from = from[i & 1], .to = to[i & 1], .sport = 80, .dport = 40000,
						  .flags = F_ACK };

		good = ask_packet(&spec, NULL, 0, ZW_ALLOW_FAILSAFE);
	}
	ok(good, "answers that failsafe lets pass, again and again");
}

/* The rule of their flows ends, and the next one allows them: what they know of this host is written anew. */
static void decided_again(void)
{
	static const char *const own[] = { "10.0.0.1", "fd00:0:0:1::1" }, *const others[] = { "11.0.0.9", "fd80:0:0:1::9" };
	static const char *const to_own[] = { "11.0.0.1", "fd80:0:0:1::1" }, *const from[] = { "10.0.0.7", "fd00:0:0:1::7" };
	bool good = true;

	for (unsigned i = 0; i < 2 && good; i++) {
		const struct packet_spec leaving = { .from = own[i], .to = others[i], .protocol = P_UDP, .sport = 40000, .dport = 53 };
		const struct packet_spec entering = { .from = from[i], .to = to_own[i], .protocol = P_UDP, .sport = 40000, .dport = 53 };
		const struct packet_spec answer = { .from = to_own[i], .to = from[i], .protocol = P_UDP, .sport = 53, .dport = 40000 };

		hook = ZW_HOOK_EGRESS;
		good = ask_packet(&leaving, NULL, ENDS_AT - 1, ZW_ALLOW_RULE) && ask_packet(&leaving, NULL, ENDS_AT, ZW_ALLOW_FLOW);
		hook = ZW_HOOK_XDP;
		good = good && ask_packet(&leaving, NULL, ENDS_AT, ZW_DROP_SPOOFED) &&
		       ask_packet(&entering, NULL, ENDS_AT - 1, ZW_ALLOW_RULE) &&
		       ask_packet(&entering, NULL, ENDS_AT, ZW_ALLOW_FLOW) && ask_packet(&answer, NULL, ENDS_AT, ZW_DROP_SPOOFED);
	}
	ok(good, "nor once another rule allows them");
}

/* As many interfaces with a source each as have matches, and more: the same packets enter each of them. */
static void many_sources(void)
{
	enum { INTERFACES = ZW_MATCH_SETS + 8 };
	char *text = NULL, name[16], from[32];
	size_t len;
	FILE *out = open_memstream(&text, &len);
	bool good = true;

	if (!out)
		abort();
	fputs("version: 1\ndefaults: {action: drop}\nfailsafe: [{id: open, from: any, to: any, service: tcp/80}]\ninterfaces:\n",
	      out);
	for (int i = 1; i <= INTERFACES; i++)
		fprintf(out, "  - {match: [one%d], source: one%d}\n", i, i);
	fputs("zones:\n", out);
	for (int i = 1; i <= INTERFACES; i++)
		fprintf(out, "  one%d: [10.1.0.%d]\n", i, i);
	fputs("rules: []\n", out);
	fclose(out);
	if (open_scene(text, false)) {
		for (int i = 0; i < INTERFACES * INTERFACES && good; i++) {
			const int address = i % INTERFACES + 1, entered = i / INTERFACES + 1;
			const struct packet_spec spec = { .from = from, .to = "10.2.0.9", .dport = 80 };

			snprintf(from, sizeof(from), "10.1.0.%d", address);
			snprintf(name, sizeof(name), "one%d", entered);
			good = ask_packet(&spec, NULL, 0, ZW_ALLOW_FAILSAFE) &&
			       ask_packet(&spec, name, 0, address == entered ? ZW_ALLOW_FAILSAFE : ZW_DROP_SPOOFED);
		}
		ok(good, "%d interfaces, and what may enter each", INTERFACES);
		scene_close(&scene);
	}
	free(text);
}

int main(void)
{
	if (open_scene(policy, false)) {
		for (enum part part = 0; part < PARTS; part++)
			vary(part, "rules");
		both_families();
		parts_of_others();
		what_is_not_kept();
		from_this_host();
		scene_close(&scene);
	}
	if (open_scene(policy, true)) {
		to_this_host();
		leaving_this_host();
		decided_again();
		scene_close(&scene);
	}
	if (open_scene(failsafe, false)) {
		for (enum part part = 0; part < PARTS; part++)
			vary(part, "failsafe");
		answers_by_failsafe();
		scene_close(&scene);
	}
	many_sources();
	return done();
}
