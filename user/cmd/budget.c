// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cmd/command.h"
#include "compile/cost.h"

/* Roots alone take half of it: less would refuse everything. */
#define BUDGET_MIN ((uint64_t)1 << 20)

static unsigned unit_shift(const char *text)
{
	static const char units[] = "KMG";
	const char *unit = *text && !text[1] ? strchr(units, *text) : NULL;

	return unit ? 10 * (unit - units + 1) : 0;
}

int budget_read(const char *command, const char *text, uint64_t *ret_bytes)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	uint64_t bytes = (uint64_t)number << unit_shift(end);

	if (*text >= '0' && *text <= '9' && (!*end || unit_shift(end)) && number <= ZW_TABLES_MAX && bytes >= BUDGET_MIN &&
	    bytes <= ZW_TABLES_MAX) {
		*ret_bytes = bytes;
		return EXIT_DONE;
	}
	fprintf(stderr, "zonewall %s: --budget: '%s' is not a size from 1M to 512M\nfix: --budget 64M\n", command, text);
	return EXIT_USAGE;
}

static void print_size(const char *before, size_t bytes, const char *what)
{
	if (bytes >= 1 << 20)
		printf("%s%.1f MiB %s", before, bytes / 1048576.0, what);
	else
		printf("%s%.1f KiB %s", before, bytes / 1024.0, what);
}

static void print_memory(const struct cost *cost, unsigned cpus)
{
	static const char *const words[] = { "IPv4 addresses", "IPv6 addresses", "sets of zones", "sources of interfaces",
					     "ports", "pairs and rows", "limits of rules", "rules that end or are staged" };
	const char *before = "memory      ";

	for (int i = 0; i < TABLES_PARTS; i++) {
		if (!cost->bytes[i])
			continue;
		print_size(before, cost->bytes[i], words[i]);
		before = ", ";
	}
	print_size(";\n            besides ", cost->counters_bytes * (cpus ? cpus : 1), "counters of rules");
	print_size(" and ", cpus ? cpus * zw_match_entries_of(cpus) * sizeof(struct zw_match) : cost->cache_bytes,
		   cpus ? "cache of matches\n" : "cache of matches for each CPU\n");
}

/* What reads of an address cost is the family's, all else the policy's. */
static void print_reads(const struct cost *cost)
{
	static const char *const words[] = { "cache of matches", "addresses", "their sets of zones", "source of the interface", "port",
					     "pair of zones", "row", "rules that end or are staged", "failsafe" };
	const unsigned *reads = cost->reads[0];

	printf("reads       a packet of no open flow reads at most %u (IPv4) or %u (IPv6) lines of 64 bytes:\n            ",
	       cost_sum(cost->reads[0]), cost_sum(cost->reads[1]));
	for (int i = 0; i < COST_READS; i++) {
		if (!reads[i])
			continue;
		printf("%s%s %u", i ? ", " : "", words[i], reads[i]);
		if (i == COST_READ_ADDRESSES)
			printf(" or %u", cost->reads[1][i]);
	}
	printf("\n");
}

static void print_costly(const struct cost *cost)
{
	if (cost->zone)
		printf("%szone '%s' has most ranges of addresses (%zu)", "costs most  ", cost->zone, cost->zone_ranges);
	if (cost->rule)
		printf("%srule '%s' names most pairs (%llu source x %llu destination classes)", cost->zone ? "; " : "costs most  ",
		       cost->rule, (unsigned long long)cost->rule_sources, (unsigned long long)cost->rule_destinations);
	if (cost->zone || cost->rule)
		printf("\n");
}

void budget_print(const struct tables *tables, unsigned cpus)
{
	struct cost cost;

	cost_find(tables, &cost);
	print_memory(&cost, cpus);
	print_reads(&cost);
	print_costly(&cost);
}

static struct json_object *number(uint64_t value)
{
	return json_object_new_uint64(value);
}

static struct json_object *json_reads(const unsigned reads[COST_READS])
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "all", number(cost_sum(reads)));
	for (int i = 0; i < COST_READS; i++)
		json_object_object_add(object, cost_read_name(i), number(reads[i]));
	return object;
}

static struct json_object *json_costly(const struct cost *cost)
{
	struct json_object *object = json_object_new_object();

	if (cost->zone) {
		json_object_object_add(object, "zone", json_object_new_string(cost->zone));
		json_object_object_add(object, "ranges", number(cost->zone_ranges));
	}
	if (cost->rule) {
		json_object_object_add(object, "rule", json_object_new_string(cost->rule));
		json_object_object_add(object, "source_classes", number(cost->rule_sources));
		json_object_object_add(object, "destination_classes", number(cost->rule_destinations));
	}
	return object;
}

void budget_add_json(struct json_object *object, const struct tables *tables)
{
	struct json_object *parts = json_object_new_object(), *reads = json_object_new_object();
	struct cost cost;

	cost_find(tables, &cost);
	for (int i = 0; i < TABLES_PARTS; i++)
		json_object_object_add(parts, cost_part_name(i), number(cost.bytes[i]));
	json_object_object_add(object, "parts", parts);
	json_object_object_add(object, "counters_bytes_a_cpu", number(cost.counters_bytes));
	json_object_object_add(object, "cache_bytes_a_cpu", number(cost.cache_bytes));
	json_object_object_add(reads, "ipv4", json_reads(cost.reads[0]));
	json_object_object_add(reads, "ipv6", json_reads(cost.reads[1]));
	json_object_object_add(object, "reads", reads);
	json_object_object_add(object, "costs_most", json_costly(&cost));
}
