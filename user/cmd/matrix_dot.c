// SPDX-License-Identifier: GPL-2.0-only
/*
 * The matrix as a graph for Graphviz: zones, and an edge where something is open. Names of zones and services have no
 * character that DOT would take for its own, nor have forms of the language.
 */
#include "base/util.h"
#include "cmd/matrix.h"

static void put_node(const struct matrix_view *view, unsigned zone, struct buffer *text)
{
	enum zone_kind kind = view->policy->zones[zone].kind;

	buffer_printf(text, "  \"%s\"%s;\n", matrix_zone(view, zone),
		      kind == ZONE_DECLARED ? "" : " [style=rounded]");
}

/* All rows, and the columns that are none: each zone once. */
static void put_nodes(const struct matrix_view *view, struct buffer *text)
{
	for (size_t i = 0; i < view->from_count; i++)
		put_node(view, view->from[i], text);
	for (size_t i = 0; i < view->to_count; i++) {
		bool is_row = false;

		for (size_t j = 0; j < view->from_count; j++)
			is_row |= view->from[j] == view->to[i];
		if (!is_row)
			put_node(view, view->to[i], text);
	}
}

static void put_label(const struct matrix_words *words, struct buffer *text)
{
	const char *before = "";

	for (int i = 0; i < OPEN_WAYS; i++) {
		struct json_object *open = words->open[matrix_ways[i]];

		for (size_t n = 0; n < matrix_services(open); n++) {
			buffer_printf(text, "%s%s", before, matrix_service(open, n));
			if (matrix_ways[i])
				buffer_printf(text, " (%s)", matrix_way(matrix_ways[i]));
			before = "\\n";
		}
	}
}

static int put_edge(const struct matrix_view *view, size_t row, size_t column, struct buffer *text)
{
	struct matrix_words words;
	int err = matrix_words(view, row, column, &words);

	if (!err && words.cell->some) {
		buffer_printf(text, "  \"%s\" -> \"%s\" [label=\"", matrix_zone(view, view->from[row]),
			      matrix_zone(view, view->to[column]));
		put_label(&words, text);
		/* Solid where some service is open between all addresses. */
		buffer_put(text,
			   words.open[0] || words.open[OPEN_FAILSAFE] ? "\"];\n" : "\", style=dashed];\n");
	}
	matrix_words_clear(&words);
	return err;
}

int matrix_print_dot(const struct matrix_view *view)
{
	struct buffer text = { 0 };
	int err = 0;

	buffer_put(&text, "digraph zonewall {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n"
			  "  edge [fontname=\"sans-serif\", fontsize=10];\n");
	put_nodes(view, &text);
	for (size_t row = 0; row < view->from_count && !err; row++)
		for (size_t column = 0; column < view->to_count && !err; column++)
			err = put_edge(view, row, column, &text);
	buffer_put(&text, "}\n");
	return err ? (buffer_free(&text), err) : matrix_flush(&text);
}
