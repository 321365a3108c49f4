// SPDX-License-Identifier: GPL-2.0-only
/*
 * Row P12 of the list of aims: clock reads on the established and the denied path, under a policy of full size. The
 * instructions of the attached gates and of the programs that they call now, on every hook, as the kernel loaded
 * them, are followed from the entry through every function but the one that tells an event (zw_tell), which reads
 * the clock for each record that it sends; calls of helpers that read a clock are counted. Those in telling must be
 * seen, as proof that a call would be.
 *
 *   clocks INSTANCE INTERFACE
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "bench/figure.h"
#include "bench/published.h"
#include "kernel/instance.h"
#include "kernel/pins.h"

#define TELLING "zw_tell"
#define INSTRUCTIONS_MAX 65536
#define FUNCTIONS_MAX 256

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "error: clocks: %s: %s\n", what, why);
	exit(1);
}

/* --- Helpers ----------------------------------------------------------------------------------------------------- */

static struct {
	uint64_t base; /* what calls of helpers are relative to */
	uint64_t clock[16];
	size_t clocks;
} kernel;

static void read_symbols(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long address;
	char line[512], name[256];

	if (!file)
		fail("/proc/kallsyms", strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx %*c %255s", &address, name) != 2)
			continue;
		if (!strcmp(name, "__bpf_call_base"))
			kernel.base = address;
		/* The helpers themselves: not bpf_ktime_get_ns_proto, which describes one. */
		if (!strncmp(name, "bpf_ktime_get_", 14) && !strstr(name, "proto") &&
		    kernel.clocks < ARRAY_LEN(kernel.clock))
			kernel.clock[kernel.clocks++] = address;
	}
	if (!kernel.base || !kernel.clocks)
		fail("/proc/kallsyms", "it hides addresses (sysctl kernel.kptr_restrict)");
}

static bool is_clock(int32_t call)
{
	for (size_t i = 0; i < kernel.clocks; i++)
		if (kernel.base + (int64_t)call == kernel.clock[i])
			return true;
	return false;
}

/* --- Loaded code ------------------------------------------------------------------------------------------------- */

struct code {
	struct bpf_insn insn[INSTRUCTIONS_MAX];
	size_t count;
	struct bpf_func_info function[FUNCTIONS_MAX];
	size_t functions;
	bool seen[FUNCTIONS_MAX];
	struct btf *btf;
	unsigned calls, clocks, clocks_of_telling;
};

static void read_code(int program, struct code *c)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	memset(c, 0, sizeof(*c));
	info.xlated_prog_len = sizeof(c->insn);
	info.xlated_prog_insns = (uintptr_t)c->insn;
	info.nr_func_info = FUNCTIONS_MAX;
	info.func_info_rec_size = sizeof(c->function[0]);
	info.func_info = (uintptr_t)c->function;
	if (bpf_obj_get_info_by_fd(program, &info, &len))
		fail("cannot read a loaded program", strerror(errno));
	if (!info.xlated_prog_insns || info.xlated_prog_len > sizeof(c->insn) || info.nr_func_info > FUNCTIONS_MAX)
		fail("cannot read a loaded program", "its instructions are hidden, or too many");
	c->count = info.xlated_prog_len / sizeof(c->insn[0]);
	c->functions = info.nr_func_info;
	c->btf = btf__load_from_kernel_by_id(info.btf_id);
	if (!c->btf || !c->functions)
		fail("a loaded program", "it has no names of functions");
}

static const char *function_name(const struct code *c, size_t function)
{
	return btf__name_by_offset(c->btf, btf__type_by_id(c->btf, c->function[function].type_id)->name_off);
}

static size_t function_at(const struct code *c, size_t instruction)
{
	for (size_t i = 0; i < c->functions; i++)
		if (c->function[i].insn_off == instruction)
			return i;
	fail("a loaded program", "it calls what is no function");
}

static void walk(struct code *c, size_t function, bool telling);

static void walk_call(struct code *c, size_t at, bool telling)
{
	const struct bpf_insn *insn = &c->insn[at];

	if (insn->src_reg == BPF_PSEUDO_CALL) {
		walk(c, function_at(c, at + 1 + insn->off), telling);
		return;
	}
	if (insn->src_reg || !insn->imm)
		fail("a loaded program", "it has a call that cannot be judged: of a kernel function, or hidden");
	c->calls++;
	if (is_clock(insn->imm))
		(*(telling ? &c->clocks_of_telling : &c->clocks))++;
}

/* A function that both telling and the rest call is counted for the rest: telling is walked last. */
static void walk(struct code *c, size_t function, bool telling)
{
	const size_t end = function + 1 < c->functions ? c->function[function + 1].insn_off : c->count;

	if (c->seen[function] || (!telling && !strcmp(function_name(c, function), TELLING)))
		return;
	c->seen[function] = true;
	for (size_t at = c->function[function].insn_off; at < end; at++) {
		const struct bpf_insn *insn = &c->insn[at];

		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
			if (insn->src_reg == BPF_PSEUDO_FUNC) /* what bpf_loop() calls */
				walk(c, function_at(c, at + 1 + insn->imm), telling);
			at++; /* a constant of 64 bits takes two slots */
		} else if (insn->code == (BPF_JMP | BPF_CALL)) {
			walk_call(c, at, telling);
		}
	}
}

/* Clock reads of one program beside telling; adds what telling has. */
static unsigned clocks_in(int program, const char *name, unsigned *telling)
{
	static struct code code;

	read_code(program, &code);
	walk(&code, 0, false);
	for (size_t i = 0; i < code.functions; i++)
		if (!strcmp(function_name(&code, i), TELLING))
			walk(&code, i, true);
	printf("%s: %zu instructions, %u calls of helpers; of clocks %u, and %u where events are told\n", name,
	       code.count, code.calls, code.clocks, code.clocks_of_telling);
	btf__free(code.btf);
	*telling += code.clocks_of_telling;
	return code.clocks;
}

static int pinned(const struct published *p, const char *name)
{
	char path[PATH_MAX];
	int fd;

	pins_path(path, p->instance, "%s", name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fail(path, strerror(errno));
	return fd;
}

/* The program that the gate's slot holds now. -1: none, since the hook is attached nowhere. */
static int slot_program(const struct published *p, const char *slots, __u32 active)
{
	_cleanup_close_ int array = pinned(p, slots);
	__u32 id;
	int fd;

	if (bpf_map_lookup_elem(array, &active, &id)) {
		if (errno == ENOENT)
			return -1;
		fail(slots, strerror(errno));
	}
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		fail(slots, strerror(errno));
	return fd;
}

static const struct hook {
	const char *gate, *slots, *name;
} hooks[ZW_HOOKS] = {
	[ZW_HOOK_XDP] = { "/gate/zw_gate_xdp", "/gate/zw_slot_xdp", "XDP" },
	[ZW_HOOK_INGRESS] = { "/gate/zw_gate_ingress", "/gate/zw_slot_ingress", "TC ingress" },
	[ZW_HOOK_EGRESS] = { "/gate/zw_gate_egress", "/gate/zw_slot_egress", "TC egress" },
};

struct clocks {
	unsigned beside, telling;
	bool hook[ZW_HOOKS]; /* has been looked at */
};

/* Gate and program of each hook that has one. */
static void count_clocks(const struct published *p, struct clocks *sum)
{
	struct instance *in;
	char name[64];

	if (instance_open(p->instance, &in))
		fail(p->instance, strerror(errno));
	for (int hook = 0; hook < ZW_HOOKS; hook++) {
		_cleanup_close_ int gate = pinned(p, hooks[hook].gate);
		_cleanup_close_ int program = slot_program(p, hooks[hook].slots, zw_gate_active(instance_gate(in)->word));

		if (program < 0 || sum->hook[hook])
			continue;
		snprintf(name, sizeof(name), "%s, gate", hooks[hook].name);
		sum->beside += clocks_in(gate, name, &sum->telling);
		sum->beside += clocks_in(program, hooks[hook].name, &sum->telling);
		sum->hook[hook] = true;
	}
	instance_free(in);
}

static double clocks_loaded(const struct published *on_xdp, const struct published *on_tc)
{
	struct clocks sum = { 0 };

	count_clocks(on_xdp, &sum);
	count_clocks(on_tc, &sum);
	for (int hook = 0; hook < ZW_HOOKS; hook++)
		if (!sum.hook[hook])
			fail(hooks[hook].name, "no program is there");
	/* Events carry their time: a walk that finds no clock there would find none anywhere. */
	if (!sum.telling)
		fail("the loaded programs", "no clock is read where events are told, so the check sees none");
	return sum.beside;
}

int main(int argc, char **argv)
{
	struct scale scale = { .shape = PLAN_DENSE, .family = 4, SCALE_FULL };
	struct published on_xdp, on_tc;
	double clocks;

	if (argc != 3) {
		fprintf(stderr, "usage: clocks INSTANCE INTERFACE\n");
		return 2;
	}
	read_symbols();
	published_new(&on_xdp, &scale, argv[1], 0, 4 * UNCACHED);
	scale.tc = true;
	published_new(&on_tc, &scale, argv[1], 1, 4 * UNCACHED);
	clocks = clocks_loaded(&on_xdp, &on_tc);
	figure_add(&(struct figure){ .row = "P12",
				     .name = "calls of clocks in the loaded programs, but where events are told",
				     .unit = "calls",
				     .rounds = 1,
				     .values = &clocks });
	published_down(&on_xdp);
	published_down(&on_tc);
	return 0;
}
