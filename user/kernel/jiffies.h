/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own clock. Jiffies begin at a number that no other clock knows, so they are asked for by running a
 * program of five instructions; HZ is what the coarse clock steps by (sysconf(_SC_CLK_TCK) is always 100, and wrong).
 */
#ifndef ZW_JIFFIES_H
#define ZW_JIFFIES_H

#include <stdint.h>

unsigned jiffies_hz(void);
int jiffies_now(uint64_t *ret_jiffies); /* jiffies64; 0 or -errno, silent */

#endif
