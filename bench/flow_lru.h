/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ZW_FLOW_LRU_H
#define ZW_FLOW_LRU_H

/* What the generator sends: flow number `base` + (random, or counted, & mask). */
struct plan {
	__u64 seed;
	__u32 base, mask;
	__u32 counted, count;
	__u64 found; /* by the programs under test */
};

#endif
