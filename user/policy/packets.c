// SPDX-License-Identifier: GPL-2.0-only
#include "policy/packets.h"

#include <netinet/in.h>

#include "base/util.h"

#define ALL_ORIGINS ((1u << ORIGINS) - 1)

const struct origin packet_origins[ORIGINS] = { { 4, false }, { 6, false }, { 4, true }, { 6, true } };

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

bool packets_cut_ports(const struct origin *origin, uint8_t protocol, uint32_t *first, uint32_t *last)
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

unsigned packets_for(uint8_t protocol, uint32_t first, uint32_t last)
{
	unsigned origins = 0;

	for (int i = 0; i < ORIGINS; i++) {
		uint32_t low = first, high = last;

		if (packets_cut_ports(&packet_origins[i], protocol, &low, &high))
			origins |= 1u << i;
	}
	return origins;
}

unsigned packets_for_service(const struct selectors *service)
{
	unsigned origins = 0;

	for (size_t i = 0; i < service->count; i++) {
		const struct selector *s = &service->v[i];

		if (s->any_protocol)
			return ALL_ORIGINS;
		origins |= packets_for(s->protocol, s->first, s->last);
	}
	return origins;
}

struct block {
	int family;
	u128 first, last;
};

#define V6(high, low) ((u128)(high##ull) << 64 | (low##ull))

/* What stage parse drops as malformed: unspecified, loopback, IPv4-mapped; as a source also multicast, broadcast. Ascending. */
static const struct block no_sources[] = {
	{ 4, 0, 0 },
	{ 4, 0x7f000000, 0x7fffffff },
	{ 4, 0xe0000000, 0xefffffff },
	{ 4, 0xffffffff, 0xffffffff },
	{ 6, 0, 1 },
	{ 6, V6(0, 0xffff00000000), V6(0, 0xffffffffffff) },
	{ 6, V6(0xff00000000000000, 0), ~(u128)0 },
};

static const struct block no_destinations[] = {
	{ 4, 0, 0 },
	{ 4, 0x7f000000, 0x7fffffff },
	{ 6, 0, 1 },
	{ 6, V6(0, 0xffff00000000), V6(0, 0xffffffffffff) },
};

static int subtract(const struct ranges *set, const struct block *block, size_t blocks, struct ranges *ret_set)
{
	struct ranges copy = { 0 }, minus = { 0 };
	int err = ranges_add_all(&copy, set);

	for (size_t i = 0; i < blocks && !err; i++)
		err = ranges_add(&minus, block[i].family, block[i].first, block[i].last);
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

int packets_sources(const struct ranges *set, struct ranges *ret_set)
{
	return subtract(set, no_sources, ARRAY_LEN(no_sources), ret_set);
}

int packets_destinations(const struct ranges *set, struct ranges *ret_set)
{
	return subtract(set, no_destinations, ARRAY_LEN(no_destinations), ret_set);
}

/* Do the blocks leave nothing of first..last? */
static bool is_covered(int family, u128 first, u128 last, const struct block *block, size_t blocks)
{
	for (size_t i = 0; i < blocks; i++) {
		if (block[i].family != family || block[i].first > first || block[i].last < first)
			continue;
		if (block[i].last >= last)
			return true;
		first = block[i].last + 1;
	}
	return false;
}

static unsigned origin_bit(int family, bool unspecified)
{
	return 1u << ((family == 6) + 2 * unspecified);
}

unsigned packets_from(int family, u128 first, u128 last)
{
	unsigned origins = first ? 0 : origin_bit(family, true);

	if (!is_covered(family, first, last, no_sources, ARRAY_LEN(no_sources)))
		origins |= origin_bit(family, false);
	return origins;
}

unsigned packets_to(int family, u128 first, u128 last)
{
	if (is_covered(family, first, last, no_destinations, ARRAY_LEN(no_destinations)))
		return 0;
	return origin_bit(family, false) | origin_bit(family, true);
}

static unsigned set_origins(const struct ranges *set, unsigned (*origins_of)(int family, u128 first, u128 last))
{
	unsigned origins = 0;

	for (size_t i = 0; i < set->v4_count; i++)
		origins |= origins_of(4, set->v4[i].first, set->v4[i].last);
	for (size_t i = 0; i < set->v6_count; i++)
		origins |= origins_of(6, set->v6[i].first, set->v6[i].last);
	return origins;
}

int packet_ends_find(const struct policy *policy, struct packet_ends *ret_ends)
{
	struct packet_ends ends = { array_new(policy->zone_count, 1), array_new(policy->zone_count, 1) };

	if (!ends.from || !ends.to) {
		packet_ends_clear(&ends);
		return -ENOMEM;
	}
	for (size_t i = 0; i < policy->zone_count; i++) {
		const struct zone *zone = &policy->zones[i];
		bool is_host = zone->kind == ZONE_HOST;

		ends.from[i] = is_host ? ALL_ORIGINS : set_origins(&zone->set, packets_from);
		ends.to[i] = is_host ? ALL_ORIGINS : set_origins(&zone->set, packets_to);
	}
	*ret_ends = ends;
	return 0;
}

void packet_ends_clear(struct packet_ends *ends)
{
	free(ends->from);
	free(ends->to);
}

static unsigned list_origins(const struct zone_list *list, const uint8_t *of_zone)
{
	unsigned origins = 0;

	for (size_t i = 0; i < list->count; i++)
		origins |= of_zone[list->zone[i]];
	return origins;
}

static bool is_empty(const struct policy *policy, const struct zone_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (policy->zones[list->zone[i]].kind == ZONE_HOST || !ranges_empty(&policy->zones[list->zone[i]].set))
			return false;
	return true;
}

const char *packets_why_none(const struct policy *policy, const struct packet_ends *ends, const struct rule *rule)
{
	unsigned from = list_origins(&rule->from, ends->from), to = list_origins(&rule->to, ends->to);
	unsigned service = packets_for_service(&rule->service);

	if ((from & to & service) || is_empty(policy, &rule->from) || is_empty(policy, &rule->to) || !rule->service.count)
		return NULL;
	if (!from)
		return "no packet comes from its sources (loopback, multicast or broadcast)";
	if (!to)
		return "no packet goes to its destinations (loopback or unspecified)";
	if (!(from & to))
		return "its ends have no address family in common";
	if (!service)
		return "no packet has its protocol: the header is read through";
	return "no packet between its ends has its service";
}
