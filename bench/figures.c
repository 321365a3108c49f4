// SPDX-License-Identifier: GPL-2.0-only
/*
 * For scripts: adds a figure, as figure.h has it; and for `make bench`: the list and the table of all figures.
 *
 *   figures add [-r ROW] -n NAME -u UNIT -v RUNS [-f FLOORS] [-p PEERS] [-i]
 *   figures table LINES LIST
 *
 * RUNS, FLOORS and PEERS are numbers with spaces between, one a round. -i: the ratio is the peer's over the value.
 * `table` reads the lines that were appended, writes the list as JSON (each figure with "target", "aim", "bound" and
 * "met" of its row, all null without one), and prints the list of aims with the figure that is worst for each. Its exit
 * status is 1 if a row was not measured; whether it is met makes no difference.
 */
#include <getopt.h>
#include <math.h>

#include <json-c/json.h>

#include "base/util.h"
#include "bench/aims.h"
#include "bench/figure.h"

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "error: figures: %s: %s\n", what, why);
	exit(1);
}

/* --- One figure -------------------------------------------------------------------------------------------------- */

/* Returns how many numbers there are. */
static int read_numbers(const char *text, double numbers[FIGURE_ROUNDS_MAX])
{
	int count = 0;
	char *end;

	for (const char *at = text; *(at += strspn(at, " \t\n")); at = end) {
		if (count == FIGURE_ROUNDS_MAX)
			fail(text, "more than 64 numbers");
		numbers[count++] = strtod(at, &end);
		if (end == at)
			fail(text, "numbers with spaces between are expected");
	}
	return count;
}

static const double *read_rounds(const char *text, int rounds, double numbers[FIGURE_ROUNDS_MAX])
{
	if (!text)
		return NULL;
	if (read_numbers(text, numbers) != rounds)
		fail(text, "not as many numbers as there are runs");
	return numbers;
}

static int usage(void)
{
	fprintf(stderr, "usage: figures add [-r ROW] -n NAME -u UNIT -v RUNS [-f FLOORS] [-p PEERS] [-i]\n"
			"       figures table LINES LIST\n");
	return 2;
}

static int add(int argc, char **argv)
{
	double values[FIGURE_ROUNDS_MAX], floors[FIGURE_ROUNDS_MAX], peers[FIGURE_ROUNDS_MAX];
	const char *runs = NULL, *floor_text = NULL, *peer_text = NULL;
	struct figure f = { .values = values };
	int option;

	while ((option = getopt(argc, argv, "r:n:u:v:f:p:i")) != -1) {
		switch (option) {
		case 'r':
			f.row = optarg;
			break;
		case 'n':
			f.name = optarg;
			break;
		case 'u':
			f.unit = optarg;
			break;
		case 'v':
			runs = optarg;
			break;
		case 'f':
			floor_text = optarg;
			break;
		case 'p':
			peer_text = optarg;
			break;
		case 'i':
			f.peer_over_value = true;
			break;
		default:
			return usage();
		}
	}
	if (optind != argc || !f.name || !f.unit || !runs)
		return usage();
	f.rounds = read_numbers(runs, values);
	f.floors = read_rounds(floor_text, f.rounds, floors);
	f.peers = read_rounds(peer_text, f.rounds, peers);
	figure_add(&f);
	return 0;
}

/* --- All figures ------------------------------------------------------------------------------------------------- */

static struct json_object *read_lines(const char *path)
{
	struct json_object *list = json_object_new_array(), *o;
	_cleanup_fclose_ FILE *file = fopen(path, "r");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	if (!file)
		fail(path, strerror(errno));
	while (getline(&line, &room, file) > 0) {
		o = json_tokener_parse(line);
		if (!json_object_is_type(o, json_type_object))
			fail(path, "a line is no JSON object");
		json_object_array_add(list, o);
	}
	return list;
}

static const char *text_of(struct json_object *figure, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(figure, key, &value) && value ? json_object_get_string(value) : NULL;
}

/* NAN without one. */
static double number_of(struct json_object *figure, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(figure, key, &value) && value ? json_object_get_double(value) : NAN;
}

static double compared(struct json_object *figure)
{
	double ratio = number_of(figure, "ratio");

	return isnan(ratio) ? number_of(figure, "value") : ratio;
}

/* The row's bounds, and whether the figure keeps them. */
static void judge(struct json_object *figure)
{
	const char *row = text_of(figure, "row");
	const struct aim *aim = row ? aim_find(row) : NULL;
	double is = compared(figure);

	json_object_object_add(figure, "bound", aim ? json_object_new_string(aim->at_least ? "at least" : "at most") : NULL);
	json_object_object_add(figure, "target", aim ? figure_number(aim->must) : NULL);
	json_object_object_add(figure, "aim", aim ? figure_number(aim->aim) : NULL);
	json_object_object_add(figure, "met", aim ? json_object_new_boolean(aim_judge(aim, is) != AIM_MISSED) : NULL);
}

/* The figure of this row that is furthest from the aim. NULL: none. */
static struct json_object *worst(struct json_object *list, const struct aim *aim)
{
	struct json_object *found = NULL;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *figure = json_object_array_get_idx(list, i);
		const char *row = text_of(figure, "row");

		if (!row || strcmp(row, aim->row))
			continue;
		/* What is no number cannot be compared, and is no good figure. */
		if (!found || isnan(compared(figure)) ||
		    (aim->at_least ? compared(figure) < compared(found) : compared(figure) > compared(found)))
			found = figure;
	}
	return found;
}

/* Whether it was measured. */
static bool print_row(const struct aim *aim, struct json_object *figure)
{
	static const char *const words[] = { [AIM_MISSED] = "NOT MET", [AIM_MET] = "met", [AIM_REACHED] = "aim met" };
	const char *bound = aim->at_least ? ">=" : "<=";

	printf("%-13s %-61s %s %7.5g %s %7.5g", aim->row, aim->measure, bound, aim->must, bound, aim->aim);
	if (!figure) {
		printf("         -  not measured\n");
		return false;
	}
	printf(" %9.4g  %-8s %s\n", compared(figure), words[aim_judge(aim, compared(figure))],
	       text_of(figure, "name"));
	return true;
}

static int table(const char *lines, const char *path)
{
	struct json_object *list = read_lines(lines);
	int status = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++)
		judge(json_object_array_get_idx(list, i));
	if (json_object_to_file_ext(path, list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE))
		fail(path, strerror(errno));
	printf("\n%-13s %-61s %10s %10s %9s\n", "row", "measure", "must", "aim", "value");
	for (size_t i = 0; i < aim_count; i++)
		if (!print_row(&aims[i], worst(list, &aims[i])))
			status = 1;
	json_object_put(list);
	return status;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "add"))
		return add(argc - 1, argv + 1);
	if (argc == 4 && !strcmp(argv[1], "table"))
		return table(argv[2], argv[3]);
	return usage();
}
