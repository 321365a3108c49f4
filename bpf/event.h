/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events: what zonewall.h says of entries, incarnations and folding. A repeat costs one compare and one add.
 * Programs on one CPU do not nest (softirq, or process context with bottom halves off), so an entry has one
 * writer; the reader in user space sees a rewritten entry as incarnation 0 until all of it is new (the
 * exchanges are full barriers).
 */
#ifndef ZW_EVENT_H
#define ZW_EVENT_H

#include "account.h"

struct events {
	struct zw_event_head head;
	struct zw_event_entry entry[ZW_EVENT_ALL_ENTRIES];
};

static __always_inline struct events *cpu_events(__u32 cpu)
{
	__u8 *base = only_value(&zw_events);
	__u64 at = (__u64)cpu * sizeof(struct events), size = (__u64)zw_cpus * sizeof(struct events);

	barrier_var(at);
	if (at > size - sizeof(struct events))
		return NULL;
	return (struct events *)(base + at);
}

/*
 * Spreads keys over the entries. Not keyed: whoever makes keys collide only makes repeats of his own drops be told by
 * rule instead of by address.
 */
static __always_inline __u32 key_hash(const struct zw_event_key *key)
{
	const __u64 *w = (const __u64 *)key;
	__u64 h = 0;

	for (int i = 0; i < 6; i++)
		h = (h ^ w[i]) * 0x9e3779b97f4a7c15ull;
	return h >> 40;
}

static __always_inline bool is_same_key(const struct zw_event_key *a, const struct zw_event_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]) | (x[5] ^ y[5]));
}

/* Sends an entry as a record, of packet p, or (p NULL) with its last total. Returns false if the ring is full. */
static __always_inline bool send(struct zw_event_head *head, const struct zw_event_entry *entry, __u32 index,
				 __u32 cpu, const struct packet *p, const struct account *a)
{
	struct zw_event *e = bpf_ringbuf_reserve(&zw_ring, sizeof(*e), 0);

	if (!e) {
		head->full++;
		return false;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->key = entry->key;
	e->total = entry->total;
	e->incarnation = entry->incarnation;
	e->entry = index;
	e->cpu = cpu;
	e->time_ns = bpf_ktime_get_boot_ns();
	e->final = !p;
	if (p) {
		e->cgroup = a->cgroup;
		e->length = p->bytes;
		e->vlan = p->vlan;
		e->source_port = p->ends.sport;
		e->tcp_flags = p->tcp_flags;
	}
	bpf_ringbuf_submit(e, 0);
	head->sent++;
	return true;
}

/* Budget for giving away young entries: a bucket of one second's worth, refilled by jiffies. */
static __always_inline bool take_token(struct zw_event_head *head, __u32 now)
{
	__u32 gap = now - head->tokens_at, tokens = head->tokens;

	if (gap) {
		tokens = gap >= zw_hz ? ZW_EVENT_BUDGET : tokens + gap * (ZW_EVENT_BUDGET / zw_hz + 1);
		if (tokens > ZW_EVENT_BUDGET)
			tokens = ZW_EVENT_BUDGET;
		head->tokens_at = now;
	}
	head->tokens = tokens ? tokens - 1 : 0;
	return tokens;
}

/* Gives the entry to key, with n packets. Returns false, and changes nothing, if its last total cannot be sent. */
static __always_inline bool give(struct zw_event_head *head, struct zw_event_entry *entry, __u32 index, __u32 cpu,
				 const struct zw_event_key *key, __u64 n, __u32 now)
{
	__u32 incarnation = entry->incarnation;

	if (incarnation && !send(head, entry, index, cpu, NULL, NULL))
		return false;
	__sync_lock_test_and_set(&entry->incarnation, 0);
	entry->key = *key;
	entry->total = n;
	entry->since = now;
	__sync_lock_test_and_set(&entry->incarnation, incarnation == 0xffffffff ? 1 : incarnation + 1);
	return true;
}

static __always_inline bool is_young(const struct zw_event_entry *entry, __u32 now)
{
	return now - entry->since < zw_hz;
}

/* Counted with its rule and reason, or with its reason alone: without addresses. */
static __always_inline void fold(struct events *ev, const struct zw_event_key *from, __u64 n, __u32 cpu, __u32 now)
{
	struct zw_event_key key = { .generation = from->generation, .rule = from->rule, .reason = from->reason,
				    .flags = ZW_EVENT_FOLDED };
	__u32 index = ZW_EVENT_ENTRIES + (key_hash(&key) & (ZW_EVENT_RULE_ENTRIES - 1));
	struct zw_event_entry *entry = &ev->entry[index];

	if (entry->incarnation && is_same_key(&entry->key, &key)) {
		entry->total += n;
		return;
	}
	if ((!entry->incarnation || !is_young(entry, now)) && give(&ev->head, entry, index, cpu, &key, n, now))
		return;
	key.generation = 0;
	key.rule = 0;
	index = ZW_EVENT_ENTRIES + ZW_EVENT_RULE_ENTRIES + (key.reason & (ZW_REASONS - 1));
	entry = &ev->entry[index];
	if (entry->incarnation)
		entry->total += n;
	else
		give(&ev->head, entry, index, cpu, &key, n, now);
}

static __always_inline void set_key(struct zw_event_key *key, const struct packet *p, const struct account *a)
{
	if (p->has_addresses) {
		__builtin_memcpy(key->source, p->ends.source, 16);
		__builtin_memcpy(key->destination, p->ends.destination, 16);
		key->family = p->family;
	}
	key->port = bpf_htons(p->ends.port);
	key->protocol = p->ends.protocol;
	key->flags = a->flags;
	key->slot = a->slot;
}

static __always_inline bool is_policy_drop(__u32 reason)
{
	return reason == ZW_DROP_RULE || reason == ZW_DROP_DEFAULT;
}

/*
 * Where the key's entry is. The ends of what a rule or the default drops were asked for (match_cache.h), so their hash is there, or it
 * is not for any packet of the attach point: of that its upper half, since a match's line is found by the lower one.
 */
static __always_inline __u32 entry_index(const struct work *w, const struct zw_event_key *key)
{
	__u32 hash = is_policy_drop(key->reason) && w->hash ? (w->hash >> 16) + key->slot : key_hash(key);

	return hash & (ZW_EVENT_ENTRIES - 1);
}

/* Tells a drop, or an allow that is logged, of the outcome's rule in its generation. */
ZW_GLOBAL int zw_tell(const struct work *w, const struct account *a)
{
	struct zw_event_entry *entry;
	struct zw_event_key key = { 0 };
	const struct outcome *o;
	const struct packet *p;
	struct events *ev;
	__u32 index, now, cpu;

	if (!w || !a)
		return 0;
	p = &w->packet;
	o = &w->outcome;
	cpu = bpf_get_smp_processor_id();
	ev = cpu_events(cpu);
	if (!ev)
		return 0;
	/* What revokes a seeded flow, which is of no generation and no rule, is this one: it names the zones. */
	key.generation = o->generation ?: zw_layout.generation;
	key.rule = o->cell & ZW_CELL_RULE;
	key.reason = o->reason;
	set_key(&key, p, a);
	now = p->now;
	index = entry_index(w, &key);
	entry = &ev->entry[index];
	ev->head.logged += p->packets;
	if (entry->incarnation && is_same_key(&entry->key, &key))
		entry->total += p->packets;
	else if (entry->incarnation && is_young(entry, now) && !take_token(&ev->head, now))
		fold(ev, &key, p->packets, cpu, now);
	else if (!give(&ev->head, entry, index, cpu, &key, p->packets, now))
		fold(ev, &key, p->packets, cpu, now);
	else
		send(&ev->head, entry, index, cpu, p, a);
	return 0;
}

/*
 * Does the policy want this outcome told? A revoked flow's cell is another generation's: its flags say nothing
 * here.
 */
static __always_inline bool is_told(const struct outcome *o)
{
	if (ZW_REASON_IS_DROP(o->reason))
		return is_policy_drop(o->reason) ? o->cell & ZW_CELL_LOG : zw_layout.log_drops;
	return (o->cell & ZW_CELL_LOG_ALL) || (o->is_new && (o->cell & ZW_CELL_LOG));
}

#endif
