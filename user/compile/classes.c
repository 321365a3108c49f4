// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/classes.h"
#include "compile/sort.h"

int side_add(struct side *side, const unsigned *zones, size_t count, uint32_t *ret_end)
{
	_Static_assert(sizeof(*zones) == sizeof(uint32_t), "zone indices are 32 bits");

	for (size_t i = 0; i < count; i++) {
		if (zones[i] == ZONE_INDEX_ANY) {
			*ret_end = END_ANY;
			return 0;
		}
	}
	return sets_intern(&side->ends, zones, count, sets_hash(zones, count), ret_end);
}

static int find_ends_of_zones(const struct side *side, size_t zone_count, struct lists *ret_lists)
{
	size_t ends = sets_count(&side->ends);
	int err = lists_new(ret_lists, zone_count);

	for (int put = 0; put < 2 && !err; put++) {
		for (size_t e = 0; e < ends; e++) {
			size_t n;
			const uint32_t *zone = sets_get(&side->ends, e, &n);

			for (size_t i = 0; i < n; i++) {
				if (put)
					lists_put(ret_lists, zone[i], e);
				else
					lists_expect(ret_lists, zone[i]);
			}
		}
		if (!put)
			err = lists_ready(ret_lists);
	}
	return err;
}

struct scratch {
	ARRAY(uint64_t) sorted; /* as much again behind it to sort with */
	ARRAY(uint32_t) ends;
};

/* The ends that hold one of the atom's zones, ascending, each once. */
static int find_signature(const struct lists *ends_of, const uint32_t *zone, size_t zones,
			  struct scratch *scratch)
{
	int err;

	scratch->sorted.count = 0;
	scratch->ends.count = 0;
	for (size_t i = 0; i < zones; i++) {
		size_t n;
		const uint32_t *end = lists_get(ends_of, zone[i], &n);

		err = array_reserve(&scratch->sorted, n);
		if (err)
			return err;
		for (size_t j = 0; j < n; j++)
			scratch->sorted.v[scratch->sorted.count++] = end[j];
	}
	err = array_reserve(&scratch->sorted, scratch->sorted.count);
	if (!err)
		err = array_reserve(&scratch->ends, scratch->sorted.count);
	if (err)
		return err;
	if (scratch->sorted.count)
		sort_u64(scratch->sorted.v, scratch->sorted.v + scratch->sorted.count, scratch->sorted.count);
	for (size_t i = 0; i < scratch->sorted.count; i++)
		if (!i || scratch->sorted.v[i] != scratch->sorted.v[i - 1])
			scratch->ends.v[scratch->ends.count++] = scratch->sorted.v[i];
	return 0;
}

static int classify_atoms(struct side *side, const struct atoms *atoms, const struct lists *ends_of)
{
	struct scratch scratch = { 0 };
	int err = 0;

	for (size_t i = 0; i < atoms_count(atoms) && !err; i++) {
		size_t zones;
		const uint32_t *zone = sets_get(&atoms->zones, i, &zones);

		err = find_signature(ends_of, zone, zones, &scratch);
		if (!err)
			err = sets_intern(&side->classes, scratch.ends.v, scratch.ends.count,
					  sets_hash(scratch.ends.v, scratch.ends.count), &side->class_of[i]);
	}
	array_free(&scratch.sorted);
	array_free(&scratch.ends);
	return err;
}

/* What classes each end has, and what packets there are of each class. */
static int invert(struct side *side, const struct atoms *atoms, const uint8_t *origins)
{
	size_t classes = sets_count(&side->classes);
	int err = lists_new(&side->classes_of, sets_count(&side->ends));

	side->origins = calloc(classes, 1);
	if (err || !side->origins)
		return -ENOMEM;
	for (size_t i = 0; i < atoms_count(atoms); i++)
		side->origins[side->class_of[i]] |= origins[i];
	for (int put = 0; put < 2 && !err; put++) {
		for (size_t c = 0; c < classes; c++) {
			size_t n;
			const uint32_t *end = sets_get(&side->classes, c, &n);

			for (size_t i = 0; i < n; i++) {
				if (put)
					lists_put(&side->classes_of, end[i], c);
				else
					lists_expect(&side->classes_of, end[i]);
			}
		}
		if (!put)
			err = lists_ready(&side->classes_of);
	}
	return err;
}

int side_classify(struct side *side, int number, const struct atoms *atoms, size_t zone_count)
{
	struct lists ends_of = { 0 };
	int err = find_ends_of_zones(side, zone_count, &ends_of);

	side->class_of = calloc(atoms_count(atoms), sizeof(*side->class_of));
	if (!err && !side->class_of)
		err = -ENOMEM;
	if (!err)
		err = classify_atoms(side, atoms, &ends_of);
	if (!err)
		err = invert(side, atoms, atoms->origins[number]);
	lists_clear(&ends_of);
	return err;
}

void side_clear(struct side *side)
{
	sets_clear(&side->ends);
	sets_clear(&side->classes);
	lists_clear(&side->classes_of);
	free(side->class_of);
	free(side->origins);
	memset(side, 0, sizeof(*side));
}
