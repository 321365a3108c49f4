/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Policies that zonewall and nftables can both say: so many pairs of which the first may open connections to the
 * second's tcp/443, and whatever else is dropped. A pair is of hosts, and then number i has the ends of flow number i
 * (plan.h); or of networks, of which there are 32 with all the hosts in them, as if a zone were one. So flows to any
 * other port are dropped.
 */
#ifndef ZW_PAIRS_H
#define ZW_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

#define PAIRS_HOSTS 8192u /* a power of two. xdp-filter has room for 10,000 addresses */

struct pairs {
	int family; /* 4, 6 */
	uint32_t count; /* of networks: at most 1,024 */
	bool networks;
};

/* Bytes of host number i's address (network order); returns how many. */
int pairs_host(int family, uint32_t i, uint8_t ret_address[16]);

/* For zonewall: `apply`, with native XDP on the interface. Exits with its messages if it fails. */
void pairs_apply(const struct pairs *pairs, const char *instance, const char *interface);

/*
 * The ways to write it for nftables. All but the last read one map; `linear` has a rule for each pair. A map of
 * networks has intervals, which PAIRS_MAP cannot have.
 */
enum pairs_form { PAIRS_MAP, PAIRS_RANGES, PAIRS_CONNTRACK, PAIRS_LINEAR, PAIRS_FORMS };
extern const char *const pairs_form_names[PAIRS_FORMS];

/* Loads a form, dormant: no packet meets it. Frames come in by the interface. Exits if it fails, as all below. */
void pairs_load(const struct pairs *pairs, enum pairs_form form, const char *interface);
void pairs_wake(enum pairs_form form, bool awake);
uint64_t pairs_dropped(enum pairs_form form); /* packets that the last rule dropped */
void pairs_unload(enum pairs_form form);

#endif
