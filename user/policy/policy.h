/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A checked policy: what the files said, with every name resolved, every list flat, every place kept.
 *
 * policy_read() reads files into a policy and reports every mistake; a policy it returns is whole. The sets that depend
 * on the host (`host`, and `world`, which is what is left) are filled in by policy_resolve(). The compiler, the oracle
 * and the messages read this struct; nobody writes it after policy_resolve().
 */
#ifndef ZW_POLICY_H
#define ZW_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/diag.h"

enum zone_kind {
	ZONE_DECLARED, /* in `zones:` */
	ZONE_LITERAL, /* an address, range or CIDR written in a rule; its name is its text */
	ZONE_ANY,
	ZONE_HOST,
	ZONE_WORLD,
};

/* What a `file:` zone says of its file, and what was found there. */
struct zone_feed {
	char *path; /* as it was read; NULL: it was not */
	char *column; /* of CSV; NULL: an entry a line */
	bool skip; /* on-error */
	uint64_t min_entries;
	uint32_t max_age_s; /* 0: not said */
	size_t entries;
};

/* A set of addresses. `listed`, `except` and `zones` are what was written; `set` is what they mean. */
struct zone {
	char *name;
	enum zone_kind kind;
	struct place place;
	struct ranges listed; /* addresses, ranges, CIDRs, entries of a file, as written (unsorted, may overlap) */
	struct ranges except;
	unsigned *zones; /* members of a union, indices into policy->zones */
	size_t zone_count;
	bool is_union; /* has `zones:`: does not count for intra-zone */
	char *file; /* of a `file:` zone, as written; NULL */
	struct zone_feed feed;
	struct ranges set; /* sorted, disjoint, not adjacent: (listed + members' sets) - except; see policy_resolve */
};

/* Indices into policy->zones, ascending, each once. Empty: matches nothing. */
struct zone_list {
	unsigned *zone;
	size_t count;
};

/*
 * Part of a service: packets of `protocol` (or of any) whose port is in first..last, both included. Port as in
 * zonewall.h: destination port for tcp, udp and sctp; type << 8 | code for icmp and icmpv6 (of IPv4 and IPv6 only);
 * 0..65535, meaning all, for other protocols.
 */
struct selector {
	bool any_protocol;
	uint8_t protocol;
	uint16_t first, last;
};

struct selectors {
	struct selector *v;
	size_t count;
};

/* A service as `services:` has it, for people: rules have what it means, and its name in service_text. */
struct named_service {
	char *name;
	struct selectors selectors;
};

enum action { ACTION_DROP, ACTION_ALLOW, ACTION_PASS };
enum rule_mode { MODE_ENFORCE, MODE_STAGE };
enum rule_log { LOG_UNSET, LOG_NONE, LOG_NEW, LOG_ALL };
enum default_log { LOG_DROPS, LOG_EVERYTHING, LOG_NOTHING };

struct limit {
	bool set;
	uint64_t per_hour; /* new flows an hour */
	uint32_t burst;
	uint32_t ban_s; /* 0: who overruns is not blocked */
	bool per_source;
};

uint64_t limit_cost_ns(const struct limit *limit); /* in which a token comes in, rounded down as the tables want it */
/* The same for the same rule with the same limit, in every policy; for any two others, as good as certainly another one. */
uint64_t limit_key(const char *id, const struct limit *limit);
const char *limit_print_ban(const struct limit *limit, char ret_text[32]); /* "5m": the longest unit that gives a whole number */

/* Rules, failsafe entries, never and always regions and tests share ends and services. */
struct rule {
	char *id;
	struct place place; /* of the id */
	unsigned tier; /* index into policy->tiers */
	struct zone_list from, to;
	struct selectors service;
	char *service_text; /* as written, for people: "https" or "tcp/443, udp/53" */
	enum action action;
	enum rule_mode mode;
	enum rule_log log;
	struct limit limit;
	bool tls_require, tls_min_1_2;
	bool expires;
	int64_t until; /* Unix seconds */
	char *owner;
};

struct rules {
	struct rule *v;
	size_t count;
};

enum expect { EXPECT_DROP, EXPECT_ALLOW };

struct test {
	struct place place;
	struct addr from, to;
	struct selector service; /* one protocol, one port (first == last) */
	enum expect expect;
	char *by; /* rule id, "default", "intra-zone" or a reason; NULL: not said */
};

enum xdp_mode { XDP_AUTO, XDP_NATIVE, XDP_GENERIC, XDP_OFF };

struct interface_match {
	char **pattern;
	size_t pattern_count;
	struct place place;
	bool has_xdp;
	enum xdp_mode xdp;
	bool has_source;
	unsigned source; /* zone */
};

struct policy {
	struct zone *zones; /* built-in ones first: ZONE_INDEX_ANY, _HOST, _WORLD; then declared in order, then literals */
	size_t zone_count;

	struct named_service *services; /* in order of definition */
	size_t service_count;

	char **tiers;
	size_t tier_count;

	struct rules rules; /* evaluation order is by tier, and file order within a tier */
	struct rules failsafe;
	bool failsafe_is_default; /* the key was absent */
	struct rules never, always;
	struct test *tests;
	size_t test_count;
	struct interface_match *interfaces;
	size_t interface_count;

	enum action default_action; /* drop or allow */
	enum action intra_zone; /* drop or allow */
	bool intra_zone_set; /* written, not implied */
	enum default_log log;
	bool allow_non_ip;
	bool tcp_strict;
	uint64_t flows; /* 0: auto */

	char **files; /* every file read, in order: what `run --watch` watches */
	size_t file_count;
	bool host_known;
};

#define ZONE_INDEX_ANY 0
#define ZONE_INDEX_HOST 1
#define ZONE_INDEX_WORLD 2
#define ZONE_INDEX_FIRST_DECLARED 3

#define FEED_FILE_BYTES (256u << 20) /* of a file of addresses */

/*
 * Would this text (which is cut up) be read for a `file:` zone as that wants it? Apart from the rest of the policy; what is
 * wrong is in diag.
 */
bool policy_check_feed(const struct zone *zone, char *text, size_t len, struct diag *diag);

/*
 * Reads the files, in order, as one policy. Mistakes and warnings go to diag, with places; every mistake in every file
 * is reported. Returns 0 and the policy (owned by the caller) if there is no error; -EINVAL if the policy has errors;
 * -ENOMEM. The diagnostics keep file contents they quote; they may outlive the policy.
 */
int policy_read(const char *const *paths, size_t count, struct diag *diag, struct policy **ret_policy);

/*
 * A question about a policy in the policy's own words: two ends (a zone, an address, a CIDR, a range) and a service in
 * any of its forms. The texts are borrowed; the answer is owned by the caller, freed by question_clear.
 */
struct question {
	const char *from, *to, *service;
	/* Filled in by policy_read_from: */
	size_t errors; /* of these three; diag has them as if they stood in files called "--from", ... */
	unsigned from_zone, to_zone; /* indices into policy->zones */
	struct selectors selectors;
};

/*
 * policy_read, from files that are kept or were (base/files.h; NULL: from the file system), and the question read by that
 * policy (NULL: none). -EINVAL also where only the question is bad.
 */
struct files;
int policy_read_from(struct files *files, const char *const *paths, size_t count, struct question *question,
		     struct diag *diag, struct policy **ret_policy);
void question_clear(struct question *question);

/*
 * Fills every zone's `set`. `host` lists the addresses of this host (borrowed; loopback and link-local ones are left
 * out here), or is NULL if they are not known: then `host` is empty, host_known is false, and `world` does not leave
 * the host's addresses out. May be called again. Returns 0 or -ENOMEM.
 */
int policy_resolve(struct policy *policy, const struct ranges *host);

/* Has this host no address, as at boot? Of a resolved policy. Not: nobody said which it has. */
bool policy_host_is_nowhere(const struct policy *policy);

/* What a list of zones means together: a set (addr.h). The policy is resolved. 0 or -ENOMEM. */
int policy_union(const struct policy *policy, const struct zone_list *list, struct ranges *ret_set);

/* Warnings that need resolved sets but no compiled tables: design 4.7 without shadowed and redundant. */
void policy_warn(const struct policy *policy, struct diag *diag);

/*
 * Zones that something names (rules, failsafe, never, always, interfaces), and the members of unions that something names.
 * used: of each zone, false before. 0 or -ENOMEM.
 */
int policy_used_zones(const struct policy *policy, bool *used);

void policy_free(struct policy *policy);

/* As the language has it. */
const char *action_name(enum action action);
bool zone_list_has(const struct zone_list *list, unsigned zone);
bool zone_list_names_host(const struct zone_list *list); /* host, or world, which leaves it out: not known without its addresses */
bool selectors_have_any(const struct selectors *selectors); /* the service any */

/* Index of the zone with this name, or -1. */
int policy_find_zone(const struct policy *policy, const char *name);

#endif
