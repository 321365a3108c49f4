/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words for a set of places mean that set: random sets and random services, and each word read back, place by place.
 *
 *   service_words [--seed N] [--sets N]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cmd/service_words.h"
#include "generate.h"
#include "test.h"

/* --- Every place, by number ---------------------------------------------------------------------------------------- */

static const char *const names[] = { "tcp", "udp", "sctp", "icmp", "icmpv6" };
static const uint8_t numbers[] = { 6, 17, 132, 1, 58 };
#define GROUPS 5
#define PLACES (GROUPS * 65536 + 256)

static uint8_t possible_map[PLACES], wanted[PLACES], meant[PLACES];

static void mark(uint8_t *map, uint8_t protocol, unsigned first, unsigned last, uint8_t value)
{
	for (unsigned group = 0; group < GROUPS; group++)
		if (numbers[group] == protocol) {
			memset(map + group * 65536 + first, value, last - first + 1);
			return;
		}
	map[GROUPS * 65536 + protocol] = value;
}

static void mark_all(uint8_t *map, const struct selectors *set, uint8_t value)
{
	for (size_t i = 0; i < set->count; i++)
		mark(map, set->v[i].protocol, set->v[i].first, set->v[i].last, value);
}

/* --- What words mean ----------------------------------------------------------------------------------------------- */

static void mark_form(uint8_t *map, const char *form, uint8_t value)
{
	unsigned a = 0, b = 0, group = 0;
	const char *slash = strchr(form, '/');
	size_t len = slash ? (size_t)(slash - form) : strlen(form);
	int parts = slash ? sscanf(slash, slash && strchr(form, '-') ? "/%u-%u" : "/%u/%u", &a, &b) : 0;

	while (group < GROUPS && (strlen(names[group]) != len || strncmp(names[group], form, len)))
		group++;
	if (group == GROUPS)
		mark(map, a, 0, 65535, value); /* proto/N */
	else if (!slash)
		mark(map, numbers[group], 0, 65535, value);
	else if (group >= 3)
		mark(map, numbers[group], a << 8 | b, parts == 2 ? a << 8 | b : a << 8 | 255, value);
	else
		mark(map, numbers[group], a, parts == 2 ? b : a, value);
}

static void mark_others(uint8_t *map, uint8_t value)
{
	for (unsigned i = 0; i < 256; i++)
		map[GROUPS * 65536 + i] = value;
}

static void mark_word(const struct policy *policy, uint8_t *map, const char *word, uint8_t value)
{
	for (size_t i = 0; i < policy->service_count; i++)
		if (!strcmp(policy->services[i].name, word)) {
			mark_all(map, &policy->services[i].selectors, value);
			return;
		}
	if (!strcmp(word, "any") || !strcmp(word, "all"))
		memset(map, value, PLACES);
	else if (!strcmp(word, "other protocols"))
		mark_others(map, value);
	else
		mark_form(map, word, value);
}

/* "web"; "tcp but ssh, tcp/8080" */
static void mean(const struct policy *policy, const char *text, uint8_t *map)
{
	static uint8_t own[PLACES];
	char copy[65536], *but, *save;

	snprintf(copy, sizeof(copy), "%s", text);
	but = strstr(copy, " but ");
	if (but)
		*but = 0;
	memset(own, 0, sizeof(own));
	mark_word(policy, own, copy, 1);
	for (char *word = but ? strtok_r(but + strlen(" but "), ",", &save) : NULL; word;
	     word = strtok_r(NULL, ",", &save))
		mark_word(policy, own, word + strspn(word, " "), 0);
	for (size_t i = 0; i < PLACES; i++)
		map[i] |= own[i];
}

/* --- Random sets --------------------------------------------------------------------------------------------------- */

static void add(struct selectors *set, uint8_t protocol, unsigned first, unsigned last)
{
	if (array_grow(&set->v, set->count, sizeof(*set->v)))
		abort();
	set->v[set->count++] = (struct selector){ .protocol = protocol, .first = first, .last = last };
}

static bool has_ports(uint8_t protocol)
{
	return memchr(numbers, protocol, sizeof(numbers));
}

/* As the map has it, each protocol in order, pieces as long as they can be. */
static void read_map(const uint8_t *map, struct selectors *set)
{
	*set = (struct selectors){ 0 };
	for (unsigned group = 0; group < GROUPS; group++)
		for (unsigned first = 0, end; first < 65536; first = end) {
			const uint8_t *at = map + group * 65536;

			for (end = first + 1; end < 65536 && at[end] == at[first]; end++)
				;
			if (at[first])
				add(set, numbers[group], first, end - 1);
		}
	for (unsigned i = 0; i < 256; i++)
		if (map[GROUPS * 65536 + i] && !has_ports(i))
			add(set, i, 0, 65535);
}

static const unsigned ports[] = { 0,    1,    21,   22,   23,   79,   80,    81,   443,
				  2048, 2049, 2303, 2304, 8000, 8099, 65534, 65535 };

static void draw_range(struct random *random, uint8_t *protocol, unsigned *first, unsigned *last)
{
	*protocol = random_percent(random, 80) ? numbers[random_below(random, GROUPS)]
					       : random_below(random, 256);
	*first = 0, *last = 65535;
	if (!has_ports(*protocol) || random_percent(random, 20))
		return;
	*first = ports[random_below(random, ARRAY_LEN(ports))];
	*last = random_percent(random, 50) ? *first : ports[random_below(random, ARRAY_LEN(ports))];
	if (*last < *first)
		*last = *first;
}

static void change_map(struct random *random, uint8_t *map, unsigned most, uint8_t value)
{
	for (unsigned n = random_below(random, most); n; n--) {
		unsigned first, last;
		uint8_t protocol;

		draw_range(random, &protocol, &first, &last);
		mark(map, protocol, first, last, value);
	}
}

static void draw_services(struct random *random, struct policy *policy)
{
	static uint8_t map[PLACES];
	static char text[8][4];

	policy->service_count = random_below(random, 8);
	for (size_t i = 0; i < policy->service_count; i++) {
		memset(map, 0, sizeof(map));
		change_map(random, map, 4, 1);
		sprintf(text[i], "s%zu", i);
		policy->services[i].name = text[i];
		read_map(map, &policy->services[i].selectors);
	}
}

static void draw_sets(struct random *random, struct selectors *possible, struct selectors *places)
{
	memset(possible_map, 1, sizeof(possible_map));
	memset(wanted, random_percent(random, 40), sizeof(wanted));
	change_map(random, possible_map, 3, 0);
	change_map(random, wanted, 6, 1);
	change_map(random, wanted, 6, 0);
	for (unsigned i = 0; i < GROUPS; i++)
		possible_map[GROUPS * 65536 + numbers[i]] = 0;
	for (size_t i = 0; i < PLACES; i++)
		wanted[i] &= possible_map[i];
	read_map(possible_map, possible);
	read_map(wanted, places);
}

static bool one_set(struct random *random)
{
	struct named_service services[8] = { 0 };
	struct policy policy = { .services = services };
	struct selectors possible, places;
	struct json_object *list = NULL;
	bool good;

	draw_services(random, &policy);
	draw_sets(random, &possible, &places);
	memset(meant, 0, sizeof(meant));
	good = !places.count || !service_words(&policy, &possible, &places, &list);
	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		mean(&policy, json_object_get_string(json_object_array_get_idx(list, i)), meant);
	for (size_t i = 0; i < PLACES && good; i++)
		good = (meant[i] & possible_map[i]) == wanted[i];
	if (!good)
		note("%s", list ? json_object_to_json_string(list) : "no words");
	json_object_put(list);
	for (size_t i = 0; i < policy.service_count; i++)
		free(services[i].selectors.v);
	free(possible.v);
	free(places.v);
	return good;
}

int main(int argc, char **argv)
{
	unsigned long sets = 400, failures = 0;
	struct random random = { 1 };

	read_seed(argc, argv, "--sets", &random.state, &sets);
	for (unsigned long i = 0; i < sets && failures < 5; i++)
		failures += !one_set(&random);
	ok(!failures, "words mean the places that they stand for: %lu sets", sets);
	return done();
}
