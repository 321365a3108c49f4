/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The compiler's result: the bytes of a generation's tables (zonewall.h) and the names that make its numbers readable.
 * Pure and deterministic: the same policy gives the same bytes.
 */
#ifndef ZW_TABLES_H
#define ZW_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/addr.h"
#include "base/diag.h"
#include "zonewall.h"

struct policy;
struct analysis;

/* A rule or failsafe entry as people know it. Index = rule number - 1. Strings belong to the names. */
struct rule_name {
	const char *id;
	const char *place; /* "policies/web.yaml:14" */
	const char *service; /* as written */
	const char *owner; /* "" if none */
	uint8_t is_failsafe, action /* enum action */, staged, pad[5];
};

/*
 * Ids of a candidate's rules (candidate.h) begin with it, which no id of a file can; behind it stands the rule's id, "default" or
 * "intra-zone:ZONE". They count for one generation alone: another candidate's rules may have the same ids.
 */
#define CANDIDATE_PREFIX "candidate:"
static inline bool rule_name_is_candidate(const struct rule_name *rule)
{
	return !strncmp(rule->id, CANDIDATE_PREFIX, sizeof(CANDIDATE_PREFIX) - 1);
}

/* What a reader of events, counters and verdicts needs of a policy. One relocatable block of bytes: see names_load. */
struct names;

size_t names_rule_count(const struct names *names);
const struct rule_name *names_rule(const struct names *names, uint32_t number); /* 1-based; NULL if there is none */
uint32_t names_find_rule(const struct names *names, const char *id); /* number, 0 if absent */

/* Declared zones in order of definition, then "host" or "world": what section 11 lists. Returns the number of zones
 * of the atom and points ret_zones at an array of zone names (owned by names). */
size_t names_zones(const struct names *names, uint32_t atom, const char *const **ret_zones);

/* The same as indices for names_zone(). */
size_t names_zone_indices(const struct names *names, uint32_t atom, const uint32_t **ret_zones);

size_t names_zone_count(const struct names *names);
const char *names_zone(const struct names *names, size_t index);

/* Interface patterns of the policy, so that a loader that adopts a generation can follow new interfaces. */
struct interface_name {
	const char *pattern;
	const char *source; /* the zone that `source:` names, "" if the entry has none */
	uint32_t source_set; /* its number in the tables, 0 if the entry has none */
	uint8_t xdp; /* enum xdp_mode */
	uint8_t has_xdp, pad[2];
};
size_t names_interfaces(const struct names *names, const struct interface_name **ret);

/* The source set of an interface with this name: the last entry that matches it and has `source:`; 0 if none does. */
uint32_t names_source_set(const struct names *names, const char *ifname);
/* The zone that is this source set; NULL if there is no such set. */
const char *names_source(const struct names *names, uint32_t source_set);

/* The block as bytes (borrowed), to be kept beside the tables; and back: names_load copies and checks every offset. */
const void *names_bytes(const struct names *names, size_t *ret_len);
int names_load(const void *bytes, size_t len, struct names **ret_names); /* 0, -EINVAL, -ENOMEM */
void names_free(struct names *names);

enum tables_part {
	TABLES_ADDRESSES4, /* roots included */
	TABLES_ADDRESSES6,
	TABLES_ATOMS,
	TABLES_ORIGINS,
	TABLES_PORTS,
	TABLES_PAIRS, /* and rows, of both matrices */
	TABLES_LIMITS,
	TABLES_TERMS, /* of rules that end or are staged */
	TABLES_PARTS,
};

struct tables_stats {
	size_t atoms, source_classes, destination_classes, port_classes, rows, pairs;
	size_t lines[TABLES_PARTS];
	unsigned reads4, reads6; /* worst case lines read for one address */
	unsigned row_reads[ZW_MATRICES]; /* and for one port class in a row */
	bool sparse;
	/* What costs most, for people. */
	uint32_t costly_zone; /* names_zone(); only if it has ranges: */
	size_t costly_zone_ranges;
	uint32_t costly_rule; /* names_rule(), 0 none */
	uint64_t costly_rule_sources, costly_rule_destinations; /* classes of its ends */
};

struct tables {
	void *bytes; /* layout.lines * 64, 64-byte aligned; what the kernel's map holds */
	size_t len;
	void *memory; /* what holds the bytes */
	struct zw_layout layout; /* generation and simulate are the publisher's to set */
	struct names *names;
	struct ranges guarded; /* sources of failsafe entries, but of those from anywhere: not to be blocked */
	struct tables_stats stats;
	struct analysis *analysis; /* compile/analysis.h; NULL: not asked for. It borrows from the policy */
};

struct compile_options {
	uint64_t budget_bytes; /* of the tables; 0: a quarter of RAM, at most ZW_TABLES_MAX */
	bool analyse; /* what rules are for; and warn of shadowed and redundant ones (design 4.7) */
	uint64_t dense_bytes; /* up to this size the pairs of classes are a plain array, beyond a sparse table; 0: 16 MiB */
};

/*
 * Compiles a resolved policy. Limits that are exceeded (section 4.9) are errors in diag, naming what costs most.
 * Returns 0, -EINVAL (see diag), -ENOMEM.
 */
int compile_policy(const struct policy *policy, const struct compile_options *options, struct diag *diag,
		   struct tables **ret_tables);
void tables_free(struct tables *tables);

/* Rules in evaluation order: ret_order[n - 1] is the index in policy->rules of rule number n. 0 or -ENOMEM. */
int rules_order(const struct policy *policy, uint32_t **ret_order);

#endif
