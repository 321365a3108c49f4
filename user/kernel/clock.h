/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs need to know the wall clock (struct zw_clock): how far CLOCK_TAI is ahead of it. That changes when the
 * kernel is told of leap seconds, mostly once, by a time server's first word. A clock that is set moves both.
 */
#ifndef ZW_CLOCK_H
#define ZW_CLOCK_H

/* Writes it to a map. 0 or -errno, silent. */
int clock_set(int map);

/* Brings that of an instance up to date; to be called each second. Nothing is done if nothing is published. */
void clock_keep(const char *instance);

#endif
