/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `show --matrix` prints: the matrix of zones as a table, JSON, a graph for Graphviz, or a page of HTML.
 */
#ifndef ZW_CMD_MATRIX_H
#define ZW_CMD_MATRIX_H

#include "cmd/command.h"
#include "cmd/service_words.h"
#include "compile/tables.h"
#include "simulate/zone_matrix.h"
#include "watch/buffer.h"

/* Borrowed, but for what matrix_view_clear frees. */
struct matrix_view {
	const struct policy *policy;
	const struct tables *tables;
	struct zone_matrix *matrix;
	int64_t at; /* when, Unix seconds */
	unsigned *from, *to; /* rows and columns: indices into policy->zones */
	size_t from_count, to_count;
	const struct rule **rules; /* by number in the tables; [0] is NULL */
};

/*
 * at: Unix seconds. from, to: names of zones with commas between them; NULL: all that are declared, host and world, as far as they have
 * addresses. Returns an exit status, having told what is wrong.
 */
int matrix_view_open(const struct policy *policy, const struct tables *tables, int64_t at, const char *from,
		     const char *to, struct matrix_view *ret_view);
void matrix_view_clear(struct matrix_view *view);

/* A cell, and what is open in it: of each way a list of texts (service_words.h), NULL: nothing. */
struct matrix_words {
	const struct matrix_cell *cell;
	struct json_object *open[OPEN_WAYS];
};

/* row, column: indices into view->from and view->to. The caller clears it, and uses it before the next call. 0 or -ENOMEM. */
int matrix_words(const struct matrix_view *view, size_t row, size_t column, struct matrix_words *ret_words);
void matrix_words_clear(struct matrix_words *words);

/* "", "failsafe", "partly", "partly, failsafe" */
const char *matrix_way(unsigned way);

size_t matrix_services(const struct json_object *open); /* how many texts */
const char *matrix_service(struct json_object *open, size_t index);

/* Ways in the order in which people want them: plain ones first. */
extern const unsigned matrix_ways[OPEN_WAYS];

/* "postgres, ssh (partly)", or "-": nothing is open. */
void matrix_put_cell(const struct matrix_words *words, struct buffer *text);

const char *matrix_zone(const struct matrix_view *view, unsigned zone); /* its name */

/* Who decides: "rule gateway-to-db", "failsafe ops-ssh", "the default", "intra-zone". */
void matrix_put_decider(const struct matrix_view *view, const struct matrix_decider *decider,
			struct buffer *text);

/* "x.yaml:3: gateway → app, monitoring": where a decider that is a rule stands, and its ends; nothing for others. */
void matrix_put_rule(const struct matrix_view *view, const struct matrix_decider *decider,
		     struct buffer *text);

/* What the reader of a matrix should know of it. Appends a line for each, with `begin` and `end` around it. */
int matrix_put_notes(const struct matrix_view *view, const char *begin, const char *end, struct buffer *text);

/* To stdout. 0 or -ENOMEM; frees the text. */
int matrix_flush(struct buffer *text);

int matrix_print_text(const struct matrix_view *view, const struct globals *globals);
int matrix_print_json(const struct matrix_view *view);
int matrix_print_dot(const struct matrix_view *view);
int matrix_print_html(const struct matrix_view *view);

#endif
