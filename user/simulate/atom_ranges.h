/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A generation's addresses as ranges: the address tables (zonewall.h) read from end to end, so that whoever asks about
 * sets of addresses can sweep over them. Ranges with the same atom that touch are one.
 */
#ifndef ZW_ATOM_RANGES_H
#define ZW_ATOM_RANGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "zonewall.h"

struct atom_range {
	u128 first, last;
	uint32_t atom;
};

/* All addresses of a family: ascending, without gaps. */
struct atom_ranges {
	struct atom_range *v; /* grows by array_grow */
	size_t count;
};

/* family: 4, 6. 0; -ENOMEM; -EINVAL if the tables are damaged. */
int atom_ranges_read(const void *tables, const struct zw_layout *layout, int family, struct atom_ranges *ret_ranges);
/* Index of the range that holds an address. */
size_t atom_ranges_at(const struct atom_ranges *ranges, u128 at);
void atom_ranges_clear(struct atom_ranges *ranges);

#endif
