// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/unnamed.h"

#include <inttypes.h>

#include <bpf/bpf.h>

#include "base/util.h"
#include "kernel/edge.h"
#include "kernel/pins.h"
#include "kernel/points.h"

/* The generations that the slots hold; NULL: none, everything passes there anyway. */
struct held {
	struct generation *generation[ZW_GATE_SLOTS];
	bool is_closed[ZW_GATE_SLOTS]; /* it has no pins to read: that of a predecessor */
};

static void held_clear(struct held *held)
{
	for (unsigned i = 0; i < ZW_GATE_SLOTS; i++)
		generation_free(held->generation[i]);
}

static int held_open(const struct gate *gate, unsigned slot, uint32_t coming, struct held *ret_held)
{
	for (unsigned i = 0; i < ZW_GATE_SLOTS; i++) {
		uint32_t number = coming && i == slot ? coming : gate->line->generation[i];
		int error = number ? pins_open_generation(gate->instance, number, &ret_held->generation[i]) : 0;

		ret_held->is_closed[i] = error == -ENOENT;
		if (error && !ret_held->is_closed[i])
			return edge_error(error, "cannot open generation %" PRIu32, number);
	}
	return 0;
}

static bool is_attached(const struct book *book, unsigned ifindex)
{
	for (unsigned hook = 0; hook < ZW_HOOKS; hook++)
		if (points_find(book, ifindex, hook))
			return true;
	return false;
}

/* What cannot be read names what was attached for it, but for what has been noted. */
static __u32 slots_without(const struct gate *gate, const struct held *held, const struct netdev *device)
{
	__u32 ifindex = device->ifindex, slots = 0, noted = 0;

	if (!is_attached(gate->book, ifindex))
		noted = ~0u;
	else
		bpf_map_lookup_elem(gate->unnamed, &ifindex, &noted);
	for (unsigned i = 0; i < ZW_GATE_SLOTS; i++)
		if (held->is_closed[i] ? noted >> i & 1 :
					 held->generation[i] && !attach_is_named(held->generation[i]->names, device->name))
			slots |= 1u << i;
	return slots;
}

static uint64_t set_partly(uint64_t word, const void *context)
{
	(void)context;
	return word | ZW_GATE_PARTLY;
}

static uint64_t clear_partly(uint64_t word, const void *context)
{
	(void)context;
	return word & ~ZW_GATE_PARTLY;
}

int unnamed_mark(const struct gate *gate, const struct attach_plan *plan, unsigned slot, uint32_t coming)
{
	_cleanup_(held_clear) struct held held = { 0 };
	int error = held_open(gate, slot, coming, &held);
	bool any = false;

	for (size_t i = 0; i < plan->device_count && !error; i++) {
		__u32 ifindex = plan->devices[i].ifindex, slots = slots_without(gate, &held, &plan->devices[i]);

		if (!attach_is_target(plan, ifindex) && !is_attached(gate->book, ifindex))
			continue;
		any |= slots;
		if (!slots)
			bpf_map_delete_elem(gate->unnamed, &ifindex);
		else if (bpf_map_update_elem(gate->unnamed, &ifindex, &slots, BPF_ANY))
			error = edge_error(errno, "cannot note which policy names '%s'", plan->devices[i].name);
	}
	if (any && !error)
		gate_change(gate->line, set_partly, NULL);
	return error;
}

int unnamed_mark_all(const struct gate *gate)
{
	const __u32 slots = (1u << ZW_GATE_SLOTS) - 1;

	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++) {
		const struct book_slot *slot = &gate->book->slot[i];
		__u32 ifindex = slot->ifindex;

		if (slot->attached && bpf_map_update_elem(gate->unnamed, &ifindex, &slots, BPF_ANY))
			return edge_error(errno, "cannot let everything pass on '%s'", slot->ifname);
	}
	gate_change(gate->line, set_partly, NULL);
	return 0;
}

bool unnamed_is_marked(const struct gate *gate)
{
	return gate_word(gate->line) & ZW_GATE_PARTLY;
}

bool unnamed_is_attached(const struct gate *gate)
{
	const unsigned current = gate_current(gate->line);

	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++) {
		__u32 ifindex = gate->book->slot[i].ifindex, slots;

		if (gate->book->slot[i].attached && !bpf_map_lookup_elem(gate->unnamed, &ifindex, &slots) &&
		    slots >> current & 1)
			return true;
	}
	return false;
}

void unnamed_end(const struct gate *gate)
{
	gate_change(gate->line, clear_partly, NULL);
}

void unnamed_clear(const struct gate *gate)
{
	__u32 ifindex;

	while (!bpf_map_get_next_key(gate->unnamed, NULL, &ifindex) && !bpf_map_delete_elem(gate->unnamed, &ifindex))
		;
}
