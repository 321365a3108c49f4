/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last events, in order. Each has a sequence number, so that any number of readers can follow at their own pace,
 * each with nothing but the number it wants next: who is too slow finds that numbers are gone, and how many.
 */
#ifndef ZW_STORE_H
#define ZW_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "watch/event.h"

#define STORE_EVENTS 65536

struct store;

struct store *store_new(size_t capacity); /* NULL: out of memory */
void store_free(struct store *store);

int store_add(struct store *store, const struct event *event); /* copies; the oldest goes if it is full. 0 or -ENOMEM */

/* Numbers first .. end - 1 are there. */
uint64_t store_first(const struct store *store);
uint64_t store_end(const struct store *store);
const struct event *store_get(const struct store *store, uint64_t number); /* NULL: not (any longer) there */

#endif
