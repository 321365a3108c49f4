/* SPDX-License-Identifier: GPL-2.0-only */
/* The text forms of addresses in a policy: an address, a CIDR, a range. */
#ifndef ZW_ADDRESS_H
#define ZW_ADDRESS_H

#include <stdbool.h>

#include "base/addr.h"

#define ADDRESS_TEXT_MAX 160

struct address_range {
	int family;
	u128 first, last;
};

/* What is wrong with a text, for a diagnostic; fix is "" if none is known. */
struct address_problem {
	char what[ADDRESS_TEXT_MAX], fix[ADDRESS_TEXT_MAX];
};

/* Reads `10.2.0.0/24`, `10.2.0.1` or `10.2.7.10-10.2.7.19` (both ends included), or IPv6. 0 or -EINVAL with a problem. */
int address_read(const char *text, struct address_range *ret_range, struct address_problem *ret_problem);

/* Is this text meant as an address rather than as a name? Names have no ':' and no '/', and are no numbers. */
bool address_is_meant(const char *text);

#endif
