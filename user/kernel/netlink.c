// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/netlink.h"

#include <sys/socket.h>
#include <time.h>

#include "base/util.h"

DEFINE_CLEANUP(struct mnl_socket *, mnl_socket_close)

#define DUMP_BUFFER 32768 /* what the kernel fills at most in one read of a dump */

int netlink_dump(int bus, struct nlmsghdr *request, mnl_cb_t callback, void *data)
{
	_cleanup_(mnl_socket_closep) struct mnl_socket *socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	_cleanup_free_ char *buffer = malloc(DUMP_BUFFER);
	unsigned seq = time(NULL);
	int got = MNL_CB_OK;
	ssize_t len;

	if (!buffer)
		return -ENOMEM;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = seq;
	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (got == MNL_CB_OK) {
		len = mnl_socket_recvfrom(socket, buffer, DUMP_BUFFER);
		if (len < 0)
			return -errno;
		got = mnl_cb_run(buffer, len, seq, mnl_socket_get_portid(socket), callback, data);
	}
	return got < 0 ? -errno : 0;
}
