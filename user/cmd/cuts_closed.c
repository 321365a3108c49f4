// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listening sockets that a policy would close: each of their addresses that stands on an interface which the policy names.
 */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "base/addr.h"
#include "base/util.h"
#include "cmd/cuts_find.h"
#include "kernel/host.h"
#include "kernel/listeners.h"
#include "simulate/decision.h"
#include "simulate/space.h"

DEFINE_CLEANUP(struct space *, space_free)
DEFINE_CLEANUP(struct ifaddrs *, freeifaddrs)

enum { NOW, THEN };

struct search {
	const struct ways *ways;
	const struct tables *tables[2]; /* now, then; now NULL: everything passes */
	struct space *space[2];
	struct ranges others; /* every address but this host's */
	struct ifaddrs *addresses;
	struct cuts *cuts;
	int error;
};

static void clear_search(struct search *search)
{
	space_freep(&search->space[NOW]);
	space_freep(&search->space[THEN]);
	ranges_clear(&search->others);
	freeifaddrsp(&search->addresses);
}

static int begin(struct search *search)
{
	struct ranges host = { 0 };
	int error = 0;

	for (int i = NOW; i <= THEN && !error; i++)
		if (search->tables[i])
			error = space_new(search->tables[i]->bytes, &search->tables[i]->layout, search->ways->now,
					  &search->space[i]);
	if (!error)
		error = host_addresses(&host);
	if (!error)
		error = ranges_add(&search->others, 4, 0, UINT32_MAX);
	if (!error)
		error = ranges_add(&search->others, 6, 0, ~(u128)0);
	if (!error)
		error = ranges_subtract(&search->others, &host);
	ranges_clear(&host);
	if (!error && getifaddrs(&search->addresses))
		error = -errno;
	return error;
}

/* Can somebody open a connection to it, or send it a packet? */
static int ask(struct space *space, const struct search *search, const struct addr *addr, const struct listener *l,
	       unsigned wanted, struct space_answer *ret_answer)
{
	uint16_t port = be16toh(l->port);
	struct selector place = { .protocol = l->protocol, .first = port, .last = port };
	struct selectors service = { &place, 1 };
	struct ranges to = { 0 };
	struct region region = { &search->others, &to, &service };
	int error = ranges_add(&to, addr->family, addr->value, addr->value);

	if (!error)
		error = space_ask(space, &region, wanted, ret_answer);
	ranges_clear(&to);
	return error;
}

static int verdict_of(struct space *space, const struct names *names, const struct space_packet *packet,
		      struct verdict *ret_verdict)
{
	struct decision decision;

	space_decide(space, packet, &decision);
	return cuts_verdict(names, reason_name(decision.reason), NULL, decision.rule, ret_verdict);
}

static int close_it(struct search *search, const struct addr *addr, const struct listener *l,
		    const struct space_answer *before, const struct space_answer *then)
{
	struct cuts *cuts = search->cuts;
	struct closed closed = { .protocol = l->protocol, .family = addr->family, .port = l->port };
	int error = array_grow(&cuts->closed, cuts->closed_count, sizeof(*cuts->closed));

	addr_to_bytes(addr, closed.address);
	if (!error && before)
		error = verdict_of(search->space[NOW], search->tables[NOW]->names, &before->allowed, &closed.before);
	if (!error)
		error = verdict_of(search->space[THEN], search->tables[THEN]->names, &then->dropped, &closed.now);
	if (error) {
		free(closed.before.rule);
		return error;
	}
	cuts->closed[cuts->closed_count++] = closed;
	return 0;
}

static int look_at_address(struct search *search, const struct addr *addr, const struct listener *l, bool decided)
{
	struct space_answer before = { 0 }, then = { 0 };
	int error;

	search->cuts->listening++;
	if (decided) {
		error = ask(search->space[NOW], search, addr, l, SPACE_ALLOWED, &before);
		if (error || !(before.found & SPACE_ALLOWED))
			return error;
	}
	error = ask(search->space[THEN], search, addr, l, SPACE_ALLOWED | SPACE_DROPPED, &then);
	if (error || (then.found & SPACE_ALLOWED) || !(then.found & SPACE_DROPPED))
		return error;
	return close_it(search, addr, l, decided ? &before : NULL, &then);
}

static bool listens_on(const struct listener *l, const struct addr *addr)
{
	static const __u32 any[4];
	__u32 address[4] = { 0 };

	if (l->family && l->family != addr->family)
		return false;
	addr_to_bytes(addr, address);
	return !memcmp(l->address, any, sizeof(any)) || !memcmp(l->address, address, addr->family == 4 ? 4 : 16);
}

/* Link-local addresses are left out: policies do not mean them. */
static bool read_address(const struct ifaddrs *entry, struct addr *ret_addr)
{
	const struct sockaddr *address = entry->ifa_addr;
	const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

	if (!address || entry->ifa_flags & IFF_LOOPBACK)
		return false;
	if (address->sa_family == AF_INET)
		*ret_addr = addr_from_bytes(4, &((const struct sockaddr_in *)(const void *)address)->sin_addr);
	else if (address->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(six))
		*ret_addr = addr_from_bytes(6, six);
	else
		return false;
	return true;
}

static bool look_at(const struct listener *l, void *data)
{
	struct search *search = data;
	struct addr addr;

	for (const struct ifaddrs *entry = search->addresses; entry && !search->error; entry = entry->ifa_next) {
		unsigned ifindex;

		if (!read_address(entry, &addr) || !listens_on(l, &addr) ||
		    !attach_is_named(search->tables[THEN]->names, entry->ifa_name))
			continue;
		ifindex = if_nametoindex(entry->ifa_name);
		search->error = look_at_address(search, &addr, l, search->space[NOW] && cuts_is_decided(search->ways, ifindex));
	}
	return !search->error;
}

/* Two sockets may share a port (SO_REUSEPORT). */
static int compare_closed(const void *a, const void *b)
{
	const struct closed *x = a, *y = b;
	int order = x->protocol - y->protocol;

	if (!order)
		order = be16toh(x->port) - be16toh(y->port);
	if (!order)
		order = x->family - y->family;
	return order ? order : memcmp(x->address, y->address, sizeof(x->address));
}

static void leave_out_repeated(struct cuts *cuts)
{
	size_t kept = 0;

	if (cuts->closed_count)
		qsort(cuts->closed, cuts->closed_count, sizeof(*cuts->closed), compare_closed);
	for (size_t i = 0; i < cuts->closed_count; i++) {
		if (!kept || compare_closed(&cuts->closed[kept - 1], &cuts->closed[i])) {
			cuts->closed[kept++] = cuts->closed[i];
			continue;
		}
		free(cuts->closed[i].before.rule);
		free(cuts->closed[i].now.rule);
	}
	cuts->closed_count = kept;
}

int cuts_find_closed(const struct tables *now, const struct ways *ways, const struct tables *then, struct cuts *cuts)
{
	_cleanup_(clear_search) struct search search = { .ways = ways, .tables = { now, then }, .cuts = cuts };
	int error = begin(&search);

	if (!error)
		sockets_walk_listeners(look_at, &search); /* who may not ask is warned by the apply */
	if (!error)
		error = search.error;
	leave_out_repeated(cuts);
	return error;
}
