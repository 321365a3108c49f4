/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interfaces of this network namespace, as rtnetlink tells them, and what ethtool calls their driver.
 */
#ifndef ZW_NETDEV_H
#define ZW_NETDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netdev {
	unsigned ifindex;
	char name[16];
	char kind[24]; /* "veth", "bridge", ...; "" for hardware and what behaves like it */
	char driver[32]; /* "" if unknown */
	bool is_loopback, is_ethernet;
	uint8_t mac[6];
	unsigned mtu;
	uint32_t xdp_native, xdp_generic, xdp_offloaded; /* ids of the programs there, 0 none */
};

/* In order of ifindex. The caller frees with free(). 0 or -errno, silent. */
int netdevs_read(struct netdev **ret_devices, size_t *ret_count);
const struct netdev *netdevs_find(const struct netdev *devices, size_t count, unsigned ifindex);

/* Filters on the clsact qdisc of an interface, ours or not, both directions; -errno if that cannot be read. */
int netdev_count_filters(unsigned ifindex);

#endif
