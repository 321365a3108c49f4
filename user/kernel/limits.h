/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The token buckets of an instance (bpf/tokens.h), looked at.
 */
#ifndef ZW_LIMITS_H
#define ZW_LIMITS_H

#include <stdint.h>

struct limits_census {
	uint64_t sources, rules; /* buckets that are not full: nobody else may have them */
	uint64_t room; /* for sources */
	uint64_t shared; /* first packets of sources that found no bucket, since the table was made */
};

/* 0 or -errno, silent. */
int limits_count_all(const char *instance, struct limits_census *ret_census);

#endif
