// SPDX-License-Identifier: GPL-2.0-only
/*
 * flood_forge NETNS INTERFACE MAC tcp|udp ADDRESS PORT FLOWS SECONDS - sends, past the stack of NETNS, first packets (TCP
 * SYN, or UDP with 4 bytes) to ADDRESS, PORT at MAC: each of FLOWS forged sources in 10.64.0.0/13 in turn, until each
 * has sent at least once and SECONDS are over. Prints how many were sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32

struct frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	union {
		struct tcphdr tcp;
		struct {
			struct udphdr udp;
			char data[4];
		};
	};
} __attribute__((packed));

static void fail(const char *what)
{
	fprintf(stderr, "flood_forge: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(const char *netns, const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	char path[128];
	int fd, yes = 1;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		fail(path);
	close(fd);
	address.sll_ifindex = if_nametoindex(interface);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes)))
		fail(interface);
	return fd;
}

static uint64_t sum(const void *bytes, size_t len)
{
	uint64_t total = 0;
	uint16_t word;

	for (size_t i = 0; i < len; i += 2) {
		memcpy(&word, (const char *)bytes + i, 2);
		total += word;
	}
	return total;
}

static uint16_t fold(uint64_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return ~total;
}

static size_t transport_len(const struct frame *frame)
{
	return frame->ip.protocol == IPPROTO_TCP ? sizeof(frame->tcp) : sizeof(frame->udp) + sizeof(frame->data);
}

static void fill(struct frame *frame, const char *mac, const char *protocol, const char *address, unsigned port)
{
	unsigned byte[6];

	memset(frame, 0, sizeof(*frame));
	if (sscanf(mac, "%x:%x:%x:%x:%x:%x", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5]) != 6)
		fail(mac);
	for (int i = 0; i < 6; i++)
		frame->ethernet.h_dest[i] = byte[i];
	frame->ethernet.h_source[0] = 2;
	frame->ethernet.h_proto = htons(ETH_P_IP);
	frame->ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64 };
	frame->ip.protocol = !strcmp(protocol, "tcp") ? IPPROTO_TCP : IPPROTO_UDP;
	frame->ip.daddr = inet_addr(address);
	frame->ip.tot_len = htons(sizeof(frame->ip) + transport_len(frame));
	frame->tcp.dest = htons(port); /* UDP's stands there, too */
	if (frame->ip.protocol == IPPROTO_UDP) {
		frame->udp.len = htons(transport_len(frame));
		return;
	}
	frame->tcp.doff = 5;
	frame->tcp.syn = 1;
	frame->tcp.window = htons(64000);
}

/* Sources differ in address first, then in port. */
static void set_source(struct frame *frame, uint32_t flow)
{
	uint64_t pseudo;
	uint16_t check;

	frame->ip.saddr = htonl((10u << 24 | 64u << 16) + (flow & 0x7ffff));
	frame->tcp.source = htons(20000 + (flow >> 19));
	frame->ip.check = 0;
	frame->ip.check = fold(sum(&frame->ip, sizeof(frame->ip)));
	pseudo = sum(&frame->ip.saddr, 8) + htons(frame->ip.protocol) + htons(transport_len(frame));
	if (frame->ip.protocol == IPPROTO_TCP) {
		frame->tcp.check = 0;
		frame->tcp.seq = htonl(flow * 2654435761u);
	} else {
		frame->udp.check = 0;
	}
	check = fold(pseudo + sum(&frame->tcp, transport_len(frame)));
	if (frame->ip.protocol == IPPROTO_TCP)
		frame->tcp.check = check;
	else
		frame->udp.check = check ? check : 0xffff;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static uint64_t flood(int fd, struct frame *frames, uint64_t flows, double until)
{
	struct mmsghdr messages[BATCH];
	struct iovec data[BATCH];
	uint64_t sent = 0;

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < BATCH; i++) {
		frames[i] = frames[0];
		data[i] = (struct iovec){ &frames[i], sizeof(frames[i].ethernet) + ntohs(frames[i].ip.tot_len) };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &data[i], .msg_iovlen = 1 };
	}
	while (sent < flows || now() < until) {
		int done;

		for (int i = 0; i < BATCH; i++)
			set_source(&frames[i], (sent + i) % flows);
		done = sendmmsg(fd, messages, BATCH, 0);
		if (done < 0 && errno != ENOBUFS && errno != EINTR && errno != EAGAIN)
			fail("sendmmsg");
		if (done > 0)
			sent += done;
	}
	return sent;
}

int main(int argc, char **argv)
{
	static struct frame frames[BATCH];
	int fd;

	if (argc != 9)
		return 2;
	fill(&frames[0], argv[3], argv[4], argv[5], atoi(argv[6]));
	fd = open_socket(argv[1], argv[2]);
	printf("%llu\n", (unsigned long long)flood(fd, frames, strtoull(argv[7], NULL, 0), now() + atof(argv[8])));
	return 0;
}
