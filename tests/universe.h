/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small universe: random policies over a /29 and a /125, and every packet that they could tell apart, so that what is
 * said of all packets can be held against every one of them.
 */
#ifndef ZW_UNIVERSE_H
#define ZW_UNIVERSE_H

#include <stdio.h>

#include "generate.h"
#include "packet.h"

struct address {
	struct addr addr;
	char text[ADDR_TEXT_MAX];
};

struct probe {
	uint8_t from, to; /* addresses */
	uint8_t protocol;
	uint16_t sport, port;
	bool enters;
	uint16_t len;
	uint8_t data[86];
};

#define UNIVERSE_ADDRESSES_MAX 32

/* An address of every kind that a policy here can name, and every packet between them that is not malformed. */
extern struct universe {
	struct address address[UNIVERSE_ADDRESSES_MAX];
	size_t address_count;
	struct probe *probe;
	size_t probe_count;
} universe;

void universe_make(void);

/* A frame that no stage before the policy's takes, and whether it enters (else it leaves). */
void universe_build(const struct addr *from, const struct addr *to, uint8_t protocol, uint16_t sport, uint16_t port,
		    struct packet *ret_packet, bool *ret_enters);

/* A rule's line in such a policy: "  - {id: r<id>, ...}", in one of the first `tiers` tiers, of zones z0 and so on. */
void universe_rule(struct random *random, FILE *out, unsigned id, unsigned tiers, unsigned zones);

/* Whether rules of policies made from here on have an `until`, some of them: one of these instants. */
#define UNIVERSE_INSTANTS 3
extern bool universe_rules_end;
extern const int64_t universe_instants[UNIVERSE_INSTANTS]; /* Unix seconds, ascending */

/*
 * Such a policy's text as it is from an instant on (-1: before all): without the rules that have ended, and the others without
 * their end. The caller frees it.
 */
char *universe_at(const char *policy, int instant);

#define UNIVERSE_REGIONS 4 /* of never in each policy, and as many of always */
char *universe_policy(struct random *random); /* the caller frees it */

/*
 * Addresses, as scene_options has them, room for 128 bytes; one at least: of a host that has none failsafe lets in more than the
 * policy means.
 */
void universe_host(struct random *random, char *text);

#endif
