/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `check` and `audit` say of rules against every packet of a small universe: random policies, each rule looked at by
 * walking the rules with it and without it. Shadowed, partly shadowed and redundant must be what the walk finds, and so must
 * be the rules that are named with them. The walk itself must decide as the oracle does. With the host not known, what is said must
 * be true for any.
 *
 *   random_analyse [--seed N] [--policies N]
 *
 * The policy number i of seed s is the only policy of seed s + i.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "compile/analysis.h"
#include "policy/packets.h"
#include "scene.h"
#include "simulate/audit.h"
#include "simulate/left.h"
#include "test.h"
#include "universe.h"

#define RULES_MAX 16
#define BY_DEFAULT (-1)
#define BY_INTRA_ZONE (-2)

/* A policy, and which rules match what, found by asking of each zone and each service. */
struct world {
	struct scene scene;
	const struct policy *policy;
	size_t count; /* rules */
	unsigned order[RULES_MAX]; /* of evaluation, enforced ones only */
	size_t ordered;
	bool from[RULES_MAX][UNIVERSE_ADDRESSES_MAX], to[RULES_MAX][UNIVERSE_ADDRESSES_MAX];
	bool shares[UNIVERSE_ADDRESSES_MAX][UNIVERSE_ADDRESSES_MAX]; /* a declared zone that is no union */
	uint32_t *matches; /* of each probe: rules, as bits */
};

struct walk {
	uint32_t path; /* rules that pass the packet on, and the one that decides it, as bits */
	int by; /* rule or BY_... */
	bool allow;
};

struct truth {
	bool shadowed, partly, redundant;
	uint32_t by, instead; /* rules, as bits */
	bool instead_default, instead_intra_zone;
};

static unsigned long found[3], regions, impossible, cut_off, named_rules, judged, hostless;

/* --- The walk --------------------------------------------------------------------------------------------------- */

static bool in_end(const struct scene *scene, const struct zone_list *list, const struct addr *addr)
{
	for (size_t i = 0; i < list->count; i++)
		if (oracle_in_zone(scene->oracle, list->zone[i], addr))
			return true;
	return false;
}

static bool in_service(const struct selectors *service, const struct probe *probe)
{
	for (size_t i = 0; i < service->count; i++) {
		const struct selector *s = &service->v[i];

		if (s->any_protocol || (s->protocol == probe->protocol && s->first <= probe->port && probe->port <= s->last))
			return true;
	}
	return false;
}

static bool share_zone(const struct world *w, const struct addr *a, const struct addr *b)
{
	for (size_t i = ZONE_INDEX_FIRST_DECLARED; i < w->policy->zone_count; i++)
		if (w->policy->zones[i].kind == ZONE_DECLARED && !w->policy->zones[i].is_union &&
		    oracle_in_zone(w->scene.oracle, i, a) && oracle_in_zone(w->scene.oracle, i, b))
			return true;
	return false;
}

static void find_order(struct world *w)
{
	for (unsigned tier = 0; tier < w->policy->tier_count; tier++)
		for (size_t i = 0; i < w->count; i++)
			if (w->policy->rules.v[i].tier == tier && w->policy->rules.v[i].mode == MODE_ENFORCE)
				w->order[w->ordered++] = i;
}

static void find_matches(struct world *w)
{
	w->matches = calloc(universe.probe_count, sizeof(*w->matches));
	if (!w->matches)
		abort();
	for (size_t r = 0; r < w->count; r++) {
		const struct rule *rule = &w->policy->rules.v[r];

		for (size_t i = 0; i < universe.address_count; i++) {
			w->from[r][i] = in_end(&w->scene, &rule->from, &universe.address[i].addr);
			w->to[r][i] = in_end(&w->scene, &rule->to, &universe.address[i].addr);
		}
		for (size_t i = 0; i < universe.probe_count; i++) {
			const struct probe *p = &universe.probe[i];

			if (w->from[r][p->from] && w->to[r][p->to] && in_service(&rule->service, p))
				w->matches[i] |= 1u << r;
		}
	}
	for (size_t i = 0; i < universe.address_count; i++)
		for (size_t j = 0; j < universe.address_count; j++)
			w->shares[i][j] = share_zone(w, &universe.address[i].addr, &universe.address[j].addr);
}

/* Design 4.3, without the rules in `left_out`. */
static struct walk walk(const struct world *w, size_t probe, uint32_t left_out)
{
	const struct rule *rules = w->policy->rules.v;
	const struct policy *policy = w->policy;
	/* With both defaults drop, intra-zone is no other default. */
	bool is_intra = w->shares[universe.probe[probe].from][universe.probe[probe].to] &&
			(policy->intra_zone == ACTION_ALLOW || policy->default_action == ACTION_ALLOW);
	struct walk walk = { 0 };
	unsigned passed = UINT32_MAX; /* the tier that a rule passed */

	for (size_t i = 0; i < w->ordered; i++) {
		unsigned r = w->order[i];

		if (left_out >> r & 1 || !(w->matches[probe] >> r & 1) || rules[r].tier == passed)
			continue;
		walk.path |= 1u << r;
		passed = rules[r].tier;
		if (rules[r].action == ACTION_PASS)
			continue;
		walk.by = r;
		walk.allow = rules[r].action == ACTION_ALLOW;
		return walk;
	}
	walk.by = is_intra ? BY_INTRA_ZONE : BY_DEFAULT;
	walk.allow = (is_intra ? policy->intra_zone : policy->default_action) == ACTION_ALLOW;
	return walk;
}

static bool oracle_agrees(struct world *w)
{
	for (size_t i = 0; i < universe.probe_count; i++) {
		const struct probe *p = &universe.probe[i];
		const struct oracle_frame frame = { .data = p->data, .len = p->len, .egress = !p->enters };
		struct walk walked = walk(w, i, 0);
		struct oracle_answer answer;

		oracle_decide(w->scene.oracle, &frame, &answer);
		if (answer.reason == ZW_ALLOW_FAILSAFE)
			continue;
		if (answer.allow != walked.allow ||
		    (walked.by >= 0 && strcmp(answer.rule ? answer.rule : "", w->policy->rules.v[walked.by].id))) {
			note("the walk and the oracle differ on probe %zu", i);
			return false;
		}
	}
	return true;
}

static bool open_world(const char *policy, const char *host, struct world *w)
{
	const struct scene_options options = { .host = host };

	memset(w, 0, sizeof(*w));
	if (scene_open(policy, &options, &w->scene))
		return false;
	w->policy = w->scene.policy;
	w->count = w->policy->rules.count;
	if (w->count > RULES_MAX)
		abort();
	find_order(w);
	find_matches(w);
	return oracle_agrees(w);
}

static void close_world(struct world *w)
{
	free(w->matches);
	scene_close(&w->scene);
}

/* --- What is true of a rule ------------------------------------------------------------------------------------ */

static bool varies(const struct world *w, int by)
{
	return by >= 0 && w->policy->rules.v[by].limit.set;
}

/* 0: nothing is logged, 1: the first packet of a flow, or a drop; 2: all. */
static int log_of(const struct world *w, int by, bool allow)
{
	enum rule_log log = by >= 0 ? w->policy->rules.v[by].log : LOG_UNSET;

	if (log != LOG_UNSET)
		return log == LOG_NONE ? 0 : log == LOG_NEW ? 1 : 2;
	return w->policy->log == LOG_EVERYTHING || (!allow && w->policy->log == LOG_DROPS);
}

/* Is the rule there for its own `log`? */
static bool is_heard(const struct world *w, int rule, const struct walk *without)
{
	const struct rule *r = &w->policy->rules.v[rule];

	return r->log != LOG_UNSET && r->action != ACTION_PASS &&
	       log_of(w, rule, false) != log_of(w, without->by, without->allow);
}

/* Who decides of what the rule matches, as far as its own tier: the last rule of the path up to there. */
static uint32_t decider_before(const struct world *w, unsigned rule, uint32_t path)
{
	uint32_t last = 0;

	for (size_t i = 0; i < w->ordered; i++)
		if (path >> w->order[i] & 1 && w->policy->rules.v[w->order[i]].tier <= w->policy->rules.v[rule].tier)
			last = 1u << w->order[i];
	return last;
}

/* Does it decide something, and who decides the rest of what it matches? */
static bool decides(const struct world *w, unsigned rule, uint32_t *ret_by)
{
	bool any = false;

	*ret_by = 0;
	for (size_t i = 0; i < universe.probe_count; i++) {
		uint32_t path;

		if (!(w->matches[i] >> rule & 1))
			continue;
		path = walk(w, i, 0).path;
		if (path >> rule & 1)
			any = true;
		else
			*ret_by |= decider_before(w, rule, path);
	}
	return any;
}

/* A host may have no address, here or of a family. */
static bool has_empty_end(const struct world *w, const struct rule *rule)
{
	const struct zone_list *lists[] = { &rule->from, &rule->to };

	for (int i = 0; i < 2; i++) {
		bool is_empty = true;

		for (size_t j = 0; j < lists[i]->count; j++) {
			if (lists[i]->zone[j] == ZONE_INDEX_HOST)
				return true;
			is_empty = is_empty && ranges_empty(&w->policy->zones[lists[i]->zone[j]].set);
		}
		if (is_empty)
			return true;
	}
	return false;
}

static bool can_match(const struct world *w, unsigned rule)
{
	for (size_t i = 0; i < universe.probe_count; i++)
		if (w->matches[i] >> rule & 1)
			return true;
	return false;
}

/* Does a packet have another verdict without it, or one that varies? Else who decides instead. */
static bool changes(const struct world *w, unsigned rule, uint32_t left_out, struct truth *truth)
{
	for (size_t i = 0; i < universe.probe_count; i++) {
		struct walk with, without;

		if (!(w->matches[i] >> rule & 1))
			continue;
		with = walk(w, i, left_out);
		if (!(with.path >> rule & 1))
			continue;
		without = walk(w, i, left_out | 1u << rule);
		if (with.allow != without.allow ||
		    (with.by != without.by && (varies(w, with.by) || varies(w, without.by) || is_heard(w, rule, &without))))
			return true;
		if (without.by >= 0)
			truth->instead |= 1u << without.by;
		truth->instead_default |= without.by == BY_DEFAULT;
		truth->instead_intra_zone |= without.by == BY_INTRA_ZONE;
	}
	return false;
}

static void find_truths(const struct world *w, struct truth *truths)
{
	uint32_t useless = 0; /* shadowed, or without packets */
	bool needed[RULES_MAX];

	for (unsigned r = 0; r < w->count; r++) {
		struct truth *truth = &truths[r], ignored = { 0 };
		bool decided = decides(w, r, &truth->by), is_enforced = w->policy->rules.v[r].mode == MODE_ENFORCE;

		truth->shadowed = is_enforced && !decided && can_match(w, r);
		truth->partly = is_enforced && decided && truth->by;
		needed[r] = !decided || changes(w, r, 0, &ignored);
		if (!decided)
			useless |= 1u << r;
	}
	for (unsigned r = 0; r < w->count; r++)
		truths[r].redundant = w->policy->rules.v[r].mode == MODE_ENFORCE && !needed[r] && !changes(w, r, useless, &truths[r]);
}

/* --- Comparison ------------------------------------------------------------------------------------------------------ */

static bool names_all(const struct world *w, const struct named *named, uint32_t want)
{
	uint32_t names = 0;

	for (size_t i = 0; i < named->count; i++)
		names |= 1u << (named->rule[i] - w->policy->rules.v);
	named_rules += named->count;
	return __builtin_popcount(names) == named->count && !(names & ~want) && named->more == (names != want);
}

static bool is_true(const struct world *w, const struct rule_finding *finding, const struct truth *truth)
{
	found[0] += truth->shadowed;
	found[1] += truth->partly;
	found[2] += truth->redundant;
	if (finding->shadowed != truth->shadowed || finding->partly != truth->partly || finding->redundant != truth->redundant) {
		note("%s: shadowed %d, partly %d, redundant %d; the walk finds %d, %d, %d", finding->rule->id, finding->shadowed,
		     finding->partly, finding->redundant, truth->shadowed, truth->partly, truth->redundant);
		return false;
	}
	if ((finding->shadowed || finding->partly) && !names_all(w, &finding->by, truth->by)) {
		note("%s: the rules before it are not those that are named", finding->rule->id);
		return false;
	}
	if (!finding->redundant || (names_all(w, &finding->instead, truth->instead) &&
				    finding->instead.by_default == truth->instead_default &&
				    finding->instead.intra_zone == truth->instead_intra_zone))
		return true;
	note("%s: what decides instead is not what is named", finding->rule->id);
	return false;
}

/* Rules with an empty list are in no finding, and nothing is said of them. */
static bool is_left_out(const struct rule *rule)
{
	return rule->mode != MODE_ENFORCE || !rule->from.count || !rule->to.count || !rule->service.count;
}

/* The warning without tables says that a rule matches nothing: exactly where nothing matches, unless an end is empty. */
static bool told_to_match_nothing(const struct world *w)
{
	struct packet_ends ends;
	bool good = true;

	if (packet_ends_find(w->policy, &ends))
		abort();
	for (unsigned r = 0; r < w->count && good; r++) {
		const struct rule *rule = &w->policy->rules.v[r];
		bool told = packets_why_none(w->policy, &ends, rule);

		impossible += told;
		good = !(told && can_match(w, r)) && (told || can_match(w, r) || has_empty_end(w, rule));
		if (!good)
			note("%s: told to match nothing: %d", rule->id, told);
	}
	packet_ends_clear(&ends);
	return good;
}

static struct tables *analyse_tables(struct random *random, const struct policy *policy)
{
	const struct compile_options options = {
		.analyse = true,
		.dense_bytes = random_percent(random, 30) ? 4u << random_below(random, 5) : 0,
	};
	struct diag *diag = diag_new();
	struct tables *tables = NULL;

	if (!diag || compile_policy(policy, &options, diag, &tables))
		abort();
	diag_free(diag);
	return tables;
}

/* --- What is left of partly shadowed rules -------------------------------------------------------------------------- */

static bool in_term(const struct world *w, const struct diff_term *term, const struct addr *addr)
{
	if (!term->zone)
		return addr->family == term->family && term->range.first <= addr->value && addr->value <= term->range.last;
	if (!strcmp(term->zone, "0.0.0.0/0") || !strcmp(term->zone, "::/0"))
		return addr->family == (*term->zone == '0' ? 4 : 6);
	return oracle_in_zone(w->scene.oracle, policy_find_zone(w->policy, term->zone), addr);
}

static bool in_terms(const struct world *w, const struct diff_term *terms, size_t count, const struct addr *addr)
{
	for (size_t i = 0; i < count; i++)
		if (in_term(w, &terms[i], addr))
			return true;
	return false;
}

static bool in_set(const struct world *w, const struct diff_set *set, const struct addr *addr)
{
	return in_terms(w, set->of, set->of_count, addr) && !in_terms(w, set->except, set->except_count, addr);
}

static bool in_region(const struct world *w, const struct diff_region *region, const struct probe *probe)
{
	return in_service(&region->service.places, probe) && in_set(w, &region->from, &universe.address[probe->from].addr) &&
	       in_set(w, &region->to, &universe.address[probe->to].addr);
}

/* The regions of a rule hold exactly the packets that it decides or passes on. */
static bool left_is_true(const struct world *w, const struct left *left, unsigned rule)
{
	const struct left_region *region;
	size_t count = left_of(left, &w->policy->rules.v[rule], &region);

	regions += count;
	for (size_t i = 0; i < universe.probe_count; i++) {
		bool decides = walk(w, i, 0).path >> rule & 1, told = false;

		for (size_t j = 0; j < count && !told; j++)
			told = in_region(w, region[j].region, &universe.probe[i]);
		if (told == decides)
			continue;
		note("r%u: what is left of it is told to hold probe %zu: %d", rule, i, told);
		return false;
	}
	return true;
}

static bool all_left_is_true(const struct world *w, const struct tables *tables)
{
	const struct analysis *analysis = tables->analysis;
	struct left left;
	bool good = !left_find(w->policy, analysis, &left);

	for (size_t i = 0; i < analysis->count && good; i++)
		if (analysis->v[i].partly)
			good = left_is_true(w, &left, analysis->v[i].rule - w->policy->rules.v);
	left_clear(&left);
	return good;
}

/* --- Zones ----------------------------------------------------------------------------------------------------------------- */

/* Does the policy let any packet go to the zone, or come from it? Failsafe does not count. */
static bool is_open(const struct world *w, unsigned zone)
{
	for (size_t i = 0; i < universe.probe_count; i++) {
		const struct probe *p = &universe.probe[i];

		if (walk(w, i, 0).allow && (oracle_in_zone(w->scene.oracle, zone, &universe.address[p->from].addr) ||
					    oracle_in_zone(w->scene.oracle, zone, &universe.address[p->to].addr)))
			return true;
	}
	return false;
}

static bool tells_unreachable(const struct audit *audit, const struct zone *zone)
{
	for (size_t i = 0; i < audit->count; i++)
		if (audit->v[i].kind == AUDIT_UNREACHABLE && audit->v[i].zone == zone)
			return true;
	return false;
}

static bool unreachable_is_true(const struct world *w, const struct tables *tables)
{
	const struct audit_options audit_options = { .kinds = AUDIT_ALL, .wide = { 8, 32 } };
	bool used[64] = { 0 }, good = true;
	struct audit audit;

	if (policy_used_zones(w->policy, used) || audit_find(w->policy, tables, &audit_options, &audit))
		abort();
	for (unsigned z = ZONE_INDEX_FIRST_DECLARED; z < w->policy->zone_count && good; z++) {
		const struct zone *zone = &w->policy->zones[z];
		bool told = tells_unreachable(&audit, zone);
		bool asked = zone->kind == ZONE_DECLARED && !zone->is_union && used[z] && !ranges_empty(&zone->set);

		cut_off += told;
		good = told == (asked && !is_open(w, z));
		if (!good)
			note("zone %s: told to be unreachable: %d", zone->name, told);
	}
	audit_clear(&audit);
	return good;
}

static bool check_known(struct random *random, const char *policy, const char *host)
{
	struct truth truths[RULES_MAX] = { 0 };
	struct tables *tables;
	struct world world;
	size_t told = 0;
	bool good = open_world(policy, host, &world);

	if (!good)
		return false;
	find_truths(&world, truths);
	good = told_to_match_nothing(&world);
	tables = analyse_tables(random, world.policy);
	for (size_t i = 0; i < tables->analysis->count && good; i++, told++)
		good = is_true(&world, &tables->analysis->v[i], &truths[tables->analysis->v[i].rule - world.policy->rules.v]);
	for (size_t i = 0; i < world.count; i++)
		told += is_left_out(&world.policy->rules.v[i]);
	judged += world.count;
	if (good && told != world.count) {
		note("%zu of %zu rules are told of", told, world.count);
		good = false;
	}
	good = good && all_left_is_true(&world, tables) && unreachable_is_true(&world, tables);
	tables_free(tables);
	close_world(&world);
	return good;
}

/* What is said of rules while the host is not known, by their index. */
static bool ask_unknown(struct random *random, const char *policy, struct rule_finding *findings)
{
	struct tables *tables;
	struct world world;
	bool good = open_world(policy, NULL, &world);

	if (!good)
		return false;
	tables = analyse_tables(random, world.policy);
	for (size_t i = 0; i < tables->analysis->count; i++)
		findings[tables->analysis->v[i].rule - world.policy->rules.v] = tables->analysis->v[i];
	tables_free(tables);
	close_world(&world);
	return true;
}

static bool holds(const struct world *w, unsigned rule, const struct rule_finding *finding, const struct truth *truth)
{
	struct truth ignored = { 0 };

	hostless += finding->shadowed + finding->partly + finding->redundant;
	if ((!finding->shadowed || truth->shadowed) && (!finding->partly || truth->partly || truth->shadowed) &&
	    (!finding->redundant || !changes(w, rule, 0, &ignored)))
		return true;
	note("r%u: without the host shadowed %d, partly %d, redundant %d; with it %d, %d, %d", rule, finding->shadowed,
	     finding->partly, finding->redundant, truth->shadowed, truth->partly, truth->redundant);
	return false;
}

static bool check_unknown(struct random *random, const char *policy)
{
	struct rule_finding findings[RULES_MAX] = { 0 };
	bool good = ask_unknown(random, policy, findings);
	char host[128];

	for (int tries = 0; tries < 4 && good; tries++) {
		struct truth truths[RULES_MAX] = { 0 };
		struct world world;

		universe_host(random, host);
		if (!open_world(policy, host, &world))
			return false;
		find_truths(&world, truths);
		for (unsigned r = 0; r < world.count && good; r++)
			good = holds(&world, r, &findings[r], &truths[r]);
		if (!good)
			note("with host '%s'", host);
		close_world(&world);
	}
	return good;
}

static bool check(uint64_t seed)
{
	struct random random = { seed * 0x9e3779b97f4a7c15ull };
	char *policy = universe_policy(&random), host[128];
	bool good;

	universe_host(&random, host);
	good = check_known(&random, policy, host) && check_unknown(&random, policy);
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
		{ 0 },
	};
	unsigned long seed = 1, policies = 150, failed = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return 2;
		*(option == 's' ? &seed : &policies) = strtoul(optarg, NULL, 10);
	}
	universe_make();
	for (unsigned long i = 0; i < policies && failed < 5; i++)
		failed += !check(seed + i);
	ok(!failed, "what is said of the rules of %lu policies is what %zu packets show", policies, universe.probe_count);
	note("%lu rules: %lu match nothing, %lu shadowed, %lu partly, %lu redundant; %lu names; %lu findings without the host's addresses",
	     judged, impossible, found[0], found[1], found[2], named_rules, hostless);
	note("%lu zones are unreachable; what is left of the partly shadowed rules is %lu regions", cut_off, regions);
	return done();
}
