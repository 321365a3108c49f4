// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/zone_sets.h"

#include "base/util.h"

/* Calls for each zone of each element. */
static void each_membership(const struct zone_sets *sets, const struct diff_source sources[DIFF_SIDES],
			    void (*visit)(struct lists *lists, size_t zone, uint32_t element),
			    struct lists *lists)
{
	size_t before = ZONE_SETS_NAMED;

	for (int side = 0; side < DIFF_SIDES; side++) {
		for (size_t i = 0; i < sets->joint->count; i++) {
			const uint32_t *zone;
			size_t count = names_zone_indices(sources[side].names,
							  sets->joint->elements[i].atom[side], &zone);

			for (size_t j = 0; j < count; j++)
				visit(lists, before + zone[j], i);
		}
		before += names_zone_count(sources[side].names);
	}
	for (size_t i = 0; i < sets->joint->count; i++) {
		visit(lists, ZONE_SETS_ALL, i);
		visit(lists, sets->joint->elements[i].family == 4 ? ZONE_SETS_IP4 : ZONE_SETS_IP6, i);
	}
}

static void expect_element(struct lists *lists, size_t zone, uint32_t element)
{
	(void)element;
	lists_expect(lists, zone);
}

static int list_elements(struct zone_sets *sets, const struct diff_source sources[DIFF_SIDES])
{
	int err = lists_new(&sets->elements_of, sets->count);

	if (err)
		return err;
	each_membership(sets, sources, expect_element, &sets->elements_of);
	err = lists_ready(&sets->elements_of);
	if (!err)
		each_membership(sets, sources, lists_put, &sets->elements_of);
	return err;
}

/* Zones that are those of the old generation again are left out. */
static int list_zones(struct zone_sets *sets)
{
	int err = lists_new(&sets->zones_of, sets->joint->count);

	for (int put = 0; put < 2 && !err; put++) {
		for (size_t zone = ZONE_SETS_NAMED; zone < sets->count; zone++) {
			size_t count;
			const uint32_t *element = lists_get(&sets->elements_of, zone, &count);

			for (size_t i = 0; i < count && !sets->zones[zone].is_again; i++) {
				if (put)
					lists_put(&sets->zones_of, element[i], zone);
				else
					lists_expect(&sets->zones_of, element[i]);
			}
		}
		if (!put)
			err = lists_ready(&sets->zones_of);
	}
	return err;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct named_zone *const *)a)->name,
		      (*(const struct named_zone *const *)b)->name);
}

static bool have_same_elements(const struct zone_sets *sets, const struct named_zone *a,
			       const struct named_zone *b)
{
	size_t a_count, b_count;
	const uint32_t *x = lists_get(&sets->elements_of, a - sets->zones, &a_count);
	const uint32_t *y = lists_get(&sets->elements_of, b - sets->zones, &b_count);

	return a_count == b_count && (!a_count || !memcmp(x, y, a_count * sizeof(*x)));
}

/* The old zone and the new one of a name are one if they are the same set; else each is told with its generation. */
static int match_zones(struct zone_sets *sets)
{
	size_t count = sets->count - ZONE_SETS_NAMED;
	_cleanup_free_ struct named_zone **by_name = array_new(count, sizeof(*by_name));

	if (!by_name)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		by_name[i] = &sets->zones[ZONE_SETS_NAMED + i];
	qsort(by_name, count, sizeof(*by_name), compare_names);
	for (size_t i = 0; i + 1 < count; i++) {
		struct named_zone *old = by_name[i] < by_name[i + 1] ? by_name[i] : by_name[i + 1];
		struct named_zone *new = old == by_name[i] ? by_name[i + 1] : by_name[i];

		if (strcmp(old->name, new->name))
			continue;
		new->is_again = have_same_elements(sets, old, new);
		if (new->is_again)
			continue;
		old->side = DIFF_OLD;
		new->side = DIFF_NEW;
	}
	return 0;
}

static int name_zones(struct zone_sets *sets, const struct diff_source sources[DIFF_SIDES])
{
	static const char *const all[] = {
		[ZONE_SETS_ALL] = "any", [ZONE_SETS_IP4] = "0.0.0.0/0", [ZONE_SETS_IP6] = "::/0"
	};
	size_t at = ZONE_SETS_NAMED;

	sets->count =
		ZONE_SETS_NAMED + names_zone_count(sources[0].names) + names_zone_count(sources[1].names);
	sets->zones = array_new(sets->count, sizeof(*sets->zones));
	if (!sets->zones)
		return -ENOMEM;
	for (int i = 0; i < ZONE_SETS_NAMED; i++)
		sets->zones[i] = (struct named_zone){ all[i], DIFF_SIDES, false };
	for (int side = 0; side < DIFF_SIDES; side++)
		for (size_t i = 0; i < names_zone_count(sources[side].names); i++)
			sets->zones[at++] =
				(struct named_zone){ names_zone(sources[side].names, i), DIFF_SIDES, false };
	return 0;
}

int zone_sets_make(const struct diff_source sources[DIFF_SIDES], const struct joint *joint,
		   struct zone_sets *sets)
{
	int err;

	sets->joint = joint;
	err = name_zones(sets, sources);
	if (!err)
		err = list_elements(sets, sources);
	if (!err)
		err = match_zones(sets);
	return err ? err : list_zones(sets);
}

void zone_sets_clear(struct zone_sets *sets)
{
	for (int side = 0; side < 2; side++)
		for (int i = 0; i < 1 << ORIGINS; i++)
			free(sets->sizes[side][i]);
	lists_clear(&sets->elements_of);
	lists_clear(&sets->zones_of);
	free(sets->zones);
}

const uint32_t *zone_sets_sizes(struct zone_sets *sets, enum side side, unsigned origins)
{
	uint32_t *sizes = sets->sizes[side][origins];
	size_t count;

	if (sizes)
		return sizes;
	sizes = array_new(sets->count, sizeof(*sizes));
	for (size_t zone = 0; zone < sets->count && sizes; zone++) {
		const uint32_t *element = lists_get(&sets->elements_of, zone, &count);

		for (size_t i = 0; i < count; i++)
			sizes[zone] += !!(sets->joint->elements[element[i]].origins[side] & origins);
	}
	sets->sizes[side][origins] = sizes;
	return sizes;
}
