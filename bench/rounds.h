/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cases that are measured together: in each round every case takes its turn, right after the floor with the same
 * packets, so that what disturbs the machine disturbs them alike and any two of them can be compared.
 */
#ifndef ZW_ROUNDS_H
#define ZW_ROUNDS_H

#include <stddef.h>

#include "bench/drive.h"
#include "bench/figure.h"
#include "bench/published.h"
#include "zonewall.h"

struct bench_case {
	char name[112];
	const struct published *on;
	int program; /* -1: there is none, and nothing is measured */
	struct packets packets;
	int count; /* packets of a run; 0: as many as of others */
	bool advances; /* each run takes all flows of the mask once, and the next one others: base moves on */
	enum zw_reason meant[2]; /* nearly all packets are to be decided so; 0: not checked */
	double ns[FIGURE_ROUNDS_MAX], floor[FIGURE_ROUNDS_MAX];
};

struct rounds {
	struct drive *drive;
	int rounds, packets; /* of each run */
	bool quick;
};

/* Rounds and packets of make bench or, by ZW_BENCH_QUICK, make bench-quick; the command line may say others. */
void rounds_init(struct rounds *rounds, int argc, char **argv);

/* Exits if packets were not decided as they are meant to. */
void rounds_measure(const struct rounds *rounds, struct bench_case *cases, size_t count);

/* A figure of one case, over its floor. */
void rounds_figure(const struct rounds *rounds, const char *row, const struct bench_case *c);

/* A figure of two cases that were measured together. IN_FLOORS: each in times its own floor, as of two families. */
enum rounds_ratio { OVER_PEER, PEER_OVER, IN_FLOORS };
void rounds_compare(const struct rounds *rounds, const char *row, const char *name, const struct bench_case *c,
		    const struct bench_case *peer, enum rounds_ratio ratio);

#endif
