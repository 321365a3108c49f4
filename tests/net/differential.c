// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sends frames of all kinds from one namespace and says which of them another one's stack delivered:
 *
 *   differential SENDER RECEIVER --seed N --cases N [--only allowed|denied] [--list FILE]
 *
 * A case (differential.h) was delivered if a socket received one of its marks, or if an answer to it came back: RST to
 * TCP, an echo reply. The same seed makes the same cases. Of a list, a number a line, only those are sent, and shown in
 * hex. Prints "allowed N" for each case that reached the allowed port, "denied N BYTES" for each that reached a denied
 * one, with what said so first, and totals as comments. What was delivered on a denied port but names no case that was
 * sent is "denied unmarked BYTES": bytes of ours are all that is sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "differential.h"

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "differential: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void enter(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		fail(path);
	close(fd);
}

static int wire; /* AF_PACKET on the sender's interface */
enum { ALLOWED4, ALLOWED6, DENIED4, DENIED6, RAW4, RAW6, SOCKETS };
static int sockets[SOCKETS];

static void open_wire(void)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = if_nametoindex("s0") };
	int on = 1, bytes = 32 << 20;

	wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (wire < 0 || setsockopt(wire, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    setsockopt(wire, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    bind(wire, (struct sockaddr *)&at, sizeof(at)))
		fail("AF_PACKET");
}

static void open_socket(int which)
{
	bool raw = which >= RAW4, v6 = which & 1;
	unsigned port = which <= ALLOWED6 ? ALLOWED : DENIED;
	struct sockaddr_in6 at6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in at4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1, bytes = 32 << 20;
	int fd = socket(v6 ? AF_INET6 : AF_INET, (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, raw ? RAW : 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    (v6 && !raw && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
	    (!raw && bind(fd, v6 ? (void *)&at6 : (void *)&at4, v6 ? sizeof(at6) : sizeof(at4))))
		fail("socket");
	sockets[which] = fd;
}

enum { SENT = 1, TO_ALLOWED = 2, TO_DENIED = 4 };
static uint8_t *fate; /* by case: what became of it */
static uint32_t cases;
static unsigned long received, answers;

static void show(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	putchar('\n');
}

#define UNMARKED UINT32_MAX

/* The bytes say that a case was delivered. */
static void note(uint32_t number, int to, const uint8_t *bytes, size_t len)
{
	bool known = number < cases && fate[number] & SENT;

	if (to == TO_DENIED && !(known && fate[number] & TO_DENIED)) {
		if (known)
			printf("denied %u ", number);
		else
			printf("denied unmarked ");
		show(bytes, len);
	}
	if (known)
		fate[number] |= to;
}

/* What the first mark says, wherever the payload was cut; a whole one is there in all but the shortest. */
static uint32_t find_mark(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 8 <= len; i++) {
		unsigned third = get16(bytes + i + 4);

		if (get16(bytes + i) != MARK || get16(bytes + i + 2) != ALLOWED ||
		    (third != 8 && third != 0x5002))
			continue;
		return get16(bytes + i + 6);
	}
	return UNMARKED;
}

static void drain_socket(int which)
{
	uint8_t bytes[65536];
	ssize_t len;

	while ((len = recv(sockets[which], bytes, sizeof(bytes), MSG_DONTWAIT)) >= 0) {
		received++;
		note(find_mark(bytes, len), which <= ALLOWED6 ? TO_ALLOWED : TO_DENIED, bytes, len);
	}
}

/*
 * The receiver's own stack made it, so its headers are right; but it sends back record route and time stamps (RFC 1122
 * 3.2.2.6, 4.2.3.8), which it has filled in.
 */
static void read_answer(const uint8_t *ip, size_t len, bool v6)
{
	size_t header = v6 ? 40 : (ip[0] & 15) * 4;
	uint8_t protocol = v6 ? ip[6] : ip[9];
	const uint8_t *h = ip + header;

	if (len < header + 8)
		return;
	if (protocol == IPPROTO_TCP && len >= header + 20) {
		answers++;
		note((h[13] & 16 ? get32(h + 8) : get32(h + 4)) >> SEQUENCE_SHIFT,
		     get16(h) == ALLOWED ? TO_ALLOWED : TO_DENIED, ip, len);
	} else if ((protocol == IPPROTO_ICMP && h[0] == 0) || (protocol == IPPROTO_ICMPV6 && h[0] == 129)) {
		answers++;
		note(find_mark(h + 8, len - header - 8), TO_DENIED, ip, len);
	}
}

static void drain(void)
{
	uint8_t bytes[65536];
	ssize_t len;

	for (int i = 0; i < SOCKETS; i++)
		drain_socket(i);
	while ((len = recv(wire, bytes, sizeof(bytes), MSG_DONTWAIT)) >= 0) {
		size_t at = 12;

		while (len > (ssize_t)at + 4 && (get16(bytes + at) == 0x8100 || get16(bytes + at) == 0x88a8))
			at += 4;
		if (len >= (ssize_t)at + 2 + 20 && get16(bytes + at) == ETH_P_IP)
			read_answer(bytes + at + 2, len - at - 2, false);
		else if (len >= (ssize_t)at + 2 + 40 && get16(bytes + at) == ETH_P_IPV6)
			read_answer(bytes + at + 2, len - at - 2, true);
	}
}

static unsigned long send_train(const struct frame_train *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (send(wire, t->frame[i].b, t->frame[i].len, 0) < 0 && errno != EINVAL && errno != ENOBUFS)
			fail("send"); /* EINVAL: the frame is too short to be one */
	return t->count;
}

static void show_train(uint32_t number, const struct frame_train *t)
{
	for (size_t i = 0; i < t->count; i++) {
		printf("# case %u: ", number);
		show(t->frame[i].b, t->frame[i].len);
	}
}

/* Which cases the file names; NULL: all. */
static uint8_t *read_list(const char *path)
{
	uint8_t *listed = calloc(cases, 1);
	FILE *file = fopen(path, "r");
	unsigned number;

	if (!listed || !file)
		fail(path);
	while (fscanf(file, "%u", &number) == 1)
		if (number < cases)
			listed[number] = 1;
	fclose(file);
	return listed;
}

static void report(unsigned long frames, uint32_t sent)
{
	unsigned long to_allowed = 0, to_denied = 0;

	for (uint32_t i = 0; i < cases; i++) {
		to_allowed += !!(fate[i] & TO_ALLOWED);
		to_denied += !!(fate[i] & TO_DENIED);
		if (fate[i] & TO_ALLOWED)
			printf("allowed %u\n", i);
	}
	printf("# %u cases in %lu frames: %lu reached the allowed port, %lu a denied one; %lu datagrams, %lu "
	       "answers\n",
	       sent, frames, to_allowed, to_denied, received, answers);
}

int main(int argc, char **argv)
{
	static struct frame_train train;
	unsigned long frames = 0;
	const char *only = "", *list = NULL;
	uint8_t *listed;
	uint64_t seed = 1;
	uint32_t sent = 0;
	struct plan plan;

	for (int i = 3; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--seed"))
			seed = strtoull(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--cases"))
			cases = strtoul(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--only"))
			only = argv[i + 1];
		else if (!strcmp(argv[i], "--list"))
			list = argv[i + 1];
	}
	if (argc < 5 || !cases || cases > 65536) {
		fprintf(stderr,
			"usage: differential SENDER RECEIVER --seed N --cases N [--only allowed|denied] "
			"[--list FILE]\n");
		return 2;
	}
	fate = calloc(cases, 1);
	if (!fate)
		fail("memory");
	listed = list ? read_list(list) : NULL;
	enter(argv[1]);
	open_wire();
	enter(argv[2]);
	for (int i = 0; i < SOCKETS; i++)
		open_socket(i);
	for (uint32_t i = 0; i < cases; i++) {
		make_case(seed, i, &plan, &train);
		if (*only && plan.allowed != !strcmp(only, "allowed"))
			continue;
		if (listed && !listed[i])
			continue;
		if (listed)
			show_train(i, &train);
		fate[i] = SENT;
		frames += send_train(&train);
		if (++sent % 16 == 0) { /* no queue on the way is longer than that */
			usleep(100);
			drain();
		}
	}
	usleep(300000);
	drain();
	report(frames, sent);
	free(listed);
	free(fate);
	return 0;
}
