// SPDX-License-Identifier: GPL-2.0-only
/*
 * events_flood NETNS INTERFACE MAC COUNT FLOWS - sends COUNT UDP packets of FLOWS flows, as fast as it goes, past the
 * stack of NETNS, to MAC: from 10.98.x.y (the flow's number) to port 9 of 10.99.0.1. COUNT 0: until it is ended.
 * Prints how many were sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64

struct frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
	char data[18];
} __attribute__((packed));

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static void fail(const char *what)
{
	fprintf(stderr, "events_flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter(const char *netns)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		fail(path);
	close(fd);
}

static int open_socket(const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), yes = 1;

	if (!address.sll_ifindex)
		fail(interface);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes)))
		fail("packet socket");
	return fd;
}

static uint16_t checksum(const void *header, size_t len)
{
	const uint16_t *word = header;
	uint32_t sum = 0;

	for (; len; len -= 2)
		sum += *word++;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void set_flow(struct frame *frame, uint32_t flow)
{
	frame->ip.saddr = htonl(10 << 24 | 98 << 16 | (flow & 0xffff));
	frame->ip.check = 0;
	frame->ip.check = checksum(&frame->ip, sizeof(frame->ip));
}

static void fill(struct frame *frame, const char *mac)
{
	unsigned byte[6];

	memset(frame, 0, sizeof(*frame));
	if (sscanf(mac, "%x:%x:%x:%x:%x:%x", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5]) != 6)
		fail(mac);
	for (int i = 0; i < 6; i++)
		frame->ethernet.h_dest[i] = byte[i];
	frame->ethernet.h_source[0] = 2;
	frame->ethernet.h_proto = htons(ETH_P_IP);
	frame->ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
	frame->ip.tot_len = htons(sizeof(*frame) - sizeof(frame->ethernet));
	frame->ip.daddr = htonl(10 << 24 | 99 << 16 | 1);
	frame->udp.source = htons(40000);
	frame->udp.dest = htons(9);
	frame->udp.len = htons(sizeof(frame->udp) + sizeof(frame->data));
}

int main(int argc, char **argv)
{
	static struct frame frames[BATCH];
	struct iovec data[BATCH];
	struct mmsghdr messages[BATCH];
	uint64_t count, flows, sent = 0;
	int fd;

	if (argc != 6)
		return 2;
	count = strtoull(argv[4], NULL, 0);
	flows = strtoull(argv[5], NULL, 0);
	signal(SIGTERM, end);
	enter(argv[1]);
	fd = open_socket(argv[2]);
	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < BATCH; i++) {
		fill(&frames[i], argv[3]);
		data[i] = (struct iovec){ &frames[i], sizeof(frames[i]) };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &data[i], .msg_iovlen = 1 };
	}
	while (!ended && (!count || sent < count)) {
		int batch = count && count - sent < BATCH ? count - sent : BATCH, done;

		for (int i = 0; i < batch; i++)
			set_flow(&frames[i], (sent + i) % flows);
		done = sendmmsg(fd, messages, batch, 0);
		if (done < 0 && errno != ENOBUFS && errno != EINTR && errno != EAGAIN)
			fail("sendmmsg");
		if (done > 0)
			sent += done;
	}
	printf("%llu\n", (unsigned long long)sent);
	return 0;
}
