// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/seed.h"

#include <inttypes.h>
#include <sys/mman.h>

#include "base/util.h"
#include "kernel/conntrack.h"
#include "kernel/edge.h"
#include "kernel/flows.h"
#include "kernel/jiffies.h"
#include "kernel/load.h"
#include "kernel/pins.h"
#include "kernel/seed_table.h"
#include "kernel/sockets.h"
#include "simulate/opener.h"

struct seeding {
	struct seeder *seeder;
	struct seed_table table[2]; /* IPv4, IPv6; memory NULL: it could not be mapped */
	uint64_t now;
	unsigned hz;
	bool openers_known; /* of connection tracking: take those whose opener it saw, or the others */
	bool left_others; /* it had such */
};

static void tell(struct seeding *s, int error, const char *what)
{
	if (!s->seeder->warned)
		edge_warn("cannot read %s: %s\nconnections older than this may have to be opened again", what,
			  strerror(-error));
	s->seeder->warned = true;
}

/* The end that policy lets open it, or the one that is the source. */
static void find_opener(const struct seeding *s, struct live *live)
{
	struct end first = { .port = live->ends.sport }, second = { .port = live->ends.dport };

	memcpy(first.address, live->ends.source, sizeof(first.address));
	memcpy(second.address, live->ends.destination, sizeof(second.address));
	if (tables_opener(s->seeder->tables, s->seeder->layout, live->family, live->ends.protocol, &first, &second) ==
	    OPENER_SECOND)
		live_reverse(live);
}

static bool put(const struct live *told, void *data)
{
	struct seeding *s = data;
	const struct seed_table *table = &s->table[told->family == 6];
	struct live live = *told;

	if (!table->memory || live_is_local(&live))
		return true;
	if (!live.is_opener_known)
		find_opener(s, &live);
	switch (seed_put(table, &live, s->now, s->hz)) {
	case SEEDED_NEW:
		s->seeder->seeded++;
		break;
	case SEEDED_NO_ROOM:
		s->seeder->no_room++;
		break;
	case SEEDED_KNOWN:
		break;
	}
	return true;
}

/* Sockets know better who opened what connection tracking came across mid-stream: such entries wait for them. */
static bool put_tracked(const struct live *live, void *data)
{
	struct seeding *s = data;

	if (live->is_opener_known == s->openers_known)
		return put(live, data);
	s->left_others = true;
	return true;
}

static void seed_tracked(struct seeding *s, bool openers_known)
{
	int error;

	s->openers_known = openers_known;
	error = conntrack_walk(put_tracked, s);
	if (error)
		tell(s, error, "the connections that nf_conntrack knows");
}

static int open_table(const char *instance, struct seed_table *table)
{
	const void *memory;
	void *writable;
	char path[PATH_MAX];
	size_t size;
	int error;

	pins_path(path, instance, "/state/zw_flows%d", table->family);
	error = pins_map_whole(path, &memory, &size);
	if (error)
		return error;
	munmap((void *)memory, pins_mapped_len(size));
	table->layout = flows_layout_of(table->family, load_cpus(), size);
	if (!table->layout.buckets)
		return -EPROTO;
	error = pins_map(path, size, true, &writable);
	if (error)
		return error;
	table->memory = writable;
	return 0;
}

static int begin(struct seeding *s)
{
	int error = jiffies_now(&s->now);

	s->hz = jiffies_hz();
	for (int i = 0; i < 2 && !error; i++) {
		s->table[i] = (struct seed_table){ .family = i ? 6 : 4 };
		error = open_table(s->seeder->instance, &s->table[i]);
	}
	return error;
}

static void end(struct seeding *s)
{
	for (int i = 0; i < 2; i++)
		if (s->table[i].memory)
			munmap(s->table[i].memory, pins_mapped_len(s->table[i].layout.size));
}

void seed_flows(struct seeder *seeder)
{
	enum conntrack_presence tracked = conntrack_presence("");
	struct seeding s = { .seeder = seeder };
	int error = begin(&s);

	seeder->no_room = 0;
	if (error)
		tell(&s, error, "the flow tables, to seed them");
	if (!error && tracked == CONNTRACK_PRESENT)
		seed_tracked(&s, true);
	if (!error) {
		error = sockets_walk(put, &s);
		if (error)
			tell(&s, error, "this host's sockets");
	}
	if (s.left_others)
		seed_tracked(&s, false);
	if (tracked == CONNTRACK_MUTE && !seeder->warned) {
		edge_warn("nf_conntrack tracks connections here, but nf_conntrack_netlink, which tells them, seems not to be "
			  "loaded\nforwarded connections that are older than this may have to be opened again");
		seeder->warned = true;
	}
	end(&s);
}

void seed_warn(const struct seeder *seeder)
{
	if (seeder->no_room)
		edge_warn("%" PRIu64 " live connections found no room in the flow tables: their next packets are decided "
			  "as first packets\nfix: a larger number in `defaults: flows:`, after 'zonewall down'",
			  seeder->no_room);
}
