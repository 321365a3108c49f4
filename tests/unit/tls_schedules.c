// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stage tls under every schedule: CPUs with first segments of one flow, and one that takes it over for a new generation, stopped
 * at any of their accesses to its slot (tests/schedule.h). The code is the programs'.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tls.h"
#include "schedule.h"
#include "test.h"

#define NOW 1000000ull
#define FIRST_BYTE 1001u
#define OLD_CELL (ZW_CELL_ALLOW | ZW_CELL_TLS | 5) /* of generation 7; that of 8 is another rule's, which asks for more */
#define NEW_CELL (ZW_CELL_ALLOW | ZW_CELL_TLS | ZW_CELL_TLS_MIN_1_2 | 6)

/* What flow.h wants of a table: nothing of it is asked for here. */
static bool find_in_table(const struct ends *e, uint64_t now, struct lookup *l, struct flow *f, bool v6, bool fragments)
{
	(void)e, (void)now, (void)l, (void)f, (void)v6, (void)fragments;
	return false;
}

__attribute__((unused)) static int flow_open(struct lookup *l, int family)
{
	(void)l, (void)family;
	return 0;
}

static int zw_flow_note(struct lookup *l, int family)
{
	(void)l, (void)family;
	return 0;
}

static int zw_flow_settle(struct lookup *l, uint64_t packets, uint64_t bytes, uint32_t side, int family)
{
	(void)l, (void)packets, (void)bytes, (void)side, (void)family;
	return 0;
}

static int zw_flow_make_room(struct lookup *l, uint64_t now, uint64_t idle_jiffies, int family)
{
	(void)l, (void)now, (void)idle_jiffies, (void)family;
	return 0;
}

static struct zw_flow_slot slot, at_first;
static enum hello hello; /* what thread 0's segment begins with */
static bool passed[2];
static unsigned long checked, refused, taken_over;

static void restore(void)
{
	slot = at_first;
	memset(passed, 0, sizeof(passed));
}

static struct flow find(void)
{
	return (struct flow){
		.slot = &slot,
		.head_word = load_word(&slot.head),
		.aux_word = load_word(&slot.aux),
		.terms = load_word(&slot.cell) & ~FLOW_VERSION,
	};
}

/* A segment with the first byte meets a program of generation 7. */
static bool passes(enum hello begins)
{
	struct packet p = { .seq = FIRST_BYTE, .payload_len = 20, .hello = begins };
	struct flow f = find();
	__u32 cell = f.terms;

	return flow_generation(&f) == 7 && passes_tls(&p, &f, true, &cell);
}

/* As decide_flow() in bpf/decide.h. */
static void take_over(void)
{
	struct flow f = find();
	__u64 terms = f.terms;

	if (takes_over(terms, NEW_CELL))
		flow_restamp(&f, terms, 8, NEW_CELL | taken_state(terms, NEW_CELL));
}

static void thread(int number)
{
	if (number == 2)
		take_over();
	else
		passed[number] = passes(number ? HELLO_NONE : hello);
}

static const char *is_decided(void)
{
	const struct flow f = find();
	__u32 cell = f.terms, state = cell & ZW_TLS_STATE;

	checked += !!(state & ZW_TLS_CHECKED);
	refused += !state;
	taken_over += flow_generation(&f) == 8;
	if (passed[1] && !passed[0])
		return "plaintext has passed, and not behind a ClientHello";
	if (passed[0] != !!(state & ZW_TLS_CHECKED))
		return passed[0] ? "a ClientHello has passed, and the flow does not say so" : "nothing has passed, and the flow is checked";
	if (flow_generation(&f) == 8 && state == ZW_TLS_CHECKED)
		return "an old ClientHello is taken for a new one";
	if (flow_generation(&f) == 7 && state == ZW_TLS_WAITING && (cell & ZW_CELL_RULE) == 5)
		return "both segments are dropped, and the flow waits";
	return NULL;
}

static void row(const char *what, int threads, enum hello begins, unsigned preemptions)
{
	struct schedule s = { threads, preemptions, &slot, sizeof(slot), restore, thread, is_decided };
	unsigned long count;
	const char *wrong;

	hello = begins;
	checked = refused = taken_over = 0;
	count = schedule_all(&s, &wrong);
	ok(!wrong, "%s: %lu schedules", what, count);
	if (wrong)
		note("schedule %lu: %s", count, wrong);
	ok(checked && refused && (threads < 3 || taken_over), "%lu flows are checked, %lu refused, %lu taken over", checked, refused,
	   taken_over);
}

int main(int argc, char **argv)
{
	unsigned preemptions = argc > 1 ? atoi(argv[1]) : 4;

	at_first = (struct zw_flow_slot){
		.head = PROTO_TCP | ZW_FLOW_TCP_ESTABLISHED << 8 | 7ull << FLOW_GENERATION_SHIFT | 5ull << 48,
		.aux = NOW | 5ull << 48,
		.cell = OLD_CELL | ZW_TLS_WAITING | 443ull << 32 | 5ull << 48,
		.window = { make_window(FIRST_BYTE, 0) | 5ull << 48, make_window(5001, 0) | 5ull << 48 },
	};
	zw_layout.has_tls = 1;
	row("a ClientHello on one CPU, plaintext on another: one of them decides", 2, HELLO_1_2, preemptions);
	row("while a new generation takes the flow over", 3, HELLO_1_2, preemptions);
	row("and asks for more than the ClientHello is", 3, HELLO_OLD, preemptions);
	return done();
}
