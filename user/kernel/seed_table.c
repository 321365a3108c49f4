// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs' own functions, compiled natively. Compare-and-exchange on a mapped word is as good as theirs. What is
 * not: they run to their end, while this process can be killed between claiming a slot and publishing it. Then that slot
 * is lost until `down`: one, since seeding is under the instance's lock and writes one flow after the other.
 */
#include "kernel/seed_table.h"

#include "compile/timeouts.h"
#include "flow_table.h"

/* What opening a flow does not say: which ends have sent FIN, and that it is confirmed, if there is room for that. */
static void mark(struct flow *f, const struct live *live, const struct bucket *b, struct choice *c, uint64_t now,
		 const bool v6)
{
	__u64 mine = c->rank, head = f->head_word;

	head |= live->fin_source ? FLOW_FIN_OPENER : 0;
	head |= live->fin_destination ? FLOW_FIN_OTHER : 0;
	if (live->is_confirmed && make_room(b, mine, now, FLOW_BITS48, c, v6)) {
		begin_account(b->accounts + mine, head & FLOW_VERSION, f->aux_word & FLOW_BITS48);
		head |= FLOW_CONFIRMED;
	}
	if (head == f->head_word)
		return;
	exchange_word(&f->slot->head, f->head_word, head); /* else a packet was faster: it knows better */
	note_slot(b, mine, f->slot);
}

/* Where it takes no live flow's place. */
static __always_inline enum opened open_gently(const struct bucket *b, const struct flow_key *k,
					       const struct opening *o, struct choice *c, const bool v6)
{
	struct round r = { .bucket = *b, .key = k, .opening = o, .choice = c };

	choose(&r, LOOK_ALL, v6);
	return c->rank >> 3 >= RANK_UNCONFIRMED ? OPEN_REFUSED : open_in_bucket(b, k, o, c, LOOK_ALL, v6);
}

static __always_inline enum seeded put(const struct seed_table *t, const struct live *live, uint64_t now, const bool v6)
{
	/* No rule's, but it was allowed. */
	const struct opening opening = {
		.now = now, .cell = ZW_CELL_ALLOW, .state = live->state, .port = live->ends.port
	};
	struct flow_key key = { 0 };
	struct choice choice;
	struct bucket bucket;
	enum opened opened;
	struct flow flow;

	make_key(&key, &live->ends, (const __u64 *)t->memory, v6);
	bucket = bucket_at(t->memory, &t->layout, key.hash & (t->layout.buckets - 1), v6);
	if (find_in_bucket(&bucket, &key, now, &choice, &flow, v6))
		return SEEDED_KNOWN;
	opened = open_gently(&bucket, &key, &opening, &choice, v6);
	if (opened == OPEN_LOST)
		opened = open_gently(&bucket, &key, &opening, &choice, v6);
	if (!is_opened(opened))
		return SEEDED_NO_ROOM;
	if (find_in_bucket(&bucket, &key, now, &choice, &flow, v6))
		mark(&flow, live, &bucket, &choice, now, v6);
	return SEEDED_NEW;
}

enum seeded seed_put(const struct seed_table *table, const struct live *live, uint64_t now, unsigned hz)
{
	timeouts_set(&zw_timeouts, hz);
	return table->family == 4 ? put(table, live, now, false) : put(table, live, now, true);
}
