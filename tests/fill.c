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
	size_t size = zw_flow_layout(family, cpus, buckets, ZW_FRAGMENT_BUCKETS).size;
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
	if (!zw_timeouts.jiffies[ZW_FLOW_UDP])
		timeouts_set(&zw_timeouts, jiffies_hz());
	if (table->family == 4)
		make_key(ret_key, ends, table->memory, false);
	else
		make_key(ret_key, ends, table->memory, true);
	return bucket_at((__u8 *)table->memory, &table->layout, first + (ret_key->hash & (buckets - 1)),
			 table->family == 6);
}

static bool open_among(const struct flow_table *table, const struct ends *ends, const struct opening *opening,
		       struct choice *choice, uint32_t first, uint32_t buckets)
{
	struct flow_key key = { 0 };
	struct bucket bucket = find_bucket(table, ends, first, buckets, &key);

	return is_opened(table->family == 4 ? open_in_bucket(&bucket, &key, opening, choice, LOOK_ALL, false) :
					      open_in_bucket(&bucket, &key, opening, choice, LOOK_ALL, true));
}

bool fill_open(const struct flow_table *table, const struct ends *ends, const struct opening *opening,
	       struct choice *choice)
{
	return open_among(table, ends, opening, choice, 0, table->layout.buckets);
}

bool fill_fragment(const struct flow_table *table, const struct ends *ends, const struct opening *opening,
		   struct choice *choice)
{
	return open_among(table, ends, opening, choice, table->layout.buckets, table->layout.fragment_buckets);
}

/* choice->rank: the slot. */
static bool find(const struct flow_table *table, const struct ends *ends, uint64_t now, struct bucket *ret_bucket,
		 struct choice *choice, struct flow *ret_flow)
{
	struct flow_key key = { 0 };

	*ret_bucket = find_bucket(table, ends, 0, table->layout.buckets, &key);
	return table->family == 4 ? find_in_bucket(ret_bucket, &key, now, choice, ret_flow, false) :
				    find_in_bucket(ret_bucket, &key, now, choice, ret_flow, true);
}

bool fill_find(const struct flow_table *table, const struct ends *ends, uint64_t now, struct flow *ret_flow)
{
	struct bucket bucket;
	struct choice choice;

	return find(table, ends, now, &bucket, &choice, ret_flow);
}

struct zw_flow_account *fill_account(const struct flow_table *table, const struct ends *ends, uint64_t now)
{
	struct bucket bucket;
	struct choice choice;
	struct zw_flow_account *account;
	struct flow flow;

	if (!find(table, ends, now, &bucket, &choice, &flow))
		return NULL;
	account = bucket.accounts + choice.rank;
	if ((account->opened ^ flow.aux_word) & FLOW_VERSION)
		begin_account(account, flow.aux_word & FLOW_VERSION, flow.aux_word & FLOW_BITS48);
	return account;
}
