// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/delta.h"

#include "base/util.h"
#include "simulate/pair.h"

/* A row, spread out over the port classes. */
struct spread {
	uint32_t row;
	uint32_t *cell; /* of each class */
};

enum { SPREAD_POLICY, SPREAD_FAILSAFE, SPREAD_EXCHANGED, SPREADS };

/* Source ports that failsafe, with ends exchanged, does not tell apart. */
struct piece {
	uint32_t first, last;
	uint32_t exchanged[DIFF_SIDES]; /* cells */
};

/* The places of a change that are found so far. */
struct found {
	uint32_t change;
	ARRAY(uint32_t) places;
};

struct deltas {
	const struct joint *joint;
	const struct diff_source *sources;
	struct place_line line;
	struct terms terms;
	bool has_failsafe;
	struct spread spread[DIFF_SIDES][SPREADS];
	uint32_t *spread_terms[DIFF_SIDES]; /* of each class */
	struct sets changes, places, deltas;
	struct sets asked; /* both rows and failsafe numbers */
	ARRAY(uint32_t) answers; /* of each */
	struct sets rows; /* runs of terms: first class, terms, first class, terms, ... */
	ARRAY(uint32_t) runs_of[DIFF_SIDES]; /* of each row + 1, 0 not yet known */
	struct sets compared; /* runs of both generations */
	ARRAY(bool) is_same; /* of each */
	ARRAY(uint32_t) same; /* of each old one's runs: new ones' that are the same, + 1; 0 none known */
	/* Of the delta that is being made. */
	ARRAY(struct found) found;
	size_t found_count;
	ARRAY(uint32_t) found_of; /* of each change: its place in found + 1, if that is this change's */
	ARRAY(struct piece) pieces[PLACE_KINDS];
	ARRAY(uint32_t) list;
};

/* --- One packet ------------------------------------------------------------------------------------------------- */

struct outcome {
	bool allow;
	uint32_t cause, terms;
	uint32_t failsafe; /* the entry that stands behind it, 0 none */
};

static uint32_t cause_of(enum zw_reason reason, uint32_t cell)
{
	return (uint32_t)reason << 20 | (cell & ZW_CELL_RULE);
}

/*
 * As stage policy, then failsafe over it: cells of both, and of failsafe with ends exchanged. What failsafe matches, no limit
 * and no TLS check stops.
 */
static int decide(struct deltas *deltas, enum diff_side side, const uint32_t cells[SPREADS],
		  struct outcome *ret_outcome)
{
	uint32_t cell = cells[SPREAD_POLICY], failsafe = cells[SPREAD_FAILSAFE];
	uint32_t entry = failsafe & ZW_CELL_ALLOW ? failsafe : cells[SPREAD_EXCHANGED];
	struct outcome outcome = {
		.allow = (cell | entry) & ZW_CELL_ALLOW,
		.cause = cause_of(cell_reason(cell), cell),
		.failsafe = failsafe & ZW_CELL_ALLOW ? failsafe & ZW_CELL_RULE : 0,
	};

	if (outcome.failsafe)
		cell &= ~(ZW_CELL_LIMIT | ZW_CELL_TLS | ZW_CELL_RULE);
	if (outcome.allow && !(cell & ZW_CELL_ALLOW)) {
		outcome.cause = cause_of(ZW_ALLOW_FAILSAFE, entry);
		cell = ZW_CELL_ALLOW;
	}
	*ret_outcome = outcome;
	return terms_of(&deltas->terms, side, cell, &ret_outcome->terms);
}

/* False: the packet means the same in both. */
static bool compare(const struct outcome outcomes[DIFF_SIDES], struct change *ret_change)
{
	const struct outcome *old = &outcomes[DIFF_OLD], *new = &outcomes[DIFF_NEW];
	struct change change = { .cause = { old->cause, new->cause } };

	if (old->allow != new->allow) {
		change.kind = new->allow ? DIFF_WIDENED : DIFF_NARROWED;
	} else {
		if (old->terms == new->terms && !old->failsafe == !new->failsafe)
			return false;
		change.kind = DIFF_TERMS;
		change.terms[DIFF_OLD] = old->terms;
		change.terms[DIFF_NEW] = new->terms;
		if (!old->failsafe != !new->failsafe) {
			change.failsafe[DIFF_OLD] = old->failsafe;
			change.failsafe[DIFF_NEW] = new->failsafe;
		}
	}
	*ret_change = change;
	return true;
}

/* --- All places of a pair --------------------------------------------------------------------------------------- */

static void spread_out(const struct cells *cells, uint32_t row, struct spread *spread)
{
	uint32_t classes = cells_class_count(cells);
	size_t count;
	const struct cell_run *run = cells_runs(cells, row, &count);

	if (spread->row == row)
		return;
	spread->row = row;
	for (size_t i = 0; i < count; i++)
		for (uint32_t class = run[i].first; class < (i + 1 < count ? run[i + 1].first : classes);
		     class ++)
			spread->cell[class] = run[i].value;
}

/* Adds the places of a cut to a change. */
static int add_places(struct deltas *deltas, const struct place_cut *cut, const struct change *change)
{
	uint32_t number;
	struct found *found;
	int err = list_number(&deltas->changes, (const uint32_t *)change, CHANGE_WORDS, &number);

	while (!err && deltas->found_of.count <= number)
		err = array_push(&deltas->found_of, 0);
	if (err)
		return err;
	if (!deltas->found_of.v[number]) {
		if (deltas->found_count == deltas->found.count &&
		    array_push(&deltas->found, (struct found){ 0 }))
			return -ENOMEM;
		deltas->found.v[deltas->found_count].change = number;
		deltas->found_of.v[number] = ++deltas->found_count;
	}
	found = &deltas->found.v[deltas->found_of.v[number] - 1];
	if (found->places.count && found->places.v[found->places.count - 1] + 1 == cut->first) {
		found->places.v[found->places.count - 1] = cut->last;
		return 0;
	}
	err = array_push(&found->places, cut->first);
	return err ? err : array_push(&found->places, cut->last);
}

/* The cells of a cut; that of failsafe exchanged is the piece's, or the cut's own where no port is exchanged. */
static int compare_cut(struct deltas *deltas, const struct place_cut *cut, const struct piece *piece,
		       struct change *ret_change, bool *ret_differs)
{
	struct outcome outcomes[DIFF_SIDES];
	int err = 0;

	for (int i = 0; i < DIFF_SIDES && !err; i++) {
		uint32_t class = cut->class[i], cells[SPREADS];

		for (int j = 0; j < SPREADS; j++)
			cells[j] = deltas->spread[i][j].cell[class];
		if (piece)
			cells[SPREAD_EXCHANGED] = piece->exchanged[i];
		else if (cut->kind == PLACE_TCP)
			cells[SPREAD_EXCHANGED] = 0;
		err = decide(deltas, i, cells, &outcomes[i]);
	}
	*ret_differs = !err && compare(outcomes, ret_change);
	ret_change->sports = piece ? piece->first << 16 | piece->last : SPORTS_ALL;
	return err;
}

static bool is_same_but_sports(const struct change *a, const struct change *b)
{
	struct change c = *b;

	c.sports = a->sports;
	return !memcmp(a, &c, sizeof(c));
}

/* Each source port; neighbours that make the same change are one. */
static int walk_pieces(struct deltas *deltas, const struct place_cut *cut)
{
	struct change open, change;
	bool is_open = false, differs;
	int err = 0;

	for (size_t i = 0; i < deltas->pieces[cut->kind].count && !err; i++) {
		err = compare_cut(deltas, cut, &deltas->pieces[cut->kind].v[i], &change, &differs);
		if (!err && is_open && differs && is_same_but_sports(&open, &change)) {
			open.sports = (open.sports & 0xffff0000) | (change.sports & 0xffff);
			continue;
		}
		if (!err && is_open)
			err = add_places(deltas, cut, &open);
		is_open = differs;
		open = change;
	}
	return err || !is_open ? err : add_places(deltas, cut, &open);
}

/* How failsafe with ends exchanged takes the source ports of UDP or SCTP. */
static int find_pieces(struct deltas *deltas, enum place_kind kind)
{
	uint32_t base = deltas->line.cuts.v[deltas->line.begin[kind]].first;
	int err = 0;

	deltas->pieces[kind].count = 0;
	for (size_t i = deltas->line.begin[kind]; deltas->line.cuts.v[i].kind == kind && !err; i++) {
		const struct place_cut *cut = &deltas->line.cuts.v[i];
		struct piece piece = { cut->first - base, cut->last - base, { 0 } };
		struct piece *last = deltas->pieces[kind].count
					     ? &deltas->pieces[kind].v[deltas->pieces[kind].count - 1]
					     : NULL;

		for (int side = 0; side < DIFF_SIDES; side++)
			piece.exchanged[side] = deltas->spread[side][SPREAD_EXCHANGED].cell[cut->class[side]];
		if (last && !memcmp(last->exchanged, piece.exchanged, sizeof(piece.exchanged)))
			last->last = piece.last;
		else
			err = array_push(&deltas->pieces[kind], piece);
	}
	return err;
}

static int walk_places(struct deltas *deltas)
{
	int err = find_pieces(deltas, PLACE_UDP);

	if (!err)
		err = find_pieces(deltas, PLACE_SCTP);
	for (size_t i = 0; i < deltas->line.cuts.count && !err; i++) {
		const struct place_cut *cut = &deltas->line.cuts.v[i];
		struct change change;
		bool differs;

		if (place_has_sport(cut->kind)) {
			err = walk_pieces(deltas, cut);
			continue;
		}
		err = compare_cut(deltas, cut, NULL, &change, &differs);
		if (!err && differs)
			err = add_places(deltas, cut, &change);
	}
	return err;
}

static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->change < y->change ? -1 : x->change > y->change;
}

/* What was found becomes a list, and the list a number. */
static int finish(struct deltas *deltas, uint32_t *ret_delta)
{
	int err = 0;

	if (deltas->found_count)
		qsort(deltas->found.v, deltas->found_count, sizeof(*deltas->found.v), compare_found);
	deltas->list.count = 0;
	for (size_t i = 0; i < deltas->found_count; i++) {
		struct found *found = &deltas->found.v[i];
		uint32_t places = 0;

		if (!err)
			err = list_number(&deltas->places, found->places.v, found->places.count, &places);
		if (!err)
			err = array_push(&deltas->list, found->change);
		if (!err)
			err = array_push(&deltas->list, places);
		deltas->found_of.v[found->change] = 0;
		found->places.count = 0;
	}
	deltas->found_count = 0;
	return err ? err : list_number(&deltas->deltas, deltas->list.v, deltas->list.count, ret_delta);
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static int spread_pair(struct deltas *deltas, enum diff_side side, uint32_t row, uint32_t failsafe_source,
		       uint32_t failsafe_destination)
{
	const struct joint *joint = deltas->joint;
	struct cells *cells = space_cells(joint->space[side]);
	uint32_t source = joint->elements[joint->failsafe_sample[failsafe_source]].atom[side];
	uint32_t destination = joint->elements[joint->failsafe_sample[failsafe_destination]].atom[side];
	uint32_t failsafe = ROW_NONE, exchanged = ROW_NONE;
	int err = 0;

	if (deltas->sources[side].layout->has_failsafe) {
		err = cells_row(cells, ZW_MATRIX_FAILSAFE, source, destination, &failsafe);
		if (!err)
			err = cells_row(cells, ZW_MATRIX_FAILSAFE, destination, source, &exchanged);
	}
	if (err)
		return err;
	spread_out(cells, row, &deltas->spread[side][SPREAD_POLICY]);
	spread_out(cells, failsafe, &deltas->spread[side][SPREAD_FAILSAFE]);
	spread_out(cells, exchanged, &deltas->spread[side][SPREAD_EXCHANGED]);
	return 0;
}

static int find(struct deltas *deltas, const uint32_t rows[DIFF_SIDES], uint32_t failsafe_source,
		uint32_t failsafe_destination, uint32_t *ret_delta)
{
	const uint32_t question[] = { rows[DIFF_OLD], rows[DIFF_NEW], failsafe_source, failsafe_destination };
	uint32_t number, delta;
	int err = list_number(&deltas->asked, question, ARRAY_LEN(question), &number);

	if (err)
		return err;
	if (number < deltas->answers.count) {
		*ret_delta = deltas->answers.v[number];
		return 0;
	}
	for (int i = 0; i < DIFF_SIDES && !err; i++)
		err = spread_pair(deltas, i, rows[i], failsafe_source, failsafe_destination);
	if (!err)
		err = walk_places(deltas);
	if (!err)
		err = finish(deltas, &delta);
	if (!err)
		err = array_push(&deltas->answers, delta);
	if (!err)
		*ret_delta = delta;
	return err;
}

/* --- Rows that are the same: nearly all ------------------------------------------------------------------------ */

/* A row as runs of terms. */
static int runs_of_row(struct deltas *deltas, enum diff_side side, uint32_t row, uint32_t *ret_runs)
{
	size_t count;
	const struct cell_run *run = cells_runs(space_cells(deltas->joint->space[side]), row, &count);
	int err = 0;

	while (deltas->runs_of[side].count <= row)
		if (array_push(&deltas->runs_of[side], 0))
			return -ENOMEM;
	deltas->list.count = 0;
	for (size_t i = 0; i < count && !deltas->runs_of[side].v[row] && !err; i++) {
		uint32_t terms;

		err = terms_of(&deltas->terms, side, run[i].value, &terms);
		if (err || (deltas->list.count && deltas->list.v[deltas->list.count - 1] == terms))
			continue;
		err = array_push(&deltas->list, run[i].first);
		if (!err)
			err = array_push(&deltas->list, terms);
	}
	if (!err && !deltas->runs_of[side].v[row]) {
		err = list_number(&deltas->rows, deltas->list.v, deltas->list.count,
				  &deltas->runs_of[side].v[row]);
		deltas->runs_of[side].v[row]++;
	}
	*ret_runs = deltas->runs_of[side].v[row] - 1;
	return err;
}

static void spread_runs(const struct deltas *deltas, enum diff_side side, uint32_t runs, uint32_t *terms)
{
	uint32_t classes = cells_class_count(space_cells(deltas->joint->space[side]));
	size_t count;
	const uint32_t *run = sets_get(&deltas->rows, runs, &count);

	for (size_t i = 0; i < count; i += 2)
		for (uint32_t class = run[i]; class < (i + 2 < count ? run[i + 2] : classes); class ++)
			terms[class] = run[i + 1];
}

static bool are_same(struct deltas *deltas, const uint32_t runs[DIFF_SIDES])
{
	for (int i = 0; i < DIFF_SIDES; i++)
		spread_runs(deltas, i, runs[i], deltas->spread_terms[i]);
	for (size_t i = 0; i < deltas->line.cuts.count; i++)
		if (deltas->spread_terms[DIFF_OLD][deltas->line.cuts.v[i].class[DIFF_OLD]] !=
		    deltas->spread_terms[DIFF_NEW][deltas->line.cuts.v[i].class[DIFF_NEW]])
			return false;
	return true;
}

static int compare_runs(struct deltas *deltas, const uint32_t runs[DIFF_SIDES], bool *ret_same)
{
	uint32_t number;
	int err = list_number(&deltas->compared, runs, DIFF_SIDES, &number);

	if (!err && number == deltas->is_same.count)
		err = array_push(&deltas->is_same, are_same(deltas, runs));
	*ret_same = !err && deltas->is_same.v[number];
	return err;
}

/* Do both rows say the same everywhere? What was the same last is asked again and again. */
static int compare_rows(struct deltas *deltas, const uint32_t rows[DIFF_SIDES], bool *ret_same)
{
	uint32_t runs[DIFF_SIDES];
	int err = 0;

	for (int i = 0; i < DIFF_SIDES && !err; i++) {
		bool is_known = rows[i] < deltas->runs_of[i].count && deltas->runs_of[i].v[rows[i]];

		runs[i] = is_known ? deltas->runs_of[i].v[rows[i]] - 1 : 0;
		if (!is_known)
			err = runs_of_row(deltas, i, rows[i], &runs[i]);
	}
	while (!err && deltas->same.count <= runs[DIFF_OLD])
		err = array_push(&deltas->same, 0);
	*ret_same = !err && deltas->same.v[runs[DIFF_OLD]] == runs[DIFF_NEW] + 1;
	if (err || *ret_same)
		return err;
	err = compare_runs(deltas, runs, ret_same);
	if (*ret_same)
		deltas->same.v[runs[DIFF_OLD]] = runs[DIFF_NEW] + 1;
	return err;
}

/* If policy says the same, and failsafe, where policy allows nothing, makes the same of it, then nothing changes. */
int deltas_find(struct deltas *deltas, const uint32_t rows[DIFF_SIDES], uint32_t failsafe_source,
		uint32_t failsafe_destination, uint32_t *ret_delta)
{
	static const uint32_t none[DIFF_SIDES] = { ROW_NONE, ROW_NONE };
	bool is_same;
	int err = compare_rows(deltas, rows, &is_same);

	*ret_delta = DELTA_NONE;
	if (!err && is_same && deltas->has_failsafe)
		err = find(deltas, none, failsafe_source, failsafe_destination, ret_delta);
	if (err || (is_same && *ret_delta == DELTA_NONE))
		return err;
	return find(deltas, rows, failsafe_source, failsafe_destination, ret_delta);
}

const uint32_t *deltas_get(const struct deltas *deltas, uint32_t delta, size_t *ret_count)
{
	return sets_get(&deltas->deltas, delta, ret_count);
}

const struct change *deltas_change(const struct deltas *deltas, uint32_t change)
{
	size_t n;

	return (const struct change *)sets_get(&deltas->changes, change, &n);
}

const uint32_t *deltas_places(const struct deltas *deltas, uint32_t places, size_t *ret_count)
{
	return sets_get(&deltas->places, places, ret_count);
}

unsigned deltas_origins(const struct deltas *deltas, uint32_t places, uint32_t sports)
{
	size_t count;
	const uint32_t *place = deltas_places(deltas, places, &count);
	unsigned origins = 0;

	for (size_t i = 0; i < count; i += 2)
		origins |= places_origins(place[i], place[i + 1], sports);
	return origins;
}

const struct terms *deltas_terms(const struct deltas *deltas)
{
	return &deltas->terms;
}

/* --- The object --------------------------------------------------------------------------------------------------- */

static int new_spreads(struct deltas *deltas, enum diff_side side)
{
	uint32_t classes = cells_class_count(space_cells(deltas->joint->space[side]));

	for (int i = 0; i < SPREADS; i++) {
		deltas->spread[side][i].row = UINT32_MAX;
		deltas->spread[side][i].cell = array_new(classes, sizeof(uint32_t));
		if (!deltas->spread[side][i].cell)
			return -ENOMEM;
	}
	deltas->spread_terms[side] = array_new(classes, sizeof(uint32_t));
	return deltas->spread_terms[side] ? 0 : -ENOMEM;
}

int deltas_new(const struct diff_source sources[DIFF_SIDES], const struct joint *joint,
	       struct deltas **ret_deltas)
{
	struct deltas *deltas = calloc(1, sizeof(*deltas));
	uint32_t none;
	int err;

	if (!deltas)
		return -ENOMEM;
	deltas->sources = sources;
	deltas->joint = joint;
	deltas->has_failsafe =
		sources[DIFF_OLD].layout->has_failsafe || sources[DIFF_NEW].layout->has_failsafe;
	err = place_line_cut((struct cells *[]){ space_cells(joint->space[DIFF_OLD]),
						 space_cells(joint->space[DIFF_NEW]) },
			     &deltas->line);
	if (!err)
		err = terms_new(sources, &deltas->terms);
	for (int i = 0; i < DIFF_SIDES && !err; i++)
		err = new_spreads(deltas, i);
	if (!err)
		err = list_number(&deltas->deltas, NULL, 0, &none); /* DELTA_NONE */
	if (err)
		deltas_free(deltas);
	else
		*ret_deltas = deltas;
	return err;
}

void deltas_free(struct deltas *deltas)
{
	if (!deltas)
		return;
	for (int i = 0; i < DIFF_SIDES; i++) {
		for (int j = 0; j < SPREADS; j++)
			free(deltas->spread[i][j].cell);
		array_free(&deltas->runs_of[i]);
		free(deltas->spread_terms[i]);
	}
	for (size_t i = 0; i < deltas->found.count; i++)
		array_free(&deltas->found.v[i].places);
	for (int i = 0; i < PLACE_KINDS; i++)
		array_free(&deltas->pieces[i]);
	terms_clear(&deltas->terms);
	sets_clear(&deltas->changes);
	sets_clear(&deltas->places);
	sets_clear(&deltas->deltas);
	sets_clear(&deltas->asked);
	sets_clear(&deltas->rows);
	sets_clear(&deltas->compared);
	array_free(&deltas->is_same);
	array_free(&deltas->same);
	array_free(&deltas->answers);
	array_free(&deltas->found);
	array_free(&deltas->found_of);
	array_free(&deltas->list);
	place_line_clear(&deltas->line);
	free(deltas);
}
