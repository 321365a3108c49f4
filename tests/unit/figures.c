// SPDX-License-Identifier: GPL-2.0-only
/* A bench's figure: medians of the rounds, ratios of pairs, and what is met of the list of aims. */
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sys/wait.h>

#include <json-c/json.h>

#include "base/util.h"
#include "bench/aims.h"
#include "bench/figure.h"
#include "test.h"

static char path[] = "/tmp/zw-figures-XXXXXX";

/* What is printed for people is no TAP. */
static void figure_add_silently(const struct figure *f)
{
	int out = dup(1), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (out < 0 || null < 0)
		exit(1);
	dup2(null, 1);
	figure_add(f);
	dup2(out, 1);
	close(out);
	close(null);
}

/* The figure as it is appended to an empty file. */
static struct json_object *added(const struct figure *f)
{
	struct json_object *o;

	if (truncate(path, 0))
		exit(1);
	figure_add_silently(f);
	o = json_object_from_file(path);
	if (!o)
		exit(1);
	return o;
}

static bool is(struct json_object *o, const char *key, double value)
{
	struct json_object *found = json_object_object_get(o, key);

	return found && fabs(json_object_get_double(found) - value) < 1e-9;
}

static void ratios_are_of_pairs(void)
{
	const double values[] = { 10, 30, 20 }, floors[] = { 10, 10, 5 }, peers[] = { 20, 30, 10 };
	struct figure f = { .row = "P1", .name = "a", .unit = "ns", .rounds = 3, .values = values, .floors = floors };
	struct json_object *o = added(&f);

	ok(is(o, "value", 20) && is(o, "floor", 10) && !json_object_object_get(o, "peer"), "medians, and no peer");
	ok(is(o, "ratio", 3), "1, 3, 4 times the floor: 3, and not 2, as of the medians or of sorted rounds");
	ok(json_object_get_double(json_object_array_get_idx(json_object_object_get(o, "ratios"), 2)) == 4,
	   "rounds keep their order");
	json_object_put(o);

	f.peers = peers;
	f.peer_over_value = true;
	o = added(&f);
	ok(is(o, "ratio", 1) && is(o, "peer", 20), "the peer's over the value: the median of 2, 1, 0.5");
	json_object_put(o);
}

static void medians(void)
{
	const double values[] = { 4, 1, 2, 9 };

	ok(figure_median(values, 4) == 3, "an even number of rounds has its middle");
	ok(figure_median(values, 1) == 4, "one round is the median");
}

static void aims_are_judged(void)
{
	const struct aim *most = aim_find("P1"), *least = aim_find("P6 tries");

	ok(!aim_find("P"), "a row is found by its whole name");
	ok(aim_judge(most, most->must + 0.01) == AIM_MISSED, "at most: above what must be, missed");
	ok(aim_judge(most, most->must) == AIM_MET, "at most: what must be, met");
	ok(aim_judge(most, most->aim) == AIM_REACHED, "at most: the aim, reached");
	ok(aim_judge(least, least->must - 0.01) == AIM_MISSED, "at least: below what must be, missed");
	ok(aim_judge(least, least->must) == AIM_MET, "at least: what must be, met");
	ok(aim_judge(least, least->aim) == AIM_REACHED, "at least: the aim, reached");
	ok(aim_judge(most, NAN) == AIM_MISSED && aim_judge(least, NAN) == AIM_MISSED, "what is no number is missed");
}

/* bench/figures stands beside this program's folder; what it prints is no TAP. Returns its exit status. */
static int table(const char *list)
{
	char tool[PATH_MAX], command[2 * PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", tool, sizeof(tool) - 1);

	if (len < 0)
		exit(1);
	tool[len] = '\0';
	strcpy(strstr(tool, "/tests/"), "/bench/figures");
	snprintf(command, sizeof(command), "%s table %s %s >%s.text", tool, path, list, list);
	return WEXITSTATUS(system(command));
}

static bool says(const char *list, const char *pattern)
{
	char command[256];

	snprintf(command, sizeof(command), "grep -q '%s' %s.text", pattern, list);
	return !system(command);
}

static void the_worst_counts(void)
{
	const double good = 1, bad = 9;
	struct json_object *all, *first, *second;
	char list[64], text[80];

	snprintf(list, sizeof(list), "%s.list", path);
	snprintf(text, sizeof(text), "%s.text", list);
	json_object_put(added(&(struct figure){ .row = "P2", .name = "a", .unit = "ns", .rounds = 1, .values = &good }));
	figure_add_silently(&(struct figure){ .row = "P2", .name = "b", .unit = "ns", .rounds = 1, .values = &bad });
	ok(table(list) == 1, "rows that were not measured: exit status 1");
	ok(says(list, "^P2 .* 9  NOT MET  b$"), "of two figures of a row, the worse one is shown");
	ok(says(list, "^P3 .* not measured$"), "a row without figures is not measured");
	all = json_object_from_file(list);
	first = json_object_array_get_idx(all, 0);
	second = json_object_array_get_idx(all, 1);
	ok(json_object_array_length(all) == 2 && is(first, "target", 2.4) && is(second, "target", 2.4),
	   "the list has all figures, with their row's target");
	ok(json_object_get_boolean(json_object_object_get(first, "met")) &&
		   !json_object_get_boolean(json_object_object_get(second, "met")),
	   "and says of each whether it is met");
	json_object_put(all);
	unlink(list);
	unlink(text);
}

int main(void)
{
	int fd = mkstemp(path);

	if (fd < 0 || setenv("ZW_BENCH_JSON", path, 1))
		return 1;
	ratios_are_of_pairs();
	medians();
	aims_are_judged();
	the_worst_counts();
	close(fd);
	unlink(path);
	return done();
}
