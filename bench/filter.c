// SPDX-License-Identifier: GPL-2.0-only
#include "bench/filter.h"

#include <linux/bpf.h>
#include <net/if.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "bench/pairs.h"

#define HOST4 "10.0.0.0"
#define HOST6 "2001:db8::"

struct filter {
	unsigned ifindex;
	int program, addresses, statistics; /* the program, and its maps */
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "error: bench: xdp-filter: %s: %s\n", what, strerror(errno));
	exit(1);
}

/*
 * In a BPF file system of its own, so that it meets no xdp-filter that this machine may have, and without libxdp's
 * dispatcher, which costs a call more and which the kernel would not let us tail-call. The first of the hosts is added
 * by its command; the others get that one's value below, since thousands of its runs would take a minute.
 */
static int run_command(const char *interface)
{
	char command[512];

	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin LIBXDP_SKIP_DISPATCHER=1 unshare -m sh -ec '"
		 "mount -t bpf bpf /sys/fs/bpf; xdp-filter load -f ipv4,ipv6 -p allow -m native %s; "
		 "xdp-filter ip " HOST4 " -m src; xdp-filter ip " HOST6 " -m src' >/dev/null", interface);
	return system(command);
}

/* The program's map of this name. */
static int find_map(int program, const char *name)
{
	uint32_t ids[16], len = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = { .nr_map_ids = ARRAY_LEN(ids), .map_ids = (uintptr_t)ids };

	if (bpf_obj_get_info_by_fd(program, &info, &len))
		fail("program");
	for (uint32_t i = 0; i < info.nr_map_ids && i < ARRAY_LEN(ids); i++) {
		struct bpf_map_info map = { 0 };
		int fd = bpf_map_get_fd_by_id(ids[i]);

		len = sizeof(map);
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &map, &len))
			fail("map");
		if (!strcmp(map.name, name))
			return fd;
		close(fd);
	}
	errno = ENOENT;
	fail(name);
}

/* Every host as the command has added number 0. Values are per CPU. */
static void add_hosts(const struct filter *filter, int family)
{
	const int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *value = calloc(cpus, sizeof(*value));
	uint8_t address[16];

	pairs_host(family, 0, address);
	if (!value || bpf_map_lookup_elem(filter->addresses, address, value))
		fail("the address that was added");
	for (uint32_t i = 1; i < PAIRS_HOSTS; i++) {
		pairs_host(family, i, address);
		if (bpf_map_update_elem(filter->addresses, address, value, BPF_ANY))
			fail("addresses");
	}
}

struct filter *filter_load(int family, const char *interface)
{
	struct filter *filter = calloc(1, sizeof(*filter));
	uint32_t id = 0;

	if (!filter)
		fail("memory");
	filter->ifindex = if_nametoindex(interface);
	if (run_command(interface) || bpf_xdp_query_id(filter->ifindex, 0, &id) || !id) {
		free(filter);
		return NULL;
	}
	filter->program = bpf_prog_get_fd_by_id(id);
	filter->addresses = find_map(filter->program, family == 4 ? "filter_ipv4" : "filter_ipv6");
	filter->statistics = find_map(filter->program, "xdp_stats_map");
	add_hosts(filter, family);
	return filter;
}

void filter_unload(struct filter *filter)
{
	if (!filter)
		return;
	bpf_xdp_detach(filter->ifindex, 0, NULL);
	close(filter->statistics);
	close(filter->addresses);
	close(filter->program);
	free(filter);
}

int filter_program(const struct filter *filter)
{
	return filter->program;
}

uint64_t filter_dropped(const struct filter *filter)
{
	const int cpus = libbpf_num_possible_cpus();
	struct {
		uint64_t packets, bytes;
	} *counts = calloc(cpus, sizeof(*counts));
	uint32_t action = XDP_DROP;
	uint64_t found = 0;

	if (!counts || bpf_map_lookup_elem(filter->statistics, &action, counts))
		fail("statistics");
	for (int i = 0; i < cpus; i++)
		found += counts[i].packets;
	free(counts);
	return found;
}
