/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Port classes: the (protocol, port) pairs cut so that no service tells two pairs of one class apart.
 *
 * All pairs stand in one line: 65,536 places each for tcp, udp, sctp, icmp, icmpv6 in this order, then one place for
 * every other protocol. Services are sets of places; the places are swept like addresses are. Classes are numbered in
 * order of first appearance, so a service is usually one or few runs of classes.
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

struct services {
	struct sets places; /* first, end, first, end... of each service: ascending, disjoint, not adjacent */
	struct sets classes; /* services that hold each class */
	ARRAY(struct class_run) runs; /* of all services */
	size_t *run; /* where each service's runs begin; the next one's begin is the end */
	ARRAY(struct class_run) cuts; /* first: a place, last: the class of the places from there on */
};

/* The number of the service that these selectors are. 0 or -ENOMEM. */
int services_add(struct services *services, const struct selectors *selectors, uint32_t *ret_service);

/* After the last services_add: finds the classes. 0, -ENOMEM, -E2BIG (more than PORT_CLASSES_MAX). */
int services_cut(struct services *services);

static inline size_t services_classes(const struct services *services)
{
	return sets_count(&services->classes);
}

static inline const struct class_run *services_runs(const struct services *services, uint32_t service, size_t *ret_count)
{
	*ret_count = services->run[service + 1] - services->run[service];
	return services->runs.v + services->run[service];
}

/* Appends the port tables and sets layout->ports and ->protocols. 0, -ENOMEM, -E2BIG (over budget). */
int services_write(const struct services *services, struct lines *lines, struct zw_layout *layout);
void services_clear(struct services *services);

#endif
