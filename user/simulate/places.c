// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/places.h"

#include <netinet/in.h>

#include "base/util.h"

/* Protocols with ports or types, in the order in which people think of them. */
static const uint8_t first_protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_SCTP };

/* Headers that the parser reads through are no protocols: AH everywhere, IPv6's extension headers (RFC 8200 4, RFC 6275). */
static bool is_possible(int family, uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_AH:
		return false;
	case IPPROTO_ICMPV6:
		return family == 6;
	case IPPROTO_ICMP:
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
		return family == 4;
	default:
		return true;
	}
}

/* Ports first..last, as far as packets from this origin have them. False: none of them. */
static bool restrict_ports(const struct origin *origin, uint8_t protocol, uint32_t *first, uint32_t *last)
{
	if (!is_possible(origin->family, protocol))
		return false;
	if (!origin->unspecified || protocol == IPPROTO_ICMPV6)
		return true;
	if (protocol != IPPROTO_UDP || *first > DHCP_SERVER || *last < DHCP_SERVER)
		return false;
	*first = *last = DHCP_SERVER;
	return true;
}

static bool has_ports(uint8_t protocol)
{
	for (size_t i = 0; i < ARRAY_LEN(first_protocols); i++)
		if (first_protocols[i] == protocol)
			return true;
	return false;
}

static bool walk_runs(const struct cells *cells, const struct origin *origin, uint8_t protocol,
		      const struct selector *selector, place_visitor *visit, void *context)
{
	uint32_t first = selector->first, last = selector->last;
	size_t count;
	const struct cell_run *run = cells_ports(cells, protocol, &count);

	if (!has_ports(protocol))
		first = last = 0;
	if (!restrict_ports(origin, protocol, &first, &last))
		return true;
	for (size_t i = 0; i < count && run[i].first <= last; i++) {
		uint32_t low = run[i].first > first ? run[i].first : first;
		uint32_t end = i + 1 < count && run[i + 1].first <= last ? run[i + 1].first : last + 1;

		if (low < end && !visit(context, protocol, low, end - 1, run[i].value))
			return false;
	}
	return true;
}

static bool walk_protocol(const struct cells *cells, const struct selectors *service, const struct origin *origin,
			  uint8_t protocol, place_visitor *visit, void *context)
{
	static const struct selector all = { .any_protocol = true, .last = 65535 };

	for (size_t i = 0; i < service->count; i++) {
		const struct selector *selector = &service->v[i];

		if (!selector->any_protocol && selector->protocol != protocol)
			continue;
		if (!walk_runs(cells, origin, protocol, selector->any_protocol ? &all : selector, visit, context))
			return false;
	}
	return true;
}

void places_walk(const struct cells *cells, const struct selectors *service, const struct origin *origin,
		 place_visitor *visit, void *context)
{
	for (size_t i = 0; i < ARRAY_LEN(first_protocols); i++)
		if (!walk_protocol(cells, service, origin, first_protocols[i], visit, context))
			return;
	for (unsigned protocol = 0; protocol < 256; protocol++)
		if (!has_ports(protocol) && !walk_protocol(cells, service, origin, protocol, visit, context))
			return;
}

bool places_hold(const struct selectors *service, const struct origin *origin, uint8_t protocol, uint16_t port)
{
	uint32_t first = port, last = port;

	if (!restrict_ports(origin, protocol, &first, &last))
		return false;
	for (size_t i = 0; i < service->count; i++) {
		const struct selector *s = &service->v[i];

		if (s->any_protocol || (s->protocol == protocol && s->first <= port && port <= s->last))
			return true;
	}
	return false;
}

enum place_kind place_kind(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return PLACE_TCP;
	case IPPROTO_UDP:
		return PLACE_UDP;
	case IPPROTO_SCTP:
		return PLACE_SCTP;
	default:
		return PLACE_OTHER;
	}
}

static bool mark(void *context, uint8_t protocol, uint16_t first, uint16_t last, uint32_t class)
{
	struct place_classes *classes = context;

	(void)first, (void)last;
	classes->before[place_kind(protocol)][class + 1] = 1;
	classes->any = true;
	return true;
}

int place_classes_find(const struct cells *cells, const struct selectors *service, const struct origin *origin,
		       struct place_classes *ret_classes)
{
	struct place_classes classes = { 0 };
	uint32_t count = cells_class_count(cells);

	for (int kind = 0; kind < PLACE_KINDS; kind++) {
		classes.before[kind] = array_new(count + (size_t)1, sizeof(*classes.before[kind]));
		if (!classes.before[kind]) {
			place_classes_clear(&classes);
			return -ENOMEM;
		}
	}
	places_walk(cells, service, origin, mark, &classes);
	for (int kind = 0; kind < PLACE_KINDS; kind++)
		for (uint32_t class = 0; class < count; class++)
			classes.before[kind][class + 1] += classes.before[kind][class];
	*ret_classes = classes;
	return 0;
}

void place_classes_clear(struct place_classes *classes)
{
	for (int kind = 0; kind < PLACE_KINDS; kind++)
		free(classes->before[kind]);
	*classes = (struct place_classes){ 0 };
}

struct block {
	int family;
	u128 first, last;
};

#define V6(high, low) ((u128)(high##ull) << 64 | (low##ull))

/* What stage parse drops as malformed: unspecified, loopback, IPv4-mapped; as a source also multicast, broadcast. */
static const struct block impossible[] = {
	{ 4, 0, 0 },
	{ 4, 0x7f000000, 0x7fffffff },
	{ 6, 0, 1 },
	{ 6, V6(0, 0xffff00000000), V6(0, 0xffffffffffff) },
	{ 4, 0xe0000000, 0xefffffff },
	{ 4, 0xffffffff, 0xffffffff },
	{ 6, V6(0xff00000000000000, 0), ~(u128)0 },
};
#define AS_DESTINATION 4

static int subtract(const struct ranges *set, size_t blocks, struct ranges *ret_set)
{
	struct ranges copy = { 0 }, minus = { 0 };
	int err = ranges_add_all(&copy, set);

	for (size_t i = 0; i < blocks && !err; i++)
		err = ranges_add(&minus, impossible[i].family, impossible[i].first, impossible[i].last);
	if (!err)
		err = ranges_normalise(&minus);
	if (!err)
		err = ranges_subtract(&copy, &minus);
	ranges_clear(&minus);
	if (err)
		ranges_clear(&copy);
	else
		*ret_set = copy;
	return err;
}

int places_sources(const struct ranges *set, struct ranges *ret_set)
{
	return subtract(set, ARRAY_LEN(impossible), ret_set);
}

int places_destinations(const struct ranges *set, struct ranges *ret_set)
{
	return subtract(set, AS_DESTINATION, ret_set);
}
