// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slow flows, by real sockets.
 *
 *   flood_flows serve PORT             echoes what comes by TCP and by UDP to PORT, until it is ended
 *   flood_flows keep ADDRESS PORT N    N TCP connections and N UDP flows to ADDRESS, PORT. Each sends eight bytes a second
 *                                      (TCP waits for its echo before it sends again). Prints "ready" when each has
 *                                      been answered twice; at SIGTERM: connections lost, UDP sent, UDP not answered
 *   flood_flows connect ADDRESS PORT   one connection and one echo; prints how many milliseconds it took
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256

struct slow {
	int fd;
	bool udp, lost;
	uint64_t sent, answered;
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "flood_flows: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };

	in.sin_addr.s_addr = inet_addr(address);
	return in;
}

static void watch(int epoll, int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		fail("epoll_ctl");
}

static void many_files(void)
{
	struct rlimit limit = { 16384, 16384 };

	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Echoes. data.ptr holds the descriptor of a connection. */
static void serve_one(int epoll, int tcp, int udp, intptr_t fd)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char bytes[2048];
	ssize_t got;

	if (fd == tcp) {
		int connection = accept4(tcp, NULL, NULL, SOCK_NONBLOCK);

		if (connection >= 0)
			watch(epoll, connection, (void *)(intptr_t)connection);
	} else if (fd == udp) {
		got = recvfrom(udp, bytes, sizeof(bytes), MSG_DONTWAIT, (void *)&from, &len);
		if (got >= 0)
			sendto(udp, bytes, got, MSG_DONTWAIT, (void *)&from, len);
	} else {
		got = read(fd, bytes, sizeof(bytes));
		if (got <= 0 || write(fd, bytes, got) != got)
			close(fd);
	}
}

static int serve(const char *port)
{
	struct sockaddr_in address = address_of("0.0.0.0", port);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), udp = socket(AF_INET, SOCK_DGRAM, 0), yes = 1;
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(0);

	setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(tcp, (void *)&address, sizeof(address)) || listen(tcp, 4096) ||
	    bind(udp, (void *)&address, sizeof(address)))
		fail("bind");
	watch(epoll, tcp, (void *)(intptr_t)tcp);
	watch(epoll, udp, (void *)(intptr_t)udp);
	while (!ended) {
		int count = epoll_wait(epoll, events, EVENTS, 1000);

		for (int i = 0; i < count; i++)
			serve_one(epoll, tcp, udp, (intptr_t)events[i].data.ptr);
	}
	return 0;
}

static int connect_within(const struct sockaddr_in *address, int milliseconds)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(error);

	if (fd < 0 || (connect(fd, (const void *)address, sizeof(*address)) && errno != EINPROGRESS) ||
	    poll(&wait, 1, milliseconds) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) || error) {
		close(fd);
		return -1;
	}
	return fd;
}

static void send_one(struct slow *flow)
{
	if (flow->lost || (!flow->udp && flow->sent > flow->answered))
		return;
	flow->sent++;
	if (send(flow->fd, &flow->sent, sizeof(flow->sent), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && !flow->udp)
		flow->lost = true;
}

static void hear(struct slow *flow)
{
	uint64_t number;
	ssize_t got = recv(flow->fd, &number, sizeof(number), MSG_DONTWAIT);

	if (got == sizeof(number))
		flow->answered++;
	else if (!flow->udp && (got >= 0 || (errno != EAGAIN && errno != EINTR)))
		flow->lost = true;
}

static bool all_confirmed(const struct slow *flows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (flows[i].answered < 2)
			return false;
	return true;
}

static void report(const struct slow *flows, size_t count)
{
	uint64_t lost = 0, sent = 0, missing = 0;

	for (size_t i = 0; i < count; i++) {
		lost += flows[i].lost || (!flows[i].udp && flows[i].sent > flows[i].answered + 1);
		sent += flows[i].udp ? flows[i].sent : 0;
		missing += flows[i].udp ? flows[i].sent - flows[i].answered : 0;
	}
	printf("%llu %llu %llu\n", (unsigned long long)lost, (unsigned long long)sent, (unsigned long long)missing);
}

/* What is under way at the end has a second to arrive. */
static void run(struct slow *flows, size_t count, int epoll)
{
	struct epoll_event events[EVENTS];
	double start = now(), last = 0;
	size_t turn = 0;
	bool told = false;

	while (!last || now() < last) {
		int ready = epoll_wait(epoll, events, EVENTS, 1);

		for (int i = 0; i < ready; i++)
			hear(events[i].data.ptr);
		/* Evenly over each second. */
		while (!last && turn < (now() - start) * count)
			send_one(&flows[turn++ % count]);
		if (!told && all_confirmed(flows, count)) {
			told = true;
			printf("ready\n");
			fflush(stdout);
		}
		if (ended && !last)
			last = now() + 1;
	}
}

static int keep(const char *to, const char *port, size_t each)
{
	struct sockaddr_in address = address_of(to, port);
	struct slow *flows = calloc(2 * each, sizeof(*flows));
	int epoll = epoll_create1(0);

	for (size_t i = 0; flows && i < 2 * each; i++) {
		flows[i].udp = i & 1;
		if (flows[i].udp) {
			flows[i].fd = socket(AF_INET, SOCK_DGRAM, 0);
			if (connect(flows[i].fd, (void *)&address, sizeof(address)))
				fail("connect");
		} else {
			flows[i].fd = connect_within(&address, 10000);
			if (flows[i].fd < 0)
				fail("connect");
		}
		watch(epoll, flows[i].fd, &flows[i]);
	}
	run(flows, 2 * each, epoll);
	report(flows, 2 * each);
	return 0;
}

static int connect_once(const char *to, const char *port)
{
	struct sockaddr_in address = address_of(to, port);
	double start = now();
	int fd = connect_within(&address, 10000);
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char bytes[5];

	if (fd < 0 || write(fd, "hello", 5) != 5 || poll(&wait, 1, 10000) != 1 || read(fd, bytes, 5) != 5)
		fail("no echo");
	printf("%.0f\n", (now() - start) * 1000);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGTERM, end);
	signal(SIGPIPE, SIG_IGN);
	many_files();
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "keep"))
		return keep(argv[2], argv[3], atoi(argv[4]));
	if (argc == 4 && !strcmp(argv[1], "connect"))
		return connect_once(argv[2], argv[3]);
	return 2;
}
