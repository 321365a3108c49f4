// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/hook.h"

#include <linux/if_link.h>
#include <linux/pkt_sched.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "kernel/edge.h"

/* Since 6.6; newer than the headers of Debian 12. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define TCX_FIRST (1u << 3) /* BPF_F_BEFORE without a program: before all */

/* First to run among filters, and a handle ("zw") that others do not use: several tools take 1. */
#define FILTER_PRIORITY 1
#define FILTER_HANDLE 0x7a77

static int link_create(int program, unsigned ifindex, enum zw_hook hook, enum attach_mode mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, options);
	unsigned type = BPF_XDP;

	if (hook == ZW_HOOK_XDP) {
		options.flags = mode == ATTACH_XDP_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	} else {
		type = hook == ZW_HOOK_INGRESS ? TCX_INGRESS : TCX_EGRESS;
		options.flags = TCX_FIRST;
	}
	return bpf_link_create(program, ifindex, type, &options);
}

int hook_link(int program, unsigned ifindex, enum zw_hook hook, enum attach_mode mode, const char *path)
{
	_cleanup_close_ int link = link_create(program, ifindex, hook, mode);
	int error;

	if (link < 0)
		return -errno;
	if (!bpf_obj_pin(link, path))
		return 0;
	error = -errno;
	bpf_link_detach(link);
	return error;
}

int hook_unlink(const char *path)
{
	_cleanup_close_ int link = bpf_obj_get(path);
	int error = 0;

	if (link < 0)
		return errno == ENOENT ? 0 : -errno;
	/* Closing the last reference would detach too, but some time later. A link without interface says ENOLINK. */
	if (bpf_link_detach(link) && errno != ENOLINK)
		error = -errno;
	if (unlink(path) && errno != ENOENT)
		error = -errno;
	return error;
}

static uint32_t link_id(int link, bool *ret_is_attached)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &len))
		return 0;
	if (ret_is_attached)
		*ret_is_attached = info.xdp.ifindex;
	return info.id;
}

/* Pins the link at `to`, unless it is. -EEXIST: another one that is attached is. */
static int pin_also(int link, const char *to)
{
	_cleanup_close_ int other = bpf_obj_get(to);
	bool is_attached = false;

	if (other < 0 && errno != ENOENT)
		return -errno;
	if (other >= 0 && link_id(other, &is_attached) == link_id(link, NULL))
		return 0;
	if (is_attached)
		return -EEXIST;
	unlink(to);
	return bpf_obj_pin(link, to) ? -errno : 0;
}

/* Whoever is killed here leaves both pins: the link is found from either side, whichever program it has. */
int hook_hand_over(const char *from, const char *to, int program)
{
	_cleanup_close_ int link = bpf_obj_get(from);
	int error;

	if (link < 0)
		return errno == ENOENT ? 0 : -errno;
	error = pin_also(link, to);
	if (error == -EEXIST)
		return hook_unlink(from);
	if (error)
		return error;
	if (bpf_link_update(link, program, NULL) && errno != ENOLINK)
		return -errno;
	return unlink(from) ? -errno : 0;
}

int hook_read_link_fd(int link, unsigned *ret_ifindex, uint32_t *ret_program_id)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(link, &info, &len))
		return -errno;
	*ret_ifindex = info.xdp.ifindex; /* a TCX link has it at the same place */
	*ret_program_id = info.prog_id;
	return 0;
}

int hook_read_link(const char *path, unsigned *ret_ifindex, uint32_t *ret_program_id)
{
	_cleanup_close_ int link = bpf_obj_get(path);

	return link < 0 ? -errno : hook_read_link_fd(link, ret_ifindex, ret_program_id);
}

static struct bpf_tc_hook tc_hook(unsigned ifindex, enum zw_hook hook)
{
	return (struct bpf_tc_hook){ .sz = sizeof(struct bpf_tc_hook),
				     .ifindex = ifindex,
				     .attach_point = hook == ZW_HOOK_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS };
}

int hook_add_filter(int program, unsigned ifindex, enum zw_hook hook, bool *ret_made_qdisc)
{
	struct bpf_tc_hook place = tc_hook(ifindex, hook);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY, .prog_fd = program,
		    .flags = BPF_TC_F_REPLACE);
	int error = bpf_tc_hook_create(&place);
	bool made = !error;

	if (error && error != -EEXIST)
		return error;
	error = bpf_tc_attach(&place, &options);
	if (error && made)
		hook_remove_qdisc(ifindex);
	else if (!error)
		*ret_made_qdisc = made;
	return error;
}

int hook_remove_filter(unsigned ifindex, enum zw_hook hook)
{
	struct bpf_tc_hook place = tc_hook(ifindex, hook);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	int error = bpf_tc_detach(&place, &options);

	return error == -ENOENT || error == -ENODEV || error == -EINVAL ? 0 : error;
}

int hook_remove_qdisc(unsigned ifindex)
{
	struct bpf_tc_hook place = tc_hook(ifindex, ZW_HOOK_INGRESS);

	place.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	return bpf_tc_hook_destroy(&place);
}

int hook_read_filter(unsigned ifindex, enum zw_hook hook, uint32_t *ret_program_id)
{
	struct bpf_tc_hook place = tc_hook(ifindex, hook);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	int error = bpf_tc_query(&place, &options);

	if (error && error != -ENOENT && error != -ENODEV && error != -EINVAL)
		return error;
	*ret_program_id = error ? 0 : options.prog_id;
	return 0;
}

int hook_read_tcx(unsigned ifindex, enum zw_hook hook, uint32_t *ret_ids, size_t max)
{
	LIBBPF_OPTS(bpf_prog_query_opts, options, .prog_ids = ret_ids, .prog_cnt = max);

	if (bpf_prog_query_opts(ifindex, hook == ZW_HOOK_INGRESS ? TCX_INGRESS : TCX_EGRESS, &options))
		return -errno;
	return options.prog_cnt;
}

void hook_describe_program(uint32_t id, char *ret_text, size_t len)
{
	struct bpf_prog_info info = { 0 };
	__u32 info_len = sizeof(info);
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id); /* takes CAP_SYS_ADMIN */

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &info_len))
		snprintf(ret_text, len, "program %u '%s'", id, info.name);
	else
		snprintf(ret_text, len, "program %u", id);
}
