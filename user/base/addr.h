/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addresses and sets of addresses. Everything is in host order as numbers, so that sets can be sorted and swept.
 */
#ifndef ZW_ADDR_H
#define ZW_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned __int128 u128;

struct addr {
	int family; /* 4 or 6 */
	u128 value; /* an IPv4 address in the low 32 bits */
};

/* Both ends included. */
struct range {
	u128 first, last;
};

/*
 * Ranges of both families. A "set" is sorted, disjoint and without adjacent ranges; ranges_normalise makes one. The
 * arrays grow in ranges_add, by util.h's array_grow: fill them through it.
 */
struct ranges {
	struct range *v4;
	size_t v4_count;
	struct range *v6;
	size_t v6_count;
};

#define ADDR_TEXT_MAX 48
#define ADDR_MAX4 ((u128)0xffffffffu)
#define ADDR_MAX6 (~(u128)0)

/* Reads an IPv4 or IPv6 address without prefix length (RFC 4291 text forms; no zone id, no leading zeros in IPv4). 0 or -EINVAL. */
int addr_parse(const char *text, struct addr *ret_addr);

/* Writes the canonical text (RFC 5952) of an address into text, which holds ADDR_TEXT_MAX bytes. */
void addr_print(const struct addr *addr, char *text);

/* Writes an address, a network or a range: "10.2.0.9", "10.2.0.0/24", "10.2.0.9-10.2.0.17". */
#define RANGE_TEXT_MAX (2 * ADDR_TEXT_MAX)
void range_print(int family, const struct range *range, char *text);

/* addr from 4 or 16 bytes in wire order. */
struct addr addr_from_bytes(int family, const void *bytes);
void addr_to_bytes(const struct addr *addr, void *bytes);

int ranges_add(struct ranges *ranges, int family, u128 first, u128 last); /* 0 or -ENOMEM */
int ranges_add_all(struct ranges *to, const struct ranges *from); /* 0 or -ENOMEM */
int ranges_normalise(struct ranges *ranges); /* sort, merge; 0 or -ENOMEM */
int ranges_subtract(struct ranges *set, const struct ranges *minus); /* both normalised; 0 or -ENOMEM */
bool ranges_contain(const struct ranges *set, const struct addr *addr); /* normalised: binary search */
bool ranges_meet(const struct ranges *a, const struct ranges *b); /* both normalised: do they share an address? */
bool ranges_empty(const struct ranges *ranges);
void ranges_clear(struct ranges *ranges); /* frees the arrays */

#endif
