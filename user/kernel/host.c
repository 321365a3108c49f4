// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/host.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>

static int add(struct ranges *ranges, const struct sockaddr *sockaddr)
{
	const void *bytes;
	struct addr addr;

	if (!sockaddr)
		return 0;
	if (sockaddr->sa_family == AF_INET)
		bytes = &((const struct sockaddr_in *)(const void *)sockaddr)->sin_addr;
	else if (sockaddr->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)sockaddr)->sin6_addr;
	else
		return 0;
	addr = addr_from_bytes(sockaddr->sa_family == AF_INET ? 4 : 6, bytes);
	return ranges_add(ranges, addr.family, addr.value, addr.value);
}

int host_addresses(struct ranges *ret_addresses)
{
	struct ranges addresses = { 0 };
	struct ifaddrs *list;
	int error = 0;

	if (getifaddrs(&list))
		return -errno;
	for (const struct ifaddrs *entry = list; entry && !error; entry = entry->ifa_next)
		error = add(&addresses, entry->ifa_addr);
	freeifaddrs(list);
	if (!error)
		error = ranges_normalise(&addresses);
	if (error)
		ranges_clear(&addresses);
	else
		*ret_addresses = addresses;
	return error;
}
