// SPDX-License-Identifier: GPL-2.0-only
#include "compile/variants.h"

#include <string.h>

#include "compile/sort.h"

#define NO_CANDIDATE 0xffffffffu

/* Of an entry and a piece. */
struct candidate {
	const struct entry *entry;
	uint32_t next; /* of the piece; NO_CANDIDATE */
};

/* Of a piece: its candidates so far. Of the tier at hand: until when those count that count for both decisions, and all. */
struct candidacy {
	uint32_t first, last;
	uint64_t both_until, one_until;
	bool passes; /* a candidate of this tier does: later tiers count */
	bool is_done; /* no later tier does */
};

bool variants_needed(const struct entry *entries, const uint32_t *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!entry_is_plain(&entries[list[i]]))
			return true;
	return false;
}

static int begin(struct variants *v, size_t pieces)
{
	int err;

	v->piece.count = v->candidate.count = 0;
	err = array_reserve(&v->piece, pieces);
	for (size_t p = 0; p < pieces && !err; p++)
		v->piece.v[v->piece.count++] = (struct candidacy){ .first = NO_CANDIDATE };
	return err;
}

/* all: later tiers count, whatever stands before them. */
static void begin_tier(struct variants *v, struct pieces *pieces, bool all)
{
	for (uint32_t p = 0; p < pieces->count; p++) {
		struct candidacy *c = &v->piece.v[p];

		c->both_until = c->one_until = 0;
		c->passes = false;
		pieces->next[p] = c->is_done && !all ? p + 1 : p;
	}
}

static int add(struct variants *v, struct candidacy *c, const struct entry *entry)
{
	uint32_t number = v->candidate.count;
	int err = array_push(&v->candidate, ((struct candidate){ entry, NO_CANDIDATE }));

	if (err)
		return err;
	if (c->first == NO_CANDIDATE)
		c->first = number;
	else
		v->candidate.v[c->last].next = number;
	c->last = number;
	return 0;
}

/* A piece and an entry that matches it. What closes a piece decides it in both decisions, for good. 0 or -ENOMEM. */
static int offer(struct variants *v, uint32_t *next, uint32_t p, const struct entry *entry, bool *taken)
{
	struct candidacy *c = &v->piece.v[p];

	if (entry->until <= (entry->staged ? c->one_until : c->both_until))
		return 0;
	*taken = true;
	c->passes = c->passes || entry->action == ACTION_PASS;
	if (entry->until > c->one_until)
		c->one_until = entry->until;
	if (!entry->staged)
		c->both_until = entry->until;
	if (c->both_until == ENTRY_NEVER_ENDS) {
		c->is_done = !c->passes;
		next[p] = p + 1;
	}
	return add(v, c, entry);
}

/* Offers an entry to its open pieces. 0 or -ENOMEM. */
static int offer_all(struct variants *v, struct pieces *pieces, const struct services *services, const struct entry *entry,
		     bool *ret_taken)
{
	size_t runs;
	const struct class_run *run = services_runs(services, entry->service, &runs);
	int err = 0;

	*ret_taken = false;
	for (size_t i = 0; i < runs; i++) {
		uint32_t first, end;

		pieces_of(pieces, &run[i], &first, &end);
		for (uint32_t p = pieces_open(pieces->next, first); p < end && !err; p = pieces_open(pieces->next, p + 1))
			err = offer(v, pieces->next, p, entry, ret_taken);
	}
	return err;
}

/*
 * All candidates of all pieces; ret_live (NULL: not asked): entries that are any piece's, if rules of other ends may pass
 * packets on from any tier to the next.
 */
static int gather(struct variants *v, struct pieces *pieces, const struct services *services, const struct entry *entries,
		  const uint32_t *list, size_t count, uint32_t *ret_live, size_t *ret_count)
{
	int err = begin(v, pieces->count);

	*ret_count = 0;
	for (size_t i = 0; i < count && !err; i++) {
		const struct entry *entry = &entries[list[i]];
		bool taken;

		if (!i || entry->tier != entries[list[i - 1]].tier)
			begin_tier(v, pieces, ret_live);
		err = offer_all(v, pieces, services, entry, &taken);
		if (taken && ret_live)
			ret_live[(*ret_count)++] = list[i];
	}
	return err;
}

int variants_live(struct variants *v, struct pieces *pieces, const struct services *services, const struct entry *entries,
		  const uint32_t *list, size_t count, uint32_t *ret_live, size_t *ret_count)
{
	return gather(v, pieces, services, entries, list, count, ret_live, ret_count);
}

/* --- One piece ------------------------------------------------------------------------------------------------ */

/* Copies the piece's candidates and the instants at which one of them ends, in order. */
static int list_candidates(struct variants *v, const struct candidacy *c)
{
	size_t kept = 0;
	int err = 0;

	v->list.count = v->instant.count = 0;
	for (uint32_t i = c->first; i != NO_CANDIDATE && !err; i = v->candidate.v[i].next) {
		const struct entry *entry = v->candidate.v[i].entry;

		err = array_push(&v->list, entry);
		if (!err && entry->until != ENTRY_NEVER_ENDS)
			err = array_push(&v->instant, entry->until);
	}
	if (!err)
		err = array_reserve(&v->instant, v->instant.count);
	if (err || !v->instant.count)
		return err;
	sort_u64(v->instant.v, v->instant.v + v->instant.count, v->instant.count);
	for (size_t i = 0; i < v->instant.count; i++)
		if (!i || v->instant.v[i] != v->instant.v[kept - 1])
			v->instant.v[kept++] = v->instant.v[i];
	v->instant.count = kept;
	return 0;
}

/* Who decides from this instant on (design 4.3), by enforced rules, or by all; NULL: none of them. */
static const struct entry *decider(const struct variants *v, uint64_t from, bool staged)
{
	const struct entry *passed = NULL;

	for (size_t i = 0; i < v->list.count; i++) {
		const struct entry *entry = v->list.v[i];

		if ((entry->staged && !staged) || entry->until <= from || (passed && passed->tier == entry->tier))
			continue;
		if (entry->action != ACTION_PASS)
			return entry;
		passed = entry;
	}
	return NULL;
}

/* What holds from this instant on: `cell` and `staged`. */
static struct zw_variant decide_from(const struct variants *v, uint64_t from, uint32_t default_cell)
{
	const struct entry *enforced = decider(v, from, false), *second = decider(v, from, true);

	return (struct zw_variant){
		.cell = enforced ? enforced->cell : default_cell,
		.staged = second && second->staged ? second->cell & ZW_STAGED : 0,
	};
}

/* The cell that is this variant. */
static int name_variant(struct variants *v, const struct zw_variant *variant, uint32_t *ret_cell)
{
	uint32_t words[sizeof(*variant) / sizeof(uint32_t)], number;
	int err;

	if (!variant->until && !variant->staged) {
		*ret_cell = variant->cell;
		return 0;
	}
	memcpy(words, variant, sizeof(words));
	err = sets_intern(&v->all, words, sizeof(words) / sizeof(words[0]), sets_hash(words, sizeof(words) / sizeof(words[0])),
			  &number);
	if (!err && number >= ZW_VARIANTS_MAX)
		err = -ERANGE;
	*ret_cell = number | ZW_CELL_VARIANT;
	return err;
}

/* The chain, from its end to its beginning. */
static int decide_piece(struct variants *v, const struct candidacy *c, uint32_t default_cell, uint32_t *ret_cell)
{
	struct zw_variant after, now;
	int err = list_candidates(v, c);

	if (err)
		return err;
	if (v->instant.count >= ZW_VARIANTS_CHAIN)
		return -ERANGE;
	after = decide_from(v, v->instant.count ? v->instant.v[v->instant.count - 1] : 0, default_cell);
	err = name_variant(v, &after, ret_cell);
	for (size_t i = v->instant.count; i-- > 0 && !err; after = now) {
		now = decide_from(v, i ? v->instant.v[i - 1] : 0, default_cell);
		if (now.cell == after.cell && now.staged == after.staged)
			continue;
		now.until = v->instant.v[i];
		now.next = *ret_cell;
		err = name_variant(v, &now, ret_cell);
	}
	return err;
}

/* For the message: the last one in the list that has a rule and is no plain entry. */
static const struct rule *find_costly(const struct variants *v)
{
	for (size_t i = v->list.count; i-- > 0;)
		if (!entry_is_plain(v->list.v[i]))
			return v->list.v[i]->rule;
	return NULL;
}

int variants_decide(struct variants *v, struct pieces *pieces, const struct services *services, const struct entry *entries,
		    const uint32_t *list, size_t count, uint32_t default_cell, uint32_t *ret_cell)
{
	size_t live;
	int err = gather(v, pieces, services, entries, list, count, NULL, &live);

	for (size_t p = 0; p < pieces->count && !err; p++)
		err = decide_piece(v, &v->piece.v[p], default_cell, &ret_cell[p]);
	if (err == -ERANGE)
		v->costly = find_costly(v);
	return err;
}

/* --- Their bytes ---------------------------------------------------------------------------------------------- */

static int write_variants(const struct variants *v, struct lines *lines, struct zw_layout *layout)
{
	size_t count = sets_count(&v->all), words;
	int err = count ? lines_add_bytes(lines, count * sizeof(struct zw_variant), &layout->variants) : 0;

	for (size_t i = 0; i < count && !err; i++)
		memcpy((struct zw_variant *)lines_at(lines, layout->variants) + i, sets_get(&v->all, i, &words),
		       sizeof(struct zw_variant));
	layout->variant_count = count;
	return err;
}

/* Flows have cells of enforced rules alone. */
static bool is_noted(const struct entry *entry)
{
	return entry->rule && entry->rule->expires && !entry->staged;
}

static int write_instants(const struct entries *entries, struct lines *lines, struct zw_layout *layout)
{
	uint32_t highest = 0;
	int err;

	for (size_t i = 0; i < entries->all.count; i++)
		if (is_noted(&entries->all.v[i]) && (entries->all.v[i].cell & ZW_CELL_RULE) > highest)
			highest = entries->all.v[i].cell & ZW_CELL_RULE;
	if (!highest)
		return 0;
	err = lines_add_bytes(lines, (highest + 1) * sizeof(uint64_t), &layout->instants);
	if (err)
		return err;
	layout->instant_count = highest + 1;
	for (size_t i = 0; i < entries->all.count; i++)
		if (is_noted(&entries->all.v[i]))
			((uint64_t *)lines_at(lines, layout->instants))[entries->all.v[i].cell & ZW_CELL_RULE] =
				entries->all.v[i].until;
	return 0;
}

int variants_write(const struct variants *v, const struct entries *entries, struct lines *lines, struct zw_layout *layout)
{
	int err = write_variants(v, lines, layout);

	return err ? err : write_instants(entries, lines, layout);
}

void variants_clear(struct variants *v)
{
	sets_clear(&v->all);
	array_free(&v->piece);
	array_free(&v->candidate);
	array_free(&v->list);
	array_free(&v->instant);
}
