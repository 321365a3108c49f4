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

/* Ethernet and two tags. */
#define LINK_LEN 22

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

		barrier_var(point); /* worked out once */
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

	p->now = s->jiffies;
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

	a->flags = hook == ZW_HOOK_EGRESS ? ZW_EVENT_EGRESS : 0;
	a->slot = 0;
	p->counted = hook != ZW_HOOK_EGRESS || !skb->ingress_ifindex;
	p->ingress = hook != ZW_HOOK_EGRESS;
	if (hook != ZW_HOOK_XDP)
		p->ethertype = skb->protocol;
	if (zw_layout.simulate)
		simulate_point(p, a);
	else
		find_point(p, a, hook == ZW_HOOK_XDP ? xdp->ingress_ifindex : skb->ifindex, hook);
	if (zw_layout.limit_count && hook == ZW_HOOK_EGRESS && !p->counted)
		p->again = has_entered(skb->ingress_ifindex);
}

/* The tags that are not in the frame. */
static __always_inline void read_tags(struct packet *p, const struct __sk_buff *skb, const enum zw_hook hook)
{
	p->tags = hook == ZW_HOOK_XDP ? 0 : skb->vlan_present;
	p->vlan = p->tags ? skb->vlan_tci & 0x0fff : 0;
}

/* Points the cursor at what can be read at once. */
static __always_inline void load_frame(struct packet *p, struct cursor *c, void *ctx, const enum zw_hook hook)
{
	struct __sk_buff *skb = ctx;
	struct xdp_md *xdp = ctx;

	p->l3_offset = 0;
	p->fragment = FRAGMENT_NONE;
	read_tags(p, ctx, hook);
	if (hook == ZW_HOOK_XDP) {
		c->start = (const __u8 *)(long)xdp->data;
		c->end = (const __u8 *)(long)xdp->data_end;
		p->frame_len = c->end - c->start;
	} else {
		c->start = (const __u8 *)(long)skb->data;
		c->end = (const __u8 *)(long)skb->data_end;
		p->frame_len = skb->len;
		p->gso = skb->gso_size != 0;
	}
	c->pos = c->start;
}

static __always_inline int load_bytes(void *ctx, __u32 offset, void *to, __u32 len, const enum zw_hook hook)
{
	return hook == ZW_HOOK_XDP ? bpf_xdp_load_bytes(ctx, offset, to, len) : bpf_skb_load_bytes(ctx, offset, to, len);
}

/* Copies what there is from l3_offset on, up to so many bytes (a constant). Returns how many, or 0. */
static __always_inline __u32 load_scratch(struct work *w, void *ctx, const __u32 most, const enum zw_hook hook)
{
	struct packet *p = &w->packet;
	__s64 len;

	len = p->frame_len - p->l3_offset;
	if (len > most)
		len = most;
	/* Both bounds apart, in a form that the verifier of 6.1 follows. */
	barrier_var(len);
	if (len <= 0)
		return 0;
	barrier_var(len);
	if (len > most)
		return 0;
	return load_bytes(ctx, p->l3_offset, w->scratch.bytes, len, hook) ? 0 : len;
}

/* The rare packets: see packet.h. */
static __always_inline int parse_rare(struct work *w, void *ctx, const enum zw_hook hook)
{
	__u32 len;

	if (hook == ZW_HOOK_XDP)
		w->packet.frame_len = bpf_xdp_get_buff_len(ctx);
	len = load_scratch(w, ctx, SCRATCH_LEN, hook);
	return len ? zw_parse_deep(&w->packet, &w->scratch, &w->quote.ends, len) : ZW_DROP_MALFORMED;
}

/*
 * Some drivers leave the headers of a frame, or some of them, in other memory than the first; and so is the rest of a long one.
 * have: bytes in the first. A frame that has no more is not what its IP header says.
 */
static __always_inline int parse_split(struct work *w, void *ctx, __u32 have, const enum zw_hook hook)
{
	struct packet *p = &w->packet;
	__u8 *bytes = w->scratch.bytes;
	struct cursor c = { .start = bytes, .pos = bytes };
	__be16 type;
	int err;

	if (hook == ZW_HOOK_XDP)
		p->frame_len = bpf_xdp_get_buff_len(ctx);
	if (p->frame_len == have)
		return ZW_DROP_MALFORMED;
	p->whole = 1;
	p->l3_offset = 0;
	read_tags(p, ctx, hook);
	c.end = bytes + load_scratch(w, ctx, LINK_LEN, hook);
	err = parse_link(p, &c, zw_layout.allow_non_ip, &type);
	if (err)
		return err;
	p->family = type == bpf_htons(ETHERTYPE_IPV4) ? 4 : 6;
	return PARSE_DEEP;
}

static __always_inline int parse(struct work *w, void *ctx, const enum zw_hook hook)
{
	struct cursor c;
	int err;

	load_frame(&w->packet, &c, ctx, hook);
	err = parse_direct(&w->packet, &c, zw_layout.allow_non_ip);
	if (err == PARSE_SHORT)
		err = parse_split(w, ctx, c.end - c.start, hook);
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

	p->packets = 1;
	p->bytes = p->ip_len;
	if (!p->ip_len) {
		if (hook == ZW_HOOK_XDP)
			p->frame_len = bpf_xdp_get_buff_len(ctx); /* so far that of the first buffer */
		p->bytes = p->frame_len - p->l3_offset;
	}
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

	if (decide(w) || !reads_hello())
		return;
	p->hello = load_bytes(ctx, payload_offset(p), bytes, HELLO_BYTES, hook) ? HELLO_NONE : read_hello(bytes);
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
} __attribute__((aligned(128))); /* no line of it, nor the one that is fetched beside that, is another CPU's */

ZW_ONE_VALUE(zw_jobs, sizeof(struct job)); /* one for each CPU; what user space may map begins with a page */

static __always_inline __u64 this_cpu(void)
{
	__u64 cpu = bpf_get_smp_processor_id();

	barrier_var(cpu);
	return cpu;
}

static __always_inline struct job *job_at(__u64 cpu)
{
	struct job *job = only_value(&zw_jobs);

	if (cpu >= zw_cpus)
		return NULL;
	barrier_var(cpu); /* clang would multiply first, and 6.1 does not know what is compared afterwards */
	job += cpu;
	barrier_var(job); /* worked out once */
	return job;
}

static __always_inline bool is_allowed(void *ctx, const enum zw_hook hook)
{
	const __u64 cpu = this_cpu();
	struct job *job = job_at(cpu);
	struct account *a;
	struct outcome *o;
	struct work *w;
	/* All calls come before what is cleared, since clang does not know that they leave it alone. */
	const __u64 now = bpf_jiffies64();
	int ended;

	if (!job)
		return false;
	w = &job->work;
	a = &job->account;
	clear_packet(&w->packet);
	o = &w->outcome;
	clear_outcome(o);
	w->packet.now = now;
	open_packet(&w->packet, a, ctx, hook);
	ended = parse(w, ctx, hook);
	measure(&w->packet, ctx, hook);
	if (ended)
		end(o, ended > 0 ? ended : ZW_DROP_MALFORMED, 0, zw_layout.generation);
	else
		decide_fully(w, ctx, hook);
	count_point(&w->packet, cpu, a->slot, o->reason);
	count_rule(&w->packet, cpu, o);
	if (zw_layout.variants)
		count_staged(&w->packet, cpu, o);
	if (is_told(o)) {
		a->cgroup = hook == ZW_HOOK_EGRESS && w->packet.counted ? bpf_skb_cgroup_id(ctx) : 0;
		if (zw_layout.has_bans && o->ban_s)
			a->flags |= ZW_EVENT_BANNED;
		zw_tell(w, a);
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
