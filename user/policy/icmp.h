/* SPDX-License-Identifier: GPL-2.0-only */
/* IANA's names of ICMP types and codes, in lower case with dashes. */
#ifndef ZW_ICMP_H
#define ZW_ICMP_H

/* version is 4 or 6. The number, or -1 if there is no such name. */
int icmp_find_type(int version, const char *name);
int icmp_find_code(int version, int type, const char *name);

/* The name nearest to a misspelt one, or NULL. type -1: among the types. */
const char *icmp_suggest(int version, int type, const char *name);

#endif
