// SPDX-License-Identifier: GPL-2.0-only
/*
 * Row P14 of the list of aims, and P13 of it: `zonewall apply` of files that are there, as a user runs it, again
 * and again: wall clock, and the most memory that the process had. 1,000 rules over 1,000 prefixes (dense), and
 * policies of full size in three shapes, IPv4 and IPv6.
 *
 *   apply_cost INSTANCE INTERFACE [ROUNDS]
 *
 * With ZW_BENCH_QUICK, one round, and only the first shape: dense.
 */
#include <limits.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/util.h"
#include "bench/figure.h"
#include "bench/scale.h"
#include "zonewall.h"

#define SHORT_APPLIES 5 /* of 1,000 rules, a round: a tenth of a second each */

static const char *instance, *interface;
static char tools[PATH_MAX]; /* the folder of this program */
static const char *folder; /* of the policy at hand; bench.sh removes it */
static int rounds;

struct cost {
	double ms, mib;
};

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "error: apply_cost: %s: %s\n", what, why);
	exit(1);
}

static void find_tools(void)
{
	ssize_t len = readlink("/proc/self/exe", tools, sizeof(tools) - 1);

	if (len < 0)
		fail("/proc/self/exe", strerror(errno));
	*strrchr(tools, '/') = '\0';
}

/* Of what a program said: warnings of such policies are many. */
static void show_errors(void)
{
	char path[PATH_MAX], line[1024];
	_cleanup_fclose_ FILE *said = NULL;

	snprintf(path, sizeof(path), "%s/said", folder);
	said = fopen(path, "re");
	while (said && fgets(line, sizeof(line), said))
		if (strstr(line, "error: "))
			fputs(line, stderr);
}

static void exec_silently(char *const argv[])
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/said", folder);
	if (freopen("/dev/null", "w", stdout) && freopen(path, "w", stderr))
		execv(argv[0], argv);
	_exit(127);
}

/* Runs a program to its end. */
static struct cost run(char *const argv[])
{
	struct timespec began, ended;
	struct rusage usage;
	int status;
	pid_t child;

	clock_gettime(CLOCK_MONOTONIC, &began);
	child = fork();
	if (child < 0)
		fail("fork", strerror(errno));
	if (!child)
		exec_silently(argv);
	if (wait4(child, &status, 0, &usage) < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
		show_errors();
		fail(argv[0], "it failed");
	}
	clock_gettime(CLOCK_MONOTONIC, &ended);
	return (struct cost){ .ms = (ended.tv_sec - began.tv_sec) * 1e3 + (ended.tv_nsec - began.tv_nsec) / 1e6,
			      .mib = usage.ru_maxrss / 1024.0 };
}

struct policy_size {
	const char *rules, *prefixes, *zones;
};

static void write_policy(const struct policy_size *size, const char *shape, bool v6)
{
	char program[PATH_MAX + 16];
	char *argv[] = { program,
			 "-r",
			 (char *)size->rules,
			 "-p",
			 (char *)size->prefixes,
			 "-z",
			 (char *)size->zones,
			 "-i",
			 (char *)interface,
			 (char *)shape,
			 (char *)folder,
			 v6 ? "-6" : NULL,
			 NULL };

	snprintf(program, sizeof(program), "%s/scale_files", tools);
	run(argv);
}

static struct cost apply(void)
{
	char program[PATH_MAX + 16], policy[PATH_MAX];
	char *argv[] = { program, "apply", "--instance", (char *)instance, policy, NULL };

	snprintf(program, sizeof(program), "%s/../zonewall", tools);
	snprintf(policy, sizeof(policy), "%s/policy.yaml", folder);
	return run(argv);
}

static void measure(int applies, double *ret_ms, double *ret_mib)
{
	for (int i = 0; i < applies; i++) {
		struct cost cost = apply();

		ret_ms[i] = cost.ms;
		ret_mib[i] = cost.mib;
	}
}

static void tell(const char *row, const char *name, const char *unit, int applies, const double *values, const double *peers)
{
	figure_add(&(struct figure){
		.row = row, .name = name, .unit = unit, .rounds = applies, .values = values, .peers = peers });
}

static void measure_rules(void)
{
	const struct policy_size size = { "1000", "1000", "64" };
	double ms[FIGURE_ROUNDS_MAX], mib[FIGURE_ROUNDS_MAX];
	const int applies = rounds * SHORT_APPLIES;

	write_policy(&size, "dense", false);
	for (int i = 0; i <= ZW_GATE_SLOTS; i++)
		apply(); /* not counted: the first one attaches, and each slot of the gate is filled for the first time */
	measure(applies, ms, mib);
	tell("P14 rules", "apply, 1,000 rules", "ms", applies, ms, NULL);
}

static void measure_full(const char *shape)
{
	const struct policy_size size = { "100000", "1000000", "1024" };
	double ms[2][FIGURE_ROUNDS_MAX], mib[2][FIGURE_ROUNDS_MAX];
	char name[64];

	for (int v6 = 0; v6 < 2; v6++) {
		write_policy(&size, shape, v6);
		measure(rounds, ms[v6], mib[v6]);
		snprintf(name, sizeof(name), "apply, full, IPv%d %s", v6 ? 6 : 4, shape);
		/* IPv6 is compared with IPv4. */
		tell(v6 ? NULL : "P14 full", name, "ms", rounds, ms[v6], NULL);
		tell(v6 ? NULL : "P14 memory", name, "MiB", rounds, mib[v6], NULL);
	}
	snprintf(name, sizeof(name), "IPv6 over IPv4: P14, %s", shape);
	tell("P13 uncached", name, "ms", rounds, ms[1], ms[0]);
	snprintf(name, sizeof(name), "IPv6 over IPv4: P14 memory, %s", shape);
	tell("P13 uncached", name, "MiB", rounds, mib[1], mib[0]);
}

int main(int argc, char **argv)
{
	bool quick;

	if (argc < 3) {
		fprintf(stderr, "usage: apply_cost INSTANCE INTERFACE [ROUNDS]\n");
		return 2;
	}
	instance = argv[1];
	interface = argv[2];
	quick = getenv("ZW_BENCH_QUICK");
	rounds = argc > 3 ? atoi(argv[3]) : quick ? 1 : 3;
	if (rounds < 1 || rounds > FIGURE_ROUNDS_MAX / SHORT_APPLIES)
		fail("rounds", "1 to 12 rounds");
	find_tools();
	folder = getenv("ZW_BENCH_FOLDER");
	if (!folder)
		fail("ZW_BENCH_FOLDER", "it is not set: bench.sh runs this");
	measure_rules();
	for (int shape = 0; shape < (quick ? 1 : PLAN_SHAPES); shape++)
		measure_full(plan_shape_names[shape]);
	return 0;
}
