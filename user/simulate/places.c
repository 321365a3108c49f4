// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/places.h"

#include <netinet/in.h>

#include "base/util.h"

/* Protocols with ports or types, in the order in which people think of them. */
static const uint8_t first_protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_SCTP };

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
	if (!packets_cut_ports(origin, protocol, &first, &last))
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

	if (!packets_cut_ports(origin, protocol, &first, &last))
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
