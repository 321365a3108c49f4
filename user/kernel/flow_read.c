// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/flow_read.h"

#include <errno.h>
#include <sys/mman.h>

#include "compile/timeouts.h"
#include "flow_count.h"
#include "kernel/flows.h"
#include "kernel/jiffies.h"
#include "kernel/load.h"
#include "kernel/pins.h"

int flow_table_of(int family, unsigned cpus, const void *memory, size_t size, struct flow_table *ret_table)
{
	struct zw_flow_layout layout = flows_layout_of(family, cpus, size);

	if (!layout.buckets)
		return -EPROTO;
	if (!zw_timeouts.jiffies[ZW_FLOW_UDP])
		timeouts_set(&zw_timeouts, jiffies_hz());
	*ret_table = (struct flow_table){ family, layout, memory };
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
		munmap((void *)table->memory, pins_mapped_len(table->layout.size));
	*table = (struct flow_table){ 0 };
}

uint64_t flow_table_slots(const struct flow_table *table)
{
	return table->memory ? flows_room(&table->layout) : 0;
}

/* The programs' functions take what may be written; those called here only read. */
static struct bucket find_bucket(const struct flow_table *table, uint64_t n)
{
	return bucket_at((__u8 *)table->memory, &table->layout, n, table->family == 6);
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

/*
 * Packets and bytes: what the slot has of late is moved to the account when there is much of it, and whoever sees that
 * reads both again, once. Between the two stores it cannot be seen: this one record then has less. account NULL: the flow
 * has none yet.
 */
static void copy_counts(const volatile struct zw_flow_slot *slot, const volatile struct zw_flow_account *account,
			struct flow_record *flow)
{
	static const struct zw_flow_account none;

	if (!account)
		account = &none;
	for (int side = 0; side < 2; side++) {
		for (int tries = 0; tries < 2; tries++) {
			uint64_t packets = account->packets[side], bytes = account->bytes[side];
			struct traffic recent = recent_traffic(slot->recent[side]);

			flow->packets[side] = packets + recent.packets;
			flow->bytes[side] = bytes + recent.bytes;
			if (account->packets[side] == packets)
				break;
		}
	}
}

/* Copies the words; false if they are not all of the head's version. */
static bool copy_words(const struct bucket *b, int i, const struct flow *f, uint64_t now, struct flow_record *flow,
		       const bool v6)
{
	const int half = v6 ? 3 : 1, opener = f->head_word & FLOW_OPENER ? half : 0;
	const volatile struct zw_flow_account *account = b->accounts + i;
	__u64 word[6], differ, terms = load_word(&f->slot->cell), opened = load_word(&(b->accounts + i)->opened);
	const bool begun = !((opened ^ f->head_word) & FLOW_VERSION);

	differ = terms ^ f->head_word;
	for (int w = 0; w < 2 * half; w++) {
		word[w] = load_word(key_at(b, i) + w);
		differ |= word[w] ^ f->head_word;
	}
	if (differ & FLOW_VERSION)
		return false;
	read_end(word + opener, v6, flow->source, &flow->sport);
	read_end(word + half - opener, v6, flow->destination, &flow->dport);
	flow->cell = terms;
	flow->port = terms >> 32;
	flow->age = flow_age(begun ? opened : f->aux_word, now);
	copy_counts(f->slot, begun ? account : NULL, flow);
	return true;
}

static __always_inline enum flow_read read_once(const struct bucket *b, int i, uint64_t now,
						struct flow_record *flow, const bool v6)
{
	__u64 head = load_word(&slot_at(b, i, v6)->head);
	struct flow f;

	if (!is_flow_live(head))
		return head & FLOW_BUSY ? FLOW_CHANGING : FLOW_NONE;
	if (!take_slot(b, i, head, now, &f, v6))
		return !((f.aux_word ^ head) & FLOW_VERSION) && is_flow_expired(head, f.aux_word, now) ? FLOW_NONE :
												       FLOW_CHANGING;
	/*
	 * An account is begun before aux changes, and aux has been read. Counts have no version. A writer claims the head
	 * before it stores them and publishes it after, so what is read between two loads of a head of one version is this
	 * flow's.
	 */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!copy_words(b, i, &f, now, flow, v6))
		return FLOW_CHANGING;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if ((load_word(&f.slot->head) ^ head) & FLOW_VERSION)
		return FLOW_CHANGING;
	flow->protocol = head;
	flow->state = flow_state(head);
	flow->confirmed = head & FLOW_CONFIRMED;
	flow->generation = (head & FLOW_GENERATION) >> FLOW_GENERATION_SHIFT;
	flow->idle = flow_age(f.aux_word, now);
	return FLOW_READ;
}

enum flow_read flow_read(const struct flow_table *table, uint64_t slot, uint64_t now, struct flow_record *ret_flow)
{
	const struct bucket b = find_bucket(table, slot / ZW_FLOW_SLOTS);
	const int i = slot % ZW_FLOW_SLOTS;
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
	for (int i = 0; i < ZW_FLOW_SLOTS; i++) {
		const struct zw_flow_slot *slot = slot_at(b, i, v6);
		__u64 head = load_word(&slot->head), aux;

		if (!is_flow_live(head)) {
			census->changing += !!(head & FLOW_BUSY);
			continue;
		}
		aux = load_word(&slot->aux);
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
		const struct bucket b = find_bucket(table, n);

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
		const uint64_t buckets = table->layout.buckets;

		count_buckets(table, 0, buckets, now, &flows);
		count_buckets(table, buckets, buckets + table->layout.fragment_buckets, now, &fragments);
	}
	flows.fragments = fragments.live;
	*ret_census = flows;
}
