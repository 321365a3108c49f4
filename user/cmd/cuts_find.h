/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of cuts.h share: interfaces, now and under the policy that is looked at; verdicts in words.
 */
#ifndef ZW_CUTS_FIND_H
#define ZW_CUTS_FIND_H

#include "cmd/cuts.h"
#include "kernel/attach.h"
#include "kernel/instance.h"
#include "kernel/netdev.h"

struct live;
struct mnl_socket;

struct ways {
	const struct names *names; /* of the policy that is looked at; borrowed */
	bool decides; /* some generation decides now */
	struct netdev *devices;
	size_t device_count;
	struct attach_point *points;
	size_t point_count;
	struct mnl_socket *socket; /* for routes */
	uint64_t now; /* Unix seconds */
};

/* instance NULL: nothing is published. 0 or -errno. */
int cuts_read_ways(const struct instance *instance, const struct tables *tables, struct ways *ret_ways);
void cuts_clear_ways(struct ways *ways);
bool cuts_is_decided(const struct ways *ways, unsigned ifindex); /* now */

bool cuts_are_decided(const struct ways *ways, const struct connection *c); /* does it go by an interface that is named? */

/* Its fate, as far as it goes by interfaces that are named: `source:` of these, too. */
struct fate cuts_fate(const struct ways *ways, const struct tables *tables, const struct connection *c);

struct connection cuts_of_live(const struct live *live);
/* As seeding has it: opened by the end that the tables let open it, if it is not known who did. */
struct connection cuts_opened(const struct tables *tables, const struct live *live);

/* The rule by its id, or by its number in the names. 0 or -ENOMEM. */
int cuts_verdict(const struct names *names, const char *reason, const char *id, uint32_t number, struct verdict *ret_verdict);

/* Listening sockets that somebody can reach now (NULL: whoever wants), and nobody then. 0 or -errno. */
int cuts_find_closed(const struct tables *now, const struct ways *ways, const struct tables *then, struct cuts *cuts);

#endif
