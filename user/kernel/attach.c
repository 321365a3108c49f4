// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/attach.h"

#include <fnmatch.h>

#include "base/util.h"
#include "kernel/edge.h"
#include "kernel/hook.h"
#include "kernel/points.h"
#include "kernel/programs.h"
#include "kernel/sources.h"
#include "policy/policy.h" /* enum xdp_mode, which names carry */

const char *attach_mode_name(enum attach_mode mode)
{
	static const char *const names[] = { "native", "generic", "tcx", "clsact" };

	return names[mode];
}

const char *attach_hook_name(enum zw_hook hook)
{
	static const char *const names[] = { "xdp", "ingress", "egress" };

	return names[hook];
}

static void link_path(char *ret_path, const char *instance, enum zw_hook hook, unsigned ifindex)
{
	pins_path(ret_path, instance, "/links/%s-%u", attach_hook_name(hook), ifindex);
}

/* Later entries override former ones, key by key. */
static bool match(const struct netdev *device, const struct interface_name *patterns, size_t count, bool *matched,
		  enum xdp_wish *ret_wish)
{
	static const enum xdp_wish wishes[] = { [XDP_AUTO] = WISH_AUTO,
						[XDP_NATIVE] = WISH_NATIVE,
						[XDP_GENERIC] = WISH_GENERIC,
						[XDP_OFF] = WISH_OFF };
	bool any = false;

	*ret_wish = WISH_AUTO;
	for (size_t i = 0; i < count; i++) {
		if (fnmatch(patterns[i].pattern, device->name, 0))
			continue;
		any = true;
		matched[i] = true;
		if (patterns[i].has_xdp && patterns[i].xdp < ARRAY_LEN(wishes))
			*ret_wish = wishes[patterns[i].xdp];
	}
	return any;
}

bool attach_is_named(const struct names *names, const char *ifname)
{
	const struct interface_name *patterns;
	size_t count = names_interfaces(names, &patterns);

	for (size_t i = 0; i < count; i++)
		if (!fnmatch(patterns[i].pattern, ifname, 0))
			return true;
	return false;
}

int attach_plan(const struct names *names, bool warn, struct attach_plan *ret_plan)
{
	const struct interface_name *patterns;
	size_t pattern_count = names ? names_interfaces(names, &patterns) : 0;
	_cleanup_free_ bool *matched = array_new(pattern_count, sizeof(*matched));
	struct attach_plan plan = { 0 };
	int error = matched ? netdevs_read(&plan.devices, &plan.device_count) : -ENOMEM;

	if (error)
		return edge_error(error, "cannot list the interfaces");
	plan.targets = array_new(plan.device_count, sizeof(*plan.targets));
	/* A target that switches modes notes most: TC there, egress, XDP away, XDP there, TC away. */
	plan.changes = array_new(5 * plan.device_count + ZW_POINT_SLOTS, sizeof(*plan.changes));
	plan.added = array_new(3 * plan.device_count, sizeof(*plan.added));
	if (!plan.targets || !plan.changes || !plan.added) {
		attach_plan_clear(&plan);
		return edge_error(ENOMEM, "cannot list the interfaces");
	}
	for (size_t i = 0; i < plan.device_count; i++) {
		struct target *target = &plan.targets[plan.target_count];

		if (plan.devices[i].is_loopback ||
		    !match(&plan.devices[i], patterns, pattern_count, matched, &target->wish))
			continue;
		target->device = &plan.devices[i];
		plan.target_count++;
	}
	for (size_t i = 0; warn && i < pattern_count; i++)
		if (!matched[i])
			edge_warn("no interface matches '%s' now", patterns[i].pattern);
	*ret_plan = plan;
	return 0;
}

void attach_plan_clear(struct attach_plan *plan)
{
	free(plan->devices);
	free(plan->targets);
	free(plan->changes);
	free(plan->added);
	*plan = (struct attach_plan){ 0 };
}

static struct attach_change *note_change(struct attach_plan *plan, const char *ifname, enum zw_hook hook,
					 enum attach_mode mode, enum change what)
{
	struct attach_change *change = &plan->changes[plan->change_count++];

	*change = (struct attach_change){ .hook = hook, .mode = mode, .change = what };
	snprintf(change->ifname, sizeof(change->ifname), "%s", ifname);
	return change;
}

/* Whether something is attached as it should be. That it cannot be looked at does not say that it is not: -errno then. */
enum held { HELD_NOT, HELD };

static int check_link(const char *instance, const struct book_slot *slot, uint32_t program_id, char *ret_note)
{
	char path[PATH_MAX];
	unsigned ifindex;
	uint32_t id;
	int error;

	link_path(path, instance, slot->hook, slot->ifindex);
	error = hook_read_link(path, &ifindex, &id);
	if (error)
		snprintf(ret_note, 128, "its link cannot be opened: %s", strerror(-error));
	else if (!ifindex)
		snprintf(ret_note, 128, "its interface was deleted");
	else if (ifindex != slot->ifindex || id != program_id)
		snprintf(ret_note, 128, "its link holds another program or interface");
	else
		return HELD;
	return error == -ENOENT ? HELD_NOT : error;
}

static int check_tcx(const struct book_slot *slot, uint32_t program_id, char *ret_note)
{
	uint32_t ids[64];
	int count = hook_read_tcx(slot->ifindex, slot->hook, ids, ARRAY_LEN(ids)), place = 0;

	while (place < count && ids[place] != program_id)
		place++;
	if (count < 0)
		snprintf(ret_note, 128, "the hook cannot be read: %s", strerror(-count));
	else if (place == count)
		snprintf(ret_note, 128, "our program is not on the hook");
	else if (place > 0)
		snprintf(ret_note, 128, "%d other program%s before ours", place, place > 1 ? "s run" : " runs");
	return count < 0 ? count : place < count ? HELD : HELD_NOT;
}

static int check_filter(const struct book_slot *slot, uint32_t program_id, char *ret_note)
{
	uint32_t id;
	int error = hook_read_filter(slot->ifindex, slot->hook, &id);

	if (error)
		snprintf(ret_note, 128, "the hook cannot be read: %s", strerror(-error));
	else if (id != program_id)
		snprintf(ret_note, 128, "our filter is not on the hook");
	return error ? error : id == program_id ? HELD : HELD_NOT;
}

/* Moved to another network namespace: it stays protected there until `down`. */
static bool lives_elsewhere(const char *instance, const struct book_slot *slot)
{
	char path[PATH_MAX];
	unsigned ifindex;
	uint32_t id;

	link_path(path, instance, slot->hook, slot->ifindex);
	return slot->mode != ATTACH_CLSACT && !hook_read_link(path, &ifindex, &id) && ifindex;
}

static int look_at(const char *instance, const struct book_slot *slot, uint32_t program_id, char *ret_note)
{
	int held;

	ret_note[0] = '\0';
	if (slot->mode == ATTACH_CLSACT)
		return check_filter(slot, program_id, ret_note);
	held = check_link(instance, slot, program_id, ret_note);
	return held == HELD && slot->mode == ATTACH_TCX ? check_tcx(slot, program_id, ret_note) : held;
}

bool attach_is_held(const char *instance, const struct book_slot *slot, uint32_t program_id, char *ret_note)
{
	return look_at(instance, slot, program_id, ret_note) == HELD;
}

/* The same with what the interface itself says. */
static int check(const char *instance, const struct book_slot *slot, uint32_t program_id, const struct netdev *device,
		 char *ret_note)
{
	int held = look_at(instance, slot, program_id, ret_note);

	if (held != HELD || slot->mode == ATTACH_TCX || slot->mode == ATTACH_CLSACT ||
	    (slot->mode == ATTACH_XDP_NATIVE ? device->xdp_native : device->xdp_generic) == program_id)
		return held;
	snprintf(ret_note, 128, "our program is not on the hook");
	return HELD_NOT;
}

bool attach_check(const char *instance, const struct book_slot *slot, uint32_t program_id, const struct netdev *device,
		  char *ret_note)
{
	if (device)
		return check(instance, slot, program_id, device, ret_note) == HELD;
	snprintf(ret_note, 128, "its interface %s",
		 lives_elsewhere(instance, slot) ? "went to another network namespace" : "is gone");
	return false;
}

static bool others_use_qdisc(const struct gate *gate, const struct book_slot *except)
{
	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++) {
		const struct book_slot *slot = &gate->book->slot[i];

		if (slot != except && slot->attached && slot->mode == ATTACH_CLSACT && slot->ifindex == except->ifindex)
			return true;
	}
	return netdev_count_filters(except->ifindex) != 0;
}

/* Takes one attach point away. What is already gone is no error. */
static int detach(struct gate *gate, unsigned i)
{
	struct book_slot *slot = &gate->book->slot[i];
	char path[PATH_MAX];
	int error;

	if (slot->mode == ATTACH_CLSACT) {
		error = hook_remove_filter(slot->ifindex, slot->hook);
		if (!error && slot->own_qdisc && !others_use_qdisc(gate, slot))
			hook_remove_qdisc(slot->ifindex);
	} else {
		link_path(path, gate->instance, slot->hook, slot->ifindex);
		error = hook_unlink(path);
	}
	if (!error)
		points_release(gate, i);
	return error;
}

/* A second filter of ours on the same interface shares the qdisc, and whose it is. */
static bool is_own_qdisc(const struct gate *gate, unsigned ifindex)
{
	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++) {
		const struct book_slot *slot = &gate->book->slot[i];

		if (slot->attached && slot->mode == ATTACH_CLSACT && slot->ifindex == ifindex && slot->own_qdisc)
			return true;
	}
	return false;
}

static int attach_filter(struct gate *gate, const struct netdev *device, enum zw_hook hook, struct book_slot *slot)
{
	bool made = false;
	int error = hook_add_filter(gate->program[hook], device->ifindex, hook, &made);

	if (error)
		hook_remove_filter(device->ifindex, hook); /* the kernel may have added it, its answer being what was not read */
	else
		slot->own_qdisc = made || is_own_qdisc(gate, device->ifindex);
	return error;
}

/* For tests on kernels that have TCX: what an older kernel would do. */
static bool is_tcx_disabled(void)
{
	const char *value = getenv("ZONEWALL_NO_TCX");

	return value && *value;
}

/* Attaches the gate's program; for TC hooks mode is TCX and becomes clsact where the kernel has none. Silent. */
static int attach(struct gate *gate, struct attach_plan *plan, const struct netdev *device, enum zw_hook hook,
		  enum attach_mode mode)
{
	/* The slot first: a process that is killed here leaves a slot without a link, which the next one mends. */
	unsigned i = points_take(gate, device, hook, mode);
	struct book_slot *slot = &gate->book->slot[i];
	char path[PATH_MAX];
	int error = -EOPNOTSUPP;

	if (!i)
		return -ENOSPC;
	if (programs_complete(gate, hook)) {
		points_release(gate, i);
		return -ECANCELED; /* why was told */
	}
	link_path(path, gate->instance, hook, device->ifindex);
	hook_unlink(path); /* a former interface's of the same index */
	if (mode != ATTACH_TCX || !is_tcx_disabled())
		error = hook_link(gate->program[hook], device->ifindex, hook, mode, path);
	if (mode == ATTACH_TCX && (error == -EINVAL || error == -EOPNOTSUPP)) {
		slot->mode = mode = ATTACH_CLSACT;
		error = attach_filter(gate, device, hook, slot);
	}
	if (error) {
		points_release(gate, i);
		return error;
	}
	plan->added[plan->added_count++] = i;
	note_change(plan, device->name, hook, mode, CHANGE_ATTACHED);
	return 0;
}

static const char *explain(int error, const struct gate *gate, const struct netdev *device, enum zw_hook hook,
			   char *ret_text, size_t len)
{
	uint32_t there = device->xdp_native	  ? device->xdp_native :
			 device->xdp_generic	  ? device->xdp_generic :
			 device->xdp_offloaded;
	char program[64];
	const char *missing = edge_missing_rights();

	ret_text[0] = '\0';
	if ((error == -EPERM || error == -EACCES) && missing[0])
		snprintf(ret_text, len, " (%s needed)", missing);
	if (error == -ENOSPC && points_are_full(gate->book))
		snprintf(ret_text, len, " (there is room for %d attach points)", ZW_POINT_SLOTS - 1);
	else if (error == -ENOSPC)
		snprintf(ret_text, len, " (its place in the table of attach points is taken%s)",
			 sources_bind(gate, device->name) ? ", without which its 'source' cannot be enforced" : "");
	if (hook != ZW_HOOK_XDP)
		return ret_text;
	if (there && there != gate->program_id[ZW_HOOK_XDP]) {
		hook_describe_program(there, program, sizeof(program));
		snprintf(ret_text, len, " (%s is there)", program);
	} else if (error == -EOPNOTSUPP) {
		snprintf(ret_text, len, " (its driver '%s' has no native XDP)",
			 device->driver[0] ? device->driver : "unknown");
	} else if (error == -ERANGE || error == -EINVAL) {
		snprintf(ret_text, len, " (its MTU of %u may be too large for this driver)", device->mtu);
	}
	return ret_text;
}

/* Interfaces come and go; one that went while it was being attached is none of the targets any more. */
static bool went_away(int error)
{
	return error == -ENODEV || error == -ENXIO;
}

static int tell_refusal(int error, const struct gate *gate, const struct netdev *device, enum zw_hook hook)
{
	char why[128];

	if (went_away(error))
		return 0;
	edge_error(0, "cannot attach %s to '%s': %s%s", hook == ZW_HOOK_XDP ? "XDP" : attach_hook_name(hook),
		   device->name, strerror(-error), explain(error, gate, device, hook, why, sizeof(why)));
	return error;
}

static bool is_decided(const struct gate *gate, const struct netdev *device, enum zw_hook hook)
{
	unsigned i = points_find(gate->book, device->ifindex, hook);
	char note[128];

	return i && attach_check(gate->instance, &gate->book->slot[i], gate->program_id[hook], device, note);
}

bool attach_brings_new(const struct gate *gate, const struct attach_plan *plan)
{
	for (size_t i = 0; i < plan->target_count; i++) {
		const struct netdev *device = plan->targets[i].device;

		if (!is_decided(gate, device, ZW_HOOK_EGRESS) ||
		    (!is_decided(gate, device, ZW_HOOK_XDP) && !is_decided(gate, device, ZW_HOOK_INGRESS)))
			return true;
	}
	return false;
}

/* 1: it is attached there, and right; 0: not, and what was attached there and wrong is taken away; or an error, told. */
static int find_healthy(struct gate *gate, const struct netdev *device, enum zw_hook hook, unsigned *ret_slot)
{
	unsigned i = points_find(gate->book, device->ifindex, hook);
	char note[128];
	int held = i ? check(gate->instance, &gate->book->slot[i], gate->program_id[hook], device, note) : HELD_NOT;

	if (held < 0)
		return edge_error(held, "cannot look at what is attached to '%s' (%s)", device->name, attach_hook_name(hook));
	if (i && held == HELD_NOT)
		detach(gate, i);
	*ret_slot = i;
	return held;
}

/* What is attached and right stays, if its `source:` can be enforced. */
static int keep(struct gate *gate, struct attach_plan *plan, const struct netdev *device, unsigned i)
{
	const struct book_slot *slot = &gate->book->slot[i];

	if (!points_keep(gate, device, i))
		return tell_refusal(-ENOSPC, gate, device, slot->hook);
	note_change(plan, device->name, slot->hook, slot->mode, CHANGE_KEPT);
	return 0;
}

static int ensure_tc(struct gate *gate, struct attach_plan *plan, const struct netdev *device, enum zw_hook hook)
{
	unsigned i;
	int error = find_healthy(gate, device, hook, &i);

	if (error < 0)
		return error;
	if (error == HELD)
		return keep(gate, plan, device, i);
	error = attach(gate, plan, device, hook, ATTACH_TCX);
	return error ? tell_refusal(error, gate, device, hook) : 0;
}

/* Under native XDP these lose offloads (or their peer does) that are worth more than an early drop. */
static bool loses_offloads(const struct netdev *device)
{
	static const char *const drivers[] = { "virtio_net", "vif", "hv_netvsc", "tun", "veth" };

	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (!strcmp(device->driver, drivers[i]))
			return true;
	return device->kind[0] != '\0';
}

static bool wants_xdp(const struct target *target)
{
	if (target->wish == WISH_AUTO)
		return target->device->is_ethernet && !loses_offloads(target->device);
	return target->wish != WISH_OFF;
}

unsigned attach_hooks(const struct attach_plan *plan)
{
	unsigned hooks = 0;

	for (size_t i = 0; i < plan->target_count; i++)
		hooks |= 1u << ZW_HOOK_EGRESS | 1u << (wants_xdp(&plan->targets[i]) ? ZW_HOOK_XDP : ZW_HOOK_INGRESS);
	return hooks ? hooks : 1u << ZW_HOOK_INGRESS | 1u << ZW_HOOK_EGRESS;
}

/* Returns 0 if XDP is attached, 1 if TC is to stand in, or an error that was told. */
static int begin_xdp(struct gate *gate, struct attach_plan *plan, struct target *target)
{
	enum attach_mode mode = target->wish == WISH_GENERIC ? ATTACH_XDP_GENERIC : ATTACH_XDP_NATIVE;
	const struct netdev *device = target->device;
	unsigned i;
	int error = find_healthy(gate, device, ZW_HOOK_XDP, &i);
	bool is_there = error == HELD;
	char why[128];

	if (error < 0)
		return error;
	if (!device->is_ethernet)
		return edge_error(EOPNOTSUPP, "cannot attach XDP to '%s', which has no Ethernet header (use xdp: off)",
				  device->name);
	if (is_there && gate->book->slot[i].mode != mode) {
		target->switching = true;
		return 1;
	}
	if (is_there)
		return keep(gate, plan, device, i);
	error = attach(gate, plan, device, ZW_HOOK_XDP, mode);
	if (!error || went_away(error))
		return 0;
	if (error != -EBUSY && error != -EEXIST && target->wish != WISH_AUTO)
		return tell_refusal(error, gate, device, ZW_HOOK_XDP);
	edge_warn("'%s' gets TC ingress instead of XDP: %s%s", device->name, strerror(-error),
		  explain(error, gate, device, ZW_HOOK_XDP, why, sizeof(why)));
	return 1;
}

static int begin_target(struct gate *gate, struct attach_plan *plan, struct target *target)
{
	int error = 1;

	target->ingress = ZW_HOOK_INGRESS;
	if (wants_xdp(target)) {
		error = begin_xdp(gate, plan, target);
		if (error < 0)
			return error;
		if (!error)
			target->ingress = ZW_HOOK_XDP;
	}
	if (error)
		error = ensure_tc(gate, plan, target->device, ZW_HOOK_INGRESS);
	return error ? error : ensure_tc(gate, plan, target->device, ZW_HOOK_EGRESS);
}

/* Takes the attach point away, if there is one, and notes it. */
static int remove_slot(struct gate *gate, struct attach_plan *plan, unsigned i)
{
	const struct book_slot slot = gate->book->slot[i];
	bool gone = !netdevs_find(plan->devices, plan->device_count, slot.ifindex);
	int error = detach(gate, i);

	if (gone) { /* nothing to report of what went with its interface */
		if (gate->book->slot[i].attached)
			points_release(gate, i);
		return 0;
	}
	if (error)
		return edge_error(error, "cannot detach %s from '%s'", attach_hook_name(slot.hook), slot.ifname);
	note_change(plan, slot.ifname, slot.hook, slot.mode, CHANGE_DETACHED);
	return 0;
}

/* What is gone makes room, also in the table of attach points: before new ones ask for it. */
static void forget_gone(struct gate *gate, struct attach_plan *plan)
{
	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++) {
		const struct book_slot *slot = &gate->book->slot[i];

		if (slot->attached && !netdevs_find(plan->devices, plan->device_count, slot->ifindex) &&
		    !lives_elsewhere(gate->instance, slot))
			remove_slot(gate, plan, i);
	}
}

int attach_begin(struct gate *gate, struct attach_plan *plan, bool keep_going)
{
	int error = 0;

	forget_gone(gate, plan);
	for (size_t i = 0; i < plan->device_count; i++)
		points_refresh(gate, &plan->devices[i]);
	sources_update_all(gate);
	for (size_t i = 0; i < plan->target_count && (!error || keep_going); i++) {
		int failed = begin_target(gate, plan, &plan->targets[i]);

		plan->targets[i].begun = !failed;
		error = failed ? failed : error;
	}
	return error;
}

void attach_undo(struct gate *gate, struct attach_plan *plan)
{
	while (plan->added_count)
		detach(gate, plan->added[--plan->added_count]);
}

/* From one XDP mode to the other, while TC ingress decides. If the new one is refused, TC ingress stays. */
static void switch_mode(struct gate *gate, struct attach_plan *plan, struct target *target)
{
	enum attach_mode mode = target->wish == WISH_GENERIC ? ATTACH_XDP_GENERIC : ATTACH_XDP_NATIVE;
	unsigned i = points_find(gate->book, target->device->ifindex, ZW_HOOK_XDP);
	int error = i ? remove_slot(gate, plan, i) : 0;

	if (!error)
		error = attach(gate, plan, target->device, ZW_HOOK_XDP, mode);
	if (error)
		edge_warn("'%s' keeps TC ingress instead of XDP: %s", target->device->name, strerror(-error));
	else
		target->ingress = ZW_HOOK_XDP;
}

bool attach_is_target(const struct attach_plan *plan, unsigned ifindex)
{
	for (size_t i = 0; i < plan->target_count; i++)
		if (plan->targets[i].device->ifindex == ifindex)
			return true;
	return false;
}

void attach_end(struct gate *gate, struct attach_plan *plan, bool prune)
{
	for (size_t i = 0; i < plan->target_count; i++) {
		struct target *target = &plan->targets[i];
		unsigned other;

		if (!target->begun)
			continue;
		if (target->switching)
			switch_mode(gate, plan, target);
		other = points_find(gate->book, target->device->ifindex,
				    target->ingress == ZW_HOOK_XDP ? ZW_HOOK_INGRESS : ZW_HOOK_XDP);
		if (other)
			remove_slot(gate, plan, other);
	}
	for (unsigned i = 1; prune && i < ZW_POINT_SLOTS; i++) {
		const struct book_slot *slot = &gate->book->slot[i];

		if (slot->attached && !attach_is_target(plan, slot->ifindex) &&
		    netdevs_find(plan->devices, plan->device_count, slot->ifindex))
			remove_slot(gate, plan, i);
	}
}

/* A filter can be removed from its own namespace only: if that is gone, so is the filter. */
static bool is_out_of_reach(struct gate *gate, unsigned i, bool foreign)
{
	const struct book_slot *slot = &gate->book->slot[i];

	if (!foreign || slot->mode != ATTACH_CLSACT)
		return false;
	edge_warn("the filter on '%s' is in another network namespace and stays there, dropping everything, if that "
		  "namespace still exists", slot->ifname);
	return true;
}

int attach_remove_all(struct gate *gate, struct attach_plan *plan)
{
	bool foreign = gate_is_foreign(gate);
	int error = 0;

	for (unsigned i = 1; i < ZW_POINT_SLOTS; i++) {
		int failed;

		if (!gate->book->slot[i].attached || is_out_of_reach(gate, i, foreign))
			continue;
		failed = remove_slot(gate, plan, i);
		error = failed ? failed : error;
	}
	return error;
}
