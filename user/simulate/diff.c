// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/diff.h"

#include "base/util.h"
#include "simulate/describe.h"
#include "simulate/diff_settings.h"
#include "simulate/rectangles.h"

struct work {
	const struct diff_source *sources;
	struct joint joint;
	struct deltas *deltas;
	struct describer *describer;
	struct rectangles rectangles;
	ARRAY(struct diff_region) regions;
	ARRAY(uint32_t) elements[2]; /* by enum side: of the rectangle at hand */
	unsigned origins; /* of its packets */
};

/* --- A region's sets -------------------------------------------------------------------------------------------- */

/* The elements of a rectangle's side, and of which origins packets from there, or to there, may be. */
static int list_elements(struct work *w, const struct rectangle *r, enum side side, unsigned *ret_origins)
{
	const struct kinds *kinds = &w->joint.kinds[side];
	int err = 0;

	w->elements[side].count = 0;
	*ret_origins = 0;
	for (size_t i = 0; i < r->count[side]; i++) {
		uint32_t kind = w->rectangles.kinds.v[r->start[side] + i];
		size_t n;
		const uint32_t *element = lists_get(&kinds->elements, kind, &n);

		*ret_origins |= kinds->origins[kind];
		for (size_t j = 0; j < n && !err; j++)
			err = array_push(&w->elements[side], element[j]);
	}
	return err;
}

/*
 * In words, a side may have addresses of an origin of which there is no packet: because no place is of it, or because the
 * other side, as it is told, has none of it. Where both sides have none of it, the destinations keep to that.
 */
static int describe_sides(struct work *w, const struct rectangle *r, struct diff_region *region,
			  bool *ret_exists)
{
	unsigned from,
		to = 0,
		places = deltas_origins(w->deltas, r->places, deltas_change(w->deltas, r->change)->sports);
	int err = list_elements(w, r, SIDE_SOURCE, &from);

	if (!err)
		err = list_elements(w, r, SIDE_DESTINATION, &to);
	w->origins = from & to & places;
	*ret_exists = !err && w->origins;
	if (err || !*ret_exists)
		return err;
	err = describe(w->describer, SIDE_SOURCE, w->elements[SIDE_SOURCE].v, w->elements[SIDE_SOURCE].count,
		       places & to, &region->from);
	if (err)
		return err;
	return describe(w->describer, SIDE_DESTINATION, w->elements[SIDE_DESTINATION].v,
			w->elements[SIDE_DESTINATION].count, places & (from | ~to), &region->to);
}

/* --- A region's service ------------------------------------------------------------------------------------------ */

/* Places first..last, a piece for each protocol, as far as packets of the region may go there. */
static int add_places(const struct work *w, const struct change *change, uint32_t first, uint32_t last,
		      struct selectors *set)
{
	int err = 0;

	for (uint32_t at = first, end; at <= last && !err; at = end + 1) {
		struct selector *piece;

		end = at < PLACES_OTHERS ? at | 0xffff : at;
		end = end < last ? end : last;
		if (!(places_origins(at, end, change->sports) & w->origins))
			continue;
		err = array_grow(&set->v, set->count, sizeof(*set->v));
		if (err)
			break;
		piece = &set->v[set->count++];
		*piece = (struct selector){ .protocol = places_protocol(at) };
		if (at < PLACES_OTHERS) {
			piece->first = at;
			piece->last = end;
		}
	}
	return err;
}

/* What a list of places (delta.h) leaves out. */
static int add_others(const struct work *w, const struct change *change, const uint32_t *place, size_t count,
		      struct selectors *set)
{
	uint32_t at = 0;
	int err = 0;

	for (size_t i = 0; i < count && !err; i += 2) {
		if (place[i] > at)
			err = add_places(w, change, at, place[i] - 1, set);
		at = place[i + 1] + 1;
	}
	return err || at >= PLACES_ALL ? err : add_places(w, change, at, PLACES_ALL - 1, set);
}

static int describe_service(const struct work *w, const struct rectangle *r, struct diff_service *service)
{
	size_t count;
	const uint32_t *place = deltas_places(w->deltas, r->places, &count);
	const struct change *change = deltas_change(w->deltas, r->change);
	int err = 0;

	service->sport_first = change->sports >> 16;
	service->sport_last = change->sports;
	for (size_t i = 0; i < count && !err; i += 2)
		err = add_places(w, change, place[i], place[i + 1], &service->places);
	return err ? err : add_others(w, change, place, count, &service->others);
}

/* --- What decides -------------------------------------------------------------------------------------------------- */

static struct diff_cause cause_of(const struct work *w, const struct change *change, enum diff_side side)
{
	const struct names *names = w->sources[side].names;
	uint32_t number = CHANGE_RULE(change->cause[side]);
	struct diff_cause cause = {
		.reason = CHANGE_REASON(change->cause[side]),
		.rule = names_rule(names, number),
		.written = terms_rule(deltas_terms(w->deltas), side, number),
	};

	if (change->kind == DIFF_TERMS) {
		struct term term = terms_get(deltas_terms(w->deltas), change->terms[side]);

		cause.failsafe = names_rule(names, change->failsafe[side]);
		cause.has_limit = term.has_limit;
		cause.has_tls = term.has_tls;
		cause.log = term.log;
	}
	return cause;
}

static bool widens(const struct work *w, const struct change *change)
{
	if (change->kind != DIFF_TERMS)
		return change->kind == DIFF_WIDENED;
	return change->failsafe[DIFF_NEW] ||
	       terms_widen(deltas_terms(w->deltas), change->terms[DIFF_OLD], change->terms[DIFF_NEW]);
}

static void region_clear(struct diff_region *region)
{
	diff_set_clear(&region->from);
	diff_set_clear(&region->to);
	free(region->service.places.v);
	free(region->service.others.v);
}

static int add_region(struct work *w, const struct rectangle *r)
{
	const struct change *change = deltas_change(w->deltas, r->change);
	struct diff_region region = { .kind = change->kind, .widens = widens(w, change) };
	bool exists;
	int err = describe_sides(w, r, &region, &exists);

	if (!err && !exists)
		return 0;
	for (int i = 0; i < DIFF_SIDES; i++)
		region.cause[i] = cause_of(w, change, i);
	if (!err)
		err = describe_service(w, r, &region.service);
	if (!err)
		err = array_push(&w->regions, region);
	if (err)
		region_clear(&region);
	return err;
}

/* --- All ------------------------------------------------------------------------------------------------------------ */

/* By kind; then the order of the rules that make the change: the new ones where something is allowed now. */
static int compare_rectangles(const void *a, const void *b, void *context)
{
	const struct work *w = context;
	const struct rectangle *x = a, *y = b;
	const struct change *p = deltas_change(w->deltas, x->change),
			    *q = deltas_change(w->deltas, y->change);
	enum diff_side side = p->kind == DIFF_NARROWED ? DIFF_OLD : DIFF_NEW;
	const uint32_t keys[][2] = {
		{ p->kind, q->kind },
		{ CHANGE_RULE(p->cause[side]) - 1, CHANGE_RULE(q->cause[side]) - 1 }, /* defaults last */
		{ CHANGE_RULE(p->cause[!side]) - 1, CHANGE_RULE(q->cause[!side]) - 1 },
		{ x->change, y->change },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	return x->start[0] < y->start[0] ? -1 : x->start[0] > y->start[0];
}

static int find_regions(struct work *w)
{
	int err = deltas_new(w->sources, &w->joint, &w->deltas);

	if (!err)
		err = rectangles_find(&w->joint, w->deltas, &w->rectangles);
	if (!err && w->rectangles.all.count)
		err = describer_new(w->sources, &w->joint, &w->describer);
	if (!err && w->rectangles.all.count)
		qsort_r(w->rectangles.all.v, w->rectangles.all.count, sizeof(*w->rectangles.all.v),
			compare_rectangles, w);
	for (size_t i = 0; i < w->rectangles.all.count && !err; i++)
		err = add_region(w, &w->rectangles.all.v[i]);
	return err;
}

static void count(struct diff *diff)
{
	for (size_t i = 0; i < diff->region_count; i++) {
		diff->of_kind[diff->regions[i].kind]++;
		diff->widening += diff->regions[i].widens;
	}
	for (size_t i = 0; i < diff->setting_count; i++)
		diff->widening += diff->settings[i].widens;
}

static void clear_work(struct work *w)
{
	for (size_t i = 0; i < w->regions.count; i++)
		region_clear(&w->regions.v[i]);
	array_free(&w->regions);
	array_free(&w->elements[0]);
	array_free(&w->elements[1]);
	rectangles_clear(&w->rectangles);
	describer_free(w->describer);
	deltas_free(w->deltas);
	joint_clear(&w->joint);
}

int diff_find(const struct diff_source sources[DIFF_SIDES], struct diff *ret_diff)
{
	struct work work = { .sources = sources };
	struct diff diff = { 0 };
	int err = joint_make(sources, &work.joint);

	if (!err)
		err = find_regions(&work);
	if (!err)
		err = diff_settings(sources, &work.joint, &diff);
	if (!err) {
		diff.regions = work.regions.v;
		diff.region_count = work.regions.count;
		count(&diff);
		work.regions.v = NULL;
		work.regions.count = 0;
		*ret_diff = diff;
	} else {
		diff_clear(&diff);
	}
	clear_work(&work);
	return err;
}

void diff_clear(struct diff *diff)
{
	for (size_t i = 0; i < diff->region_count; i++)
		region_clear(&diff->regions[i]);
	for (size_t i = 0; i < diff->setting_count; i++) {
		free(diff->settings[i].what);
		free(diff->settings[i].before);
		free(diff->settings[i].after);
	}
	free(diff->regions);
	free(diff->settings);
	*diff = (struct diff){ 0 };
}
