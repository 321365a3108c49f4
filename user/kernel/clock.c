// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>

#include "kernel/pins.h"
#include "zonewall.h"

static int64_t ahead_ns(void)
{
	struct timespec tai, wall;

	clock_gettime(CLOCK_TAI, &tai);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (int64_t)(tai.tv_sec - wall.tv_sec) * 1000000000 + tai.tv_nsec - wall.tv_nsec;
}

/* Whole seconds. A clock that is set, or a process that sleeps, between the two readings gives another number next time. */
static int64_t ahead_s(void)
{
	int64_t seconds, again = (ahead_ns() + 500000000) / 1000000000;

	do {
		seconds = again;
		again = (ahead_ns() + 500000000) / 1000000000;
	} while (again != seconds);
	return seconds;
}

int clock_set(int map)
{
	const struct zw_clock clock = { .tai_ahead_s = ahead_s() };
	uint32_t zero = 0;

	return bpf_map_update_elem(map, &zero, &clock, 0) ? -errno : 0;
}

void clock_keep(const char *instance)
{
	struct zw_clock *clock;
	int64_t seconds = ahead_s();
	char path[PATH_MAX];

	pins_path(path, instance, "/state/zw_clock");
	if (pins_map(path, sizeof(*clock), true, (void **)&clock))
		return;
	if (clock->tai_ahead_s != seconds)
		__atomic_store_n(&clock->tai_ahead_s, seconds, __ATOMIC_RELAXED);
	munmap(clock, pins_mapped_len(sizeof(*clock)));
}
