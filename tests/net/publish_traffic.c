// SPDX-License-Identifier: GPL-2.0-only
/*
 * publish_traffic NODE_NETNS NODE_ADDRESS PEER_NETNS - counted traffic from the peer to the node until stdin is closed.
 *
 * 64 flows to each of three UDP ports: 5001 is echoed, 5002 and 5003 only counted. Ends with one line,
 * "sent N arrived N echoed N denied N either N": sent to 5001, arrived there, come back; arrived on 5002; on 5003.
 * One process, so that a batch is fetched before the next is sent and no socket buffer overflows.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FLOWS 64

enum port { PORT_AGREED, PORT_DENIED, PORT_EITHER, PORTS };
#define FIRST_PORT 5001

struct traffic {
	int server[PORTS], client[FLOWS];
	struct sockaddr_in node;
	uint64_t sent, arrived[PORTS], echoed;
};

static void fail(const char *what)
{
	fprintf(stderr, "publish_traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter(const char *netns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		fail(path);
	close(fd);
}

static int udp_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = 1 << 20;

	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

static void send_batch(struct traffic *t)
{
	for (int flow = 0; flow < FLOWS; flow++)
		for (int port = 0; port < PORTS; port++) {
			struct sockaddr_in to = t->node;

			to.sin_port = htons(FIRST_PORT + port);
			/* EPERM: refused on the way out, which is a drop like any other. */
			if (sendto(t->client[flow], &t->sent, sizeof(t->sent), 0, (void *)&to, sizeof(to)) < 0 &&
			    errno != EPERM && errno != ECONNREFUSED)
				fail("sendto");
			t->sent += port == PORT_AGREED;
		}
}

static void fetch(struct traffic *t)
{
	struct sockaddr_in from;
	socklen_t len;
	uint64_t data;

	for (int port = 0; port < PORTS; port++)
		while (len = sizeof(from), recvfrom(t->server[port], &data, sizeof(data), 0, (void *)&from, &len) > 0) {
			t->arrived[port]++;
			if (port == PORT_AGREED)
				sendto(t->server[port], &data, sizeof(data), 0, (void *)&from, len);
		}
	for (int flow = 0; flow < FLOWS; flow++)
		while (recv(t->client[flow], &data, sizeof(data), 0) > 0)
			t->echoed++;
}

static void sleep_ms(int ms)
{
	struct timespec pause = { .tv_nsec = ms * 1000000l };

	nanosleep(&pause, NULL);
}

/*
 * No more than one batch is under way: veth's ring holds 256 packets, and on a busy machine two batches may find it full,
 * which would look like a loss of the firewall's. A packet that is lost is not waited for longer than this.
 */
static void wait_for_batch(struct traffic *t)
{
	for (int ms = 0; ms < 50 && (t->arrived[PORT_AGREED] < t->sent || t->echoed < t->sent); ms++) {
		sleep_ms(1);
		fetch(t);
	}
}

int main(int argc, char **argv)
{
	struct traffic t = { .node = { .sin_family = AF_INET } };
	struct pollfd end = { .fd = STDIN_FILENO, .events = POLLIN };

	if (argc != 4 || inet_pton(AF_INET, argv[2], &t.node.sin_addr) != 1) {
		fprintf(stderr, "usage: publish_traffic NODE_NETNS NODE_ADDRESS PEER_NETNS\n");
		return 2;
	}
	enter(argv[1]);
	for (int port = 0; port < PORTS; port++) {
		t.node.sin_port = htons(FIRST_PORT + port);
		t.server[port] = udp_socket();
		if (bind(t.server[port], (void *)&t.node, sizeof(t.node)))
			fail("bind");
	}
	enter(argv[3]);
	for (int flow = 0; flow < FLOWS; flow++)
		t.client[flow] = udp_socket();
	while (!poll(&end, 1, 0)) {
		send_batch(&t);
		fetch(&t);
		sleep_ms(1);
		wait_for_batch(&t);
	}
	for (int i = 0; i < 100; i++, sleep_ms(5))
		fetch(&t);
	printf("sent %llu arrived %llu echoed %llu denied %llu either %llu\n", (unsigned long long)t.sent,
	       (unsigned long long)t.arrived[PORT_AGREED], (unsigned long long)t.echoed,
	       (unsigned long long)t.arrived[PORT_DENIED], (unsigned long long)t.arrived[PORT_EITHER]);
	return 0;
}
