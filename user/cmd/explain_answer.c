// SPDX-License-Identifier: GPL-2.0-only
/*
 * The answer: the walk over the rules, and what the tables say, and, of what is running, the kernel's program. They must
 * agree about each packet that is shown.
 */
#include "base/util.h"
#include "cmd/explained.h"
#include "kernel/edge.h"
#include "kernel/testrun.h"
#include "policy/moments.h"
#include "simulate/frame.h"

DEFINE_CLEANUP(struct decider *, decider_free)
DEFINE_CLEANUP(struct space *, space_free)
DEFINE_CLEANUP(struct testrun *, testrun_free)

/* Who decides packets. */
struct engines {
	struct decider *decider;
	struct testrun *kernel; /* NULL: files are not the kernel's */
};

static int out_of_memory(void)
{
	fprintf(stderr, "zonewall explain: out of memory\n");
	return EXIT_FAILED;
}

static void tell_decision(const char *who, const struct decision *decision)
{
	fprintf(stderr, "  %s: %s (%s, rule %u)\n", who, decision->allow ? "allow" : "drop", reason_name(decision->reason),
		decision->rule);
}

static int disagree(const struct explained *x, const struct first_packet *p, const struct explanation *e,
		    const struct decision *tables, const struct decision *kernel)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	addr_print(&p->from, from);
	addr_print(&p->to, to);
	fprintf(stderr, "zonewall explain: %s to %s, protocol %u, port %u is not decided in one way\n  rules: %s (%s)\n", from,
		to, p->protocol, p->port, ZW_REASON_IS_DROP(e->reason) ? "drop" : "allow", reason_name(e->reason));
	tell_decision("tables", tables);
	if (kernel)
		tell_decision("kernel", kernel);
	if (!x->generation)
		fputs("fix: the fault is zonewall's; please report it with the policy\n", stderr);
	else
		fputs("fix: if this host's addresses have changed, or zonewall is of another version than applied the "
		      "policy, apply it again; else the fault is zonewall's: please report it with the policy\n", stderr);
	return EXIT_FAILED;
}

static bool same_decision(const struct decision *a, const struct decision *b)
{
	return a->allow == b->allow && a->reason == b->reason && a->rule == b->rule && a->atom[0] == b->atom[0] &&
	       a->atom[1] == b->atom[1];
}

/* Walks one packet, and asks the tables and, where they are its own, the kernel. */
static int explain_one(const struct explained *x, const struct engines *engines, const struct first_packet *packet,
		       struct explanation *ret_explanation)
{
	const struct names *names = x->tables->names;
	struct decision tables, kernel;
	uint8_t bytes[FRAME_MAX];
	struct frame frame;
	int err;

	if (explain(x->policy, packet, ret_explanation))
		return out_of_memory();
	explain_frame(names, packet, bytes, &frame);
	decider_decide(engines->decider, &frame, &tables);
	err = engines->kernel ? testrun_decide(engines->kernel, &frame, &kernel) : 0;
	if (err)
		return edge_exit_status(edge_error(err, "cannot ask the kernel's program"));
	if (!explain_agrees(x->policy, packet, ret_explanation, names, &tables) ||
	    (engines->kernel && !same_decision(&tables, &kernel)))
		return disagree(x, packet, ret_explanation, &tables, engines->kernel ? &kernel : NULL);
	return EXIT_DONE;
}

static int add_follows(struct explained *x, int64_t from, const struct explanation *explanation)
{
	if (array_grow(&x->follows, x->follows_count, sizeof(*x->follows)))
		return out_of_memory();
	x->follows[x->follows_count++] = (struct follows){ from, explanation->reason, explanation->rule };
	return EXIT_DONE;
}

/* What becomes of the packet as rules end. */
static int walk_on(struct explained *x, const struct engines *engines, const struct moments *moments)
{
	struct follows last = { 0, x->explanation.reason, x->explanation.rule };
	int status = EXIT_DONE;

	for (size_t i = 1; i < moments->count && !status; i++) {
		struct explanation then = { 0 };
		struct first_packet packet = x->packet;

		packet.time = moments->v[i].begin;
		status = explain_one(x, engines, &packet, &then);
		if (!status && (then.reason != last.reason || then.rule != last.rule))
			status = add_follows(x, packet.time, &then);
		last = (struct follows){ 0, then.reason, then.rule };
		explanation_clear(&then);
	}
	return status;
}

static int answer_packet(struct explained *x, const struct engines *engines)
{
	const struct policy *const policies[] = { x->policy };
	struct moments moments = { 0 };
	int status = explain_one(x, engines, &x->packet, &x->explanation);

	if (!status && moments_find(policies, 1, x->at, &moments))
		return out_of_memory();
	if (!status)
		status = walk_on(x, engines, &moments);
	moments_clear(&moments);
	return status;
}

/* The walk must agree about each packet that is shown. */
static int check_examples(const struct explained *x, const struct engines *engines, bool allow)
{
	const struct reach_outcome *shown[SHOWN_MAX];
	size_t count = shown_outcomes(&x->reach, allow, shown);
	int status = EXIT_DONE;

	for (size_t i = 0; !status && i < count && i < SHOWN_MAX; i++) {
		struct explanation explanation = { 0 };

		status = explain_one(x, engines, &shown[i]->example, &explanation);
		explanation_clear(&explanation);
	}
	return status;
}

static int answer_zones(struct explained *x, const struct engines *engines)
{
	const struct reach_question question = {
		.from = &x->policy->zones[x->question.from_zone].set,
		.to = &x->policy->zones[x->question.to_zone].set,
		.service = &x->question.selectors,
		.packet = x->packet,
		.own_leave = !x->packet.interface,
	};
	_cleanup_(space_freep) struct space *space = NULL;
	int status = EXIT_DONE, err = space_new(x->tables->bytes, &x->tables->layout, x->at, &space);

	if (!err)
		err = reach_find(space, x->tables, &question, &x->reach);
	if (err == -E2BIG) {
		fputs("zonewall explain: the two ends have too many pairs of classes\nfix: ask about a smaller zone\n", stderr);
		return EXIT_FAILED;
	}
	if (err)
		return out_of_memory();
	for (int allow = 0; !status && allow < 2; allow++)
		status = check_examples(x, engines, allow);
	return status;
}

int explained_answer(struct explained *x)
{
	const struct testrun_options hooks = { .hooks = 1u << ZW_HOOK_XDP | 1u << ZW_HOOK_EGRESS };
	_cleanup_(decider_freep) struct decider *decider = NULL;
	_cleanup_(testrun_freep) struct testrun *kernel = NULL;
	struct engines engines;
	int err;

	if (decider_new(x->tables->bytes, &x->tables->layout, false, &decider))
		return out_of_memory();
	err = x->generation ? testrun_new(x->tables, &hooks, &kernel) : 0;
	if (err)
		return edge_exit_status(err); /* it said what is wrong */
	engines = (struct engines){ decider, kernel };
	return x->is_packet ? answer_packet(x, &engines) : answer_zones(x, &engines);
}
