/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What was put on the block list by hand, on disk: why, since when, and until when by the clock on the wall. The list itself
 * knows jiffies alone, and does not outlive a boot; what limits ban is not here, and does not either.
 *
 * /var/lib/zonewall/NAME/blocked has a line for each change, so that one more costs no more than a line:
 *
 *   + 192.0.2.0/24 SINCE UNTIL REASON   Unix seconds; UNTIL 0: for ever; the reason up to the end of the line, perhaps none
 *   - 192.0.2.0/24
 *
 * It is written anew, without what does not hold any more, before it grows too long and where the list is filled from it.
 */
#ifndef ZW_BLOCK_BOOK_H
#define ZW_BLOCK_BOOK_H

#include "kernel/blocks.h"

#define BLOCK_REASON_MAX 128 /* bytes of text, without the end */

struct block_note {
	struct blocked what; /* its `until` and `is_ban` are not used */
	int64_t since, until; /* Unix seconds; until 0: for ever */
	char reason[BLOCK_REASON_MAX + 1];
};

int block_book_path(const char *instance, char *ret_path); /* text of PATH_MAX bytes; 0 or -errno */

/* Is this a reason that can be written down: short, on one line? */
bool block_reason_is_valid(const char *text);

/* Adds lines. Whoever calls holds the list's lock. 0 or -errno, silent. */
int block_book_add(const char *instance, const struct block_note *notes, size_t count);
int block_book_remove(const char *instance, const struct blocked *what, size_t count);

/* What holds still, by prefix as blocks_read() has it. The caller frees. 0, also without a book, or -errno. */
int block_book_read(const char *instance, struct block_note **ret_notes, size_t *ret_count);
/* In such notes; NULL: nothing was written down. */
const struct block_note *block_book_find(const struct block_note *notes, size_t count, const struct blocked *what);

/* Fills a new list from the book, and says how many. What cannot be is a warning. */
size_t block_book_restore(const char *instance, struct zw_blocks *blocks);
void block_book_forget(const char *instance);

#endif
