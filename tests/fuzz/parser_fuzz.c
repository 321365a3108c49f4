// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser alone, as the entry points use it, over frames of any bytes. Whatever way a frame is read, what is read is
 * the same: whole or with any first buffer, on XDP and on TC, where it lies or from scratch.
 *
 * Input: a byte of ways (WAY_...), the length of the first buffer, then the frame.
 */
#include <stdio.h>

#include "frame.h"
#include "program.h"

enum {
	WAY_L3 = 1, /* no Ethernet header; TC tells the protocol */
	WAY_IPV6 = 2, /* which is then IPv6 */
	WAY_GSO = 4, /* TC only */
	WAY_TAG = 8, /* TC only: a tag in metadata */
	WAY_NON_IP = 16, /* defaults.non-ip: allow */
};
#define HEAD 2

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static struct zw_layout layout[2]; /* by WAY_NON_IP */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	layout[1].allow_non_ip = 1;
	layout[0].simulate = layout[1].simulate = 1;
	program_load();
	return 0;
}

/* What came of one way to read the frame. */
struct reading {
	struct packet packet;
	struct ends quoted;
	int ended;
};

/* Fields that say how the frame was read, not what was. */
static void clear_ways(struct reading *r)
{
	r->packet.frame_len = 0;
	r->packet.whole = 0;
	if (r->ended || !r->packet.has_quoted)
		memset(&r->quoted, 0, sizeof(r->quoted));
	if (r->ended)
		memset(&r->packet, 0, sizeof(r->packet));
}

static void read_frame(struct context *c, enum zw_hook hook, size_t first, struct reading *r)
{
	struct job *job = program_map(&zw_jobs);

	context_show(c, first);
	memset(&job->work.packet, 0xa5, sizeof(job->work.packet)); /* of a packet before */
	clear_packet(&job->work.packet);
	memset(&job->account, 0, sizeof(job->account));
	open_packet(&job->work.packet, &job->account, c, hook);
	job->work.packet.counted = job->work.packet.ingress = 0;
	r->ended = hook == ZW_HOOK_XDP ? parse(&job->work, c, ZW_HOOK_XDP)
				       : parse(&job->work, c, ZW_HOOK_INGRESS);
	if (r->ended < 0)
		abort(); /* all of the frame that can be had was had */
	measure(&job->work.packet, c, hook == ZW_HOOK_XDP ? ZW_HOOK_XDP : ZW_HOOK_INGRESS);
	r->packet = job->work.packet;
	r->quoted = job->work.quote.ends;
	r->packet.ethertype = 0;
	clear_ways(r);
}

/* The way through scratch, for a frame that was read where it lies. */
static void read_deep(struct context *c, const struct reading *direct, struct reading *r)
{
	struct job *job = program_map(&zw_jobs);
	struct work *w = &job->work;

	w->packet.frame_len = c->len;
	r->ended = parse_rare(w, c, ZW_HOOK_XDP);
	r->packet = w->packet;
	r->quoted = w->quote.ends;
	r->packet.ethertype = 0;
	if (r->packet.has_quoted && !direct->packet.has_quoted)
		abort(); /* only parse_deep() reads what an ICMP error quotes, and errors always get there */
	clear_ways(r);
}

static void same(const struct reading *a, const struct reading *b, const char *ways)
{
	if (!memcmp(a, b, sizeof(*a)))
		return;
	for (size_t i = 0; i < sizeof(*a); i++)
		if (((const uint8_t *)a)[i] != ((const uint8_t *)b)[i])
			fprintf(stderr, "%s: byte %zu differs\n", ways, i);
	fprintf(stderr, "%s: ended %d, then %d\n", ways, a->ended, b->ended);
	abort();
}

static void check_xdp(struct context *c, size_t first)
{
	struct reading whole = { 0 }, split = { 0 }, deep = { 0 };

	read_frame(c, ZW_HOOK_XDP, c->len, &whole);
	if (!whole.ended) {
		read_deep(c, &whole, &deep);
		same(&whole, &deep, "XDP, where it lies and from scratch");
	}
	if (first < c->len) {
		read_frame(c, ZW_HOOK_XDP, first, &split);
		same(&whole, &split, "XDP, whole and split");
	}
}

static void check_ingress(struct context *c, size_t first)
{
	struct reading whole = { 0 }, split = { 0 };

	read_frame(c, ZW_HOOK_INGRESS, c->len, &whole);
	if (first < c->len) {
		read_frame(c, ZW_HOOK_INGRESS, first, &split);
		same(&whole, &split, "TC, linear and not");
	}
}

static void tell(unsigned ways)
{
	static unsigned told = ~0u;
	struct zw_simulation *s = program_map(&zw_simulation);

	s->flags = ways & WAY_L3 ? ZW_POINT_L3 : 0;
	if (told == (ways & WAY_NON_IP))
		return;
	told = ways & WAY_NON_IP;
	set_constant(&zw_layout, &layout[!!told], sizeof(layout[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct context c = { .ifindex = 1, .ingress_ifindex = 1 };
	unsigned ways;

	if (size < HEAD)
		return 0;
	ways = data[0];
	c.frame = data + HEAD;
	c.len = size - HEAD;
	tell(ways);
	c.protocol = bpf_htons(ways & WAY_IPV6 ? 0x86dd : 0x0800);
	if (!(ways & (WAY_L3 | WAY_GSO | WAY_TAG)))
		check_xdp(&c, data[1]);
	c.gso_size = ways & WAY_GSO ? 1000 : 0;
	c.vlan_present = !!(ways & WAY_TAG);
	c.vlan_tci = 0x0fff;
	check_ingress(&c, data[1]);
	free(c.first);
	return 0;
}

/* Most first buffers that are worth a try are short. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	struct chance c = { seed };
	struct buffer b;

	if (below(&c, 4) == 0 || max_size < HEAD + 64)
		return LLVMFuzzerMutate(data, size, max_size);
	if (size < HEAD) {
		memset(data, 0, HEAD);
		size = HEAD;
	}
	if (below(&c, 4) == 0)
		data[0] = below(&c, 2) ? 0 : below(&c, 32);
	if (below(&c, 4) == 0)
		data[1] = below(&c, 128);
	b = (struct buffer){ .bytes = data + HEAD, .len = size - HEAD, .max = max_size - HEAD };
	mutate_frame(&b, &c, data[0] & WAY_L3);
	return HEAD + b.len;
}
