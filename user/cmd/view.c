// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/view.h"

#include <errno.h>
#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel/edge.h"
#include "kernel/instance.h"
#include "kernel/predecessor.h"
#include "watch/client.h"

static int ask(const char *instance, const char *name, struct json_object **ret_report)
{
	struct json_object *request = json_object_new_object();
	FILE *answer;
	int r;

	json_object_object_add(request, "request", json_object_new_string(name));
	answer = client_ask(instance, request, false);
	r = answer ? 0 : -errno;
	json_object_put(request);
	if (r)
		return r;
	r = client_object(answer, ret_report);
	fclose(answer);
	return r;
}

static int read_pins(const char *name, struct json_object *(*make)(const struct instance *, const char *),
		     struct json_object **ret_report)
{
	struct instance *instance;
	int r = instance_open(name, &instance);

	if (r)
		return r;
	*ret_report = make(instance, name);
	instance_free(instance);
	return *ret_report ? 0 : -ENOMEM;
}

int view_nothing_published(const char *instance)
{
	bool named = strcmp(instance, "default");

	if (predecessor_tell(instance))
		return EXIT_FAILED;
	fprintf(stderr, "zonewall: nothing is published%s%s\nfix: zonewall apply FILE, or zonewall run FILE\n",
		named ? " for instance " : "", named ? instance : "");
	return EXIT_NOT_RUNNING;
}

int view_report(const struct globals *globals, const char *request,
		struct json_object *(*make)(const struct instance *instance, const char *name),
		struct json_object **ret_report)
{
	int asked = ask(globals->instance, request, ret_report), r;

	if (!asked)
		return EXIT_DONE;
	if (asked == -EPROTO)
		return EXIT_FAILED; /* its word about it has been printed */
	if (asked == -EACCES && geteuid())
		return client_refused(globals->instance, EACCES);
	if (asked == -ETIMEDOUT)
		edge_warn("%s", client_is_silent);
	r = read_pins(globals->instance, make, ret_report);
	if (!r)
		return EXIT_DONE;
	if (r == -ENOENT)
		return view_nothing_published(globals->instance);
	if ((r == -EPERM || r == -EACCES) && asked != -ETIMEDOUT)
		return client_refused(globals->instance, -asked);
	edge_error(r, "cannot read what is published for instance %s", globals->instance);
	return edge_exit_status(r);
}

void view_json(struct json_object *report)
{
	puts(json_object_to_json_string_ext(report, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

struct json_object *view_get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (object)
		json_object_object_get_ex(object, key, &value);
	return value;
}

const char *view_string(struct json_object *object, const char *key)
{
	struct json_object *value = view_get(object, key);

	return value ? json_object_get_string(value) : "";
}

uint64_t view_number(struct json_object *object, const char *key)
{
	return json_object_get_uint64(view_get(object, key));
}

bool view_bool(struct json_object *object, const char *key)
{
	return json_object_get_boolean(view_get(object, key));
}

static char *next_text(size_t *ret_len)
{
	static char texts[8][32];
	static unsigned next;

	*ret_len = sizeof(texts[0]);
	return texts[next++ % 8];
}

/* Writes the number before `end`, digit by digit: tables of a million rows spend their time here. Returns its begin. */
static char *put_number(char *end, uint64_t number)
{
	do
		*--end = '0' + number % 10;
	while (number /= 10);
	return end;
}

/* "12", with a tail of up to 7 letters. */
static const char *plain(uint64_t number, const char *tail)
{
	size_t len;
	char *text = next_text(&len), *end = text + len - 8;

	strcpy(end, tail);
	return put_number(end, number);
}

/* "1.2", with a tail of up to 7 letters. */
static const char *tenths(uint64_t number, const char *tail)
{
	size_t len;
	char *text = next_text(&len), *end = text + len - 8;

	strcpy(end, tail);
	*--end = '0' + number % 10;
	*--end = '.';
	return put_number(end, number / 10);
}

const char *view_count(uint64_t count)
{
	static const char *const units[] = { "k", "M", "G", "T", "P" };
	uint64_t unit = 1000;
	size_t i = 0;

	if (count < 100000)
		return plain(count, "");
	while (i < 4 && count / unit >= 1000) {
		unit *= 1000;
		i++;
	}
	if (count / unit >= 100)
		return plain((count + unit / 2) / unit, units[i]);
	return tenths((count + unit / 20) / (unit / 10), units[i]);
}

const char *view_bytes(uint64_t bytes)
{
	static const char *const units[] = { " B", " KiB", " MiB", " GiB", " TiB", " PiB" };
	unsigned unit = 0, shift;
	uint64_t whole, rest;

	while (unit < 5 && bytes >> 10 * (unit + 1))
		unit++;
	shift = 10 * unit;
	whole = bytes >> shift;
	rest = (bytes - (whole << shift)) * 10;
	if (unit && whole < 100)
		return tenths(whole * 10 + ((rest + (1ull << shift) / 2) >> shift), units[unit]);
	return plain(whole + (unit && rest >> shift >= 5), units[unit]);
}

const char *view_seconds(uint64_t seconds)
{
	static const struct { unsigned long long up_to, unit; const char *letter; } units[] = {
		{ 120, 1, "s" }, { 7200, 60, "m" }, { 172800, 3600, "h" }, { UINT64_MAX, 86400, "d" },
	};
	size_t i = 0;

	while (seconds >= units[i].up_to && i < 3)
		i++;
	return plain(seconds / units[i].unit, units[i].letter);
}

const char *view_age(const char *time_text)
{
	struct tm tm = { 0 };
	long age;

	if (!*time_text || !strptime(time_text, "%Y-%m-%dT%H:%M:%SZ", &tm))
		return "never";
	age = time(NULL) - timegm(&tm);
	return view_seconds(age < 0 ? 0 : age);
}

struct libscols_table *view_table(const struct globals *globals, const char *columns)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	/* Whole lines whatever the width: a table that ends in a file or a terminal is the same text. */
	scols_table_enable_colors(table, globals->colour);
	scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	while (*columns) {
		size_t len = strcspn(columns, " ");
		bool right = *columns == '>';
		char name[80];

		snprintf(name, sizeof(name), "%.*s", (int)(len - right), columns + right);
		scols_table_new_column(table, name, 0, right ? SCOLS_FL_RIGHT : 0);
		columns += len;
		columns += strspn(columns, " ");
	}
	return table;
}

void view_line(struct libscols_table *table, ...)
{
	struct libscols_line *line = table ? scols_table_new_line(table, NULL) : NULL;
	va_list arguments;

	if (!line)
		return;
	va_start(arguments, table);
	for (size_t i = 0; i < scols_table_get_ncols(table); i++)
		scols_line_set_data(line, i, va_arg(arguments, const char *));
	va_end(arguments);
}

void view_print(struct libscols_table *table)
{
	if (!table) {
		fprintf(stderr, "zonewall: out of memory\n");
		return;
	}
	scols_print_table(table);
	scols_unref_table(table);
}
