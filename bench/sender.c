// SPDX-License-Identifier: GPL-2.0-only
#include "bench/sender.h"

#include <linux/if_link.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "bench/frames.h"

#include "bench/live.skel.h" /* know no types but these */
#include "bench/traffic.skel.h"

#define SYN 0x02
#define ACK 0x10
/* A bucket takes no more flows in one jiffy than it has slots, so handshakes are sent in small runs. */
#define OPENED_AT_ONCE 1024u

struct sender {
	struct traffic_bpf *skel;
	struct live_bpf *live;
	unsigned ifindex;
	struct frame4 frame4;
	struct frame6 frame6;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "error: bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The stack takes only frames for the interface's own address. */
static void address_frames(struct sender *s, const char *interface)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request))
		fail(interface);
	s->frame4 = frame4;
	s->frame6 = frame6;
	memcpy(s->frame4.ethernet.h_dest, request.ifr_hwaddr.sa_data, ETH_ALEN);
	memcpy(s->frame6.ethernet.h_dest, request.ifr_hwaddr.sa_data, ETH_ALEN);
}

/*
 * Loads all programs. By their section's name libbpf makes them xdp.frags, whatever flags they are given, so another
 * handler of that section makes plain XDP programs of them.
 */
static int load_as(struct sender *s, bool frags)
{
	int handler = frags ? 0 : libbpf_register_prog_handler("xdp.frags", BPF_PROG_TYPE_XDP, BPF_XDP, NULL);

	if (handler < 0)
		return -1;
	s->skel = traffic_bpf__open_and_load();
	s->live = live_bpf__open_and_load();
	if (!frags)
		libbpf_unregister_prog_handler(handler);
	return s->skel && s->live ? 0 : -1;
}

struct sender *sender_load(const char *interface, bool frags)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (!s)
		fail(interface);
	s->ifindex = if_nametoindex(interface);
	address_frames(s, interface);
	if (load_as(s, frags))
		fail("programs that send");
	return s;
}

void sender_free(struct sender *s)
{
	if (!s)
		return;
	live_bpf__destroy(s->live);
	traffic_bpf__destroy(s->skel);
	free(s);
}

struct traffic *sender_traffic(struct sender *s)
{
	return &s->skel->bss->traffic;
}

int sender_floor(const struct sender *s)
{
	return bpf_program__fd(s->skel->progs.floor_drop);
}

int sender_parser(const struct sender *s)
{
	return bpf_program__fd(s->skel->progs.parse_only);
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static double run(struct sender *s, int program, int family, struct bpf_test_run_opts *options)
{
	const int generator = bpf_program__fd(family == 4 ? s->skel->progs.traffic4 : s->skel->progs.traffic6);
	struct xdp_md context = { .ingress_ifindex = s->ifindex };
	double began;
	int zero = 0;

	options->sz = sizeof(*options);
	options->data_in = family == 4 ? (void *)&s->frame4 : (void *)&s->frame6;
	options->data_size_in = family == 4 ? sizeof(s->frame4) : sizeof(s->frame6);
	context.data_end = options->data_size_in;
	options->ctx_in = &context;
	options->ctx_size_in = sizeof(context);
	if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.next), &zero, &program, BPF_ANY))
		fail("tail call");
	began = cpu_ns();
	if (bpf_prog_test_run_opts(generator, options))
		fail("test run");
	return (cpu_ns() - began) / options->repeat;
}

double sender_run(struct sender *s, int program, int family, int packets)
{
	struct bpf_test_run_opts options = { .repeat = packets };
	double ns = run(s, program, family, &options);

	if (options.retval == XDP_ABORTED) {
		fprintf(stderr, "error: bench: the packet was not understood\n");
		exit(1);
	}
	return ns;
}

double sender_run_live(struct sender *s, int program, int family, int packets)
{
	struct bpf_test_run_opts options = { .repeat = packets, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64 };
	const int last_step = bpf_program__fd(family == 4 ? s->live->progs.live4 : s->live->progs.live6);
	const int under_test = bpf_map__fd(s->live->maps.under_test);
	uint64_t made = s->live->bss->made;
	int zero = 0;
	double ns;

	if (program >= 0 ? bpf_map_update_elem(under_test, &zero, &program, BPF_ANY) :
			   bpf_map_delete_elem(under_test, &zero) && errno != ENOENT)
		fail("program under test");
	ns = run(s, last_step, family, &options);
	made = s->live->bss->made - made;
	if (made != (uint64_t)packets) {
		fprintf(stderr, "error: bench: %d frames were to be sent, and %llu were\n", packets, (unsigned long long)made);
		exit(1);
	}
	return ns;
}

void sender_let_in(struct sender *s)
{
	if (bpf_xdp_attach(s->ifindex, bpf_program__fd(s->live->progs.live_pass), XDP_FLAGS_DRV_MODE, NULL))
		fail("attach");
}

void sender_open_flows(struct sender *s, int program, int family, uint32_t flows, uint16_t port)
{
	static const struct {
		uint8_t flags;
		bool reply;
	} steps[] = { { SYN, false }, { SYN | ACK, true }, { ACK, false } };
	const uint32_t count = flows < OPENED_AT_ONCE ? flows : OPENED_AT_ONCE;
	struct traffic *traffic = sender_traffic(s);

	traffic->port = port;
	traffic->ports = 0;
	traffic->counted = 1;
	traffic->mask = count - 1;
	for (traffic->base = 0; traffic->base < flows; traffic->base += count)
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			traffic->count = 0;
			traffic->tcp_flags = steps[i].flags;
			traffic->reply = steps[i].reply;
			sender_run(s, program, family, count);
		}
	traffic->base = 0;
	traffic->counted = 0;
	traffic->reply = 0;
}
