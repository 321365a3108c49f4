// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/counters.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/util.h"
#include "kernel/edge.h"
#include "kernel/pins.h"

#define BOOT_ID_LEN 36

struct totals {
	char boot[BOOT_ID_LEN + 1];
	uint32_t highest;
	uint32_t *generations; /* whose counters are in it */
	size_t generation_count;
	struct rule_total *rules;
	size_t rule_count;
};

static void totals_clear(struct totals *totals)
{
	rule_totals_free(totals->rules, totals->rule_count);
	free(totals->generations);
	*totals = (struct totals){ 0 };
}

void rule_totals_free(struct rule_total *rules, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(rules[i].id);
	free(rules);
}

static int add_rule(struct totals *totals, const char *id, bool staged, const struct zw_rule_counters *counters,
		    uint64_t limited)
{
	struct rule_total *rule;

	if (array_grow(&totals->rules, totals->rule_count, sizeof(*totals->rules)))
		return -ENOMEM;
	rule = &totals->rules[totals->rule_count];
	rule->id = strdup(id);
	rule->is_staged = staged;
	rule->counters = *counters;
	rule->limited = limited;
	if (!rule->id)
		return -ENOMEM;
	totals->rule_count++;
	return 0;
}

static int add_generation(struct totals *totals, uint32_t number)
{
	if (array_grow(&totals->generations, totals->generation_count, sizeof(*totals->generations)))
		return -ENOMEM;
	totals->generations[totals->generation_count++] = number;
	if (number > totals->highest)
		totals->highest = number;
	return 0;
}

static bool holds(const struct totals *totals, uint32_t number)
{
	for (size_t i = 0; i < totals->generation_count; i++)
		if (totals->generations[i] == number)
			return true;
	return false;
}

static void read_boot_id(char ret_id[BOOT_ID_LEN + 1])
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || fscanf(file, "%36s", ret_id) != 1)
		snprintf(ret_id, BOOT_ID_LEN + 1, "unknown");
}

static int read_line(struct totals *totals, const char *line)
{
	struct zw_rule_counters c = { 0 };
	unsigned long long limited = 0; /* not there: counted by a version without limits */
	char kind[7], id[64];
	uint32_t number;

	if (sscanf(line, "%6s %63s %llu %llu %llu %llu %llu", kind, id, &c.flows, &c.packets.packets, &c.packets.bytes, &c.last,
		   &limited) >= 6 && (!strcmp(kind, "rule") || !strcmp(kind, "staged")))
		return add_rule(totals, id, !strcmp(kind, "staged"), &c, limited);
	if (sscanf(line, "generation %" SCNu32, &number) == 1)
		return add_generation(totals, number);
	if (sscanf(line, "highest %" SCNu32, &totals->highest) == 1 || sscanf(line, "boot %36s", totals->boot) == 1 ||
	    !strncmp(line, "zonewall-counters ", 18))
		return 0;
	return -EPROTO;
}

/* No file: nothing was folded yet. */
static int read_totals(const char *instance, struct totals *ret_totals, struct stat *ret_stat)
{
	_cleanup_fclose_ FILE *file = NULL;
	struct totals totals = { 0 };
	char path[PATH_MAX], line[256], boot[BOOT_ID_LEN + 1];
	int error;

	*ret_stat = (struct stat){ 0 };
	error = instance_state_path(instance, "counters", path);
	if (error)
		return error;
	file = fopen(path, "re");
	if (!file && errno != ENOENT)
		return -errno;
	if (file && fstat(fileno(file), ret_stat))
		return -errno;
	while (file && !error && fgets(line, sizeof(line), file))
		error = read_line(&totals, line);
	if (error) {
		totals_clear(&totals);
		return error;
	}
	read_boot_id(boot);
	for (size_t i = 0; i < totals.rule_count && strcmp(boot, totals.boot); i++)
		totals.rules[i].counters.last = 0; /* jiffies of another boot say nothing now */
	memcpy(totals.boot, boot, sizeof(boot));
	*ret_totals = totals;
	return 0;
}

int rule_total_compare(const void *a, const void *b)
{
	const struct rule_total *x = a, *y = b;

	return x->is_staged != y->is_staged ? x->is_staged - y->is_staged : strcmp(x->id, y->id);
}

/* Rules of one id become one. A staged one's counters are three sums in the same places. */
static void merge(struct totals *totals)
{
	size_t kept = 0;

	if (totals->rule_count)
		qsort(totals->rules, totals->rule_count, sizeof(*totals->rules), rule_total_compare);
	for (size_t i = 0; i < totals->rule_count; i++) {
		struct rule_total *rule = &totals->rules[i], *last = kept ? &totals->rules[kept - 1] : NULL;

		if (!last || rule_total_compare(last, rule)) {
			totals->rules[kept++] = *rule;
			continue;
		}
		last->counters.flows += rule->counters.flows;
		last->counters.packets.packets += rule->counters.packets.packets;
		last->counters.packets.bytes += rule->counters.packets.bytes;
		last->limited += rule->limited;
		if (rule->counters.last > last->counters.last)
			last->counters.last = rule->counters.last;
		free(rule->id);
	}
	totals->rule_count = kept;
}

static bool is_zero(const struct zw_rule_counters *c, uint64_t limited)
{
	return !c->flows && !c->packets.packets && !c->packets.bytes && !c->last && !limited;
}

/* Adds what a pinned generation has counted; all its rules, or only those that were hit. */
static int add_live(struct totals *totals, const char *instance, uint32_t number, bool all)
{
	struct generation *generation;
	int error = pins_open_generation(instance, number, &generation);

	if (error)
		return error;
	for (uint32_t rule = 1; rule <= generation->layout.rule_count && !error; rule++) {
		const struct rule_name *name = names_rule(generation->names, rule);
		uint64_t limited = generation_limited(generation, rule);
		struct zw_rule_counters counters;

		generation_count(NULL, generation, rule, &counters);
		if (name && !rule_name_is_candidate(name) && (all || !is_zero(&counters, limited)))
			error = add_rule(totals, name->id, name->staged, &counters, limited);
	}
	generation_free(generation);
	return error;
}

static int write_totals(const char *instance, const struct totals *totals)
{
	char path[PATH_MAX], partial[PATH_MAX];
	FILE *file;
	int error;

	error = instance_state_path(instance, "", path);
	if (!error)
		error = pins_mkdir(path, 0700);
	if (error)
		return error;
	instance_state_path(instance, "counters", path);
	instance_state_path(instance, "counters.new", partial);
	file = fopen(partial, "we");
	if (!file)
		return -errno;
	fprintf(file, "zonewall-counters 1\nboot %s\nhighest %" PRIu32 "\n", totals->boot, totals->highest);
	for (size_t i = 0; i < totals->generation_count; i++)
		fprintf(file, "generation %" PRIu32 "\n", totals->generations[i]);
	for (size_t i = 0; i < totals->rule_count; i++) {
		const struct zw_rule_counters *c = &totals->rules[i].counters;

		fprintf(file, "%s %s %llu %llu %llu %llu %llu\n", totals->rules[i].is_staged ? "staged" : "rule",
			totals->rules[i].id, c->flows, c->packets.packets, c->packets.bytes, c->last,
			(unsigned long long)totals->rules[i].limited);
	}
	error = fflush(file) || fsync(fileno(file)) ? -errno : ferror(file) ? -EIO : 0;
	fclose(file);
	if (!error && rename(partial, path))
		error = -errno;
	return error;
}

/* Generations that are pinned no more need not be named any more: their numbers never come again. */
static int forget_unpinned(const char *instance, struct totals *totals)
{
	_cleanup_free_ uint32_t *pinned = NULL;
	size_t pinned_count, kept = 0;
	int error = pins_generations(instance, &pinned, &pinned_count);

	if (error)
		return error;
	for (size_t i = 0; i < totals->generation_count; i++)
		for (size_t j = 0; j < pinned_count; j++)
			if (totals->generations[i] == pinned[j]) {
				totals->generations[kept++] = pinned[j];
				break;
			}
	totals->generation_count = kept;
	return 0;
}

int counters_fold(const char *instance, uint32_t number)
{
	struct totals totals = { 0 };
	struct stat st;
	int error = read_totals(instance, &totals, &st);

	if (!error && holds(&totals, number)) {
		totals_clear(&totals);
		return 0;
	}
	if (!error)
		error = forget_unpinned(instance, &totals);
	if (!error)
		error = add_live(&totals, instance, number, false);
	if (error == -ENOENT || error == -EPROTO)
		error = 0; /* a process was killed while it pinned this one: it has counted nothing */
	if (!error)
		error = add_generation(&totals, number);
	if (!error) {
		merge(&totals);
		error = write_totals(instance, &totals);
	}
	totals_clear(&totals);
	return error ? edge_error(error, "cannot save the counters of generation %" PRIu32, number) : 0;
}

uint32_t counters_highest(const char *instance)
{
	struct totals totals = { 0 };
	struct stat st;
	uint32_t highest;

	if (read_totals(instance, &totals, &st))
		return 0;
	highest = totals.highest;
	totals_clear(&totals);
	return highest;
}

static int sum(const char *instance, struct totals *totals, struct stat *ret_stat)
{
	_cleanup_free_ uint32_t *pinned = NULL;
	size_t count = 0;
	int error = read_totals(instance, totals, ret_stat);

	if (!error)
		error = pins_generations(instance, &pinned, &count);
	for (size_t i = 0; i < count && !error; i++)
		if (!holds(totals, pinned[i])) {
			error = add_live(totals, instance, pinned[i], true);
			/* Only half pinned as yet, or retired meanwhile: then the file has changed. */
			error = error == -ENOENT ? 0 : error;
		}
	if (error)
		totals_clear(totals);
	return error;
}

int instance_rule_totals(const struct instance *instance, struct rule_total **ret_totals, size_t *ret_count)
{
	struct totals totals = { 0 };
	struct stat before, after;
	char path[PATH_MAX];
	int error;

	instance_state_path(instance_name(instance), "counters", path);
	/* A generation that is retired while we add is in neither sum or in both: then the file is another one. */
	for (;;) {
		error = sum(instance_name(instance), &totals, &before);
		if (error)
			return error;
		if (stat(path, &after))
			after = (struct stat){ 0 };
		if (before.st_ino == after.st_ino && before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
		    before.st_mtim.tv_nsec == after.st_mtim.tv_nsec)
			break;
		totals_clear(&totals);
	}
	merge(&totals);
	free(totals.generations);
	*ret_totals = totals.rules;
	*ret_count = totals.rule_count;
	return 0;
}
