// SPDX-License-Identifier: GPL-2.0-only
/*
 * The matrix for people. A table if it has few columns: a line for each service. Else the pairs between which
 * something is open, which are few in a policy that denies by default. Behind either, what `partly` is for.
 */
#include <libsmartcols/libsmartcols.h>
#include <netinet/in.h>

#include "base/util.h"
#include "cmd/matrix.h"
#include "cmd/view.h"

#define COLUMNS_MAX 10 /* of a table */
#define PARTLY_MAX 20 /* cells whose `partly` is told */

struct page {
	const struct matrix_view *view;
	const struct globals *globals;
	struct libscols_table *table;
	struct buffer partly;
	size_t partly_count;
};

/* --- What is partly open ------------------------------------------------------------------------------------------- */

static bool is_partly(const struct matrix_words *words)
{
	return words->open[OPEN_PARTLY] || words->open[OPEN_PARTLY | OPEN_FAILSAFE];
}

/* With its ends exchanged, failsafe lets pass what another port is named for: not of TCP (space.h). */
static bool may_exchange(const struct matrix_decider *decider, const struct rule *rule)
{
	bool others = false;

	for (size_t i = 0; i < rule->service.count; i++)
		others |= rule->service.v[i].any_protocol || rule->service.v[i].protocol != IPPROTO_TCP;
	return decider->reason == ZW_ALLOW_FAILSAFE && others;
}

/* Does it allow some of what is partly open? A default may. */
static bool opens_partly(const struct matrix_view *view, const struct matrix_cell *cell,
			 const struct matrix_decider *decider)
{
	const struct rule *rule = view->rules[decider->rule];

	if (!decider->allow || !rule)
		return decider->allow;
	return may_exchange(decider, rule) || service_common(&cell->open[OPEN_PARTLY], &rule->service) ||
	       service_common(&cell->open[OPEN_PARTLY | OPEN_FAILSAFE], &rule->service);
}

static void put_partly_services(const struct matrix_words *words, struct buffer *text)
{
	const char *before = ": ";

	for (unsigned way = OPEN_PARTLY; way < OPEN_WAYS; way += OPEN_FAILSAFE)
		for (size_t i = 0; i < matrix_services(words->open[way]); i++) {
			buffer_put(text, before);
			buffer_put(text, matrix_service(words->open[way], i));
			before = "; ";
		}
	buffer_put(text, "\n");
}

static void tell_partly(struct page *page, size_t row, size_t column, const struct matrix_words *words)
{
	const struct matrix_view *view = page->view;
	struct buffer *text = &page->partly;

	if (!is_partly(words) || page->partly_count++ >= PARTLY_MAX)
		return;
	buffer_printf(text, "  %s → %s", matrix_zone(view, view->from[row]),
		      matrix_zone(view, view->to[column]));
	put_partly_services(words, text);
	for (size_t i = 0; i < words->cell->decider_count; i++) {
		const struct matrix_decider *decider = &words->cell->deciders[i];

		if (!opens_partly(view, words->cell, decider))
			continue;
		buffer_put(text, "    by ");
		matrix_put_decider(view, decider, text);
		buffer_put(text, decider->rule ? ", " : "");
		matrix_put_rule(view, decider, text);
		buffer_put(text, "\n");
	}
}

static int put_partly(struct page *page)
{
	if (page->partly_count)
		printf("\npartly: only for some of the addresses (or, by failsafe, source ports) of the two "
		       "zones\n");
	if (page->partly_count > PARTLY_MAX)
		buffer_printf(&page->partly, "  and %zu more pairs: --from and --to narrow it\n",
			      page->partly_count - PARTLY_MAX);
	return matrix_flush(&page->partly);
}

/* --- A table ------------------------------------------------------------------------------------------------------- */

/* A row's cells: each a list of lines. */
struct row {
	struct json_object *cell[COLUMNS_MAX];
	size_t height;
};

static void add_line(struct json_object *lines, struct buffer *text)
{
	json_object_array_add(lines, json_object_new_string(text->len ? text->data : ""));
	buffer_clear(text);
}

static struct json_object *lines_of(const struct matrix_words *words)
{
	struct json_object *lines = json_object_new_array();
	struct buffer text = { 0 };

	for (int i = 0; i < OPEN_WAYS; i++) {
		struct json_object *open = words->open[matrix_ways[i]];

		for (size_t n = 0; n < matrix_services(open); n++) {
			buffer_put(&text, matrix_service(open, n));
			if (matrix_ways[i])
				buffer_printf(&text, " (%s)", matrix_way(matrix_ways[i]));
			add_line(lines, &text);
		}
	}
	if (!json_object_array_length(lines)) {
		buffer_put(&text, words->cell->is_empty ? "" : "-");
		add_line(lines, &text);
	}
	buffer_free(&text);
	return lines;
}

static void print_row(struct page *page, const char *name, const struct row *row)
{
	for (size_t i = 0; i < row->height; i++) {
		struct libscols_line *line = scols_table_new_line(page->table, NULL);

		scols_line_set_data(line, 0, i ? "" : name);
		for (size_t column = 0; column < page->view->to_count; column++) {
			struct json_object *text = json_object_array_get_idx(row->cell[column], i);

			scols_line_set_data(line, column + 1, text ? json_object_get_string(text) : "");
		}
	}
}

static int add_row(struct page *page, size_t number)
{
	const struct matrix_view *view = page->view;
	struct row row = { 0 };
	int err = 0;

	for (size_t column = 0; column < view->to_count && !err; column++) {
		struct matrix_words words;

		err = matrix_words(view, number, column, &words);
		if (err)
			break;
		row.cell[column] = lines_of(&words);
		if (json_object_array_length(row.cell[column]) > row.height)
			row.height = json_object_array_length(row.cell[column]);
		tell_partly(page, number, column, &words);
		matrix_words_clear(&words);
	}
	if (!err)
		print_row(page, matrix_zone(view, view->from[number]), &row);
	for (size_t column = 0; column < view->to_count; column++)
		json_object_put(row.cell[column]);
	return err;
}

static int print_table(struct page *page)
{
	const struct matrix_view *view = page->view;
	struct buffer columns = { 0 };
	int err;

	buffer_put(&columns, "from\\to");
	for (size_t i = 0; i < view->to_count; i++)
		buffer_printf(&columns, " %s", matrix_zone(view, view->to[i]));
	page->table = columns.failed ? NULL : view_table(page->globals, columns.data);
	buffer_free(&columns);
	err = page->table ? 0 : -ENOMEM;
	for (size_t row = 0; row < view->from_count && !err; row++)
		err = add_row(page, row);
	return err;
}

/* --- A list -------------------------------------------------------------------------------------------------------- */

static int add_pair(struct page *page, size_t row, size_t column)
{
	const struct matrix_view *view = page->view;
	struct matrix_words words;
	struct buffer text = { 0 };
	int err = matrix_words(view, row, column, &words);

	if (err)
		return err;
	if (words.cell->some) {
		matrix_put_cell(&words, &text);
		view_line(page->table, matrix_zone(view, view->from[row]),
			  matrix_zone(view, view->to[column]), text.data);
		tell_partly(page, row, column, &words);
	}
	err = text.failed ? -ENOMEM : 0;
	buffer_free(&text);
	matrix_words_clear(&words);
	return err;
}

static int print_list(struct page *page)
{
	const struct matrix_view *view = page->view;
	int err = 0;

	page->table = view_table(page->globals, "from to open");
	for (size_t row = 0; row < view->from_count && !err; row++)
		for (size_t column = 0; column < view->to_count && !err; column++)
			err = add_pair(page, row, column);
	return err;
}

int matrix_print_text(const struct matrix_view *view, const struct globals *globals)
{
	struct page page = { .view = view, .globals = globals };
	struct buffer notes = { 0 };
	int err = view->to_count <= COLUMNS_MAX ? print_table(&page) : print_list(&page);

	if (!err)
		view_print(page.table);
	else
		scols_unref_table(page.table);
	if (!err)
		err = put_partly(&page);
	if (!err)
		err = matrix_put_notes(view, "note: ", "\n", &notes);
	buffer_free(&page.partly);
	if (!err && notes.len)
		putchar('\n');
	return err ? err : matrix_flush(&notes);
}
