// SPDX-License-Identifier: GPL-2.0-only
#include "bench/sender.h"

#include <linux/if_link.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/util.h"
#include "bench/frames.h"

#include "bench/live.skel.h" /* know no types but these */
#include "bench/traffic.skel.h"

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
 * By their section's name libbpf makes programs xdp.frags, whatever flags they are given, so another handler of that
 * section makes plain XDP programs of them. It is kept: libbpf 1.1 frees its list of handlers twice when the last of
 * them is taken off.
 */
static void load_plain_from_now_on(void)
{
	static bool registered;

	if (!registered && libbpf_register_prog_handler("xdp.frags", BPF_PROG_TYPE_XDP, BPF_XDP, NULL) < 0)
		fail("handler of xdp.frags");
	registered = true;
}

struct sender *sender_new(const char *interface, bool frags)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (!s)
		fail(interface);
	s->ifindex = if_nametoindex(interface);
	address_frames(s, interface);
	if (!frags)
		load_plain_from_now_on();
	s->skel = traffic_bpf__open_and_load();
	s->live = live_bpf__open_and_load();
	if (!s->skel || !s->live)
		fail("programs that send");
	return s;
}

void sender_let_in(struct sender *s)
{
	if (bpf_xdp_attach(s->ifindex, bpf_program__fd(s->live->progs.live_pass), XDP_FLAGS_DRV_MODE, NULL))
		fail("attach");
}

int sender_floor(const struct sender *s)
{
	return bpf_program__fd(s->skel->progs.floor_drop);
}

/* Sets the one entry of an array of programs; program -1: empties it. */
static void set_next(const struct bpf_map *map, int program)
{
	int zero = 0;

	if (program >= 0 ? bpf_map_update_elem(bpf_map__fd(map), &zero, &program, BPF_ANY) :
			   bpf_map_delete_elem(bpf_map__fd(map), &zero) && errno != ENOENT)
		fail("tail call");
}

static double run(struct sender *s, bool v6, int count)
{
	const int generator = bpf_program__fd(v6 ? s->skel->progs.traffic6 : s->skel->progs.traffic4);
	struct xdp_md context = { .data_end = v6 ? sizeof(s->frame6) : sizeof(s->frame4),
				  .ingress_ifindex = s->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = v6 ? (void *)&s->frame6 : (void *)&s->frame4,
		    .data_size_in = context.data_end, .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .repeat = count, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
	uint64_t began = drive_thread_ns();

	if (bpf_prog_test_run_opts(generator, &options))
		fail("live frames");
	return (double)(drive_thread_ns() - began) / count;
}

double sender_run(struct sender *s, int program, const struct packets *packets, int count)
{
	const bool v6 = packets->family == 6;
	uint64_t made = s->live->bss->made;
	double ns;

	set_next(s->live->maps.under_test, program);
	set_next(s->skel->maps.next, bpf_program__fd(v6 ? s->live->progs.live6 : s->live->progs.live4));
	s->skel->bss->traffic = packets->traffic;
	ns = run(s, v6, count);
	made = s->live->bss->made - made;
	if (made != (uint64_t)count) {
		fprintf(stderr, "error: bench: %d frames were to be sent, and %llu were\n", count, (unsigned long long)made);
		exit(1);
	}
	return ns;
}
