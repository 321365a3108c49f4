// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the compiler does at the size of design section 13: 100,000 rules of which a tenth name hosts and CIDRs,
 * 1,000,000 prefixes, 1,024 zones, in three shapes (plan.h).
 *
 * Each shape is made and compiled in a process of its own, so that peak memory is its own. Prints a line a shape:
 * seconds to compile (and with warnings), MiB of the policy and at the peak, and what the tables hold.
 *
 *   compile_scale [-r RULES] [-p PREFIXES] [-z ZONES] [-c CIDR_BITS] [-s] [SHAPE...]
 *
 * -c: rules' CIDRs leave so many bits open (default 4). -s: prefixes of `routing` are in any zone, however they nest.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/scale.h"
#include "compile/tables.h"

static struct scale scale = { .rules = 100000, .prefixes = 1000000, .zones = 1024, .cidr_bits = 4 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static size_t peak_mib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss >> 10;
}

static double compile(const struct policy *p, bool analyse, struct tables **ret_tables)
{
	struct compile_options options = { .analyse = analyse };
	struct diag *diag = diag_new();
	double began = now();

	if (!diag || compile_policy(p, &options, diag, ret_tables)) {
		if (diag)
			diag_print(diag, stderr, false);
		exit(1);
	}
	diag_free(diag);
	return now() - began;
}

static void print_stats(const struct tables *t)
{
	printf("%9zu %7zu %7zu %5zu %7zu %9zu %6zu %6zu %6.1f  %u\n", t->stats.atoms, t->stats.source_classes,
	       t->stats.destination_classes, t->stats.port_classes, t->stats.rows, t->stats.pairs,
	       t->stats.lines[TABLES_ADDRESSES4] * 64 >> 20, t->stats.lines[TABLES_ADDRESSES6] * 64 >> 20, t->len / 1048576.0,
	       t->stats.reads4 > t->stats.reads6 ? t->stats.reads4 : t->stats.reads6);
}

static void measure(void)
{
	struct policy *p = scale_policy(&scale);
	size_t before = peak_mib(), peak;
	struct tables *t;
	double plain = compile(p, false, &t), warned;

	peak = peak_mib();
	tables_free(t);
	warned = compile(p, true, &t);
	printf("%-8s v%d %6.2f %6.2f %6zu %6zu", plan_shape_names[scale.shape], scale.family, plain, warned, before, peak);
	print_stats(t);
}

static bool is_wanted(enum plan_shape shape, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, plan_shape_names[shape]))
			return true;
	return false;
}

/* In a process of its own, so that peak memory is its own. Returns whether it worked. */
static bool measure_apart(enum plan_shape shape, int family)
{
	int status = 0;
	pid_t child;

	scale.shape = shape;
	scale.family = family;
	fflush(stdout);
	child = fork();
	if (!child) {
		measure();
		fflush(stdout);
		_exit(0);
	}
	return child > 0 && waitpid(child, &status, 0) > 0 && !status;
}

static int run(char **names)
{
	int failed = 0;

	printf("%-11s %6s %6s %6s %6s%9s %7s %7s %5s %7s %9s %6s %6s %6s %s\n", "shape", "s", "+warn",
	       "policy", "peak", "atoms", "from", "to", "ports", "rows", "pairs", "MiB v4", "MiB v6", "MiB",
	       "reads");
	for (int family = 4; family <= 6; family += 2)
		for (int shape = 0; shape < PLAN_SHAPES; shape++)
			if (is_wanted(shape, names) && !measure_apart(shape, family))
				failed = 1;
	return failed;
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, SCALE_OPTIONS "c:s")) != -1) {
		if (option == 'c')
			scale.cidr_bits = strtoul(optarg, NULL, 10);
		else if (option == 's')
			scale.scattered = true;
		else if (!scale_set_size(&scale, option, optarg))
			return 2;
	}
	return run(argv + optind);
}
