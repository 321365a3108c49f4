// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "compile/analyse.h"

#define NAMED_MAX 3 /* deciders that a warning names */
#define LOOKS_MAX 4096 /* pieces that are looked at to find them, for each shadowed rule */

/* What is known of an entry, over all cases that pairs really have. */
struct finding {
	bool met; /* a pair and a service are in its region */
	bool decides; /* at least one cell (or passes it on) */
	bool differs; /* a cell would have another verdict without it */
	bool unsure; /* what decides instead of it involves host or world, and these are not known */
	uint8_t deciders; /* how many of decider[] are used; one more: there are others */
	uint16_t looks;
	uint32_t decider[NAMED_MAX];
};

#define FREE 0xffffffffu

/*
 * One tier of one case: of each piece the first and the second entry that match it. Two are enough: without the first,
 * the second decides.
 */
struct tier {
	uint32_t number; /* as in its entries */
	uint32_t *first, *second;
};

struct analysis {
	const struct policy *policy;
	const struct matrix *m;
	struct diag *diag;
	struct finding *finding; /* of each entry */
	struct case_entries entries;
	struct pieces pieces;
	ARRAY(uint32_t) live; /* the case's entries without those that decide nothing */
	ARRAY(uint32_t) words; /* `tier` points into it */
	ARRAY(struct tier) tier;
	ARRAY(uint32_t) next; /* as pieces.next, for the second match */
};

static const struct entry *entry_at(const struct analysis *a, uint32_t entry)
{
	return &a->m->entries->all.v[entry];
}

static size_t tier_count(const struct analysis *a, const uint32_t *list, size_t count)
{
	size_t tiers = 0;

	for (size_t i = 0; i < count; i++)
		tiers += !i || entry_at(a, list[i])->tier != entry_at(a, list[i - 1])->tier;
	return tiers;
}

/* Room for the first and second matches of so many tiers, all free. */
static int make_tiers(struct analysis *a, size_t tiers)
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

static void open_pieces(struct analysis *a)
{
	for (uint32_t p = 0; p <= a->pieces.count; p++)
		a->pieces.next[p] = a->next.v[p] = p;
}

/* Puts the entry where no earlier one of its tier stands. A piece that has both its matches is never looked at again. */
static void put(struct analysis *a, uint32_t entry, struct tier *tier)
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

static int fill_tiers(struct analysis *a, const uint32_t *list, size_t count)
{
	struct tier *tier = NULL;
	int err = pieces_cut(&a->pieces, a->m->services, a->m->entries->all.v, list, count);

	if (!err)
		err = make_tiers(a, tier_count(a, list, count));
	for (size_t i = 0; i < count && !err; i++) {
		if (!i || entry_at(a, list[i])->tier != entry_at(a, list[i - 1])->tier) {
			tier = i ? tier + 1 : a->tier.v;
			tier->number = entry_at(a, list[i])->tier;
			open_pieces(a);
		}
		put(a, list[i], tier);
	}
	return err;
}

/* Marks what decides: of each piece the first match of each tier, up to one that does not pass. */
static void mark_deciders(struct analysis *a)
{
	for (size_t p = 0; p < a->pieces.count; p++) {
		for (size_t t = 0; t < a->tier.count; t++) {
			uint32_t entry = a->tier.v[t].first[p];

			if (entry == FREE)
				continue;
			a->finding[entry].decides = true;
			if (entry_at(a, entry)->action != ACTION_PASS)
				break;
		}
	}
}

static bool involves_host(const struct zone_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->zone[i] == ZONE_INDEX_HOST || list->zone[i] == ZONE_INDEX_WORLD)
			return true;
	return false;
}

static bool is_unknown(const struct analysis *a, uint32_t entry)
{
	const struct rule *rule = entry_at(a, entry)->rule;

	return !a->policy->host_known && rule && (involves_host(&rule->from) || involves_host(&rule->to));
}

/* A verdict: allow or drop, and whether it always is the same. `by` is the entry or FREE. */
struct verdict {
	uint32_t by;
	bool allow, varies;
};

static struct verdict verdict_of(const struct analysis *a, uint32_t entry)
{
	uint32_t cell = entry_at(a, entry)->cell;

	return (struct verdict){ .by = entry,
				 .allow = cell & ZW_CELL_ALLOW,
				 .varies = cell & (ZW_CELL_LIMIT | ZW_CELL_TLS | ZW_CELL_EXPIRES) };
}

/* Is the rule there for its `log`? What follows it would send other events. */
static bool is_heard(const struct analysis *a, uint32_t entry, uint32_t by)
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
static void judge_piece(struct analysis *a, size_t p)
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
		with = entry_at(a, first)->action == ACTION_PASS ? after : verdict_of(a, first);
		if (second != FREE && entry_at(a, second)->action != ACTION_PASS)
			without = verdict_of(a, second);
		if (t <= reached && with.by != without.by) {
			if (with.allow != without.allow || with.varies || without.varies ||
			    is_heard(a, first, without.by))
				a->finding[first].differs = true;
			if (without.by != FREE && is_unknown(a, without.by))
				a->finding[first].unsure = true;
		}
		after = with;
	}
}

static void add_decider(struct finding *finding, uint32_t decider)
{
	for (size_t i = 0; i < finding->deciders && i < NAMED_MAX; i++)
		if (finding->decider[i] == decider)
			return;
	if (finding->deciders < NAMED_MAX)
		finding->decider[finding->deciders] = decider;
	if (finding->deciders <= NAMED_MAX)
		finding->deciders++;
}

/* The entry that decides the piece, seen from one in this tier; FREE if none does up to that tier. */
static uint32_t decider_of(const struct analysis *a, size_t piece, uint32_t tier)
{
	for (size_t t = 0; t < a->tier.count && a->tier.v[t].number <= tier; t++) {
		uint32_t by = a->tier.v[t].first[piece];

		if (by != FREE && (a->tier.v[t].number == tier || entry_at(a, by)->action != ACTION_PASS))
			return by;
	}
	return FREE;
}

/* Which entries decide instead of this one: in its own tier the first match, or a tier before decides. */
static void name_deciders(struct analysis *a, uint32_t entry)
{
	struct finding *finding = &a->finding[entry];
	size_t runs;
	const struct class_run *run = services_runs(a->m->services, entry_at(a, entry)->service, &runs);

	for (size_t i = 0; i < runs; i++) {
		size_t first = 0, last = a->pieces.count;

		/* The last piece that begins at or before the run. */
		while (last - first > 1) {
			size_t middle = (first + last) / 2;

			if (a->pieces.points[middle] <= run[i].first)
				first = middle;
			else
				last = middle;
		}
		for (size_t p = first; p < a->pieces.count && a->pieces.points[p] <= run[i].last; p++) {
			uint32_t by = decider_of(a, p, entry_at(a, entry)->tier);

			if (finding->deciders > NAMED_MAX || finding->looks == LOOKS_MAX)
				return;
			finding->looks++;
			if (by != FREE)
				add_decider(finding, by);
		}
	}
}

/* Calls step for each case that a pair really has. */
static int each_case(struct analysis *a, int (*step)(struct analysis *a))
{
	int err = 0;

	for (size_t i = 0; i < sets_count(&a->m->cases) && !err; i++) {
		if (!a->m->real.v[i])
			continue;
		err = matrix_case(a->m, i, &a->entries);
		if (!err)
			err = step(a);
	}
	return err;
}

static int find_deciders(struct analysis *a)
{
	int err = fill_tiers(a, a->entries.entry.v, a->entries.entry.count);

	if (err)
		return err;
	for (size_t i = 0; i < a->entries.entry.count; i++)
		a->finding[a->entries.entry.v[i]].met = true;
	mark_deciders(a);
	for (size_t p = 0; p < a->pieces.count; p++)
		judge_piece(a, p);
	return 0;
}

/*
 * And what would follow each of the others without the entries that decide nothing? Of two rules that say the same the later is
 * shadowed; the earlier is not called redundant as well.
 */
static int find_followers(struct analysis *a)
{
	const uint32_t *list = a->entries.entry.v;
	size_t count = a->entries.entry.count;
	int err;

	a->live.count = 0;
	err = array_reserve(&a->live, count);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++)
		if (a->finding[list[i]].decides)
			a->live.v[a->live.count++] = list[i];
	err = fill_tiers(a, a->live.v, a->live.count);
	if (err)
		return err;
	for (size_t p = 0; p < a->pieces.count; p++)
		judge_piece(a, p);
	for (size_t i = 0; i < count; i++)
		if (!a->finding[list[i]].decides && a->finding[list[i]].deciders <= NAMED_MAX)
			name_deciders(a, list[i]);
	return 0;
}

/*
 * A rule that may hide one of another action, behind it in its tier, is needed: without it that one would decide. Which hides
 * which is not asked. Both parts of the list are in evaluation order.
 */
static void spare_hiders(struct analysis *a, const uint32_t *list, size_t live, size_t count)
{
	size_t hidden = count;
	unsigned actions = 0; /* of the hidden ones behind, a bit each */

	for (size_t i = live; i-- > 0;) {
		const struct entry *entry = entry_at(a, list[i]);

		if (i + 1 < live && entry_at(a, list[i + 1])->tier != entry->tier)
			actions = 0;
		for (; hidden > live && list[hidden - 1] > list[i]; hidden--)
			if (entry_at(a, list[hidden - 1])->tier == entry->tier)
				actions |= 1u << entry_at(a, list[hidden - 1])->action;
		if (actions & ~(1u << entry->action))
			a->finding[list[i]].differs = true;
	}
}

/* Rules that others of the same ends and tier hide are in no case: they are judged once, by their own combination. */
static int find_hidden(struct analysis *a)
{
	int err = 0;

	for (size_t i = 0; i < sets_count(&a->m->combinations) && !err; i++) {
		size_t count, live = a->m->live_of[i];
		const uint32_t *list = lists_get(&a->m->entries_of, i, &count);

		if (live == count || !live)
			continue;
		spare_hiders(a, list, live, count);
		err = fill_tiers(a, list, live);
		for (size_t j = live; j < count && !err; j++) {
			a->finding[list[j]].met = a->finding[list[0]].met;
			name_deciders(a, list[j]);
		}
	}
	return err;
}

static void tell_shadowed(struct analysis *a, const struct rule *rule, const struct finding *finding)
{
	char names[NAMED_MAX * 80 + 32] = "";
	size_t len = 0, named = finding->deciders < NAMED_MAX ? finding->deciders : NAMED_MAX;
	const struct rule *by = entry_at(a, finding->decider[0])->rule;

	for (size_t i = 0; i < finding->deciders && i < NAMED_MAX; i++)
		if (is_unknown(a, finding->decider[i]))
			return;
	for (size_t i = 0; i < named; i++)
		len += snprintf(names + len, sizeof(names) - len, "%s'%.63s'", i ? ", " : "",
				entry_at(a, finding->decider[i])->rule->id);
	if (finding->deciders > NAMED_MAX)
		snprintf(names + len, sizeof(names) - len, " and others");
	if (named == 1 && by->place.line && diag_file_name(a->diag, by->place.file))
		diag_warning(a->diag, &rule->place, "remove it, or put it before them",
			     "rule '%s' is shadowed by %s (%s:%u): it never decides", rule->id, names,
			     diag_file_name(a->diag, by->place.file), by->place.line);
	else
		diag_warning(a->diag, &rule->place, "remove it, or put it before them",
			     "rule '%s' is shadowed by %s: it never decides", rule->id, names);
}

static void tell(struct analysis *a)
{
	for (size_t i = 0; i < a->m->entries->all.count; i++) {
		const struct finding *finding = &a->finding[i];
		const struct rule *rule = entry_at(a, i)->rule;

		if (!rule || !finding->met || is_unknown(a, i))
			continue;
		if (!finding->decides && finding->deciders)
			tell_shadowed(a, rule, finding);
		else if (finding->decides && !finding->differs && !finding->unsure)
			diag_warning(a->diag, &rule->place, NULL,
				     "rule '%s' is redundant: without it every packet has the same verdict",
				     rule->id);
	}
}

int analyse(const struct policy *policy, const struct matrix *matrix, struct diag *diag)
{
	struct analysis a = { .policy = policy, .m = matrix, .diag = diag };
	int err;

	a.finding = calloc(matrix->entries->all.count + 1, sizeof(*a.finding));
	err = a.finding ? each_case(&a, find_deciders) : -ENOMEM;
	if (!err)
		err = each_case(&a, find_followers);
	if (!err)
		err = find_hidden(&a);
	if (!err)
		tell(&a);
	free(a.finding);
	case_entries_clear(&a.entries);
	pieces_clear(&a.pieces);
	array_free(&a.live);
	array_free(&a.words);
	array_free(&a.tier);
	array_free(&a.next);
	return err;
}
