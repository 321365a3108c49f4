/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which flows somebody wants to see. Written as a JSON object, all of whose keys are optional and must all hold:
 *
 *   zone      a zone of either end             rule    a rule's or failsafe's id, or "default", "intra-zone"
 *   from, to  an address, CIDR or zone: of     state   a state's name
 *             the opener, of the other side    port    destination port of the first packet
 *   protocol  "tcp", "proto/47", "47"          family  "4", "6"
 *   staged    "drop": those that a staged rule would drop
 *
 * Names that the published generations do not know are mistakes, not filters that match nothing.
 */
#ifndef ZW_FLOW_FILTER_H
#define ZW_FLOW_FILTER_H

#include "watch/filter.h"
#include "watch/flow_source.h"

struct flow_filter {
	char zone[FILTER_NAME_MAX], rule[FILTER_NAME_MAX];
	struct filter_end from, to;
	bool has_protocol, has_port;
	uint8_t protocol;
	uint16_t port;
	uint32_t states; /* bit mask by enum zw_flow_state */
	int family; /* 0: both */
	bool staged;
};

/* object may be NULL: every flow. 0, or -EINVAL with the error's text. */
int flow_filter_read(struct json_object *object, const struct filter_error *error, struct flow_filter *ret_filter);
/* Are its zones and its rule known? 0, or -EINVAL with the error's text. */
int flow_filter_check(const struct flow_filter *filter, const struct flow_source *source,
		      const struct filter_error *error);

bool flow_filter_matches(const struct flow_filter *filter, const struct flow_record *flow); /* all but names */
bool flow_filter_matches_names(const struct flow_filter *filter, const struct flow_seen *flow);
bool flow_filter_has_names(const struct flow_filter *filter);

#endif
