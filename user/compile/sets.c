// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/sets.h"

uint64_t sets_hash(const uint32_t *members, size_t count)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < count; i++)
		hash += sets_spread(members[i]);
	return hash;
}

size_t sets_count(const struct sets *sets)
{
	return sets->start.count ? sets->start.count - 1 : 0;
}

const uint32_t *sets_get(const struct sets *sets, size_t number, size_t *ret_count)
{
	*ret_count = sets->start.v[number + 1] - sets->start.v[number];
	return *ret_count ? sets->members.v + sets->start.v[number] : NULL;
}

/* Twice the slots; a slot keeps its hash, so no list is read. */
static int grow(struct sets *sets)
{
	size_t slots = sets->slots ? sets->slots * 2 : 64;
	uint32_t *slot = calloc(slots, sizeof(*slot)), *hash = malloc(slots * sizeof(*hash));

	if (!slot || !hash) {
		free(slot);
		free(hash);
		return -ENOMEM;
	}
	for (size_t i = 0; i < sets->slots; i++) {
		size_t at = sets->hash[i] & (slots - 1);

		if (!sets->slot[i])
			continue;
		while (slot[at])
			at = (at + 1) & (slots - 1);
		slot[at] = sets->slot[i];
		hash[at] = sets->hash[i];
	}
	free(sets->slot);
	free(sets->hash);
	sets->slot = slot;
	sets->hash = hash;
	sets->slots = slots;
	return 0;
}

static int append(struct sets *sets, const uint32_t *members, size_t count)
{
	int err;

	if (sets_count(sets) >= UINT32_MAX - 1)
		return -E2BIG;
	if (!sets->start.count) {
		err = array_push(&sets->start, 0);
		if (err)
			return err;
	}
	err = array_reserve(&sets->members, count);
	if (!err)
		err = array_push(&sets->start, sets->members.count + count);
	if (err)
		return err;
	if (count)
		memcpy(sets->members.v + sets->members.count, members, count * sizeof(*members));
	sets->members.count += count;
	return 0;
}

int sets_intern(struct sets *sets, const uint32_t *members, size_t count, uint64_t hash, uint32_t *ret_number)
{
	/* The low half of a sum of products is the weak one; slots are taken from the mixed value. */
	uint32_t short_hash = sets_spread(hash) >> 32;
	size_t at;
	int err;

	if ((sets_count(sets) + 1) * 2 > sets->slots) {
		err = grow(sets);
		if (err)
			return err;
	}
	for (at = short_hash & (sets->slots - 1); sets->slot[at]; at = (at + 1) & (sets->slots - 1)) {
		size_t n;
		const uint32_t *found;

		if (sets->hash[at] != short_hash)
			continue;
		found = sets_get(sets, sets->slot[at] - 1, &n);
		if (n == count && (!n || !memcmp(found, members, n * sizeof(*members)))) {
			*ret_number = sets->slot[at] - 1;
			return 0;
		}
	}
	err = append(sets, members, count);
	if (err)
		return err;
	sets->slot[at] = sets_count(sets);
	sets->hash[at] = short_hash;
	*ret_number = sets_count(sets) - 1;
	return 0;
}

void sets_clear(struct sets *sets)
{
	array_free(&sets->members);
	array_free(&sets->start);
	free(sets->slot);
	free(sets->hash);
	memset(sets, 0, sizeof(*sets));
}
