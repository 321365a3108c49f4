/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * run_wire INSTANCE HOOK loose|strict NEAR BEHIND [scattered] - every case on the wire, before one hook of a published policy.
 * hooks.sh draws the hosts. Runs in the node's network namespace; NEAR and BEHIND are those before and behind it.
 *
 * Each frame is sent alone from NEAR's eth0 and followed by a marker that passes (LLDP). When the marker has come out of
 * BEHIND's eth0, the hook's counters must have counted the frame once, for the reason that the case wants, and nothing
 * else; and the frame must have arrived, unchanged, if it is to pass, and not if not. In BEHIND real sockets listen at the
 * denied ports, and get nothing from any case, whatever its fragments are put together to; at the allowed ones they get
 * something, so that it is known that they could.
 *
 * scattered: frames are sent from a ring that is shared with the kernel, so that of each only the Ethernet header is in the
 * linear part of its buffer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "evasion.h"
#include "kernel/instance.h"
#include "scene.h"
#include "test.h"

#define WAIT_MS 2000
#define FRAME_MAX (PACKET_MAX + 64)

enum port { UDP_ALLOWED, UDP_DENIED, TCP_ALLOWED, TCP_DENIED, PORTS };
static const unsigned port_numbers[PORTS] = {53, 54, 80, 81};

static struct {
	struct instance *instance;
	unsigned slot;
	enum zw_hook hook;
	uint8_t *ring; /* of near: one slot; NULL: frames are sent whole */
	int near, via; /* sockets; what is sent through the second reaches the hook with its tag in metadata */
	int behind, sockets[PORTS];
	unsigned long got[PORTS]; /* datagrams */
	uint32_t marker;
	unsigned number; /* of the hosts */
	bool stuck;
} wire;

static void fail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_netns(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	return fd;
}

static void enter(const char *name)
{
	int fd = open_netns(name);

	if (setns(fd, CLONE_NEWNET))
		fail(name);
	close(fd);
}

static int packet_socket(const char *interface, int protocol)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1, size = 4 << 20;

	address.sll_ifindex = if_nametoindex(interface);
	if (fd < 0 || !address.sll_ifindex || bind(fd, (void *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)))
		fail(interface);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

/* For both families; a datagram in IPv6 may come without a checksum, since fragments do. */
static int server(enum port port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port_numbers[port])};
	bool tcp = port == TCP_ALLOWED || port == TCP_DENIED;
	int fd = socket(AF_INET6, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || bind(fd, (void *)&address, sizeof(address)) || (tcp && listen(fd, 4096)))
		fail("a server");
	if (!tcp && setsockopt(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, &on, sizeof(on)))
		fail("UDP_NO_CHECK6_RX");
	return fd;
}

/* Opening connections at the port: nobody completes them here, so they stay half open. */
static unsigned half_open(const char *table, unsigned port)
{
	FILE *file = fopen(table, "re");
	unsigned local, state, count = 0;
	char line[512];

	if (!file)
		fail(table);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local, &state) == 2 && local == port && state == 3)
			count++;
	fclose(file);
	return count;
}

static void fetch_datagrams(enum port port)
{
	char data[2048];

	while (recv(wire.sockets[port], data, sizeof(data), 0) >= 0)
		wire.got[port]++;
}

/* Half-open connections last for a minute: long enough for a group of cases, which takes a second or two. */
static unsigned connections(enum port port)
{
	return half_open("/proc/thread-self/net/tcp", port_numbers[port]) + half_open("/proc/thread-self/net/tcp6", port_numbers[port]);
}

static void send_frame(int fd, const uint8_t *data, size_t len)
{
	if (send(fd, data, len, 0) != (ssize_t)len)
		fail("send");
}

#define RING_SLOT 4096

/* Its socket sends nothing else: an empty send() looks for what is in the slot. */
static uint8_t *map_ring(int fd)
{
	struct tpacket_req size = {.tp_block_size = RING_SLOT, .tp_block_nr = 1, .tp_frame_size = RING_SLOT, .tp_frame_nr = 1};
	int version = TPACKET_V2;
	void *ring;

	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &size, sizeof(size)))
		fail("PACKET_TX_RING");
	ring = mmap(NULL, RING_SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		fail("mmap");
	return ring;
}

/* The frame's pages are the ring's own: none may be overwritten before its marker has come. */
static void send_scattered(const uint8_t *data, size_t len)
{
	volatile struct tpacket2_hdr *slot = (void *)wire.ring;

	if (slot->tp_status != TP_STATUS_AVAILABLE)
		fail("the ring's slot is not free");
	memcpy(wire.ring + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), data, len);
	slot->tp_len = len;
	slot->tp_status = TP_STATUS_SEND_REQUEST;
	if (send(wire.near, NULL, 0, 0) < 0)
		fail("send from the ring");
}

static void send_marker(void)
{
	uint8_t frame[60] = {0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 1, 0x88, 0xcc};

	wire.marker++;
	memcpy(frame + 14, &wire.marker, sizeof(wire.marker));
	send_frame(wire.via, frame, sizeof(frame));
}

static bool is_marker(const uint8_t *frame, size_t len)
{
	return len >= 18 && frame[12] == 0x88 && frame[13] == 0xcc && !memcmp(frame + 14, &wire.marker, sizeof(wire.marker));
}

/* Puts a tag from metadata where it was in the frame. Returns the new length. */
static size_t put_tag(uint8_t *frame, size_t len, const struct tpacket_auxdata *aux)
{
	unsigned tpid = aux->tp_status & TP_STATUS_VLAN_TPID_VALID ? aux->tp_vlan_tpid : ETH_P_8021Q;

	if (!(aux->tp_status & TP_STATUS_VLAN_VALID) || len < 12)
		return len;
	memmove(frame + 16, frame + 12, len - 12);
	frame[12] = tpid >> 8;
	frame[13] = tpid;
	frame[14] = aux->tp_vlan_tci >> 8;
	frame[15] = aux->tp_vlan_tci;
	return len + 4;
}

/* The next frame that came in behind the hook; 0: none in time. */
static size_t receive(uint8_t frame[FRAME_MAX])
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov = {frame, FRAME_MAX - 4};
	struct sockaddr_ll from;
	struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1,
				 .msg_control = control, .msg_controllen = sizeof(control)};
	struct pollfd ready = {.fd = wire.behind, .events = POLLIN};
	struct cmsghdr *c;
	ssize_t len;

	if (poll(&ready, 1, WAIT_MS) != 1)
		return 0;
	len = recvmsg(wire.behind, &message, 0);
	if (len < 0)
		fail("recvmsg");
	c = CMSG_FIRSTHDR(&message);
	return c && c->cmsg_type == PACKET_AUXDATA ? put_tag(frame, len, (const void *)CMSG_DATA(c)) : (size_t)len;
}

struct arrival {
	unsigned same, other; /* frames like the one that was sent; others */
	size_t other_len;
	uint8_t other_frame[FRAME_MAX];
};

/* Sends the frame, then the marker, and sees what comes out before the marker. Returns false if that never comes. */
static bool pass_through(int fd, const uint8_t *data, size_t len, struct arrival *ret_arrival)
{
	uint8_t frame[FRAME_MAX];
	size_t got;

	ret_arrival->same = ret_arrival->other = 0;
	if (wire.ring && fd == wire.near)
		send_scattered(data, len);
	else
		send_frame(fd, data, len);
	send_marker();
	while ((got = receive(frame)) && !is_marker(frame, got)) {
		if (got == len && !memcmp(frame, data, got)) {
			ret_arrival->same++;
			continue;
		}
		ret_arrival->other++;
		ret_arrival->other_len = got < PACKET_MAX ? got : PACKET_MAX;
		memcpy(ret_arrival->other_frame, frame, ret_arrival->other_len);
	}
	return got;
}

/* Where the frame ends in its first tag or in the type behind it, the host itself drops it, before TC: it takes that tag out. */
static bool is_cut_tag(const struct packet *packet)
{
	return packet->l3 > 14 && packet->len < 20 && wire.hook != ZW_HOOK_XDP;
}

/* want: ZW_REASON_NONE if the frame must not come to the hook. */
static const char *wrong_counts(const struct zw_count *before, const struct zw_count *after, enum zw_reason want)
{
	for (int reason = 1; reason < ZW_REASONS; reason++) {
		unsigned expected = (reason == (int)want) + (reason == ZW_ALLOW_NON_IP); /* and the marker */

		if (after[reason].packets - before[reason].packets != expected)
			return reason_name(reason);
	}
	return NULL;
}

/* The frame, with the tag that the way through `via` takes out. */
static size_t copy_frame(const struct packet *packet, unsigned vid, uint8_t frame[FRAME_MAX])
{
	const struct tpacket_auxdata aux = {.tp_status = TP_STATUS_VLAN_VALID, .tp_vlan_tci = vid};

	memcpy(frame, packet->data, packet->len);
	return vid ? put_tag(frame, packet->len, &aux) : packet->len;
}

static bool step_is_right(const struct evasion_case *c, const struct evasion_step *step, int family, unsigned turn)
{
	enum zw_reason want = evasion_want(c, step, wire.hook, turn);
	struct zw_count before[ZW_REASONS], after[ZW_REASONS];
	char hex[2 * PACKET_MAX + 1];
	uint8_t frame[FRAME_MAX];
	const char *miscounted;
	struct arrival arrival;
	struct packet packet;
	size_t len;

	evasion_build(c, step, family, turn, wire.number, &packet);
	len = copy_frame(&packet, step->stripped, frame);
	instance_count(wire.instance, wire.slot, before);
	if (!pass_through(step->stripped ? wire.via : wire.near, frame, len, &arrival)) {
		wire.stuck = true;
		note("nothing comes through any more");
		return false;
	}
	instance_count(wire.instance, wire.slot, after);
	miscounted = wrong_counts(before, after, is_cut_tag(&packet) ? ZW_REASON_NONE : want);
	if (!miscounted && arrival.same == !ZW_REASON_IS_DROP(want) && !arrival.other)
		return true;
	packet_print_hex(packet.data, packet.len, hex);
	note("turn %u, step %u: wanted %s(%d)%s%s; arrived %u time(s), others %u; frame %s", turn, (unsigned)(step - c->steps) + 1,
	     reason_name(want), want, miscounted ? "; miscounted: " : "", miscounted ? miscounted : "", arrival.same,
	     arrival.other, hex);
	for (int i = 0; i < ZW_REASONS; i++)
		if (after[i].packets != before[i].packets)
			note("counted %llu %s(%d)", (unsigned long long)(after[i].packets - before[i].packets), reason_name(i), i);
	if (arrival.other) {
		packet_print_hex(arrival.other_frame, arrival.other_len, hex);
		note("another frame arrived: %s", hex);
	}
	return false;
}

static void run(const struct evasion_case *c, int family)
{
	unsigned turns = evasion_turns(c, family);
	unsigned long denied = wire.got[UDP_DENIED];
	bool good = true;

	if (!turns)
		return;
	for (unsigned turn = 0; turn < turns; turn++) {
		wire.number++;
		for (int i = 0; i < EVASION_STEPS && c->steps[i].reason && !wire.stuck; i++)
			good &= step_is_right(c, &c->steps[i], family, turn);
	}
	fetch_datagrams(UDP_DENIED);
	ok(good && denied == wire.got[UDP_DENIED] && !wire.stuck, "%s (IPv%d)", c->trick, family);
	if (denied != wire.got[UDP_DENIED])
		note("the server at the denied UDP port got something");
}

static void run_group(const struct evasion_group *group, bool strict)
{
	for (size_t i = 0; i < group->count; i++)
		for (int family = 4; family <= 6; family += 2)
			if (group->cases[i].strict == strict)
				run(&group->cases[i], family);
	ok(connections(TCP_DENIED) == 0, "%s: nobody opened a connection at the denied TCP port", group->title);
}

static void find_slot(const char *hook)
{
	struct attach_point *points;
	size_t count;

	if (instance_attach_points(wire.instance, &points, &count))
		fail("attach points");
	wire.slot = 0;
	for (size_t i = 0; i < count; i++)
		if (!strcmp(scene_hook_name(points[i].hook), hook)) {
			wire.slot = points[i].slot;
			wire.hook = points[i].hook;
			ok(points[i].healthy, "%s is attached to %s, %s", hook, points[i].ifname,
			   points[i].mode == ATTACH_XDP_NATIVE	  ? "native" :
			   points[i].mode == ATTACH_XDP_GENERIC ? "generic" :
								  "TC");
		}
	free(points);
	if (!wire.slot)
		fail(hook);
}

static void open_wire(const char *near, const char *behind, bool scattered)
{
	enter(near);
	wire.near = packet_socket("eth0", 0);
	wire.ring = scattered ? map_ring(wire.near) : NULL;
	wire.via = packet_socket("via", 0);
	enter(behind);
	wire.behind = packet_socket("eth0", ETH_P_ALL);
	for (int port = 0; port < PORTS; port++)
		wire.sockets[port] = server(port);
}

/* One CPU, so that what is sent first arrives first. */
static void stay_here(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

int main(int argc, char **argv)
{
	bool strict;
	int error;

	if (argc < 6 || argc > 7) {
		fprintf(stderr, "usage: run_wire INSTANCE HOOK loose|strict NEAR BEHIND [scattered]\n");
		return 2;
	}
	strict = !strcmp(argv[3], "strict");
	wire.number = strict ? 32768 : 0;
	error = instance_open(argv[1], &wire.instance);
	errno = -error;
	if (error)
		fail(argv[1]);
	find_slot(argv[2]);
	stay_here();
	open_wire(argv[4], argv[5], argc == 7);
	for (size_t i = 0; i < evasion_group_count; i++)
		run_group(evasion_groups[i], strict);
	fetch_datagrams(UDP_ALLOWED);
	ok(strict || wire.got[UDP_ALLOWED] > 0, "the server at the allowed UDP port got datagrams (%lu)", wire.got[UDP_ALLOWED]);
	ok(connections(TCP_ALLOWED) > 0, "connections were opened at the allowed TCP port (%u)", connections(TCP_ALLOWED));
	instance_free(wire.instance);
	return done();
}
