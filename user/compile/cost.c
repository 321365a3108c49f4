// SPDX-License-Identifier: GPL-2.0-only
#include "compile/cost.h"

#include <string.h>

#include "base/util.h"

const char *cost_part_name(enum tables_part part)
{
	static const char *const names[] = { "addresses4", "addresses6", "atoms", "origins", "ports", "pairs", "limits", "terms" };

	return names[part];
}

const char *cost_read_name(enum cost_read read)
{
	static const char *const names[] = { "cache", "addresses", "atoms", "origin", "port", "pair", "row", "terms", "failsafe" };

	return names[read];
}

static const struct zw_pair_bucket *bucket_at(const struct tables *tables, const struct zw_matrix *matrix, size_t i)
{
	return (const struct zw_pair_bucket *)tables->bytes + matrix->pairs + (i & (matrix->pair_buckets - 1));
}

/* A pair is looked for in one bucket after the other, while they are full. */
static unsigned longest_probe(const struct tables *tables, const struct zw_matrix *matrix)
{
	unsigned full = 0, longest = 0;

	/* Beyond the last one: what begins there goes on at the first. */
	for (size_t i = 0; i < (size_t)matrix->pair_buckets + ZW_PAIR_PROBES && longest < ZW_PAIR_PROBES; i++) {
		full = bucket_at(tables, matrix, i)->used == ZW_PAIRS_A_BUCKET ? full + 1 : 0;
		longest = full > longest ? full : longest;
	}
	return longest < ZW_PAIR_PROBES ? longest + 1 : ZW_PAIR_PROBES;
}

/* The bit of the two groups and their default row come first. */
static unsigned pair_reads(const struct tables *tables, enum zw_matrix_id id)
{
	const struct zw_matrix *matrix = &tables->layout.matrix[id];

	return matrix->pair_buckets ? longest_probe(tables, matrix) + 2 : 1;
}

/* A variant names only those before it: its chain was made from the end. */
static unsigned longest_chain(const struct tables *tables)
{
	const struct zw_variant *variant = (const struct zw_variant *)((const struct zw_line *)tables->bytes + tables->layout.variants);
	size_t count = tables->layout.variant_count;
	_cleanup_free_ unsigned char *length = calloc(count + 1, 1);
	unsigned longest = 0;

	for (size_t i = 0; length && i < count; i++) {
		length[i] = 1 + (variant[i].next & ZW_CELL_VARIANT ? length[variant[i].next & ZW_CELL_RULE] : 0);
		longest = length[i] > longest ? length[i] : longest;
	}
	return length ? longest : ZW_VARIANTS_CHAIN;
}

static void count_reads(const struct tables *tables, unsigned address, unsigned ret_reads[COST_READS])
{
	const struct tables_stats *stats = &tables->stats;

	ret_reads[COST_READ_CACHE] = 1;
	ret_reads[COST_READ_ADDRESSES] = 2 * address;
	ret_reads[COST_READ_ATOMS] = 2;
	ret_reads[COST_READ_ORIGIN] = tables->layout.source_sets != 0;
	ret_reads[COST_READ_PORT] = stats->row_reads[ZW_MATRIX_POLICY] || stats->row_reads[ZW_MATRIX_FAILSAFE];
	ret_reads[COST_READ_PAIR] = pair_reads(tables, ZW_MATRIX_POLICY);
	ret_reads[COST_READ_ROW] = stats->row_reads[ZW_MATRIX_POLICY];
	ret_reads[COST_READ_TERMS] = longest_chain(tables);
	if (tables->layout.has_failsafe)
		ret_reads[COST_READ_FAILSAFE] = pair_reads(tables, ZW_MATRIX_FAILSAFE) + stats->row_reads[ZW_MATRIX_FAILSAFE];
}

unsigned cost_sum(const unsigned reads[COST_READS])
{
	unsigned sum = 0;

	for (int i = 0; i < COST_READS; i++)
		sum += reads[i];
	return sum;
}

void cost_find(const struct tables *tables, struct cost *ret_cost)
{
	const struct tables_stats *stats = &tables->stats;
	const struct rule_name *rule = names_rule(tables->names, stats->costly_rule);
	struct cost cost = { .counters_bytes = zw_rules_stride(tables->layout.rule_count, tables->layout.limit_words),
			     .cache_bytes = ZW_MATCHES_MAX * sizeof(struct zw_match) };

	for (int i = 0; i < TABLES_PARTS; i++)
		cost.bytes[i] = stats->lines[i] * sizeof(struct zw_line);
	count_reads(tables, stats->reads4, cost.reads[0]);
	count_reads(tables, stats->reads6, cost.reads[1]);
	if (stats->costly_zone_ranges) {
		cost.zone = names_zone(tables->names, stats->costly_zone);
		cost.zone_ranges = stats->costly_zone_ranges;
	}
	if (rule) {
		cost.rule = rule->id;
		cost.rule_sources = stats->costly_rule_sources;
		cost.rule_destinations = stats->costly_rule_destinations;
	}
	*ret_cost = cost;
}
