// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/cuts.h"

#include <time.h>

#include <libmnl/libmnl.h>

#include "base/util.h"
#include "cmd/cuts_find.h"
#include "kernel/conntrack.h"
#include "kernel/edge.h"
#include "kernel/route.h"
#include "kernel/session.h"
#include "kernel/sockets.h"
#include "simulate/decision.h"
#include "simulate/opener.h"
#include "watch/flow_source.h"

DEFINE_CLEANUP(struct instance *, instance_free)
DEFINE_CLEANUP(struct mnl_socket *, mnl_socket_close)

/* --- Interfaces ----------------------------------------------------------------------------------------------------- */

int cuts_read_ways(const struct instance *instance, const struct tables *tables, struct ways *ret_ways)
{
	struct ways ways = { .names = tables->names, .decides = instance && instance_current(instance), .now = time(NULL) };
	int error = netdevs_read(&ways.devices, &ways.device_count);

	if (!error && instance)
		error = instance_attach_points(instance, &ways.points, &ways.point_count);
	if (!error) {
		ways.socket = route_open();
		error = ways.socket ? 0 : -errno;
	}
	if (error)
		cuts_clear_ways(&ways);
	else
		*ret_ways = ways;
	return error;
}

void cuts_clear_ways(struct ways *ways)
{
	free(ways->devices);
	free(ways->points);
	mnl_socket_closep(&ways->socket);
	*ways = (struct ways){ 0 };
}

bool cuts_is_decided(const struct ways *ways, unsigned ifindex)
{
	for (size_t i = 0; ways->decides && i < ways->point_count; i++)
		if (ways->points[i].ifindex == ifindex && ways->points[i].healthy)
			return true;
	return false;
}

/* What goes to an end, by its route: is it decided then (the policy names the interface), is it now? */
struct way {
	bool then, now;
	uint32_t source_set; /* that what comes from there must be in, 0 any */
};

static struct way find_way(const struct ways *ways, int family, const uint32_t *address)
{
	const struct netdev *device;
	unsigned ifindex;

	if (route_interface(ways->socket, family, address, &ifindex))
		return (struct way){ .then = true, .now = true }; /* whoever cannot be reached now is not let off */
	device = netdevs_find(ways->devices, ways->device_count, ifindex);
	if (!device || device->is_loopback || !attach_is_named(ways->names, device->name))
		return (struct way){ .now = cuts_is_decided(ways, ifindex) };
	return (struct way){ .then = true, .now = cuts_is_decided(ways, ifindex),
			     .source_set = names_source_set(ways->names, device->name) };
}

bool cuts_are_decided(const struct ways *ways, const struct connection *c)
{
	return find_way(ways, c->family, c->source).then || find_way(ways, c->family, c->destination).then;
}

static bool is_let_in(const struct ways *ways, const struct tables *tables, int family, const uint32_t *address)
{
	uint32_t set = find_way(ways, family, address).source_set;

	return !set || fate_takes_source(tables->bytes, &tables->layout, set, family, address);
}

struct fate cuts_fate(const struct ways *ways, const struct tables *tables, const struct connection *c)
{
	struct fate fate = fate_of(tables->bytes, &tables->layout, c, ways->now);

	if (!tables->layout.source_sets || (is_let_in(ways, tables, c->family, c->source) &&
					    is_let_in(ways, tables, c->family, c->destination)))
		return fate;
	return (struct fate){ .reason = ZW_DROP_SPOOFED };
}

/* Is it seeded because an interface by which it goes is attached? */
static bool is_newly_decided(const struct ways *ways, const struct connection *c)
{
	const struct way ends[] = { find_way(ways, c->family, c->source), find_way(ways, c->family, c->destination) };

	return (ends[0].then && !ends[0].now) || (ends[1].then && !ends[1].now);
}

/* --- Connections ---------------------------------------------------------------------------------------------------- */

/* A connection without a flow. Told twice, it is taken from who seeds it first (kernel/seed.c). */
struct other {
	struct connection connection, ends;
	int rank;
	bool is_new; /* it is seeded, because an interface by which it goes is attached */
};

struct search {
	const struct tables *then; /* of the policy */
	const struct tables *now; /* NULL: nothing decides now */
	struct ways ways;
	struct flow_source source; /* of what runs */
	struct tables running; /* what `now` is: its parts are borrowed from the source */
	struct connection *known; /* ends of the flow tables' connections, sorted */
	size_t known_count;
	struct other *others;
	size_t other_count;
	bool tracked; /* that they are told by connection tracking */
	struct session sessions[SESSIONS_MAX];
	size_t session_count;
	struct cuts cuts;
	int error;
};

static void clear_search(struct search *search)
{
	cuts_clear_ways(&search->ways);
	flow_source_close(&search->source);
	free(search->known);
	free(search->others);
	cuts_clear(&search->cuts);
}

static int compare_in_order(const struct connection *a, const struct connection *b)
{
	int order = memcmp(a->source, b->source, sizeof(a->source));

	if (!order)
		order = memcmp(a->destination, b->destination, sizeof(a->destination));
	if (!order)
		order = (a->sport > b->sport) - (a->sport < b->sport);
	if (!order)
		order = (a->dport > b->dport) - (a->dport < b->dport);
	if (!order)
		order = a->protocol - b->protocol;
	return order ? order : a->family - b->family;
}

static struct connection turned(const struct connection *c)
{
	struct connection reversed = *c;

	memcpy(reversed.source, c->destination, sizeof(reversed.source));
	memcpy(reversed.destination, c->source, sizeof(reversed.destination));
	reversed.sport = c->dport;
	reversed.dport = c->sport;
	return reversed;
}

/* The same for both directions. */
static struct connection by_ends(const struct connection *c)
{
	struct connection reversed = turned(c);

	return compare_in_order(c, &reversed) <= 0 ? *c : reversed;
}

static int compare_ends(const void *a, const void *b)
{
	return compare_in_order(a, b);
}

struct connection cuts_of_live(const struct live *live)
{
	struct connection c = { .family = live->family, .protocol = live->ends.protocol, .sport = live->ends.sport,
				.dport = live->ends.dport, .port = live->ends.port };

	memcpy(c.source, live->ends.source, sizeof(c.source));
	memcpy(c.destination, live->ends.destination, sizeof(c.destination));
	return c;
}

static bool is_own(const struct search *search, const struct connection *c)
{
	const struct connection ends = by_ends(c);

	for (size_t i = 0; i < search->session_count; i++) {
		const struct connection session = cuts_of_live(&search->sessions[i].live), own = by_ends(&session);

		if (!compare_in_order(&ends, &own))
			return true;
	}
	return false;
}

static int add(struct search *search, const struct connection *c, const struct fate *fate, const char *before,
	       const char *before_rule)
{
	struct cuts *cuts = &search->cuts;
	struct cut cut = { .connection = *c, .is_own = is_own(search, c) };
	int error = array_grow(&cuts->cuts, cuts->count, sizeof(*cuts->cuts));

	if (!error)
		error = cuts_verdict(NULL, before, before_rule, 0, &cut.before);
	if (!error)
		error = cuts_verdict(search->then->names, reason_name(fate->reason), NULL, fate->rule, &cut.now);
	if (error) {
		free(cut.before.rule);
		return error;
	}
	cuts->cuts[cuts->count++] = cut;
	return 0;
}

/* A flow that what runs has cut already is not cut again. */
static bool passes_now(const struct search *search, const struct flow_record *record, const struct connection *c)
{
	if (record->generation == search->source.current && !(record->cell & ZW_CELL_EXPIRES))
		return true;
	return fate_of(search->now->bytes, &search->now->layout, c, search->ways.now).passes;
}

static int look_at_flow(struct search *search, struct flow_seen *flow)
{
	const struct connection c = flow_connection(&flow->record);
	const struct fate fate = cuts_fate(&search->ways, search->then, &c);
	int error = array_grow(&search->known, search->known_count, sizeof(*search->known));

	if (error)
		return error;
	search->known[search->known_count++] = by_ends(&c);
	if (!passes_now(search, &flow->record, &c))
		return 0;
	search->cuts.live++;
	if (fate.passes || !cuts_are_decided(&search->ways, &c))
		return 0;
	flow_source_name(&search->source, flow);
	return add(search, &c, &fate, flow->reason, flow->rule);
}

static int look_at_flows(struct search *search)
{
	struct flow_seen flow;
	int error = 0;

	for (int i = 0; i < 2; i++) {
		const struct flow_table *table = &search->source.tables[i];
		uint64_t now = flow_source_now(&search->source), count = flow_table_slots(table);

		for (uint64_t slot = 0; slot < count && !error; slot++)
			if (flow_read(table, slot, now, &flow.record) == FLOW_READ)
				error = look_at_flow(search, &flow);
	}
	if (search->known_count)
		qsort(search->known, search->known_count, sizeof(*search->known), compare_ends);
	return error;
}

/* As seeding has it (kernel/seed.c): the end that policy lets open it, if it is not known who did. */
struct connection cuts_opened(const struct tables *tables, const struct live *live)
{
	struct connection c = cuts_of_live(live);
	struct end first = { .port = c.sport }, second = { .port = c.dport };

	if (live->is_opener_known)
		return c;
	memcpy(first.address, c.source, sizeof(first.address));
	memcpy(second.address, c.destination, sizeof(second.address));
	if (tables_opener(tables->bytes, &tables->layout, c.family, c.protocol, &first, &second) !=
	    OPENER_SECOND)
		return c;
	c = turned(&c);
	c.port = be16toh(c.dport);
	return c;
}

static bool is_known(const struct search *search, const struct connection *ends)
{
	return search->known_count &&
	       bsearch(ends, search->known, search->known_count, sizeof(*ends), compare_ends);
}

/* Newly decided, or decided now; the rest goes by interfaces that the policy does not name. */
static bool note_live(const struct live *live, void *data)
{
	struct search *search = data;
	const struct connection as_told = cuts_of_live(live);
	struct other other = {
		.ends = by_ends(&as_told),
		.rank = !search->tracked ? 1 : live->is_opener_known ? 0 : 2,
		.is_new = is_newly_decided(&search->ways, &as_told),
	};

	if (live_is_local(live) || is_known(search, &other.ends) ||
	    (!other.is_new && !cuts_are_decided(&search->ways, &as_told)))
		return true;
	other.connection = cuts_opened(other.is_new ? search->then : search->now, live);
	search->error = array_grow(&search->others, search->other_count, sizeof(other));
	if (!search->error)
		search->others[search->other_count++] = other;
	return !search->error;
}

static int compare_others(const void *a, const void *b)
{
	const struct other *x = a, *y = b;
	int order = compare_in_order(&x->ends, &y->ends);

	return order ? order : x->rank - y->rank;
}

/* Without a flow, `tcp: strict` drops what no failsafe lets pass, and so does a rule with `tls`. */
static struct fate without_flow(struct fate fate, const struct tables *tables, const struct connection *c)
{
	bool by_rules = fate.passes && fate.reason != ZW_ALLOW_FAILSAFE;

	if (c->protocol == PROTO_TCP && ((by_rules && tables->layout.tcp_strict) || fate.reason == ZW_DROP_REVOKED))
		return (struct fate){ .reason = ZW_DROP_TCP_STATE };
	return fate;
}

/* It has no flow, so if it passes now, then by failsafe, or because each of its packets may begin one. */
static int look_at_flowless(struct search *search, const struct connection *c)
{
	const struct tables *now = search->now, *then = search->then;
	const struct fate before = without_flow(fate_of(now->bytes, &now->layout, c, search->ways.now), now, c);
	const struct fate fate = without_flow(cuts_fate(&search->ways, then, c), then, c);
	const struct rule_name *rule = before.rule ? names_rule(now->names, before.rule) : NULL;

	if (!before.passes)
		return 0;
	search->cuts.live++;
	return fate.passes ? 0 : add(search, c, &fate, reason_name(before.reason), rule ? rule->id : NULL);
}

static int look_at_new(struct search *search, const struct connection *c)
{
	const struct fate fate = cuts_fate(&search->ways, search->then, c);

	search->cuts.live++;
	return fate.passes ? 0 : add(search, c, &fate, NULL, NULL);
}

/* What cannot be read is not seeded either, and is a warning there. */
static int look_at_others(struct search *search)
{
	int error;

	search->tracked = true;
	if (conntrack_presence("") == CONNTRACK_PRESENT)
		conntrack_walk(note_live, search);
	search->tracked = false;
	if (!search->error)
		sockets_walk(note_live, search);
	error = search->error;
	if (search->other_count)
		qsort(search->others, search->other_count, sizeof(*search->others), compare_others);
	for (size_t i = 0; i < search->other_count && !error; i++) {
		const struct other *other = &search->others[i];

		if (i && !compare_in_order(&other[-1].ends, &other->ends))
			continue;
		error = other->is_new ? look_at_new(search, &other->connection) :
					look_at_flowless(search, &other->connection);
	}
	return error;
}

static int compare_texts(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : (a != NULL) - (b != NULL);
}

static int compare_cuts(const void *a, const void *b)
{
	const struct cut *x = a, *y = b;
	int order = compare_texts(x->now.rule, y->now.rule);

	if (!order)
		order = compare_texts(x->before.rule, y->before.rule);
	return order ? order : compare_in_order(&x->connection, &y->connection);
}

static int open_instance(const char *name, struct instance **ret_instance)
{
	int error = instance_open(name, ret_instance);

	return error == -ENOENT ? 0 : error;
}

static int open_running(const struct instance *instance, struct search *search)
{
	int error = flow_source_open(instance, &search->source);
	const struct generation *g = search->source.generations[0];

	if (error || !g)
		return error ? error : -ENOENT;
	search->running = (struct tables){ .bytes = (void *)g->tables, .len = g->tables_len, .layout = g->layout, .names = g->names };
	search->now = &search->running;
	return 0;
}

static int find(const char *name, struct search *search)
{
	_cleanup_(instance_freep) struct instance *instance = NULL;
	int error = open_instance(name, &instance);

	if (!error)
		error = cuts_read_ways(instance, search->then, &search->ways);
	if (!error && search->ways.decides)
		error = open_running(instance, search);
	if (error)
		return error;
	sessions_find(search->sessions, &search->session_count); /* who cannot be known is not marked */
	if (search->now)
		error = look_at_flows(search);
	if (!error)
		error = look_at_others(search);
	if (!error && search->cuts.count)
		qsort(search->cuts.cuts, search->cuts.count, sizeof(*search->cuts.cuts), compare_cuts);
	return error ? error : cuts_find_closed(search->now, &search->ways, search->then, &search->cuts);
}

int cuts_find(const char *instance, const struct tables *tables, struct cuts *ret_cuts)
{
	_cleanup_(clear_search) struct search search = { .then = tables };
	int error = find(instance, &search);

	if (error)
		return edge_error(error, "cannot tell which connections this would cut");
	*ret_cuts = search.cuts;
	search.cuts = (struct cuts){ 0 };
	return 0;
}

void cuts_clear(struct cuts *cuts)
{
	for (size_t i = 0; i < cuts->count; i++) {
		free(cuts->cuts[i].before.rule);
		free(cuts->cuts[i].now.rule);
	}
	for (size_t i = 0; i < cuts->closed_count; i++) {
		free(cuts->closed[i].before.rule);
		free(cuts->closed[i].now.rule);
	}
	free(cuts->cuts);
	free(cuts->closed);
	*cuts = (struct cuts){ 0 };
}
