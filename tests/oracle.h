/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle: one packet's decision from the policy as it was written, rule by rule, straight from design sections 4
 * and 5. It knows nothing of tables, classes or programs, resolves zones by walking them, and is slow on purpose: it is
 * what the compiler, the tables and the programs are compared with, so it must be too simple to be wrong.
 */
#ifndef ZW_ORACLE_H
#define ZW_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "zonewall.h"

struct oracle;

/*
 * policy (its written parts; `set` is never read) and host (addresses of this host; NULL: not known) are borrowed until
 * oracle_free. stateful: packets leave flows behind. NULL: out of memory.
 */
struct oracle *oracle_new(const struct policy *policy, const struct ranges *host, bool stateful);
void oracle_free(struct oracle *oracle);

/* Puts a prefix on the block list until then (seconds), 0: for ever. */
void oracle_block(struct oracle *oracle, const struct addr *first, unsigned length, double until);

struct oracle_frame {
	const uint8_t *data; /* an Ethernet frame */
	size_t len;
	bool egress;
	double time; /* Unix seconds */
	uint8_t mac[6]; /* of the attach point */
	const char *interface; /* its name; NULL: none that the policy knows */
};

struct oracle_answer {
	bool allow;
	enum zw_reason reason;
	const char *rule; /* id of the rule or failsafe entry that section 11 shows, or NULL */
	const char *staged; /* id of the staged rule that decides the second decision of a first packet, or NULL */
	bool staged_allows;
	bool read_addresses; /* else from and to mean nothing */
	struct addr from, to;
};

void oracle_decide(struct oracle *oracle, const struct oracle_frame *frame, struct oracle_answer *ret_answer);

/* Names of the zones that section 11 lists for an address: declared ones in order, then host or world. Returns how many. */
size_t oracle_zones(const struct oracle *oracle, const struct addr *addr, const char **ret_names, size_t max);

/* Is the address in the zone with this index? */
bool oracle_in_zone(const struct oracle *oracle, unsigned zone, const struct addr *addr);

#endif
