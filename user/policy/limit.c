// SPDX-License-Identifier: GPL-2.0-only
/* The key `limit` of a rule, and what it means in time. */
#include <inttypes.h>
#include <string.h>

#include "policy/schema.h"
#include "zonewall.h"

#define SECOND_NS UINT64_C(1000000000)
#define HOUR_NS (3600 * SECOND_NS)
#define PER_HOUR_MAX (3600 * UINT64_C(1000000))

uint64_t limit_cost_ns(const struct limit *limit)
{
	return HOUR_NS / limit->per_hour / ZW_LIMIT_STEP_NS * ZW_LIMIT_STEP_NS;
}

/* FNV-1a (Fowler, Noll, Vo), with the halves mixed at last. */
static uint64_t hash(uint64_t h, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
	return h;
}

uint64_t limit_key(const char *id, const struct limit *limit)
{
	const uint64_t words[] = { limit->per_hour, limit->burst, limit->per_source, limit->ban_s };
	uint64_t h = hash(hash(0xcbf29ce484222325ull, id, strlen(id)), words, sizeof(words));

	return (h ^ h >> 32) * 0x9e3779b97f4a7c15ull;
}

/* A limit that is being read, and where its keys stand. */
struct draft {
	struct limit limit;
	const struct node *burst, *per, *ban;
};

/* The number before a unit: from 1 to max. */
static bool read_with_unit(const char *text, size_t len, uint64_t max, uint64_t *ret_number)
{
	char number[16];

	if (len >= sizeof(number))
		return false;
	memcpy(number, text, len);
	number[len] = 0;
	return !number_read(number, max, ret_number) && *ret_number;
}

static void read_rate(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	static const struct {
		const char *suffix;
		unsigned an_hour;
	} units[] = { { "/s", 3600 }, { "/m", 60 }, { "/h", 1 } };
	struct draft *draft = into;
	const char *slash;
	uint64_t rate;

	(void)key;
	if (!want_text(reader, value, "a rate (50/s, 100/m, 1000/h)"))
		return;
	slash = strchr(value->text, '/');
	for (size_t i = 0; slash && i < ARRAY_LEN(units); i++)
		if (!strcmp(slash, units[i].suffix) &&
		    read_with_unit(value->text, slash - value->text, PER_HOUR_MAX / units[i].an_hour, &rate)) {
			draft->limit.per_hour = rate * units[i].an_hour;
			return;
		}
	diag_error(reader->diag, &value->place, "write 50/s, 100/m or 1000/h: at least 1, at most 1000000 a second",
		   "'%.60s' is not a rate", value->text);
}

static void read_burst(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct draft *draft = into;
	uint64_t burst;

	(void)key;
	if (want_number(reader, value, 1, UINT32_MAX, &burst))
		return;
	draft->limit.burst = burst;
	draft->burst = value;
}

static void read_per(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	static const char *const words[] = { "source", NULL };
	struct draft *draft = into;

	draft->per = key;
	draft->limit.per_source = !want_word(reader, value, words);
}

static const struct {
	char letter;
	unsigned seconds;
} times[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

const char *limit_print_ban(const struct limit *limit, char ret_text[32])
{
	size_t i = 0;

	while (limit->ban_s % times[i].seconds)
		i++;
	snprintf(ret_text, 32, "%" PRIu32 "%c", limit->ban_s / times[i].seconds, times[i].letter);
	return ret_text;
}

/* A number from 1 to 9999 with a unit. Without: ret_s is left alone after a report. */
void want_time(struct reader *reader, const struct node *value, uint32_t *ret_s)
{
	uint64_t number;
	size_t len;

	if (!want_text(reader, value, "a time (30s, 5m, 1h, 1d)"))
		return;
	len = strlen(value->text);
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		if (value->text[len - 1] == times[i].letter && read_with_unit(value->text, len - 1, 9999, &number)) {
			*ret_s = number * times[i].seconds;
			return;
		}
	diag_error(reader->diag, &value->place, "write 30s, 5m, 1h or 1d: a number from 1 to 9999", "'%.60s' is not a time",
		   value->text);
}

static void read_ban(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct draft *draft = into;

	draft->ban = key;
	want_time(reader, value, &draft->limit.ban_s);
}

static const struct schema limit_schema = {
	"a limit",
	(const struct field[]){
		{ "rate", true, read_rate },
		{ "burst", false, read_burst },
		{ "per", false, read_per },
		{ "ban", false, read_ban },
		{ 0 },
	},
};

/* Keys that do not go together, and numbers that do not. */
static void check(struct reader *reader, const struct draft *draft)
{
	const struct limit *limit = &draft->limit;
	uint64_t most;

	if (draft->ban && !draft->per)
		diag_error(reader->diag, &draft->ban->place, "add 'per: source'",
			   "'ban' needs 'per: source': nobody in particular overruns what all sources share");
	if (!limit->per_hour || !draft->burst)
		return;
	most = ZW_LIMIT_DEPTH_MAX_NS / limit_cost_ns(limit);
	if (limit->burst > most)
		diag_error(reader->diag, &draft->burst->place, NULL,
			   "at this rate a burst of %" PRIu32 " takes more than %" PRIu64 " days to come in; at most %" PRIu64
			   " is possible",
			   limit->burst, (uint64_t)(ZW_LIMIT_DEPTH_MAX_NS / (24 * HOUR_NS)), most);
}

void read_limit_map(struct reader *reader, const struct node *value, struct limit *limit)
{
	struct draft draft = { 0 };

	if (!schema_read(reader, &limit_schema, value, &draft))
		return;
	check(reader, &draft);
	*limit = draft.limit;
	limit->set = true;
	/* One second's worth, at least 1. */
	if (!limit->burst)
		limit->burst = limit->per_hour / 3600 ? limit->per_hour / 3600 : 1;
}
