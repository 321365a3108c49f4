/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Port classes: the (protocol, port) pairs cut so that no service tells two pairs of one class apart.
 *
 * All pairs stand in one line: 65,536 places each for tcp, udp, sctp, icmp, icmpv6 in this order, then one place for
 * every other protocol. Services are sets of places; the places are swept like addresses are. Classes are numbered in
 * order of first appearance. So the classes that first appear in a range of places have consecutive numbers, and as a
 * service holds all places of its classes, each of its ranges is one run of classes.
 *
 * A class is known by 128 bits that its set of services adds up to, not by the set: thousands of overlapping ranges
 * have quadratically many members. Two different sets meet with a chance of about 2^-96 in 65,535 classes.
 */
#ifndef ZW_COMPILE_PORTS_H
#define ZW_COMPILE_PORTS_H

#include "compile/lines.h"
#include "compile/sets.h"
#include "policy/policy.h"

#define PORT_CLASSES_MAX 65535

/* Classes first..last, both included. */
struct class_run {
	uint32_t first, last;
};

/* The places from here to the next cut are in one class; `before` classes appear before here. */
struct cut {
	uint32_t place, class, before;
};

struct services {
	struct sets places; /* first, end, first, end... of each service: ascending, disjoint, not adjacent */
	struct sets classes; /* four words of each class, the sum of its services */
	ARRAY(struct class_run) runs; /* of all services */
	size_t *run; /* where each service's runs begin; the next one's begin is the end */
	ARRAY(struct cut) cuts;
};

/* The number of the service that these selectors are. 0 or -ENOMEM. */
int services_add(struct services *services, const struct selectors *selectors, uint32_t *ret_service);

/* After the last services_add: finds the classes. 0, -ENOMEM, -E2BIG (more than PORT_CLASSES_MAX). */
int services_cut(struct services *services);

static inline size_t services_classes(const struct services *services)
{
	return sets_count(&services->classes);
}

static inline const struct class_run *services_runs(const struct services *services, uint32_t service,
						    size_t *ret_count)
{
	*ret_count = services->run[service + 1] - services->run[service];
	return services->runs.v + services->run[service];
}

/* Of each class: of which origins (policy/packets.h) there are packets to it. ret_origins is zero. */
void services_origins(const struct services *services, uint8_t *ret_origins);

/* Appends the port tables and sets layout->ports and ->protocols. 0, -ENOMEM, -E2BIG (over budget). */
int services_write(const struct services *services, struct lines *lines, struct zw_layout *layout);
void services_clear(struct services *services);

#endif
