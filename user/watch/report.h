/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `zonewall rules` and `zonewall status` tell, as JSON: made from the pins by the loader for the socket, or by the
 * command itself for root.
 */
#ifndef ZW_REPORT_H
#define ZW_REPORT_H

#include "kernel/instance.h"

struct json_object;
struct reader;

/*
 * {"schema":"zonewall.rules/1","generation":N,"since":TIME,"candidate":{...},"rules":[...]} with every rule and failsafe entry of the
 * generation that decides, in order of evaluation, then ids of earlier ones that still have counts. NULL: out of memory.
 *
 * "staged" of a staged rule: {"allowed","dropped","changed"}: first packets that it would have let pass and dropped, and those
 * among them whose verdict was the other one. "candidate", if one is staged (compile/candidate.h): {"newly_allowed",
 * "newly_dropped"}, the sums of its rules' `changed`; those count since the generation was published.
 */
struct json_object *report_rules(const struct instance *instance);

/* {"schema":"zonewall.status/1",...}. reader NULL: looks at the events by itself. NULL: out of memory. */
struct json_object *report_status(const struct instance *instance, const char *name, const struct reader *reader);

/* One more among a status's "warnings"; without memory it is left out. */
void report_warn(struct json_object *warnings, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Unix time as "2026-11-23T21:04:05Z". */
struct json_object *report_time(int64_t seconds);

#endif
