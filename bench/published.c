// SPDX-License-Identifier: GPL-2.0-only
#include "bench/published.h"

#include <inttypes.h>
#include <net/if.h>

#include "base/util.h"
#include "bench/gate.h"
#include "kernel/flow_read.h"
#include "kernel/jiffies.h"
#include "kernel/publish.h"

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "error: bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

void published_new(struct published *p, const struct scale *scale, const char *prefix, unsigned n, uint64_t flows)
{
	struct policy *policy;

	*p = (struct published){ .scale = *scale };
	snprintf(p->instance, sizeof(p->instance), "%s-%u", prefix, n);
	snprintf(p->interface, sizeof(p->interface), "b%u", n);
	if (!p->scale.interface)
		p->scale.interface = p->interface;
	p->scale.open_port = OPEN_PORT;
	p->scale.cidr_bits = 4;
	p->ifindex = if_nametoindex(p->interface);
	if (!p->ifindex)
		fail(p->interface);
	policy = scale_policy(&p->scale);
	gate_publish(p->instance, policy, flows);
	policy_free(policy);
	p->gate = gate_program(p->instance);
}

void published_down(struct published *p)
{
	struct publish_report report = { 0 };

	if (p->gate <= 0)
		return;
	close(p->gate);
	if (publish_down(p->instance, &report))
		exit(1);
	publish_report_clear(&report);
	p->gate = 0;
}

struct packets published_packets(const struct published *p, enum packet_kind kind, uint32_t flows)
{
	struct packets packets = { .family = p->scale.family, .ifindex = p->ifindex };

	packets.traffic = (struct traffic){
		.seed = 88172645463325252ull,
		.mask = flows - 1,
		.shape = p->scale.shape,
		.prefixes = (1u << (31 - __builtin_clz(p->scale.prefixes))) - 1,
		.host = p->scale.prefixes,
		.port = kind == ESTABLISHED || kind == NEW ? OPEN_PORT : 1000,
		.ports = kind == ESTABLISHED || kind == NEW ? 0 : 127,
		.open_port = OPEN_PORT,
		.tcp_flags = kind == ESTABLISHED || kind == MISSING ? TCP_ACK : TCP_SYN,
		.mixed = kind == MIXED,
	};
	return packets;
}

/* What is measured as established must be: not only opened but protected, unless a bucket had no room for one more. */
static void check_established(const struct published *p, int family, uint32_t wanted)
{
	struct flow_census census;
	struct flow_table table;
	uint64_t now;

	if (jiffies_now(&now) || flow_table_map(p->instance, family, &table)) {
		fprintf(stderr, "error: the flows of %s cannot be read\n", p->instance);
		exit(1);
	}
	flow_count_all(&table, now, &census);
	flow_table_unmap(&table);
	if (census.confirmed < wanted / 10 * 9) {
		fprintf(stderr, "error: %" PRIu64 " of %" PRIu32 " flows are established\n", census.confirmed, wanted);
		exit(1);
	}
}

/* In small runs: a bucket takes no more flows in one jiffy than it has slots. */
#define OPENED_AT_ONCE 8192u

void published_open_flows(const struct published *p, struct drive *drive, uint32_t flows, uint32_t allowed)
{
	static const struct {
		uint8_t flags;
		bool reply;
	} steps[] = { { TCP_SYN, false }, { TCP_SYN | TCP_ACK, true }, { TCP_ACK, false } };
	const uint32_t count = flows < OPENED_AT_ONCE ? flows : OPENED_AT_ONCE;
	struct packets packets = published_packets(p, ESTABLISHED, count);

	packets.traffic.counted = 1;
	for (uint32_t first = 0; first < flows; first += count)
		for (size_t step = 0; step < ARRAY_LEN(steps); step++) {
			packets.traffic.base = first;
			packets.traffic.tcp_flags = steps[step].flags;
			packets.traffic.reply = steps[step].reply;
			drive_run(drive, p->gate, &packets, count);
		}
	check_established(p, packets.family, allowed);
}
