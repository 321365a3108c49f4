// SPDX-License-Identifier: GPL-2.0-only
#include "watch/report.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "kernel/attach.h"
#include "kernel/jiffies.h"
#include "kernel/flow_read.h"
#include "kernel/flows.h"
#include "kernel/limits.h"
#include "kernel/pins.h"
#include "policy/policy.h"
#include "simulate/decision.h"
#include "watch/reader.h"

static void add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

static void add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void add_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

struct json_object *report_time(int64_t seconds)
{
	time_t time = seconds;
	struct tm tm;
	char text[32];

	gmtime_r(&time, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_object_new_string(text);
}

/* Jiffies to Unix time, as of now. */
struct clock {
	bool known;
	uint64_t jiffies;
	unsigned hz;
	int64_t now;
};

static struct clock read_clock(void)
{
	struct clock clock = { .hz = jiffies_hz(), .now = time(NULL) };

	clock.known = jiffies_now(&clock.jiffies) == 0;
	return clock;
}

static struct json_object *time_of(const struct clock *clock, uint64_t jiffies)
{
	if (!clock->known || !jiffies || jiffies > clock->jiffies)
		return NULL;
	return report_time(clock->now - (int64_t)((clock->jiffies - jiffies) / clock->hz));
}

static struct json_object *count_json(const struct zw_count *count)
{
	struct json_object *object = json_object_new_object();

	add_number(object, "packets", count->packets);
	add_number(object, "bytes", count->bytes);
	return object;
}

/* --- rules --- */

/* The totals, and which of them were told. */
struct totals {
	struct rule_total *v;
	size_t count;
	bool *used;
};

static int read_totals(const struct instance *instance, struct totals *ret_totals)
{
	struct totals totals = { 0 };
	int r = instance_rule_totals(instance, &totals.v, &totals.count);

	if (r)
		return r;
	totals.used = calloc(totals.count + 1, sizeof(bool));
	if (!totals.used) {
		rule_totals_free(totals.v, totals.count);
		return -ENOMEM;
	}
	*ret_totals = totals;
	return 0;
}

static const struct rule_total *find_total(struct totals *totals, const char *id, bool staged)
{
	const struct rule_total key = { .id = (char *)id, .is_staged = staged }, *found = NULL;

	if (totals->count)
		found = bsearch(&key, totals->v, totals->count, sizeof(key), rule_total_compare);
	if (found)
		totals->used[found - totals->v] = true;
	return found;
}

static void add_counters(struct json_object *object, const struct rule_total *total, const struct clock *clock)
{
	const struct zw_rule_counters *counters = &total->counters;

	add_number(object, "flows", counters->flows);
	add_number(object, "packets", counters->packets.packets);
	add_number(object, "bytes", counters->packets.bytes);
	add_number(object, "limited", total->limited);
	json_object_object_add(object, "last", time_of(clock, counters->last));
}

static const struct rule_total no_counts;

static struct json_object *staged_json(const struct zw_staged_counters *counters)
{
	struct json_object *object = json_object_new_object();

	add_number(object, "allowed", counters->allowed);
	add_number(object, "dropped", counters->dropped);
	add_number(object, "changed", counters->changed);
	return object;
}

/* total: what it decided; staged: what it would have, NULL if it is enforced. */
static struct json_object *rule_json(const struct rule_name *rule, uint32_t number, const struct rule_total *total,
				     const struct zw_staged_counters *staged, const struct clock *clock)
{
	struct json_object *object = json_object_new_object();

	add_string(object, "id", rule->id);
	add_number(object, "number", number);
	add_string(object, "kind", rule->is_failsafe ? "failsafe" : "rule");
	add_string(object, "action", rule->is_failsafe ? "allow" : action_name(rule->action));
	add_string(object, "service", rule->service);
	add_string(object, "place", rule->place);
	add_string(object, "owner", *rule->owner ? rule->owner : NULL);
	add_counters(object, total, clock);
	json_object_object_add(object, "staged", staged ? staged_json(staged) : NULL);
	if (staged)
		json_object_object_add(object, "last", time_of(clock, staged->last));
	return object;
}

/* A candidate's rules count for their generation alone. */
static struct zw_staged_counters count_candidate(const struct instance *instance, const struct generation *generation,
						 uint32_t number)
{
	struct rule_total total;

	generation_count(instance, generation, number, &total.counters);
	return total.staged;
}

static struct json_object *counted_json(const struct instance *instance, const struct generation *generation, uint32_t number,
					struct totals *totals, const struct clock *clock)
{
	const struct rule_name *rule = names_rule(generation->names, number);
	const struct rule_total *total = find_total(totals, rule->id, false);
	const struct rule_total *staged = rule->staged ? find_total(totals, rule->id, true) : NULL;
	struct zw_staged_counters counters = { 0 };

	if (rule_name_is_candidate(rule))
		counters = count_candidate(instance, generation, number);
	else if (staged)
		counters = staged->staged;
	return rule_json(rule, number, total ? total : &no_counts, rule->staged ? &counters : NULL, clock);
}

static struct json_object *retired_json(const struct rule_total *total, const struct clock *clock)
{
	struct json_object *object = json_object_new_object();

	add_string(object, "id", total->id);
	json_object_object_add(object, "number", NULL);
	add_string(object, "kind", "retired");
	for (size_t i = 0; i < 4; i++)
		json_object_object_add(object, (const char *[]){ "action", "service", "place", "owner" }[i], NULL);
	add_counters(object, total, clock);
	json_object_object_add(object, "staged", NULL);
	return object;
}

/* A candidate's rule that would allow has changed a drop, one that would drop an allow. */
static struct json_object *candidate_json(const struct instance *instance, const struct generation *generation)
{
	struct json_object *object = NULL;
	uint64_t changed[2] = { 0 };

	for (uint32_t number = 1; number <= names_rule_count(generation->names); number++) {
		const struct rule_name *rule = names_rule(generation->names, number);

		if (!rule_name_is_candidate(rule))
			continue;
		if (!object)
			object = json_object_new_object();
		changed[rule->action == ACTION_ALLOW] += count_candidate(instance, generation, number).changed;
	}
	if (object) {
		add_number(object, "newly_allowed", changed[true]);
		add_number(object, "newly_dropped", changed[false]);
	}
	return object;
}

/* When the generation was published: when its folder of pins was made. */
static struct json_object *time_published(const struct instance *instance, uint32_t generation)
{
	char path[PATH_MAX];
	struct stat folder;

	pins_path(path, instance_name(instance), "/gen-%u", generation);
	return stat(path, &folder) ? NULL : report_time(folder.st_mtime);
}

struct json_object *report_rules(const struct instance *instance)
{
	struct json_object *report = json_object_new_object(), *rules = json_object_new_array();
	struct generation *generation = NULL;
	struct clock clock = read_clock();
	struct totals totals = { 0 };
	uint32_t current = instance_current(instance);

	add_string(report, "schema", "zonewall.rules/1");
	add_number(report, "generation", current);
	json_object_object_add(report, "since", current ? time_published(instance, current) : NULL);
	if (read_totals(instance, &totals) == -ENOMEM) {
		json_object_put(rules);
		json_object_put(report);
		return NULL;
	}
	if (current && !generation_open(instance, current, &generation))
		for (uint32_t number = 1; number <= names_rule_count(generation->names); number++)
			json_object_array_add(rules, counted_json(instance, generation, number, &totals, &clock));
	json_object_object_add(report, "candidate", generation ? candidate_json(instance, generation) : NULL);
	for (size_t i = 0; i < totals.count; i++)
		if (!totals.used[i] && !totals.v[i].is_staged)
			json_object_array_add(rules, retired_json(&totals.v[i], &clock));
	json_object_object_add(report, "rules", rules);
	generation_free(generation);
	rule_totals_free(totals.v, totals.count);
	free(totals.used);
	return report;
}

/* --- status --- */

static void add_verdicts(struct json_object *object, const struct zw_count *counts)
{
	struct json_object *reasons[2] = { json_object_new_object(), json_object_new_object() };
	struct zw_count sum[2] = { 0 };

	for (int i = 1; i < ZW_REASONS; i++) {
		int drop = ZW_REASON_IS_DROP(i);

		if (!counts[i].packets)
			continue;
		sum[drop].packets += counts[i].packets;
		sum[drop].bytes += counts[i].bytes;
		json_object_object_add(reasons[drop], reason_name(i), count_json(&counts[i]));
	}
	for (int drop = 0; drop < 2; drop++) {
		struct json_object *verdict = count_json(&sum[drop]);

		json_object_object_add(verdict, "reasons", reasons[drop]);
		json_object_object_add(object, drop ? "dropped" : "allowed", verdict);
	}
}

static struct json_object *point_json(const struct instance *instance, const struct attach_point *point,
				      const struct generation *current)
{
	uint32_t source_set = current ? current->sources->set[point->slot] : 0;
	struct json_object *object = json_object_new_object();
	struct zw_count counts[ZW_REASONS];

	add_string(object, "interface", *point->ifname ? point->ifname : NULL);
	add_number(object, "ifindex", point->ifindex);
	add_string(object, "hook", attach_hook_name(point->hook));
	add_string(object, "mode", attach_mode_name(point->mode));
	add_bool(object, "healthy", point->healthy);
	add_string(object, "note", *point->note ? point->note : NULL);
	add_string(object, "source", source_set ? names_source(current->names, source_set) : NULL);
	add_number(object, "slot", point->slot);
	instance_count(instance, point->slot, counts);
	add_verdicts(object, counts);
	return object;
}

/* All slots: also attach points that are gone, and packets that were met before their attach point was known. */
static struct json_object *totals_json(const struct instance *instance)
{
	struct json_object *object = json_object_new_object();
	struct zw_count sum[ZW_REASONS] = { 0 }, counts[ZW_REASONS];

	for (unsigned slot = 0; slot < ZW_POINT_SLOTS; slot++) {
		instance_count(instance, slot, counts);
		for (int i = 0; i < ZW_REASONS; i++) {
			sum[i].packets += counts[i].packets;
			sum[i].bytes += counts[i].bytes;
		}
	}
	add_verdicts(object, sum);
	return object;
}

/* What the kernel says this map costs; 0 if it does not say. */
static uint64_t map_bytes(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(file);
	return bytes;
}

/* What stands in a table now, which takes a look at each slot. */
static void add_census(struct json_object *object, const char *name, int family, const struct clock *clock)
{
	struct flow_census census;
	struct flow_table table;

	if (!clock->known || flow_table_map(name, family, &table))
		return;
	flow_count_all(&table, clock->jiffies, &census);
	add_number(object, "entries", flow_table_slots(&table));
	add_number(object, "live", census.live);
	add_number(object, "protected", census.confirmed);
	add_number(object, "fragments", census.fragments);
	flow_table_unmap(&table);
}

static struct json_object *flows_json(const char *name, int family, unsigned cpus, const struct clock *clock)
{
	struct zw_flow_stats stats = { 0 };
	struct json_object *object;
	char path[PATH_MAX];
	int fd;

	pins_path(path, name, "/state/zw_flows%d", family);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return NULL;
	object = json_object_new_object();
	add_census(object, name, family, clock);
	if (!flows_stats(fd, cpus, &stats)) {
		add_number(object, "replaced", stats.replaced);
		add_number(object, "refused", stats.refused);
		add_number(object, "unprotected", stats.unprotected);
	}
	add_number(object, "bytes", map_bytes(fd));
	close(fd);
	return object;
}

/* A candidate's rules come first, its default being one. */
static bool has_candidate(const struct generation *generation)
{
	const struct rule_name *first = names_rule(generation->names, 1);

	return first && rule_name_is_candidate(first);
}

static struct json_object *generation_json(const struct instance *instance, uint32_t number, bool current)
{
	struct json_object *object = json_object_new_object();
	struct generation *generation = NULL;

	add_number(object, "number", number);
	add_bool(object, "current", current);
	if (generation_open(instance, number, &generation))
		return object;
	add_number(object, "rules", generation->layout.rule_count);
	add_number(object, "atoms", generation->layout.atom_count);
	add_number(object, "zones", names_zone_count(generation->names));
	add_number(object, "tables_bytes", generation->tables_len);
	add_number(object, "counters_bytes", generation->counters_len);
	add_bool(object, "candidate", has_candidate(generation));
	generation_free(generation);
	return object;
}

/* "confirmed"; "on-trial": goes back by itself unless it is confirmed in time; "reverted": one did. */
static void add_trial(struct json_object *report, const struct instance *instance)
{
	struct json_object *object = NULL;
	struct instance_trial trial;

	instance_trial(instance, &trial);
	add_string(report, "gate", trial.on ? "on-trial" : trial.failed ? "reverted" : "confirmed");
	if (trial.on) {
		object = json_object_new_object();
		add_number(object, "left_seconds", trial.left_s);
		add_number(object, "fallback", trial.fallback);
	}
	json_object_object_add(report, "trial", object);
	json_object_object_add(report, "reverted", trial.failed ? json_object_new_int64(trial.failed) : NULL);
}

static void add_gate(struct json_object *report, const struct instance *instance)
{
	const volatile struct zw_gate *gate = instance_gate(instance);
	struct json_object *generations = json_object_new_array();
	uint32_t current = instance_current(instance);

	add_number(report, "generation", current);
	add_trial(report, instance);
	add_number(report, "missed_tail_calls", gate->missed);
	for (int i = 0; i < ZW_GATE_SLOTS; i++)
		if (gate->generation[i])
			json_object_array_add(generations, generation_json(instance, gate->generation[i],
									   gate->generation[i] == current));
	json_object_object_add(report, "generations", generations);
}

static struct json_object *events_json(const struct instance *instance, const struct reader *reader)
{
	struct json_object *object = NULL;
	struct events_totals totals;
	struct reader *own = NULL;

	if (!reader && reader_open(instance, false, &own))
		return NULL;
	if (!events_totals(reader ? reader : own, &totals)) {
		object = json_object_new_object();
		add_number(object, "logged", totals.logged);
		add_number(object, "told", totals.logged - totals.pending - totals.lost);
		add_number(object, "pending", totals.pending);
		add_number(object, "lost", totals.lost);
		add_number(object, "records", totals.sent);
		add_number(object, "ring_full", totals.full);
		add_number(object, "ring_bytes", totals.ring_size);
		add_number(object, "ring_used_bytes", totals.ring_used);
	}
	reader_free(own);
	return object;
}

/* -1: the kernel does not say. */
static int read_sysctl(const char *path)
{
	FILE *file = fopen(path, "re");
	int value = -1;

	if (file && fscanf(file, "%d", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

void report_warn(struct json_object *warnings, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (text)
		json_object_array_add(warnings, json_object_new_string(text));
	free(text);
}

static void add_points(struct json_object *report, const struct instance *instance, struct json_object *warnings)
{
	struct json_object *array = json_object_new_array();
	struct attach_point *points = NULL;
	size_t count = 0;
	struct generation *current = NULL; /* without it, or before the first one, no source is told */
	int r = instance_attach_points(instance, &points, &count);

	generation_open(instance, instance_current(instance), &current);
	if (r)
		report_warn(warnings, "the attach points cannot be read: %s", strerror(-r));
	else if (!count)
		report_warn(warnings, "nothing is attached: no packet is decided");
	for (size_t i = 0; i < count; i++) {
		json_object_array_add(array, point_json(instance, &points[i], current));
		if (!points[i].healthy)
			report_warn(warnings, "%s: our program is not on its %s hook: %s",
				    *points[i].ifname ? points[i].ifname : "an interface that is gone",
				    attach_hook_name(points[i].hook), points[i].note);
	}
	free(points);
	generation_free(current);
	json_object_object_add(report, "attach_points", array);
	json_object_object_add(report, "totals", totals_json(instance));
}

static void add_flows(struct json_object *report, const struct instance *instance, const char *name)
{
	struct json_object *flows = json_object_new_object();
	const struct clock clock = read_clock();

	json_object_object_add(flows, "ipv4", flows_json(name, 4, instance_cpus(instance), &clock));
	json_object_object_add(flows, "ipv6", flows_json(name, 6, instance_cpus(instance), &clock));
	json_object_object_add(report, "flows", flows);
}

static void add_limits(struct json_object *report, const char *name)
{
	struct json_object *limits = NULL;
	struct limits_census census;

	if (!limits_count_all(name, &census)) {
		limits = json_object_new_object();
		add_number(limits, "sources", census.sources);
		add_number(limits, "room", census.room);
		add_number(limits, "rules", census.rules);
		add_number(limits, "shared", census.shared);
	}
	json_object_object_add(report, "limits", limits);
}

/* See kernel/unnamed.h. While somebody works on it, it is none. */
static void warn_of_unfinished(struct json_object *warnings, const struct instance *instance)
{
	uint64_t word = gate_word(instance_gate(instance));

	if ((word & ZW_GATE_PARTLY) && zw_gate_state(word) == ZW_GATE_CONFIRMED && !pins_are_locked(instance_name(instance)))
		report_warn(warnings, "an apply or a down did not come to its end: some of what is attached lets everything pass; "
			       "apply, or down, again");
}

static void add_system(struct json_object *report, struct json_object *warnings)
{
	int unprivileged = read_sysctl("/proc/sys/kernel/unprivileged_bpf_disabled");

	json_object_object_add(report, "unprivileged_bpf_disabled",
			       unprivileged < 0 ? NULL : json_object_new_int(unprivileged));
	if (unprivileged == 0)
		report_warn(warnings, "any user may load BPF programs: sysctl kernel.unprivileged_bpf_disabled=2");
}

struct json_object *report_status(const struct instance *instance, const char *name, const struct reader *reader)
{
	struct json_object *report = json_object_new_object(), *warnings = json_object_new_array(), *missed;

	if (!report || !warnings)
		return NULL;
	add_string(report, "schema", "zonewall.status/1");
	add_string(report, "instance", name);
	add_gate(report, instance);
	add_points(report, instance, warnings);
	warn_of_unfinished(warnings, instance);
	add_flows(report, instance, name);
	add_limits(report, name);
	json_object_object_add(report, "events", events_json(instance, reader));
	add_system(report, warnings);
	json_object_object_get_ex(report, "missed_tail_calls", &missed);
	if (json_object_get_uint64(missed))
		report_warn(warnings, "%llu PACKETS WERE DROPPED WITHOUT A DECISION because the gate found no program in its slot: "
			       "apply the policy again",
		     (unsigned long long)json_object_get_uint64(missed));
	json_object_object_add(report, "warnings", warnings);
	json_object_object_add(report, "run", NULL);
	return report;
}
