/* SPDX-License-Identifier: GPL-2.0-only */
#include "oracle.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_block.h"
#include "oracle_flow.h"
#include "oracle_limit.h"
#include "oracle_tls.h"

enum { ICMP = 1, IGMP = 2, TCP = 6, UDP = 17, ICMPV6 = 58, SCTP = 132, AH = 51 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

struct oracle {
	const struct policy *policy;
	const struct ranges *host;
	struct oracle_flows *flows; /* NULL: stateless */
	struct oracle_limits *limits; /* the same: no bucket is empty */
	struct oracle_blocks *blocks; /* NULL: none */
};

struct oracle *oracle_new(const struct policy *policy, const struct ranges *host, bool stateful)
{
	struct oracle *oracle = calloc(1, sizeof(*oracle));

	if (!oracle)
		return NULL;
	oracle->policy = policy;
	oracle->host = host;
	if (stateful) {
		oracle->flows = oracle_flows_new();
		oracle->limits = oracle_limits_new();
		if (!oracle->flows || !oracle->limits) {
			oracle_free(oracle);
			return NULL;
		}
	}
	return oracle;
}

void oracle_free(struct oracle *oracle)
{
	if (!oracle)
		return;
	oracle_flows_free(oracle->flows);
	oracle_limits_free(oracle->limits);
	oracle_blocks_free(oracle->blocks);
	free(oracle);
}

void oracle_block(struct oracle *oracle, const struct addr *first, unsigned length, double until)
{
	oracle->blocks = oracle_blocks_add(oracle->blocks, first, length, until);
}

/* --- Addresses -------------------------------------------------------------------------------------------------- */

static bool in_prefix(const struct addr *addr, int family, u128 prefix, unsigned length)
{
	unsigned bits = family == 4 ? 32 : 128;

	if (addr->family != family)
		return false;
	return length == 0 || addr->value >> (bits - length) == prefix >> (bits - length);
}

static u128 v6(uint16_t first, uint16_t second)
{
	return (u128)first << 112 | (u128)second << 96;
}

static bool is_multicast(const struct addr *addr)
{
	return in_prefix(addr, 4, 0xe0000000, 4) || in_prefix(addr, 6, v6(0xff00, 0), 8);
}

static bool is_broadcast(const struct addr *addr)
{
	return addr->family == 4 && addr->value == 0xffffffff;
}

static bool is_loopback(const struct addr *addr)
{
	return in_prefix(addr, 4, 0x7f000000, 8) || (addr->family == 6 && addr->value == 1);
}

static bool is_unspecified(const struct addr *addr)
{
	return addr->value == 0;
}

static bool is_mapped(const struct addr *addr)
{
	return in_prefix(addr, 6, (u128)0xffff << 32, 96);
}

static bool is_link_local(const struct addr *addr)
{
	return in_prefix(addr, 4, 0xa9fe0000, 16) || in_prefix(addr, 6, v6(0xfe80, 0), 10);
}

static bool in_ranges(const struct ranges *ranges, const struct addr *addr)
{
	const struct range *range = addr->family == 4 ? ranges->v4 : ranges->v6;
	size_t count = addr->family == 4 ? ranges->v4_count : ranges->v6_count;

	for (size_t i = 0; i < count; i++)
		if (range[i].first <= addr->value && addr->value <= range[i].last)
			return true;
	return false;
}

/* The unicast addresses of all interfaces without loopback and link-local ones. */
static bool in_host(const struct oracle *oracle, const struct addr *addr)
{
	return oracle->host && !is_loopback(addr) && !is_link_local(addr) && !is_multicast(addr) &&
	       !is_broadcast(addr) && !is_unspecified(addr) && in_ranges(oracle->host, addr);
}

/* Unicast addresses that no zone lists (one removed by `except` stays listed) and that are not host's. */
static bool in_world(const struct oracle *oracle, const struct addr *addr)
{
	const struct policy *policy = oracle->policy;

	if (is_multicast(addr) || is_broadcast(addr) || is_unspecified(addr) || is_loopback(addr) || is_mapped(addr) ||
	    in_host(oracle, addr))
		return false;
	for (size_t i = 0; i < policy->zone_count; i++)
		if (policy->zones[i].kind == ZONE_DECLARED && in_ranges(&policy->zones[i].listed, addr))
			return false;
	return true;
}

bool oracle_in_zone(const struct oracle *oracle, unsigned index, const struct addr *addr)
{
	const struct zone *zone = &oracle->policy->zones[index];
	bool in;

	switch (zone->kind) {
	case ZONE_ANY:
		return true;
	case ZONE_HOST:
		return in_host(oracle, addr);
	case ZONE_WORLD:
		return in_world(oracle, addr);
	default:
		break;
	}
	in = in_ranges(&zone->listed, addr);
	for (size_t i = 0; i < zone->zone_count; i++)
		in = in || oracle_in_zone(oracle, zone->zones[i], addr);
	return in && !in_ranges(&zone->except, addr);
}

size_t oracle_zones(const struct oracle *oracle, const struct addr *addr, const char **ret_names, size_t max)
{
	const struct policy *policy = oracle->policy;
	size_t n = 0;

	for (size_t i = 0; i < policy->zone_count; i++)
		if (policy->zones[i].kind == ZONE_DECLARED && oracle_in_zone(oracle, i, addr) && n < max)
			ret_names[n++] = policy->zones[i].name;
	if (in_host(oracle, addr) && n < max)
		ret_names[n++] = "host";
	if (in_world(oracle, addr) && n < max)
		ret_names[n++] = "world";
	return n;
}

/* --- Section 5, stage other L3 ---------------------------------------------------------------------------------- */

static unsigned be16(const uint8_t *bytes)
{
	return bytes[0] << 8 | bytes[1];
}

static uint32_t be32(const uint8_t *bytes)
{
	return (uint32_t)be16(bytes) << 16 | be16(bytes + 2);
}

/* What is left of the frame: taken from the front. */
struct rest {
	const uint8_t *data;
	size_t len;
};

static bool take(struct rest *rest, size_t len)
{
	if (rest->len < len)
		return false;
	rest->data += len;
	rest->len -= len;
	return true;
}

static enum zw_reason other_l3(const struct oracle *oracle, struct rest *rest, int *ret_family)
{
	static const uint8_t bridge_group[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};
	const uint8_t *eth = rest->data;
	unsigned type;

	if (!take(rest, 14))
		return ZW_DROP_MALFORMED;
	type = be16(eth + 12);
	for (int tags = 0; type == 0x8100 || type == 0x88a8; tags++) {
		if (tags == 2 || rest->len < 4)
			return ZW_DROP_MALFORMED;
		type = be16(rest->data + 2);
		take(rest, 4);
	}
	if (type == 0x0800 || type == 0x86dd) {
		*ret_family = type == 0x0800 ? 4 : 6;
		return ZW_REASON_NONE;
	}
	if (type == 0x0806 || (memcmp(eth, bridge_group, 5) == 0 && eth[5] <= 0x0f))
		return ZW_ALLOW_NON_IP;
	return oracle->policy->allow_non_ip ? ZW_ALLOW_NON_IP : ZW_DROP_ETHERTYPE;
}

/* --- Stage parse: every false is `malformed` -------------------------------------------------------------------- */

static bool options_are_good(const uint8_t *option, size_t len)
{
	while (len > 0) {
		size_t step = option[0] == 1 ? 1 : len < 2 ? 0 : option[1];

		if (option[0] == 0)
			return true;
		if (option[0] == 131 || option[0] == 137) /* loose and strict source route */
			return false;
		if ((option[0] != 1 && step < 2) || step > len)
			return false;
		option += step;
		len -= step;
	}
	return true;
}

/*
 * Reads through extension headers (IPv6) or AH (both) and leaves the protocol, and what follows in rest. A chain that a
 * first fragment does not hold is stage fragment's matter, like its transport header.
 */
static bool read_chain(struct rest *rest, struct oracle_packet *p)
{
	int headers = 0;
	size_t bytes = 0;
	bool fragment_seen = false;

	for (;;) {
		const uint8_t *header = rest->data;
		size_t len;
		bool is_extension = p->protocol == AH || (p->family == 6 && (p->protocol == 0 || p->protocol == 43 ||
				    p->protocol == 44 || p->protocol == 60 || p->protocol == 135));

		if (!is_extension || p->later_fragment)
			return true;
		if (p->protocol == 0 && headers != 0)
			return false;
		if (rest->len < 8)
			return p->chain_is_cut = p->first_fragment;
		len = p->protocol == AH ? (header[1] + 2) * 4 : p->protocol == 44 ? 8 : (header[1] + 1) * 8;
		headers++;
		bytes += len;
		if (headers > 8 || bytes > 256 || (p->protocol == 43 && header[3] != 0))
			return false;
		if (!take(rest, len))
			return p->chain_is_cut = p->first_fragment;
		if (p->protocol == 44) {
			unsigned offset = be16(header + 2) & 0xfff8;
			bool more = header[3] & 1;

			if (fragment_seen)
				return false;
			fragment_seen = true;
			p->later_fragment = offset != 0;
			p->first_fragment = offset == 0 && more;
			p->more_fragments = more;
			p->fragment_protocol = header[0];
			p->fragment_id = be32(header + 4);
			p->fragment_at = offset;
			p->fragment_data = rest->data;
			p->fragment_len = rest->len;
		}
		p->protocol = header[0];
	}
}

static bool read_ip4(struct rest *rest, struct oracle_packet *p)
{
	const uint8_t *ip = rest->data;
	size_t header_len, total;

	if (rest->len < 20)
		return false;
	header_len = (ip[0] & 15) * 4;
	total = be16(ip + 2);
	if (ip[0] >> 4 != 4 || header_len < 20 || total < header_len || total > rest->len)
		return false;
	p->from = addr_from_bytes(4, ip + 12);
	p->to = addr_from_bytes(4, ip + 16);
	p->read_addresses = true;
	if (!options_are_good(ip + 20, header_len - 20))
		return false;
	rest->len = total; /* what follows is padding */
	take(rest, header_len);
	p->later_fragment = (be16(ip + 6) & 0x1fff) != 0;
	p->first_fragment = !p->later_fragment && (be16(ip + 6) & 0x2000);
	p->more_fragments = be16(ip + 6) & 0x2000;
	p->fragment_protocol = ip[9];
	p->fragment_id = be16(ip + 4);
	p->fragment_at = (be16(ip + 6) & 0x1fff) * 8;
	p->fragment_data = rest->data;
	p->fragment_len = rest->len;
	p->hop_limit = ip[8];
	p->protocol = ip[9];
	return read_chain(rest, p);
}

static bool read_ip6(struct rest *rest, struct oracle_packet *p)
{
	const uint8_t *ip = rest->data;

	if (rest->len < 40)
		return false;
	if (ip[0] >> 4 != 6 || be16(ip + 4) > rest->len - 40)
		return false;
	p->from = addr_from_bytes(6, ip + 8);
	p->to = addr_from_bytes(6, ip + 24);
	p->read_addresses = true;
	take(rest, 40);
	rest->len = be16(ip + 4);
	p->hop_limit = ip[7];
	p->protocol = ip[6];
	return read_chain(rest, p);
}

static size_t fixed_header(unsigned protocol)
{
	switch (protocol) {
	case TCP:
		return 20;
	case UDP:
	case ICMP:
	case ICMPV6:
		return 8;
	case SCTP:
		return 12;
	}
	return 0;
}

static bool read_transport(const struct rest *rest, struct oracle_packet *p)
{
	const uint8_t *header = rest->data;

	if (p->chain_is_cut)
		return true;
	if ((p->protocol == ICMP && p->family == 6) || (p->protocol == ICMPV6 && p->family == 4))
		return false;
	if (p->later_fragment)
		return true;
	p->has_header = rest->len >= fixed_header(p->protocol);
	if (!p->has_header)
		return p->first_fragment; /* then stage fragment's matter */
	p->transport = header;
	p->transport_len = rest->len;
	switch (p->protocol) {
	case TCP:
		p->source_port = be16(header);
		p->port = be16(header + 2);
		p->tcp_flags = header[13];
		p->sequence = be32(header + 4);
		p->acknowledgement = be32(header + 8);
		p->payload_len = rest->len - (header[12] >> 4) * 4;
		return (header[12] >> 4) * 4 >= 20 && (size_t)(header[12] >> 4) * 4 <= rest->len;
	case UDP:
		p->source_port = be16(header);
		p->port = be16(header + 2);
		return be16(header + 4) >= 8 && (p->first_fragment || be16(header + 4) <= rest->len);
	case SCTP:
		p->source_port = be16(header);
		p->port = be16(header + 2);
		return true;
	case ICMP:
	case ICMPV6:
		p->port = header[0] << 8 | header[1];
		p->identifier = be16(header + 4);
		return true;
	}
	return true;
}

static bool addresses_are_good(const struct oracle_packet *p)
{
	const struct addr *from = &p->from, *to = &p->to;
	bool dhcp = p->protocol == UDP && p->has_header && p->source_port == 68 && p->port == 67;

	if (is_multicast(from) || is_broadcast(from) || is_loopback(from) || is_mapped(from))
		return false;
	if (is_unspecified(from) && p->protocol != ICMPV6 && !dhcp)
		return false;
	return !is_loopback(to) && !is_unspecified(to) && !is_mapped(to);
}

static enum zw_reason parse(struct rest *rest, struct oracle_packet *p)
{
	if (!(p->family == 4 ? read_ip4(rest, p) : read_ip6(rest, p)))
		return ZW_DROP_MALFORMED;
	if (!read_transport(rest, p) || !addresses_are_good(p))
		return ZW_DROP_MALFORMED;
	return ZW_REASON_NONE;
}

/* --- Stages spoof, essentials, tcp flags, fragment -------------------------------------------------------------- */

static bool matches_interface(const struct interface_match *match, const char *interface)
{
	for (size_t i = 0; i < match->pattern_count; i++)
		if (fnmatch(match->pattern[i], interface, 0) == 0)
			return true;
	return false;
}

/* The entry that says where packets entering this interface come from: the last that matches and has `source:`. */
static const struct interface_match *source_of(const struct oracle *oracle, const char *interface)
{
	const struct interface_match *found = NULL;

	for (size_t i = 0; interface && i < oracle->policy->interface_count; i++) {
		const struct interface_match *match = &oracle->policy->interfaces[i];

		if (match->has_source && matches_interface(match, interface))
			found = match;
	}
	return found;
}

static enum zw_reason spoof(const struct oracle *oracle, const struct oracle_packet *p)
{
	if (p->egress)
		return ZW_REASON_NONE;
	if (in_host(oracle, &p->from))
		return ZW_DROP_SPOOFED;
	if (p->source && !is_unspecified(&p->from) && !oracle_in_zone(oracle, p->source->source, &p->from))
		return ZW_DROP_SPOOFED;
	return ZW_REASON_NONE;
}

static bool is_essential_icmp6(const struct oracle_packet *p)
{
	switch (p->port >> 8) {
	case 133:
	case 135:
	case 136:
		return p->hop_limit == 255;
	case 134:
		return p->hop_limit == 255 && is_link_local(&p->from) && !p->egress && !p->source;
	case 130:
	case 131:
	case 132:
	case 143:
		return p->hop_limit == 1 && is_multicast(&p->to);
	}
	return false;
}

static bool is_dhcp_client(const struct oracle *oracle, const struct oracle_packet *p)
{
	const u128 servers = v6(0xff02, 0) | 0x10002; /* ff02::1:2 */

	if (p->family == 4 && p->egress)
		return p->source_port == 68 && p->port == 67 &&
		       (is_unspecified(&p->from) || in_host(oracle, &p->from));
	if (p->family == 4)
		return p->source_port == 67 && p->port == 68 &&
		       (is_broadcast(&p->to) || in_host(oracle, &p->to) || p->to_own_mac);
	if (p->egress)
		return p->source_port == 546 && p->port == 547 && is_link_local(&p->from) && p->to.value == servers;
	return p->source_port == 547 && p->port == 546 && is_link_local(&p->from) && is_link_local(&p->to);
}

static enum zw_reason essentials(const struct oracle *oracle, const struct oracle_packet *p)
{
	bool essential = false;

	if (p->first_fragment || p->later_fragment)
		return ZW_REASON_NONE;
	if (p->protocol == ICMPV6)
		essential = is_essential_icmp6(p);
	if (p->protocol == IGMP && p->family == 4)
		essential = p->hop_limit == 1 && is_multicast(&p->to);
	if (p->protocol == UDP)
		essential = is_dhcp_client(oracle, p);
	return essential ? ZW_ALLOW_ESSENTIAL : ZW_REASON_NONE;
}

static enum zw_reason tcp_flags(const struct oracle_packet *p)
{
	if (p->protocol != TCP || !p->has_header)
		return ZW_REASON_NONE;
	switch (p->tcp_flags & (SYN | FIN | RST | ACK)) {
	case SYN:
	case SYN | ACK:
	case ACK:
	case FIN | ACK:
	case RST:
	case RST | ACK:
		return ZW_REASON_NONE;
	}
	return ZW_DROP_TCP_STATE;
}

static enum zw_reason fragment(const struct oracle *oracle, const struct oracle_packet *p, const struct rule **ret_rule)
{
	if (p->later_fragment)
		return oracle->flows && oracle_fragment_passes(oracle, oracle->flows, p, ret_rule) ? ZW_ALLOW_FRAGMENT :
											     ZW_DROP_FRAGMENT;
	return p->first_fragment && !p->has_header ? ZW_DROP_FRAGMENT : ZW_REASON_NONE;
}

/* --- Section 4: the policy -------------------------------------------------------------------------------------- */

static bool in_list(const struct oracle *oracle, const struct zone_list *list, const struct addr *addr)
{
	for (size_t i = 0; i < list->count; i++)
		if (oracle_in_zone(oracle, list->zone[i], addr))
			return true;
	return false;
}

static bool in_service(const struct selectors *service, unsigned protocol, unsigned port)
{
	for (size_t i = 0; i < service->count; i++) {
		const struct selector *s = &service->v[i];

		if (s->any_protocol || (s->protocol == protocol && s->first <= port && port <= s->last))
			return true;
	}
	return false;
}

static bool matches(const struct oracle *oracle, const struct rule *rule, const struct oracle_asked *p)
{
	return in_list(oracle, &rule->from, &p->from) && in_list(oracle, &rule->to, &p->to) &&
	       in_service(&rule->service, p->protocol, p->port);
}

bool oracle_rule_ended(const struct rule *rule, double time)
{
	return rule && rule->expires && rule->until <= time;
}

/*
 * Each tier in order; inside a tier the first match decides; NULL: none did. second: the second decision, with all staged
 * rules enforced.
 */
static const struct rule *deciding_rule(const struct oracle *oracle, const struct oracle_asked *p, double time, bool second)
{
	const struct rules *rules = &oracle->policy->rules;

	for (size_t tier = 0; tier < oracle->policy->tier_count; tier++) {
		for (size_t i = 0; i < rules->count; i++) {
			const struct rule *rule = &rules->v[i];

			if (rule->tier != tier || (rule->mode != MODE_ENFORCE && !second) ||
			    oracle_rule_ended(rule, time) || !matches(oracle, rule, p))
				continue;
			if (rule->action == ACTION_PASS)
				break;
			return rule;
		}
	}
	return NULL;
}

static bool share_zone(const struct oracle *oracle, const struct addr *from, const struct addr *to)
{
	const struct policy *policy = oracle->policy;

	for (size_t i = 0; i < policy->zone_count; i++)
		if (policy->zones[i].kind == ZONE_DECLARED && !policy->zones[i].is_union &&
		    oracle_in_zone(oracle, i, from) && oracle_in_zone(oracle, i, to))
			return true;
	return false;
}

static enum zw_reason policy_decides(const struct oracle *oracle, const struct oracle_asked *p, double time,
				     const struct rule **ret_rule)
{
	const struct policy *policy = oracle->policy;
	const struct rule *rule = deciding_rule(oracle, p, time, false);

	*ret_rule = NULL;
	if (rule) {
		*ret_rule = rule;
		return rule->action == ACTION_ALLOW ? ZW_ALLOW_RULE : ZW_DROP_RULE;
	}
	if (share_zone(oracle, &p->from, &p->to))
		return policy->intra_zone == ACTION_ALLOW ? ZW_ALLOW_INTRA_ZONE : ZW_DROP_DEFAULT;
	return policy->default_action == ACTION_ALLOW ? ZW_ALLOW_DEFAULT : ZW_DROP_DEFAULT;
}

bool oracle_policy_allows(const struct oracle *oracle, const struct oracle_asked *asked, double time, const struct rule **ret_rule)
{
	const struct rule *rule;

	if (ZW_REASON_IS_DROP(policy_decides(oracle, asked, time, &rule)))
		return false;
	*ret_rule = rule;
	return true;
}

/* --- Stages block, flow, related, state, policy, and failsafe over them ------------------------------------------------- */

static struct oracle_asked own_question(const struct oracle_packet *p)
{
	return (struct oracle_asked){ p->from, p->to, p->protocol, p->port };
}

static bool is_syn(const struct oracle_packet *p)
{
	return p->protocol == TCP && (p->tcp_flags & (SYN | ACK)) == SYN;
}

static enum zw_reason state(const struct oracle *oracle, const struct oracle_packet *p)
{
	if (p->protocol != TCP || is_syn(p))
		return ZW_REASON_NONE;
	if ((p->tcp_flags & SYN) || oracle->policy->tcp_strict)
		return ZW_DROP_TCP_STATE;
	return ZW_REASON_NONE;
}

static enum zw_reason first_packet(const struct oracle *oracle, struct oracle_packet *p, const struct rule **ret_rule)
{
	enum zw_reason reason = state(oracle, p);
	const struct rule *second;

	if (reason)
		return reason;
	reason = policy_decides(oracle, &p->asked, p->time, ret_rule);
	second = deciding_rule(oracle, &p->asked, p->time, true);
	if (second && second->mode == MODE_STAGE) {
		p->staged = second;
		p->staged_allows = second->action == ACTION_ALLOW &&
				   (!second->tls_require || (is_syn(p) && oracle_tls_first(second, p) != TLS_REFUSED));
	}
	if (reason != ZW_ALLOW_RULE)
		return reason;
	if ((*ret_rule)->tls_require && !is_syn(p))
		return ZW_DROP_TCP_STATE;
	if ((*ret_rule)->limit.set && oracle->limits && !oracle_flows_has_opening(oracle->flows, p) &&
	    !oracle_limits_take(oracle->limits, *ret_rule, &p->from, p->time))
		return ZW_DROP_LIMIT;
	if ((*ret_rule)->tls_require && !oracle_flows_pass_tls(oracle->flows, p, *ret_rule))
		return ZW_DROP_PLAINTEXT;
	return reason;
}

const struct rule *oracle_failsafe(const struct oracle *oracle, const struct oracle_asked *asked)
{
	const struct rules *failsafe = &oracle->policy->failsafe;

	for (size_t i = 0; i < failsafe->count; i++)
		if (matches(oracle, &failsafe->v[i], asked))
			return &failsafe->v[i];
	return NULL;
}

/* Is an address from first to last in the list's zones? Where one of them begins, or goes on behind what is left out. */
static bool meets(const struct oracle *oracle, const struct zone_list *list, const struct addr *first, u128 last)
{
	struct addr at = *first;

	if (in_list(oracle, list, &at))
		return true;
	for (size_t z = 0; z < oracle->policy->zone_count; z++) {
		const struct ranges *sets[] = {&oracle->policy->zones[z].listed, &oracle->policy->zones[z].except, oracle->host};

		for (int s = 0; s < 3; s++) {
			size_t count = !sets[s] ? 0 : at.family == 4 ? sets[s]->v4_count : sets[s]->v6_count;

			for (size_t i = 0; i < count; i++) {
				const struct range *range = at.family == 4 ? &sets[s]->v4[i] : &sets[s]->v6[i];

				for (int end = 0; end < 2; end++) {
					at.value = end ? range->last + 1 : range->first;
					if (first->value <= at.value && at.value <= last && in_list(oracle, list, &at))
						return true;
				}
			}
		}
	}
	return false;
}

/* Never banned: this host, where failsafe lets somebody in from (but from anywhere), link-local addresses. */
static bool is_spared(const struct oracle *oracle, const struct addr *first, u128 last)
{
	const struct rules *failsafe = &oracle->policy->failsafe;
	unsigned host = ZONE_INDEX_HOST;
	const struct zone_list hosts = {&host, 1};

	if (is_link_local(first) || meets(oracle, &hosts, first, last))
		return true;
	for (size_t i = 0; i < failsafe->count; i++)
		if (!zone_list_has(&failsafe->v[i].from, ZONE_INDEX_ANY) && meets(oracle, &failsafe->v[i].from, first, last))
			return true;
	return false;
}

/* A source has overrun its limit: its address, or its /64, is blocked from now on. */
static void ban(struct oracle *oracle, const struct oracle_packet *p, const struct limit *limit)
{
	struct addr first = p->from;
	u128 last = first.value;

	if (first.family == 6) {
		first.value = first.value >> 64 << 64;
		last = first.value + UINT64_MAX;
	}
	if (!limit->ban_s || p->egress || is_spared(oracle, &first, last))
		return;
	/* The ends are whole milliseconds from now, as all times are. */
	oracle->blocks = oracle_blocks_add(oracle->blocks, &first, first.family == 4 ? 32 : 64, p->time + limit->ban_s - 0.0005);
}

/* At boot: it is known that this host has no address. */
static bool is_at_boot(const struct oracle *oracle)
{
	struct addr addr = { .family = 4 };

	if (!oracle->host)
		return false;
	for (size_t i = 0; i < oracle->host->v4_count; i++) {
		addr.value = oracle->host->v4[i].first;
		if (in_host(oracle, &addr))
			return false;
	}
	addr.family = 6;
	for (size_t i = 0; i < oracle->host->v6_count; i++) {
		addr.value = oracle->host->v6[i].first;
		if (in_host(oracle, &addr))
			return false;
	}
	return true;
}

/* Then `to: host` is everywhere, for what comes towards this host, or its answers. */
static const struct rule *failsafe_towards(const struct oracle *oracle, const struct oracle_asked *asked, bool towards)
{
	const struct rules *failsafe = &oracle->policy->failsafe;
	const struct rule *entry = oracle_failsafe(oracle, asked);

	if (entry || !towards || !is_at_boot(oracle))
		return entry;
	for (size_t i = 0; i < failsafe->count; i++) {
		entry = &failsafe->v[i];
		if (zone_list_has(&entry->to, ZONE_INDEX_HOST) && in_list(oracle, &entry->from, &asked->from) &&
		    in_service(&entry->service, asked->protocol, asked->port))
			return entry;
	}
	return NULL;
}

static const struct rule *failsafe_entry(const struct oracle *oracle, const struct oracle_packet *p)
{
	struct oracle_asked asked = own_question(p);
	const struct rule *entry = failsafe_towards(oracle, &asked, !p->egress);

	if (entry || is_syn(p))
		return entry;
	asked.from = p->to;
	asked.to = p->from;
	if (p->protocol == TCP || p->protocol == UDP || p->protocol == SCTP)
		asked.port = p->source_port;
	return failsafe_towards(oracle, &asked, p->egress);
}

/* A staged rule that would drop what failsafe lets pass decides nothing. */
static void judge_staged(const struct oracle *oracle, struct oracle_packet *p)
{
	if (p->staged && !p->staged_allows && failsafe_entry(oracle, p))
		p->staged = NULL;
}

static enum zw_reason over_failsafe(struct oracle *oracle, struct oracle_packet *p, const struct rule **ret_rule)
{
	enum zw_reason reason = ZW_REASON_NONE;

	p->asked = own_question(p);
	if (oracle_blocks_hold(oracle->blocks, &p->from, p->time) || oracle_blocks_hold(oracle->blocks, &p->to, p->time))
		reason = ZW_DROP_BLOCKED;
	else if (oracle->flows)
		reason = oracle_flows_decide(oracle, oracle->flows, p, ret_rule);
	if (!reason) {
		reason = first_packet(oracle, p, ret_rule);
		if (oracle->flows && !ZW_REASON_IS_DROP(reason) && !oracle_flows_open(oracle->flows, p, *ret_rule))
			p->staged = NULL; /* it was counted when it came first */
		p->tls = oracle_tls_first(*ret_rule, p);
		p->tls_1_2 = oracle_tls_is_1_2(p);
	}
	judge_staged(oracle, p);
	if (ZW_REASON_IS_DROP(reason)) {
		const struct rule *entry = failsafe_entry(oracle, p);

		if (entry) {
			*ret_rule = entry;
			return ZW_ALLOW_FAILSAFE;
		}
	}
	if (reason == ZW_DROP_LIMIT)
		ban(oracle, p, &(*ret_rule)->limit);
	return reason;
}

static enum zw_reason decide(struct oracle *oracle, struct rest *rest, struct oracle_packet *p,
			     const struct rule **ret_rule)
{
	enum zw_reason reason = other_l3(oracle, rest, &p->family);

	if (!reason)
		reason = parse(rest, p);
	if (reason)
		return reason;
	reason = spoof(oracle, p);
	if (!reason)
		reason = essentials(oracle, p);
	if (!reason)
		reason = tcp_flags(p);
	if (!reason)
		reason = fragment(oracle, p, ret_rule);
	if (!reason)
		reason = over_failsafe(oracle, p, ret_rule);
	if (p->first_fragment && oracle->flows)
		oracle_fragment_first(oracle->flows, p, !ZW_REASON_IS_DROP(reason), fixed_header(p->protocol), *ret_rule);
	return reason;
}

/* Section 11, `rule`: the deciding rule's id for these reasons, else null. */
static bool shows_rule(enum zw_reason reason)
{
	switch (reason) {
	case ZW_ALLOW_RULE:
	case ZW_DROP_RULE:
	case ZW_ALLOW_FAILSAFE:
	case ZW_DROP_LIMIT:
	case ZW_DROP_PLAINTEXT:
	case ZW_ALLOW_FLOW:
	case ZW_ALLOW_RELATED:
	case ZW_ALLOW_FRAGMENT:
	case ZW_DROP_REVOKED:
		return true;
	default:
		return false;
	}
}

void oracle_decide(struct oracle *oracle, const struct oracle_frame *frame, struct oracle_answer *ret_answer)
{
	struct rest rest = {frame->data, frame->len};
	struct oracle_packet p = {
		.egress = frame->egress,
		.time = frame->time,
		.to_own_mac = frame->len >= 6 && memcmp(frame->data, frame->mac, 6) == 0,
		.source = source_of(oracle, frame->interface),
	};
	const struct rule *rule = NULL;
	enum zw_reason reason = decide(oracle, &rest, &p, &rule);

	*ret_answer = (struct oracle_answer){
		.allow = !ZW_REASON_IS_DROP(reason),
		.reason = reason,
		.rule = rule && shows_rule(reason) ? rule->id : NULL,
		.staged = p.staged ? p.staged->id : NULL,
		.staged_allows = p.staged && p.staged_allows,
		.read_addresses = p.read_addresses,
		.from = p.from,
		.to = p.to,
	};
}
