// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same frames of the same flows, dropped by zonewall, by nftables and by xdp-filter, where all say the same policy
 * (pairs.h) as far as they can: rows P7 and P8 of design section 13. Frames are live ones of BPF test run, as if a
 * driver had them from the wire: they meet the attached gate, or xdp-filter's attached program, or become sk_buffs and
 * go up the stack to nftables. CPU time a frame, what makes the frame included: the floor is what is left of that where
 * XDP drops at once. Cases take turns in each round. Each must have dropped every frame, by its own counters.
 *
 *   live INSTANCE INTERFACE [ROUNDS [MS]]     default: 15 rounds of 15 ms a case
 *
 * bench.sh makes the namespace, which gets two pairs of interfaces more here. With ZW_BENCH_QUICK, fewer policies.
 */
#include <net/if.h>

#include "base/util.h"
#include "bench/figure.h"
#include "bench/filter.h"
#include "bench/gate.h"
#include "bench/pairs.h"
#include "bench/published.h"
#include "bench/sender.h"

#define COUNT_MIN 2000
#define COUNT_MAX 2000000

static const char *instance, *interface;
static int rounds = 15, run_ms = 15;
static bool faulty;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "error: live: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sender *at_gate, *at_stack, *at_filter; /* by the interfaces */
static struct drive *drive;
static struct filter *filter;

/* --- Cases ------------------------------------------------------------------------------------------------------- */

enum who { FLOOR, ZONEWALL, NFTABLES, XDP_FILTER };

/* What one group of cases shares. */
struct group {
	struct pairs pairs;
	uint32_t flows;
	unsigned forms; /* of nftables: 1 << enum pairs_form */
	bool filter, quick; /* xdp-filter, too; also if there is little time */
	const char *const *rows; /* of bench/aims.c by form, then xdp-filter's; NULL: none */
};

struct tried {
	enum who who;
	enum pairs_form form;
	struct sender *sender;
	int program; /* -1: the stack */
	int count; /* of frames in a run */
	uint64_t sent, dropped_before;
	double ns[FIGURE_ROUNDS_MAX];
};

static const char *name_of(const struct tried *t)
{
	static const char *const names[] = { [FLOOR] = "floor", [ZONEWALL] = "zonewall", [XDP_FILTER] = "xdp-filter by IP" };

	return t->who == NFTABLES ? pairs_form_names[t->form] : names[t->who];
}

static uint64_t dropped(const struct tried *t)
{
	switch (t->who) {
	case ZONEWALL:
		return gate_count(instance, ZW_DROP_DEFAULT);
	case NFTABLES:
		return pairs_dropped(t->form);
	case XDP_FILTER:
		return filter_dropped(filter);
	case FLOOR:
		break;
	}
	return t->sent; /* it has no counter; all that were made were given to it */
}

static double run_case(struct tried *t, const struct packets *packets, int count)
{
	double ns;

	if (t->who == NFTABLES)
		pairs_wake(t->form, true);
	ns = sender_run(t->sender, t->program, packets, count);
	if (t->who == NFTABLES)
		pairs_wake(t->form, false);
	t->sent += count;
	return ns;
}

/* A run that is not timed: it brings lines into the caches, and says how many frames take run_ms. */
static void try_case(struct tried *t, const struct packets *packets)
{
	double count;

	t->dropped_before = dropped(t);
	count = run_ms * 1e6 / run_case(t, packets, COUNT_MIN);
	count = run_ms * 1e6 / run_case(t, packets, count < 10 * COUNT_MIN ? COUNT_MIN : 10 * COUNT_MIN);
	t->count = count < COUNT_MIN ? COUNT_MIN : count > COUNT_MAX ? COUNT_MAX : count;
}

static void check_case(const struct tried *t)
{
	uint64_t found = dropped(t) - t->dropped_before;

	if (t->who == FLOOR || found == t->sent)
		return;
	printf("NOT COMPARABLE: %s was sent %llu frames and has counted %llu drops\n", name_of(t), (unsigned long long)t->sent,
	       (unsigned long long)found);
	faulty = true;
}

#define CASES_MAX (3 + PAIRS_FORMS)

static int list_cases(const struct group *group, struct tried cases[CASES_MAX])
{
	int count = 0;

	cases[count++] = (struct tried){ .who = FLOOR, .sender = at_gate, .program = sender_floor(at_gate) };
	cases[count++] = (struct tried){ .who = ZONEWALL, .sender = at_gate, .program = gate_program(instance) };
	for (int form = 0; form < PAIRS_FORMS; form++)
		if (group->forms & 1u << form)
			cases[count++] = (struct tried){ .who = NFTABLES, .form = form, .sender = at_stack, .program = -1 };
	if (group->filter && filter)
		cases[count++] = (struct tried){ .who = XDP_FILTER, .sender = at_filter, .program = filter_program(filter) };
	return count;
}

/* One figure a case: the time of ours, and of the peer as its peer. */
static void report(const struct group *group, const struct tried *cases, int count)
{
	const struct pairs *pairs = &group->pairs;
	char policy[64], text[128];

	snprintf(policy, sizeof(policy), "v%d, %u %s pairs, %u flows", pairs->family, pairs->count,
		 pairs->networks ? "network" : "host", group->flows);
	for (int i = 1; i < count; i++) {
		const struct tried *t = &cases[i];
		struct figure figure = { .name = text, .unit = "ns", .rounds = rounds, .values = cases[1].ns,
					 .floors = cases[0].ns };

		snprintf(text, sizeof(text), "drop: %s, %s", name_of(t), policy);
		if (t->who != ZONEWALL) {
			figure.row = group->rows ? group->rows[t->who == XDP_FILTER ? PAIRS_FORMS : t->form] : NULL;
			figure.peers = t->ns;
			figure.peer_over_value = true;
		}
		figure_add(&figure);
	}
}

/* Opens the flows of pairs, and sees that they are there: an ACK of each is one of a flow. */
static void open_flows(const struct group *group, const struct published *on)
{
	const uint32_t allowed = group->pairs.count < group->flows ? group->pairs.count : group->flows;
	struct packets packets = published_packets(on, ESTABLISHED, group->flows);
	uint64_t found;

	published_open_flows(on, drive, group->flows, allowed);
	found = gate_count(instance, ZW_ALLOW_FLOW);
	packets.traffic.counted = 1;
	drive_run(drive, on->gate, &packets, group->flows);
	found = gate_count(instance, ZW_ALLOW_FLOW) - found;
	if (found >= allowed * 0.95)
		return;
	printf("NOT COMPARABLE: of %u flows zonewall holds %llu\n", allowed, (unsigned long long)found);
	faulty = true;
}

/* Publishes and loads; opens the flows that the policy allows. Returns packets of the same flows to other ports. */
static struct packets prepare(const struct group *group)
{
	struct published on = { .scale = { .shape = PLAN_DENSE, .family = group->pairs.family, .prefixes = PAIRS_HOSTS },
				.ifindex = if_nametoindex(interface) };

	snprintf(on.instance, sizeof(on.instance), "%s", instance);
	pairs_apply(&group->pairs, instance, interface);
	on.gate = gate_program(instance);
	open_flows(group, &on);
	close(on.gate);
	for (int form = 0; form < PAIRS_FORMS; form++)
		if (group->forms & 1u << form)
			pairs_load(&group->pairs, form, "s0");
	if (group->filter)
		filter = filter_load(group->pairs.family, "f0");
	return published_packets(&on, DENIED, group->flows);
}

static void clean_up(const struct group *group)
{
	for (int form = 0; form < PAIRS_FORMS; form++)
		if (group->forms & 1u << form)
			pairs_unload(form);
	filter_unload(take_ptr(filter));
}

/* Returns zonewall's times, in floors. */
static void measure(const struct group *group, double ret_floors[FIGURE_ROUNDS_MAX])
{
	const struct packets packets = prepare(group);
	struct tried cases[CASES_MAX];
	int count;

	count = list_cases(group, cases);
	for (int i = 0; i < count; i++)
		try_case(&cases[i], &packets);
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < count; i++)
			cases[i].ns[round] = run_case(&cases[i], &packets, cases[i].count);
	for (int i = 0; i < count; i++)
		check_case(&cases[i]);
	report(group, cases, count);
	for (int round = 0; round < rounds; round++)
		ret_floors[round] = cases[1].ns[round] / cases[0].ns[round];
	clean_up(group);
}

/* --- The whole --------------------------------------------------------------------------------------------------- */

#define MAP (1u << PAIRS_MAP)
#define RANGES (1u << PAIRS_RANGES)
#define CONNTRACK (1u << PAIRS_CONNTRACK)
#define LINEAR (1u << PAIRS_LINEAR)

static const char *const rows[] = { "P7 map", NULL, "P7 conntrack", "P7 linear", "P8" };

#define NO_MAP (RANGES | CONNTRACK | LINEAR)
#define ALL (MAP | NO_MAP)

#define HOSTS(version, number) .pairs = { .family = version, .count = number }
#define NETWORKS(version, number) .pairs = { .family = version, .count = number, .networks = true }

static const struct group groups[] = {
	{ HOSTS(4, 1000), .flows = CACHED, .forms = ALL, .filter = true, .rows = rows, .quick = true },
	{ HOSTS(6, 1000), .flows = CACHED, .forms = ALL, .filter = true },
	{ NETWORKS(4, 1000), .flows = CACHED, .forms = NO_MAP, .quick = true },
	{ HOSTS(4, 10), .flows = CACHED, .forms = LINEAR },
	{ HOSTS(4, 10000), .flows = CACHED, .forms = LINEAR },
	{ HOSTS(4, UNCACHED), .flows = UNCACHED, .forms = MAP | CONNTRACK, .filter = true },
};

/* Row P13, of the first two groups' policies, which differ in nothing else. In times the floor, since rounds differ. */
static void compare_families(const double floors4[], const double floors6[])
{
	figure_add(&(struct figure){ .row = "P13 cached", .name = "IPv6 over IPv4: P7", .unit = "floors", .rounds = rounds,
				     .values = floors6, .peers = floors4 });
}

/* Pairs of interfaces: the stack's, where a program that passes all is attached, and xdp-filter's. */
static void add_interfaces(void)
{
	/* Of frames of their own none may come to nftables: no IPv6 on those that are up, and the new ones' ends stay down. */
	if (system("cd /proc/sys/net/ipv6/conf && echo 1 >all/disable_ipv6 && echo 0 >default/disable_ipv6"))
		fail("disable_ipv6");
	if (system("ip link add s0 type veth peer name s1 && ip link set s0 up && "
		   "ip link add f0 type veth peer name f1 && ip link set f0 up"))
		fail("ip link");
	/* A network card has checked the frames' checksums, so conntrack would not. Here it must be told. */
	if (system("echo 0 >/proc/sys/net/netfilter/nf_conntrack_checksum"))
		fail("nf_conntrack_checksum");
	drive = drive_new();
	at_gate = sender_new(interface, true);
	at_stack = sender_new("s0", true);
	sender_let_in(at_stack);
	at_filter = sender_new("f0", false); /* xdp-filter is plain XDP; the last sender, as sender.h has it */
}

int main(int argc, char **argv)
{
	static double floors[ARRAY_LEN(groups)][FIGURE_ROUNDS_MAX];
	const bool quick = getenv("ZW_BENCH_QUICK");

	if (argc > 3)
		rounds = atoi(argv[3]);
	if (argc > 4)
		run_ms = atoi(argv[4]);
	if (argc < 3 || !if_nametoindex(argv[2]) || rounds < 1 || rounds > FIGURE_ROUNDS_MAX || run_ms < 1) {
		fprintf(stderr, "usage: live INSTANCE INTERFACE [ROUNDS [MS]]\n");
		return 2;
	}
	instance = argv[1];
	interface = argv[2];
	add_interfaces();
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (!quick || groups[i].quick)
			measure(&groups[i], floors[i]);
	if (!quick)
		compare_families(floors[0], floors[1]);
	return faulty;
}
