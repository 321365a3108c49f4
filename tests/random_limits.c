/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Limits as time passes: random rates, bursts and sources; first packets that come about as fast as tokens do, and now and
 * then nothing for hours. Oracle = tables = kernel on each of a million packets.
 *
 *   random_limits [--seed N] [--policies N]     PACKETS of each; the policy number i of seed s is that of seed s + i
 */
#include <math.h>

#include "generate.h"
#include "scene.h"
#include "test.h"

#define PACKETS 50000
#define RULES 8
#define SOURCES 200
#define PORT 100 /* of the first rule; the next ones follow */

struct counts {
	unsigned long decisions, allowed, limited, blocked, failsafe;
};

/* Anything from 1 an hour to 1,000,000 a second. */
static void write_rule(FILE *out, struct random *random, unsigned number, double *ret_per_second)
{
	static const char units[] = "smh";
	static const double seconds[] = {1, 60, 3600};
	unsigned unit = random_below(random, 3), decades = unit == 0 ? 6 : unit == 1 ? 4 : 3;
	double rate = floor(pow(10, random_below(random, decades * 100) / 100.0));

	*ret_per_second = rate / seconds[unit];
	fprintf(out, "  - {id: r%u, from: any, to: any, service: tcp/%u, action: allow, limit: {rate: %.0f/%c", number, PORT + number,
		rate, units[unit]);
	if (random_percent(random, 70))
		fprintf(out, ", burst: %u", 1 + random_below(random, random_percent(random, 50) ? 3 : 50));
	if (random_percent(random, 60))
		fprintf(out, ", per: source%s", random_percent(random, 50) ? ", ban: 7s" : "");
	fputs("}}\n", out);
}

static char *write_policy(struct random *random, double ret_per_second[RULES])
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	fprintf(out, "version: 1\ndefaults: {action: drop}\n"
		     "failsafe:\n  - {id: way-in, from: [10.0.0.7, \"fd00::2\"], to: any, service: tcp/%u}\n"
		     "  - {id: anyone, from: any, to: any, service: tcp/%u}\nrules:\n",
		PORT, PORT + 1);
	for (unsigned i = 0; i < RULES; i++)
		write_rule(out, random, i, &ret_per_second[i]);
	fclose(out);
	return text;
}

/* Some share a /64; most packets come from few. */
static void draw_ends(struct random *random, struct packet_spec *spec, char from[40])
{
	unsigned source = random_percent(random, 70) ? random_below(random, 4) : random_below(random, SOURCES);

	if (random_percent(random, 50)) {
		snprintf(from, 40, "10.0.0.%u", source);
		spec->to = "10.9.0.1";
	} else {
		snprintf(from, 40, "fd00:0:0:%x::%x", source / 3, 1 + source);
		spec->to = "fd09::1";
	}
	spec->from = from;
}

/* A RST leaves no flow, a SYN does, and one that repeats its opening takes nothing. */
static void draw_packet(struct random *random, unsigned rule, struct packet *packet)
{
	struct packet_spec spec = {.dport = PORT + rule, .flags = F_RST};
	char from[40];

	draw_ends(random, &spec, from);
	if (random_percent(random, 2)) {
		spec.flags = F_SYN;
		spec.sport = 1000 + random_below(random, 4);
	}
	packet_build(&spec, packet);
}

/* So long until the next packet, in whole milliseconds: some tokens' time, or nothing, or hours. */
static double draw_pause(struct random *random, double per_second)
{
	double token_ms = 1000 / per_second;

	if (random_percent(random, 50))
		return 0;
	if (random_below(random, 2000) == 0)
		return random_below(random, 7200000);
	return floor(token_ms * random_below(random, 150) / 100);
}

static bool try_policy(uint64_t seed, bool kernel, struct counts *counts)
{
	struct random random = {.state = seed * 0x2545f4914f6cdd1dull};
	const struct scene_options options = {.stateful = true, .kernel = kernel, .host = "10.0.0.3 fd00:0:0:5::ffff"};
	double per_second[RULES], ms = 1700000000000;
	char *policy = write_policy(&random, per_second), text[SCENE_TEXT];
	unsigned rule = 0;
	struct scene scene;
	bool good = !scene_open(policy, &options, &scene);

	for (unsigned i = 0; i < PACKETS && good; i++) {
		struct oracle_answer answer;
		struct packet packet;
		struct scene_frame frame = {.data = packet.data, .hook = random_below(&random, ZW_HOOKS)};

		if (i % 100 == 0)
			rule = random_below(&random, RULES);
		draw_packet(&random, rule, &packet);
		ms += draw_pause(&random, per_second[rule]);
		frame.len = packet.len;
		frame.time = ms / 1000;
		good = scene_agrees(&scene, &frame, &answer, text);
		if (!good)
			note("seed %llu, packet %u at %.3f s: %s\n%s", (unsigned long long)seed, i, frame.time, text, policy);
		counts->decisions++;
		counts->allowed += answer.reason == ZW_ALLOW_RULE;
		counts->limited += answer.reason == ZW_DROP_LIMIT;
		counts->blocked += answer.reason == ZW_DROP_BLOCKED;
		counts->failsafe += answer.reason == ZW_ALLOW_FAILSAFE;
	}
	scene_close(&scene);
	free(policy);
	return good;
}

int main(int argc, char **argv)
{
	unsigned long policies = 20;
	struct counts counts = {0};
	bool kernel = scene_asks_kernel(), good = true;
	uint64_t seed = 1;

	read_seed(argc, argv, "--policies", &seed, &policies);
	note("seed %llu, %lu policies, %u packets each", (unsigned long long)seed, policies, PACKETS);
	for (unsigned long i = 0; i < policies && good; i++)
		good = try_policy(seed + i, kernel, &counts);
	ok(good, "oracle, tables%s agree on %lu packets", kernel ? " and kernel" : "", counts.decisions);
	ok(counts.limited > counts.decisions / 10 && counts.allowed > counts.decisions / 10,
	   "a tenth at least found a token, a tenth found none: %lu and %lu", counts.allowed, counts.limited);
	ok(counts.blocked, "%lu came from who was banned", counts.blocked);
	ok(counts.failsafe, "failsafe let %lu pass that found none", counts.failsafe);
	return done();
}
