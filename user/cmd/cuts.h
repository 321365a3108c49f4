/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a policy would cut if it were applied now: live connections whose next packet it would drop, and listening sockets
 * that nobody could reach any more.
 *
 * Connections are those of the flow tables, and of those without a flow what this host's sockets and nf_conntrack tell: they
 * pass by failsafe, or are going to be seeded where an interface is newly attached. By which interface a connection goes is
 * asked of the kernel's routes: one that goes by none that the policy names is not cut. Not foreseen is what asymmetric
 * routes do.
 */
#ifndef ZW_CUTS_H
#define ZW_CUTS_H

#include "cmd/command.h"
#include "compile/tables.h"
#include "simulate/fate.h"

struct json_object;

/* What decides: reason, and the rule's id, NULL if there is none. Both NULL: nothing decided it. */
struct verdict {
	const char *reason;
	char *rule;
};

struct cut {
	struct connection connection;
	struct verdict before, now;
	bool is_own; /* this command was typed over it */
};

struct closed {
	uint8_t protocol;
	int family;
	uint32_t address[4];
	__be16 port;
	struct verdict before, now; /* of a packet that would have come in */
};

struct cuts {
	struct cut *cuts; /* by what decides now, then by what did */
	size_t count;
	uint64_t live; /* connections that were looked at */
	struct closed *closed;
	size_t closed_count, listening;
};

/* Of an instance that may not be there. 0 or -errno, told. */
int cuts_find(const char *instance, const struct tables *tables, struct cuts *ret_cuts);
void cuts_clear(struct cuts *cuts);

void cuts_print(const struct globals *globals, const struct cuts *cuts);
void cuts_add_json(const struct cuts *cuts, struct json_object *object);

/*
 * Would it cut a connection over which this command was typed? Then it says so and returns EXIT_FAILED; EXIT_DONE: no, or it
 * cannot be known.
 */
int cuts_refuse_own(const struct tables *tables);

#endif
