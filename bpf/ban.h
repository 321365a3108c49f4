/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A source that overruns its limit goes onto the block list (block.h): an IPv4 address, an IPv6 /64. Not if it is spared (the
 * spans that zonewall.h describes), and nobody for what this host sends: the source is the host itself, even where its
 * addresses are not known yet.
 */
#ifndef ZW_BAN_H
#define ZW_BAN_H

#include "block.h"
#include "limit.h"

#define SPAN_STEPS 23 /* twice as many spans as a policy can have ranges of addresses */

/*
 * How many spans begin at or before the value, minus one, is where it could be. Looked for by halves; the number stands in
 * memory, where the verifier does not follow it: else it would go each way of each step apart.
 */
static __always_inline bool is_spared(volatile __u32 *found, __u64 value, const int n)
{
	const __u32 line = zw_layout.spared[n], count = zw_layout.spared_count[n];
	const struct zw_span *span;

	*found = 0;
	for (int i = 0; i < SPAN_STEPS; i++) {
		__u32 next = *found + (1u << (SPAN_STEPS - 1 - i));

		span = section_at(line, (__u64)next - 1, count, sizeof(*span));
		if (span && span->first <= value)
			*found = next;
	}
	span = section_at(line, (__u64)*found - 1, count, sizeof(*span));
	return span && value <= span->last;
}

/* The packet's source is to be banned for o->ban_s, which becomes 0 if it is not. */
ZW_GLOBAL int zw_ban(struct work *w)
{
	const struct packet *p;
	struct outcome *o;
	struct address *a;
	bool spared;

	if (!w)
		return 0;
	p = &w->packet;
	o = &w->outcome;
	a = &w->banned;
	for (int i = 0; i < 4; i++)
		a->word[i] = p->ends.source[i];
	if (p->family == 4)
		spared = is_spared(&w->spans_found, bpf_ntohl(a->word[0]), 0);
	else
		spared = is_spared(&w->spans_found, (__u64)bpf_ntohl(a->word[0]) << 32 | bpf_ntohl(a->word[1]), 1);
	if (o->reason != ZW_DROP_LIMIT || (!p->ingress && p->counted) || spared ||
	    !zw_block_ban(p->family, a, p->now, p->now + o->ban_s * 1000000000ull / zw_limit_tick_ns))
		o->ban_s = 0;
	return 0;
}

#endif
