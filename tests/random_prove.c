/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * never and always against the oracle's exhaustive answer: random policies over a /29 and a /125, and every packet that
 * they could tell apart. The engine must find what the oracle finds, and each counterexample must be one for oracle,
 * tables and programs. With the host not known, an answer that is given must be the answer for any host. Some policies have
 * rules that end: there the oracle is asked about the policy as it is before and after each such instant.
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
#include "universe.h"

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
	bool from[UNIVERSE_ADDRESSES_MAX], to[UNIVERSE_ADDRESSES_MAX];
	struct truth truth = { 0 };

	for (size_t i = 0; i < universe.address_count; i++) {
		from[i] = in_end(scene, &region->from, &universe.address[i].addr);
		to[i] = in_end(scene, &region->to, &universe.address[i].addr);
	}
	for (size_t i = 0; i < universe.probe_count; i++) {
		const struct probe *probe = &universe.probe[i];

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
	for (size_t i = 0; i < universe.probe_count; i++) {
		const struct oracle_frame frame = { .data = universe.probe[i].data, .len = universe.probe[i].len, .egress = !universe.probe[i].enters };
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

static unsigned long answers, counterexamples, by_failsafe, from_nowhere, later, hostless, open_hosts;
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
	universe_build(&p->from, &p->to, p->protocol, p->sport, p->port, &packet, &enters);
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

/* A policy before and after each instant; of one without until, once. */
struct ages {
	struct scene scene[UNIVERSE_INSTANTS + 1];
	bool *allowed[UNIVERSE_INSTANTS + 1];
	int count;
};

/* Is the age in the moment? The first one is before all instants. */
static bool is_in(const struct moment *moment, int age)
{
	int64_t time = age ? universe_instants[age - 1] : TIME_BEGIN;

	return moment->begin <= time && time < moment->end;
}

/* What the oracle has in the first age in which it does not hold, else in the last one. */
static enum outcome_result expect_of_ages(const struct ages *ages, const struct outcome *outcome, int *ret_age)
{
	enum outcome_result want = OUTCOME_HOLDS;

	for (int i = 0; i < ages->count && want == OUTCOME_HOLDS; i++) {
		const struct scene *scene = &ages->scene[i];
		struct truth truth = look(scene, ages->allowed[i], outcome_region(scene->policy, outcome));

		*ret_age = i;
		want = expect(&truth, outcome->kind);
	}
	return want;
}

static bool compare(struct ages *ages, const struct outcome *outcome)
{
	int age;
	enum outcome_result want = expect_of_ages(ages, outcome, &age);
	const struct rule *region = outcome_region(ages->scene[0].policy, outcome);

	answers++;
	results[outcome->kind == OUTCOME_ALWAYS][outcome->result]++;
	if (outcome->result != want) {
		note("%s: result %d, the oracle has %d", region->id, outcome->result, want);
		return false;
	}
	if (outcome->result != OUTCOME_HOLDS && !is_in(&outcome->moment, age)) {
		note("%s: from %lld until %lld, the oracle says age %d", region->id, (long long)outcome->moment.begin,
		     (long long)outcome->moment.end, age);
		return false;
	}
	if (outcome->result != OUTCOME_COUNTEREXAMPLE)
		return true;
	counterexamples++;
	later += age > 0;
	by_failsafe += outcome->decision.reason == ZW_ALLOW_FAILSAFE;
	from_nowhere += !outcome->packet.from.value;
	return is_confirmed(&ages->scene[age], outcome);
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

static bool open_age(struct random *random, const char *policy, int instant, const char *host, bool kernel, struct ages *ages)
{
	struct scene *scene = &ages->scene[ages->count];
	char *text = universe_at(policy, instant);
	bool *allowed = calloc(universe.probe_count, sizeof(*allowed)), good;

	good = allowed && open_scene(text, host, kernel, random, scene);
	ages->allowed[ages->count] = allowed;
	if (good)
		ask_oracle(scene, allowed);
	ages->count++;
	free(text);
	return good;
}

static bool open_ages(struct random *random, const char *policy, const char *host, bool kernel, struct ages *ages)
{
	int last = universe_rules_end ? UNIVERSE_INSTANTS : 0;
	bool good = true;

	for (int instant = -1; instant < last && good; instant++)
		good = open_age(random, policy, instant, host, kernel, ages);
	return good;
}

static void close_ages(struct ages *ages)
{
	for (int i = 0; i < ages->count; i++) {
		scene_close(&ages->scene[i]);
		free(ages->allowed[i]);
	}
}

static bool check_known(struct random *random, const char *policy, const char *host, bool kernel)
{
	struct outcomes outcomes = { 0 };
	struct ages ages = { 0 };
	struct scene whole = { 0 };
	bool good = open_ages(random, policy, host, kernel, &ages) && open_scene(policy, host, false, random, &whole) &&
		    !prove(whole.policy, whole.tables, 0, &outcomes);

	for (size_t i = 0; i < outcomes.count && good; i++)
		good = compare(&ages, &outcomes.v[i]);
	good = good && outcomes.count == 2 * UNIVERSE_REGIONS;
	outcomes_clear(&outcomes);
	scene_close(&whole);
	close_ages(&ages);
	return good;
}

static bool results_of(struct random *random, const char *policy, const char *host, enum outcome_result *ret_results)
{
	struct outcomes outcomes = { 0 };
	struct scene scene;
	bool good = open_scene(policy, host, false, random, &scene);

	if (!good)
		return false;
	good = !prove(scene.policy, scene.tables, 0, &outcomes) && outcomes.count == 2 * UNIVERSE_REGIONS;
	for (size_t i = 0; i < outcomes.count && good; i++)
		ret_results[i] = outcomes.v[i].result;
	outcomes_clear(&outcomes);
	scene_close(&scene);
	return good;
}

/* The answer without the host's addresses is the answer with any, if there is one. */
static bool check_unknown(struct random *random, const char *policy)
{
	enum outcome_result without[2 * UNIVERSE_REGIONS], with[2 * UNIVERSE_REGIONS];
	char host[128];

	if (!results_of(random, policy, NULL, without))
		return false;
	for (int i = 0; i < 2 * UNIVERSE_REGIONS; i++) {
		hostless += without[i] != OUTCOME_HOST;
		open_hosts += without[i] == OUTCOME_HOST;
	}
	for (int tries = 0; tries < 6; tries++) {
		universe_host(random, host);
		if (!results_of(random, policy, host, with))
			return false;
		for (int i = 0; i < 2 * UNIVERSE_REGIONS; i++) {
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
	char *policy, host[128];
	bool good;

	universe_rules_end = seed % 2 == 0;
	policy = universe_policy(&random);
	universe_host(&random, host);
	good = check_known(&random, policy, host, kernel) && check_unknown(&random, policy);
	if (!good) {
		note("seed %llu, host '%s'", (unsigned long long)seed, host);
		note_lines(policy);
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
	universe_make();
	for (unsigned long i = 0; i < policies && failed < 5; i++)
		failed += !check(seed + i, i < loaded);
	ok(!failed, "never and always are what the oracle finds in %zu packets under each of %lu policies, %lu of them loaded",
	   universe.probe_count, policies, loaded);
	note("%lu answers: never holds %lu, fails %lu; always holds %lu, fails %lu, empty %lu", answers,
	     results[0][OUTCOME_HOLDS], results[0][OUTCOME_COUNTEREXAMPLE], results[1][OUTCOME_HOLDS],
	     results[1][OUTCOME_COUNTEREXAMPLE], results[1][OUTCOME_EMPTY]);
	note("%lu counterexamples (%lu by failsafe, %lu from the unspecified address, %lu after a rule ended), the kernel was asked "
	     "%lu times", counterexamples, by_failsafe, from_nowhere, later, scene_kernel_asked);
	note("host not known: %lu answers that hold for any, %lu that depend on it", hostless, open_hosts);
	return done();
}
