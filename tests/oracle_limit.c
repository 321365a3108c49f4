/* SPDX-License-Identifier: GPL-2.0-only */
#include "oracle_limit.h"

#include <math.h>
#include <stdlib.h>

/*
 * Parts of a token: so many that each millisecond brings in a whole number of them, which is the rule's rate an hour. 128 bits
 * hold any of them for any time.
 */
#define PARTS ((u128)3600 * 1000)

struct bucket {
	struct bucket *next;
	const struct rule *rule;
	struct addr source; /* whose it is, if the rule has one for each; else family 0 */
	u128 parts;
	int64_t time; /* at which it held them, milliseconds */
};

struct oracle_limits {
	struct bucket *first;
};

struct oracle_limits *oracle_limits_new(void)
{
	return calloc(1, sizeof(struct oracle_limits));
}

void oracle_limits_free(struct oracle_limits *limits)
{
	while (limits && limits->first) {
		struct bucket *bucket = limits->first;

		limits->first = bucket->next;
		free(bucket);
	}
	free(limits);
}

/* The burst; but what comes in during a tick comes in at once, and there is room for that and one token. */
static u128 capacity(const struct limit *limit)
{
	u128 burst = limit->burst * PARTS, tick = PARTS + limit->per_hour;

	return burst > tick ? burst : tick;
}

/* The IPv4 address, or the IPv6 /64. */
static struct addr source_of(const struct rule *rule, const struct addr *from)
{
	struct addr source = *from;

	if (!rule->limit.per_source)
		return (struct addr){0};
	if (source.family == 6)
		source.value = source.value >> 64 << 64;
	return source;
}

static struct bucket *find(struct oracle_limits *limits, const struct rule *rule, const struct addr *source)
{
	for (struct bucket *bucket = limits->first; bucket; bucket = bucket->next)
		if (bucket->rule == rule && bucket->source.family == source->family && bucket->source.value == source->value)
			return bucket;
	return NULL;
}

static struct bucket *add(struct oracle_limits *limits, const struct rule *rule, const struct addr *source, int64_t now)
{
	struct bucket *bucket = calloc(1, sizeof(*bucket));

	if (!bucket)
		abort();
	*bucket = (struct bucket){limits->first, rule, *source, capacity(&rule->limit), now};
	limits->first = bucket;
	return bucket;
}

bool oracle_limits_take(struct oracle_limits *limits, const struct rule *rule, const struct addr *from, double time)
{
	struct addr source = source_of(rule, from);
	struct bucket *bucket = find(limits, rule, &source);
	int64_t now = llround(time * 1000);
	u128 most = capacity(&rule->limit);

	if (!bucket)
		bucket = add(limits, rule, &source, now);
	if (now > bucket->time) {
		bucket->parts += (u128)(now - bucket->time) * rule->limit.per_hour;
		bucket->time = now;
	}
	if (bucket->parts > most)
		bucket->parts = most;
	if (bucket->parts < PARTS)
		return false;
	bucket->parts -= PARTS;
	return true;
}
