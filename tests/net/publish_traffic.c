// SPDX-License-Identifier: GPL-2.0-only
/*
 * publish_traffic NODE_NETNS NODE_ADDRESS PEER_NETNS PEER_ADDRESS [FLOWS] - counted traffic in both directions until stdin
 * is closed.
 *
 * 64 flows (or so many) from the peer to each of three UDP ports of the node, whose first packets the ingress hook decides, and as many
 * from the node to the peer, for the egress hook: 5001 is echoed, 5002 and 5003 only counted. Ends with a line for each
 * direction, "in" (to the node) and "out": "in sent N arrived N echoed N denied N either N": sent to 5001, arrived there,
 * come back; arrived on 5002; on 5003. One process, so that a batch is fetched before the next is sent and no socket
 * buffer overflows.
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

static int flows = FLOWS;

enum port { PORT_AGREED, PORT_DENIED, PORT_EITHER, PORTS };
#define FIRST_PORT 5001

/* From one side to the other. */
struct traffic {
	const char *name;
	int server[PORTS], client[FLOWS];
	struct sockaddr_in to;
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

static void open_traffic(struct traffic *t, const char *from_netns, const char *to_netns)
{
	enter(to_netns);
	for (int port = 0; port < PORTS; port++) {
		t->to.sin_port = htons(FIRST_PORT + port);
		t->server[port] = udp_socket();
		if (bind(t->server[port], (void *)&t->to, sizeof(t->to)))
			fail("bind");
	}
	enter(from_netns);
	for (int flow = 0; flow < flows; flow++)
		t->client[flow] = udp_socket();
}

static void send_batch(struct traffic *t)
{
	for (int flow = 0; flow < flows; flow++)
		for (int port = 0; port < PORTS; port++) {
			struct sockaddr_in to = t->to;

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
	for (int flow = 0; flow < flows; flow++)
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
static void exchange_batch(struct traffic *t)
{
	send_batch(t);
	fetch(t);
	for (int ms = 0; ms < 50 && (t->arrived[PORT_AGREED] < t->sent || t->echoed < t->sent); ms++) {
		sleep_ms(1);
		fetch(t);
	}
}

static void print(const struct traffic *t)
{
	printf("%s sent %llu arrived %llu echoed %llu denied %llu either %llu\n", t->name, (unsigned long long)t->sent,
	       (unsigned long long)t->arrived[PORT_AGREED], (unsigned long long)t->echoed,
	       (unsigned long long)t->arrived[PORT_DENIED], (unsigned long long)t->arrived[PORT_EITHER]);
}

int main(int argc, char **argv)
{
	struct traffic in = { .name = "in", .to.sin_family = AF_INET }, out = { .name = "out", .to.sin_family = AF_INET };
	struct pollfd end = { .fd = STDIN_FILENO, .events = POLLIN };

	if (argc == 6)
		flows = atoi(argv[5]);
	if (argc < 5 || argc > 6 || flows < 1 || flows > FLOWS || inet_pton(AF_INET, argv[2], &in.to.sin_addr) != 1 ||
	    inet_pton(AF_INET, argv[4], &out.to.sin_addr) != 1) {
		fprintf(stderr, "usage: publish_traffic NODE_NETNS NODE_ADDRESS PEER_NETNS PEER_ADDRESS [FLOWS]\n");
		return 2;
	}
	open_traffic(&in, argv[3], argv[1]);
	open_traffic(&out, argv[1], argv[3]);
	while (!poll(&end, 1, 0)) {
		exchange_batch(&in);
		exchange_batch(&out);
		sleep_ms(1);
	}
	for (int i = 0; i < 100; i++, sleep_ms(5)) {
		fetch(&in);
		fetch(&out);
	}
	print(&in);
	print(&out);
	return 0;
}
