// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/flow_print.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cmd/view.h"
#include "watch/buffer.h"
#include "watch/flow_line.h"

#define PRINT_MEASURED 1000
#define KEY_LEN 17 /* 16 digits and a tab */

struct line {
	uint64_t key, number;
	char *text; /* owned */
};

struct cell {
	const char *text; /* borrowed */
	size_t len;
};

/* Rows as they came, until the widths are known. */
struct measure {
	struct buffer rows;
	unsigned count;
	size_t width[FLOW_COLUMNS];
	bool done;
};

struct flow_print {
	struct flow_print_options options;
	struct line *lines; /* to be sorted */
	size_t line_count;
	uint64_t seen;
	struct measure measure;
	struct buffer out;
	char *last; /* the last line, if it is one of a kind of its own */
};

enum { COLUMN_AGE = 7, COLUMN_IDLE, COLUMN_PACKETS, COLUMN_BYTES, COLUMN_BACK, COLUMN_BACK_BYTES };

static const struct { const char *head; bool right; } columns[FLOW_COLUMNS] = {
	{ "PROTO", false }, { "STATE", false },	  { "FROM", false }, { "FROM-ZONES", false }, { "TO", false },
	{ "TO-ZONES", false }, { "RULE", false }, { "AGE", true },   { "IDLE", true },	      { "PACKETS", true },
	{ "BYTES", true },  { "BACK", true },	  { "BYTES", true }, { "NOTE", false },
};

struct flow_print *flow_print_new(const struct flow_print_options *options)
{
	struct flow_print *print = calloc(1, sizeof(*print));

	if (!print)
		return NULL;
	print->options = *options;
	for (int i = 0; i < FLOW_COLUMNS; i++)
		print->measure.width[i] = strlen(columns[i].head);
	return print;
}

static void free_lines(struct flow_print *print, size_t from)
{
	for (size_t i = from; i < print->line_count; i++)
		free(print->lines[i].text);
	print->line_count = from;
}

void flow_print_free(struct flow_print *print)
{
	if (!print)
		return;
	free_lines(print, 0);
	free(print->lines);
	buffer_free(&print->measure.rows);
	buffer_free(&print->out);
	free(print->last);
	free(print);
}

static int write_out(const char *text, size_t len)
{
	return fwrite(text, 1, len, stdout) == len ? 0 : errno ? -errno : -EIO;
}

/* --- the table --- */

static void put_spaces(struct buffer *out, size_t count)
{
	static const char spaces[] = "                                                                ";

	for (; count >= sizeof(spaces); count -= sizeof(spaces) - 1)
		buffer_put(out, spaces);
	buffer_add(out, spaces, count);
}

static void put_cell(struct buffer *out, int column, const struct cell *cell, size_t width)
{
	size_t left = column < FLOW_COLUMNS - 1 && cell->len < width ? width - cell->len : 0;

	buffer_add(out, " ", column > 0);
	if (columns[column].right)
		put_spaces(out, left);
	buffer_add(out, cell->text, cell->len);
	if (!columns[column].right)
		put_spaces(out, left);
}

static int print_row(struct flow_print *print, const struct cell cells[FLOW_COLUMNS])
{
	struct buffer *out = &print->out;

	buffer_clear(out);
	for (int i = 0; i < FLOW_COLUMNS; i++)
		put_cell(out, i, &cells[i], print->measure.width[i]);
	while (out->len && out->data[out->len - 1] == ' ')
		out->len--;
	buffer_add(out, "\n", 1);
	return out->failed ? -ENOMEM : write_out(out->data, out->len);
}

static int print_head(struct flow_print *print)
{
	struct cell cells[FLOW_COLUMNS];

	for (int i = 0; i < FLOW_COLUMNS; i++)
		cells[i] = (struct cell){ columns[i].head, strlen(columns[i].head) };
	return print_row(print, cells);
}

static struct cell format_number(int column, uint64_t number)
{
	const char *text;

	if (column == COLUMN_AGE || column == COLUMN_IDLE)
		text = view_seconds(number / 1000);
	else if (column == COLUMN_BYTES || column == COLUMN_BACK_BYTES)
		text = view_bytes(number);
	else
		text = view_count(number);
	return (struct cell){ text, strlen(text) };
}

/* A row of flow_row(), of which numbers become readable: these are good until the next row. */
static void read_row(const char *row, struct cell ret_cells[FLOW_COLUMNS])
{
	for (int i = 0; i < FLOW_COLUMNS; i++) {
		size_t len = strcspn(row, "\t\n");

		ret_cells[i] = columns[i].right ? format_number(i, strtoull(row, NULL, 10)) : (struct cell){ row, len };
		row += len + (row[len] == '\t');
	}
}

/* The widths are known: what was kept is printed. */
static int end_measure(struct flow_print *print)
{
	struct measure *measure = &print->measure;
	const char *row = measure->rows.data;
	struct cell cells[FLOW_COLUMNS];
	int r;

	if (measure->done)
		return 0;
	measure->done = true;
	r = measure->rows.failed ? -ENOMEM : print_head(print);
	for (unsigned i = 0; i < measure->count && !r; i++, row = strchr(row, '\n') + 1) {
		read_row(row, cells);
		r = print_row(print, cells);
	}
	buffer_free(&measure->rows);
	return r;
}

static int take_row(struct flow_print *print, const char *row, size_t len)
{
	struct measure *measure = &print->measure;
	struct cell cells[FLOW_COLUMNS];

	read_row(row, cells);
	if (measure->done)
		return print_row(print, cells);
	buffer_add(&measure->rows, row, len);
	for (int i = 0; i < FLOW_COLUMNS; i++)
		if (cells[i].len > measure->width[i])
			measure->width[i] = cells[i].len;
	return ++measure->count == PRINT_MEASURED ? end_measure(print) : 0;
}

/* --- sorting --- */

static int by_key(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? 1 : -1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static void sort_lines(struct flow_print *print)
{
	if (print->line_count)
		qsort(print->lines, print->line_count, sizeof(*print->lines), by_key);
	if (print->line_count > print->options.limit)
		free_lines(print, print->options.limit);
}

/* With a limit, twice as many lines are kept at most, and some: what cannot be among the first is let go. */
static int keep(struct flow_print *print, const char *text, size_t len)
{
	struct line *line;

	if (len < KEY_LEN)
		return -EPROTO;
	if (array_grow(&print->lines, print->line_count, sizeof(*print->lines)))
		return -ENOMEM;
	line = &print->lines[print->line_count];
	line->key = strtoull(text, NULL, 16);
	line->number = print->seen++;
	line->text = strndup(text + KEY_LEN, len - KEY_LEN);
	if (!line->text)
		return -ENOMEM;
	print->line_count++;
	if (print->options.limit < UINT64_MAX / 4 && print->line_count > 2 * print->options.limit + 1024)
		sort_lines(print);
	return 0;
}

/* --- lines --- */

static int take_line(struct flow_print *print, const char *line, size_t len)
{
	if (*line == '{') {
		free(print->last);
		print->last = strndup(line, len);
		return print->last ? 0 : -ENOMEM;
	}
	return print->options.sort ? keep(print, line, len) : take_row(print, line, len);
}

int flow_print_take(void *context, const char *lines, size_t len)
{
	struct flow_print *print = context;
	const char *end = lines + len;
	int r = 0;

	if (!print->options.text && !print->options.sort)
		return write_out(lines, len);
	while (lines < end && !r) {
		const char *next = memchr(lines, '\n', end - lines);

		next = next ? next + 1 : end;
		r = take_line(print, lines, next - lines);
		lines = next;
	}
	return r;
}

static uint64_t number_of(const char *line, const char *key)
{
	struct json_object *object = json_tokener_parse(line);
	uint64_t number = view_number(object, key);

	json_object_put(object);
	return number;
}

/* The line that is no flow: how many there are, or could not be read. */
static int print_last(struct flow_print *print)
{
	unsigned long long changing;

	if (!print->last)
		return 0;
	if (!print->options.text)
		return write_out(print->last, strlen(print->last));
	if (print->options.count)
		printf("%llu\n", (unsigned long long)number_of(print->last, "flows"));
	changing = number_of(print->last, print->options.count ? "changing" : "flows");
	if (changing)
		fprintf(stderr, "zonewall: %llu flows were being opened or replaced as they were read, and are not shown\n",
			changing);
	return 0;
}

int flow_print_end(struct flow_print *print)
{
	int r = 0;

	sort_lines(print);
	for (size_t i = 0; i < print->line_count && !r; i++)
		r = print->options.text ? take_row(print, print->lines[i].text, strlen(print->lines[i].text)) :
					  write_out(print->lines[i].text, strlen(print->lines[i].text));
	if (!r && print->options.text && !print->options.count)
		r = end_measure(print);
	if (!r)
		r = print_last(print);
	return r ? r : fflush(stdout) ? -errno : 0;
}
