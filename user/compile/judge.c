// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/analyse.h"

#define LOOKS_MAX 4096 /* pieces that are looked at to find who decides before a rule */

static bool begins_tier(const struct analyser *a, const uint32_t *list, size_t i)
{
	return !i || entry_at(a, list[i])->tier != entry_at(a, list[i - 1])->tier;
}

static size_t tier_count(const struct analyser *a, const uint32_t *list, size_t count)
{
	size_t tiers = 0;

	for (size_t i = 0; i < count; i++)
		tiers += begins_tier(a, list, i);
	return tiers;
}

/* Room for the first and second matches of so many tiers, all free. */
static int make_tiers(struct analyser *a, size_t tiers)
{
	size_t pieces = a->pieces.count;
	int err;

	a->tier.count = a->words.count = a->next.count = 0;
	err = array_reserve(&a->words, 2 * pieces * tiers + 1);
	if (!err)
		err = array_reserve(&a->tier, tiers + 1);
	if (!err)
		err = array_reserve(&a->next, pieces + 1);
	if (err)
		return err;
	memset(a->words.v, 0xff, 2 * pieces * tiers * sizeof(*a->words.v));
	for (size_t i = 0; i < tiers; i++)
		a->tier.v[a->tier.count++] = (struct tier){ .first = a->words.v + 2 * i * pieces,
							    .second = a->words.v + (2 * i + 1) * pieces };
	return 0;
}

static void open_pieces(struct analyser *a)
{
	for (uint32_t p = 0; p <= a->pieces.count; p++)
		a->pieces.next[p] = a->next.v[p] = p;
}

/* Puts the entry where no earlier one of its tier stands. A piece that has both its matches is never looked at again. */
static void put(struct analyser *a, uint32_t entry, struct tier *tier)
{
	size_t runs;
	const struct class_run *run = services_runs(a->m->services, entry_at(a, entry)->service, &runs);

	for (size_t i = 0; i < runs; i++) {
		uint32_t first, end, p;

		pieces_of(&a->pieces, &run[i], &first, &end);
		for (p = pieces_open(a->next.v, first); p < end; p = pieces_open(a->next.v, p + 1)) {
			if (tier->first[p] == FREE)
				continue;
			tier->second[p] = entry;
			a->next.v[p] = p + 1;
		}
		for (p = pieces_open(a->pieces.next, first); p < end; p = pieces_open(a->pieces.next, p)) {
			tier->first[p] = entry;
			a->pieces.next[p] = p + 1;
		}
	}
}

static int count_real(struct analyser *a, unsigned origins)
{
	int err;

	a->real_before.count = 0;
	err = array_reserve(&a->real_before, a->pieces.count + 1);
	if (err)
		return err;
	a->real_before.v[0] = 0;
	for (size_t p = 0; p < a->pieces.count; p++)
		a->real_before.v[p + 1] = a->real_before.v[p] + analyser_has_packets(a, origins, a->pieces.points[p], a->pieces.points[p + 1]);
	return 0;
}

static bool is_real(const struct analyser *a, size_t piece)
{
	return a->real_before.v[piece] != a->real_before.v[piece + 1];
}

int judge_fill(struct analyser *a, const uint32_t *list, size_t count, unsigned origins)
{
	struct tier *tier = NULL;
	int err = pieces_cut(&a->pieces, a->m->services, a->m->entries->all.v, list, count);

	if (!err)
		err = count_real(a, origins);
	if (!err)
		err = make_tiers(a, tier_count(a, list, count));
	for (size_t i = 0; i < count && !err; i++) {
		if (begins_tier(a, list, i)) {
			tier = i ? tier + 1 : a->tier.v;
			tier->number = entry_at(a, list[i])->tier;
			open_pieces(a);
		}
		if (!entry_at(a, list[i])->staged)
			put(a, list[i], tier);
	}
	return err;
}

/* --- Who decides -------------------------------------------------------------------------------------------------- */

static void add_named(const struct analyser *a, struct named *named, uint32_t entry)
{
	const struct rule *rule = entry == FREE ? NULL : entry_at(a, entry)->rule;

	if (!rule) {
		*(entry == FREE ? &named->by_default : &named->intra_zone) = true;
		return;
	}
	for (size_t i = 0; i < named->count; i++)
		if (named->rule[i] == rule)
			return;
	if (named->count < NAMED_MAX)
		named->rule[named->count++] = rule;
	else
		named->more = true;
}

/* The first match of each tier, up to one that does not pass. */
static void mark_deciders(struct analyser *a, size_t p)
{
	for (size_t t = 0; t < a->tier.count; t++) {
		uint32_t entry = a->tier.v[t].first[p];

		if (entry == FREE)
			continue;
		a->finding[entry].decides = true;
		a->finding[entry].decided++;
		if (entry_at(a, entry)->action != ACTION_PASS)
			return;
	}
}

struct verdict judge_verdict(const struct analyser *a, uint32_t entry)
{
	uint32_t cell = entry_at(a, entry)->cell;

	return (struct verdict){ .by = entry,
				 .allow = cell & ZW_CELL_ALLOW,
				 .varies = cell & (ZW_CELL_LIMIT | ZW_CELL_TLS | ZW_CELL_EXPIRES) };
}

bool judge_is_heard(const struct analyser *a, uint32_t entry, uint32_t by)
{
	const struct rule *rule = entry_at(a, entry)->rule;
	uint32_t cell = by == FREE ? a->m->entries->default_cell : entry_at(a, by)->cell;

	return rule && rule->log != LOG_UNSET && rule->action != ACTION_PASS &&
	       ((cell ^ entry_at(a, entry)->cell) & (ZW_CELL_LOG | ZW_CELL_LOG_ALL));
}

/*
 * From the last tier to the first: what a packet that reaches the tier meets, with the tier's first match and without.
 * Only matches on the way that packets really take are judged: `reached` is the last tier of that way.
 */
static void judge_piece(struct analyser *a, size_t p)
{
	struct verdict after = { .by = FREE, .allow = a->m->entries->default_cell & ZW_CELL_ALLOW };
	size_t reached = 0;

	while (reached < a->tier.count && (a->tier.v[reached].first[p] == FREE ||
					   entry_at(a, a->tier.v[reached].first[p])->action == ACTION_PASS))
		reached++;
	for (size_t t = a->tier.count; t-- > 0;) {
		uint32_t first = a->tier.v[t].first[p], second = a->tier.v[t].second[p];
		struct verdict with, without = after;

		if (first == FREE)
			continue;
		with = entry_at(a, first)->action == ACTION_PASS ? after : judge_verdict(a, first);
		if (second != FREE && entry_at(a, second)->action != ACTION_PASS)
			without = judge_verdict(a, second);
		if (t <= reached && with.by != without.by &&
		    (with.allow != without.allow || with.varies || without.varies || judge_is_heard(a, first, without.by)))
			a->finding[first].differs = true;
		if (t <= reached && a->naming && !a->finding[first].differs)
			add_named(a, &a->finding[first].instead, without.by);
		after = with;
	}
}

/* The entry that decides the piece, seen from one in this tier; FREE if none does up to that tier. */
static uint32_t decider_of(const struct analyser *a, size_t piece, uint32_t tier)
{
	for (size_t t = 0; t < a->tier.count && a->tier.v[t].number <= tier; t++) {
		uint32_t by = a->tier.v[t].first[piece];

		if (by != FREE && (a->tier.v[t].number == tier || entry_at(a, by)->action != ACTION_PASS))
			return by;
	}
	return FREE;
}

/* The last piece that begins at or before the class. */
static size_t piece_of(const struct analyser *a, uint32_t class)
{
	size_t first = 0, last = a->pieces.count;

	while (last - first > 1) {
		size_t middle = (first + last) / 2;

		if (a->pieces.points[middle] <= class)
			first = middle;
		else
			last = middle;
	}
	return first;
}

/* Names who decides instead of an entry: in its own tier the first match, or a tier before decides. */
void judge_name_deciders(struct analyser *a, uint32_t entry)
{
	struct finding *finding = &a->finding[entry];
	size_t runs;
	const struct class_run *run = services_runs(a->m->services, entry_at(a, entry)->service, &runs);

	for (size_t i = 0; i < runs; i++) {
		for (size_t p = piece_of(a, run[i].first); p < a->pieces.count && a->pieces.points[p] <= run[i].last; p++) {
			uint32_t by = is_real(a, p) ? decider_of(a, p, entry_at(a, entry)->tier) : FREE;

			if (finding->by.more || finding->looks == LOOKS_MAX)
				return;
			finding->looks++;
			if (by != FREE && by != entry)
				add_named(a, &finding->by, by);
		}
	}
}

/* How many pieces of the case the entry matches. */
static uint32_t pieces_matched(const struct analyser *a, uint32_t entry)
{
	uint32_t count = 0, first, end;
	size_t runs;
	const struct class_run *run = services_runs(a->m->services, entry_at(a, entry)->service, &runs);

	for (size_t i = 0; i < runs; i++) {
		pieces_of(&a->pieces, &run[i], &first, &end);
		count += a->real_before.v[end] - a->real_before.v[first];
	}
	return count;
}

void judge_deciders(struct analyser *a)
{
	for (size_t i = 0; i < a->list.count; i++)
		a->finding[a->list.v[i]].decided = 0;
	for (size_t p = 0; p < a->pieces.count; p++) {
		if (!is_real(a, p))
			continue;
		mark_deciders(a, p);
		judge_piece(a, p);
	}
	for (size_t i = 0; i < a->list.count; i++) {
		struct finding *finding = &a->finding[a->list.v[i]];

		if (pieces_matched(a, a->list.v[i]) == finding->decided)
			continue;
		finding->loses = true;
		judge_name_deciders(a, a->list.v[i]);
	}
}

void judge_followers(struct analyser *a)
{
	for (size_t p = 0; p < a->pieces.count; p++)
		if (is_real(a, p))
			judge_piece(a, p);
}
