/* SPDX-License-Identifier: GPL-2.0-only */
#include "oracle_limit.h"

#include <math.h>
#include <stdlib.h>

/*
 * A bucket holds time: what a token takes to come in, a whole number of steps of 4 ns as the manual says, is what one costs. 128
 * bits hold it for any time.
 */
#define HOUR_NS ((u128)3600 * 1000000000)
#define TICK_NS 1000000

static u128 cost(const struct limit *limit)
{
	u128 steps = HOUR_NS / 4 / limit->per_hour;

	return steps * 4;
}

struct bucket {
	struct bucket *next;
	const struct rule *rule;
	struct addr source; /* whose it is, if the rule has one for each; else family 0 */
	u128 ns;
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
	u128 burst = limit->burst * cost(limit), tick = cost(limit) + TICK_NS;

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
		bucket->ns += (u128)(now - bucket->time) * TICK_NS;
		bucket->time = now;
	}
	if (bucket->ns > most)
		bucket->ns = most;
	if (bucket->ns < cost(&rule->limit))
		return false;
	bucket->ns -= cost(&rule->limit);
	return true;
}
