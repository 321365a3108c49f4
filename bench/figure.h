/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One figure of the bench: rounds of a measurement, each with the floor and the peer of the same round. It is printed, and
 * appended to the file that ZW_BENCH_JSON names as one JSON object a line:
 *
 *   {"row":"P1","name":"parse, IPv4 dense","unit":"ns","value":12.1,"floor":10.2,"peer":null,"ratio":1.19,
 *    "runs":[12.0,12.1,12.4],"ratios":[1.18,1.19,1.21]}
 *
 * value, floor, peer and ratio are medians of the rounds; the ratio of a round is over the peer, where there is one, else
 * over the floor. `row` is one of aims.c's, or null: told beside the list. figures.c makes the list and the table of them.
 */
#ifndef ZW_FIGURE_H
#define ZW_FIGURE_H

#include <stdbool.h>

#define FIGURE_ROUNDS_MAX 64

struct figure {
	const char *row; /* or NULL */
	const char *name, *unit;
	int rounds; /* 1 to FIGURE_ROUNDS_MAX */
	const double *values, *floors, *peers; /* of each round; floors and peers may be NULL */
	bool peer_over_value; /* the ratio is "so many times faster than the peer" */
};

/* Exits with a message if the row is not known or the file cannot be written. Returns what is compared with the aim. */
double figure_add(const struct figure *figure);

/* `values` is left as it is. */
double figure_median(const double *values, int count);

/* Six digits; NULL, which is JSON's null, if it is no number. */
struct json_object;
struct json_object *figure_number(double value);

#endif
