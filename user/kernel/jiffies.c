// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/jiffies.h"

#include <errno.h>
#include <time.h>

#include <bpf/bpf.h>

#include "base/util.h"
#include "kernel/edge.h"

unsigned jiffies_hz(void)
{
	struct timespec step;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &step) || step.tv_sec || !step.tv_nsec)
		return 250;
	return (1000000000ull + step.tv_nsec / 2) / step.tv_nsec;
}

int jiffies_now(uint64_t *ret_jiffies)
{
	/* *(u64 *)ctx = bpf_jiffies64(); return 0; */
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64 },
		{ .code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = BPF_F_SLEEPABLE);
	uint64_t now = 0;
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &now, .ctx_size_in = sizeof(now));
	_cleanup_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "zw_jiffies", "GPL", program,
					    sizeof(program) / sizeof(program[0]), &options);

	if (fd < 0 || bpf_prog_test_run_opts(fd, &run))
		return -errno;
	*ret_jiffies = now;
	return 0;
}
