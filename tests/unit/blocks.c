// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block list: what user space puts there (kernel/blocks.h) is what packets find (bpf/block.h), against a plain list
 * of prefixes; its filter, its room, its lengths; and that who looks while another writes finds what stands there.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "block.h"
#include "kernel/blocks.h"
#include "test.h"

/* Of generate.h, with which comes another struct packet. */
struct random {
	uint64_t state;
};
uint64_t random_next(struct random *random);
unsigned random_below(struct random *random, unsigned n);

static struct zw_blocks *new_list(void)
{
	struct zw_blocks *blocks = calloc(1, sizeof(*blocks));

	if (!blocks || blocks_init(blocks))
		abort();
	zw_blocks_value = blocks;
	return blocks;
}

static bool is_found(const struct addr *addr, uint64_t now)
{
	const struct addr other = { addr->family, addr->family == 4 ? 0xdf000001 : (u128)0xfd00 << 112 };
	struct packet p = { .family = addr->family, .now = now };

	addr_to_bytes(addr, p.ends.source);
	addr_to_bytes(&other, p.ends.destination);
	return is_list_used() && is_blocked(&p);
}

/* --- against a plain list */

#define PREFIXES 3000

static struct blocked plain[PREFIXES];
static size_t plain_count;

static bool is_in_plain(const struct addr *addr, uint64_t now)
{
	for (size_t i = 0; i < plain_count; i++) {
		struct range range = blocked_range(&plain[i]);

		if (plain[i].family == addr->family && range.first <= addr->value && addr->value <= range.last && now < plain[i].until)
			return true;
	}
	return false;
}

static u128 random_address(struct random *random, int family)
{
	u128 wide = (u128)(0x20010db8ull + random_below(random, 4)) << 96 | (u128)random_below(random, 8) << 80 |
		    (u128)random_below(random, 8) << 64 | random_below(random, 8);

	return family == 4 ? (u128)(10 + random_below(random, 3)) << 24 | (random_next(random) & 0x0103ff) : wide;
}

/* Of few lengths at a time, so that they come and go. */
static struct blocked random_prefix(struct random *random, unsigned round)
{
	static const unsigned lengths4[] = { 32, 32, 24, 25, 31, 16, 9, 7, 1 }, lengths6[] = { 128, 64, 127, 65, 63, 48, 47, 33, 31, 3 };
	int family = random_below(random, 2) ? 4 : 6;
	unsigned length = family == 4 ? lengths4[random_below(random, round % 2 ? 7 : 9)] : lengths6[random_below(random, round % 2 ? 8 : 10)];
	unsigned others = (family == 4 ? 32 : 128) - length;

	return (struct blocked){
		.family = family,
		.length = length,
		.first = random_address(random, family) >> others << others,
		.until = random_below(random, 4) ? 1000 + random_below(random, 4000) : ZW_BLOCK_FOR_EVER,
	};
}

static bool is_same_prefix(const struct blocked *a, const struct blocked *b)
{
	return a->family == b->family && a->first == b->first && a->length == b->length;
}

static void put_plain(const struct blocked *what)
{
	for (size_t i = 0; i < plain_count; i++)
		if (is_same_prefix(&plain[i], what)) {
			plain[i] = *what;
			return;
		}
	plain[plain_count++] = *what;
}

static unsigned count_wrong(struct random *random, uint64_t now)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < 3000; i++) {
		struct addr addr = { .family = random_below(random, 2) ? 4 : 6 };

		addr.value = random_address(random, addr.family);
		if (plain_count && random_below(random, 2)) { /* at, before or behind an end of a prefix */
			const struct blocked *at = &plain[random_below(random, plain_count)];
			struct range range = blocked_range(at);

			addr = (struct addr){ at->family, (random_below(random, 2) ? range.first : range.last) + random_below(random, 3) - 1 };
			if (addr.family == 4)
				addr.value = (uint32_t)addr.value;
		}
		wrong += is_found(&addr, now) != is_in_plain(&addr, now);
	}
	return wrong;
}

static bool reads_as_plain(struct zw_blocks *blocks, uint64_t now)
{
	struct blocked *list;
	size_t count, live = 0;
	bool good = true;

	if (blocks_read(blocks, now, &list, &count))
		abort();
	for (size_t i = 0; i < plain_count; i++)
		live += now < plain[i].until;
	for (size_t i = 0; i < count; i++) {
		struct range range = blocked_range(&list[i]), first = { list[i].first, list[i].first };
		const struct addr addr = { list[i].family, first.first };
		struct blocked back, found;

		good &= blocked_from_range(list[i].family, &range, &back) && is_same_prefix(&back, &list[i]);
		good &= blocks_find(blocks, &addr, now, &found) && found.length >= list[i].length;
	}
	free(list);
	return good && count == live;
}

static void against_plain(uint64_t seed)
{
	struct random random = { seed };
	struct zw_blocks *blocks = new_list();
	unsigned wrong = 0, unread = 0, refused = 0;

	for (unsigned round = 0; round < 40; round++) {
		uint64_t now = 1000 + 100 * round;

		for (unsigned i = 0; i < 60; i++) {
			struct blocked what = random_prefix(&random, round);

			refused += blocks_put(blocks, &what, now) != 0;
			put_plain(&what);
		}
		for (unsigned i = 0; i < 30; i++) {
			size_t at = random_below(&random, plain_count);
			bool lives = now < plain[at].until;

			refused += blocks_remove(blocks, &plain[at], now) != lives;
			plain[at] = plain[--plain_count];
		}
		wrong += count_wrong(&random, now);
		if (round % 3 == 0)
			refused += blocks_settle(blocks, now) != 0;
		wrong += count_wrong(&random, now);
		unread += !reads_as_plain(blocks, now);
	}
	ok(!wrong, "packets find what a plain list has (seed %llu; wrong: %u)", (unsigned long long)seed, wrong);
	ok(!refused, "each prefix is put there and taken off (%u were not)", refused);
	ok(!unread, "the list is read as it is, each prefix once");
	free(blocks);
}

/* --- cost and room */

static bool is_filter_empty(const struct zw_blocks *blocks)
{
	for (size_t i = 0; i < ZW_BLOCK_FILTER_LINES * 8; i++)
		if ((&blocks->filter[0][0])[i])
			return false;
	return true;
}

static const struct blocked host = { .family = 4, .length = 32, .first = 0x0a000001, .until = 2000 };

static void emptiness(void)
{
	struct zw_blocks *blocks = new_list();
	struct blocked short4 = { .family = 4, .length = 3, .until = 2000 }, many = { .family = 4, .length = 8, .first = 0x0b000000, .until = 2000 };

	ok(!blocks->used && is_filter_empty(blocks), "a new list is empty");
	blocks_put(blocks, &host, 1000);
	blocks_put(blocks, &short4, 1000);
	blocks_put(blocks, &many, 1000);
	ok(blocks->used && blocks->wide == 1, "it is used, and a prefix shorter than 8 bits is beyond the filter");
	blocks_remove(blocks, &short4, 1000);
	blocks_settle(blocks, 1000);
	ok(blocks->used && !blocks->wide, "the filter answers again when that is gone");
	blocks_settle(blocks, 2000);
	ok(!blocks->used && is_filter_empty(blocks), "a list whose prefixes have ended is empty again");
	free(blocks);
}

static void ends(void)
{
	struct zw_blocks *blocks = new_list();
	const struct addr addr = { 4, host.first };
	struct blocked again = host;

	blocks_put(blocks, &host, 1000);
	ok(is_found(&addr, 1999) && !is_found(&addr, 2000), "a prefix blocks up to the jiffy of its end, and not in it");
	again.until = 1500;
	blocks_put(blocks, &again, 1000);
	ok(is_found(&addr, 1499) && !is_found(&addr, 1500), "put there again, it has the new end, also a nearer one");
	again.until = ZW_BLOCK_FOR_EVER;
	blocks_put(blocks, &again, 1600);
	ok(is_found(&addr, ZW_BLOCK_UNTIL - 1), "for ever has no end");
	free(blocks);
}

static void bans(void)
{
	struct zw_blocks *blocks = new_list();
	struct address source4 = { { bpf_htonl(host.first) } }, source6 = { { bpf_htonl(0x20010db8), 0, 0, bpf_htonl(7) } };
	const struct addr addr4 = { 4, host.first }, near6 = { 6, (u128)0x20010db8 << 96 | 99 }, far6 = { 6, (u128)0x20010db8 << 96 | (u128)1 << 64 };
	struct blocked found;

	ok(zw_block_ban(4, &source4, 1000, 1100) && is_found(&addr4, 1099) && !is_found(&addr4, 1100), "an IPv4 address is banned until its end");
	ok(zw_block_ban(6, &source6, 1000, 1100) && is_found(&near6, 1099) && !is_found(&far6, 1099), "of an IPv6 address its /64 is");
	ok(blocks_find(blocks, &addr4, 1000, &found) && found.is_ban, "the list says that a limit did it");
	zw_block_ban(4, &source4, 1000, 1050);
	ok(is_found(&addr4, 1099), "a shorter ban does not shorten one");
	blocks_put(blocks, &host, 1000);
	zw_block_ban(4, &source4, 1000, 1100);
	ok(is_found(&addr4, 1999), "nor what was blocked by hand");
	blocks_settle(blocks, 1000);
	ok(is_found(&addr4, 1999) && is_found(&near6, 1099), "settling loses no ban");
	free(blocks);
}

static void room(uint64_t seed)
{
	struct random random = { seed };
	struct zw_blocks *blocks = new_list();
	unsigned refused = 0, lost = 0, marked = 0;

	for (unsigned i = 0; i < 65536; i++) {
		struct blocked what = { .family = i % 2 ? 4 : 6, .length = i % 2 ? 32 : 64, .until = ZW_BLOCK_FOR_EVER };

		what.first = i % 2 ? (u128)(uint32_t)(i * 2654435761u) : (u128)(0x2001000000000000ull | i * 0x9e3779b97f4aull) << 64;
		refused += blocks_put(blocks, &what, 1) != 0;
		lost += !is_found(&(struct addr){ what.family, what.first }, 1);
	}
	ok(!refused && !lost, "65,536 prefixes find room, and are found (%u did not, %u are not)", refused, lost);
	for (unsigned i = 0; i < 100000; i++) {
		struct addr addr = { 4, (uint32_t)random_next(&random) };
		__u32 wire[4] = { 0 };
		struct block_prefix p;

		addr_to_bytes(&addr, wire);
		p = prefix_of(4, wire);
		marked += may_be_listed(blocks, &p);
	}
	ok(marked < 10000, "with them the filter answers for nine addresses of ten (not for %u of 100,000)", marked);
	for (unsigned i = 0; i < 400000 && !refused; i++) {
		struct blocked what = { .family = 4, .length = 32, .first = 0x0b000000 + i, .until = ZW_BLOCK_FOR_EVER };

		refused = blocks_put(blocks, &what, 1) == -ENOSPC;
	}
	ok(refused, "a full list says so");
	free(blocks);
}

static void lengths(void)
{
	struct zw_blocks *blocks = new_list();
	struct blocked what = { .family = 6, .first = (u128)0x20010db8 << 96, .until = ZW_BLOCK_FOR_EVER };
	unsigned refused4 = 0, refused6 = 0;

	for (unsigned length = 1; length <= 32; length++)
		refused4 += blocks_put(blocks, &(struct blocked){ .family = 4, .length = length, .until = 2 }, 1) != 0;
	ok(!refused4, "prefixes of all lengths of IPv4 at once");
	for (what.length = 35; what.length <= 64; what.length++)
		refused6 += blocks_put(blocks, &what, 1) != 0;
	what.length = 65;
	ok(refused6 == 0 && !blocks_put(blocks, &what, 1), "of IPv6 of 32 at once");
	what.length = 66;
	ok(blocks_put(blocks, &what, 1) == -E2BIG, "one more is refused");
	what.length = 40;
	blocks_remove(blocks, &what, 1);
	what.length = 66;
	ok(!blocks_put(blocks, &what, 1) && is_found(&(struct addr){ 6, what.first }, 1), "and has room when another is gone");
	free(blocks);
}

/* --- who looks while another writes */

static struct zw_blocks *shared;
static bool stop;
static unsigned missed, false_hits;

static void *look(void *unused)
{
	const struct addr there = { 4, host.first }, never = { 4, host.first + 1 };

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		missed += !is_found(&there, 1000);
		false_hits += is_found(&never, 1000);
	}
	return unused;
}

static void beside(void)
{
	pthread_t thread;

	shared = new_list();
	blocks_put(shared, &host, 1000);
	if (pthread_create(&thread, NULL, look, NULL))
		abort();
	for (unsigned i = 0; i < 300; i++) {
		for (unsigned n = 0; n < 300; n++) {
			struct blocked what = { .family = 4, .length = 20 + n % 13, .first = (host.first & 0xffff0000) + 0x10000 + (n << 12), .until = 2000 };

			blocks_put(shared, &what, 1000);
			blocks_remove(shared, &what, 1000);
		}
		if (i % 30 == 0)
			blocks_settle(shared, 1000);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ok(!missed, "who looks while others come and go never misses one that stays (missed %u)", missed);
	ok(!false_hits, "nor finds what never was there");
	free(shared);
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	unsigned long count = 1;

	read_seed(argc, argv, "--lists", &seed, &count);
	for (unsigned long i = 0; i < count; i++) {
		plain_count = 0;
		against_plain(seed + i);
	}
	emptiness();
	ends();
	bans();
	room(seed);
	lengths();
	beside();
	return done();
}
