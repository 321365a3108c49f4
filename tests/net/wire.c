// SPDX-License-Identifier: GPL-2.0-only
/*
 * wire INTERFACE INTERFACE KIND [PERCENT [SEED]] - a wire between two interfaces of this namespace that disturbs what it
 * carries, the same way on every kernel (netem is a module that some lack) and so that what it did can be counted.
 *
 *   none
 *   disorder PERCENT   of TCP packets so many are lost, as many duplicated, as many held back behind the next one
 *   first-second       a first fragment goes after the second one of its datagram
 *   first-first        of the later fragments each second one overtakes the one before it
 *
 * Everything else passes as it is. Ends on SIGTERM with "passed N lost N duplicated N held N early N"; early are the
 * later fragments that were sent before their first one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_MAX (65536 + 256)
#define HELD_MS 20 /* nothing came after it */

enum kind { NONE, DISORDER, FIRST_SECOND, FIRST_FIRST, KINDS };
static const char *const kind_names[KINDS] = { "none", "disorder", "first-second", "first-first" };

/* With the kernel's header before it: frames go on as they came, segmented or not, with a checksum or without. */
struct frame {
	size_t len;
	uint8_t bytes[sizeof(struct virtio_net_hdr) + FRAME_MAX];
};

struct direction {
	int from, to;
	struct frame held; /* len 0: none */
};

struct wire {
	enum kind kind;
	unsigned percent, seed;
	uint64_t passed, lost, duplicated, held, early;
	struct direction direction[2];
};

enum fragment { WHOLE, FIRST, LATER };

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static void fail(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_end(const char *interface)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1, size = 8 << 20;

	if (fd < 0 || !at.sll_ifindex)
		fail(interface);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    bind(fd, (void *)&at, sizeof(at)))
		fail(interface);
	return fd;
}

/* Protocol of an unfragmented packet, or 0; *ret_fragment is what it is. Frames are what the hosts' stacks send. */
static uint8_t look(const struct frame *f, enum fragment *ret_fragment)
{
	const uint8_t *eth = f->bytes + sizeof(struct virtio_net_hdr), *ip = eth + ETH_HLEN;
	unsigned type = eth[12] << 8 | eth[13], field = 0;
	uint8_t protocol = 0;

	*ret_fragment = WHOLE;
	if (type == ETH_P_IP) {
		field = (ip[6] << 8 | ip[7]) & 0x3fff; /* more, and offset */
		protocol = ip[9];
		if (field)
			*ret_fragment = field & 0x1fff ? LATER : FIRST;
	} else if (type == ETH_P_IPV6) {
		protocol = ip[6];
		if (protocol == IPPROTO_FRAGMENT) {
			field = ip[42] << 8 | ip[43];
			*ret_fragment = field >> 3 ? LATER : FIRST;
		}
	}
	return *ret_fragment == WHOLE ? protocol : 0;
}

static void send_frame(struct wire *w, const struct direction *d, const struct frame *f)
{
	if (write(d->to, f->bytes, f->len) == (ssize_t)f->len)
		w->passed++;
	else if (errno != ENOBUFS && errno != ENETDOWN)
		fail("write");
}

static void release(struct wire *w, struct direction *d)
{
	if (d->held.len)
		send_frame(w, d, &d->held);
	d->held.len = 0;
}

static void hold(struct wire *w, struct direction *d, const struct frame *f)
{
	d->held.len = f->len;
	memcpy(d->held.bytes, f->bytes, f->len);
	w->held++;
}

static bool happens(struct wire *w)
{
	return (unsigned)rand_r(&w->seed) % 100 < w->percent;
}

static void carry(struct wire *w, struct direction *d, const struct frame *f)
{
	enum fragment fragment;
	uint8_t protocol = look(f, &fragment);

	if (w->kind == DISORDER && protocol == IPPROTO_TCP) {
		if (happens(w)) {
			w->lost++;
			return;
		}
		if (happens(w)) {
			send_frame(w, d, f);
			w->duplicated++;
		}
		if (!d->held.len && happens(w)) {
			hold(w, d, f);
			return;
		}
	}
	if (w->kind == FIRST_SECOND && fragment == FIRST) {
		release(w, d);
		hold(w, d, f);
		return;
	}
	if (w->kind == FIRST_FIRST && fragment == LATER && !d->held.len) {
		hold(w, d, f);
		return;
	}
	send_frame(w, d, f);
	if (w->kind == FIRST_SECOND && fragment == LATER && d->held.len)
		w->early++;
	release(w, d);
}

int main(int argc, char **argv)
{
	struct wire *w = calloc(1, sizeof(*w));
	struct frame *frame = malloc(sizeof(*frame));
	struct sigaction on_end = { .sa_handler = end };

	if (!w || !frame || argc < 4)
		return 2;
	while (w->kind < KINDS && strcmp(argv[3], kind_names[w->kind]))
		w->kind++;
	if (w->kind == KINDS)
		return 2;
	w->percent = argc > 4 ? atoi(argv[4]) : 0;
	w->seed = argc > 5 ? atoi(argv[5]) : 1;
	for (int i = 0; i < 2; i++)
		w->direction[i].from = w->direction[1 - i].to = open_end(argv[1 + i]);
	sigaction(SIGTERM, &on_end, NULL);
	printf("ready\n");
	fflush(stdout);
	while (!ended) {
		struct pollfd poll_of[2] = { { w->direction[0].from, POLLIN, 0 }, { w->direction[1].from, POLLIN, 0 } };
		int ready = poll(poll_of, 2, HELD_MS);

		for (int i = 0; i < 2; i++) {
			ssize_t len = -1;

			if (ready > 0 && poll_of[i].revents)
				len = recv(poll_of[i].fd, frame->bytes, sizeof(frame->bytes), MSG_DONTWAIT);
			if (len > (ssize_t)(sizeof(struct virtio_net_hdr) + ETH_HLEN)) {
				frame->len = len;
				carry(w, &w->direction[i], frame);
			} else if (!ready) {
				release(w, &w->direction[i]);
			}
		}
	}
	printf("passed %lu lost %lu duplicated %lu held %lu early %lu\n", w->passed, w->lost, w->duplicated, w->held, w->early);
	return 0;
}
