// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stages before policy look at a packet's addresses and places by traits: what traits two addresses or two places share, they
 * share for them. So one packet of each combination of traits tells whether these stages decide it, and what. Where they do
 * not, the pair's rows do (pair.h): of pairs with the same rows and traits only the first is looked at.
 */
#include "simulate/reach.h"

#include <netinet/in.h>

#include "base/util.h"
#include "simulate/pair.h"
#include "simulate/pick.h"
#include "simulate/reach_ends.h"
#include "simulate/reach_places.h"

/* --- Outcomes ------------------------------------------------------------------------------------------------------- */

/* Whether stages before policy decide packets of a combination of traits. */
enum early { EARLY_UNKNOWN, EARLY_NO, EARLY_YES };

struct search {
	const struct reach_question *question;
	const struct names *names;
	struct space *space;
	struct cells *cells;
	struct decider *decider;
	struct reach_ends ends[2]; /* sources, destinations: of one family at a time */
	struct reach_places places;
	uint8_t *early; /* enum early: [traits of both ends][group of places] */
	struct pair_set met;
	bool *seen; /* by rule number; rule 0, by reason, behind them */
	uint32_t rule_count;
	struct reach *reach;
};

static bool *seen_at(const struct search *search, enum zw_reason reason, uint32_t rule)
{
	bool by_rule = reason == ZW_ALLOW_RULE || reason == ZW_DROP_RULE || reason == ZW_ALLOW_FAILSAFE;

	return &search->seen[by_rule && rule ? rule : search->rule_count + 1 + reason];
}

static int take(struct search *search, const struct first_packet *packet, const struct decision *decision)
{
	struct reach *reach = search->reach;
	bool *seen = seen_at(search, decision->reason, decision->rule);
	uint32_t rule = seen - search->seen <= search->rule_count ? decision->rule : 0;

	if (decision->reason == ZW_DROP_MALFORMED || *seen)
		return 0;
	*seen = true;
	reach->some_dropped |= !decision->allow;
	reach->some_essential |= decision->reason == ZW_ALLOW_ESSENTIAL;
	reach->some_allowed |= decision->allow && decision->reason != ZW_ALLOW_ESSENTIAL;
	if (array_grow(&reach->outcomes, reach->count, sizeof(*reach->outcomes)))
		return -ENOMEM;
	reach->outcomes[reach->count++] =
		(struct reach_outcome){ decision->allow, decision->reason, rule, *packet };
	return 0;
}

static int decide(struct search *search, const struct reach_end *from, const struct reach_end *to,
		  const struct reach_place *place, enum zw_reason *ret_reason)
{
	struct first_packet packet = search->question->packet;
	struct decision decision;

	packet.from = from->example;
	packet.to = to->example;
	packet.protocol = place->protocol;
	packet.port = place->port;
	if (search->question->own_leave)
		packet.egress = from->is_host;
	explain_decide(search->decider, search->names, &packet, &decision);
	*ret_reason = decision.reason;
	return take(search, &packet, &decision);
}

static bool is_of_policy(enum zw_reason reason)
{
	switch (reason) {
	case ZW_ALLOW_RULE:
	case ZW_ALLOW_INTRA_ZONE:
	case ZW_ALLOW_DEFAULT:
	case ZW_ALLOW_FAILSAFE:
	case ZW_DROP_RULE:
	case ZW_DROP_DEFAULT:
		return true;
	default:
		return false;
	}
}

/* --- Pairs ---------------------------------------------------------------------------------------------------------- */

/* Who decides places of a run, as pair_decide() has it: ret_rule. */
static enum zw_reason reason_of(const struct search *search, const struct pair *pair,
				const struct pair_run *run, const struct reach_group *group,
				uint32_t *ret_rule)
{
	uint32_t entry = run->failsafe;

	if (!cell_allows(run->policy) && !cell_allows(entry) && group->kind != PLACE_TCP)
		entry = place_has_sport(group->kind) ? cells_cell(search->cells, pair->exchanged,
								  cells_class(search->cells, group->protocol,
									      search->question->packet.sport))
						     : run->exchanged;
	if (!cell_allows(run->policy) && cell_allows(entry)) {
		*ret_rule = entry & ZW_CELL_RULE;
		return ZW_ALLOW_FAILSAFE;
	}
	*ret_rule = run->policy & ZW_CELL_RULE;
	return cell_reason(run->policy);
}

/* Of all the places that a rule, or a default, decides, the plainest. */
static const struct reach_place *plainest(const struct search *search, const struct pair *pair,
					  const struct reach_group *group, enum zw_reason reason,
					  uint32_t rule)
{
	struct pair_walk walk = pair_walk(search->cells, pair);
	const struct reach_place *best = NULL;
	struct pair_run run;
	uint32_t other;

	while (pair_next(&walk, &run))
		if (reach_group_holds(group, run.first, run.end) &&
		    reason_of(search, pair, &run, group, &other) == reason && other == rule)
			best = reach_group_example(group, run.first, run.end, best);
	return best;
}

/* Places that policy decides, by the pair's rows. */
static int look_at_rows(struct search *search, const struct pair *pair, const struct reach_end *from,
			const struct reach_end *to, const struct reach_group *group)
{
	struct pair_walk walk = pair_walk(search->cells, pair);
	struct pair_run run;
	int err = 0;

	while (!err && pair_next(&walk, &run)) {
		enum zw_reason reason;
		uint32_t rule;

		if (!reach_group_holds(group, run.first, run.end))
			continue;
		reason = reason_of(search, pair, &run, group, &rule);
		if (!*seen_at(search, reason, rule))
			err = decide(search, from, to, plainest(search, pair, group, reason, rule), &reason);
	}
	return err;
}

static int look_at_pair(struct search *search, const struct pair *pair, const struct reach_end *from,
			const struct reach_end *to, uint32_t traits)
{
	int err = 0;

	for (size_t i = 0; i < search->places.count && !err; i++) {
		const struct reach_group *group = &search->places.group[i];
		uint8_t *early = &search->early[(size_t)traits * search->places.count + i];
		enum zw_reason reason;

		if (*early == EARLY_UNKNOWN) {
			err = decide(search, from, to,
				     reach_group_example(group, 0, cells_class_count(search->cells), NULL),
				     &reason);
			*early = is_of_policy(reason) ? EARLY_NO : EARLY_YES;
		}
		if (!err && *early == EARLY_NO)
			err = look_at_rows(search, pair, from, to, group);
	}
	return err;
}

static int search_pairs(struct search *search)
{
	const struct reach_ends *from = &search->ends[0], *to = &search->ends[1];
	int err = 0;

	for (size_t i = 0; i < from->count && !err; i++) {
		for (size_t j = 0; j < to->count && !err; j++) {
			uint32_t traits = from->v[i].traits * to->traits_count + to->v[j].traits;
			struct pair pair;
			int new;

			err = pair_read(search->cells, from->v[i].atom, to->v[j].atom, &pair);
			new = err ? 0 : pair_set_add(&search->met, &pair, traits);
			if (new)
				err = new < 0 ? new : look_at_pair(search, &pair, &from->v[i], &to->v[j], traits);
		}
	}
	return err;
}

static int find_all(struct search *search, int family)
{
	const struct reach_question *question = search->question;
	int err = reach_ends_find(search->space, SIDE_SOURCE, family, question->from, &search->ends[0]);

	if (!err)
		err = reach_ends_find(search->space, SIDE_DESTINATION, family, question->to,
				      &search->ends[1]);
	if (!err)
		err = reach_places_find(search->cells, family, question->service, &search->places);
	if (!err && search->ends[0].count * (uint64_t)search->ends[1].count > REACH_PAIRS_MAX)
		err = -E2BIG;
	if (err)
		return err;
	search->early = array_new((size_t)search->ends[0].traits_count * search->ends[1].traits_count *
					  search->places.count,
				  sizeof(*search->early));
	return search->early ? 0 : -ENOMEM;
}

static int search_family(struct search *search, int family)
{
	int err = find_all(search, family);

	if (!err)
		err = search_pairs(search);
	free(search->early);
	pair_set_clear(&search->met);
	search->early = NULL;
	reach_places_clear(&search->places);
	reach_ends_clear(&search->ends[0]);
	reach_ends_clear(&search->ends[1]);
	return err;
}

static int compare_outcomes(const void *a, const void *b)
{
	const struct reach_outcome *x = a, *y = b;

	if (x->allow != y->allow)
		return x->allow ? -1 : 1;
	if (!x->rule != !y->rule)
		return x->rule ? -1 : 1;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return (int)x->reason - (int)y->reason;
}

int reach_find(struct space *space, const struct tables *tables, const struct reach_question *question,
	       struct reach *ret_reach)
{
	struct search search = {
		.question = question,
		.names = tables->names,
		.space = space,
		.cells = space_cells(space),
		.rule_count = tables->layout.rule_count,
	};
	struct reach reach = { 0 };
	int err = decider_new(tables->bytes, &tables->layout, false, &search.decider);

	search.reach = &reach;
	search.seen = array_new((size_t)search.rule_count + 1 + ZW_REASONS, sizeof(*search.seen));
	if (!search.seen)
		err = -ENOMEM;
	for (int family = 4; family <= 6 && !err; family += 2)
		err = search_family(&search, family);
	if (!err && reach.count)
		qsort(reach.outcomes, reach.count, sizeof(*reach.outcomes), compare_outcomes);
	if (err)
		reach_clear(&reach);
	*ret_reach = reach;
	decider_free(search.decider);
	free(search.seen);
	return err;
}

enum reach_answer reach_answer(const struct reach *reach)
{
	if (reach->some_dropped)
		return reach->some_allowed ? REACH_PARTLY : REACH_NO;
	return reach->some_allowed || reach->some_essential ? REACH_YES : REACH_NONE;
}

void reach_clear(struct reach *reach)
{
	free(reach->outcomes);
	*reach = (struct reach){ 0 };
}
