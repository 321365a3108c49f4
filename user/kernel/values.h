/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Maps with one value, in programs: an address instead of a look-up.
 *
 * Programs name such a map as if to look something up in it (only_value() in bpf/maps.h). Just before they are loaded, these
 * instructions are made to load the address of the value instead (BPF_PSEUDO_MAP_VALUE, Linux 5.2): no call, no key, no
 * check for NULL. libbpf does the same for global variables, but cannot size what it makes for them.
 */
#ifndef ZW_VALUES_H
#define ZW_VALUES_H

/* Sections of programs that are treated so. */
#define VALUES_XDP "generation/xdp" /* xdp.frags */
#define VALUES_TC "generation/tc"

/* Before an object that has such sections is opened; again does no harm. 0 or a negative error of libbpf. */
int values_register(void);

#endif
