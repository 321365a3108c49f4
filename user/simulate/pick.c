// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/pick.h"

#include <netinet/in.h>

#include "base/util.h"

#define PLAIN_SPORT 40000

/* The failsafe entry (a cell) that lets a packet pass as if it went the other way; else a cell that does not allow. */
static uint32_t exchanged_cell(const struct cells *cells, const struct pair *pair,
			       const struct space_packet *packet)
{
	enum place_kind kind = place_kind(packet->protocol);
	uint16_t port = place_has_sport(kind) ? packet->sport : packet->port;

	if (kind == PLACE_TCP)
		return 0;
	return cells_cell(cells, pair->exchanged, cells_class(cells, packet->protocol, port));
}

enum zw_reason pair_decide(const struct cells *cells, const struct pair *pair,
			   const struct space_packet *packet, uint32_t *ret_cell)
{
	uint32_t class = cells_class(cells, packet->protocol, packet->port);
	uint32_t cell = cells_cell(cells, pair->policy, class), failsafe;

	*ret_cell = cell;
	if (cell_allows(cell))
		return cell_reason(cell);
	failsafe = cells_cell(cells, pair->failsafe, class);
	if (!cell_allows(failsafe))
		failsafe = exchanged_cell(cells, pair, packet);
	if (cell_allows(failsafe)) {
		*ret_cell = failsafe;
		return ZW_ALLOW_FAILSAFE;
	}
	return cell_reason(cell);
}

struct pick {
	const struct cells *cells;
	const struct pair *pair;
	const struct origin *origin;
	bool allowed;
	struct space_packet *packet; /* its addresses are set */
};

static bool is_wanted(const struct pick *pick)
{
	uint32_t cell;

	return !ZW_REASON_IS_DROP(pair_decide(pick->cells, pick->pair, pick->packet, &cell)) == pick->allowed;
}

/* Is there a source port with which the packet gets the verdict? A plain one, else the first. */
static bool pick_sport(const struct pick *pick)
{
	size_t count;
	const struct cell_run *run = cells_ports(pick->cells, pick->packet->protocol, &count);

	pick->packet->sport = pick->origin->unspecified ? DHCP_CLIENT : PLAIN_SPORT;
	if (is_wanted(pick))
		return true;
	if (pick->origin->unspecified || !place_has_sport(place_kind(pick->packet->protocol)))
		return false;
	for (size_t i = 0; i < count; i++) {
		pick->packet->sport = run[i].first;
		if (is_wanted(pick))
			return true;
	}
	return false;
}

/* A visitor: stops at the first places with the verdict. Port 0 is a port, but none that people would try. */
static bool pick_place(void *context, uint8_t protocol, uint16_t first, uint16_t last, uint32_t class)
{
	const struct pick *pick = context;

	(void)class;
	pick->packet->protocol = protocol;
	pick->packet->port = !first && last && place_kind(protocol) != PLACE_OTHER ? 1 : first;
	return !pick_sport(pick);
}

/* Ports that everybody knows, and that stand for the region if they are in it. */
static const struct {
	uint8_t protocol;
	uint16_t port;
} well_known[] = {
	{ IPPROTO_TCP, 443 }, { IPPROTO_TCP, 80 },      { IPPROTO_TCP, 22 },
	{ IPPROTO_UDP, 53 },  { IPPROTO_ICMP, 8 << 8 }, { IPPROTO_ICMPV6, 128 << 8 },
};

static void pick_any(struct pick *pick, const struct selectors *service)
{
	for (size_t i = 0; i < ARRAY_LEN(well_known); i++)
		if (places_hold(service, pick->origin, well_known[i].protocol, well_known[i].port) &&
		    !pick_place(pick, well_known[i].protocol, well_known[i].port, well_known[i].port, 0))
			return;
	places_walk(pick->cells, service, pick->origin, pick_place, pick);
}

void pair_pick(const struct cells *cells, const struct pair *pair, const struct selectors *service,
	       const struct origin *origin, bool allowed, struct space_packet *packet)
{
	struct pick pick = { cells, pair, origin, allowed, packet };

	pick_any(&pick, service);
	if (place_kind(packet->protocol) == PLACE_OTHER)
		packet->sport = 0;
}
