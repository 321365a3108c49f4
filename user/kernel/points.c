// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/points.h"

#include <string.h>

#include "kernel/sources.h"

unsigned points_find(const struct book *book, unsigned ifindex, enum zw_hook hook)
{
	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++)
		if (book->slot[i].attached && book->slot[i].ifindex == ifindex && book->slot[i].hook == hook)
			return i;
	return 0;
}

static unsigned choose_slot(const struct book *book, const struct netdev *device, enum zw_hook hook)
{
	unsigned unused = 0, oldest = 0;

	for (unsigned i = ZW_POINT_SLOTS - 1; i > 0; i--) {
		const struct book_slot *slot = &book->slot[i];

		if (slot->attached)
			continue;
		if (!slot->ifindex)
			unused = i;
		else if (slot->hook == hook && !strcmp(slot->ifname, device->name))
			return i;
		else if (!oldest || slot->released < book->slot[oldest].released)
			oldest = i;
	}
	return unused ? unused : oldest;
}

/* The interface's entry, or the place for it: the first free one of its probes. NULL if there is none. */
static struct zw_point *find_point(struct zw_point *points, unsigned ifindex)
{
	struct zw_point *place = NULL;

	for (unsigned i = 0; i < ZW_POINT_PROBES; i++) {
		struct zw_point *point = &points[(ifindex + i) & (ZW_POINT_ENTRIES - 1)];

		if (point->ifindex == ifindex)
			return point;
		if (!point->ifindex && !place)
			place = point;
	}
	return place;
}

/* The index comes last: a program that finds it finds the rest. In an entry that can be found, a slot changes as a whole. */
static bool enter(struct gate *gate, const struct netdev *device, enum zw_hook hook, unsigned slot)
{
	struct zw_point *point = find_point(gate->points, device->ifindex);

	if (!point)
		return false; /* slot 0 counts, the policy decides as ever */
	if (point->ifindex != device->ifindex)
		memset(point, 0, sizeof(*point));
	memcpy(point->mac, device->mac, sizeof(point->mac));
	point->flags = device->is_ethernet ? 0 : ZW_POINT_L3;
	__atomic_store_n(&point->slot[hook], slot, __ATOMIC_RELAXED);
	__atomic_store_n(&point->ifindex, device->ifindex, __ATOMIC_RELEASE);
	return true;
}

static bool is_attached_elsewhere(const struct book *book, unsigned ifindex)
{
	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++)
		if (book->slot[i].attached && book->slot[i].ifindex == ifindex)
			return true;
	return false;
}

void points_release(struct gate *gate, unsigned i)
{
	struct book_slot *slot = &gate->book->slot[i];
	struct zw_point *point = find_point(gate->points, slot->ifindex);

	slot->attached = 0;
	slot->released = ++gate->book->releases;
	if (point && point->ifindex == slot->ifindex && !is_attached_elsewhere(gate->book, slot->ifindex))
		__atomic_store_n(&point->ifindex, 0, __ATOMIC_RELEASE);
}

/*
 * Without an entry the programs would look for an Ethernet header, and read a sender's address as one; and would not know
 * where packets must come from.
 */
static bool needs_entry(const struct gate *gate, const struct netdev *device)
{
	return !device->is_ethernet || sources_bind(gate, device->name);
}

bool points_keep(struct gate *gate, const struct netdev *device, unsigned slot)
{
	return enter(gate, device, gate->book->slot[slot].hook, slot) || !needs_entry(gate, device);
}

bool points_are_full(const struct book *book)
{
	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++)
		if (!book->slot[i].attached)
			return false;
	return true;
}

unsigned points_take(struct gate *gate, const struct netdev *device, enum zw_hook hook, enum attach_mode mode)
{
	unsigned i = choose_slot(gate->book, device, hook);

	if (i) {
		struct book_slot *slot = &gate->book->slot[i];

		slot->ifindex = device->ifindex;
		slot->hook = hook;
		slot->mode = mode;
		slot->own_qdisc = 0;
		slot->released = 0;
		memcpy(slot->ifname, device->name, sizeof(slot->ifname));
		slot->attached = 1;
		sources_update(gate, i); /* before the entry leads programs to the slot */
	}
	if (enter(gate, device, hook, i) || !needs_entry(gate, device))
		return i;
	if (i)
		points_release(gate, i);
	return 0;
}

void points_refresh(struct gate *gate, const struct netdev *device)
{
	struct zw_point *point = find_point(gate->points, device->ifindex);

	if (point && point->ifindex == device->ifindex)
		memcpy(point->mac, device->mac, sizeof(point->mac));
	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++)
		if (gate->book->slot[i].attached && gate->book->slot[i].ifindex == device->ifindex)
			memcpy(gate->book->slot[i].ifname, device->name, sizeof(device->name));
}
