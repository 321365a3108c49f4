// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/conversation.h"

#include <netinet/in.h>

#include "base/util.h"

#define FIRST_SEQUENCE 1000000u /* of either side's first conversation */
#define NEXT_CONVERSATION 64000000u /* how far a side's initial sequence number moves when it opens again */
enum { FIN = 1, SYN = 2, ACK = 16 };

struct end {
	u128 address;
	uint16_t port;
	uint8_t family;
};

/* In canonical order, as a flow's key: side 0 is the smaller end. */
struct conversation {
	struct end end[2];
	uint32_t next[2]; /* the sequence number that the side sends next */
	bool only_syn[2]; /* it has sent nothing else: the same again is a repetition */
	bool used;
};

struct conversations {
	bool remember;
	struct conversation *slot; /* open hash, linear probing, at most half full */
	size_t slots, used;
};

int conversations_new(bool remember, struct conversations **ret_conversations)
{
	struct conversations *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	all->remember = remember;
	*ret_conversations = all;
	return 0;
}

void conversations_free(struct conversations *all)
{
	if (!all)
		return;
	free(all->slot);
	free(all);
}

static bool is_less(const struct end *a, const struct end *b)
{
	return a->address != b->address ? a->address < b->address : a->port < b->port;
}

static bool is_same(const struct conversation *a, const struct conversation *b)
{
	for (int i = 0; i < 2; i++)
		if (a->end[i].address != b->end[i].address || a->end[i].port != b->end[i].port ||
		    a->end[i].family != b->end[i].family)
			return false;
	return true;
}

static size_t hash(const struct conversation *c)
{
	uint64_t h = 0;

	for (int i = 0; i < 2; i++) {
		h = (h ^ (uint64_t)c->end[i].address) * 0x9e3779b97f4a7c15ull;
		h = (h ^ (uint64_t)(c->end[i].address >> 64)) * 0x9e3779b97f4a7c15ull;
		h = (h ^ c->end[i].port ^ h >> 32) * 0x9e3779b97f4a7c15ull;
	}
	return h ^ h >> 29;
}

/* The slot that holds the key, or the free one where it belongs. */
static struct conversation *probe(const struct conversations *all, const struct conversation *key)
{
	size_t i = hash(key);

	while (all->slot[i & (all->slots - 1)].used && !is_same(&all->slot[i & (all->slots - 1)], key))
		i++;
	return &all->slot[i & (all->slots - 1)];
}

static int grow(struct conversations *all)
{
	struct conversations bigger = { .slots = all->slots ? all->slots * 2 : 1024 };

	bigger.slot = calloc(bigger.slots, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (size_t i = 0; i < all->slots; i++)
		if (all->slot[i].used)
			*probe(&bigger, &all->slot[i]) = all->slot[i];
	free(all->slot);
	all->slot = bigger.slot;
	all->slots = bigger.slots;
	return 0;
}

static int find(struct conversations *all, const struct conversation *key, struct conversation **ret)
{
	if (2 * (all->used + 1) > all->slots) {
		int r = grow(all);

		if (r)
			return r;
	}
	*ret = probe(all, key);
	if (!(*ret)->used) {
		**ret = *key;
		(*ret)->used = true;
		all->used++;
	}
	return 0;
}

static void follow(struct conversation *c, int side, struct input *input)
{
	bool opens = (input->tcp_flags & (SYN | ACK)) == SYN;

	if (opens && !c->only_syn[side] && c->next[side] != FIRST_SEQUENCE)
		c->next[side] += NEXT_CONVERSATION;
	else if ((input->tcp_flags & SYN) && c->only_syn[side])
		c->next[side]--; /* said again */
	if (!input->has_seq)
		input->seq = c->next[side];
	/* A sender that has heard nothing and acknowledges is mid-stream: the other side's SYN is behind it. */
	if (c->next[!side] == FIRST_SEQUENCE && !(input->tcp_flags & SYN))
		c->next[!side]++;
	if (!input->has_ack)
		input->ack = input->tcp_flags & ACK ? c->next[!side] : 0;
	c->next[side] = input->seq + input->len + !!(input->tcp_flags & SYN) + !!(input->tcp_flags & FIN);
	c->only_syn[side] = (input->tcp_flags & SYN) && !input->len;
}

int conversations_follow(struct conversations *all, struct input *input)
{
	struct end from = { input->from.value, input->sport, input->from.family };
	struct end to = { input->to.value, input->dport, input->to.family };
	struct conversation key = { .next = { FIRST_SEQUENCE, FIRST_SEQUENCE } }, *found = &key;
	int side = is_less(&to, &from), r;

	if (input->is_frame || input->protocol != IPPROTO_TCP || input->offset)
		return 0;
	key.end[side] = from;
	key.end[!side] = to;
	if (all->remember) {
		r = find(all, &key, &found);
		if (r)
			return r;
	}
	follow(found, side, input);
	return 0;
}
