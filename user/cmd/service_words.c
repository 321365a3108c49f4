// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/service_words.h"

#include <netinet/in.h>

#include "base/util.h"
#include "policy/canonical.h"
#include "watch/buffer.h"

DEFINE_CLEANUP(struct json_object *, json_object_put)

/* --- Sets of places ------------------------------------------------------------------------------------------------ */

static void clear(struct selectors *set)
{
	free(set->v);
	*set = (struct selectors){ 0 };
}

static bool meet(const struct selector *a, const struct selector *b)
{
	return b->any_protocol || (a->protocol == b->protocol && a->first <= b->last && b->first <= a->last);
}

uint64_t service_common(const struct selectors *places, const struct selectors *service)
{
	uint64_t count = 0;

	for (size_t i = 0; i < places->count; i++)
		for (size_t j = 0; j < service->count; j++) {
			const struct selector *a = &places->v[i], *b = &service->v[j];
			unsigned first = a->first > b->first ? a->first : b->first,
				 last = a->last < b->last ? a->last : b->last;

			if (meet(a, b))
				count += last - first + 1;
		}
	return count;
}

static int add(struct selectors *set, uint8_t protocol, unsigned first, unsigned last)
{
	if (array_grow(&set->v, set->count, sizeof(*set->v)))
		return -ENOMEM;
	set->v[set->count++] = (struct selector){ .protocol = protocol, .first = first, .last = last };
	return 0;
}

static int subtract_one(const struct selectors *set, const struct selector *minus, struct selectors *rest)
{
	int err = 0;

	for (size_t i = 0; i < set->count && !err; i++) {
		const struct selector *s = &set->v[i];

		if (!meet(s, minus)) {
			err = add(rest, s->protocol, s->first, s->last);
			continue;
		}
		if (s->first < minus->first)
			err = add(rest, s->protocol, s->first, minus->first - 1);
		if (!err && s->last > minus->last)
			err = add(rest, s->protocol, minus->last + 1, s->last);
	}
	return err;
}

static int subtract(struct selectors *set, const struct selectors *minus)
{
	int err = 0;

	for (size_t i = 0; i < minus->count && !err; i++) {
		struct selectors rest = { 0 };

		err = subtract_one(set, &minus->v[i], &rest);
		clear(set);
		*set = rest;
	}
	return err;
}

/* --- Names, and forms for the rest --------------------------------------------------------------------------------- */

/* Protocols whose places are told together: each of the first ones, and all others. */
static const uint8_t grouped[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP, IPPROTO_ICMPV6 };
#define OTHERS ARRAY_LEN(grouped)
static const char *const group_names[OTHERS + 1] = {
	"tcp", "udp", "sctp", "icmp", "icmpv6", "other protocols"
};

static size_t group_of(uint8_t protocol)
{
	size_t group = 0;

	while (group < OTHERS && grouped[group] != protocol)
		group++;
	return group;
}

static int take_group(const struct selectors *from, size_t group, struct selectors *ret_set)
{
	int err = 0;

	for (size_t i = 0; i < from->count && !err; i++)
		if (group > OTHERS || group_of(from->v[i].protocol) == group)
			err = add(ret_set, from->v[i].protocol, from->v[i].first, from->v[i].last);
	return err;
}

static int copy(const struct selectors *from, struct selectors *ret_set)
{
	return take_group(from, OTHERS + 1, ret_set);
}

static void append(struct json_object *list, const char *text)
{
	json_object_array_add(list, json_object_new_string(text));
}

/* Pieces of the rest that a service leaves, or SIZE_MAX without memory. */
static size_t pieces_without(const struct selectors *rest, const struct selectors *service)
{
	struct selectors left = { 0 };
	size_t count = copy(rest, &left) || subtract(&left, service) ? SIZE_MAX : left.count;

	clear(&left);
	return count;
}

/*
 * The service that has most of the rest, nothing but what is named, and whole pieces of it: ssh is no name for a part of
 * tcp/0-1023.
 */
static const struct named_service *best_name(const struct policy *policy, const struct selectors *others,
					     const struct selectors *rest)
{
	const struct named_service *best = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < policy->service_count; i++) {
		const struct named_service *service = &policy->services[i];
		uint64_t common = service_common(rest, &service->selectors);

		if (common <= most || service_common(others, &service->selectors) ||
		    pieces_without(rest, &service->selectors) >= rest->count)
			continue;
		most = common;
		best = service;
	}
	return best;
}

static int append_names(const struct policy *policy, const struct selectors *others, struct selectors *rest,
			struct json_object *list)
{
	const struct named_service *service;
	int err = 0;

	while (!err && (service = best_name(policy, others, rest))) {
		append(list, service->name);
		err = subtract(rest, &service->selectors);
	}
	return err;
}

/* Forms of the language for what is left of a group: a whole one of its own name. */
static int append_forms(const struct selectors *others, const struct selectors *rest, size_t group,
			struct json_object *list)
{
	_cleanup_(json_object_putp) struct json_object *forms = NULL;
	struct selectors part = { 0 }, missing = { 0 };
	int err = take_group(rest, group, &part);

	if (!err)
		err = take_group(others, group, &missing);
	if (!err && part.count && !missing.count && group == OTHERS && part.count > 1)
		append(list, group_names[group]);
	else if (!err && part.count)
		forms = canonical_service(&part);
	for (size_t i = 0; forms && i < json_object_array_length(forms); i++)
		json_object_array_add(list, json_object_get(json_object_array_get_idx(forms, i)));
	clear(&part);
	clear(&missing);
	return err;
}

/* others: what is possible and not among the places. */
static int name_places(const struct policy *policy, const struct selectors *others,
		       const struct selectors *places, struct json_object **ret_list)
{
	struct json_object *list = json_object_new_array();
	struct selectors rest = { 0 };
	int err = copy(places, &rest);

	if (!err)
		err = append_names(policy, others, &rest, list);
	for (size_t group = 0; group <= OTHERS && !err; group++)
		err = append_forms(others, &rest, group, list);
	clear(&rest);
	*ret_list = list;
	return err;
}

/* --- What is missing ----------------------------------------------------------------------------------------------- */

static int append_but(struct json_object *list, const char *whole, struct json_object *missing)
{
	struct buffer text = { 0 };
	int err;

	buffer_printf(&text, "%s but ", whole);
	for (size_t i = 0; i < json_object_array_length(missing); i++) {
		buffer_put(&text, i ? ", " : "");
		buffer_put(&text, json_object_get_string(json_object_array_get_idx(missing, i)));
	}
	err = text.failed ? -ENOMEM : 0;
	if (!err)
		append(list, text.data);
	buffer_free(&text);
	return err;
}

/* A group of many pieces, of which fewer are missing: "tcp but ssh". It leaves the rest then. */
static int append_group(const struct policy *policy, const struct selectors *others, struct selectors *rest,
			size_t group, struct json_object *list)
{
	_cleanup_(json_object_putp) struct json_object *missing = NULL;
	struct selectors part = { 0 }, without = { 0 };
	int err = take_group(rest, group, &part);

	if (!err)
		err = take_group(others, group, &without);
	if (!err && part.count > 1 && without.count)
		err = name_places(policy, rest, &without, &missing);
	if (!err && missing && json_object_array_length(missing) < part.count) {
		err = append_but(list, group_names[group], missing);
		if (!err)
			err = subtract(rest, &part);
	}
	clear(&part);
	clear(&without);
	return err;
}

static int name_parts(const struct policy *policy, const struct selectors *others,
		      const struct selectors *places, struct json_object **ret_list)
{
	_cleanup_(json_object_putp) struct json_object *names = NULL;
	struct json_object *list = json_object_new_array();
	struct selectors rest = { 0 };
	int err = copy(places, &rest);

	for (size_t group = 0; group <= OTHERS && !err; group++)
		err = append_group(policy, others, &rest, group, list);
	if (!err)
		err = name_places(policy, others, &rest, &names);
	for (size_t i = 0; !err && i < json_object_array_length(names); i++)
		json_object_array_add(list, json_object_get(json_object_array_get_idx(names, i)));
	clear(&rest);
	*ret_list = list;
	return err;
}

/* How much there is to read: names and forms, and each `but`. */
static size_t length_of(struct json_object *list)
{
	size_t length = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(list, i));

		length += 1 + !!strstr(text, " but ");
		while ((text = strchr(text, ',')))
			text++, length++;
	}
	return length;
}

static int choose(const struct policy *policy, const struct selectors *others, const struct selectors *places,
		  struct json_object **ret_list)
{
	_cleanup_(json_object_putp) struct json_object *missing = NULL;
	int err = name_parts(policy, others, places, ret_list);

	if (!err)
		err = name_places(policy, places, others, &missing);
	if (err || 1 + length_of(missing) >= length_of(*ret_list))
		return err;
	json_object_put(*ret_list);
	*ret_list = json_object_new_array();
	return append_but(*ret_list, "all", missing);
}

int service_words(const struct policy *policy, const struct selectors *possible,
		  const struct selectors *places, struct json_object **ret_list)
{
	struct json_object *list = NULL;
	struct selectors others = { 0 };
	int err = copy(possible, &others);

	if (!err)
		err = subtract(&others, places);
	if (!err && !others.count) {
		list = json_object_new_array();
		append(list, "any");
	} else if (!err) {
		err = choose(policy, &others, places, &list);
	}
	clear(&others);
	if (err)
		json_object_put(list);
	else
		*ret_list = list;
	return err;
}
