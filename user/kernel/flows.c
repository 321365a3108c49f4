// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/flows.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sysinfo.h>

#include "kernel/pins.h"

struct zw_flow_layout flows_layout(int family, unsigned cpus, uint64_t flows, uint32_t fragment_buckets)
{
	struct zw_flow_layout layout = zw_flow_layout(family, cpus, 1, fragment_buckets);

	while (flows_room(&layout) < flows) {
		struct zw_flow_layout larger = zw_flow_layout(family, cpus, layout.buckets * 2, fragment_buckets);

		if (larger.size > ZW_TABLES_MAX) /* no value may be larger */
			break;
		layout = larger;
	}
	return layout;
}

uint64_t flows_room(const struct zw_flow_layout *layout)
{
	return (uint64_t)layout->buckets * ZW_FLOW_SLOTS;
}

struct zw_flow_layout flows_layout_of(int family, unsigned cpus, uint64_t value_size)
{
	for (uint32_t buckets = 1; buckets; buckets *= 2) {
		struct zw_flow_layout layout = zw_flow_layout(family, cpus, buckets, ZW_FRAGMENT_BUCKETS);

		if (layout.size == value_size)
			return layout;
		if (layout.size > value_size)
			break;
	}
	return (struct zw_flow_layout){ 0 };
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

int flows_seed(int map_fd)
{
	static const uint64_t none[ZW_FLOW_SEEDS];
	uint64_t *seeds = map_value(map_fd, sizeof(none)); /* to map all of it takes a while */
	int error = 0;

	if (seeds == MAP_FAILED)
		return -errno;
	if (!memcmp(seeds, none, sizeof(none)) && getrandom(seeds, sizeof(none), 0) != sizeof(none))
		error = -EIO;
	munmap(seeds, pins_mapped_len(sizeof(none)));
	return error;
}

int flows_clear(int map_fd, const struct zw_flow_layout *layout)
{
	char *memory = map_value(map_fd, layout->size);

	if (memory == MAP_FAILED)
		return -errno;
	memset(memory + layout->tags, 0, layout->size - layout->tags);
	munmap(memory, pins_mapped_len(layout->size));
	return 0;
}

int flows_stats(int map_fd, unsigned cpus, struct zw_flow_stats *ret_stats)
{
	/* Only the table's head: to map all of it takes a while. */
	size_t len = pins_mapped_len(zw_flow_layout(4, cpus, 1, 1).tags);
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
