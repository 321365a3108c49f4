/* SPDX-License-Identifier: GPL-2.0-only */
/* What `zonewall block --list` tells, as JSON. */
#ifndef ZW_REPORT_BLOCKS_H
#define ZW_REPORT_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/block_book.h"
#include "kernel/instance.h"

struct json_object;

/*
 * {"schema":"zonewall.blocks/1","entries":[{"address":"192.0.2.0/24","by":"command"|"limit","since":TIME|null,
 *  "until":TIME|null,"left_s":N|null,"reason":TEXT|null}]}, by address. NULL: out of memory.
 */
struct json_object *report_blocks(const struct instance *instance, const char *name);

/* An entry of it, and what holds entries. note: NULL, what is not known of it. now: jiffies. */
struct json_object *report_block(const struct blocked *blocked, const struct block_note *note, uint64_t now);
struct json_object *report_block_list(struct json_object *entries);

#endif
