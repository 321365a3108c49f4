// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"

static bool is_map(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_MAP_FD;
}

/* 1, 0, or a negative error. */
static int has_one_value(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	return info.type == BPF_MAP_TYPE_ARRAY && info.max_entries == 1;
}

static int point_at_values(struct bpf_insn *insns, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		int one = is_map(&insns[i]) ? has_one_value(insns[i].imm) : 0;

		if (one < 0)
			return one;
		if (!one)
			continue;
		insns[i].src_reg = BPF_PSEUDO_MAP_VALUE;
		insns[i + 1].imm = 0; /* offset */
	}
	return 0;
}

/* libbpf calls this with the program as it is about to be loaded: maps are made, functions are linked. */
static int prepare(struct bpf_program *program, struct bpf_prog_load_opts *opts, long cookie)
{
	size_t count = bpf_program__insn_cnt(program);
	_cleanup_free_ struct bpf_insn *insns = array_new(count, sizeof(*insns));
	int err;

	(void)cookie;
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(program), count * sizeof(*insns));
	err = point_at_values(insns, count);
	if (bpf_program__type(program) == BPF_PROG_TYPE_XDP)
		opts->prog_flags |= BPF_F_XDP_HAS_FRAGS;
	return err ? err : bpf_program__set_insns(program, insns, count);
}

int values_register(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = prepare);
	static bool registered;
	int xdp, tc;

	if (registered)
		return 0;
	xdp = libbpf_register_prog_handler(VALUES_XDP, BPF_PROG_TYPE_XDP, BPF_XDP, &opts);
	tc = libbpf_register_prog_handler(VALUES_TC, BPF_PROG_TYPE_SCHED_CLS, 0, &opts);
	registered = xdp >= 0 && tc >= 0;
	return xdp < 0 ? xdp : tc < 0 ? tc : 0;
}
