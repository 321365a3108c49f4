/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is worth a second look in a policy: rules that do nothing, more than was meant, or nobody's; zones that nothing
 * reaches. Each finding has its evidence. What rules are for comes from compile/analysis.h; of unused rules only counters
 * of what runs know.
 */
#ifndef ZW_AUDIT_H
#define ZW_AUDIT_H

#include "compile/analysis.h"
#include "compile/tables.h"

enum audit_kind {
	AUDIT_SHADOWED,
	AUDIT_REDUNDANT,
	AUDIT_PARTLY, /* shadowed in part */
	AUDIT_NOTHING, /* no packet can match the rule */
	AUDIT_EXPIRED,
	AUDIT_EXPIRING,
	AUDIT_UNUSED,
	AUDIT_ANY, /* allows from any to any, or the service any */
	AUDIT_WIDE, /* allows from or to a wide network */
	AUDIT_OWNERLESS,
	AUDIT_UNREACHABLE, /* a zone that rules name: rules allow no packet to it, and none from it */
	AUDIT_UNNAMED, /* a zone that nothing names */
	AUDIT_KINDS
};
#define AUDIT_ALL ((1u << AUDIT_KINDS) - 1)

/* What a rule has decided, by id. */
struct audit_use {
	const char *id;
	uint64_t packets;
};

struct audit_options {
	unsigned kinds; /* what is looked for: 1 << AUDIT_... */
	int64_t now, soon; /* Unix seconds: what ends up to `soon` ends soon */
	unsigned wide[2]; /* prefix lengths of IPv4 and IPv6: such a network, or a wider one, is wide */
	bool has_usage;
	const struct audit_use *use; /* sorted by id (strcmp) */
	size_t use_count;
};

struct audit_finding {
	enum audit_kind kind;
	const struct rule *rule; /* NULL: of a zone */
	const struct zone *zone; /* AUDIT_WIDE: the end that is wide; else the zone */
	const struct named *named; /* who decides before it, or instead of it */
	const char *why; /* for people, where the kind does not say it; may be NULL */
	int family; /* AUDIT_WIDE */
	struct range range; /* AUDIT_WIDE: the widest */
};

/* In order of kinds, then of rules (zones) as in the policy. Borrows from policy and tables. */
struct audit {
	struct audit_finding *v; /* grows by array_grow */
	size_t count;
	size_t of_kind[AUDIT_KINDS];
};

/* The policy is resolved, the tables are its own, analysed. 0; -ENOMEM; -EINVAL if the tables are damaged. */
int audit_find(const struct policy *policy, const struct tables *tables, const struct audit_options *options,
	       struct audit *ret_audit);
void audit_clear(struct audit *audit);

/* "shadowed", "match-nothing", ...: in JSON, and for --fail. */
const char *audit_kind_name(enum audit_kind kind);
int audit_kind_find(const char *name); /* -1: there is none */

static inline const struct place *audit_place(const struct audit_finding *finding)
{
	return finding->rule ? &finding->rule->place : &finding->zone->place;
}

#endif
