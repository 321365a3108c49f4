// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate's programs: which slot they call for each word, deadline and interface, and what becomes of the word. Each row
 * runs on all three hooks; and two CPUs, one of which confirms while the other's packets find the deadline passed, agree.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "kernel/jiffies.h"
#include "kernel/pins.h"
#include "test.h"
#include "zonewall.h"

#include "gate.skel.h" /* knows no types but those above */

#define SLOT(n) (100 + (n)) /* what the program in slot n returns */
#define PASS(hook) ((hook) == ZW_HOOK_XDP ? XDP_PASS : -1)
#define DROP(hook) ((hook) == ZW_HOOK_XDP ? XDP_DROP : 2)
#define LOOPBACK 1 /* where a test run's packets come in */

enum { PASSES = -1, DROPS = -2 };
enum time { NEVER, LATER, NOW, LONG_AGO };

#define STATE(active, fallback, state) (ZW_GATE_##state << 16 | (fallback) << 8 | (active))
#define PARTLY 0x1000000

static const struct row {
	const char *what;
	uint64_t word;
	enum time deadline;
	uint32_t unnamed; /* slots whose generations do not name the interface; 0: it is not in the map */
	int slot; /* that decides, or PASSES, or DROPS */
	uint64_t after; /* the word */
} rows[] = {
	{ "as it was made", 0, NEVER, 0, 0, 0 },
	{ "slot 0", STATE(0, 1, CONFIRMED), NEVER, 0, 0, STATE(0, 1, CONFIRMED) },
	{ "slot 1", STATE(1, 2, CONFIRMED), NEVER, 0, 1, STATE(1, 2, CONFIRMED) },
	{ "slot 2", STATE(2, 0, CONFIRMED), NEVER, 0, 2, STATE(2, 0, CONFIRMED) },
	{ "a deadline that passed is nothing once it is confirmed", STATE(1, 2, CONFIRMED), LONG_AGO, 0, 1,
	  STATE(1, 2, CONFIRMED) },
	{ "a trial before its deadline", STATE(1, 2, ON_TRIAL), LATER, 0, 1, STATE(1, 2, ON_TRIAL) },
	{ "a trial without a deadline", STATE(1, 2, ON_TRIAL), NEVER, 0, 1, STATE(1, 2, ON_TRIAL) },
	{ "a trial at its deadline goes back", STATE(1, 2, ON_TRIAL), NOW, 0, 2, STATE(2, 1, REVERTED) },
	{ "a trial long after it", STATE(2, 0, ON_TRIAL), LONG_AGO, 0, 0, STATE(0, 2, REVERTED) },
	{ "one that went back stays there", STATE(0, 2, REVERTED), LONG_AGO, 0, 0, STATE(0, 2, REVERTED) },
	{ "also with a deadline to come", STATE(0, 2, REVERTED), LATER, 0, 0, STATE(0, 2, REVERTED) },
	{ "an interface that the generation on trial does not name passes", STATE(1, 2, ON_TRIAL) | PARTLY, LATER, 1 << 1,
	  PASSES, STATE(1, 2, ON_TRIAL) | PARTLY },
	{ "and is decided when it has gone back", STATE(1, 2, ON_TRIAL) | PARTLY, NOW, 1 << 1, 2,
	  STATE(2, 1, REVERTED) | PARTLY },
	{ "one that only the generation on trial names is decided", STATE(1, 2, ON_TRIAL) | PARTLY, LATER, 1 << 2, 1,
	  STATE(1, 2, ON_TRIAL) | PARTLY },
	{ "and passes when it has gone back", STATE(1, 2, ON_TRIAL) | PARTLY, NOW, 1 << 2, PASSES,
	  STATE(2, 1, REVERTED) | PARTLY },
	{ "and after that", STATE(2, 1, REVERTED) | PARTLY, LONG_AGO, 1 << 2, PASSES, STATE(2, 1, REVERTED) | PARTLY },
	{ "one that both name is decided", STATE(1, 2, ON_TRIAL) | PARTLY, LATER, 0, 1, STATE(1, 2, ON_TRIAL) | PARTLY },
	{ "what is noted of interfaces holds for trials only", STATE(1, 2, CONFIRMED), NEVER, 1 << 1 | 1 << 2, 1,
	  STATE(1, 2, CONFIRMED) },
};

static struct gate_bpf *skel;
static volatile struct zw_gate *line;

/* return VALUE; */
static int load_answer(enum zw_hook hook, int value)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options);

	if (hook == ZW_HOOK_XDP) { /* as what it stands beside */
		options.expected_attach_type = BPF_XDP;
		options.prog_flags = 1U << 5; /* BPF_F_XDP_HAS_FRAGS, which older headers lack */
	}
	return bpf_prog_load(hook == ZW_HOOK_XDP ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS, "zw_answer", "GPL", program,
			     ARRAY_LEN(program), &options);
}

static int slots_of(enum zw_hook hook)
{
	return bpf_map__fd(hook == ZW_HOOK_XDP	   ? skel->maps.zw_slot_xdp :
			   hook == ZW_HOOK_INGRESS ? skel->maps.zw_slot_ingress :
						     skel->maps.zw_slot_egress);
}

static int program_of(enum zw_hook hook)
{
	return bpf_program__fd(hook == ZW_HOOK_XDP     ? skel->progs.zw_gate_xdp :
			       hook == ZW_HOOK_INGRESS ? skel->progs.zw_gate_ingress :
							 skel->progs.zw_gate_egress);
}

static bool set_up(void)
{
	skel = gate_bpf__open_and_load();
	if (!skel)
		return false;
	line = mmap(NULL, pins_mapped_len(sizeof(*line)), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(skel->maps.bss), 0);
	if (line == MAP_FAILED)
		return false;
	for (unsigned hook = 0; hook < ZW_HOOKS; hook++)
		for (__u32 slot = 0; slot < ZW_GATE_SLOTS; slot++) {
			_cleanup_close_ int answer = load_answer(hook, SLOT(slot));

			if (answer < 0 || bpf_map_update_elem(slots_of(hook), &slot, &answer, BPF_ANY))
				return false;
		}
	return true;
}

/* What the gate's program returns for a packet that comes in at the loopback. */
static int run(enum zw_hook hook)
{
	static const char packet[64];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet));

	return bpf_prog_test_run_opts(program_of(hook), &options) ? -1000 : (int)options.retval;
}

static uint64_t deadline_of(enum time time)
{
	uint64_t now = 0;

	jiffies_now(&now);
	return time == NEVER ? 0 : time == LATER ? now + 100000 : time == NOW ? now : now - 100000;
}

static void one_row(const struct row *row, enum zw_hook hook)
{
	static const char *const hooks[] = { "xdp", "ingress", "egress" };
	int want = row->slot == PASSES ? PASS(hook) : row->slot == DROPS ? DROP(hook) : SLOT(row->slot), got;
	__u32 ifindex = LOOPBACK;

	bpf_map_delete_elem(bpf_map__fd(skel->maps.zw_unnamed), &ifindex);
	if (row->unnamed)
		bpf_map_update_elem(bpf_map__fd(skel->maps.zw_unnamed), &ifindex, &row->unnamed, BPF_ANY);
	line->deadline = deadline_of(row->deadline);
	line->word = row->word;
	got = run(hook);
	if (!ok(got == want && line->word == row->after && !line->missed, "%s: %s", hooks[hook], row->what))
		note("returned %d, not %d; word %#llx, not %#llx; missed %llu", got, want, (unsigned long long)line->word,
		     (unsigned long long)row->after, (unsigned long long)line->missed);
}

static void drops(enum zw_hook hook, const char *what)
{
	int got;

	line->word = STATE(2, 0, CONFIRMED);
	line->missed = 0;
	got = run(hook);
	ok(got == DROP(hook) && line->missed == 1, "%s drops, and is counted: hook %d", what, hook);
	line->missed = 0;
}

static void empty_slot(enum zw_hook hook)
{
	int none = bpf_program__fd(hook == ZW_HOOK_XDP ? skel->progs.zw_none_xdp : skel->progs.zw_none_tc);
	__u32 slot = 2;

	ok(!bpf_map_update_elem(slots_of(hook), &slot, &none, BPF_ANY), "a slot takes what a retired one holds: hook %d", hook);
	drops(hook, "a retired slot");
	bpf_map_delete_elem(slots_of(hook), &slot);
	drops(hook, "an empty slot");
}

/* --- one winner */

#define RACES 2000
static atomic_int start_line;

/* As `confirm` does it. */
static void *confirm(void *ret_won)
{
	__u64 word = STATE(0, 1, ON_TRIAL);

	atomic_fetch_add(&start_line, 1);
	while (atomic_load(&start_line) < 2)
		;
	for (volatile int i = 0; i < (rand() & 1023); i++)
		;
	*(bool *)ret_won = __atomic_compare_exchange_n(&line->word, &word, STATE(0, 1, CONFIRMED), false, __ATOMIC_ACQ_REL,
						       __ATOMIC_ACQUIRE);
	return NULL;
}

static void one_winner(void)
{
	unsigned confirmed = 0, wrong = 0;

	for (int n = 0; n < RACES; n++) {
		bool won = false;
		pthread_t thread;
		int first, second;

		atomic_store(&start_line, 0);
		line->deadline = deadline_of(NOW);
		line->word = STATE(0, 1, ON_TRIAL);
		if (pthread_create(&thread, NULL, confirm, &won))
			break;
		atomic_fetch_add(&start_line, 1);
		while (atomic_load(&start_line) < 2)
			;
		first = run(ZW_HOOK_XDP);
		pthread_join(thread, NULL);
		second = run(ZW_HOOK_EGRESS);
		confirmed += won;
		/* Whoever won, both hooks follow; before the confirmation a packet may still have been the trial's. */
		wrong += second != SLOT(!won) || (won && first != SLOT(0)) || (!won && first != SLOT(1)) ||
			 line->word != (won ? STATE(0, 1, CONFIRMED) : STATE(1, 0, REVERTED));
	}
	note("%u of %d were confirmed in time", confirmed, RACES);
	ok(!wrong, "confirm and the deadline: one winner, and all hooks follow it (%u did not)", wrong);
}

int main(void)
{
	if (geteuid() != 0)
		skip_all("loading the programs needs root");
	if (!set_up()) {
		ok(false, "the gate loads");
		return done();
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned hook = 0; hook < ZW_HOOKS; hook++)
			one_row(&rows[i], hook);
	one_winner();
	for (unsigned hook = 0; hook < ZW_HOOKS; hook++)
		empty_slot(hook);
	gate_bpf__destroy(skel);
	return done();
}
