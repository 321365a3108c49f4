/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The account of a replayed capture: which packets were asked about, how each was decided, and what became of the
 * conversations they belong to. One policy, or two that are compared packet by packet.
 *
 * For each packet: replay_prepare() says what to ask, the caller asks (tables or kernel), replay_take() books the answer.
 *
 * A conversation is what has the same two ends: addresses and ports, or an echo's identifier; both ways, seen from who sent
 * its first packet (of a SYN+ACK: from who it answers). Messages of ICMP that are no echo, later fragments and what is
 * malformed behind its addresses have one way. Memory is bounded: packets of conversations beyond the first
 * REPLAY_CONVERSATIONS are decided and counted, but not listed.
 */
#ifndef ZW_REPLAY_H
#define ZW_REPLAY_H

#include "simulate/capture.h"
#include "simulate/decision.h"
#include "simulate/headers.h"

#define REPLAY_CONVERSATIONS (1u << 20) /* a few hundred bytes each */
#define REPLAY_SIDES 2

enum replay_side { REPLAY_NEW, REPLAY_OLD }; /* without a comparison there is only the first */

struct replay_options {
	const struct ranges *host; /* borrowed; NULL: not known */
	enum zw_hook hook; /* where packets enter; ZW_HOOK_EGRESS: all of them leave */
	size_t rule_count[REPLAY_SIDES]; /* of the policies' tables */
	bool compare;
	bool has_tls; /* a policy has: payload decides, too */
	unsigned conversations; /* the bound; 0: REPLAY_CONVERSATIONS */
};

struct replay_counts {
	uint64_t packets; /* of the capture: the sum of the next five */
	uint64_t allowed[REPLAY_SIDES], dropped[REPLAY_SIDES]; /* the sum of both is the same for each side */
	uint64_t cut; /* not decided: their headers were not captured */
	uint64_t refused; /* not decided: the engine does not take such a frame */
	uint64_t loopback; /* not decided: no hook stands there */
	uint64_t late; /* decided at the time of the one before, since theirs is earlier, or none */
	uint64_t conversations;
	uint64_t dropped_unlisted, changed_unlisted; /* not in the rows: without addresses, or beyond the bound */
	uint64_t newly_dropped, newly_allowed;
	double first, last; /* earliest and latest time of a packet, Unix seconds; 0 if there is none */
};

/* Packets of conversations that look the same but for the opener's port, and were decided the same. */
struct replay_row {
	struct addr from, to;
	uint8_t protocol;
	bool has_port;
	uint16_t port; /* as rules match it, of the first packet */
	struct decision decision[REPLAY_SIDES]; /* of the conversation's first such packet; its atoms are not set */
	uint64_t packets, conversations;
	double first; /* Unix seconds */
};

enum replay_rows { REPLAY_DROPPED, REPLAY_NEWLY_DROPPED, REPLAY_NEWLY_ALLOWED, REPLAY_ROWS };

struct replay;

int replay_new(const struct replay_options *options, struct replay **ret_replay); /* 0 or -ENOMEM */
void replay_free(struct replay *replay);

/* What to ask about this packet, all but source_set. False: nothing; it is counted. */
bool replay_prepare(struct replay *replay, const struct captured *captured, struct frame *ret_frame);
/* The answers about the packet that was prepared: one, or compared, one for each side; or that there is none. 0 or -ENOMEM. */
int replay_take(struct replay *replay, const struct decision *decision);
void replay_refuse(struct replay *replay);

const struct replay_counts *replay_counts(const struct replay *replay);

/* Packets that a side decided for this reason by this rule; 0 for those of all rules, where a reason shows none. */
uint64_t replay_total(const struct replay *replay, enum replay_side side, enum zw_reason reason, uint32_t rule);

/* First packets that a staged rule would have let pass and dropped, and those among them whose verdict was the other one. */
struct replay_staged {
	uint64_t allowed, dropped, changed;
};
struct replay_staged replay_staged(const struct replay *replay, enum replay_side side, uint32_t rule);

/* Most packets first, then earliest first. The caller frees the rows. 0 or -ENOMEM. */
int replay_rows(const struct replay *replay, enum replay_rows which, struct replay_row **ret_rows, size_t *ret_count);

#endif
