// SPDX-License-Identifier: GPL-2.0-only
/*
 * A policy staged beside another one: what is enforced stays what the one says, and the second decision is what the oracle finds
 * under the other, packet by packet (universe.h). By the rules as explain walks them.
 *
 *   candidate [--seed N] [--pairs N]
 */
#include <stdlib.h>
#include <string.h>

#include "compile/candidate.h"
#include "scene.h"
#include "simulate/explain.h"
#include "test.h"
#include "universe.h"

static unsigned long asked, same, other, by_failsafe, by_default;

static struct first_packet packet_of(const struct probe *probe)
{
	return (struct first_packet){
		.from = universe.address[probe->from].addr,
		.to = universe.address[probe->to].addr,
		.protocol = probe->protocol,
		.port = probe->port,
		.sport = probe->sport,
		.egress = !probe->enters,
	};
}

static void ask(const struct scene *scene, const struct probe *probe, struct oracle_answer *ret_answer)
{
	const struct oracle_frame frame = { .data = probe->data, .len = probe->len, .egress = !probe->enters };

	oracle_decide(scene->oracle, &frame, ret_answer);
}

static bool is_rule(const struct rule *rule, const char *id)
{
	return !strcmp(rule ? rule->id : "", id ? id : "");
}

/* The staged rule is the candidate's that decides there; its defaults have a rule of their own here. */
static bool is_second(const struct rule *staged, const struct oracle_answer *want)
{
	const char *id = staged ? staged->id + strlen(CANDIDATE_PREFIX) : "";

	if (!staged || strncmp(staged->id, CANDIDATE_PREFIX, strlen(CANDIDATE_PREFIX)) ||
	    (staged->action == ACTION_ALLOW) != want->allow)
		return false;
	if (!staged->tier) /* its failsafe, whether or not its rules would drop the packet */
		return true;
	by_default += !want->rule;
	if (want->rule)
		return !strcmp(id, want->rule);
	return !strcmp(id, "default") || !strncmp(id, "intra-zone:", 11);
}

/* By an entry of failsafe with its ends exchanged, which no rule can be: the rules say something else. */
static bool is_answer(const struct oracle_answer *answer, const struct explanation *e)
{
	return answer->reason == ZW_ALLOW_FAILSAFE && e->staged && e->staged->tier;
}

static bool compare(const struct scene scene[2], const struct policy *both, const struct probe *probe)
{
	const struct first_packet packet = packet_of(probe);
	struct oracle_answer old, new;
	struct explanation e;
	bool good;

	ask(&scene[0], probe, &old);
	ask(&scene[1], probe, &new);
	if (explain(both, &packet, &e))
		return false;
	asked++;
	/* The oracle's packets have another TTL than well-behaved ones. */
	good = e.reason == ZW_ALLOW_ESSENTIAL || (e.reason == old.reason && is_rule(e.rule, old.rule));
	if (good && e.policy_reason && !is_answer(&new, &e)) {
		good = is_second(e.staged, &new);
		*(old.allow == new.allow ? &same : &other) += 1;
		by_failsafe += new.reason == ZW_ALLOW_FAILSAFE;
	}
	if (!good)
		note("%s:%u to %s, protocol %u, port %u: %s by %s, %s by %s, but staged is %s", universe.address[probe->from].text,
		     probe->sport, universe.address[probe->to].text, probe->protocol, probe->port, old.allow ? "allow" : "drop",
		     old.rule ? old.rule : "none", new.allow ? "allow" : "drop", new.rule ? new.rule : "none",
		     e.staged ? e.staged->id : "none");
	explanation_clear(&e);
	return good;
}

static bool check(uint64_t seed)
{
	struct random random = { seed * 0xd1342543de82ef95ull + 5 };
	char *texts[2] = { universe_policy(&random), universe_policy(&random) }, host[128];
	struct candidate candidate = { 0 };
	struct scene scene[2] = { 0 };
	bool good = true;

	universe_host(&random, host);
	for (int i = 0; i < 2 && good; i++)
		good = !scene_open(texts[i], &(struct scene_options){ .host = host }, &scene[i]);
	good = good && !candidate_make(scene[0].policy, scene[1].policy, &candidate);
	for (size_t i = 0; i < universe.probe_count && good; i++)
		good = compare(scene, &candidate.policy, &universe.probe[i]);
	candidate_clear(&candidate);
	for (int i = 0; i < 2; i++) {
		if (!good) {
			note("seed %llu, host '%s': %s", (unsigned long long)seed, host, i ? "candidate" : "enforced");
			note_lines(texts[i]);
		}
		scene_close(&scene[i]);
		free(texts[i]);
	}
	return good;
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	unsigned long pairs = 30, failed = 0;

	read_seed(argc, argv, "--pairs", &seed, &pairs);
	universe_make();
	for (unsigned long i = 0; i < pairs && failed < 3; i++)
		failed += !check(seed + i);
	ok(!failed, "of %zu packets each has the candidate's second decision, under each of %lu pairs", universe.probe_count, pairs);
	note("%lu packets: %lu decided alike, %lu otherwise; %lu by the candidate's failsafe, %lu by its defaults", asked, same, other,
	     by_failsafe, by_default);
	return done();
}
