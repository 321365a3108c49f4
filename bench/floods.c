// SPDX-License-Identifier: GPL-2.0-only
/*
 * Floods, under full tables (dense): rows P10 (each packet a new flow, over an LRU-hash pipeline) and P11 (drops
 * that are told, over drops that are not) of the list of aims, and P13 of P10. Measured as verdicts.c does.
 *
 *   floods INSTANCE INTERFACE [ROUNDS [PACKETS]]
 */
#include <pthread.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/util.h"
#include "bench/peer.h"
#include "bench/rounds.h"
#include "kernel/instance.h"
#include "watch/reader.h"

/* Room for all new flows of up to 15 rounds in both tables: neither has to replace any. */
#define FLOWS (16 * UNCACHED)

static struct rounds rounds;
static const char *prefix;

enum family { V4, V6, FAMILIES };
enum log { SILENT, TOLD, LOGS };
enum what { NEW_OURS, NEW_HASHES, ONE_SILENT, ONE_TOLD, MANY_SILENT, MANY_TOLD, WHATS };

static struct published published[FAMILIES][LOGS];
static struct bench_case cases[FAMILIES][WHATS];

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "error: floods: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- The events' reader ------------------------------------------------------------------------------------------ */

struct listener {
	struct ring_buffer *ring;
	struct instance *instance[FAMILIES];
	volatile bool stop;
	uint64_t records;
};

static int take(void *context, void *data, size_t len)
{
	struct listener *reader = context;

	(void)data;
	(void)len;
	reader->records++;
	return 0;
}

static void *read_events(void *context)
{
	struct listener *reader = context;

	while (!reader->stop)
		if (ring_buffer__poll(reader->ring, 50) > 0)
			usleep(READER_PAUSE_MS * 1000);
	return NULL;
}

/* As `run` does: without a reader the ring would be full soon, and telling cheaper. */
static void open_ring(struct listener *reader)
{
	for (int family = 0; family < FAMILIES; family++) {
		int ring;

		if (instance_open(published[family][TOLD].instance, &reader->instance[family]))
			fail("instance");
		ring = instance_ring_fd(reader->instance[family]);
		if (!reader->ring)
			reader->ring = ring_buffer__new(ring, take, reader, NULL);
		else if (ring_buffer__add(reader->ring, ring, take, reader))
			fail("ring");
		if (!reader->ring)
			fail("ring");
	}
}

static void close_ring(struct listener *reader)
{
	ring_buffer__free(reader->ring);
	for (int family = 0; family < FAMILIES; family++)
		instance_free(reader->instance[family]);
}

/* --- Cases ------------------------------------------------------------------------------------------------------- */

static void set_case(enum family family, enum what what, const char *name, enum log log, enum packet_kind kind,
		     uint32_t flows)
{
	const struct published *on = &published[family][log];
	struct bench_case *c = &cases[family][what];

	*c = (struct bench_case){ .on = on, .program = on->gate, .packets = published_packets(on, kind, flows) };
	snprintf(c->name, sizeof(c->name), "%s, full, IPv%d", name, on->scale.family);
	c->meant[0] = ZW_DROP_DEFAULT;
}

/* Each packet is of a flow that was not there: ours, and the same on hashes. */
static void set_new(struct bench_case *ours, struct bench_case *hashes, const struct published *on,
		    const struct peer *peer)
{
	*ours = (struct bench_case){ .on = on,
				     .program = on->gate,
				     .packets = published_packets(on, NEW, UNCACHED),
				     .advances = true,
				     .meant = { ZW_ALLOW_RULE } };
	ours->packets.traffic.counted = 1;
	*hashes = *ours;
	hashes->program = peer_on_hashes(peer);
	hashes->meant[0] = 0;
	snprintf(ours->name, sizeof(ours->name), "new flow, full, IPv%d", on->scale.family);
	snprintf(hashes->name, sizeof(hashes->name), "new flow, LRU hash, full, IPv%d", on->scale.family);
}

static void set_cases(enum family family, const struct peer *peer)
{
	set_new(&cases[family][NEW_OURS], &cases[family][NEW_HASHES], &published[family][SILENT], peer);
	set_case(family, ONE_SILENT, "flood of one flow, not told", SILENT, DENIED, 1);
	set_case(family, ONE_TOLD, "flood of one flow, told", TOLD, DENIED, 1);
	set_case(family, MANY_SILENT, "flood of 65,536 flows, not told", SILENT, DENIED, UNCACHED);
	set_case(family, MANY_TOLD, "flood of 65,536 flows, told", TOLD, DENIED, UNCACHED);
}

static struct scale full_scale(enum family family)
{
	return (struct scale){ .shape = PLAN_DENSE, .family = family == V4 ? 4 : 6, SCALE_FULL };
}

static void publish_all(enum family family)
{
	struct scale scale = full_scale(family);

	for (int log = 0; log < LOGS; log++) {
		scale.logged = log == TOLD;
		published_new(&published[family][log], &scale, prefix, family * LOGS + log, FLOWS);
	}
}

/* --- Figures ----------------------------------------------------------------------------------------------------- */

static void compare(const char *row, const char *what, enum family family, enum what of, enum what peer)
{
	char name[96];

	snprintf(name, sizeof(name), "%s, IPv%d", what, family == V4 ? 4 : 6);
	rounds_compare(&rounds, row, name, &cases[family][of], &cases[family][peer], OVER_PEER);
}

static void tell(enum family family)
{
	for (int what = 0; what < WHATS; what++)
		rounds_figure(&rounds, NULL, &cases[family][what]);
	compare("P10", "new flow, over an LRU-hash pipeline", family, NEW_OURS, NEW_HASHES);
	compare("P11 one", "flood of one flow, told over not told", family, ONE_TOLD, ONE_SILENT);
	compare("P11 many", "flood of 65,536 flows, told over not told", family, MANY_TOLD, MANY_SILENT);
}

/* What the hashes took is what was sent: else their figures would be of refusals. */
static void check_allowed(const struct peer *peer)
{
	const uint64_t sent = (uint64_t)rounds.rounds * UNCACHED, allowed = peer_allowed(peer);

	if (allowed < sent - sent / 20) {
		fprintf(stderr, "error: floods: the LRU-hash pipeline allowed only %llu of %llu new flows\n",
			(unsigned long long)allowed, (unsigned long long)sent);
		exit(1);
	}
}

/* New flows where both tables are full of such, and each has to replace one. Told beside the list. */
static void measure_replacing(enum family family)
{
	const struct scale scale = full_scale(family);
	struct published small_table;
	struct bench_case both[2];
	struct peer *peer;
	char name[96];

	published_new(&small_table, &scale, prefix, FAMILIES * LOGS + family, UNCACHED);
	peer = peer_new(&scale, UNCACHED, OPEN_PORT);
	set_new(&both[0], &both[1], &small_table, peer);
	for (size_t i = 0; i < ARRAY_LEN(both); i++)
		for (int run = 0; run < 4; run++, both[i].packets.traffic.base += UNCACHED)
			drive_run(rounds.drive, both[i].program, &both[i].packets, UNCACHED);
	rounds_measure(&rounds, both, ARRAY_LEN(both));
	snprintf(name, sizeof(name), "new flow in a full table, over an LRU-hash pipeline, IPv%d", family == V4 ? 4 : 6);
	rounds_compare(&rounds, NULL, name, &both[0], &both[1], OVER_PEER);
	peer_free(peer);
	published_down(&small_table);
}

static void measure_family(enum family family)
{
	struct peer *peer = peer_new(&published[family][SILENT].scale, FLOWS, OPEN_PORT);

	set_cases(family, peer);
	rounds_measure(&rounds, cases[family], WHATS);
	check_allowed(peer);
	tell(family);
	peer_free(peer);
}

int main(int argc, char **argv)
{
	struct listener reader = { 0 };
	pthread_t thread;

	if (argc < 3) {
		fprintf(stderr, "usage: floods INSTANCE INTERFACE [ROUNDS [PACKETS]]\n");
		return 2;
	}
	prefix = argv[1];
	rounds_init(&rounds, argc - 3, argv + 3);
	for (int family = 0; family < FAMILIES; family++)
		publish_all(family);
	open_ring(&reader);
	if (pthread_create(&thread, NULL, read_events, &reader))
		fail("thread");
	for (int family = 0; family < FAMILIES; family++)
		measure_family(family);
	for (int family = 0; family < FAMILIES && !rounds.quick; family++)
		measure_replacing(family);
	rounds_compare(&rounds, "P13 cached", "IPv6 over IPv4: P10", &cases[V6][NEW_OURS], &cases[V4][NEW_OURS],
		       IN_FLOORS);
	reader.stop = true;
	pthread_join(thread, NULL);
	printf("%llu records of drops were read\n", (unsigned long long)reader.records);
	close_ring(&reader);
	for (int family = 0; family < FAMILIES; family++)
		for (int log = 0; log < LOGS; log++)
			published_down(&published[family][log]);
	if (!reader.records)
		fail("nothing was told");
	return 0;
}
