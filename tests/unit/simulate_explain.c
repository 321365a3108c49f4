/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a packet is decided as it is, over random policies: the walk says what oracle and tables say, and the nearest
 * misses are those that a look at every rule finds.
 *
 *   simulate_explain [--seed N] [--policies N]
 */
#include <string.h>

#include "first.h"
#include "generate.h"
#include "scene.h"
#include "simulate/explain.h"
#include "test.h"

#define PACKETS 100

/* Sanitizers make each many times slower: then a part of them is enough. */
#ifdef __SANITIZE_ADDRESS__
#define POLICIES 150
#else
#define POLICIES 1000
#endif

static struct tally {
	unsigned long packets, misses, changed, named, tied, reason[ZW_REASONS], staged, ended, zones;
} tally;

static bool same_names(const struct scene *scene, const struct addr *addr)
{
	const char *names[128];
	unsigned zones[256];
	size_t count = explain_zones(scene->policy, addr, zones);

	if (oracle_zones(scene->oracle, addr, names, 128) != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], scene->policy->zones[zones[i]].name))
			return false;
	tally.zones += count;
	return true;
}

static bool same_as_oracle(struct scene *scene, const struct first_packet *p, const struct explanation *e)
{
	struct oracle_answer answer;
	const char *id = e->rule ? e->rule->id : "";

	first_ask(scene->oracle, p, &answer);
	return answer.reason == e->reason && !strcmp(id, answer.rule ? answer.rule : "") &&
	       same_names(scene, &p->from) && same_names(scene, &p->to);
}

/* The second decision: the same question with all staged rules enforced. Failsafe hides who would have decided. */
static bool same_staged(struct scene *scene, const struct first_packet *p, const struct explanation *e)
{
	struct rules *rules = &scene->policy->rules;
	const struct rule *expected = NULL;
	struct oracle_answer answer;
	bool staged[256] = { 0 };

	for (size_t i = 0; i < rules->count; i++) {
		staged[i] = rules->v[i].mode == MODE_STAGE;
		rules->v[i].mode = MODE_ENFORCE;
	}
	first_ask(scene->oracle, p, &answer);
	for (size_t i = 0; i < rules->count; i++) {
		rules->v[i].mode = staged[i] ? MODE_STAGE : MODE_ENFORCE;
		if (staged[i] && answer.rule && !strcmp(answer.rule, rules->v[i].id))
			expected = &rules->v[i];
	}
	return answer.reason == ZW_ALLOW_FAILSAFE || e->staged == expected;
}

/* --- Time --------------------------------------------------------------------------------------------------------- */

/* Some rules end, half of them before the packet: for the oracle those match nothing. */
static bool same_at_time(struct scene *scene, const struct first_packet *packet)
{
	struct rules *rules = &scene->policy->rules;
	struct first_packet p = *packet;
	struct selectors service[256];
	struct explanation e;
	bool good;

	p.time = 150;
	for (size_t i = 0; i < rules->count; i++) {
		rules->v[i].expires = (i + p.port) % 3 == 0;
		rules->v[i].until = i & 1 ? p.time : p.time + 1;
	}
	if (explain(scene->policy, &p, &e))
		return false;
	for (size_t i = 0; i < rules->count; i++) {
		service[i] = rules->v[i].service;
		if (rules->v[i].expires && rules->v[i].until <= p.time)
			rules->v[i].service.count = 0;
		rules->v[i].expires = false;
	}
	good = same_as_oracle(scene, &p, &e);
	for (size_t i = 0; i < rules->count; i++)
		rules->v[i].service = service[i];
	for (size_t i = 0; i < e.tier_count; i++)
		tally.ended += e.tiers[i].ended != NULL;
	explanation_clear(&e);
	return good;
}

/* --- The nearest misses, by looking at every rule ---------------------------------------------------------------- */

static bool in_list(const struct scene *scene, const struct zone_list *list, const struct addr *addr)
{
	for (size_t i = 0; i < list->count; i++)
		if (oracle_in_zone(scene->oracle, list->zone[i], addr))
			return true;
	return false;
}

static bool in_service(const struct selectors *service, const struct first_packet *p)
{
	for (size_t i = 0; i < service->count; i++)
		if (service->v[i].any_protocol || (service->v[i].protocol == p->protocol &&
						   service->v[i].first <= p->port && p->port <= service->v[i].last))
			return true;
	return false;
}

static void differences(const struct scene *scene, const struct rule *rule, const struct first_packet *p, bool ret[3])
{
	ret[0] = !in_list(scene, &rule->from, &p->from);
	ret[1] = !in_list(scene, &rule->to, &p->to);
	ret[2] = !in_service(&rule->service, p);
}

static bool is_candidate(const struct rule *rule)
{
	return rule->mode == MODE_ENFORCE && rule->action == ACTION_ALLOW && rule->from.count && rule->to.count &&
	       rule->service.count;
}

static const struct miss *find_miss(const struct explanation *e, const struct rule *rule)
{
	for (size_t i = 0; i < e->miss_count; i++)
		if (e->miss[i].rule == rule)
			return &e->miss[i];
	return NULL;
}

static unsigned fewest_differences(const struct scene *scene, const struct first_packet *p)
{
	unsigned fewest = 3;
	bool d[3];

	for (size_t i = 0; i < scene->policy->rules.count; i++) {
		const struct rule *rule = &scene->policy->rules.v[i];

		differences(scene, rule, p, d);
		if (is_candidate(rule) && (unsigned)d[0] + d[1] + d[2] < fewest)
			fewest = d[0] + d[1] + d[2];
	}
	return fewest;
}

/* All as near as the nearest are listed with their fields, or counted; nothing else is. */
static bool same_misses(const struct scene *scene, const struct first_packet *p, const struct explanation *e)
{
	unsigned fewest = fewest_differences(scene, p), listed = 0, all = 0;
	bool d[3];

	if (e->reason != ZW_DROP_DEFAULT)
		return !e->miss_count && !e->more_misses;
	for (size_t i = 0; fewest < 3 && i < scene->policy->rules.count; i++) {
		const struct rule *rule = &scene->policy->rules.v[i];
		const struct miss *miss = find_miss(e, rule);

		differences(scene, rule, p, d);
		if (!is_candidate(rule) || (unsigned)d[0] + d[1] + d[2] != fewest)
			continue;
		all++;
		if (!miss)
			continue;
		listed++;
		if (miss->from != d[0] || miss->to != d[1] || miss->service != d[2] || !miss->passed != (fewest > 0))
			return false;
		/* Whatever was passed on stands in the same tier, and went on. */
		if (miss->passed && (miss->passed->tier != rule->tier || miss->passed->action != ACTION_PASS))
			return false;
	}
	tally.misses += listed;
	for (size_t i = 1; i < e->miss_count; i++)
		if (e->miss[i - 1].distance > e->miss[i].distance)
			return false;
	return listed == e->miss_count && all == listed + e->more_misses && listed == (all < MISSES_MAX ? all : MISSES_MAX);
}

/* --- An allow rule's packet with one field changed: the rule and the field are named ----------------------------- */

static bool is_by(const struct explanation *e, const struct rule *rule)
{
	return e->reason == ZW_ALLOW_RULE && e->rule == rule;
}

static bool same_fields(const struct miss *miss, const bool differs[3])
{
	return miss->from == differs[0] && miss->to == differs[1] && miss->service == differs[2];
}

/* The drop of a packet that differs from one of the rule's in a field. */
static bool is_named(const struct scene *scene, const struct first_packet *p, const struct rule *rule,
		     const struct explanation *e)
{
	const struct miss *miss = find_miss(e, rule);
	bool differs[3];

	differences(scene, rule, p, differs);
	tally.changed++;
	tally.named += miss != NULL;
	tally.tied += !miss && e->more_misses;
	/* It differs in this field at most, so nothing can be nearer but what matches altogether. */
	return miss ? same_fields(miss, differs) : e->more_misses || e->miss[0].passed;
}

static bool change_field(struct random *random, const struct model *model, struct scene *scene, struct first_packet p,
			 const struct rule *rule, int field)
{
	struct first_packet other;
	struct explanation e;
	bool good = true;

	first_draw(random, model, &other);
	if (field < 2 && other.from.family != p.from.family)
		return true;
	if (field == 0)
		p.from = other.from;
	else if (field == 1)
		p.to = other.to;
	else
		p.protocol = other.protocol, p.port = other.port;
	if (explain(scene->policy, &p, &e))
		return false;
	if (e.reason == ZW_DROP_DEFAULT)
		good = is_named(scene, &p, rule, &e);
	explanation_clear(&e);
	return good;
}

#define CHANGES 5 /* of each field */

static bool change_fields(struct random *random, const struct model *model, struct scene *scene,
			  const struct first_packet *p, const struct rule *rule)
{
	bool good = true;

	for (int i = 0; i < 3 * CHANGES && good; i++)
		good = change_field(random, model, scene, *p, rule, i % 3);
	return good;
}

static bool one_packet(struct random *random, const struct model *model, struct scene *scene, char what[300])
{
	struct first_packet p;
	struct explanation e;
	struct decision decision;
	char text[FIRST_TEXT];
	bool oracle, tables, misses, changed = true;

	first_draw(random, model, &p);
	if (explain(scene->policy, &p, &e))
		return false;
	explain_decide(scene->decider, scene->tables->names, &p, &decision);
	tables = explain_agrees(scene->policy, &p, &e, scene->tables->names, &decision);
	oracle = same_as_oracle(scene, &p, &e) && same_staged(scene, &p, &e) && same_at_time(scene, &p);
	misses = same_misses(scene, &p, &e);
	tally.packets++;
	tally.reason[e.reason]++;
	tally.staged += e.staged != NULL;
	if (e.rule && is_by(&e, e.rule))
		changed = change_fields(random, model, scene, &p, e.rule);
	first_describe(&p, text);
	snprintf(what, 300, "%s%s%s%s: %s (%d)", oracle ? "" : "oracle ", tables ? "" : "tables ", misses ? "" : "misses ",
		 changed ? "" : "changed field ", text, e.reason);
	explanation_clear(&e);
	return oracle && tables && misses && changed;
}

/* The policy number i of seed s is the only one of seed s + i. */
static bool one_policy(uint64_t seed)
{
	struct random random = { seed };
	struct model *model = model_new(&random);
	char *yaml = model_yaml(model), *host = model_host(model), what[300];
	struct scene_options options = { .host = host, .dense_bytes = model->dense_bytes };
	struct scene scene;
	bool good = true;

	if (!scene_open(yaml, &options, &scene)) {
		for (int i = 0; i < PACKETS && good; i++)
			good = one_packet(&random, model, &scene, what);
		if (!good)
			note("--seed %llu --policies 1: not as %s", (unsigned long long)seed, what);
		scene_close(&scene);
	}
	free(yaml);
	free(host);
	model_free(model);
	return good;
}

int main(int argc, char **argv)
{
	static const enum zw_reason wanted[] = { ZW_ALLOW_RULE, ZW_ALLOW_DEFAULT, ZW_ALLOW_INTRA_ZONE, ZW_ALLOW_FAILSAFE,
						 ZW_ALLOW_ESSENTIAL, ZW_DROP_RULE, ZW_DROP_DEFAULT, ZW_DROP_SPOOFED,
						 ZW_DROP_MALFORMED };
	uint64_t seed = 1;
	unsigned long policies = POLICIES, failures = 0;

	read_seed(argc, argv, "--policies", &seed, &policies);
	for (unsigned long i = 0; i < policies && failures < 5; i++)
		failures += !one_policy(seed + i);
	ok(!failures, "the walk says what oracle and tables say, and misses are the nearest: %lu packets, %lu policies, seed %llu",
	   tally.packets, policies, (unsigned long long)seed);
	for (size_t i = 0; policies >= 1000 && i < sizeof(wanted) / sizeof(wanted[0]); i++)
		ok(tally.reason[wanted[i]] > 0, "reason %s (%d) was among them: %lu times", reason_name(wanted[i]), wanted[i],
		   tally.reason[wanted[i]]);
	ok(tally.staged || policies < 1000, "staged rules would have decided %lu of them", tally.staged);
	ok(tally.ended || policies < 1000, "rules that have ended would have decided a tier of %lu", tally.ended);
	ok(tally.misses || policies < 1000, "%lu misses were shown", tally.misses);
	ok(tally.changed < 500 ? policies < 150 : tally.named * 100 >= tally.changed * 95,
	   "an allow rule's packet with a field changed: %lu drops, rule and field named in %lu (%lu in 1,000), %lu others are ties, "
	   "and counted",
	   tally.changed, tally.named, tally.changed ? tally.named * 1000 / tally.changed : 0, tally.tied);
	return done();
}
