// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/atoms.h"
#include "policy/packets.h"

/* Sum of the sizes of all atoms: many large zones that overlap at random have exponentially many sets. */
#define MEMBERS_MAX ((size_t)1 << 26)

/* Here a zone begins or ends: its ranges are disjoint and not adjacent, so at one address it does one of both. */
struct boundary {
	uint64_t high, low;
	uint32_t zone;
};

struct boundaries {
	ARRAY(struct boundary) all;
};

static bool before(const struct boundary *a, const struct boundary *b)
{
	return a->high != b->high ? a->high < b->high : a->low < b->low;
}

static void merge(const struct boundary *a, const struct boundary *a_end, const struct boundary *b,
		  const struct boundary *b_end, struct boundary *to)
{
	while (a < a_end && b < b_end)
		*to++ = before(b, a) ? *b++ : *a++;
	memmove(to, a, (a_end - a) * sizeof(*a));
	memmove(to + (a_end - a), b, (b_end - b) * sizeof(*b));
}

/*
 * Natural merge sort: every zone's ranges come sorted, so the number of passes grows with the zones, not the ranges.
 * `runs` holds where the sorted runs begin, and the end. The last run is merged when all others are one: it is that of `world`,
 * which has as many boundaries as all others together. Where it stands, nothing is written that is not read yet.
 */
static int sort(struct boundaries *boundaries, size_t *runs, size_t run_count)
{
	size_t all = boundaries->all.count, count = run_count ? runs[run_count - 1] : 0;
	struct boundary *from = boundaries->all.v, *to, *last = from + count;

	if (!all)
		return 0;
	to = malloc(all * sizeof(*to));
	if (!to)
		return -ENOMEM;
	for (run_count -= run_count != 0; run_count > 1;) {
		struct boundary *swap = from;
		size_t n = 0;

		for (size_t i = 0; i < run_count; i += 2) {
			size_t middle = runs[i + 1], end = i + 2 <= run_count ? runs[i + 2] : middle;

			merge(from + runs[i], from + middle, from + middle, from + end, to + runs[i]);
			runs[n++] = runs[i];
		}
		runs[n] = count;
		run_count = n;
		from = to;
		to = swap;
	}
	merge(from, from + count, last, last + (all - count), to);
	boundaries->all.v = to;
	boundaries->all.room = all;
	free(from);
	return 0;
}

static bool counts(const struct policy *policy, const bool *used, size_t zone)
{
	return zone != ZONE_INDEX_ANY && (policy->zones[zone].kind != ZONE_LITERAL || used[zone]);
}

static int add(struct boundaries *boundaries, u128 at, uint32_t zone)
{
	struct boundary b = { .high = at >> 64, .low = at, .zone = zone };

	return array_push(&boundaries->all, b);
}

/* A run for each zone that has boundaries, that of `world` last. */
static int collect(const struct policy *policy, const bool *used, bool v6, struct boundaries *boundaries,
		   size_t *runs, size_t *ret_run_count)
{
	u128 last = v6 ? ADDR_MAX6 : ADDR_MAX4;
	size_t run_count = 0;
	int err = 0;

	for (size_t n = 1; n <= policy->zone_count && !err; n++) {
		size_t i = (ZONE_INDEX_WORLD + n) % policy->zone_count;
		const struct ranges *set = &policy->zones[i].set;
		const struct range *v = v6 ? set->v6 : set->v4;
		size_t count = v6 ? set->v6_count : set->v4_count;

		if (!count || !counts(policy, used, i))
			continue;
		runs[run_count++] = boundaries->all.count;
		for (size_t j = 0; j < count && !err; j++) {
			err = add(boundaries, v[j].first, i);
			if (!err && v[j].last < last)
				err = add(boundaries, v[j].last + 1, i);
		}
	}
	runs[run_count] = boundaries->all.count;
	*ret_run_count = run_count;
	return err;
}

/* The zones that hold the current address, ascending, and the hash of the set. */
struct active {
	ARRAY(uint32_t) zone;
	uint64_t hash;
};

static int toggle(struct active *active, uint32_t zone)
{
	size_t low = 0, high = active->zone.count;
	int err;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (active->zone.v[middle] < zone)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < active->zone.count && active->zone.v[low] == zone) {
		active->zone.count--;
		memmove(active->zone.v + low, active->zone.v + low + 1,
			(active->zone.count - low) * sizeof(*active->zone.v));
		active->hash -= sets_spread(zone);
		return 0;
	}
	err = array_reserve(&active->zone, 1);
	if (err)
		return err;
	memmove(active->zone.v + low + 1, active->zone.v + low,
		(active->zone.count - low) * sizeof(*active->zone.v));
	active->zone.v[low] = zone;
	active->zone.count++;
	active->hash += sets_spread(zone);
	return 0;
}

/* Names the active set and begins an interval with it, unless the one before has the same. */
static int begin(struct atoms *atoms, struct intervals *intervals, const struct active *active, uint64_t high,
		 uint64_t low)
{
	struct interval next = { .high = high, .low = low };
	int err = sets_intern(&atoms->zones, active->zone.v, active->zone.count, active->hash, &next.atom);

	if (err)
		return err;
	if (atoms->zones.members.count > MEMBERS_MAX)
		return -E2BIG;
	if (intervals->all.count && intervals->all.v[intervals->all.count - 1].atom == next.atom)
		return 0;
	return array_push(&intervals->all, next);
}

static int sweep(struct atoms *atoms, const struct boundaries *boundaries, struct intervals *intervals)
{
	const struct boundary *b = boundaries->all.v, *end = b + boundaries->all.count;
	struct active active = { 0 };
	int err = 0;

	if (b == end || b->high || b->low)
		err = begin(atoms, intervals, &active, 0, 0);
	while (b < end && !err) {
		uint64_t high = b->high, low = b->low;

		for (; b < end && b->high == high && b->low == low && !err; b++)
			err = toggle(&active, b->zone);
		if (!err)
			err = begin(atoms, intervals, &active, high, low);
	}
	array_free(&active.zone);
	return err;
}

static int build_family(const struct policy *policy, const bool *used, bool v6, size_t *runs,
			struct atoms *atoms)
{
	struct boundaries boundaries = { 0 };
	size_t run_count = 0;
	int err = collect(policy, used, v6, &boundaries, runs, &run_count);

	if (!err)
		err = sort(&boundaries, runs, run_count);
	if (!err)
		err = sweep(atoms, &boundaries, v6 ? &atoms->v6 : &atoms->v4);
	array_free(&boundaries.all);
	return err;
}

static void mark_family(struct atoms *atoms, int family, const struct intervals *intervals)
{
	const struct interval *v = intervals->all.v;
	size_t count = intervals->all.count;

	for (size_t i = 0; i < count; i++) {
		u128 first = interval_start(&v[i]), end = family == 4 ? ADDR_MAX4 : ADDR_MAX6;
		u128 last = i + 1 < count ? interval_start(&v[i + 1]) - 1 : end;

		atoms->origins[0][v[i].atom] |= packets_from(family, first, last);
		atoms->origins[1][v[i].atom] |= packets_to(family, first, last);
	}
}

static int mark_origins(struct atoms *atoms)
{
	for (int side = 0; side < 2; side++) {
		atoms->origins[side] = calloc(atoms_count(atoms), 1);
		if (!atoms->origins[side])
			return -ENOMEM;
	}
	mark_family(atoms, 4, &atoms->v4);
	mark_family(atoms, 6, &atoms->v6);
	return 0;
}

int atoms_build(const struct policy *policy, const bool *used, struct atoms *ret_atoms)
{
	size_t *runs = calloc(policy->zone_count + 1, sizeof(*runs));
	int err;

	memset(ret_atoms, 0, sizeof(*ret_atoms));
	if (!runs)
		return -ENOMEM;
	err = build_family(policy, used, false, runs, ret_atoms);
	if (!err)
		err = build_family(policy, used, true, runs, ret_atoms);
	if (!err)
		err = mark_origins(ret_atoms);
	free(runs);
	if (err)
		atoms_clear(ret_atoms);
	return err;
}

void atoms_clear(struct atoms *atoms)
{
	sets_clear(&atoms->zones);
	array_free(&atoms->v4.all);
	array_free(&atoms->v6.all);
	free(atoms->origins[0]);
	free(atoms->origins[1]);
	memset(atoms, 0, sizeof(*atoms));
}
