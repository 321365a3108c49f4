// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/flow_read.h"

#include <errno.h>
#include <sys/mman.h>

#include "compile/timeouts.h"
#include "flow_table.h"
#include "kernel/flows.h"
#include "kernel/jiffies.h"
#include "kernel/load.h"
#include "kernel/pins.h"

int flow_table_of(int family, unsigned cpus, const void *memory, size_t size, struct flow_table *ret_table)
{
	uint32_t buckets = flows_buckets_of(family, cpus, size);

	if (!buckets)
		return -EPROTO;
	if (!zw_timeouts.jiffies[ZW_FLOW_UDP])
		timeouts_set(&zw_timeouts, jiffies_hz());
	*ret_table = (struct flow_table){ family, cpus, buckets, memory, size };
	return 0;
}

int flow_table_map(const char *instance, int family, struct flow_table *ret_table)
{
	char path[PATH_MAX];
	const void *memory;
	size_t size;
	int error;

	pins_path(path, instance, "/state/zw_flows%d", family);
	error = pins_map_whole(path, &memory, &size);
	if (error)
		return error;
	error = flow_table_of(family, load_cpus(), memory, size, ret_table);
	if (error)
		munmap((void *)memory, pins_mapped_len(size));
	return error;
}

void flow_table_unmap(struct flow_table *table)
{
	if (table->memory)
		munmap((void *)table->memory, pins_mapped_len(table->size));
	*table = (struct flow_table){ 0 };
}

static unsigned slots_a_bucket(const struct flow_table *table)
{
	return table->family == 4 ? ZW_FLOW_SLOTS4 : ZW_FLOW_SLOTS6;
}

uint64_t flow_table_slots(const struct flow_table *table)
{
	return table->memory ? flows_room(table->family, table->buckets) : 0;
}

/* The programs' functions take what may be written; those called here only read. */
static struct bucket bucket_at(const struct flow_table *table, uint64_t n)
{
	const uint32_t all = table->buckets + ZW_FRAGMENT_BUCKETS;
	const bool v6 = table->family == 6;
	__u8 *base = (__u8 *)table->memory;

	return (struct bucket){
		.heads = base + zw_flows_buckets(table->cpus) + n * (v6 ? 64 : 128),
		.keys = v6 ? base + zw_flows_keys(table->cpus, all) + n * ZW_FLOW_SLOTS6 * sizeof(struct zw_flow_keys) : NULL,
		.accounts = base + zw_flows_accounts(table->family, table->cpus, all) +
			    n * slots_a_bucket(table) * sizeof(struct zw_flow_account),
	};
}

/* The inverse of endpoint6(), and of order4()'s words. */
static void read_end(const __u64 *word, bool v6, __u32 address[4], __be16 *port)
{
	if (!v6) {
		address[0] = word[0];
		*port = word[0] >> 32;
		return;
	}
	address[0] = word[0];
	address[1] = (word[0] >> 32 & 0xffff) | word[1] << 16;
	address[2] = word[1] >> 16;
	address[3] = word[2];
	*port = word[2] >> 32;
}

/* Copies the words; false if they are not all of the head's version. */
static bool copy_words(const struct bucket *b, int i, const struct flow *f, struct flow_record *flow, const bool v6)
{
	const __u64 *from = v6 ? ((struct zw_flow_keys *)b->keys + i)->word
			       : &((struct zw_flow_slot *)b->heads + i)->first;
	const int half = v6 ? 3 : 1, opener = f->head_word & FLOW_OPENER ? half : 0;
	const volatile struct zw_flow_account *account = f->account;
	__u64 word[6], differ, terms = load_word(&f->account->cell);

	differ = terms ^ f->head_word;
	for (int w = 0; w < 2 * half; w++) {
		word[w] = load_word(&from[w]);
		differ |= word[w] ^ f->head_word;
	}
	if (differ & FLOW_VERSION)
		return false;
	read_end(word + opener, v6, flow->source, &flow->sport);
	read_end(word + half - opener, v6, flow->destination, &flow->dport);
	flow->cell = terms;
	flow->port = terms >> 32;
	flow->age = account->opened;
	for (int side = 0; side < 2; side++) {
		flow->packets[side] = account->packets[side];
		flow->bytes[side] = account->bytes[side];
	}
	return true;
}

static __always_inline enum flow_read read_once(const struct bucket *b, int i, uint64_t now,
						struct flow_record *flow, const bool v6)
{
	__u64 head = load_word(head_at(b, i, v6));
	struct flow f;

	if (!is_flow_live(head))
		return head & FLOW_BUSY ? FLOW_CHANGING : FLOW_NONE;
	if (!take_slot(b, i, head, now, &f, v6))
		return !((f.aux_word ^ head) & FLOW_VERSION) && is_flow_expired(head, f.aux_word, now) ? FLOW_NONE :
												       FLOW_CHANGING;
	if (!copy_words(b, i, &f, flow, v6))
		return FLOW_CHANGING;
	/*
	 * Counts and the time of opening have no version. A writer claims the head before it stores them, so if the head
	 * is of the same version after they were read, they are this flow's.
	 */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if ((load_word(f.head) ^ head) & FLOW_VERSION)
		return FLOW_CHANGING;
	flow->protocol = head;
	flow->state = flow_state(head);
	flow->confirmed = head & FLOW_CONFIRMED;
	flow->generation = (f.stamp_word & FLOW_GENERATION) >> FLOW_GENERATION_SHIFT;
	flow->age = now > flow->age ? now - flow->age : 0;
	flow->idle = flow_age(f.aux_word, now);
	return FLOW_READ;
}

enum flow_read flow_read(const struct flow_table *table, uint64_t slot, uint64_t now, struct flow_record *ret_flow)
{
	const struct bucket b = bucket_at(table, slot / slots_a_bucket(table));
	const int i = slot % slots_a_bucket(table);
	enum flow_read got = FLOW_CHANGING;

	*ret_flow = (struct flow_record){ .family = table->family };
	/* Whoever was writing has most likely finished by the second time. */
	for (int tries = 0; got == FLOW_CHANGING && tries < 2; tries++)
		got = table->family == 4 ? read_once(&b, i, now, ret_flow, false) :
					   read_once(&b, i, now, ret_flow, true);
	return got;
}

static __always_inline void count_bucket(const struct bucket *b, uint64_t now, struct flow_census *census, const bool v6)
{
	for (int i = 0; i < (v6 ? ZW_FLOW_SLOTS6 : ZW_FLOW_SLOTS4); i++) {
		__u64 head = load_word(head_at(b, i, v6)), aux;

		if (!is_flow_live(head)) {
			census->changing += !!(head & FLOW_BUSY);
			continue;
		}
		aux = load_word(aux_at(b, i, v6));
		if ((aux ^ head) & FLOW_VERSION) {
			census->changing++;
		} else if (!is_flow_expired(head, aux, now)) {
			census->live++;
			census->confirmed += !!(head & FLOW_CONFIRMED);
		}
	}
}

static void count_buckets(const struct flow_table *table, uint64_t from, uint64_t to, uint64_t now,
			  struct flow_census *census)
{
	for (uint64_t n = from; n < to; n++) {
		const struct bucket b = bucket_at(table, n);

		if (table->family == 4)
			count_bucket(&b, now, census, false);
		else
			count_bucket(&b, now, census, true);
	}
}

void flow_count_all(const struct flow_table *table, uint64_t now, struct flow_census *ret_census)
{
	struct flow_census flows = { 0 }, fragments = { 0 };

	if (table->memory) {
		count_buckets(table, 0, table->buckets, now, &flows);
		count_buckets(table, table->buckets, (uint64_t)table->buckets + ZW_FRAGMENT_BUCKETS, now, &fragments);
	}
	flows.fragments = fragments.live;
	*ret_census = flows;
}
