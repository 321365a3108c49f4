// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/joint.h"

#include "base/util.h"

/* --- Ranges and elements ---------------------------------------------------------------------------------------- */

/* A list of ranges, on the way upwards. */
struct cursor {
	const struct range *v, *end;
};

/* Is the address in the list? Up to ret_last, which may only get less, the answer stays. Addresses only grow. */
static bool look(struct cursor *cursor, u128 at, u128 *ret_last)
{
	while (cursor->v < cursor->end && cursor->v->last < at)
		cursor->v++;
	if (cursor->v == cursor->end)
		return false;
	if (cursor->v->first > at) {
		*ret_last = *ret_last < cursor->v->first - 1 ? *ret_last : cursor->v->first - 1;
		return false;
	}
	*ret_last = *ret_last < cursor->v->last ? *ret_last : cursor->v->last;
	return true;
}

struct sweep {
	struct joint *joint;
	struct sets elements;
	int family;
	const struct atom_range *atoms[DIFF_SIDES];
	struct cursor may[2]; /* by enum side */
};

static const uint8_t origin_of[2] = { 1, 2 }, origin_of_unspecified[2] = { 4, 8 };

static struct element element_at(struct sweep *s, u128 at, u128 *ret_last)
{
	bool is_six = s->family == 6;
	struct element element = { .family = s->family };

	for (int i = 0; i < DIFF_SIDES; i++) {
		while (s->atoms[i]->last < at)
			s->atoms[i]++;
		*ret_last = *ret_last < s->atoms[i]->last ? *ret_last : s->atoms[i]->last;
		element.atom[i] = s->atoms[i]->atom;
	}
	if (look(&s->may[SIDE_SOURCE], at, ret_last))
		element.origins[SIDE_SOURCE] = origin_of[is_six];
	if (look(&s->may[SIDE_DESTINATION], at, ret_last))
		element.origins[SIDE_DESTINATION] = origin_of[is_six] | origin_of_unspecified[is_six];
	if (!at) {
		element.origins[SIDE_SOURCE] = origin_of_unspecified[is_six];
		*ret_last = 0;
	}
	return element;
}

static int add_range(struct sweep *s, u128 first, u128 last, const struct element *element)
{
	const uint32_t key[] = { element->atom[0], element->atom[1],
				 element->family << 16 | element->origins[0] << 8 | element->origins[1] };
	struct joint_range range = { first, last, 0 };
	int err = list_number(&s->elements, key, ARRAY_LEN(key), &range.element);

	return err ? err : array_push(&s->joint->ranges, range);
}

static int sweep_family(struct sweep *s)
{
	u128 max = s->family == 4 ? ADDR_MAX4 : ADDR_MAX6, at = 0, last;
	int err;

	for (int i = 0; i < DIFF_SIDES; i++)
		s->atoms[i] = space_ranges(s->joint->space[i], s->family)->v;
	for (;; at = last + 1) {
		struct element element;

		last = max;
		element = element_at(s, at, &last);
		err = add_range(s, at, last, &element);
		if (err || last == max)
			return err;
	}
}

static struct cursor cursor_of(const struct ranges *set, int family)
{
	return family == 4 ? (struct cursor){ set->v4, set->v4 + set->v4_count }
			   : (struct cursor){ set->v6, set->v6 + set->v6_count };
}

static int all_addresses(struct ranges *ret_set)
{
	int err = ranges_add(ret_set, 4, 0, ADDR_MAX4);

	return err ? err : ranges_add(ret_set, 6, 0, ADDR_MAX6);
}

static int sweep_all(struct sweep *s)
{
	struct ranges all = { 0 }, may[2] = { 0 };
	int err = all_addresses(&all);

	if (!err)
		err = packets_sources(&all, &may[SIDE_SOURCE]);
	if (!err)
		err = packets_destinations(&all, &may[SIDE_DESTINATION]);
	for (s->family = 4; s->family <= 6 && !err; s->family += 2) {
		for (int side = 0; side < 2; side++)
			s->may[side] = cursor_of(&may[side], s->family);
		err = sweep_family(s);
	}
	ranges_clear(&all);
	ranges_clear(&may[0]);
	ranges_clear(&may[1]);
	return err;
}

static int take_elements(struct joint *joint, const struct sets *elements)
{
	size_t n;

	joint->count = sets_count(elements);
	joint->elements = array_new(joint->count, sizeof(*joint->elements));
	if (!joint->elements)
		return -ENOMEM;
	for (size_t i = 0; i < joint->count; i++) {
		const uint32_t *key = sets_get(elements, i, &n);

		joint->elements[i] = (struct element){
			.atom = { key[0], key[1] },
			.family = key[2] >> 16,
			.origins = { key[2] >> 8 & 0xff, key[2] & 0xff },
		};
	}
	return 0;
}

/* Turns "each number has a list" around. Numbers whose list is NO_KIND are in none. */
static int invert(struct lists *lists, size_t list_count, const uint32_t *list_of, size_t count)
{
	int err = lists_new(lists, list_count);

	for (size_t i = 0; i < count && !err; i++)
		if (list_of[i] != NO_KIND)
			lists_expect(lists, list_of[i]);
	if (!err)
		err = lists_ready(lists);
	for (size_t i = 0; i < count && !err; i++)
		if (list_of[i] != NO_KIND)
			lists_put(lists, list_of[i], i);
	return err;
}

static int index_ranges(struct joint *joint)
{
	int err = lists_new(&joint->ranges_of, joint->count);

	for (size_t i = 0; i < joint->ranges.count && !err; i++)
		lists_expect(&joint->ranges_of, joint->ranges.v[i].element);
	if (!err)
		err = lists_ready(&joint->ranges_of);
	for (size_t i = 0; i < joint->ranges.count && !err; i++)
		lists_put(&joint->ranges_of, joint->ranges.v[i].element, i);
	return err;
}

static int find_elements(struct joint *joint)
{
	struct sweep sweep = { .joint = joint };
	int err = sweep_all(&sweep);

	if (!err)
		err = take_elements(joint, &sweep.elements);
	sets_clear(&sweep.elements);
	return err ? err : index_ranges(joint);
}

/* --- Kinds and groups ------------------------------------------------------------------------------------------- */

static struct cells *cells_of(const struct joint *joint, int side)
{
	return space_cells(joint->space[side]);
}

static int find_failsafe(struct joint *joint)
{
	struct sets numbers = { 0 };
	int err = 0;

	joint->failsafe_of = array_new(joint->count, sizeof(*joint->failsafe_of));
	joint->failsafe_sample = array_new(joint->count, sizeof(*joint->failsafe_sample));
	if (!joint->failsafe_of || !joint->failsafe_sample)
		return -ENOMEM;
	for (size_t i = 0; i < joint->count && !err; i++) {
		const uint32_t *atom = joint->elements[i].atom;
		struct zw_classes old = cells_failsafe_classes(cells_of(joint, DIFF_OLD), atom[DIFF_OLD]);
		struct zw_classes new = cells_failsafe_classes(cells_of(joint, DIFF_NEW), atom[DIFF_NEW]);
		const uint32_t key[] = { old.source, old.destination, new.source, new.destination };

		err = list_number(&numbers, key, ARRAY_LEN(key), &joint->failsafe_of[i]);
		if (!err)
			joint->failsafe_sample[joint->failsafe_of[i]] = i;
	}
	joint->failsafe_count = sets_count(&numbers);
	sets_clear(&numbers);
	return err;
}

/* The kind of an element: its group's number and its classes. */
static int classify(const struct joint *joint, enum side side, uint32_t element, struct sets *groups,
		    struct sets *kinds, uint32_t *ret_kind)
{
	const uint32_t *atom = joint->elements[element].atom;
	struct cells *old = cells_of(joint, DIFF_OLD), *new = cells_of(joint, DIFF_NEW);
	const uint32_t group[] = { cells_policy_group(old, side, atom[0]),
				   cells_policy_group(new, side, atom[1]), joint->failsafe_of[element] };
	uint32_t kind[] = { cells_policy_class(old, side, atom[0]), cells_policy_class(new, side, atom[1]),
			    0 };
	int err = list_number(groups, group, ARRAY_LEN(group), &kind[2]);

	return err ? err : list_number(kinds, kind, ARRAY_LEN(kind), ret_kind);
}

static int index_classes(struct kinds *kinds, const struct sets *found, enum diff_side side)
{
	_cleanup_free_ uint32_t *class = array_new(kinds->count, sizeof(*class));
	uint32_t classes = 0;
	size_t n;

	if (!class)
		return -ENOMEM;
	for (size_t i = 0; i < kinds->count; i++) {
		class[i] = sets_get(found, i, &n)[side];
		classes = class[i] >= classes ? class[i] + 1 : classes;
	}
	return invert(&kinds->of_class[side], classes, class, kinds->count);
}

static int take_kinds(struct joint *joint, enum side side, const struct sets *found, size_t groups)
{
	struct kinds *kinds = &joint->kinds[side];
	size_t n;

	kinds->count = sets_count(found);
	kinds->group_count = groups;
	kinds->group = array_new(kinds->count, sizeof(*kinds->group));
	kinds->origins = array_new(kinds->count, 1);
	kinds->group_origins = array_new(groups, 1);
	if (!kinds->group || !kinds->origins || !kinds->group_origins)
		return -ENOMEM;
	for (size_t i = 0; i < kinds->count; i++)
		kinds->group[i] = sets_get(found, i, &n)[2];
	for (size_t i = 0; i < joint->count; i++) {
		uint32_t kind = kinds->of[i];

		if (kind == NO_KIND)
			continue;
		kinds->origins[kind] |= joint->elements[i].origins[side];
		kinds->group_origins[kinds->group[kind]] |= joint->elements[i].origins[side];
	}
	return 0;
}

static int find_kinds(struct joint *joint, enum side side)
{
	struct kinds *kinds = &joint->kinds[side];
	struct sets groups = { 0 }, found = { 0 };
	int err = 0;

	kinds->of = array_new(joint->count, sizeof(*kinds->of));
	if (!kinds->of)
		return -ENOMEM;
	for (size_t i = 0; i < joint->count && !err; i++) {
		kinds->of[i] = NO_KIND;
		if (joint->elements[i].origins[side])
			err = classify(joint, side, i, &groups, &found, &kinds->of[i]);
	}
	if (!err)
		err = take_kinds(joint, side, &found, sets_count(&groups));
	if (!err)
		err = invert(&kinds->elements, kinds->count, kinds->of, joint->count);
	if (!err)
		err = invert(&kinds->members, kinds->group_count, kinds->group, kinds->count);
	for (int i = 0; i < DIFF_SIDES && !err; i++)
		err = index_classes(kinds, &found, i);
	sets_clear(&groups);
	sets_clear(&found);
	return err;
}

/* --- The object ------------------------------------------------------------------------------------------------- */

int joint_make(const struct diff_source sources[DIFF_SIDES], struct joint *joint)
{
	int err = 0;

	for (int i = 0; i < DIFF_SIDES && !err; i++)
		err = space_new(sources[i].tables, sources[i].layout, sources[i].time, &joint->space[i]);
	if (!err)
		err = find_elements(joint);
	if (!err)
		err = find_failsafe(joint);
	for (int side = 0; side < 2 && !err; side++)
		err = find_kinds(joint, side);
	return err;
}

static void clear_kinds(struct kinds *kinds)
{
	free(kinds->of);
	free(kinds->group);
	free(kinds->origins);
	free(kinds->group_origins);
	lists_clear(&kinds->elements);
	lists_clear(&kinds->members);
	lists_clear(&kinds->of_class[0]);
	lists_clear(&kinds->of_class[1]);
}

void joint_clear(struct joint *joint)
{
	for (int i = 0; i < 2; i++) {
		space_free(joint->space[i]);
		clear_kinds(&joint->kinds[i]);
	}
	array_free(&joint->ranges);
	free(joint->elements);
	free(joint->failsafe_of);
	free(joint->failsafe_sample);
	lists_clear(&joint->ranges_of);
}

int joint_row(const struct joint *joint, enum diff_side side, uint32_t source, uint32_t destination,
	      uint32_t *ret_row)
{
	size_t n;
	uint32_t from = lists_get(&joint->kinds[SIDE_SOURCE].elements, source, &n)[0];
	uint32_t to = lists_get(&joint->kinds[SIDE_DESTINATION].elements, destination, &n)[0];

	return cells_row(cells_of(joint, side), ZW_MATRIX_POLICY, joint->elements[from].atom[side],
			 joint->elements[to].atom[side], ret_row);
}
