// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/netdev.h"

#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/util.h"
#include "kernel/netlink.h"

struct list {
	struct netdev *v;
	size_t count;
	int error;
};

static void read_xdp(const struct nlattr *nest, struct netdev *device)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_payload_len(attr) < sizeof(uint32_t))
			continue;
		switch (mnl_attr_get_type(attr)) {
		case IFLA_XDP_DRV_PROG_ID:
			device->xdp_native = mnl_attr_get_u32(attr);
			break;
		case IFLA_XDP_SKB_PROG_ID:
			device->xdp_generic = mnl_attr_get_u32(attr);
			break;
		case IFLA_XDP_HW_PROG_ID:
			device->xdp_offloaded = mnl_attr_get_u32(attr);
			break;
		}
	}
}

static void copy_text(char *to, size_t size, const struct nlattr *attr)
{
	snprintf(to, size, "%.*s", (int)mnl_attr_get_payload_len(attr), (const char *)mnl_attr_get_payload(attr));
}

static void read_kind(const struct nlattr *nest, struct netdev *device)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			copy_text(device->kind, sizeof(device->kind), attr);
}

static int take_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct list *list = data;
	struct netdev device = { .ifindex = info->ifi_index, .is_loopback = info->ifi_flags & IFF_LOOPBACK };
	const struct nlattr *attr;

	device.is_ethernet = info->ifi_type == ARPHRD_ETHER;
	mnl_attr_for_each(attr, message, sizeof(*info)) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			copy_text(device.name, sizeof(device.name), attr);
			break;
		case IFLA_MTU:
			device.mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(attr) == sizeof(device.mac))
				memcpy(device.mac, mnl_attr_get_payload(attr), sizeof(device.mac));
			break;
		case IFLA_LINKINFO:
			read_kind(attr, &device);
			break;
		case IFLA_XDP:
			read_xdp(attr, &device);
			break;
		}
	}
	list->error = array_grow(&list->v, list->count, sizeof(device));
	if (list->error)
		return MNL_CB_STOP;
	list->v[list->count++] = device;
	return MNL_CB_OK;
}

static void ask_drivers(struct netdev *devices, size_t count)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (size_t i = 0; fd >= 0 && i < count; i++) {
		struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
		struct ifreq request = { .ifr_data = (void *)&info };

		memcpy(request.ifr_name, devices[i].name, sizeof(devices[i].name));
		if (!ioctl(fd, SIOCETHTOOL, &request))
			snprintf(devices[i].driver, sizeof(devices[i].driver), "%.31s", info.driver);
	}
}

static int by_index(const void *a, const void *b)
{
	const struct netdev *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

int netdevs_read(struct netdev **ret_devices, size_t *ret_count)
{
	char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;
	struct list list = { 0 };
	int error;

	request->nlmsg_type = RTM_GETLINK;
	info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	error = netlink_dump(NETLINK_ROUTE, request, take_link, &list);
	if (!error)
		error = list.error;
	if (error) {
		free(list.v);
		return error;
	}
	if (list.count)
		qsort(list.v, list.count, sizeof(*list.v), by_index);
	ask_drivers(list.v, list.count);
	*ret_devices = list.v;
	*ret_count = list.count;
	return 0;
}

const struct netdev *netdevs_find(const struct netdev *devices, size_t count, unsigned ifindex)
{
	struct netdev key = { .ifindex = ifindex };

	return count ? bsearch(&key, devices, count, sizeof(key), by_index) : NULL;
}

static int count_filter(const struct nlmsghdr *message, void *data)
{
	if (message->nlmsg_type == RTM_NEWTFILTER)
		++*(int *)data;
	return MNL_CB_OK;
}

int netdev_count_filters(unsigned ifindex)
{
	static const unsigned parents[] = { TC_H_MIN_INGRESS, TC_H_MIN_EGRESS };
	int count = 0, error = 0;

	for (size_t i = 0; i < ARRAY_LEN(parents) && !error; i++) {
		char buffer[256];
		struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
		struct tcmsg *tc;

		request->nlmsg_type = RTM_GETTFILTER;
		tc = mnl_nlmsg_put_extra_header(request, sizeof(*tc));
		tc->tcm_family = AF_UNSPEC;
		tc->tcm_ifindex = ifindex;
		tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, parents[i]);
		error = netlink_dump(NETLINK_ROUTE, request, count_filter, &count);
	}
	return error ? error : count;
}
