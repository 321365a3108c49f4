/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs' decision, natively: bpf/decide.h with a flow table of our own. The table never replaces a flow.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/param.h>

#include "base/util.h"
#include "compile/timeouts.h"
#include "decide.h"
#include "simulate/decision.h"

/* An open hash of flows that doubles when half full: the simulation's "one table large enough never to replace". */
struct flow_entry {
	struct flow_key key;
	uint8_t family; /* 4, 6, with FRAGMENTS for what bpf/fragment.h remembers of first fragments; 0: empty */
	struct zw_flow_slot slot; /* words as in flow_table.h, of version 0 */
};

#define FRAGMENTS 8

struct flow_table {
	struct flow_entry *entries;
	size_t size, used; /* size is a power of two, or 0 */
};

struct decider {
	const void *tables;
	struct zw_layout layout;
	bool stateful;
	struct flow_table flows;
	struct zw_limits *limits; /* NULL: no bucket is empty */
	struct zw_blocks *blocks, *bans; /* a list that was given; one of our own for bans, if none was given */
	struct work work;
};

/* decide.h finds its tables and flows in globals, as the kernel's programs do; decider_decide points them. */
static struct decider *current;

static bool is_same_flow(const struct flow_entry *entry, int family, const struct flow_key *key)
{
	return entry->family == family && !memcmp(entry->key.word, key->word, (family & 4 && !(family & 2) ? 2 : 6) * sizeof(key->word[0])) &&
	       entry->key.want == key->want;
}

/* The entry of key, or the empty one where it belongs; NULL if there is no table yet. */
static struct flow_entry *find_entry(struct flow_table *table, int family, const struct flow_key *key)
{
	if (!table->size)
		return NULL;
	for (size_t i = key->hash;; i++) {
		struct flow_entry *entry = &table->entries[i & (table->size - 1)];

		if (!entry->family || is_same_flow(entry, family, key))
			return entry;
	}
}

static bool grow(struct flow_table *table)
{
	struct flow_table larger = { .size = table->size ? table->size * 2 : 1024, .used = table->used };

	larger.entries = calloc(larger.size, sizeof(*larger.entries));
	if (!larger.entries)
		return false;
	for (size_t i = 0; i < table->size; i++)
		if (table->entries[i].family)
			*find_entry(&larger, table->entries[i].family, &table->entries[i].key) = table->entries[i];
	free(table->entries);
	*table = larger;
	return true;
}

/* Odd numbers will do as seeds: nobody attacks a simulation. */
static void make_seeds(__u64 seeds[ZW_FLOW_SEEDS])
{
	for (size_t i = 0; i < ZW_FLOW_SEEDS; i++)
		seeds[i] = (2 * i + 1) * 0x9e3779b97f4a7c15ull;
}

static void make_simulated_key(struct flow_key *key, const struct ends *ends, bool v6)
{
	static __u64 seeds[ZW_FLOW_SEEDS];

	if (!seeds[0])
		make_seeds(seeds);
	memset(key, 0, sizeof(*key));
	make_key(key, ends, seeds, v6);
}

static bool find_in_table(const struct ends *e, uint64_t now, struct lookup *l, struct flow *f, bool v6, bool fragments)
{
	int kind = (v6 ? 6 : 4) | (fragments ? FRAGMENTS : 0);
	struct flow_entry *entry;

	make_simulated_key(&l->key, e, v6);
	entry = current->stateful ? find_entry(&current->flows, kind, &l->key) : NULL;
	l->key.bucket = kind;
	if (!entry || !entry->family)
		return false;
	*f = (struct flow){
		.slot = &entry->slot,
		.head_word = entry->slot.head,
		.aux_word = entry->slot.aux,
		.terms = entry->slot.cell,
	};
	return is_flow_live(f->head_word) && !is_flow_expired(f->head_word, f->aux_word, now);
}

static int zw_flow_note(struct lookup *l, int family)
{
	(void)l, (void)family;
	return 0;
}

/* Without memory the flow is not remembered, as with a full table in the kernel. */
static int flow_open(struct lookup *l, int family)
{
	const struct opening *o = &l->opening;
	struct flow_table *table = &current->flows;
	struct flow_entry *entry;

	(void)family;
	if (!current->stateful || (table->used * 2 >= table->size && !grow(table)))
		return 0;
	entry = find_entry(table, l->key.bucket, &l->key);
	if (!entry->family)
		table->used++;
	*entry = (struct flow_entry){
		.key = l->key,
		.family = l->key.bucket,
		.slot = { .head = (l->key.want & ~FLOW_STATE_BYTE) | o->state << 8 |
				  (l->key.second ? FLOW_OPENER : 0) |
				  (uint64_t)o->generation << FLOW_GENERATION_SHIFT,
			  .aux = o->now & FLOW_BITS48,
			  .cell = o->cell | (uint64_t)o->port << 32,
			  .window = { o->window[0], o->window[1] } },
	};
	return 1;
}

/* Nobody asks for a simulated flow's account. */
static int zw_flow_settle(struct lookup *l, uint64_t packets, uint64_t bytes, uint32_t side, int family)
{
	(void)l, (void)packets, (void)bytes, (void)side, (void)family;
	return 0;
}

static int zw_flow_make_room(struct lookup *l, uint64_t now, uint64_t idle_jiffies, int family)
{
	(void)l, (void)now, (void)idle_jiffies, (void)family;
	return 1;
}

/* Token buckets, and a block list for those whom limits ban. */
static bool make_buckets(struct decider *decider)
{
	decider->limits = calloc(1, sizeof(*decider->limits));
	decider->bans = calloc(1, sizeof(*decider->bans));
	if (!decider->limits || !decider->bans)
		return false;
	make_seeds(decider->limits->seeds);
	decider->bans->lengths[0][0] = 32;
	decider->bans->lengths[1][0] = 64;
	return true;
}

int decider_new(const void *tables, const struct zw_layout *layout, bool stateful, struct decider **ret_decider)
{
	struct decider *decider = calloc(1, sizeof(*decider));

	if (!decider)
		return -ENOMEM;
	decider->stateful = stateful;
	if (stateful && !make_buckets(decider)) {
		decider_free(decider);
		return -ENOMEM;
	}
	decider_replace(decider, tables, layout);
	*ret_decider = decider;
	return 0;
}

void decider_replace(struct decider *decider, const void *tables, const struct zw_layout *layout)
{
	decider->tables = tables;
	decider->layout = *layout;
	decider->layout.simulate = 1;
	if (!decider->stateful)
		decider->layout.limit_count = 0;
	if (current == decider)
		current = NULL;
}

void decider_block(struct decider *decider, struct zw_blocks *blocks)
{
	decider->blocks = blocks;
	if (current == decider)
		current = NULL;
}

void decider_free(struct decider *decider)
{
	if (!decider)
		return;
	if (current == decider)
		current = NULL;
	free(decider->flows.entries);
	free(decider->limits);
	free(decider->bans);
	free(decider);
}

static void use(struct decider *decider)
{
	if (current == decider)
		return;
	current = decider;
	zw_tables_bytes = decider->tables;
	zw_layout = decider->layout;
	zw_blocks_value = decider->blocks ? decider->blocks : decider->bans;
	timeouts_set(&zw_timeouts, SIMULATED_HZ);
	zw_limits_value = decider->limits;
	zw_limit_tick_ns = limit_tick_ns(SIMULATED_HZ);
}

/* As the entry points in zonewall.bpf.c do it, without a context. */
static int parse(struct work *w, const struct frame *frame)
{
	struct packet *p = &w->packet;
	struct cursor c = { .start = frame->data, .pos = frame->data, .end = (const __u8 *)frame->data + frame->len };
	size_t len;
	int err;

	p->frame_len = frame->len;
	p->whole = 1;
	p->ingress = frame->hook != ZW_HOOK_EGRESS;
	p->counted = 1;
	p->now = simulated_jiffies(frame->time);
	p->asked.seconds = frame->time;
	memcpy(p->mac, frame->mac, sizeof(p->mac));
	p->source_set = frame->source_set;
	err = parse_direct(p, &c, zw_layout.allow_non_ip);
	if (err != PARSE_DEEP)
		return err;
	len = MIN(frame->len - p->l3_offset, (size_t)SCRATCH_LEN);
	memcpy(w->scratch.bytes, (const __u8 *)frame->data + p->l3_offset, len);
	return zw_parse_deep(p, &w->scratch, &w->quote.ends, len);
}

/* The same of decide_fully(). */
static void decide_fully(struct work *w, const struct frame *frame)
{
	if (decide(w))
		return;
	w->packet.hello = read_hello((const __u8 *)frame->data + payload_offset(&w->packet));
	decide(w);
}

void decider_decide(struct decider *decider, const struct frame *frame, struct decision *ret_decision)
{
	struct work *w = &decider->work;
	struct outcome *o = &w->outcome;
	int ended;

	use(decider);
	memset(&w->packet, 0, sizeof(w->packet));
	clear_outcome(o);
	ended = parse(w, frame);
	w->packet.packets = 1;
	w->packet.bytes = w->packet.ip_len;
	if (ended)
		end(o, ended > 0 ? ended : ZW_DROP_MALFORMED, 0, zw_layout.generation);
	else
		decide_fully(w, frame);
	locate(&w->packet, o);
	*ret_decision = (struct decision){
		.allow = !ZW_REASON_IS_DROP(o->reason),
		.reason = o->reason,
		.rule = o->cell & ZW_CELL_RULE,
		.staged = o->staged,
		.atom = { o->source, o->destination },
	};
}

uint32_t tables_atom(const void *tables, const struct zw_layout *layout, int family, const void *wire_address)
{
	__u32 address[4] = { 0 };

	memcpy(address, wire_address, family == 4 ? 4 : 16);
	current = NULL;
	zw_tables_bytes = tables;
	zw_layout = *layout;
	return find_atom(family, address);
}

static const char *const reason_names[ZW_REASONS] = {
	[ZW_ALLOW_RULE] = "rule",
	[ZW_ALLOW_DEFAULT] = "default",
	[ZW_ALLOW_INTRA_ZONE] = "intra-zone",
	[ZW_ALLOW_FAILSAFE] = "failsafe",
	[ZW_ALLOW_ESSENTIAL] = "essential",
	[ZW_ALLOW_FLOW] = "flow",
	[ZW_ALLOW_RELATED] = "related",
	[ZW_ALLOW_FRAGMENT] = "fragment",
	[ZW_ALLOW_NON_IP] = "non-ip",
	[ZW_DROP_ETHERTYPE] = "ethertype",
	[ZW_DROP_MALFORMED] = "malformed",
	[ZW_DROP_SPOOFED] = "spoofed",
	[ZW_DROP_TCP_STATE] = "tcp-state",
	[ZW_DROP_FRAGMENT] = "fragment",
	[ZW_DROP_BLOCKED] = "blocked",
	[ZW_DROP_REVOKED] = "revoked",
	[ZW_DROP_RULE] = "rule",
	[ZW_DROP_DEFAULT] = "default",
	[ZW_DROP_LIMIT] = "limit",
	[ZW_DROP_PLAINTEXT] = "plaintext",
};

const char *reason_name(enum zw_reason reason)
{
	return (unsigned)reason < ZW_REASONS && reason_names[reason] ? reason_names[reason] : "unknown";
}

bool reason_shows_rule(enum zw_reason reason)
{
	const uint32_t shown = 1u << ZW_ALLOW_RULE | 1u << ZW_DROP_RULE | 1u << ZW_ALLOW_FAILSAFE |
			       1u << ZW_DROP_LIMIT | 1u << ZW_DROP_PLAINTEXT | 1u << ZW_ALLOW_FLOW |
			       1u << ZW_ALLOW_RELATED | 1u << ZW_ALLOW_FRAGMENT | 1u << ZW_DROP_REVOKED;

	return shown >> reason & 1;
}

uint32_t reason_find(const char *name)
{
	uint32_t reasons = 0;

	for (unsigned i = 0; i < ZW_REASONS; i++)
		if (reason_names[i] && !strcmp(reason_names[i], name))
			reasons |= 1u << i;
	return reasons;
}
