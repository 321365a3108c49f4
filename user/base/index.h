/* SPDX-License-Identifier: GPL-2.0-only */
/* Names to numbers: an open hash. Keys are borrowed and must stay where they are. */
#ifndef ZW_INDEX_H
#define ZW_INDEX_H

#include <stdbool.h>
#include <stddef.h>

struct index_slot {
	const char *key; /* NULL: empty */
	unsigned value;
};

/* Zeroed is empty. */
struct index {
	struct index_slot *slots;
	size_t size, count; /* size is a power of two or 0 */
};

int index_add(struct index *index, const char *key, unsigned value); /* the key must be absent. 0 or -ENOMEM */
bool index_find(const struct index *index, const char *key, unsigned *ret_value);
void index_clear(struct index *index);

#endif
