// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/explain.h"

#include <fnmatch.h>
#include <netinet/in.h>

#include "base/util.h"
#include "policy/moments.h"
#include "simulate/frame.h"
#include "simulate/nearest.h"

/* --- Addresses by what they are (design section 5, stages parse and essentials) ---------------------------------- */

static bool is_in(const struct addr *addr, int family, u128 prefix, unsigned length)
{
	unsigned bits = family == 4 ? 32 : 128;

	return addr->family == family && addr->value >> (bits - length) == prefix >> (bits - length);
}

#define V6(first, last) ((u128)(first) << 112 | (last))

static bool is_multicast(const struct addr *addr)
{
	return is_in(addr, 4, 0xe0000000, 4) || is_in(addr, 6, V6(0xff00, 0), 8);
}

static bool is_link_local6(const struct addr *addr)
{
	return is_in(addr, 6, V6(0xfe80, 0), 10);
}

static bool is_broadcast(const struct addr *addr)
{
	return is_in(addr, 4, 0xffffffff, 32);
}

static bool is_loopback(const struct addr *addr)
{
	return is_in(addr, 4, 0x7f000000, 8) || is_in(addr, 6, 1, 128);
}

static bool is_mapped(const struct addr *addr)
{
	return is_in(addr, 6, (u128)0xffff << 32, 96);
}

static bool is_zone(const struct policy *policy, unsigned zone, const struct addr *addr)
{
	return ranges_contain(&policy->zones[zone].set, addr);
}

/* --- The stages before the policy -------------------------------------------------------------------------------- */

bool explain_is_header(int family, uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_AH:
		return true;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
		return family == 6;
	default:
		return false;
	}
}

/* A phrase if no packet can be like this. */
static const char *find_malformed(const struct first_packet *p)
{
	bool dhcp = p->protocol == IPPROTO_UDP && p->sport == 68 && p->port == 67;

	if (explain_is_header(p->from.family, p->protocol))
		return "this protocol is a header that is read through to the one behind it";
	if (p->protocol == (p->from.family == 4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return p->from.family == 4 ? "ICMPv6 in IPv4" : "ICMP in IPv6";
	if (is_multicast(&p->from) || is_broadcast(&p->from))
		return "a group of hosts cannot be a source";
	if (is_loopback(&p->from) || is_loopback(&p->to))
		return "loopback addresses do not travel";
	if (is_mapped(&p->from) || is_mapped(&p->to))
		return "IPv4-mapped addresses do not travel";
	if (!p->to.value)
		return "the unspecified address cannot be a destination";
	if (!p->from.value && p->protocol != IPPROTO_ICMPV6 && !dhcp)
		return "the unspecified address is a source for ICMPv6 and DHCP only";
	return NULL;
}

/* The last entry that matches the interface and has `source:`; NULL also if no interface is told. */
static const struct interface_match *find_source(const struct policy *policy, const struct first_packet *p)
{
	for (size_t i = policy->interface_count; p->interface && !p->egress && i--;) {
		const struct interface_match *match = &policy->interfaces[i];

		for (size_t j = 0; match->has_source && j < match->pattern_count; j++)
			if (!fnmatch(match->pattern[j], p->interface, 0))
				return match;
	}
	return NULL;
}

static const char *find_spoofed(const struct policy *policy, const struct first_packet *p,
				const struct interface_match *source)
{
	if (p->egress)
		return NULL;
	if (is_zone(policy, ZONE_INDEX_HOST, &p->from))
		return "the source is an address of this host, and the packet enters";
	if (source && p->from.value && !is_zone(policy, source->source, &p->from))
		return "the source is not in the zone that this interface takes packets from";
	return NULL;
}

static const char *find_essential_icmpv6(const struct first_packet *p, const struct interface_match *source)
{
	switch (p->port >> 8) {
	case 133:
	case 135:
	case 136:
		return "neighbour discovery";
	case 134:
		return is_link_local6(&p->from) && !p->egress && !source ? "router advertisement" : NULL;
	case 130:
	case 131:
	case 132:
	case 143:
		return is_multicast(&p->to) ? "multicast listener discovery" : NULL;
	default:
		return NULL;
	}
}

static bool is_dhcp_client(const struct policy *policy, const struct first_packet *p)
{
	const u128 servers = V6(0xff02, 0x10002);

	if (p->from.family == 4)
		return p->egress ? p->sport == 68 && p->port == 67 &&
					   (!p->from.value || is_zone(policy, ZONE_INDEX_HOST, &p->from)) :
				   p->sport == 67 && p->port == 68 &&
					   (is_broadcast(&p->to) || is_zone(policy, ZONE_INDEX_HOST, &p->to));
	if (!is_link_local6(&p->from))
		return false;
	return p->egress ? p->sport == 546 && p->port == 547 && p->to.value == servers :
			   p->sport == 547 && p->port == 546 && is_link_local6(&p->to);
}

static const char *find_essential(const struct policy *policy, const struct first_packet *p,
				  const struct interface_match *source)
{
	if (p->protocol == IPPROTO_ICMPV6)
		return find_essential_icmpv6(p, source);
	if (p->protocol == IPPROTO_IGMP && p->from.family == 4)
		return is_multicast(&p->to) ? "IGMP" : NULL;
	if (p->protocol == IPPROTO_UDP)
		return is_dhcp_client(policy, p) ? "DHCP of this host as a client" : NULL;
	return NULL;
}

/* Returns whether one of these stages decided. */
static bool walk_stages(const struct policy *policy, const struct first_packet *p, struct explanation *e)
{
	e->why = find_malformed(p);
	if (e->why) {
		e->reason = ZW_DROP_MALFORMED;
		return true;
	}
	e->source = find_source(policy, p);
	e->why = find_spoofed(policy, p, e->source);
	if (e->why) {
		e->reason = ZW_DROP_SPOOFED;
		return true;
	}
	e->why = find_essential(policy, p, e->source);
	if (e->why)
		e->reason = ZW_ALLOW_ESSENTIAL;
	return e->why;
}

/* --- Stage policy ------------------------------------------------------------------------------------------------ */

/* A rule that matches and comes before the one that decides a tier. */
static void walk_rule(const struct fields *fields, const struct rule *rule, struct explain_tier *step)
{
	bool staged = rule->mode == MODE_STAGE, ended = rule_has_ended(rule, fields->packet->time);
	const struct rule **which = ended ? &step->ended : staged ? &step->staged : &step->rule;

	if (!*which && !(ended && staged) && fields_match(fields, rule))
		*which = rule;
}

/* One tier: the first enforced rule that matches, and the first staged one, and one that has ended, if they come before. */
static struct explain_tier walk_tier(const struct fields *fields, unsigned tier)
{
	struct explain_tier step = { .tier = tier };

	for (size_t i = 0; !step.rule && i < fields->policy->rules.count; i++) {
		const struct rule *rule = &fields->policy->rules.v[i];

		if (rule->tier == tier)
			walk_rule(fields, rule, &step);
	}
	return step;
}

/*
 * The second decision, with all staged rules enforced: the staged rule that makes it, or NULL. In a tier the staged match
 * comes first if there is one; behind it stands what the enforced decision met.
 */
static const struct rule *find_staged(const struct fields *fields)
{
	for (unsigned tier = 0; tier < fields->policy->tier_count; tier++) {
		struct explain_tier step = walk_tier(fields, tier);
		const struct rule *first = step.staged ? step.staged : step.rule;

		if (first && first->action != ACTION_PASS)
			return step.staged;
	}
	return NULL;
}

static const struct zone *find_shared(const struct fields *fields)
{
	const struct policy *policy = fields->policy;

	for (size_t i = ZONE_INDEX_FIRST_DECLARED; i < policy->zone_count; i++)
		if (policy->zones[i].kind == ZONE_DECLARED && !policy->zones[i].is_union && fields->in[0][i] &&
		    fields->in[1][i])
			return &policy->zones[i];
	return NULL;
}

static enum zw_reason default_reason(const struct policy *policy, const struct zone *shared)
{
	if (shared)
		return policy->intra_zone == ACTION_ALLOW ? ZW_ALLOW_INTRA_ZONE : ZW_DROP_DEFAULT;
	return policy->default_action == ACTION_ALLOW ? ZW_ALLOW_DEFAULT : ZW_DROP_DEFAULT;
}

static int walk_policy(const struct fields *fields, struct explanation *e)
{
	const struct policy *policy = fields->policy;

	e->tiers = array_new(policy->tier_count, sizeof(*e->tiers));
	if (!e->tiers)
		return -ENOMEM;
	while (e->tier_count < policy->tier_count && !e->policy_rule) {
		struct explain_tier *step = &e->tiers[e->tier_count];

		*step = walk_tier(fields, e->tier_count++);
		if (step->rule && step->rule->action != ACTION_PASS)
			e->policy_rule = step->rule;
	}
	e->staged = find_staged(fields);
	e->after_tiers = !e->policy_rule;
	if (e->policy_rule) {
		e->policy_reason = e->policy_rule->action == ACTION_ALLOW ? ZW_ALLOW_RULE : ZW_DROP_RULE;
	} else {
		e->shared = find_shared(fields);
		e->policy_reason = default_reason(policy, e->shared);
	}
	return 0;
}

/* --- Failsafe ---------------------------------------------------------------------------------------------------- */

/*
 * The first entry that matches from this side to the other one. towards: the packet comes towards this host, or is its answer; then
 * as long as the host has no address, `to: host` is every destination (bpf/lookup.h).
 */
static const struct rule *find_entry(const struct fields *fields, int from, uint16_t port, bool towards)
{
	const struct rules *failsafe = &fields->policy->failsafe;
	const bool nowhere = towards && policy_host_is_nowhere(fields->policy);

	for (int at_boot = 0; at_boot <= nowhere; at_boot++) {
		for (size_t i = 0; i < failsafe->count; i++) {
			const struct rule *entry = &failsafe->v[i];

			if (fields_match_end(fields, from, &entry->from) &&
			    (at_boot ? zone_list_has(&entry->to, ZONE_INDEX_HOST) : fields_match_end(fields, !from, &entry->to)) &&
			    fields_match_service(&entry->service, fields->packet->protocol, port))
				return entry;
		}
	}
	return NULL;
}

/* A first packet of TCP is a SYN; any other may be an answer to one that failsafe let pass. */
static const struct rule *find_reversed(const struct fields *fields)
{
	const struct first_packet *p = fields->packet;

	if (p->protocol == IPPROTO_TCP)
		return NULL;
	return find_entry(fields, 1, p->protocol == IPPROTO_UDP || p->protocol == IPPROTO_SCTP ? p->sport : p->port, p->egress);
}

static void walk_failsafe(const struct fields *fields, struct explanation *e)
{
	const struct rule *entry = find_entry(fields, 0, fields->packet->port, !fields->packet->egress);

	e->reason = e->policy_reason;
	e->rule = e->policy_rule;
	if (!ZW_REASON_IS_DROP(e->policy_reason))
		return;
	e->reversed = !entry;
	if (!entry)
		entry = find_reversed(fields);
	e->reversed &= entry != NULL;
	if (!entry)
		return;
	e->reason = ZW_ALLOW_FAILSAFE;
	e->rule = entry;
}

int explain(const struct policy *policy, const struct first_packet *packet, struct explanation *ret_explanation)
{
	_cleanup_(fields_clear) struct fields fields = { 0 };
	struct explanation *e = ret_explanation;
	int err;

	*e = (struct explanation){ 0 };
	if (walk_stages(policy, packet, e))
		return 0;
	err = fields_new(policy, packet, &fields);
	if (!err)
		err = walk_policy(&fields, e);
	if (err)
		return err;
	walk_failsafe(&fields, e);
	if (e->reason == ZW_DROP_DEFAULT)
		err = nearest_find(&fields, e);
	if (err)
		explanation_clear(e);
	return err;
}

void explanation_clear(struct explanation *explanation)
{
	free(explanation->tiers);
	*explanation = (struct explanation){ 0 };
}

size_t explain_zones(const struct policy *policy, const struct addr *addr, unsigned *ret_zones)
{
	size_t count = 0;

	for (unsigned i = ZONE_INDEX_FIRST_DECLARED; i < policy->zone_count; i++)
		if (policy->zones[i].kind == ZONE_DECLARED && is_zone(policy, i, addr))
			ret_zones[count++] = i;
	if (is_zone(policy, ZONE_INDEX_HOST, addr))
		ret_zones[count++] = ZONE_INDEX_HOST;
	if (is_zone(policy, ZONE_INDEX_WORLD, addr))
		ret_zones[count++] = ZONE_INDEX_WORLD;
	return count;
}

/* --- What the tables say ----------------------------------------------------------------------------------------- */

void explain_frame(const struct names *names, const struct first_packet *p, uint8_t *bytes, struct frame *ret_frame)
{
	const struct input input = {
		.from = p->from,
		.to = p->to,
		.protocol = p->protocol,
		.sport = p->sport,
		.dport = p->port,
		.icmp = { p->port >> 8, p->port & 255 },
		.tcp_flags = 2, /* SYN */
	};

	*ret_frame = (struct frame){ .data = bytes, .hook = p->egress ? ZW_HOOK_EGRESS : ZW_HOOK_XDP };
	ret_frame->len = frame_build(&input, bytes);
	ret_frame->time = p->time;
	if (p->interface)
		ret_frame->source_set = names_source_set(names, p->interface);
}

void explain_decide(struct decider *decider, const struct names *names, const struct first_packet *packet,
		    struct decision *ret_decision)
{
	uint8_t bytes[FRAME_MAX];
	struct frame frame;

	explain_frame(names, packet, bytes, &frame);
	decider_decide(decider, &frame, ret_decision);
}

static bool same_zones(const struct policy *policy, const struct addr *addr, const struct names *names, uint32_t atom)
{
	_cleanup_free_ unsigned *zones = array_new(policy->zone_count, sizeof(*zones));
	size_t count = zones ? explain_zones(policy, addr, zones) : 0;
	const char *const *told;

	if (!zones || atom == ZW_NO_ATOM || names_zones(names, atom, &told) != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(policy->zones[zones[i]].name, told[i]))
			return false;
	return true;
}

bool explain_agrees(const struct policy *policy, const struct first_packet *packet,
		    const struct explanation *explanation, const struct names *names, const struct decision *decision)
{
	bool by_rule = decision->reason == ZW_ALLOW_RULE || decision->reason == ZW_DROP_RULE ||
		       decision->reason == ZW_ALLOW_FAILSAFE;
	const struct rule_name *told = by_rule ? names_rule(names, decision->rule) : NULL;
	const char *id = explanation->rule ? explanation->rule->id : NULL;

	if (explanation->reason != decision->reason || !id != !told || (id && strcmp(id, told->id)))
		return false;
	return same_zones(policy, &packet->from, names, decision->atom[0]) &&
	       same_zones(policy, &packet->to, names, decision->atom[1]);
}
