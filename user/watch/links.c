// SPDX-License-Identifier: GPL-2.0-only
#include "watch/links.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

int links_open(void)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_TC | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

/* A qdisc or filter that goes may be what held our program, before kernel 6.6. One that comes is none of ours. */
static void note(unsigned type, bool *ret_links, bool *ret_addresses)
{
	switch (type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
	case RTM_DELQDISC:
	case RTM_DELTFILTER:
		*ret_links = true;
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		*ret_addresses = true;
		break;
	}
}

void links_read(int fd, bool *ret_links, bool *ret_addresses)
{
	union {
		struct nlmsghdr header;
		char data[32768];
	} message;
	ssize_t len;

	*ret_links = *ret_addresses = false;
	while ((len = recv(fd, &message, sizeof(message), 0)) != 0) {
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno != ENOBUFS)
			return;
		if (len < 0) {
			*ret_links = *ret_addresses = true;
			continue;
		}
		for (struct nlmsghdr *at = &message.header; NLMSG_OK(at, (size_t)len); at = NLMSG_NEXT(at, len)) {
			note(at->nlmsg_type, ret_links, ret_addresses);
		}
	}
}
