// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/pair.h"

#include "base/util.h"

enum { ROW_POLICY, ROW_FAILSAFE, ROW_EXCHANGED };

int pair_read(struct cells *cells, uint32_t source, uint32_t destination, struct pair *ret_pair)
{
	struct pair pair = { .failsafe = ROW_NONE, .exchanged = ROW_NONE };
	int err = cells_row(cells, ZW_MATRIX_POLICY, source, destination, &pair.policy);

	if (!err && cells_has_failsafe(cells))
		err = cells_row(cells, ZW_MATRIX_FAILSAFE, source, destination, &pair.failsafe);
	if (!err && cells_has_failsafe(cells))
		err = cells_row(cells, ZW_MATRIX_FAILSAFE, destination, source, &pair.exchanged);
	*ret_pair = pair;
	return err;
}

static struct pair_key *find_slot(const struct pair_set *set, const struct pair_key *key)
{
	uint64_t hash = ((uint64_t)key->pair.policy << 32 | key->tag) * 0x9e3779b97f4a7c15ull;

	hash = (hash ^ ((uint64_t)key->pair.failsafe << 32 | key->pair.exchanged)) * 0x9e3779b97f4a7c15ull;
	for (size_t i = hash >> 32;; i++) {
		struct pair_key *slot = &set->slot[i & (set->size - 1)];

		if (!slot->tag || !memcmp(slot, key, sizeof(*key)))
			return slot;
	}
}

static int grow(struct pair_set *set)
{
	struct pair_set larger = { .size = set->size ? set->size * 2 : 16, .count = set->count };

	larger.slot = array_new(larger.size, sizeof(*larger.slot));
	if (!larger.slot)
		return -ENOMEM;
	for (size_t i = 0; i < set->size; i++)
		if (set->slot[i].tag)
			*find_slot(&larger, &set->slot[i]) = set->slot[i];
	free(set->slot);
	*set = larger;
	return 0;
}

int pair_set_add(struct pair_set *set, const struct pair *pair, uint32_t tag)
{
	const struct pair_key key = { *pair, tag + 1 };
	struct pair_key *slot;

	if (set->count * 2 >= set->size && grow(set))
		return -ENOMEM;
	slot = find_slot(set, &key);
	if (slot->tag)
		return 0;
	*slot = key;
	set->count++;
	return 1;
}

void pair_set_clear(struct pair_set *set)
{
	free(set->slot);
	*set = (struct pair_set){ 0 };
}

/* A large one is not cleared again and again for the few pairs of those that come after it. */
#define KEPT_SIZE 256

void pair_set_empty(struct pair_set *set)
{
	if (set->size > KEPT_SIZE)
		pair_set_clear(set);
	else if (set->count)
		memset(set->slot, 0, set->size * sizeof(*set->slot));
	set->count = 0;
}

bool pair_has_failsafe(const struct cells *cells, const struct pair *pair)
{
	return cells_row_allows(cells, pair->failsafe) || cells_row_allows(cells, pair->exchanged);
}

static struct cursor cursor_at(const struct cells *cells, uint32_t row)
{
	size_t count;
	const struct cell_run *runs = cells_runs(cells, row, &count);

	return (struct cursor){ runs, runs + count - 1 };
}

struct pair_walk pair_walk(const struct cells *cells, const struct pair *pair)
{
	return (struct pair_walk){
		.row = { cursor_at(cells, pair->policy), cursor_at(cells, pair->failsafe),
			 cursor_at(cells, pair->exchanged) },
		.classes = cells_class_count(cells),
	};
}

struct pair_walk row_walk(const struct cells *cells, uint32_t row)
{
	return pair_walk(cells, &(struct pair){ .policy = row });
}

bool pair_next(struct pair_walk *walk, struct pair_run *ret_run)
{
	struct cursor *row = walk->row;
	uint32_t end = walk->classes;

	if (walk->class == walk->classes)
		return false;
	for (int i = 0; i < 3; i++) {
		if (row[i].run < row[i].last && row[i].run[1].first <= walk->class)
			row[i].run++;
		if (row[i].run < row[i].last && row[i].run[1].first < end)
			end = row[i].run[1].first;
	}
	*ret_run = (struct pair_run){ walk->class, end, row[ROW_POLICY].run->value,
				      row[ROW_FAILSAFE].run->value, row[ROW_EXCHANGED].run->value };
	walk->class = end;
	return true;
}
