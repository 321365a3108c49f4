/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules' totals over generations. Each generation counts in a map of its own; when it is retired its counters are added
 * to a file by rule id. The file names the generations whose counters it holds, so that a process that is killed between
 * writing the file and removing the pins neither loses nor doubles anything: such a generation's map is left out of the
 * sum. The file is replaced by rename().
 *
 * A line of text each: "zonewall-counters 1", "boot ID", "highest N", "generation N"..., "rule ID FLOWS PACKETS BYTES
 * LAST"..., "staged ID ALLOWED DROPPED CHANGED LAST"... LAST is in jiffies of that boot.
 */
#ifndef ZW_COUNTERS_H
#define ZW_COUNTERS_H

#include <stdint.h>

/* Adds a pinned generation's counters to the file, once. Only when no packet can meet it any more. Tells errors. */
int counters_fold(const char *instance, uint32_t generation);

/* The highest generation number that the file knows of, 0 if there is none. */
uint32_t counters_highest(const char *instance);

#endif
