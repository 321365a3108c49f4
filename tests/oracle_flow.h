/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The oracle's flows: a plain list, searched from the front, following design section 5 (stages flow and related,
 * confirmation, timeouts). Also the packet as the oracle's parser leaves it.
 */
#ifndef ZW_ORACLE_FLOW_H
#define ZW_ORACLE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "zonewall.h"

/* Of a flow; WAITS and those behind it only where its rule has `tls`, or had. */
enum oracle_tls { TLS_NOT_ASKED, TLS_WAITS, TLS_CHECKED, TLS_REFUSED };

/* What the policy was asked of a first packet. */
struct oracle_asked {
	struct addr from, to;
	uint8_t protocol;
	uint16_t port;
};

struct oracle_packet {
	const struct interface_match *source; /* of the attach point; NULL: any */
	bool egress, to_own_mac;
	double time;
	int family;
	bool read_addresses;
	struct addr from, to;
	uint8_t protocol, hop_limit;
	bool first_fragment, later_fragment;
	bool more_fragments;
	uint8_t fragment_protocol;
	uint32_t fragment_id;
	size_t fragment_at; /* offset of its bytes in the datagram */
	const uint8_t *fragment_data;
	size_t fragment_len;
	bool chain_is_cut; /* a first fragment does not hold its whole chain */
	bool has_header; /* the fixed transport header is there; what follows is set only then */
	uint16_t source_port;
	uint16_t port; /* destination port, or ICMP type << 8 | code, else 0 */
	uint16_t identifier; /* of ICMP messages: bytes 4 and 5 */
	uint8_t tcp_flags;
	uint32_t sequence, acknowledgement;
	size_t payload_len; /* TCP: of this IP packet */
	const uint8_t *transport; /* to the end of the IP packet */
	size_t transport_len;
	struct oracle_asked asked; /* of this packet, or of the first one of its flow */
	enum oracle_tls tls; /* of its flow, after it */
	bool tls_1_2;
	const struct rule *staged; /* would have decided this first packet */
	bool staged_allows;
};

struct oracle;
struct oracle_flows;

/* Has the rule ended? Then what it let in is decided again, by section 4. NULL: a default never ends. */
bool oracle_rule_ended(const struct rule *rule, double time);
/* Does the policy allow it now? By ret_rule, NULL: a default. */
bool oracle_policy_allows(const struct oracle *oracle, const struct oracle_asked *asked, double time, const struct rule **ret_rule);
/* The first failsafe entry that matches, NULL: none does. */
const struct rule *oracle_failsafe(const struct oracle *oracle, const struct oracle_asked *asked);

struct oracle_flows *oracle_flows_new(void);
void oracle_flows_free(struct oracle_flows *flows);

/*
 * Stages flow, with tls, and related: ZW_ALLOW_FLOW, ZW_DROP_REVOKED, ZW_DROP_PLAINTEXT or ZW_ALLOW_RELATED and the flow's rule
 * (NULL: a default), or ZW_REASON_NONE. packet->asked becomes the flow's.
 */
enum zw_reason oracle_flows_decide(const struct oracle *oracle, struct oracle_flows *flows, struct oracle_packet *packet,
				   const struct rule **ret_rule);

/* Stage fragment: a later fragment passes if its first one is remembered, with its rule. */
bool oracle_fragment_passes(const struct oracle *oracle, struct oracle_flows *flows, const struct oracle_packet *packet,
			    const struct rule **ret_rule);

/* A first fragment was decided: remembered if it was allowed, else another of its key is forgotten. */
void oracle_fragment_first(struct oracle_flows *flows, const struct oracle_packet *packet, bool allowed, size_t fixed_header,
			   const struct rule *rule);

/* Does the packet repeat the opening of a live flow, so that it leaves the flow as it is? */
bool oracle_flows_has_opening(struct oracle_flows *flows, const struct oracle_packet *packet);

/* Stage tls for a SYN that policy allows by this rule: flow or not. flows: NULL without. */
bool oracle_flows_pass_tls(struct oracle_flows *flows, const struct oracle_packet *packet, const struct rule *rule);

/* A first packet that policy allowed leaves its flow. False: it repeats a live flow's opening. */
bool oracle_flows_open(struct oracle_flows *flows, const struct oracle_packet *packet, const struct rule *rule);

#endif
