/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flows older than the firewall: connections that live when an interface is attached are put into the flow tables, so that
 * their next packet is decided by the connection's first one, whichever side sends it (design section 5).
 *
 * Who opened a connection, in this order: connection tracking, which has seen it; the port on which this host listens;
 * the end that policy lets open it.
 */
#ifndef ZW_SEED_H
#define ZW_SEED_H

#include <stdbool.h>
#include <stdint.h>

#include "zonewall.h"

/* The passes of one command. */
struct seeder {
	const char *instance; /* borrowed */
	const void *tables; /* of the generation that is about to decide; borrowed */
	const struct zw_layout *layout;
	uint64_t seeded; /* flows added so far */
	uint64_t no_room; /* connections for which there was no room, in the last pass */
	bool warned; /* that something could not be read */
};

/*
 * One pass over all live connections of this process's network namespace, into the instance's pinned tables; to be
 * called under its lock. A refusal is a warning: without seeding, connections are picked up by their next packet, as
 * policy allows that one.
 */
void seed_flows(struct seeder *seeder);

/* After the last pass: warns if there was not room for all. */
void seed_warn(const struct seeder *seeder);

#endif
