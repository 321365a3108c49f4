// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an event's numbers to names. What has to be asked of the system is asked once a second at most.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "simulate/decision.h"
#include "simulate/fate.h"
#include "watch/block_notes.h"
#include "watch/event.h"

#define GENERATIONS 8
#define CGROUPS 256

/* An opened generation keeps its tables in memory even when it is retired: it is let go soon after its last event. */
struct cached_generation {
	uint32_t number; /* 0: free */
	struct generation *generation; /* NULL: it could not be opened; not tried again before idle ticks are over */
	unsigned idle_ticks;
};
#define GENERATION_IDLE_TICKS 5

struct cached_slot {
	bool known, found;
	struct attach_point point;
};

struct cached_cgroup {
	uint64_t id; /* 0: free */
	char path[256];
};

struct decorator {
	const struct instance *instance;
	const char *cgroup_path; /* where cgroup2 is mounted */
	int cgroup_root; /* -1: it is not */
	int64_t wall_offset_ns; /* Unix time less CLOCK_BOOTTIME */
	struct cached_generation generations[GENERATIONS];
	struct cached_slot slots[ZW_POINT_SLOTS];
	struct cached_cgroup cgroups[CGROUPS];
	struct buffer from_zones, to_zones;
	struct block_notes *blocks;
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* cgroup2 stands at the first place, or beside version 1 at the second. */
static void open_cgroups(struct decorator *decorator)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs status;

	decorator->cgroup_root = -1;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (statfs(places[i], &status) || status.f_type != CGROUP2_SUPER_MAGIC)
			continue;
		decorator->cgroup_path = places[i];
		decorator->cgroup_root = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return;
	}
}

struct decorator *decorator_new(const struct instance *instance)
{
	struct decorator *decorator = calloc(1, sizeof(*decorator));

	if (!decorator)
		return NULL;
	decorator->instance = instance;
	decorator->blocks = block_notes_new(instance_name(instance));
	if (!decorator->blocks) {
		free(decorator);
		return NULL;
	}
	open_cgroups(decorator);
	decorator_tick(decorator);
	return decorator;
}

static void forget(struct cached_generation *cached)
{
	generation_free(cached->generation);
	*cached = (struct cached_generation){ 0 };
}

void decorator_free(struct decorator *decorator)
{
	if (!decorator)
		return;
	for (int i = 0; i < GENERATIONS; i++)
		forget(&decorator->generations[i]);
	if (decorator->cgroup_root >= 0)
		close(decorator->cgroup_root);
	block_notes_free(decorator->blocks);
	buffer_free(&decorator->from_zones);
	buffer_free(&decorator->to_zones);
	free(decorator);
}

void decorator_tick(struct decorator *decorator)
{
	block_notes_tick(decorator->blocks);
	decorator->wall_offset_ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME);
	for (int i = 0; i < GENERATIONS; i++)
		if (decorator->generations[i].number && decorator->generations[i].idle_ticks++ >= GENERATION_IDLE_TICKS)
			forget(&decorator->generations[i]);
	for (int i = 0; i < ZW_POINT_SLOTS; i++)
		decorator->slots[i].known = false;
}

/* NULL if it is no longer pinned. */
static const struct generation *find_generation(struct decorator *decorator, uint32_t number)
{
	struct cached_generation *cached, *oldest = &decorator->generations[0];

	for (int i = 0; i < GENERATIONS; i++) {
		cached = &decorator->generations[i];
		if (cached->number == number) {
			if (cached->generation)
				cached->idle_ticks = 0;
			return cached->generation;
		}
		if (!cached->number || (oldest->number && cached->idle_ticks > oldest->idle_ticks))
			oldest = cached;
	}
	forget(oldest);
	oldest->number = number;
	if (generation_open(decorator->instance, number, &oldest->generation))
		oldest->generation = NULL;
	return oldest->generation;
}

static const char *zones_of(const struct generation *generation, int family, const void *address, struct buffer *buffer)
{
	const char *const *zones;
	size_t count;
	uint32_t atom;

	buffer_clear(buffer);
	atom = tables_atom(generation->tables, &generation->layout, family, address);
	if (atom == ZW_NO_ATOM)
		return "";
	count = names_zones(generation->names, atom, &zones);
	for (size_t i = 0; i < count; i++)
		buffer_printf(buffer, "%s%s", i ? "," : "", zones[i]);
	return count && !buffer->failed ? buffer->data : "";
}

/* What policy has decided, a staged rule may decide otherwise. */
static bool is_of_policy(enum zw_reason reason)
{
	return reason == ZW_DROP_RULE || reason == ZW_DROP_DEFAULT || reason == ZW_ALLOW_RULE || reason == ZW_ALLOW_DEFAULT ||
	       reason == ZW_ALLOW_INTRA_ZONE;
}

static const char *find_staged(const struct generation *generation, const struct event *event)
{
	struct connection c = { .family = event->key.family, .protocol = event->key.protocol, .dport = event->key.port,
				.port = ntohs(event->key.port) };
	uint32_t staged;

	if (!generation->layout.variants || !is_of_policy(event->key.reason))
		return "";
	memcpy(c.source, event->key.source, sizeof(c.source));
	memcpy(c.destination, event->key.destination, sizeof(c.destination));
	c.sport = htons(event->source_port);
	staged = fate_of(generation->tables, &generation->layout, &c, event->time_ns / 1000000000).staged;
	return staged ? names_rule(generation->names, staged & ZW_CELL_RULE)->id : "";
}

static void name_generation(struct decorator *decorator, struct event *event)
{
	const struct generation *generation = NULL;
	const struct rule_name *rule;

	if (event->key.generation)
		generation = find_generation(decorator, event->key.generation);
	if (!generation)
		return;
	if (event->key.family && !(event->key.flags & ZW_EVENT_FOLDED)) {
		event->from_zones = zones_of(generation, event->key.family, event->key.source, &decorator->from_zones);
		event->to_zones = zones_of(generation, event->key.family, event->key.destination, &decorator->to_zones);
		event->staged = find_staged(generation, event);
	}
	rule = event->key.rule ? names_rule(generation->names, event->key.rule) : NULL;
	if (rule)
		event->rule = rule->id;
}

static void name_slot(struct decorator *decorator, struct event *event)
{
	struct cached_slot *slot;

	if (!event->key.slot || event->key.slot >= ZW_POINT_SLOTS || (event->key.flags & ZW_EVENT_FOLDED))
		return;
	slot = &decorator->slots[event->key.slot];
	if (!slot->known) {
		slot->found = instance_slot(decorator->instance, event->key.slot, &slot->point);
		slot->known = true;
	}
	if (!slot->found)
		return;
	event->interface = slot->point.ifname;
	event->hook = slot->point.hook;
}

/* The path below the root of control groups, by a file handle that holds the id (kernel: FILEID_KERNFS). */
static void ask_cgroup(const struct decorator *decorator, uint64_t id, char *path, size_t room)
{
	struct {
		struct file_handle head;
		uint64_t id;
	} handle = { .head = { .handle_bytes = sizeof(uint64_t), .handle_type = 0xfe }, .id = id };
	char link[64], target[PATH_MAX];
	size_t root_len;
	ssize_t len;
	int fd;

	path[0] = '\0';
	memcpy(handle.head.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(decorator->cgroup_root, &handle.head, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target) - 1);
	close(fd);
	if (len < 0)
		return;
	target[len] = '\0';
	root_len = strlen(decorator->cgroup_path);
	if (!strncmp(target, decorator->cgroup_path, root_len))
		snprintf(path, room, "%.*s", (int)room - 1, target[root_len] ? target + root_len : "/");
}

static const char *name_cgroup(struct decorator *decorator, uint64_t id)
{
	struct cached_cgroup *cached = &decorator->cgroups[id % CGROUPS];

	if (!id || decorator->cgroup_root < 0)
		return "";
	if (cached->id != id) {
		ask_cgroup(decorator, id, cached->path, sizeof(cached->path));
		cached->id = id;
	}
	return cached->path;
}

/* Whichever end it is of; a folded event has none. */
static void name_block(struct decorator *decorator, struct event *event)
{
	const struct zw_event_key *key = &event->key;

	if (key->reason != ZW_DROP_BLOCKED || (key->flags & ZW_EVENT_FOLDED) || !key->family)
		return;
	event->block_reason = block_notes_find(decorator->blocks, key->family, key->source);
	if (!*event->block_reason)
		event->block_reason = block_notes_find(decorator->blocks, key->family, key->destination);
}

void decorator_decorate(struct decorator *decorator, const struct told *told, struct event *ret_event)
{
	const struct zw_event *packet = told->packet;
	struct event event = { .count = told->count, .key = told->key, .hook = ZW_HOOKS, .interface = "", .rule = "",
			       .staged = "", .cgroup = "", .from_zones = "", .to_zones = "", .block_reason = "" };

	event.time_ns = decorator->wall_offset_ns + (packet ? (int64_t)packet->time_ns : now_ns(CLOCK_BOOTTIME));
	if (packet && !(told->key.flags & ZW_EVENT_FOLDED)) {
		event.has_packet = true;
		event.length_bytes = packet->length;
		event.source_port = ntohs(packet->source_port);
		event.vlan = packet->vlan;
		event.tcp_flags = packet->tcp_flags;
		event.cgroup = name_cgroup(decorator, packet->cgroup);
	}
	name_generation(decorator, &event);
	name_slot(decorator, &event);
	name_block(decorator, &event);
	*ret_event = event;
}
