/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What rules say of one packet, field by field: which match, and for a drop by default which allow rules came nearest.
 */
#ifndef ZW_NEAREST_H
#define ZW_NEAREST_H

#include "simulate/explain.h"

/* The packet's ends against every zone, looked up once: rules then cost no more than their lists. */
struct fields {
	const struct policy *policy;
	const struct first_packet *packet;
	bool *in[2]; /* by zone: holds the source, the destination */
	uint8_t *distance[2]; /* by zone: how far the end is from it, see nearest.c; made by nearest_find */
};

int fields_new(const struct policy *policy, const struct first_packet *packet, struct fields *ret_fields); /* 0, -ENOMEM */
void fields_clear(struct fields *fields);

bool fields_match_end(const struct fields *fields, int side, const struct zone_list *list);
bool fields_match_service(const struct selectors *service, uint8_t protocol, uint16_t port);
bool fields_match(const struct fields *fields, const struct rule *rule);

/* Fills in the misses of an explanation whose tiers were walked. 0 or -ENOMEM. */
int nearest_find(struct fields *fields, struct explanation *explanation);

#endif
