// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/fate.h"

#include "tls_state.h"
#include "variant.h"

bool fate_has_ports(uint8_t protocol)
{
	return protocol == PROTO_TCP || protocol == PROTO_UDP || protocol == PROTO_SCTP;
}

/* The entry that lets a packet of these ends pass, as it is or with ends and ports exchanged; 0 none. */
static __u32 failsafe_cell(__u32 source, __u32 destination, uint8_t protocol, uint16_t port, uint16_t exchanged)
{
	__u32 cell = zw_failsafe_cell(source, destination, protocol, port);

	if (!(cell & ZW_CELL_ALLOW))
		cell = zw_failsafe_cell(destination, source, protocol, exchanged);
	return cell & ZW_CELL_ALLOW ? cell : 0;
}

/* That of its first packet, if answers pass as well. ICMP has no ports to exchange, and its answers are of another type. */
static __u32 failsafe_both_ways(const struct connection *c, __u32 source, __u32 destination)
{
	uint16_t sport = fate_has_ports(c->protocol) ? bpf_ntohs(c->sport) : c->port, answer = 129 << 8;
	__u32 cell = failsafe_cell(source, destination, c->protocol, c->port, sport);

	if (c->protocol != PROTO_ICMP && c->protocol != PROTO_ICMPV6)
		return cell;
	if (c->protocol == PROTO_ICMP)
		answer = 0;
	return failsafe_cell(destination, source, c->protocol, answer, answer) ? cell : 0;
}

static enum zw_reason reason_of(__u32 cell)
{
	if (!(cell & ZW_CELL_ALLOW))
		return cell & ZW_CELL_RULE ? ZW_DROP_RULE : ZW_DROP_DEFAULT;
	return cell & ZW_CELL_RULE ? ZW_ALLOW_RULE : cell & ZW_CELL_INTRA ? ZW_ALLOW_INTRA_ZONE : ZW_ALLOW_DEFAULT;
}

/* Failsafe lets pass what a staged rule would drop. */
static __u32 staged_otherwise(const struct connection *c, const struct asked *asked, bool passes, __u32 source, __u32 destination)
{
	bool would_pass = (asked->staged & ZW_CELL_ALLOW) && takes_over(c->cell, asked->staged);

	if (!asked->staged || would_pass == passes || (!would_pass && failsafe_both_ways(c, source, destination)))
		return 0;
	return (asked->staged & ZW_CELL_RULE) | (would_pass ? ZW_CELL_ALLOW : 0);
}

struct fate fate_of(const void *tables, const struct zw_layout *layout, const struct connection *c, uint64_t now)
{
	__u32 source, destination, cell, failsafe;
	bool goes_on;
	struct asked asked = { .seconds = now };

	zw_tables_bytes = tables;
	zw_layout = *layout;
	source = find_atom(c->family, c->source);
	destination = find_atom(c->family, c->destination);
	cell = policy_cell(source, destination, c->protocol, c->port, &asked);
	goes_on = (cell & ZW_CELL_ALLOW) && takes_over(c->cell, cell);
	failsafe = goes_on ? 0 : failsafe_both_ways(c, source, destination);
	return (struct fate){
		.passes = goes_on || failsafe,
		.staged = staged_otherwise(c, &asked, (cell & ZW_CELL_ALLOW) || failsafe, source, destination),
		.reason = failsafe				  ? ZW_ALLOW_FAILSAFE :
			  !goes_on && (cell & ZW_CELL_ALLOW) ? ZW_DROP_REVOKED :
							       reason_of(cell),
		.rule = (failsafe ? failsafe : cell) & ZW_CELL_RULE,
	};
}

bool fate_takes_source(const void *tables, const struct zw_layout *layout, uint32_t source_set, int family,
		       const uint32_t *address)
{
	const struct zw_atom *atom;

	zw_tables_bytes = tables;
	zw_layout = *layout;
	atom = get_atom(find_atom(family, address));
	return atom && is_in_source(source_set, atom);
}
