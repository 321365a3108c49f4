// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/reach_places.h"

#include <netinet/in.h>

#include "base/util.h"

/* What stage essentials looks at, apart from addresses. */
static unsigned special_of(uint8_t protocol, uint16_t port)
{
	unsigned type = port >> 8;

	if (protocol == IPPROTO_UDP)
		return port == 67 ? 1 : port == 68 ? 2 : port == 546 ? 3 : port == 547 ? 4 : 0;
	if (protocol != IPPROTO_ICMPV6)
		return 0;
	if ((type >= 130 && type <= 132) || type == 143)
		return 5;
	return type == 134 ? 6 : type == 133 || type == 135 || type == 136 ? 7 : 0;
}

/* Does a stage but policy and failsafe know the protocol? Protocols that only these know are one group. */
static bool is_known(uint8_t protocol)
{
	static const uint8_t known[] = { IPPROTO_TCP,  IPPROTO_UDP,    IPPROTO_SCTP,
					 IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_IGMP };

	return memchr(known, protocol, sizeof(known));
}

struct visit {
	const struct cells *cells;
	struct reach_places *places;
	int err;
};

static struct reach_group *find_group(struct visit *visit, uint8_t protocol, unsigned special)
{
	struct reach_places *places = visit->places;
	size_t classes = cells_class_count(visit->cells);
	struct reach_group *group;

	for (size_t i = 0; i < places->count; i++) {
		group = &places->group[i];
		if (group->special == special &&
		    (group->protocol == protocol || (!is_known(protocol) && !is_known(group->protocol))))
			return group;
	}
	if (array_grow(&places->group, places->count, sizeof(*places->group)))
		return NULL;
	group = &places->group[places->count++];
	*group = (struct reach_group){
		.protocol = protocol,
		.special = special,
		.kind = place_kind(protocol),
		.place = array_new(classes, sizeof(*group->place)),
		.before = array_new(classes + 1, sizeof(*group->before)),
	};
	return group->place && group->before ? group : NULL;
}

/* Ports that people know make the better examples. */
static const uint16_t known[] = { 443, 80 };

/* The better, the smaller. */
static size_t rank(const struct reach_group *group, const struct reach_place *place)
{
	size_t n = 0;

	if (!place->is_set)
		return ARRAY_LEN(known) + 1;
	while (n < ARRAY_LEN(known) && (group->kind == PLACE_OTHER || place->port != known[n]))
		n++;
	return n;
}

static void add_place(struct visit *visit, uint8_t protocol, uint16_t port, uint32_t class)
{
	const struct reach_place place = { protocol, true, port };
	struct reach_group *group =
		visit->err ? NULL : find_group(visit, protocol, special_of(protocol, port));

	if (!group)
		visit->err = -ENOMEM;
	else if (rank(group, &place) < rank(group, &group->place[class]))
		group->place[class] = place;
}

/* A visitor. */
static bool add_places(void *context, uint8_t protocol, uint16_t first, uint16_t last, uint32_t class)
{
	struct visit *visit = context;
	bool by_type = place_kind(protocol) == PLACE_OTHER;

	for (size_t i = 0; i < ARRAY_LEN(known) && !by_type; i++)
		if (first <= known[i] && known[i] <= last)
			add_place(visit, protocol, known[i], class);
	/* Port 0 is a port, but none that people would try. */
	add_place(visit, protocol, !first && last && !by_type ? 1 : first, class);
	/* All others of the class are like these, but for those that stage essentials knows. */
	for (uint32_t port = first; port <= last && (protocol == IPPROTO_UDP || protocol == IPPROTO_ICMPV6);
	     port++)
		add_place(visit, protocol, port, class);
	return !visit->err;
}

int reach_places_find(const struct cells *cells, int family, const struct selectors *service,
		      struct reach_places *ret_places)
{
	struct reach_places places = { 0 };
	struct visit visit = { cells, &places, 0 };

	places_walk(cells, service, &(struct origin){ .family = family }, add_places, &visit);
	for (size_t i = 0; i < places.count && !visit.err; i++)
		for (uint32_t class = 0; class < cells_class_count(cells); class++)
			places.group[i].before[class + 1] =
				places.group[i].before[class] + places.group[i].place[class].is_set;
	if (visit.err)
		reach_places_clear(&places);
	*ret_places = places;
	return visit.err;
}

const struct reach_place *reach_group_example(const struct reach_group *group, uint32_t first, uint32_t end,
					      const struct reach_place *other)
{
	const struct reach_place *best = other ? other : &group->place[first];

	for (uint32_t class = first; class < end; class++)
		if (rank(group, &group->place[class]) < rank(group, best))
			best = &group->place[class];
	return best;
}

void reach_places_clear(struct reach_places *places)
{
	for (size_t i = 0; i < places->count; i++) {
		free(places->group[i].place);
		free(places->group[i].before);
	}
	free(places->group);
	*places = (struct reach_places){ 0 };
}
