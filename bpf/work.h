/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stages work on: the packet, what was decided, and memory for look-ups.
 */
#ifndef ZW_WORK_H
#define ZW_WORK_H

#include "flow.h"
#include "tokens.h"
#include "variant.h"

struct outcome {
	__u32 reason __attribute__((aligned(8))); /* enum zw_reason */
	__u32 cell; /* that decided: its rule and flags; 0: none */
	__u32 generation; /* whose numbering the cell's rule is in */
	__u32 is_new; /* a first packet: opened a flow, or was denied by policy */
	__u32 ban_s; /* the source has overrun its limit, which bans it for so long; in the end: it is banned */
	__u32 staged; /* the staged rule that would have decided a first packet, as in struct zw_variant; 0 none */
	__u16 port; /* that the policy, or a failsafe entry, was asked about */
	__u16 is_reversed; /* and with source and destination exchanged */
	__u32 pad;
	__u32 source, destination; /* atoms; ZW_NO_ATOM as long as nobody needs to know: see need_atoms() */
};
#define OUTCOME_CLEARED __builtin_offsetof(struct outcome, source)

static __always_inline void clear_outcome(struct outcome *o)
{
	_Static_assert(OUTCOME_CLEARED % 8 == 0, "by words");
	__builtin_memset(o, 0, OUTCOME_CLEARED);
	o->source = ZW_NO_ATOM;
	o->destination = ZW_NO_ATOM;
}

/* What an ICMP error quotes: see parse_quoted(). */
struct quote {
	struct ends ends;
	struct lookup lookup;
};

/*
 * All that is known of the packet at hand. It lies in memory of the CPU (programs on one do not nest) and not on the
 * stack: the verifier follows every byte of a stack, and the many ways through the parser would multiply.
 */
struct work {
	struct packet packet;
	struct outcome outcome;
	struct lookup lookup;
	struct quote quote;
	struct token token;
	__u32 match, said; /* see match_cache.h: the number of the packet's match, or NO_MATCH; and what it says */
	__u32 hash; /* of the ends that were asked for; 0: none */
	__u32 opens; /* the last packet here that no flow was found for might open one: see expect_flow() */
	__u32 hinted; /* for the flow that the packet may open: as opening.hinted */
	struct address banned;
	__u32 spans_found; /* memory for ban.h */
	struct scratch scratch;
};

static __always_inline void end(struct outcome *o, __u32 reason, __u32 cell, __u32 generation)
{
	o->reason = reason;
	o->cell = cell;
	o->generation = generation;
}

/* Has this generation decided the flow, by a rule that has not ended? */
static __always_inline bool is_decided(const struct flow *f, struct asked *asked)
{
	return flow_generation(f) == zw_layout.generation && !is_over(f->terms, asked);
}

/* The atoms of both ends, once the addresses were read. */
static __always_inline void locate(const struct packet *p, struct outcome *o)
{
	if (!p->has_addresses)
		return;
	o->source = find_atom(p->family, p->ends.source);
	o->destination = find_atom(p->family, p->ends.destination);
}

#endif
