// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/flows.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sysinfo.h>

#include "kernel/pins.h"

static unsigned slots(int family)
{
	return family == 4 ? ZW_FLOW_SLOTS4 : ZW_FLOW_SLOTS6;
}

uint32_t flows_buckets(int family, uint64_t flows)
{
	uint32_t buckets = 1;

	/* The verifier takes values of up to ZW_TABLES_MAX; the share of the CPUs is small beside that. */
	while ((uint64_t)buckets * slots(family) < flows &&
	       zw_flows_size(family, 1024, buckets * 2 + ZW_FRAGMENT_BUCKETS) <= ZW_TABLES_MAX)
		buckets *= 2;
	return buckets;
}

uint64_t flows_room(int family, uint32_t buckets)
{
	return (uint64_t)buckets * slots(family);
}

uint64_t flows_size(int family, unsigned cpus, uint32_t buckets)
{
	return zw_flows_size(family, cpus, buckets + ZW_FRAGMENT_BUCKETS);
}

uint32_t flows_buckets_of(int family, unsigned cpus, uint64_t value_size)
{
	for (uint32_t buckets = 1; buckets; buckets *= 2)
		if (flows_size(family, cpus, buckets) >= value_size)
			return flows_size(family, cpus, buckets) == value_size ? buckets : 0;
	return 0;
}

uint64_t flows_auto(void)
{
	uint64_t flows = 262144;
	struct sysinfo info;

	if (sysinfo(&info))
		return flows;
	while (flows > 4096 && flows * 256 > (uint64_t)info.totalram * info.mem_unit / 60)
		flows /= 2;
	return flows;
}

static void *map_value(int map_fd, uint64_t size)
{
	return mmap(NULL, pins_mapped_len(size), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
}

int flows_seed(int map_fd, uint64_t value_size)
{
	static const uint64_t none[ZW_FLOW_SEEDS];
	uint64_t *seeds = map_value(map_fd, value_size);
	int error = 0;

	if (seeds == MAP_FAILED)
		return -errno;
	if (!memcmp(seeds, none, sizeof(none)) && getrandom(seeds, sizeof(none), 0) != sizeof(none))
		error = -EIO;
	munmap(seeds, pins_mapped_len(value_size));
	return error;
}

int flows_clear(int map_fd, uint64_t size, unsigned cpus)
{
	uint64_t from = zw_flows_buckets(cpus);
	char *memory = map_value(map_fd, size);

	if (memory == MAP_FAILED)
		return -errno;
	memset(memory + from, 0, size - from);
	munmap(memory, pins_mapped_len(size));
	return 0;
}

int flows_stats(int map_fd, unsigned cpus, struct zw_flow_stats *ret_stats)
{
	/* Only the table's head: to map all of it takes a while. */
	size_t len = pins_mapped_len(zw_flows_buckets(cpus));
	const char *memory = mmap(NULL, len, PROT_READ, MAP_SHARED, map_fd, 0);
	const volatile struct zw_flow_stats *stats;

	if (memory == MAP_FAILED)
		return -errno;
	*ret_stats = (struct zw_flow_stats){ 0 };
	stats = (const volatile void *)(memory + ZW_FLOW_SEEDS * sizeof(uint64_t));
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		ret_stats->replaced += stats[cpu].replaced;
		ret_stats->refused += stats[cpu].refused;
		ret_stats->unprotected += stats[cpu].unprotected;
	}
	munmap((void *)memory, len);
	return 0;
}
