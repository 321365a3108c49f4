// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/prove.h"

#include <netinet/in.h>

#include "base/util.h"
#include "simulate/frame.h"
#include "simulate/host_use.h"

DEFINE_CLEANUP(struct decider *, decider_free)
DEFINE_CLEANUP(struct space *, space_free)

const struct rule *outcome_region(const struct policy *policy, const struct outcome *outcome)
{
	switch (outcome->kind) {
	case OUTCOME_NEVER:
		return &policy->never.v[outcome->index];
	case OUTCOME_ALWAYS:
		return &policy->always.v[outcome->index];
	default:
		return NULL;
	}
}

const struct place *outcome_place(const struct policy *policy, const struct outcome *outcome)
{
	const struct rule *region = outcome_region(policy, outcome);

	return region ? &region->place : &policy->tests[outcome->index].place;
}

/* Reasons that are a rule's or an entry's doing (design section 11). */
const struct rule_name *outcome_rule(const struct tables *tables, const struct outcome *outcome)
{
	const uint32_t by_rule = 1u << ZW_ALLOW_RULE | 1u << ZW_DROP_RULE | 1u << ZW_ALLOW_FAILSAFE | 1u << ZW_DROP_LIMIT |
				 1u << ZW_DROP_PLAINTEXT;

	return by_rule >> outcome->decision.reason & 1 ? names_rule(tables->names, outcome->decision.rule) : NULL;
}

void outcomes_clear(struct outcomes *outcomes)
{
	free(outcomes->v);
	*outcomes = (struct outcomes){ 0 };
}

static const struct moment all_times = { TIME_BEGIN, TIME_END };

/* --- Tests ---------------------------------------------------------------------------------------------------------- */

static bool is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

static struct space_packet packet_of(const struct test *test)
{
	bool has_ports = test->service.protocol == IPPROTO_TCP || test->service.protocol == IPPROTO_UDP ||
			 test->service.protocol == IPPROTO_SCTP;

	return (struct space_packet){
		.from = test->from,
		.to = test->to,
		.protocol = test->service.protocol,
		.sport = has_ports ? 40000 : 0,
		.port = has_ports || is_icmp(test->service.protocol) ? test->service.first : 0,
	};
}

static struct input input_of(const struct space_packet *packet)
{
	return (struct input){
		.from = packet->from,
		.to = packet->to,
		.protocol = packet->protocol,
		.sport = packet->sport ? packet->sport : 40000,
		.dport = packet->port,
		.icmp = { packet->port >> 8, packet->port & 0xff },
		.tcp_flags = 2, /* SYN */
	};
}

static bool is_by(const struct tables *tables, const struct outcome *outcome, const char *by)
{
	const struct rule_name *rule = outcome_rule(tables, outcome);

	return !strcmp(by, reason_name(outcome->decision.reason)) || (rule && !strcmp(by, rule->id));
}

/* Room for a frame is the caller's: it is large. */
static void run_test(const struct policy *policy, const struct tables *tables, int64_t now, struct decider *decider,
		     uint8_t *bytes, struct outcome *outcome)
{
	const struct test *test = &policy->tests[outcome->index];
	bool is_own = ranges_contain(&policy->zones[ZONE_INDEX_HOST].set, &test->from);
	struct frame frame = { .data = bytes, .hook = is_own ? ZW_HOOK_EGRESS : ZW_HOOK_XDP, .time = now };
	struct input input;

	outcome->packet = packet_of(test);
	input = input_of(&outcome->packet);
	frame.len = frame_build(&input, bytes);
	decider_decide(decider, &frame, &outcome->decision);
	if (outcome->decision.allow != (test->expect == EXPECT_ALLOW))
		outcome->result = OUTCOME_VERDICT;
	else if (test->by && !is_by(tables, outcome, test->by))
		outcome->result = OUTCOME_BY;
}

static int run_tests(const struct policy *policy, const struct tables *tables, int64_t now, struct outcomes *outcomes)
{
	_cleanup_(decider_freep) struct decider *decider = NULL;
	_cleanup_free_ uint8_t *bytes = malloc(FRAME_MAX);
	int err = bytes ? 0 : -ENOMEM;

	if (!policy->test_count)
		return 0;
	if (!err)
		err = decider_new(tables->bytes, &tables->layout, false, &decider);
	for (size_t i = 0; i < policy->test_count && !err; i++) {
		struct outcome *outcome = &outcomes->v[outcomes->count++];

		*outcome = (struct outcome){ .kind = OUTCOME_TEST, .index = i, .moment = all_times };
		run_test(policy, tables, now, decider, bytes, outcome);
	}
	return err;
}

/* --- Proofs --------------------------------------------------------------------------------------------------------- */

/* The packet as a region: does its verdict depend on the host? */
static const struct rule *packet_depends(const struct host_use *use, const struct space_packet *packet, unsigned effect)
{
	struct selector selector = { .protocol = packet->protocol, .first = packet->port, .last = packet->port };
	struct range from = { packet->from.value, packet->from.value }, to = { packet->to.value, packet->to.value };
	struct ranges source = { .v4 = &from, .v4_count = 1 }, destination = { .v4 = &to, .v4_count = 1 };
	const struct selectors service = { &selector, 1 };
	const struct region region = { &source, &destination, &service };

	if (packet->from.family == 6) {
		source = (struct ranges){ .v6 = &from, .v6_count = 1 };
		destination = (struct ranges){ .v6 = &to, .v6_count = 1 };
	}
	return host_use_matters(use, &region, effect);
}

/*
 * With the host not known, an answer stands if no rule that names host or world could make another of it: of a proof
 * for any packet of the region, of a counterexample for that packet.
 */
static const struct rule *answer_depends(const struct host_use *use, const struct region *region,
					 const struct outcome *outcome)
{
	unsigned wrong = outcome->kind == OUTCOME_NEVER ? HOST_MAY_ALLOW : HOST_MAY_DROP;

	switch (outcome->result) {
	case OUTCOME_HOLDS:
		return host_use_matters(use, region, wrong);
	case OUTCOME_COUNTEREXAMPLE:
		return packet_depends(use, &outcome->packet, (HOST_MAY_ALLOW | HOST_MAY_DROP) & ~wrong);
	default:
		return NULL;
	}
}

static int ask(struct space *space, const struct region *region, struct outcome *outcome)
{
	unsigned wrong = outcome->kind == OUTCOME_NEVER ? SPACE_ALLOWED : SPACE_DROPPED;
	struct space_answer answer;
	int err = space_ask(space, region, wrong, &answer);

	if (err)
		return err;
	if (answer.found & wrong) {
		outcome->result = OUTCOME_COUNTEREXAMPLE;
		outcome->packet = wrong == SPACE_ALLOWED ? answer.allowed : answer.dropped;
		space_decide(space, &outcome->packet, &outcome->decision);
	} else if (answer.is_empty && outcome->kind == OUTCOME_ALWAYS) {
		outcome->result = OUTCOME_EMPTY;
	}
	return 0;
}

static int prove_region(const struct policy *policy, const struct host_use *use, struct space *space,
			const struct region *region, struct outcome *outcome)
{
	int err = ask(space, region, outcome);

	if (err || policy->host_known)
		return err;
	outcome->depends = answer_depends(use, region, outcome);
	if (outcome->depends)
		outcome->result = OUTCOME_HOST;
	return 0;
}

static int prove_one(const struct policy *policy, const struct host_use *use, struct space *space,
		     struct outcome *outcome)
{
	const struct rule *rule = outcome_region(policy, outcome);
	struct ranges source = { 0 }, destination = { 0 };
	const struct region region = { &source, &destination, &rule->service };
	int err;

	if (!policy->host_known && (zone_list_names_host(&rule->from) || zone_list_names_host(&rule->to))) {
		outcome->result = OUTCOME_HOST;
		return 0;
	}
	err = policy_union(policy, &rule->from, &source);
	if (!err)
		err = policy_union(policy, &rule->to, &destination);
	if (!err)
		err = prove_region(policy, use, space, &region, outcome);
	ranges_clear(&source);
	ranges_clear(&destination);
	return err;
}

static void add_regions(enum outcome_kind kind, size_t count, struct outcomes *outcomes)
{
	for (size_t i = 0; i < count; i++)
		outcomes->v[outcomes->count++] = (struct outcome){ .kind = kind, .index = i, .moment = all_times };
}

/* Never and always, held against one more moment. */
static int prove_moment(const struct policy *policy, const struct tables *tables, const struct moment *moment,
			struct outcome *outcomes, size_t count)
{
	_cleanup_(space_freep) struct space *space = NULL;
	struct host_use use = { 0 };
	int err = space_new(tables->bytes, &tables->layout, moment->begin, &space);

	if (!err)
		err = host_use_find(policy, moment->begin, &use);
	for (size_t i = 0; i < count && !err; i++) {
		struct outcome now = { .kind = outcomes[i].kind, .index = outcomes[i].index, .moment = *moment };

		/* What has failed is asked again only to tell for how long it does. */
		if (outcomes[i].result != OUTCOME_HOLDS && outcomes[i].moment.end != moment->begin)
			continue;
		err = prove_one(policy, &use, space, &now);
		if (now.result == OUTCOME_HOLDS)
			continue;
		if (outcomes[i].result == OUTCOME_HOLDS)
			outcomes[i] = now;
		else
			outcomes[i].moment.end = moment->end;
	}
	host_use_clear(&use);
	return err;
}

static int run_proofs(const struct policy *policy, const struct tables *tables, struct outcomes *outcomes)
{
	struct outcome *first = &outcomes->v[outcomes->count];
	struct moments moments = { 0 };
	int err;

	if (!policy->never.count && !policy->always.count)
		return 0;
	add_regions(OUTCOME_NEVER, policy->never.count, outcomes);
	add_regions(OUTCOME_ALWAYS, policy->always.count, outcomes);
	err = moments_find(&policy, 1, TIME_BEGIN, &moments);
	for (size_t i = 0; i < moments.count && !err; i++)
		err = prove_moment(policy, tables, &moments.v[i], first, &outcomes->v[outcomes->count] - first);
	moments_clear(&moments);
	return err;
}

int prove(const struct policy *policy, const struct tables *tables, int64_t now, struct outcomes *ret_outcomes)
{
	size_t count = policy->test_count + policy->never.count + policy->always.count;
	struct outcomes outcomes = { .v = array_new(count, sizeof(*outcomes.v)) };
	int err = outcomes.v ? run_tests(policy, tables, now, &outcomes) : -ENOMEM;

	if (!err)
		err = run_proofs(policy, tables, &outcomes);
	if (err) {
		outcomes_clear(&outcomes);
		return err;
	}
	for (size_t i = 0; i < outcomes.count; i++)
		outcomes.failed += outcomes.v[i].result != OUTCOME_HOLDS;
	*ret_outcomes = outcomes;
	return 0;
}
