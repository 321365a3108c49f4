// SPDX-License-Identifier: GPL-2.0-only
#include <stdint.h>

#include "base/index.h"
#include "base/util.h"

/* FNV-1a, 64 bits; the upper half is folded in because only the low bits choose a slot. */
static size_t hash(const char *key)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 0x100000001b3ull;
	return h ^ h >> 32;
}

/* The slot of the key, or the empty one where it would go. */
static struct index_slot *probe(struct index_slot *slots, size_t size, const char *key)
{
	size_t i = hash(key) & (size - 1);

	while (slots[i].key && strcmp(slots[i].key, key))
		i = (i + 1) & (size - 1);
	return &slots[i];
}

static int grow(struct index *index)
{
	size_t size = index->size ? index->size * 2 : 16;
	struct index_slot *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < index->size; i++)
		if (index->slots[i].key)
			*probe(slots, size, index->slots[i].key) = index->slots[i];
	free(index->slots);
	index->slots = slots;
	index->size = size;
	return 0;
}

int index_add(struct index *index, const char *key, unsigned value)
{
	if (index->count * 2 >= index->size && grow(index))
		return -ENOMEM;
	*probe(index->slots, index->size, key) = (struct index_slot){ key, value };
	index->count++;
	return 0;
}

bool index_find(const struct index *index, const char *key, unsigned *ret_value)
{
	const struct index_slot *slot;

	if (!index->size)
		return false;
	slot = probe(index->slots, index->size, key);
	if (!slot->key)
		return false;
	*ret_value = slot->value;
	return true;
}

void index_clear(struct index *index)
{
	free(index->slots);
	*index = (struct index){ 0 };
}
