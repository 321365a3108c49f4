/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What reach_find says of small sets under random policies is what the oracle says of each packet in them: no outcome is
 * missing, none is made up, and each example is one.
 *
 *   simulate_reach [--seed N] [--policies N]
 */
#include <string.h>

#include "first.h"
#include "scene.h"
#include "policy/moments.h"
#include "simulate/reach.h"
#include "test.h"

#define QUESTIONS 4
#define OUTCOMES 64
#define ADDRESSES 6
#define SAMPLES 300

/* Sanitizers make each many times slower: then a part of them is enough. */
#ifdef __SANITIZE_ADDRESS__
#define POLICIES 150
#else
#define POLICIES 1000
#endif

static struct tally {
	unsigned long packets, questions, yes, no, partly, none, any;
} tally;

/* What was met, by reason and rule. */
struct met {
	enum zw_reason reason;
	const char *rule;
};

struct expected {
	struct met met[OUTCOMES];
	size_t count;
	bool overflow;
};

static bool has(const struct expected *expected, enum zw_reason reason, const char *rule)
{
	for (size_t i = 0; i < expected->count; i++)
		if (expected->met[i].reason == reason && !strcmp(expected->met[i].rule, rule))
			return true;
	return false;
}

struct asked {
	struct ranges end[2];
	struct selector selector[3];
	struct selectors service;
	struct first_packet packet;
	bool own_leave;
};

static void ask(struct scene *scene, const struct asked *q, struct first_packet p, struct expected *expected)
{
	struct oracle_answer answer;
	const char *rule;

	if (q->own_leave)
		p.egress = oracle_in_zone(scene->oracle, ZONE_INDEX_HOST, &p.from);
	first_ask(scene->oracle, &p, &answer);
	tally.packets++;
	rule = answer.rule ? answer.rule : "";
	if (answer.reason == ZW_DROP_MALFORMED || has(expected, answer.reason, rule))
		return;
	if (expected->count == OUTCOMES) {
		expected->overflow = true;
		return;
	}
	expected->met[expected->count++] = (struct met){ answer.reason, rule };
}

/* A few addresses around a point of the policy; sometimes around one of each family. */
static void draw_end(struct random *random, const struct addr *addr, struct ranges *ranges)
{
	u128 max = addr->family == 4 ? ADDR_MAX4 : ADDR_MAX6, first = addr->value;
	unsigned before = random_below(random, 3), more = random_below(random, ADDRESSES);

	first = first < before ? 0 : first - before;
	if (ranges_add(ranges, addr->family, first, max - first < more ? max : first + more) || ranges_normalise(ranges))
		abort();
}

static void draw_selector(const struct first_packet *p, struct random *random, struct selector *selector)
{
	bool ports = p->protocol == 1 || p->protocol == 6 || p->protocol == 17 || p->protocol == 58 || p->protocol == 132;
	unsigned before = random_below(random, 3), more = random_below(random, 6);

	*selector = (struct selector){ .protocol = p->protocol, .first = 0, .last = 65535 };
	if (!ports)
		return;
	selector->first = p->port < before ? 0 : p->port - before;
	selector->last = 65535u - selector->first < more ? 65535 : selector->first + more;
}

/* Around what stage essentials takes: DHCP, DHCPv6, MLD, router advertisements. */
static void draw_essential(struct random *random, struct asked *q)
{
	static const struct {
		const char *from, *to;
		uint8_t protocol;
		uint16_t first, last, sport;
	} rows[] = {
		{ "0.0.0.0", "255.255.255.255", 17, 66, 69, 68 },
		{ "10.0.0.1", "255.255.255.255", 17, 66, 69, 67 },
		{ "fe80::1", "ff02::1:2", 17, 545, 548, 546 },
		{ "fe80::1", "fe80::3", 17, 545, 548, 547 },
		{ "fe80::1", "ff02::1", 58, 129 << 8 | 254, 130 << 8 | 1, 0 },
		{ "fe80::1", "ff02::1", 58, 134 << 8 | 254, 137 << 8 | 1, 0 },
	};
	unsigned row = random_below(random, sizeof(rows) / sizeof(rows[0]));
	struct addr from, to;

	if (addr_parse(rows[row].from, &from) || addr_parse(rows[row].to, &to))
		abort();
	draw_end(random, &from, &q->end[0]);
	draw_end(random, &to, &q->end[1]);
	q->selector[0] = (struct selector){ .protocol = rows[row].protocol, .first = rows[row].first, .last = rows[row].last };
	q->service.count = 1;
	q->packet.sport = rows[row].sport;
}

static void draw_question(struct random *random, const struct model *model, struct asked *q)
{
	struct first_packet drawn;

	*q = (struct asked){ .service = { q->selector, 1 + random_below(random, 3) } };
	for (size_t i = 0; i < q->service.count; i++) {
		first_draw(random, model, &drawn);
		draw_selector(&drawn, random, &q->selector[i]);
	}
	for (unsigned i = 0; i < 1 + random_below(random, 2); i++) {
		first_draw(random, model, &drawn);
		draw_end(random, &drawn.from, &q->end[0]);
		draw_end(random, &drawn.to, &q->end[1]);
	}
	q->packet = drawn;
	q->own_leave = random_percent(random, 50);
	if (random_percent(random, 8)) {
		draw_essential(random, q);
	} else if (random_percent(random, 20)) {
		q->selector[0] = (struct selector){ .any_protocol = true, .last = 65535 };
		q->service.count = 1;
	}
}

static void each_port(struct scene *scene, const struct asked *q, struct first_packet p, struct expected *expected)
{
	for (size_t i = 0; i < q->service.count; i++) {
		const struct selector *s = &q->service.v[i];
		bool whole = s->last - s->first == 65535;

		p.protocol = s->protocol;
		for (unsigned port = s->first; port <= (whole ? s->first : s->last); port++) {
			p.port = port;
			ask(scene, q, p, expected);
		}
	}
}

static void each_pair(struct scene *scene, const struct asked *q, int family, struct expected *expected)
{
	const struct range *from = family == 4 ? q->end[0].v4 : q->end[0].v6, *to = family == 4 ? q->end[1].v4 : q->end[1].v6;
	size_t from_count = family == 4 ? q->end[0].v4_count : q->end[0].v6_count;
	size_t to_count = family == 4 ? q->end[1].v4_count : q->end[1].v6_count;
	struct first_packet p = q->packet;

	for (size_t i = 0; i < from_count; i++)
		for (size_t j = 0; j < to_count; j++)
			for (u128 a = from[i].first;; a++) {
				for (u128 b = to[j].first;; b++) {
					p.from = (struct addr){ family, a };
					p.to = (struct addr){ family, b };
					each_port(scene, q, p, expected);
					if (b == to[j].last)
						break;
				}
				if (a == from[i].last)
					break;
			}
}

static bool holds(const struct asked *q, const struct first_packet *p)
{
	if (!ranges_contain(&q->end[0], &p->from) || !ranges_contain(&q->end[1], &p->to))
		return false;
	for (size_t i = 0; i < q->service.count; i++) {
		const struct selector *s = &q->service.v[i];

		if (s->any_protocol || (s->protocol == p->protocol && s->first <= p->port && p->port <= s->last))
			return true;
	}
	return false;
}

/* Each outcome has an example in the question's sets that the oracle decides so. */
static bool examples_are_good(struct scene *scene, const struct asked *q, const struct reach *reach)
{
	for (size_t i = 0; i < reach->count; i++) {
		const struct reach_outcome *o = &reach->outcomes[i];
		struct oracle_answer answer;

		first_ask(scene->oracle, &o->example, &answer);
		if (!holds(q, &o->example) || answer.reason != o->reason || answer.allow != o->allow ||
		    strcmp(answer.rule ? answer.rule : "", o->rule ? names_rule(scene->tables->names, o->rule)->id : ""))
			return false;
	}
	return true;
}

static bool found(const struct scene *scene, const struct reach *reach, const struct met *met)
{
	for (size_t i = 0; i < reach->count; i++) {
		const struct reach_outcome *o = &reach->outcomes[i];

		if (o->reason == met->reason &&
		    !strcmp(met->rule, o->rule ? names_rule(scene->tables->names, o->rule)->id : ""))
			return true;
	}
	return false;
}

/* Of service any, some packets: all they meet must have been found. */
static void sample(struct random *random, const struct model *model, struct scene *scene, const struct asked *q,
		   struct expected *expected)
{
	for (int i = 0; i < SAMPLES; i++) {
		struct first_packet p, drawn;

		first_draw(random, model, &drawn);
		for (int family = 4; family <= 6; family += 2) {
			const struct range *from = family == 4 ? q->end[0].v4 : q->end[0].v6;
			const struct range *to = family == 4 ? q->end[1].v4 : q->end[1].v6;

			if (!(family == 4 ? q->end[0].v4_count && q->end[1].v4_count :
					    q->end[0].v6_count && q->end[1].v6_count))
				continue;
			p = q->packet;
			p.protocol = drawn.protocol;
			p.port = drawn.port;
			p.from = (struct addr){ family, from->first + random_below(random, from->last - from->first + 1) };
			p.to = (struct addr){ family, to->first + random_below(random, to->last - to->first + 1) };
			ask(scene, q, p, expected);
		}
	}
}

static void count(const struct reach *reach)
{
	tally.questions++;
	tally.yes += reach_answer(reach) == REACH_YES;
	tally.no += reach_answer(reach) == REACH_NO;
	tally.partly += reach_answer(reach) == REACH_PARTLY;
	tally.none += reach_answer(reach) == REACH_NONE;
}

static bool one_question(struct random *random, const struct model *model, struct scene *scene, struct space *space)
{
	struct asked q;
	struct expected expected = { .count = 0 };
	struct reach_question asked;
	struct reach reach;
	bool good, allowed = false, dropped = false, any;

	draw_question(random, model, &q);
	any = q.service.v[0].any_protocol;
	asked = (struct reach_question){ &q.end[0], &q.end[1], &q.service, q.packet, q.own_leave };
	if (reach_find(space, scene->tables, &asked, &reach))
		return false;
	if (any) {
		sample(random, model, scene, &q, &expected);
	} else {
		each_pair(scene, &q, 4, &expected);
		each_pair(scene, &q, 6, &expected);
	}
	count(&reach);
	tally.any += any;
	good = examples_are_good(scene, &q, &reach) && !expected.overflow;
	for (size_t i = 0; i < expected.count; i++) {
		good = good && found(scene, &reach, &expected.met[i]);
		allowed |= !ZW_REASON_IS_DROP(expected.met[i].reason) && expected.met[i].reason != ZW_ALLOW_ESSENTIAL;
		dropped |= ZW_REASON_IS_DROP(expected.met[i].reason);
	}
	if (!any)
		good = good && expected.count == reach.count && allowed == reach.some_allowed &&
		       dropped == reach.some_dropped;
	reach_clear(&reach);
	ranges_clear(&q.end[0]);
	ranges_clear(&q.end[1]);
	return good;
}

/* The policy number i of seed s is the only one of seed s + i. */
static bool one_policy(uint64_t seed)
{
	struct random random = { seed };
	struct model *model = model_new(&random);
	char *yaml = model_yaml(model), *host = model_host(model);
	struct scene_options options = { .host = host, .dense_bytes = model->dense_bytes };
	struct space *space = NULL;
	struct scene scene;
	bool good = true;

	if (!scene_open(yaml, &options, &scene)) {
		good = !space_new(scene.tables->bytes, &scene.tables->layout, TIME_BEGIN, &space);
		/* Of a host that has no address failsafe lets in more than the policy means, which is what is asked for. */
		for (int i = 0; i < QUESTIONS && good && !policy_host_is_nowhere(scene.policy); i++)
			good = one_question(&random, model, &scene, space);
		if (!good)
			note("--seed %llu --policies 1", (unsigned long long)seed);
		space_free(space);
		scene_close(&scene);
	}
	free(yaml);
	free(host);
	model_free(model);
	return good;
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	unsigned long policies = POLICIES, failures = 0;

	read_seed(argc, argv, "--policies", &seed, &policies);
	for (unsigned long i = 0; i < policies && failures < 5; i++)
		failures += !one_policy(seed + i);
	ok(!failures, "outcomes are those of every packet: %lu questions (%lu of any service), %lu packets, %lu policies, seed %llu",
	   tally.questions, tally.any, tally.packets, policies, (unsigned long long)seed);
	if (policies >= 1000)
		ok(tally.yes && tally.no && tally.partly && tally.none, "yes %lu, no %lu, partly %lu, no packet %lu", tally.yes,
		   tally.no, tally.partly, tally.none);
	return done();
}
