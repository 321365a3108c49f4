/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The places (protocol, port) that packets go to (policy/packets.h), as the port classes they are in.
 */
#ifndef ZW_PLACES_H
#define ZW_PLACES_H

#include "policy/packets.h"
#include "simulate/cells.h"

/* Packets by what failsafe makes of their ends and ports exchanged. */
enum place_kind {
	PLACE_TCP, /* nothing: only a SYN is a first packet */
	PLACE_UDP, /* the source port decides */
	PLACE_SCTP,
	PLACE_OTHER, /* type and code, or nothing, stay what they are */
	PLACE_KINDS
};

/* Ports first..last of a protocol, all in one class. Returns true to go on. */
typedef bool place_visitor(void *context, uint8_t protocol, uint16_t first, uint16_t last, uint32_t class);

/* Calls visit for all places of the service that packets from this origin can have: tcp, udp and ICMP first. */
void places_walk(const struct cells *cells, const struct selectors *service, const struct origin *origin,
		 place_visitor *visit, void *context);

/* Is there a packet from this origin to this place, and is it in the service? */
bool places_hold(const struct selectors *service, const struct origin *origin, uint8_t protocol, uint16_t port);

enum place_kind place_kind(uint8_t protocol);

/* Do packets of this kind have a source port that failsafe, with their ends exchanged, decides by? */
static inline bool place_has_sport(enum place_kind kind)
{
	return kind == PLACE_UDP || kind == PLACE_SCTP;
}

/*
 * The port classes in which a service has places. before[kind][class] is how many classes below `class` have places of
 * that kind: so a run of classes has some if the numbers at its ends differ.
 */
struct place_classes {
	uint32_t *before[PLACE_KINDS];
	bool any;
};

int place_classes_find(const struct cells *cells, const struct selectors *service, const struct origin *origin,
		       struct place_classes *ret_classes); /* 0 or -ENOMEM */
void place_classes_clear(struct place_classes *classes);

static inline bool place_classes_hold(const struct place_classes *classes, int kind, uint32_t first, uint32_t end)
{
	return classes->before[kind][end] != classes->before[kind][first];
}

#endif
