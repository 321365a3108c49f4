/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ZW_TWO_CPUS_H
#define ZW_TWO_CPUS_H

#define HOSTS 16 /* on either side, a power of two; more pairs than a bucket has slots */

struct plan {
	__u64 seed;
	__u32 mixed; /* between hosts of different numbers, which may not talk; else between hosts of one number */
	__u32 pad;
};

#endif
