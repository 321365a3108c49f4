/* SPDX-License-Identifier: GPL-2.0-only */
/* Why an address is blocked, for events: what `block --reason` was told, as it is written down (kernel/block_book.h). */
#ifndef ZW_BLOCK_NOTES_H
#define ZW_BLOCK_NOTES_H

#include "kernel/block_book.h"

struct block_notes;

struct block_notes *block_notes_new(const char *instance); /* borrowed. NULL: out of memory */
void block_notes_free(struct block_notes *notes);
void block_notes_tick(struct block_notes *notes); /* once a second: another list is read at the next question */

/* Of the longest prefix that was blocked by hand and holds the address (family: 4 or 6; wire order); "" if there is none. */
const char *block_notes_find(struct block_notes *notes, int family, const void *wire_address);

#endif
