// SPDX-License-Identifier: GPL-2.0-only
#include "bench/rounds.h"

#include "base/util.h"
#include "bench/gate.h"

void rounds_init(struct rounds *rounds, int argc, char **argv)
{
	rounds->quick = getenv("ZW_BENCH_QUICK");
	rounds->rounds = argc > 0 ? atoi(argv[0]) : rounds->quick ? 3 : 15;
	rounds->packets = argc > 1 ? atoi(argv[1]) : rounds->quick ? 60000 : 80000;
	if (rounds->rounds < 1 || rounds->rounds > FIGURE_ROUNDS_MAX || rounds->packets < 1) {
		fprintf(stderr, "error: bench: 1 to %d rounds of at least one packet\n", FIGURE_ROUNDS_MAX);
		exit(2);
	}
	rounds->drive = drive_new();
}

static int run_length(const struct rounds *r, const struct bench_case *c)
{
	if (c->advances)
		return c->packets.traffic.mask + 1;
	return c->count ? c->count : r->packets;
}

static double run(const struct rounds *r, const struct bench_case *c, int program)
{
	return drive_run(r->drive, program, &c->packets, run_length(r, c));
}

static double run_case(const struct rounds *r, struct bench_case *c)
{
	double ns = run(r, c, c->program);

	if (c->advances)
		c->packets.traffic.base += c->packets.traffic.mask + 1;
	return ns;
}

/* Packets so far that were decided as they are meant to. */
static uint64_t count_meant(const struct bench_case *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(c->meant) && c->meant[i]; i++)
		sum += gate_count(c->on->instance, c->meant[i]);
	return sum;
}

/* Not timed: its lines come into the caches, which the other cases took. */
static void warm_up(const struct rounds *r, const struct bench_case *c)
{
	const int flows = c->packets.traffic.mask + 1, most = run_length(r, c);

	if (!c->advances)
		drive_run(r->drive, c->program, &c->packets, flows < most ? flows : most);
}

static void measure_round(const struct rounds *r, struct bench_case *c, int round)
{
	uint64_t before;
	double part;

	warm_up(r, c);
	before = count_meant(c);
	c->floor[round] = run(r, c, drive_floor(r->drive));
	c->ns[round] = run_case(r, c);
	if (!c->meant[0])
		return;
	part = (double)(count_meant(c) - before) / run_length(r, c);
	if (part < 0.95) {
		fprintf(stderr, "error: bench: %s: only %.1f %% of the packets were decided as is meant\n", c->name,
			100 * part);
		exit(1);
	}
}

void rounds_measure(const struct rounds *r, struct bench_case *cases, size_t count)
{
	for (int round = 0; round < r->rounds; round++)
		for (size_t i = 0; i < count; i++)
			if (cases[i].program >= 0)
				measure_round(r, &cases[i], round);
}

void rounds_figure(const struct rounds *r, const char *row, const struct bench_case *c)
{
	figure_add(&(struct figure){ .row = row,
				     .name = c->name,
				     .unit = "ns",
				     .rounds = r->rounds,
				     .values = c->ns,
				     .floors = c->floor });
}

static void compare_in_floors(const struct rounds *r, const char *row, const char *name, const struct bench_case *c,
			      const struct bench_case *peer)
{
	double values[FIGURE_ROUNDS_MAX], peers[FIGURE_ROUNDS_MAX];

	for (int i = 0; i < r->rounds; i++) {
		values[i] = c->ns[i] / c->floor[i];
		peers[i] = peer->ns[i] / peer->floor[i];
	}
	figure_add(&(struct figure){ .row = row,
				     .name = name,
				     .unit = "floors",
				     .rounds = r->rounds,
				     .values = values,
				     .peers = peers });
}

void rounds_compare(const struct rounds *r, const char *row, const char *name, const struct bench_case *c,
		    const struct bench_case *peer, enum rounds_ratio ratio)
{
	if (ratio == IN_FLOORS) {
		compare_in_floors(r, row, name, c, peer);
		return;
	}
	figure_add(&(struct figure){ .row = row,
				     .name = name,
				     .unit = "ns",
				     .rounds = r->rounds,
				     .values = c->ns,
				     .floors = c->floor,
				     .peers = peer->ns,
				     .peer_over_value = ratio == PEER_OVER });
}
