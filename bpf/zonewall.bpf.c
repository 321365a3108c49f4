/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry points: a context becomes a packet and a cursor, a reason becomes a return code. The gate (gate.bpf.c)
 * tail-calls these; they are loaded anew for each generation, with its tables and constants.
 *
 * Nothing here changes, transmits or redirects a packet. An allowed packet goes on to whatever comes after:
 * XDP_PASS, and on TC TC_ACT_UNSPEC, which lets other programs and netfilter see it.
 */
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>

#include "event.h"

char LICENSE[] SEC("license") = "GPL";

/* Bytes that a plain packet's headers need to be linear: Ethernet, two tags, IPv6, TCP. */
#define LINEAR_LEN 96

/* Ethernet and two tags. */
#define LINK_LEN 22

/* Both stand at even addresses, and are copied so. */
static __always_inline void copy_mac(__u8 *to, const __u8 *from)
{
	for (int i = 0; i < 6; i += 2)
		*(__u16 *)(to + i) = *(const __u16 *)(from + i);
}

/* Where packets that enter this attach point must come from. */
static __always_inline __u32 find_source(__u32 slot)
{
	struct zw_sources *sources = only_value(&zw_sources);

	return sources->set[slot & (ZW_POINT_SLOTS - 1)];
}

/* Where the packet is: the attach point. Without an entry (the loader is just adding it) slot 0 counts. */
static __always_inline void find_point(struct packet *p, struct account *a, __u32 ifindex, const enum zw_hook hook)
{
	struct zw_point *points = only_value(&zw_points);

	for (__u32 i = 0; i < ZW_POINT_PROBES; i++) {
		struct zw_point *point = &points[(ifindex + i) & (ZW_POINT_ENTRIES - 1)];

		if (point->ifindex != ifindex)
			continue;
		a->slot = point->slot[hook];
		if (zw_layout.source_sets && hook != ZW_HOOK_EGRESS)
			p->source_set = find_source(a->slot);
		p->l3 = point->flags & ZW_POINT_L3;
		copy_mac(p->mac, point->mac);
		return;
	}
}

/*
 * A packet that leaves: did it enter, as it is, where these programs decide? Its flow or its token was taken there. A device in
 * between (a VLAN's, a bridge) that these programs are not attached to makes it look as if it did not: then it is limited
 * twice, if it leaves no flow.
 */
static __always_inline bool has_entered(__u32 ifindex)
{
	struct zw_point *points = only_value(&zw_points);

	for (__u32 i = 0; i < ZW_POINT_PROBES; i++) {
		struct zw_point *point = &points[(ifindex + i) & (ZW_POINT_ENTRIES - 1)];

		if (point->ifindex == ifindex)
			return point->slot[ZW_HOOK_XDP] || point->slot[ZW_HOOK_INGRESS];
	}
	return false;
}

static __always_inline void simulate_point(struct packet *p, struct account *a)
{
	struct zw_simulation *s = only_value(&zw_simulation);

	a->jiffies = s->jiffies;
	p->asked.seconds = s->seconds;
	a->slot = s->slot;
	p->source_set = s->source_set;
	p->l3 = s->flags & ZW_POINT_L3;
	copy_mac(p->mac, s->mac);
}

static __always_inline void open_packet(struct packet *p, struct account *a, void *ctx, const enum zw_hook hook)
{
	struct __sk_buff *skb = ctx;
	struct xdp_md *xdp = ctx;

	a->jiffies = bpf_jiffies64();
	a->cpu = bpf_get_smp_processor_id();
	a->egress = hook == ZW_HOOK_EGRESS;
	p->counted = hook != ZW_HOOK_EGRESS || !skb->ingress_ifindex;
	p->ingress = hook != ZW_HOOK_EGRESS;
	if (hook != ZW_HOOK_XDP)
		p->ethertype = skb->protocol;
	if (zw_layout.simulate)
		simulate_point(p, a);
	else
		find_point(p, a, hook == ZW_HOOK_XDP ? xdp->ingress_ifindex : skb->ifindex, hook);
	p->now = a->jiffies;
	if (zw_layout.limit_count && hook == ZW_HOOK_EGRESS && !p->counted)
		p->again = has_entered(skb->ingress_ifindex);
}

/* Points the cursor at the frame: first as it is, then (again) with all that can be had of it. */
static __always_inline void load_frame(struct packet *p, struct cursor *c, void *ctx, const enum zw_hook hook,
				       bool again)
{
	struct __sk_buff *skb = ctx;
	struct xdp_md *xdp = ctx;

	p->l3_offset = 0;
	p->fragment = 0;
	p->whole = again;
	if (hook == ZW_HOOK_XDP) {
		p->tags = 0;
		p->vlan = 0;
		c->start = (const __u8 *)(long)xdp->data;
		c->pos = c->start;
		c->end = (const __u8 *)(long)xdp->data_end;
		p->frame_len = again ? bpf_xdp_get_buff_len(xdp) : c->end - c->pos;
		p->whole = again && p->frame_len == c->end - c->pos;
		return;
	}
	if (again)
		bpf_skb_pull_data(skb, skb->len < LINEAR_LEN ? skb->len : LINEAR_LEN);
	p->tags = skb->vlan_present;
	p->vlan = p->tags ? skb->vlan_tci & 0x0fff : 0;
	p->gso = skb->gso_size != 0;
	p->frame_len = skb->len;
	c->start = (const __u8 *)(long)skb->data;
	c->pos = c->start;
	c->end = (const __u8 *)(long)skb->data_end;
}

/* The rare packets: see packet.h. */
static __always_inline int parse_rare(struct work *w, void *ctx, const enum zw_hook hook)
{
	struct packet *p = &w->packet;
	struct scratch *s = &w->scratch;
	__s64 len;
	int err;

	if (hook == ZW_HOOK_XDP)
		p->frame_len = bpf_xdp_get_buff_len(ctx);
	len = p->frame_len - p->l3_offset;
	if (len > SCRATCH_LEN)
		len = SCRATCH_LEN;
	/* Both bounds apart, in a form that the verifier of 6.1 follows. */
	barrier_var(len);
	if (len <= 0)
		return ZW_DROP_MALFORMED;
	barrier_var(len);
	if (len > SCRATCH_LEN)
		return ZW_DROP_MALFORMED;
	if (hook == ZW_HOOK_XDP)
		err = bpf_xdp_load_bytes(ctx, p->l3_offset, s->bytes, len);
	else
		err = bpf_skb_load_bytes(ctx, p->l3_offset, s->bytes, len);
	if (err)
		return ZW_DROP_MALFORMED;
	return zw_parse_deep(p, s, &w->quote.ends, len);
}

/* XDP: some drivers leave the headers of a frame in several buffers outside the first one, or some of them. */
static __always_inline int parse_split(struct work *w, void *ctx)
{
	struct packet *p = &w->packet;
	__u8 *bytes = w->scratch.bytes;
	struct cursor c = { .start = bytes, .pos = bytes, .end = bytes + LINK_LEN };
	int err;

	p->l3_offset = 0;
	p->tags = 0;
	p->vlan = 0;
	p->whole = 1;
	if (bpf_xdp_load_bytes(ctx, 0, bytes, LINK_LEN))
		return ZW_DROP_MALFORMED;
	err = parse_link(p, &c, zw_layout.allow_non_ip);
	return err ? err : PARSE_DEEP;
}

static __always_inline int parse(struct work *w, void *ctx, const enum zw_hook hook)
{
	struct packet *p = &w->packet;
	struct cursor c;
	int err = PARSE_SHORT;

	for (int i = 0; i < 2 && err == PARSE_SHORT; i++) {
		load_frame(p, &c, ctx, hook, i);
		err = parse_direct(p, &c, zw_layout.allow_non_ip);
	}
	if (hook == ZW_HOOK_XDP && err == PARSE_SHORT)
		err = parse_split(w, ctx);
	return err == PARSE_DEEP ? parse_rare(w, ctx, hook) : err;
}

/*
 * Segments of a GSO packet. The stack knows them of its own; those of a guest's, through virtio_net or tun, it
 * leaves to be worked out.
 */
static __always_inline __u32 segments(const struct packet *p, struct __sk_buff *skb)
{
	__u32 known = skb->gso_segs, size = skb->gso_size;

	if (known || !size || p->bytes <= p->header_len)
		return known;
	return (p->bytes - p->header_len + size - 1) / size;
}

/* What the packet counts: each segment of a GSO packet has headers of its own. */
static __always_inline void measure(struct packet *p, void *ctx, const enum zw_hook hook)
{
	__u32 count;

	if (hook == ZW_HOOK_XDP && !p->ip_len)
		p->frame_len = bpf_xdp_get_buff_len(ctx); /* so far that of the first buffer */
	p->packets = 1;
	p->bytes = p->ip_len ? p->ip_len : p->frame_len - p->l3_offset;
	if (hook == ZW_HOOK_XDP || !p->gso)
		return;
	count = segments(p, ctx);
	if (count < 2)
		return;
	p->packets = count;
	p->bytes += (p->packets - 1) * p->header_len;
}

/* Decides, and again with the first bytes of the payload if they are wanted: see tls.h. */
static __always_inline void decide_fully(struct work *w, void *ctx, const enum zw_hook hook)
{
	struct packet *p = &w->packet;
	__u8 *bytes = w->scratch.bytes;
	int err;

	decide(w);
	if (!reads_hello() || p->hello != HELLO_WANTED)
		return;
	err = hook == ZW_HOOK_XDP ? bpf_xdp_load_bytes(ctx, payload_offset(p), bytes, HELLO_BYTES) :
				    bpf_skb_load_bytes(ctx, payload_offset(p), bytes, HELLO_BYTES);
	p->hello = err ? HELLO_NONE : read_hello(bytes);
	decide(w);
}

static __always_inline void note_simulation(const struct packet *p, struct outcome *o)
{
	struct zw_simulation *s = only_value(&zw_simulation);

	locate(p, o);
	s->reason = o->reason;
	s->rule = o->cell & ZW_CELL_RULE;
	s->staged = o->staged;
	s->atom[0] = o->source;
	s->atom[1] = o->destination;
}

struct job {
	struct work work;
	struct account account;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct job);
} zw_job SEC(".maps");

static __always_inline bool is_allowed(void *ctx, const enum zw_hook hook)
{
	struct job *job = cpu_value(&zw_job);
	struct account *a;
	struct outcome *o;
	struct work *w;
	int ended;

	if (!job)
		return false;
	w = &job->work;
	a = &job->account;
	__builtin_memset(a, 0, sizeof(*a));
	__builtin_memset(&w->packet, 0, sizeof(w->packet));
	o = &w->outcome;
	__builtin_memset(o, 0, sizeof(*o));
	o->source = ZW_NO_ATOM;
	o->destination = ZW_NO_ATOM;
	o->generation = zw_layout.generation;
	open_packet(&w->packet, a, ctx, hook);
	ended = parse(w, ctx, hook);
	measure(&w->packet, ctx, hook);
	if (ended)
		o->reason = ended > 0 ? ended : ZW_DROP_MALFORMED;
	else
		decide_fully(w, ctx, hook);
	count_point(&w->packet, a, o->reason);
	count_rule(&w->packet, a, o);
	if (zw_layout.variants)
		count_staged(&w->packet, a, o);
	if (is_told(o)) {
		if (hook == ZW_HOOK_EGRESS && w->packet.counted)
			a->cgroup = bpf_skb_cgroup_id(ctx);
		a->banned = zw_layout.has_bans && o->ban_s;
		zw_tell(&w->packet, a, o->cell, o->generation, o->reason);
	}
	if (zw_layout.simulate)
		note_simulation(&w->packet, o);
	return !ZW_REASON_IS_DROP(o->reason);
}

SEC("generation/xdp")
int zw_xdp(struct xdp_md *ctx)
{
	return is_allowed(ctx, ZW_HOOK_XDP) ? XDP_PASS : XDP_DROP;
}

/*
 * A host that listens to a group it sends to hears a copy that the stack makes (dev_loopback_xmit() in net/core/dev.c; of
 * broadcasts, too). The copy has not entered here, has no Ethernet header, and comes from `host`: it is traffic over
 * loopback, which these hooks do not decide. What left has been decided on egress. Nobody else can send one: drivers
 * set the type of every packet that they receive. Generic XDP gets the copy as well, but is not told.
 */
static __always_inline bool is_own_copy(const struct __sk_buff *skb)
{
	return skb->pkt_type == PACKET_LOOPBACK;
}

SEC("generation/tc")
int zw_ingress(struct __sk_buff *ctx)
{
	if (is_own_copy(ctx))
		return TC_ACT_UNSPEC;
	return is_allowed(ctx, ZW_HOOK_INGRESS) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

SEC("generation/tc")
int zw_egress(struct __sk_buff *ctx)
{
	return is_allowed(ctx, ZW_HOOK_EGRESS) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}
