/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy of `zonewall run`: that of its files, applied at the start and on SIGHUP, or the one that decides already,
 * whoever applied it. It is resolved anew when the addresses of the host change. What was read last without a mistake is
 * kept, so that a change of address never applies an edit. `zonewall restore` takes a saved one.
 */
#ifndef ZW_RUN_POLICY_H
#define ZW_RUN_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/command.h"
#include "kernel/saved.h"

struct files;
struct instance;
struct json_object;
struct publish_report;
struct run_feeds;
struct run_policy;

/* Files are borrowed. budget_bytes: of the tables of what is read, 0: the default. NULL: out of memory. */
struct run_policy *run_policy_new(const struct globals *globals, const char *const *files, size_t count, uint64_t budget_bytes);
void run_policy_free(struct run_policy *policy);

/* Who follows the files of addresses (borrowed), of whatever policy is taken from now on. */
void run_policy_set_feeds(struct run_policy *policy, struct run_feeds *feeds);

bool run_policy_has_files(const struct run_policy *policy);
struct json_object *run_policy_files(const struct run_policy *policy); /* array of names; caller owns */

enum run_policy_what {
	RUN_POLICY_READ, /* read the files */
	RUN_POLICY_RESOLVE, /* take what was read */
	RUN_POLICY_COMPARE, /* the same, unless the tables that decide are already those of today's addresses */
	RUN_POLICY_FEEDS, /* the same, with what has changed of its files of addresses and is good; nothing, if nothing is */
};
/* Compiles and publishes. Returns an exit status, having told what is wrong. */
int run_policy_apply(struct run_policy *policy, enum run_policy_what what, struct publish_report *ret_report);

/* Takes the policy of a pack instead of one's own files; publishes nothing. Returns an exit status, having told. */
int run_policy_take(struct run_policy *policy, struct files *files);
/* And that of a generation which another process published: it is followed from now on. The same. */
int run_policy_adopt(struct run_policy *policy, const struct instance *instance, uint32_t generation);

/* The same, and publishes it: the policy that was saved. */
int run_policy_restore(struct run_policy *policy, enum saved which, struct publish_report *ret_report);

/* Is this the generation that was published or adopted here last? */
bool run_policy_is_current(const struct run_policy *policy, uint32_t generation);

/* Have the host's addresses changed since the last apply, or the last run_policy_host_seen()? */
bool run_policy_host_changed(const struct run_policy *policy);
void run_policy_host_seen(struct run_policy *policy);

#endif
