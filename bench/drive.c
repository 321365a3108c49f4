// SPDX-License-Identifier: GPL-2.0-only
#include "bench/drive.h"

#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "bench/frames.h"
#include "bench/traffic.skel.h" /* knows no types but these */

struct drive {
	struct traffic_bpf *skel;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "error: bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

struct drive *drive_new(void)
{
	struct drive *drive = calloc(1, sizeof(*drive));

	if (!drive)
		fail("generator");
	drive->skel = traffic_bpf__open_and_load();
	if (!drive->skel)
		fail("cannot load the generator");
	return drive;
}

void drive_free(struct drive *drive)
{
	traffic_bpf__destroy(drive->skel);
	free(drive);
}

int drive_floor(const struct drive *drive)
{
	return bpf_program__fd(drive->skel->progs.floor_drop);
}

int drive_parser(const struct drive *drive)
{
	return bpf_program__fd(drive->skel->progs.parse_only);
}

uint32_t *drive_listed(struct drive *drive)
{
	return drive->skel->bss->listed;
}

uint64_t drive_thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

double drive_run(struct drive *drive, int program, const struct packets *packets, int count)
{
	const bool v6 = packets->family == 6;
	struct xdp_md context = { .data_end = v6 ? sizeof(frame6) : sizeof(frame4),
				  .ingress_ifindex = packets->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = v6 ? (void *)&frame6 : (void *)&frame4,
		    .data_size_in = context.data_end, .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .repeat = count);
	struct bpf_program *generator = v6 ? drive->skel->progs.traffic6 : drive->skel->progs.traffic4;
	uint64_t began;
	int zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(drive->skel->maps.next), &zero, &program, BPF_ANY))
		fail("tail call");
	drive->skel->bss->traffic = packets->traffic;
	began = drive_thread_ns();
	if (bpf_prog_test_run_opts(bpf_program__fd(generator), &options))
		fail("test run");
	began = drive_thread_ns() - began;
	if (options.retval == XDP_ABORTED)
		fail("the packet was not understood");
	return (double)began / count;
}
