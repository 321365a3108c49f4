// SPDX-License-Identifier: GPL-2.0-only
#include "watch/store.h"

#include <errno.h>
#include <stdlib.h>

struct store {
	size_t capacity;
	uint64_t end;
	struct event *event[]; /* number n at n % capacity; NULL: never used */
};

struct store *store_new(size_t capacity)
{
	struct store *store = calloc(1, sizeof(*store) + capacity * sizeof(store->event[0]));

	if (store)
		store->capacity = capacity;
	return store;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->capacity; i++)
		free(store->event[i]);
	free(store);
}

int store_add(struct store *store, const struct event *event)
{
	struct event *copy = event_copy(event), **place = &store->event[store->end % store->capacity];

	if (!copy)
		return -ENOMEM;
	free(*place);
	*place = copy;
	store->end++;
	return 0;
}

uint64_t store_first(const struct store *store)
{
	return store->end > store->capacity ? store->end - store->capacity : 0;
}

uint64_t store_end(const struct store *store)
{
	return store->end;
}

const struct event *store_get(const struct store *store, uint64_t number)
{
	if (number < store_first(store) || number >= store->end)
		return NULL;
	return store->event[number % store->capacity];
}
