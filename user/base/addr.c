// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <string.h>

#include "base/addr.h"
#include "base/util.h"

struct addr addr_from_bytes(int family, const void *bytes)
{
	const uint8_t *byte = bytes;
	struct addr addr = { .family = family };

	for (int i = 0; i < (family == 4 ? 4 : 16); i++)
		addr.value = addr.value << 8 | byte[i];
	return addr;
}

void addr_to_bytes(const struct addr *addr, void *bytes)
{
	uint8_t *byte = bytes;
	int len = addr->family == 4 ? 4 : 16;

	for (int i = 0; i < len; i++)
		byte[i] = addr->value >> (8 * (len - 1 - i));
}

int addr_parse(const char *text, struct addr *ret_addr)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		*ret_addr = addr_from_bytes(4, bytes);
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		*ret_addr = addr_from_bytes(6, bytes);
	else
		return -EINVAL;
	return 0;
}

/* RFC 5952 4.2: the longest run of two or more zero groups, the first of equals. Returns its length, 0 if none. */
static int find_zeros(const unsigned *group, int count, int *ret_start)
{
	int best = 0;

	for (int i = 0; i < count; i++) {
		int run = 0;

		while (i + run < count && !group[i + run])
			run++;
		if (run > best && run > 1) {
			best = run;
			*ret_start = i;
		}
		i += run;
	}
	return best;
}

static char *put_decimal(char *at, unsigned byte)
{
	if (byte >= 100)
		*at++ = '0' + byte / 100;
	if (byte >= 10)
		*at++ = '0' + byte / 10 % 10;
	*at++ = '0' + byte % 10;
	return at;
}

static char *put_hex(char *at, unsigned group)
{
	int shift = 12;

	while (shift && !(group >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[group >> shift & 15];
	return at;
}

static char *put4(char *at, uint32_t value)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		at = put_decimal(at, value >> shift & 255);
		if (shift)
			*at++ = '.';
	}
	return at;
}

/* Digit by digit, since snapshots of flows print millions: snprintf takes ten times as long. */
void addr_print(const struct addr *addr, char *text)
{
	unsigned group[8];
	/* RFC 5952 5: of the prefixes known to hold an IPv4 address, only the mapped one is written mixed. */
	bool mapped = addr->value >> 32 == 0xffff;
	int count = mapped ? 6 : 8, start = -1, run;

	if (addr->family == 4) {
		*put4(text, addr->value) = '\0';
		return;
	}
	for (int i = 0; i < 8; i++)
		group[i] = addr->value >> (16 * (7 - i)) & 0xffff;
	run = find_zeros(group, count, &start);
	for (int i = 0; i < count;) {
		if (i == start) {
			*text++ = ':';
			*text++ = ':';
			i += run;
			continue;
		}
		if (i && i != start + run)
			*text++ = ':';
		text = put_hex(text, group[i]);
		i++;
	}
	if (mapped) {
		*text++ = ':';
		text = put4(text, addr->value);
	}
	*text = '\0';
}

static int add(struct range **array, size_t *count, u128 first, u128 last)
{
	int err = array_grow(array, *count, sizeof(**array));

	if (err)
		return err;
	(*array)[(*count)++] = (struct range){ first, last };
	return 0;
}

void range_print(int family, const struct range *range, char *text)
{
	struct addr first = { family, range->first }, last = { family, range->last };
	const int bits = family == 4 ? 32 : 128;
	u128 size = range->last - range->first; /* less one, so that it does not overflow */
	int len = bits;

	addr_print(&first, text);
	if (!size)
		return;
	while (len && (size >> (bits - len) & 1))
		len--;
	text += strlen(text);
	if (!(size & (size + 1)) && !(range->first & size)) {
		sprintf(text, "/%d", len);
	} else {
		*text++ = '-';
		addr_print(&last, text);
	}
}

int ranges_add(struct ranges *ranges, int family, u128 first, u128 last)
{
	if (family == 4)
		return add(&ranges->v4, &ranges->v4_count, first, last);
	return add(&ranges->v6, &ranges->v6_count, first, last);
}

/* Where the sorted run that begins at `first` ends. */
static size_t run_end(const struct range *range, size_t first, size_t count)
{
	size_t i = first + 1;

	while (i < count && range[i - 1].first <= range[i].first)
		i++;
	return i < count ? i : count;
}

/* Two sorted runs become one. Which of both comes next cannot be predicted, so it must not be a branch. */
static void join(const struct range *a, const struct range *a_end, const struct range *b, const struct range *b_end,
		 struct range *to)
{
	while (a < a_end && b < b_end) {
		size_t second = b->first < a->first;

		*to++ = *(second ? b : a);
		b += second;
		a += 1 - second;
	}
	memcpy(to, a, (a_end - a) * sizeof(*a));
	memcpy(to + (a_end - a), b, (b_end - b) * sizeof(*b));
}

/*
 * Natural merge sort: most lists are sorted already, and unions of sets are a few sorted runs. In turns from `from` to `to` and
 * back; returns the one that is sorted.
 */
static struct range *sort(struct range *from, struct range *to, size_t count)
{
	for (;;) {
		struct range *swap = from;

		if (run_end(from, 0, count) == count)
			return from;
		for (size_t i = 0, middle, end; i < count; i = end) {
			middle = run_end(from, i, count);
			end = middle < count ? run_end(from, middle, count) : count;
			join(from + i, from + middle, from + middle, from + end, to + i);
		}
		from = to;
		to = swap;
	}
}

/* Merges sorted ranges that overlap or touch, in place. The last address of all has no successor. */
static size_t merge(struct range *range, size_t count)
{
	size_t kept = 0;

	for (size_t i = 1; i < count; i++) {
		if (range[kept].last == ADDR_MAX6 || range[i].first <= range[kept].last + 1) {
			if (range[i].last > range[kept].last)
				range[kept].last = range[i].last;
		} else {
			range[++kept] = range[i];
		}
	}
	return count ? kept + 1 : 0;
}

static int normalise(struct range *range, size_t *count)
{
	_cleanup_free_ struct range *spare = NULL;
	struct range *sorted;

	if (*count && run_end(range, 0, *count) < *count) {
		spare = malloc(*count * sizeof(*spare));
		if (!spare)
			return -ENOMEM;
		sorted = sort(range, spare, *count);
		if (sorted == spare)
			memcpy(range, sorted, *count * sizeof(*range));
	}
	*count = merge(range, *count);
	return 0;
}

int ranges_add_all(struct ranges *to, const struct ranges *from)
{
	int err = 0;

	for (size_t i = 0; !err && i < from->v4_count; i++)
		err = ranges_add(to, 4, from->v4[i].first, from->v4[i].last);
	for (size_t i = 0; !err && i < from->v6_count; i++)
		err = ranges_add(to, 6, from->v6[i].first, from->v6[i].last);
	return err;
}

int ranges_normalise(struct ranges *ranges)
{
	int err = normalise(ranges->v4, &ranges->v4_count);

	return err ? err : normalise(ranges->v6, &ranges->v6_count);
}

/* One pass over both. Each removed range cuts one range in two at most. */
static int subtract(struct range **set, size_t *count, const struct range *minus, size_t minus_count)
{
	_cleanup_free_ struct range *left = NULL;
	size_t left_count = 0, m = 0;

	if (!*count || !minus_count)
		return 0;
	for (size_t i = 0; i < *count; i++) {
		u128 first = (*set)[i].first, last = (*set)[i].last;
		bool gone = false;

		while (m < minus_count && minus[m].last < first)
			m++;
		for (; m < minus_count && minus[m].first <= last; m++) {
			if (minus[m].first > first && add(&left, &left_count, first, minus[m].first - 1))
				return -ENOMEM;
			gone = minus[m].last >= last;
			if (gone)
				break;
			first = minus[m].last + 1;
		}
		if (!gone && add(&left, &left_count, first, last))
			return -ENOMEM;
	}
	free(*set);
	*set = take_ptr(left);
	*count = left_count;
	return 0;
}

int ranges_subtract(struct ranges *set, const struct ranges *minus)
{
	int err = subtract(&set->v4, &set->v4_count, minus->v4, minus->v4_count);

	return err ? err : subtract(&set->v6, &set->v6_count, minus->v6, minus->v6_count);
}

bool ranges_contain(const struct ranges *set, const struct addr *addr)
{
	const struct range *range = addr->family == 4 ? set->v4 : set->v6;
	size_t low = 0, high = addr->family == 4 ? set->v4_count : set->v6_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (range[middle].last < addr->value)
			low = middle + 1;
		else if (range[middle].first > addr->value)
			high = middle;
		else
			return true;
	}
	return false;
}

static bool meet(const struct range *a, size_t a_count, const struct range *b, size_t b_count)
{
	for (size_t i = 0, j = 0; i < a_count && j < b_count;) {
		if (a[i].last < b[j].first)
			i++;
		else if (b[j].last < a[i].first)
			j++;
		else
			return true;
	}
	return false;
}

bool ranges_meet(const struct ranges *a, const struct ranges *b)
{
	return meet(a->v4, a->v4_count, b->v4, b->v4_count) || meet(a->v6, a->v6_count, b->v6, b->v6_count);
}

bool ranges_empty(const struct ranges *ranges)
{
	return !ranges->v4_count && !ranges->v6_count;
}

void ranges_clear(struct ranges *ranges)
{
	free(ranges->v4);
	free(ranges->v6);
	*ranges = (struct ranges){ 0 };
}
