// SPDX-License-Identifier: GPL-2.0-only
#include "fill.h"

#include <stdlib.h>

#include "compile/timeouts.h"
#include "kernel/flows.h"
#include "kernel/jiffies.h"

struct flow_table fill_new(int family, uint32_t buckets)
{
	const unsigned cpus = 2;
	struct flow_table table = { 0 };
	size_t size = flows_size(family, cpus, buckets);
	__u64 *memory = aligned_alloc(128, (size + 127) & ~127ul);

	if (!memory)
		return table;
	memset(memory, 0, size);
	for (int i = 0; i < ZW_FLOW_SEEDS; i++)
		memory[i] = (2 * i + 3) * 0x9e3779b97f4a7c15ull;
	flow_table_of(family, cpus, memory, size, &table);
	return table;
}

/* The key of a flow, and its bucket among `buckets` that begin at `first`. */
static struct bucket find_bucket(const struct flow_table *table, const struct ends *ends, uint32_t first,
				 uint32_t buckets, struct flow_key *ret_key)
{
	const uint32_t all = table->buckets + ZW_FRAGMENT_BUCKETS;
	__u8 *base = (__u8 *)table->memory;
	uint64_t n;

	if (!zw_timeouts.jiffies[ZW_FLOW_UDP])
		timeouts_set(&zw_timeouts, jiffies_hz());
	if (table->family == 4)
		make_key(ret_key, ends, table->memory, false);
	else
		make_key(ret_key, ends, table->memory, true);
	n = first + (ret_key->hash & (buckets - 1));
	return (struct bucket){
		.heads = base + zw_flows_buckets(table->cpus) + n * (table->family == 4 ? 128 : 64),
		.keys = table->family == 4 ? NULL : base + zw_flows_keys(table->cpus, all) + n * 512,
		.accounts = base + zw_flows_accounts(table->family, table->cpus, all) + n * (table->family == 4 ? 256 : 512),
	};
}

static bool open_among(const struct flow_table *table, const struct ends *ends, const struct opening *opening,
		       struct choice *choice, uint32_t first, uint32_t buckets)
{
	struct flow_key key = { 0 };
	struct bucket bucket = find_bucket(table, ends, first, buckets, &key);

	return is_opened(table->family == 4 ? open_in_bucket(&bucket, &key, opening, choice, false) :
					      open_in_bucket(&bucket, &key, opening, choice, true));
}

bool fill_open(const struct flow_table *table, const struct ends *ends, const struct opening *opening,
	       struct choice *choice)
{
	return open_among(table, ends, opening, choice, 0, table->buckets);
}

bool fill_fragment(const struct flow_table *table, const struct ends *ends, const struct opening *opening,
		   struct choice *choice)
{
	return open_among(table, ends, opening, choice, table->buckets, ZW_FRAGMENT_BUCKETS);
}

bool fill_find(const struct flow_table *table, const struct ends *ends, uint64_t now, struct flow *ret_flow)
{
	struct flow_key key = { 0 };
	struct bucket bucket = find_bucket(table, ends, 0, table->buckets, &key);
	struct choice choice;

	return table->family == 4 ? find_in_bucket(&bucket, &key, now, &choice, ret_flow, false) :
				    find_in_bucket(&bucket, &key, now, &choice, ret_flow, true);
}
