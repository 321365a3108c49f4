// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

struct mnl_socket *route_open(void)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!socket || !mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID))
		return socket;
	mnl_socket_close(socket);
	return NULL;
}

static int take_interface(const struct nlmsghdr *message, void *ret_ifindex)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct rtmsg))
		if (mnl_attr_get_type(attr) == RTA_OIF)
			*(unsigned *)ret_ifindex = mnl_attr_get_u32(attr);
	return MNL_CB_STOP;
}

int route_interface(struct mnl_socket *socket, int family, const __u32 *address, unsigned *ret_ifindex)
{
	static unsigned seq;
	char buffer[4096];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	unsigned ifindex = 0, bytes = family == 4 ? 4 : 16;
	struct rtmsg *route;
	ssize_t len;

	request->nlmsg_type = RTM_GETROUTE;
	request->nlmsg_flags = NLM_F_REQUEST;
	request->nlmsg_seq = ++seq;
	route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	route->rtm_family = family == 4 ? AF_INET : AF_INET6;
	route->rtm_dst_len = bytes * 8;
	mnl_attr_put(request, RTA_DST, bytes, address);
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	if (len < 0 || mnl_cb_run(buffer, len, seq, mnl_socket_get_portid(socket), take_interface, &ifindex) < 0)
		return -errno;
	if (!ifindex)
		return -ENETUNREACH;
	*ret_ifindex = ifindex;
	return 0;
}
