/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a first packet is decided as it is: the stages of design section 5 and the rules of section 4, walked one by one
 * over the policy, for people. The verdict is the tables' (explain_decide); the walk must come to the same, and
 * explain_agrees() says whether it does. Of a resolved policy; nothing here reads tables but the last two functions.
 */
#ifndef ZW_EXPLAIN_H
#define ZW_EXPLAIN_H

#include "policy/policy.h"
#include "simulate/decision.h"
#include "simulate/input.h"

/* A first packet as a well-behaved sender writes it (simulate/frame.h): TCP with SYN alone, no payload, no fragment. */
struct first_packet {
	struct addr from, to; /* of one family */
	uint8_t protocol;
	uint16_t port; /* destination port; type << 8 | code; 0 for protocols without */
	uint16_t sport; /* source port; an echo's identifier */
	bool egress; /* it leaves; else it enters */
	const char *interface; /* where; NULL: not said */
	int64_t time; /* when, Unix seconds: which rules have ended */
};

/* What a tier had to say. */
struct explain_tier {
	unsigned tier; /* index into policy->tiers */
	const struct rule *rule; /* the enforced rule that matched, or NULL */
	const struct rule *staged; /* the first staged rule that matches and comes before it, or NULL */
	const struct rule *ended; /* the first enforced rule that would match, comes before it and has ended, or NULL */
};

/* An enforced allow rule that came close: which fields differ. */
struct miss {
	const struct rule *rule;
	bool from, to, service;
	const struct rule *passed; /* nothing differs: this rule came first and went on to the next tier */
	unsigned distance; /* of what differs, for the order among equals: see nearest.c */
};

#define MISSES_MAX 3

struct explanation {
	enum zw_reason reason;
	const struct rule *rule; /* decided, or is the failsafe entry; NULL for other reasons */
	const char *why; /* malformed, spoofed, essential: a phrase */

	const struct interface_match *source; /* the entry whose `source:` binds where the packet enters, or NULL */

	/* What follows is empty if an earlier stage decided. */
	struct explain_tier *tiers; /* that were walked, in order */
	size_t tier_count;
	bool after_tiers; /* none of them decided */
	const struct zone *shared; /* then: the first zone that counts for intra-zone and holds both ends, or NULL */
	enum zw_reason policy_reason; /* before failsafe */
	const struct rule *policy_rule;
	bool reversed; /* the failsafe entry matches the packet with its ends exchanged */
	const struct rule *staged; /* would decide, were all staged rules enforced, or NULL */

	struct miss miss[MISSES_MAX]; /* nearest first; only of a drop by default */
	size_t miss_count, more_misses; /* more: others with as few differing fields */
};

/* The policy is borrowed until explanation_clear. 0 or -ENOMEM. */
int explain(const struct policy *policy, const struct first_packet *packet, struct explanation *ret_explanation);
void explanation_clear(struct explanation *explanation);

/* Indices of the zones that section 11 lists for an address: declared ones in order, then host or world. Returns how many;
 * ret_zones has room for policy->zone_count. */
size_t explain_zones(const struct policy *policy, const struct addr *addr, unsigned *ret_zones);

/* Does the protocol stand between IP and a transport header, so that no packet can have it as its own? */
bool explain_is_header(int family, uint8_t protocol);

/* The packet as a frame; its bytes (FRAME_MAX) are the caller's, and borrowed. */
void explain_frame(const struct names *names, const struct first_packet *packet, uint8_t *bytes, struct frame *ret_frame);
/* The tables' decision. */
void explain_decide(struct decider *decider, const struct names *names, const struct first_packet *packet,
		    struct decision *ret_decision);

/* Does the walk say what the tables say: verdict, reason, rule, zones of both ends? False also without memory. */
bool explain_agrees(const struct policy *policy, const struct first_packet *packet,
		    const struct explanation *explanation, const struct names *names, const struct decision *decision);

#endif
