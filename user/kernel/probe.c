// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/probe.h"

#include <bpf/bpf.h>

#include "base/util.h"

#define KMALLOC_LIMIT (4u << 20) /* larger values of one entry need 6.0 */

static bool creates_map(enum bpf_map_type type, unsigned key, unsigned value, unsigned entries, unsigned flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
	_cleanup_close_ int fd = bpf_map_create(type, "zw_probe", key, value, entries, &options);

	return fd >= 0;
}

static bool loads_program(enum bpf_prog_type type, unsigned flags)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 2 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = flags);
	_cleanup_close_ int fd = bpf_prog_load(type, "zw_probe", "GPL", pass, ARRAY_LEN(pass), &options);

	return fd >= 0;
}

const char *probe_missing(size_t tables_len)
{
	if (!creates_map(BPF_MAP_TYPE_ARRAY, 4, 64, 1, 0))
		return errno == ENOSYS ? "bpf(2)" : NULL; /* refused for a reason that is no lack */
	if (!loads_program(BPF_PROG_TYPE_XDP, 0))
		return "XDP programs";
	if (!loads_program(BPF_PROG_TYPE_SCHED_CLS, 0))
		return "TC programs (CONFIG_NET_CLS_BPF or CONFIG_NET_CLS_ACT)";
	if (!creates_map(BPF_MAP_TYPE_ARRAY, 4, 64, 1, BPF_F_MMAPABLE))
		return "arrays that can be mapped (kernel 5.5)";
	if (!creates_map(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096 * 16, 0))
		return "the BPF ring buffer (kernel 5.8)";
	if (!loads_program(BPF_PROG_TYPE_XDP, BPF_F_XDP_HAS_FRAGS))
		return "XDP programs for fragmented frames (kernel 5.18)";
	if (tables_len > KMALLOC_LIMIT && !creates_map(BPF_MAP_TYPE_ARRAY, 4, KMALLOC_LIMIT * 2, 1, BPF_F_MMAPABLE))
		return "map values above 4 MiB (kernel 6.0)";
	return NULL;
}
