// SPDX-License-Identifier: GPL-2.0-only
#include "bench/figure.h"

#include <math.h>

#include <json-c/json.h>

#include "base/util.h"
#include "bench/aims.h"

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "error: bench: %s: %s\n", what, why);
	exit(1);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double figure_median(const double *values, int count)
{
	double sorted[FIGURE_ROUNDS_MAX];

	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare);
	return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* Whether there are ratios at all. */
static bool work_out_ratios(const struct figure *f, double *ret_ratios)
{
	const double *base = f->peers ? f->peers : f->floors;

	for (int i = 0; base && i < f->rounds; i++)
		ret_ratios[i] = f->peer_over_value ? base[i] / f->values[i] : f->values[i] / base[i];
	return base;
}

struct json_object *figure_number(double value)
{
	char text[32];

	if (!isfinite(value))
		return NULL;
	snprintf(text, sizeof(text), "%.6g", value);
	return json_object_new_double_s(value, text);
}

static struct json_object *median_of(const double *values, int count)
{
	return values ? figure_number(figure_median(values, count)) : NULL;
}

static struct json_object *list_of(const double *values, int count)
{
	struct json_object *list = json_object_new_array();

	for (int i = 0; values && i < count; i++)
		json_object_array_add(list, figure_number(values[i]));
	return list;
}

static void append(const struct figure *f, const double *ratios)
{
	const char *path = getenv("ZW_BENCH_JSON");
	struct json_object *o;
	FILE *file;

	if (!path)
		return;
	o = json_object_new_object();
	json_object_object_add(o, "row", f->row ? json_object_new_string(f->row) : NULL);
	json_object_object_add(o, "name", json_object_new_string(f->name));
	json_object_object_add(o, "unit", json_object_new_string(f->unit));
	json_object_object_add(o, "value", median_of(f->values, f->rounds));
	json_object_object_add(o, "floor", median_of(f->floors, f->rounds));
	json_object_object_add(o, "peer", median_of(f->peers, f->rounds));
	json_object_object_add(o, "ratio", median_of(ratios, f->rounds));
	json_object_object_add(o, "runs", list_of(f->values, f->rounds));
	json_object_object_add(o, "ratios", list_of(ratios, f->rounds));
	file = fopen(path, "a");
	if (!file || fprintf(file, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE)) < 0 || fclose(file))
		fail(path, strerror(errno));
	json_object_put(o);
}

static double least(const double *values, int count)
{
	double found = values[0];

	for (int i = 1; i < count; i++)
		found = values[i] < found ? values[i] : found;
	return found;
}

static double most(const double *values, int count)
{
	double found = values[0];

	for (int i = 1; i < count; i++)
		found = values[i] > found ? values[i] : found;
	return found;
}

static void print(const struct figure *f, const double *ratios)
{
	printf("%-12s %-56s %9.5g %-6s", f->row ? f->row : "", f->name, figure_median(f->values, f->rounds), f->unit);
	if (f->floors)
		printf(" floor %8.5g", figure_median(f->floors, f->rounds));
	if (f->peers)
		printf(" peer %8.5g", figure_median(f->peers, f->rounds));
	if (ratios)
		printf("  times %.3g (%.3g to %.3g)", figure_median(ratios, f->rounds), least(ratios, f->rounds),
		       most(ratios, f->rounds));
	printf("\n");
	fflush(stdout);
}

double figure_add(const struct figure *f)
{
	double room[FIGURE_ROUNDS_MAX];
	const double *ratios;

	if (f->row && !aim_find(f->row))
		fail(f->row, "there is no such row in the list of aims (bench/aims.c)");
	if (f->rounds < 1 || f->rounds > FIGURE_ROUNDS_MAX)
		fail(f->name, "the number of rounds is not in 1 to 64");
	ratios = work_out_ratios(f, room) ? room : NULL;
	append(f, ratios);
	print(f, ratios);
	return figure_median(ratios ? ratios : f->values, f->rounds);
}
