// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two CPUs at once, under full tables (dense, IPv4): the work that two pinned threads of BPF test runs do, over
 * that of one, where the floor's two do twice as much as its one: 2 * (ns of one / ns of each of two) / (the same
 * of the floor). In nanoseconds of each thread's own CPU time, so that what else runs here is not counted.
 *
 *   two_cpus INSTANCE INTERFACE [ROUNDS [PACKETS]]
 */
#include <pthread.h>
#include <sched.h>

#include "base/util.h"
#include "bench/rounds.h"

#define CPUS 2

static struct rounds rounds;
static struct published published;
static pthread_barrier_t barrier;

struct job {
	struct drive *drive; /* its own: the generators share nothing */
	struct packets packets;
	int program, cpu, threads;
	double ns;
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		fprintf(stderr, "error: two_cpus: cannot run on CPU %d: %s\n", cpu, strerror(errno));
		exit(1);
	}
}

/*
 * Both must run for as long as the timed part lasts: it is followed by as much that is not timed, so that the one
 * that is done first does not leave the other alone.
 */
static void *work(void *context)
{
	struct job *job = context;

	pin(job->cpu);
	drive_run(job->drive, job->program, &job->packets, rounds.packets / 4);
	if (job->threads > 1)
		pthread_barrier_wait(&barrier);
	job->ns = drive_run(job->drive, job->program, &job->packets, rounds.packets);
	drive_run(job->drive, job->program, &job->packets, rounds.packets / 4);
	return NULL;
}

/* The mean of nanoseconds a packet, of so many threads at once. */
static double run(struct job *jobs, int threads)
{
	pthread_t thread[CPUS];
	double sum = 0;

	for (int i = 0; i < threads; i++) {
		jobs[i].threads = threads;
		if (pthread_create(&thread[i], NULL, work, &jobs[i]))
			exit(1);
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		sum += jobs[i].ns;
	}
	return sum / threads;
}

static double speed_up(struct job *jobs, int program)
{
	double one;

	for (int i = 0; i < CPUS; i++)
		jobs[i].program = program;
	one = run(jobs, 1);
	return CPUS * one / run(jobs, CPUS);
}

/*
 * A flow's packets come to one CPU, as a card's queues do it: each has half of the flows. Or, beside the list, both have
 * packets of all.
 */
static void measure(struct job *jobs, const char *what, enum packet_kind kind, uint32_t flows, bool same_flows)
{
	double values[FIGURE_ROUNDS_MAX], floors[FIGURE_ROUNDS_MAX], relative[FIGURE_ROUNDS_MAX];
	char name[64];

	snprintf(name, sizeof(name), "%s%s", what, same_flows ? ", the same flows" : "");
	for (int i = 0; i < CPUS; i++)
		jobs[i].packets = published_packets(&published, kind, same_flows ? flows : flows / CPUS);
	if (same_flows)
		jobs[1].packets.traffic.seed ^= 0x9e3779b97f4a7c15ull; /* other packets of them */
	else
		jobs[1].packets.traffic.base = flows / CPUS;
	for (int i = 0; i < rounds.rounds; i++) {
		floors[i] = speed_up(jobs, drive_floor(jobs[0].drive));
		values[i] = speed_up(jobs, published.gate);
		relative[i] = CPUS * values[i] / floors[i];
	}
	printf("%s: two CPUs do %.2f times the work of one, the floor's %.2f\n", name,
	       figure_median(values, rounds.rounds), figure_median(floors, rounds.rounds));
	figure_add(&(struct figure){
		.row = same_flows ? NULL : "two CPUs", .name = name, .unit = "times", .rounds = rounds.rounds, .values = relative });
}

int main(int argc, char **argv)
{
	const struct scale scale = { .shape = PLAN_DENSE, .family = 4, SCALE_FULL };
	struct job jobs[CPUS] = { { .cpu = 0 }, { .cpu = 1 } };

	if (argc < 3) {
		fprintf(stderr, "usage: two_cpus INSTANCE INTERFACE [ROUNDS [PACKETS]]\n");
		return 2;
	}
	rounds_init(&rounds, argc - 3, argv + 3);
	published_new(&published, &scale, argv[1], 0, 4 * UNCACHED);
	published_open_flows(&published, rounds.drive, UNCACHED, UNCACHED);
	for (int i = 0; i < CPUS; i++)
		jobs[i].drive = i ? drive_new() : rounds.drive;
	if (pthread_barrier_init(&barrier, NULL, CPUS))
		return 1;
	for (int same_flows = 0; same_flows < (rounds.quick ? 1 : 2); same_flows++) {
		measure(jobs, "denied, cached", DENIED, CACHED, same_flows);
		measure(jobs, "denied, uncached", DENIED, UNCACHED, same_flows);
		measure(jobs, "established, cached", ESTABLISHED, CACHED, same_flows);
		measure(jobs, "established, uncached", ESTABLISHED, UNCACHED, same_flows);
	}
	published_down(&published);
	return 0;
}
