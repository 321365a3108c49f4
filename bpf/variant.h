/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules that end, and rules that are staged: what zonewall.h says of variants and instants. A policy that has neither has
 * no variants, and none of this is in its programs. The clock is read at most once a packet, and only for one whose rule, or
 * a rule before it, ends.
 */
#ifndef ZW_VARIANT_H
#define ZW_VARIANT_H

#include "lookup.h"

#ifdef __bpf__
static __always_inline __u64 wall_clock(struct asked *asked)
{
	const volatile struct zw_clock *clock;

	if (!zw_layout.simulate && !asked->seconds) {
		clock = only_value(&zw_clock);
		asked->seconds = bpf_ktime_get_tai_ns() / 1000000000 - clock->tai_ahead_s;
	}
	return asked->seconds;
}
#else
static __always_inline __u64 wall_clock(const struct asked *asked)
{
	return asked->seconds;
}
#endif

/* Has the rule of this cell, or of this flow's cell, ended? */
static __always_inline bool is_over(__u32 cell, struct asked *asked)
{
	const __u64 *until;

	if (!zw_layout.instants || !(cell & ZW_CELL_EXPIRES))
		return false;
	until = section_at(zw_layout.instants, cell & ZW_CELL_RULE, zw_layout.instant_count, sizeof(*until));
	return !until || wall_clock(asked) >= *until;
}

/* The cell that holds now, of the chain that this variant begins. */
ZW_GLOBAL __u32 zw_current_cell(__u32 cell, struct asked *asked)
{
	if (!asked)
		return 0;
	for (__u64 i = 0; i < ZW_VARIANTS_CHAIN && cell & ZW_CELL_VARIANT; i = turn_after(i)) {
		const struct zw_variant *v =
			section_at(zw_layout.variants, cell & ZW_CELL_RULE, zw_layout.variant_count, sizeof(*v));

		if (!v)
			return 0;
		if (!v->until || wall_clock(asked) < v->until) {
			asked->staged = v->staged;
			return v->cell;
		}
		cell = v->next;
	}
	return cell & ZW_CELL_VARIANT ? 0 : cell;
}

/* What a cell, as it stands in the tables, says now. */
static __always_inline __u32 current_cell(__u32 cell, struct asked *asked)
{
	if (!zw_layout.variants)
		return cell;
	asked->staged = 0;
	return cell & ZW_CELL_VARIANT ? zw_current_cell(cell, asked) : cell;
}

/* What the policy says of a flow's first packet between two atoms. */
static __always_inline __u32 policy_cell(__u32 source, __u32 destination, __u32 protocol, __u32 port, struct asked *asked)
{
	return current_cell(zw_find_cell(source, destination, protocol, port), asked);
}

#endif
