// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/describe.h"

#include "base/util.h"
#include "simulate/zone_sets.h"

struct describer {
	const struct joint *joint;
	struct zone_sets sets;
	/* Of the set at hand. */
	enum side side;
	unsigned origins;
	uint8_t *is_in, *is_covered; /* each element */
	uint32_t *count; /* of each zone: its elements in the set */
	ARRAY(uint32_t) seen; /* zones with a count */
};

static bool counts(const struct describer *d, uint32_t element)
{
	return d->joint->elements[element].origins[d->side] & d->origins;
}

int describer_new(const struct diff_source sources[DIFF_SIDES], const struct joint *joint,
		  struct describer **ret_describer)
{
	struct describer *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->joint = joint;
	err = zone_sets_make(sources, joint, &d->sets);
	d->is_in = array_new(joint->count, 1);
	d->is_covered = array_new(joint->count, 1);
	d->count = array_new(d->sets.count, sizeof(*d->count));
	if (!err && (!d->is_in || !d->is_covered || !d->count))
		err = -ENOMEM;
	if (err)
		describer_free(d);
	else
		*ret_describer = d;
	return err;
}

void describer_free(struct describer *d)
{
	if (!d)
		return;
	zone_sets_clear(&d->sets);
	array_free(&d->seen);
	free(d->is_in);
	free(d->is_covered);
	free(d->count);
	free(d);
}

/* --- Words ---------------------------------------------------------------------------------------------------------- */

struct words {
	ARRAY(struct diff_term) terms;
};

static int add_zone(const struct describer *d, uint32_t zone, struct words *words)
{
	const struct diff_term term = { .zone = d->sets.zones[zone].name, .side = d->sets.zones[zone].side };

	return array_push(&words->terms, term);
}

/* Do no addresses between two ranges count? */
static bool is_gap_free(const struct describer *d, uint32_t from, uint32_t to)
{
	const struct joint_range *ranges = d->joint->ranges.v;

	for (uint32_t i = from; i + 1 < to; i++)
		if (counts(d, ranges[i + 1].element))
			return false;
	return d->joint->elements[ranges[from].element].family ==
	       d->joint->elements[ranges[to].element].family;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The elements' ranges, indices into joint->ranges, ascending. */
static int add_ranges(struct describer *d, uint32_t *range, size_t count, struct words *words)
{
	const struct joint_range *all = d->joint->ranges.v;
	int err = 0;

	qsort(range, count, sizeof(*range), compare_numbers);
	for (size_t i = 0, j; i < count && !err; i = j) {
		struct diff_term term = { .side = DIFF_SIDES,
					  .family = d->joint->elements[all[range[i]].element].family };

		for (j = i + 1; j < count && is_gap_free(d, range[j - 1], range[j]); j++)
			;
		term.range = (struct range){ all[range[i]].first, all[range[j - 1]].last };
		err = array_push(&words->terms, term);
	}
	return err;
}

/* Elements that count, and that no zone of `words` covers, as ranges. */
static int add_rest(struct describer *d, const uint32_t *elements, size_t count, struct words *words)
{
	ARRAY(uint32_t) ranges = { 0 };
	int err = 0;

	for (size_t i = 0; i < count; i++) {
		size_t n;
		const uint32_t *range = lists_get(&d->joint->ranges_of, elements[i], &n);

		for (size_t j = 0; j < n && !d->is_covered[elements[i]] && counts(d, elements[i]) && !err;
		     j++)
			err = array_push(&ranges, range[j]);
	}
	if (!err && ranges.count)
		err = add_ranges(d, ranges.v, ranges.count, words);
	array_free(&ranges);
	return err;
}

/* Counts the elements of each zone in a set. Returns how many elements count at all. */
static int count_zones(struct describer *d, const uint32_t *elements, size_t count, uint32_t *ret_count)
{
	uint32_t all = 0;
	int err = 0;

	for (size_t i = 0; i < count; i++) {
		size_t n;
		const uint32_t *zone = lists_get(&d->sets.zones_of, elements[i], &n);

		if (!counts(d, elements[i]))
			continue;
		all++;
		d->count[d->joint->elements[elements[i]].family == 4 ? ZONE_SETS_IP4 : ZONE_SETS_IP6]++;
		for (size_t j = 0; j < n; j++)
			if (!d->count[zone[j]]++ && !err)
				err = array_push(&d->seen, zone[j]);
	}
	d->count[ZONE_SETS_ALL] = all;
	for (uint32_t zone = ZONE_SETS_ALL; zone < ZONE_SETS_NAMED && !err; zone++)
		err = array_push(&d->seen, zone);
	*ret_count = all;
	return err;
}

static void forget_zones(struct describer *d)
{
	for (size_t i = 0; i < d->seen.count; i++)
		d->count[d->seen.v[i]] = 0;
	d->seen.count = 0;
}

/* A zone and how much of the set it covers; largest first, then in order of definition. */
static int compare_sizes(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	if (x[1] != y[1])
		return x[1] > y[1] ? -1 : 1;
	return compare_numbers(a, b);
}

static bool covers_more(const struct describer *d, uint32_t zone)
{
	size_t count;
	const uint32_t *element = lists_get(&d->sets.elements_of, zone, &count);

	for (size_t i = 0; i < count; i++)
		if (counts(d, element[i]) && !d->is_covered[element[i]])
			return true;
	return false;
}

static void set_covered(struct describer *d, const uint32_t *elements, size_t count, uint8_t is_covered)
{
	for (size_t i = 0; i < count; i++)
		d->is_covered[elements[i]] = is_covered;
}

/* Zones that lie in the set, the largest first, as long as each adds something; then ranges. */
static int unite(struct describer *d, const uint32_t *elements, size_t count, struct words *words)
{
	const uint32_t *sizes = zone_sets_sizes(&d->sets, d->side, d->origins);
	ARRAY(uint64_t) inside = { 0 };
	int err = sizes ? 0 : -ENOMEM;

	for (size_t i = 0; i < d->seen.count && !err; i++) {
		uint32_t pair[2] = { d->seen.v[i], d->count[d->seen.v[i]] };
		uint64_t both;

		memcpy(&both, pair, sizeof(both));
		if (pair[1] && pair[1] == sizes[pair[0]])
			err = array_push(&inside, both);
	}
	if (!err && inside.count)
		qsort(inside.v, inside.count, sizeof(*inside.v), compare_sizes);
	for (size_t i = 0; i < inside.count && !err; i++) {
		uint32_t zone = ((const uint32_t *)&inside.v[i])[0];
		size_t n;
		const uint32_t *of = lists_get(&d->sets.elements_of, zone, &n);

		if (!covers_more(d, zone))
			continue;
		set_covered(d, of, n, true);
		err = add_zone(d, zone, words);
	}
	if (!err)
		err = add_rest(d, elements, count, words);
	for (size_t i = 0; i < inside.count; i++) {
		size_t n;
		const uint32_t *of = lists_get(&d->sets.elements_of, ((const uint32_t *)&inside.v[i])[0], &n);

		set_covered(d, of, n, false);
	}
	array_free(&inside);
	return err;
}

/* The smallest zone that holds all of the set; that of all addresses does. */
static uint32_t smallest_around(const struct describer *d, const uint32_t *sizes, uint32_t count)
{
	uint32_t best = ZONE_SETS_ALL;

	for (size_t i = 0; i < d->seen.count; i++) {
		uint32_t zone = d->seen.v[i];

		if (d->count[zone] == count &&
		    (sizes[zone] < sizes[best] || (sizes[zone] == sizes[best] && zone < best)))
			best = zone;
	}
	return best;
}

/* A zone's elements that count and are not in the set. */
static int subtract(const struct describer *d, uint32_t zone, uint32_t **ret_elements, size_t *ret_count)
{
	size_t count, kept = 0;
	const uint32_t *of = lists_get(&d->sets.elements_of, zone, &count);
	uint32_t *elements = array_new(count, sizeof(*elements));

	if (!elements)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (counts(d, of[i]) && !d->is_in[of[i]])
			elements[kept++] = of[i];
	*ret_elements = elements;
	*ret_count = kept;
	return 0;
}

/* How many addresses count. Of both families together: those of IPv6 outweigh. */
static long double addresses_of(const struct describer *d, const uint32_t *elements, size_t count)
{
	long double sum = 0;

	for (size_t i = 0; i < count; i++) {
		size_t n;
		const uint32_t *range = lists_get(&d->joint->ranges_of, elements[i], &n);

		for (size_t j = 0; j < n && counts(d, elements[i]); j++)
			sum += (long double)(d->joint->ranges.v[range[j]].last -
					     d->joint->ranges.v[range[j]].first) +
			       1;
	}
	return sum;
}

/* What a zone has that the set lacks, as zones and ranges, and how many addresses that is. */
static int lacks(struct describer *d, uint32_t zone, struct words *words, long double *ret_addresses)
{
	_cleanup_free_ uint32_t *elements = NULL;
	uint32_t all;
	size_t count;
	int err = subtract(d, zone, &elements, &count);

	forget_zones(d);
	if (err)
		return err;
	*ret_addresses = addresses_of(d, elements, count);
	err = count_zones(d, elements, count, &all);
	return err ? err : unite(d, elements, count, words);
}

static void take(struct words *words, struct diff_term **ret_terms, size_t *ret_count)
{
	*ret_terms = words->terms.v;
	*ret_count = words->terms.count;
	*words = (struct words){ 0 };
}

static size_t count_ranges(const struct words *words)
{
	size_t count = 0;

	for (size_t i = 0; i < words->terms.count; i++)
		count += !words->terms.v[i].zone;
	return count;
}

/*
 * Is it said better as one zone and what it lacks? It must take fewer words, where ranges are worth less than names; and
 * it must lack less than it has: 10.0.0.1 and 10.0.0.3 are not the world but three ranges.
 */
static bool is_better_without(const struct words *of, const struct words *except, bool is_most)
{
	return except->terms.count + 1 < of->terms.count + !!count_ranges(of) &&
	       (is_most || !count_ranges(except));
}

/* As a union, or as a zone without something: whichever takes fewer words. */
static int choose(struct describer *d, const uint32_t *elements, size_t count, struct diff_set *ret_set)
{
	struct words of = { 0 }, around = { 0 }, except = { 0 };
	const uint32_t *sizes = zone_sets_sizes(&d->sets, d->side, d->origins);
	uint32_t all, zone = ZONE_SETS_ALL;
	long double lacking = 0;
	int err = sizes ? count_zones(d, elements, count, &all) : -ENOMEM;

	if (!err)
		zone = smallest_around(d, sizes, all);
	if (!err)
		err = unite(d, elements, count, &of);
	if (!err && of.terms.count > 1)
		err = lacks(d, zone, &except, &lacking);
	if (!err && of.terms.count > 1 &&
	    is_better_without(&of, &except, lacking < addresses_of(d, elements, count))) {
		err = add_zone(d, zone, &around);
		take(&around, &ret_set->of, &ret_set->of_count);
		take(&except, &ret_set->except, &ret_set->except_count);
	} else if (!err) {
		take(&of, &ret_set->of, &ret_set->of_count);
	}
	forget_zones(d);
	array_free(&of.terms);
	array_free(&around.terms);
	array_free(&except.terms);
	return err;
}

int describe(struct describer *d, enum side side, const uint32_t *elements, size_t count, unsigned origins,
	     struct diff_set *ret_set)
{
	int err;

	d->side = side;
	d->origins = origins;
	*ret_set = (struct diff_set){ 0 };
	for (size_t i = 0; i < count; i++)
		d->is_in[elements[i]] = true;
	err = choose(d, elements, count, ret_set);
	for (size_t i = 0; i < count; i++)
		d->is_in[elements[i]] = false;
	if (err)
		diff_set_clear(ret_set);
	return err;
}

void diff_set_clear(struct diff_set *set)
{
	free(set->of);
	free(set->except);
	*set = (struct diff_set){ 0 };
}
