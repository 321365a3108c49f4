/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The matrix of zones against the oracle's exhaustive answer: random policies over a small universe (universe.h), and for
 * each pair of zones every packet between them. A cell must have each place as the packets have it (none, partly, all;
 * by failsafe), and name exactly what decides one of them.
 *
 *   random_matrix [--seed N] [--policies N]
 *
 * The policy number i of seed s is the only policy of seed s + i.
 */
#include <stdlib.h>
#include <string.h>

#include "oracle.h"
#include "scene.h"
#include "policy/moments.h"
#include "simulate/zone_matrix.h"
#include "test.h"
#include "universe.h"

#define PLACES_MAX 256
#define DECIDERS_MAX 64

/* --- What the packets say ------------------------------------------------------------------------------------------ */

enum { ALLOWED = 1, DROPPED = 2, BY_FAILSAFE = 4 };

static struct place_key {
	uint8_t protocol;
	uint16_t port;
} places[PLACES_MAX];
static size_t place_count;
static uint8_t *place_of; /* of each probe */

struct expected {
	uint8_t seen[PLACES_MAX];
	struct oracle_answer decider[DECIDERS_MAX];
	size_t decider_count;
};

static void make_places(void)
{
	place_of = calloc(universe.probe_count, sizeof(*place_of));
	if (!place_of)
		abort();
	for (size_t i = 0; i < universe.probe_count; i++) {
		const struct probe *probe = &universe.probe[i];
		size_t at = 0;

		while (at < place_count &&
		       (places[at].protocol != probe->protocol || places[at].port != probe->port))
			at++;
		if (at == PLACES_MAX)
			abort();
		if (at == place_count)
			places[place_count++] = (struct place_key){ probe->protocol, probe->port };
		place_of[i] = at;
	}
}

static bool same_rule(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

static void add_decider(struct expected *expected, const struct oracle_answer *answer)
{
	for (size_t i = 0; i < expected->decider_count; i++)
		if (expected->decider[i].reason == answer->reason &&
		    same_rule(expected->decider[i].rule, answer->rule))
			return;
	if (expected->decider_count == DECIDERS_MAX)
		abort();
	expected->decider[expected->decider_count++] = *answer;
}

static void look(const struct oracle_answer *answers, const bool *from, const bool *to,
		 struct expected *expected)
{
	*expected = (struct expected){ 0 };
	for (size_t i = 0; i < universe.probe_count; i++) {
		const struct oracle_answer *answer = &answers[i];

		if (!from[universe.probe[i].from] || !to[universe.probe[i].to])
			continue;
		expected->seen[place_of[i]] |= answer->allow ? ALLOWED : DROPPED;
		if (answer->reason == ZW_ALLOW_FAILSAFE)
			expected->seen[place_of[i]] |= BY_FAILSAFE;
		add_decider(expected, answer);
	}
}

static void ask_oracle(struct scene *scene, struct oracle_answer *answers)
{
	for (size_t i = 0; i < universe.probe_count; i++) {
		const struct probe *probe = &universe.probe[i];
		const struct oracle_frame frame = { .data = probe->data,
						    .len = probe->len,
						    .egress = !probe->enters };

		oracle_decide(scene->oracle, &frame, &answers[i]);
	}
}

/* --- Comparison ---------------------------------------------------------------------------------------------------- */

static unsigned long cells, ways[OPEN_WAYS], empty, closed, open_all;

static bool holds(const struct selectors *selectors, const struct place_key *place)
{
	for (size_t i = 0; i < selectors->count; i++) {
		const struct selector *s = &selectors->v[i];

		if (s->protocol == place->protocol && s->first <= place->port && place->port <= s->last)
			return true;
	}
	return false;
}

static bool same_place(const struct matrix_cell *cell, const struct place_key *place, unsigned seen)
{
	unsigned want = (seen & DROPPED ? OPEN_PARTLY : 0) | (seen & BY_FAILSAFE ? OPEN_FAILSAFE : 0);

	for (unsigned way = 0; way < OPEN_WAYS; way++) {
		if (holds(&cell->open[way], place) != (seen & ALLOWED && way == want))
			return false;
		ways[way] += seen & ALLOWED && way == want;
	}
	return !cell->some || holds(&cell->possible, place) == !!seen;
}

static bool same_deciders(const struct scene *scene, const struct matrix_cell *cell,
			  const struct expected *expected)
{
	size_t found = 0;

	for (size_t i = 0; i < cell->decider_count; i++) {
		const struct matrix_decider *d = &cell->deciders[i];
		const char *rule = d->rule ? names_rule(scene->tables->names, d->rule)->id : NULL;

		for (size_t j = 0; j < expected->decider_count; j++)
			found += expected->decider[j].reason == d->reason &&
				 expected->decider[j].allow == d->allow &&
				 same_rule(expected->decider[j].rule, rule);
	}
	return found == cell->decider_count && found == expected->decider_count;
}

static const char *compare(const struct scene *scene, const struct matrix_cell *cell,
			   const struct expected *expected)
{
	unsigned all = 0;

	for (size_t i = 0; i < place_count; i++) {
		all |= expected->seen[i];
		if (!same_place(cell, &places[i], expected->seen[i]))
			return "a place";
	}
	cells++;
	empty += !all;
	closed += all == DROPPED;
	open_all += all && !(all & DROPPED);
	if (cell->is_empty != !all || cell->some != !!(all & ALLOWED) ||
	    cell->all != (all && !(all & DROPPED)))
		return "all or nothing";
	return same_deciders(scene, cell, expected) ? NULL : "what decides";
}

static bool check_cell(struct scene *scene, struct zone_matrix *matrix, const struct oracle_answer *answers,
		       bool (*in)[UNIVERSE_ADDRESSES_MAX], unsigned from, unsigned to)
{
	const struct matrix_cell *cell;
	struct expected expected;
	const char *wrong = "memory";

	look(answers, in[from], in[to], &expected);
	if (!zone_matrix_cell(matrix, from, to, &cell))
		wrong = compare(scene, cell, &expected);
	if (wrong)
		note("%s of %s to %s differs", wrong, scene->policy->zones[from].name,
		     scene->policy->zones[to].name);
	return !wrong;
}

static bool check_scene(struct scene *scene, struct oracle_answer *answers)
{
	bool(*in)[UNIVERSE_ADDRESSES_MAX] = calloc(scene->policy->zone_count, sizeof(*in)), good;
	struct zone_matrix *matrix = NULL;

	good = in && !zone_matrix_new(scene->policy, scene->tables, TIME_BEGIN, &matrix);
	for (size_t zone = 0; zone < scene->policy->zone_count && good; zone++)
		for (size_t i = 0; i < universe.address_count; i++)
			in[zone][i] = oracle_in_zone(scene->oracle, zone, &universe.address[i].addr);
	ask_oracle(scene, answers);
	for (size_t from = 0; from < scene->policy->zone_count && good; from++)
		for (size_t to = 0; to < scene->policy->zone_count && good; to++)
			good = check_cell(scene, matrix, answers, in, from, to);
	zone_matrix_free(matrix);
	free(in);
	return good;
}

static bool check(uint64_t seed, struct oracle_answer *answers)
{
	struct random random = { seed * 0x9e3779b97f4a7c15ull };
	char *policy = universe_policy(&random), host[128];
	struct scene_options options = { .host = host };
	struct scene scene;
	bool good;

	universe_host(&random, host);
	options.dense_bytes = random_percent(&random, 30) ? 4u << random_below(&random, 5) : 0;
	good = !scene_open(policy, &options, &scene);
	if (good) {
		good = check_scene(&scene, answers);
		scene_close(&scene);
	}
	if (!good) {
		note("seed %llu, host '%s'", (unsigned long long)seed, host);
		note_lines(policy);
	}
	free(policy);
	return good;
}

int main(int argc, char **argv)
{
	unsigned long policies = 100, failed = 0;
	struct oracle_answer *answers;
	uint64_t seed = 1;

	read_seed(argc, argv, "--policies", &seed, &policies);
	universe_make();
	make_places();
	answers = calloc(universe.probe_count, sizeof(*answers));
	for (unsigned long i = 0; i < policies && failed < 5 && answers; i++)
		failed += !check(seed + i, answers);
	ok(answers && !failed, "%lu cells are what %zu packets say, under each of %lu policies", cells,
	   universe.probe_count, policies);
	note("%lu cells without packets, %lu closed, %lu open", empty, closed, open_all);
	ok(policies < 100 || (ways[0] && ways[1] && ways[2] && ways[3]),
	   "places open %lu, by failsafe %lu, partly %lu, partly by failsafe %lu", ways[0], ways[1], ways[2],
	   ways[3]);
	free(answers);
	free(place_of);
	return done();
}
