// SPDX-License-Identifier: GPL-2.0-only
/* The programs' own functions, compiled natively: compare-and-exchange on a mapped word is as good as theirs. */
#include "kernel/blocks.h"

#include <sys/mman.h>
#include <sys/random.h>

#include "base/util.h"
#include "block.h"
#include "kernel/pins.h"

static struct block_prefix prefix_from(const struct blocked *blocked)
{
	u128 bits = blocked->family == 4 ? blocked->first << 96 : blocked->first;

	return (struct block_prefix){
		.high = bits >> 64, .low = bits, .length = blocked->length, .family = blocked->family
	};
}

static unsigned bits_of(int family)
{
	return family == 4 ? 32 : 128;
}

struct range blocked_range(const struct blocked *blocked)
{
	u128 others = ((u128)1 << (bits_of(blocked->family) - blocked->length)) - 1;

	return (struct range){ blocked->first, blocked->first | others };
}

bool blocked_from_range(int family, const struct range *range, struct blocked *ret_blocked)
{
	u128 others = range->last - range->first;
	unsigned length = bits_of(family);

	if ((others & (others + 1)) || (range->first & others))
		return false;
	for (; others; others >>= 1)
		length--;
	*ret_blocked = (struct blocked){ .family = family, .length = length, .first = range->first };
	return true;
}

void blocked_print(const struct blocked *blocked, char *text)
{
	struct range range = blocked_range(blocked);

	range_print(blocked->family, &range, text);
}

int blocks_init(struct zw_blocks *blocks)
{
	if (blocks->lengths[0][0])
		return 0;
	if (getrandom(blocks->seed, sizeof(blocks->seed), 0) != sizeof(blocks->seed))
		return -EIO;
	/* What a limit bans must not have to add a length. */
	blocks->lengths[0][0] = 32;
	blocks->lengths[1][0] = 64;
	blocks->lengths[1][1] = 128;
	return 0;
}

int blocks_open(const char *instance, bool writable, struct zw_blocks **ret_blocks)
{
	char path[PATH_MAX];

	pins_path(path, instance, "/state/zw_blocks");
	return pins_map(path, sizeof(**ret_blocks), writable, (void **)ret_blocks);
}

void blocks_close(struct zw_blocks *blocks)
{
	if (blocks)
		munmap(blocks, pins_mapped_len(sizeof(*blocks)));
}

static volatile uint8_t *lengths_of(struct zw_blocks *b, int family)
{
	return b->lengths[family == 4 ? 0 : 1];
}

static bool has_length(const volatile uint8_t *lengths, unsigned length)
{
	for (unsigned i = 0; i < ZW_BLOCK_LENGTHS && lengths[i]; i++)
		if (lengths[i] == length)
			return true;
	return false;
}

/* Where nobody stands any more, or behind the last. Returns whether there was room. */
static bool add_length(struct zw_blocks *b, const struct block_prefix *p)
{
	volatile uint8_t *lengths = lengths_of(b, p->family);

	if (has_length(lengths, p->length))
		return true;
	for (unsigned i = 0; i < ZW_BLOCK_LENGTHS; i++)
		if (!lengths[i] || lengths[i] == ZW_BLOCK_NO_LENGTH) {
			lengths[i] = p->length;
			return true;
		}
	return false;
}

/* Sets the bits that stand for the prefix. */
static void mark_prefix(struct zw_blocks *b, const struct block_prefix *p)
{
	const unsigned shortest = p->family == 4 ? 8 : 32, coarse = p->family == 4 ? 24 : 48, fine = p->family == 4 ? 32 : 64;
	struct block_prefix part = *p;

	if (p->length < shortest) {
		__sync_fetch_and_or(&b->wide, p->family == 4 ? 1 : 2);
	} else if (p->length >= fine) {
		mark(filter_line(b, coarse_hash(b, p)), p->length == 128 ? whole_hash(b, p) : fine_hash(b, p));
	} else {
		for (uint64_t i = 0; i < (p->length < coarse ? 1ull << (coarse - p->length) : 1); i++) {
			uint64_t hash;

			part.high = p->high + (i << (64 - coarse));
			hash = coarse_hash(b, &part);
			mark(filter_line(b, hash), hash);
		}
	}
}

int blocks_put(struct zw_blocks *blocks, const struct blocked *what, uint64_t now)
{
	struct block_prefix p = prefix_from(what);

	if (!add_length(blocks, &p) && (blocks_settle(blocks, now) || !add_length(blocks, &p)))
		return -E2BIG;
	mark_prefix(blocks, &p);
	__atomic_store_n(&blocks->used, 1, __ATOMIC_SEQ_CST);
	return renew_block(blocks, &p, what->until, now) || put_block(blocks, &p, what->until, now) ? 0 : -ENOSPC;
}

bool blocks_remove(struct zw_blocks *blocks, const struct blocked *what, uint64_t now)
{
	struct block_prefix p = prefix_from(what);
	struct zw_block *slot;
	bool removed = false;
	__u64 head;

	/* A ban of this moment may change the head, and there may be twins. */
	while ((slot = find_block(blocks, &p, now, &head)))
		removed |= exchange_word(&slot->head, head, head & FLOW_VERSION);
	return removed;
}

/* What stands in a slot, if it blocks. */
static bool read_slot(const struct zw_block *slot, uint64_t now, struct blocked *ret_blocked)
{
	uint64_t head = load_word(&slot->head), word[3];
	u128 bits;

	if (!is_block_live(head, now))
		return false;
	for (int i = 0; i < 3; i++) {
		word[i] = load_word(&slot->word[i]);
		if ((word[i] ^ head) & FLOW_VERSION)
			return false;
		word[i] &= FLOW_BITS48;
	}
	bits = (u128)word[0] << 80 | (u128)word[1] << 32 | word[2] >> 16;
	*ret_blocked = (struct blocked){
		.family = word[2] & 0xff,
		.length = word[2] >> 8 & 0xff,
		.first = (word[2] & 0xff) == 4 ? bits >> 96 : bits,
		.until = head & ZW_BLOCK_UNTIL,
		.is_ban = head & ZW_BLOCK_BAN,
	};
	return true;
}

static const struct zw_block *slot_number(const struct zw_blocks *blocks, size_t i)
{
	return &blocks->bucket[i / ZW_BLOCK_WAYS][i % ZW_BLOCK_WAYS];
}

#define SLOTS ((size_t)ZW_BLOCK_BUCKETS * ZW_BLOCK_WAYS)

/* Marks all that blocks. Returns whether anything does. */
static bool mark_all(const struct zw_blocks *blocks, uint64_t now, struct zw_blocks *into)
{
	struct blocked blocked;
	bool any = false;

	for (size_t i = 0; i < SLOTS; i++)
		if (read_slot(slot_number(blocks, i), now, &blocked)) {
			struct block_prefix p = prefix_from(&blocked);

			mark_prefix(into, &p);
			add_length(into, &p);
			any = true;
		}
	return any;
}

/* A length that goes leaves a gap: packets that are looking now must not miss those behind it. */
static void drop_lengths(struct zw_blocks *blocks, struct zw_blocks *wanted, int family)
{
	volatile uint8_t *lengths = lengths_of(blocks, family);

	for (unsigned i = 0; i < ZW_BLOCK_LENGTHS && lengths[i]; i++)
		if (!has_length(lengths_of(wanted, family), lengths[i]))
			lengths[i] = ZW_BLOCK_NO_LENGTH;
}

/* What a ban adds meanwhile is marked again by the second look. */
int blocks_settle(struct zw_blocks *blocks, uint64_t now)
{
	struct zw_blocks *wanted = calloc(1, sizeof(*wanted)); /* of which only the head and the filter are touched */
	bool any;

	if (!wanted)
		return -ENOMEM;
	blocks_init(wanted);
	memcpy(wanted->seed, blocks->seed, sizeof(wanted->seed));
	any = mark_all(blocks, now, wanted);
	for (size_t i = 0; i < ZW_BLOCK_FILTER_LINES * 8; i++) {
		__u64 *word = &blocks->filter[0][0] + i, want = (&wanted->filter[0][0])[i];

		if (load_word(word) & ~want)
			__sync_fetch_and_and(word, want);
	}
	__sync_fetch_and_and(&blocks->wide, wanted->wide);
	drop_lengths(blocks, wanted, 4);
	drop_lengths(blocks, wanted, 6);
	if (!any)
		__atomic_store_n(&blocks->used, 0, __ATOMIC_SEQ_CST);
	if (mark_all(blocks, now, blocks))
		__atomic_store_n(&blocks->used, 1, __ATOMIC_SEQ_CST);
	free(wanted);
	return 0;
}

static int by_prefix(const void *a, const void *b)
{
	const struct blocked *x = a, *y = b;

	if (x->family != y->family)
		return x->family - y->family;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (int)x->length - (int)y->length;
}

/* Of twins the one that blocks longer. */
static size_t remove_twins(struct blocked *list, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (!kept || by_prefix(&list[kept - 1], &list[i]))
			list[kept++] = list[i];
		else if (list[i].until > list[kept - 1].until)
			list[kept - 1] = list[i];
	}
	return kept;
}

int blocks_read(const struct zw_blocks *blocks, uint64_t now, struct blocked **ret_list, size_t *ret_count)
{
	_cleanup_free_ struct blocked *list = NULL;
	struct blocked blocked;
	size_t count = 0;

	for (size_t i = 0; blocks->used && i < SLOTS; i++) {
		if (!read_slot(slot_number(blocks, i), now, &blocked))
			continue;
		if (array_grow(&list, count, sizeof(*list)))
			return -ENOMEM;
		list[count++] = blocked;
	}
	if (count)
		qsort(list, count, sizeof(*list), by_prefix);
	*ret_count = remove_twins(list, count);
	*ret_list = take_ptr(list);
	return 0;
}

bool blocks_find(struct zw_blocks *blocks, const struct addr *addr, uint64_t now, struct blocked *ret_blocked)
{
	struct blocked whole = { .family = addr->family, .length = bits_of(addr->family), .first = addr->value };
	struct block_prefix address = prefix_from(&whole);
	__u64 head;

	for (unsigned length = whole.length; length && blocks->used; length--) {
		struct block_prefix p = prefix_cut(&address, length);
		const struct zw_block *slot;

		if (!has_length(lengths_of(blocks, addr->family), length))
			continue;
		slot = find_block(blocks, &p, now, &head);
		if (slot && read_slot(slot, now, ret_blocked))
			return true;
	}
	return false;
}
