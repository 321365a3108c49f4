/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The temporary block list, from user space (layout in zonewall.h, look-ups in bpf/block.h). There is one writer at a time
 * here, which whoever calls sees to (the instance's lock); rules' limits write beside it, and packets look all the time.
 */
#ifndef ZW_BLOCKS_H
#define ZW_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "zonewall.h"

/* A prefix on the list. */
struct blocked {
	int family;
	unsigned length; /* of the prefix, 1..32 or 128 */
	u128 first; /* its first address */
	uint64_t until; /* jiffies from which on it blocks no more; ZW_BLOCK_FOR_EVER */
	bool is_ban; /* put there by a rule's limit */
};

/* Makes memory (of zeros) an empty list; one that has been made is left alone. 0 or -errno. */
int blocks_init(struct zw_blocks *blocks);

/* Maps a pinned instance's list. 0 or -errno, silent. */
int blocks_open(const char *instance, bool writable, struct zw_blocks **ret_blocks);
void blocks_close(struct zw_blocks *blocks); /* NULL is fine */

/*
 * From now on packets from and to these addresses are dropped; a prefix that is there gets another end. now: jiffies. 0;
 * -ENOSPC: there is no room; -E2BIG: prefixes of ZW_BLOCK_LENGTHS other lengths are there.
 */
int blocks_put(struct zw_blocks *blocks, const struct blocked *what, uint64_t now);
/* This very prefix. Returns whether it was there. What the list costs is settled by blocks_settle(). */
bool blocks_remove(struct zw_blocks *blocks, const struct blocked *what, uint64_t now);
/* Takes back what prefixes that are gone have left in the filter, and says that an empty list is empty. 0 or -ENOMEM. */
int blocks_settle(struct zw_blocks *blocks, uint64_t now);

/* All that blocks now, by family, address and length; each once. The caller frees. 0 or -ENOMEM. */
int blocks_read(const struct zw_blocks *blocks, uint64_t now, struct blocked **ret_list, size_t *ret_count);
/* The longest prefix that blocks this address. */
bool blocks_find(struct zw_blocks *blocks, const struct addr *addr, uint64_t now, struct blocked *ret_blocked);

/* "192.0.2.7", "10.0.0.0/8": text of RANGE_TEXT_MAX bytes. */
void blocked_print(const struct blocked *blocked, char *text);
/* The range that a prefix is; false if it is none: then from a range that is one, back. */
struct range blocked_range(const struct blocked *blocked);
bool blocked_from_range(int family, const struct range *range, struct blocked *ret_blocked);

#endif
