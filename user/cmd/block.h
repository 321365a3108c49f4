/* SPDX-License-Identifier: GPL-2.0-only */
/* What `block` and `unblock` share: prefixes from the command line, and the list, locked. */
#ifndef ZW_CMD_BLOCK_H
#define ZW_CMD_BLOCK_H

#include "cmd/command.h"
#include "kernel/blocks.h"

struct prefixes {
	const char *command; /* its name, for messages; set by the caller */
	struct blocked *v; /* grows by array_grow */
	size_t count;
};

/* The words after the options: addresses and CIDRs; "-" reads lines of them from standard input. 0 or an exit status. */
int prefixes_read(struct prefixes *prefixes, int count, char **words);
int prefixes_add(struct prefixes *prefixes, const char *word); /* one of them */
void prefixes_clear(struct prefixes *prefixes);

struct block_list {
	int lock;
	struct zw_blocks *blocks;
	uint64_t now; /* jiffies */
};

/* For changing it: there is one writer at a time. Tells what is wrong; returns an exit status. */
int block_list_open(const struct globals *globals, struct block_list *ret_list);
void block_list_close(struct block_list *list);

#endif
