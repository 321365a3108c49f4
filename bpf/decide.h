/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * decide(): the stages of design section 5, in their order, for a parsed packet. Shared by every hook and by the
 * simulation in user space; knows no context, reads no clock, counts nothing.
 */
#ifndef ZW_DECIDE_H
#define ZW_DECIDE_H

#include "ban.h"
#include "block.h"
#include "fragment.h"
#include "limit.h"
#include "match_cache.h"
#include "tls.h"

/*
 * Stage spoof, ingress only: nobody else may use an address of this host, and what enters an attach point with
 * `source:` must come from there.
 */
static __always_inline bool is_spoofed(const struct work *w)
{
	return w->packet.ingress && (w->said & (ZW_MATCH_FROM_HOST | ZW_MATCH_STRANGE));
}

/* Neighbour discovery (RFC 4861 6.1, 7.1: hop limit 255 proves that no router forwarded it) and MLD (RFC 3810). */
static __always_inline bool is_essential_icmpv6(const struct packet *p)
{
	__u8 type = p->ends.port >> 8;

	switch (type) {
	case 133:
	case 135:
	case 136:
		return p->ttl == 255;
	case 134:
		return p->ttl == 255 && p->ingress && is_link_local6(p->ends.source) &&
		       !(zw_layout.source_sets && p->source_set);
	case 130:
	case 131:
	case 132:
	case 143:
		return p->ttl == 1 && is_multicast6(p->ends.destination);
	default:
		return false;
	}
}

/* DHCP as a client (RFC 2131, RFC 8415). */
static __always_inline bool is_essential_udp(const struct packet *p)
{
	const struct ends *e = &p->ends;
	__u16 sport = bpf_ntohs(e->sport), dport = bpf_ntohs(e->dport);

	if (p->family == 4) {
		if (!p->ingress)
			return sport == 68 && dport == 67 && (!e->source[0] || is_host(find_atom_rarely(4, e->source)));
		return sport == 67 && dport == 68 &&
		       (e->destination[0] == 0xffffffff || is_to_own_mac(p) || is_host(find_atom_rarely(4, e->destination)));
	}
	if (!is_link_local6(e->source))
		return false;
	if (p->ingress)
		return sport == 547 && dport == 546 && is_link_local6(e->destination);
	return sport == 546 && dport == 547 && e->destination[0] == bpf_htonl(0xff020000) && !e->destination[1] &&
	       !e->destination[2] && e->destination[3] == bpf_htonl(0x00010002);
}

static __always_inline bool is_essential(const struct packet *p)
{
	if (p->fragment != FRAGMENT_NONE)
		return false;
	if (p->ends.protocol == PROTO_ICMPV6)
		return is_essential_icmpv6(p);
	if (p->ends.protocol == PROTO_IGMP && p->family == 4)
		return p->ttl == 1 && bpf_ntohl(p->ends.destination[0]) >> 28 == 0xe;
	if (p->ends.protocol == PROTO_UDP)
		return is_essential_udp(p);
	return false;
}

/* The six combinations of SYN, FIN, RST, ACK that a TCP sends (RFC 9293 3.5, 3.10). */
static __always_inline bool are_flags_possible(__u8 tcp_flags)
{
	switch (tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) {
	case TCP_SYN:
	case TCP_SYN | TCP_ACK:
	case TCP_ACK:
	case TCP_FIN | TCP_ACK:
	case TCP_RST:
	case TCP_RST | TCP_ACK:
		return true;
	default:
		return false;
	}
}

/* Of a packet that is not TCP the flags are 0. */
static __always_inline bool is_opening_syn(const struct packet *p)
{
	return (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* For a flow's slot: the cell, and which ends are this host's. */
static __always_inline __u32 with_hosts(__u32 cell, __u32 opener, __u32 other)
{
	return cell | ZW_CELL_HOSTS_KNOWN | (is_host(opener) ? ZW_CELL_FROM_HOST : 0) |
	       (is_host(other) ? ZW_CELL_TO_HOST : 0);
}

/* The cell that allows a live flow which is decided, with what is known of the flow (ZW_TLS_STATE). */
static __always_inline __u32 decided_cell(const struct flow *f)
{
	return (__u32)f->terms & ~ZW_CELL_HOSTS;
}

/*
 * Another generation has decided this live flow, or its rule has ended: its first packet is decided again (source and destination
 * are the atoms of the packet's, or the quoted packet's, ends), and an allowed flow is stamped. Returns the cell as
 * decided_cell(), or 0 if the flow is revoked.
 */
static __always_inline __u32 decide_again(struct flow *f, __u32 from_opener, __u8 protocol, __u32 source, __u32 destination,
					  struct asked *asked)
{
	const __u32 opener = from_opener ? source : destination, other = from_opener ? destination : source;
	const __u64 terms = f->terms;
	__u32 cell;

	cell = policy_cell(opener, other, protocol, terms >> 32 & 0xffff, asked);
	if (!(cell & ZW_CELL_ALLOW) || (zw_layout.has_tls && !takes_over(terms, cell)))
		return 0;
	cell |= taken_state(terms, cell);
	flow_restamp(f, terms, zw_layout.generation, with_hosts(cell, opener, other));
	return cell;
}

/* Stage flow for a packet that is no opening SYN. */
static __always_inline void decide_flow(struct work *w, struct flow *f, __u32 from_opener)
{
	struct outcome *o = &w->outcome;
	__u32 cell;

	if (is_decided(f, &w->packet.asked)) {
		cell = decided_cell(f);
	} else {
		need_atoms(w);
		cell = decide_again(f, from_opener, w->packet.ends.protocol, o->source, o->destination, &w->packet.asked);
	}
	o->port = f->terms >> 32;
	o->is_reversed = from_opener ^ 1;
	if (!cell) {
		end(o, ZW_DROP_REVOKED, f->terms, flow_generation(f));
		return;
	}
	if (zw_layout.has_tls && (cell & ZW_CELL_TLS)) {
		bool passes = passes_tls(&w->packet, f, from_opener, &cell);

		if (w->packet.hello == HELLO_WANTED)
			return;
		if (!passes) {
			end(o, ZW_DROP_PLAINTEXT, cell, zw_layout.generation);
			return;
		}
	}
	flow_advance(f, &w->lookup, &w->packet, from_opener);
	if (zw_layout.has_tls && (cell & ZW_TLS_STATE) == ZW_TLS_WAITING && !f->waits)
		settle(f, cell, 0); /* it has ended without a word */
	flow_count(f, &w->lookup, &w->packet, from_opener);
	end(o, ZW_ALLOW_FLOW, cell, zw_layout.generation);
}

/*
 * Stage related: an ICMP error about a packet of a live flow that stage flow would allow. Returns the flow's
 * cell, or 0.
 */
ZW_GLOBAL __u32 zw_related_cell(struct packet *p, struct quote *q)
{
	struct flow f;

	if (!p || !q || !is_same_address(p->ends.destination, q->ends.source))
		return 0;
	if (!flow_find(p->family, &q->ends, p->now, &q->lookup, &f))
		return 0;
	if (is_decided(&f, &p->asked))
		return decided_cell(&f);
	return decide_again(&f, is_from_opener(&f, &q->lookup.key), q->ends.protocol,
			    find_atom_rarely(p->family, q->ends.source), find_atom_rarely(p->family, q->ends.destination), &p->asked);
}

static __always_inline bool decide_related(struct work *w)
{
	__u32 cell;

	if (!w->packet.has_quoted)
		return false;
	cell = zw_related_cell(&w->packet, &w->quote);
	if (!cell)
		return false;
	w->outcome.port = w->packet.ends.port;
	end(&w->outcome, ZW_ALLOW_RELATED, cell, zw_layout.generation);
	return true;
}

/* Remembers an allowed first packet, if its kind leaves a flow. Returns whether it does. */
static __always_inline int open_flow(struct work *w, __u32 cell)
{
	const struct packet *p = &w->packet;
	struct traffic moved;
	int opened;

	w->lookup.opening = (struct opening){
		.now = p->now,
		.generation = zw_layout.generation,
		.cell = cell | ZW_CELL_HOSTS_KNOWN | (w->said & ZW_MATCH_FROM_HOST ? ZW_CELL_FROM_HOST : 0) |
			(w->said & ZW_MATCH_TO_HOST ? ZW_CELL_TO_HOST : 0),
		.state = opening_state(p),
		.port = p->ends.port,
		.alone = zw_layout.simulate,
		.hinted = w->hinted,
	};
	if (w->lookup.opening.state == ZW_FLOW_FREE)
		return 0;
	if (p->ends.protocol == PROTO_TCP)
		w->lookup.opening.window[SIDE_OPENER] = opening_window(p);
	add_recent(&w->lookup.opening.recent, p->packets, p->bytes, &moved);
	opened = flow_open(&w->lookup, p->family);
	if (opened && moved.packets)
		zw_flow_settle(&w->lookup, moved.packets, moved.bytes, SIDE_OPENER, p->family);
	return opened;
}

/* Stage limit, of a first packet that policy allows. What was decided where it entered has left a flow or taken its token there. */
static __always_inline bool is_over_limit(struct work *w, __u32 cell)
{
	if (!zw_layout.limit_count || !(cell & ZW_CELL_LIMIT) || w->packet.again)
		return false;
	return !zw_limit_admits(w, cell & ZW_CELL_RULE);
}

/*
 * What a rule with `tls` asks of a packet that it allows, before stage limit takes a token. Returns whether that is all:
 * without a flow it lets nothing pass but a SYN; or the packet cannot be decided yet.
 */
static __always_inline bool ends_before_limit(struct work *w, __u32 cell)
{
	if (!zw_layout.has_tls || !(cell & ZW_CELL_TLS))
		return false;
	if (is_opening_syn(&w->packet))
		return has_payload(&w->packet) && wants_hello(&w->packet);
	end(&w->outcome, ZW_DROP_TCP_STATE, 0, zw_layout.generation);
	return true;
}

/* Stage tls of a SYN that policy allows by *cell. Where it is the first of a flow, *cell becomes the flow's. */
static __always_inline bool is_plaintext(struct work *w, struct flow *repeated, __u32 *cell)
{
	__u32 own = repeated ? decided_cell(repeated) : 0;

	if (!zw_layout.has_tls || !(*cell & ZW_CELL_TLS))
		return false;
	if (own & ZW_CELL_TLS)
		return !passes_tls(&w->packet, repeated, is_from_opener(repeated, &w->lookup.key), &own);
	return !passes_tls_opening(&w->packet, cell);
}

/*
 * What the staged rule that would decide this first packet asks of it, as if it were enforced. Returns whether the packet cannot
 * be decided yet.
 */
static __always_inline bool ends_in_staged(struct work *w)
{
	struct packet *p = &w->packet;
	__u32 staged = w->outcome.staged;
	bool syn;

	if (!zw_layout.has_staged_tls || !(staged & ZW_CELL_TLS))
		return false;
	syn = is_opening_syn(p);
	if (syn && !has_payload(p))
		return false;
	if (syn && wants_hello(p))
		return true;
	if (!syn || !is_checked(with_hello(0, p->hello), staged))
		w->outcome.staged &= ~ZW_CELL_ALLOW;
	return false;
}

static __always_inline void end_allowed(struct outcome *o, __u32 cell)
{
	__u32 reason = cell & ZW_CELL_RULE ? ZW_ALLOW_RULE : cell & ZW_CELL_INTRA ? ZW_ALLOW_INTRA_ZONE : ZW_ALLOW_DEFAULT;

	end(o, reason, cell, zw_layout.generation);
}

/*
 * A SYN that policy allows by this cell: does it repeat the opening of a live flow? Then that was all: it takes no token, and
 * opens nothing. One that has to give way is as if it were not there.
 */
ZW_GLOBAL int zw_decide_repeated(struct work *w, __u32 cell)
{
	const struct packet *p;
	struct outcome *o;
	struct flow f;
	__u32 from_opener;

	if (!w)
		return 0;
	p = &w->packet;
	o = &w->outcome;
	if (!flow_find(p->family, &p->ends, p->now, &w->lookup, &f) || gives_way(f.head_word))
		return 0;
	if (is_plaintext(w, &f, &cell)) {
		end(o, ZW_DROP_PLAINTEXT, cell, zw_layout.generation);
		return 1;
	}
	end_allowed(o, cell);
	o->staged = 0; /* it was counted when it came first */
	from_opener = is_from_opener(&f, &w->lookup.key);
	if (from_opener)
		repeat_opening(&f, p);
	flow_count(&f, &w->lookup, p, from_opener);
	return 1;
}

/* Stages policy, limit and tls. Whether a SYN repeats a flow's opening is asked only here: what policy denies is no flow's. */
static __always_inline void decide_policy(struct work *w)
{
	const struct packet *p = &w->packet;
	struct outcome *o = &w->outcome;
	__u32 cell = first_cell(w);

	o->port = p->ends.port;
	if (zw_layout.variants)
		o->staged = p->asked.staged;
	if (ends_in_staged(w))
		return;
	if (!(cell & ZW_CELL_ALLOW)) {
		o->is_new = 1;
		end(o, cell & ZW_CELL_RULE ? ZW_DROP_RULE : ZW_DROP_DEFAULT, cell, zw_layout.generation);
		return;
	}
	if (ends_before_limit(w, cell))
		return;
	if (is_opening_syn(p) && zw_decide_repeated(w, cell))
		return;
	if (is_over_limit(w, cell)) {
		end(o, ZW_DROP_LIMIT, cell, zw_layout.generation);
		return;
	}
	if (is_plaintext(w, NULL, &cell)) {
		end(o, ZW_DROP_PLAINTEXT, cell, zw_layout.generation);
		return;
	}
	end_allowed(o, cell);
	w->opens = 1;
	o->is_new = open_flow(w, cell);
}

static __always_inline bool is_icmp(const struct packet *p)
{
	return p->ends.protocol == PROTO_ICMP || p->ends.protocol == PROTO_ICMPV6;
}

/* Can the packet be a flow's? Of ICMP only echo messages have flows, and a request is found only where its sender opened. */
static __always_inline bool may_follow(const struct packet *p)
{
	return !is_icmp(p) || p->ends.echo;
}

/*
 * Does all that stage spoof would ask the tables of this packet stand in its flow? This generation has decided the flow, and the
 * attach point takes any source but this host's. Then no table is read for it, unless its rule has ended. Returns the flow's
 * cell, or 0. What stage spoof asks is taken from this one reading: the slot may go to another flow at any time.
 */
static __always_inline __u32 settled_cell(struct packet *p, const struct flow *f)
{
	__u32 cell = f->terms;

	if (flow_generation(f) != zw_layout.generation || !(cell & ZW_CELL_HOSTS_KNOWN))
		return 0;
	return zw_layout.source_sets && p->source_set ? 0 : cell;
}

/* Stage spoof for such a packet: has this host's end sent it? */
static __always_inline bool is_settled_spoofed(const struct packet *p, __u32 cell, __u32 from_opener)
{
	_Static_assert(ZW_CELL_TO_HOST == ZW_CELL_FROM_HOST << 1, "no branch chooses between them");

	return p->ingress && (cell & ZW_CELL_FROM_HOST << (from_opener ^ 1));
}

/* Stages flow, related, state, policy and limit. f: the packet's live flow, or NULL. */
static __always_inline void decide_state(struct work *w, struct flow *f, __u32 from_opener)
{
	const struct packet *p = &w->packet;

	if (f) {
		decide_flow(w, f, from_opener);
		return;
	}
	if (decide_related(w))
		return;
	if (!is_opening_syn(p) && p->ends.protocol == PROTO_TCP && (zw_layout.tcp_strict || (p->tcp_flags & TCP_SYN))) {
		end(&w->outcome, ZW_DROP_TCP_STATE, 0, zw_layout.generation);
		return;
	}
	decide_policy(w);
}

/* The failsafe entry that lets a packet pass, and how it was asked. */
struct failsafe {
	__u32 cell;
	__u16 port, is_reversed;
};

/* The packet itself, or, unless it is a SYN, the packet with its ends and ports exchanged. ICMP has no ports to exchange. */
static __always_inline bool find_failsafe(struct work *w, struct failsafe *f)
{
	const struct packet *p = &w->packet;
	const struct outcome *o = &w->outcome;

	f->port = p->ends.port;
	f->is_reversed = 0;
	f->cell = failsafe_towards(failsafe_cell(w), p->ingress);
	if (!(f->cell & ZW_CELL_ALLOW) && !is_opening_syn(p)) {
		if (p->ends.protocol == PROTO_TCP || p->ends.protocol == PROTO_UDP || p->ends.protocol == PROTO_SCTP)
			f->port = bpf_ntohs(p->ends.sport);
		need_atoms(w);
		f->cell = failsafe_towards(zw_failsafe_cell(o->destination, o->source, p->ends.protocol, f->port), !p->ingress);
		f->is_reversed = 1;
	}
	return f->cell & ZW_CELL_ALLOW;
}

/* Failsafe, over stages block, flow, related, state, policy, limit and tls. */
static __always_inline void decide_failsafe(struct work *w)
{
	struct outcome *o = &w->outcome;
	struct failsafe f;

	if (!find_failsafe(w, &f))
		return;
	o->is_new = 0;
	o->port = f.port;
	o->is_reversed = f.is_reversed;
	end(o, ZW_ALLOW_FAILSAFE, f.cell, zw_layout.generation);
}

/* A staged rule that would drop the packet decides nothing where failsafe would let it pass all the same. */
static __always_inline void judge_staged(struct work *w)
{
	struct outcome *o = &w->outcome;
	struct failsafe f;

	if (!o->staged || (o->staged & ZW_CELL_ALLOW) || !zw_layout.has_failsafe)
		return;
	if (!ZW_REASON_IS_DROP(o->reason) && find_failsafe(w, &f))
		o->staged = 0;
}

/* Stage block, and failsafe over it. Returns whether that was all. */
ZW_GLOBAL int zw_decide_blocked(struct work *w)
{
	const struct packet *p;
	struct outcome *o;

	if (!w)
		return 0;
	p = &w->packet;
	o = &w->outcome;
	if (!is_blocked(p))
		return 0;
	end(o, ZW_DROP_BLOCKED, 0, zw_layout.generation);
	if (zw_layout.has_failsafe)
		decide_failsafe(w);
	return 1;
}

/*
 * Will the packet, which no flow was found for, open one, as the last such packet here did? The tables will say; if so, the lines
 * of the flow come meanwhile. What came in before it leaves has opened its flow there.
 */
static __always_inline void expect_flow(struct work *w)
{
	const struct packet *p = &w->packet;
	const bool expected = w->opens;

	if (!p->counted)
		return;
	w->opens = 0; /* until policy allows it */
	if (expected && p->fragment == FRAGMENT_NONE && (is_opening_syn(p) || p->ends.protocol == PROTO_UDP))
		w->hinted = zw_flow_expect(&w->lookup, &p->ends, p->now, zw_layout.simulate, p->family);
}

/*
 * The stages in their order, but that fragments are asked for before essentials and TCP flags, which are for packets that have
 * their header. The flow is looked for first: what its slot says of a packet is what the tables would, and
 * they are read only for other packets. A SYN that opens is no flow's packet before policy allows it (decide_policy()).
 */
ZW_GLOBAL int zw_decide_stages(struct work *w)
{
	struct packet *p;
	bool found, spoofed;
	__u32 settled = 0, from_opener = 0;
	struct outcome *o;
	struct flow f;

	if (!w)
		return 0;
	p = &w->packet;
	o = &w->outcome;
	found = p->fragment < FRAGMENT_CUT && !is_opening_syn(p) && may_follow(p) &&
		flow_find(p->family, &p->ends, p->now, &w->lookup, &f);
	w->hinted = 0;
	if (found) {
		settled = settled_cell(p, &f);
		from_opener = is_from_opener(&f, &w->lookup.key);
	}
	if (settled) {
		w->match = NO_MATCH;
		spoofed = is_settled_spoofed(p, settled, from_opener);
	} else {
		if (!found)
			expect_flow(w);
		ask_ends(w);
		spoofed = is_spoofed(w);
	}
	if (spoofed)
		end(o, ZW_DROP_SPOOFED, 0, zw_layout.generation);
	else if (p->fragment == FRAGMENT_LATER)
		decide_later(w);
	else if (p->fragment == FRAGMENT_CUT)
		end(o, ZW_DROP_FRAGMENT, 0, zw_layout.generation);
	else if (p->ends.protocol != PROTO_TCP && is_essential(p))
		end(o, ZW_ALLOW_ESSENTIAL, 0, zw_layout.generation);
	else if (p->ends.protocol == PROTO_TCP && !are_flags_possible(p->tcp_flags))
		end(o, ZW_DROP_TCP_STATE, 0, zw_layout.generation);
	else if (!is_list_used() || !zw_decide_blocked(w)) {
		decide_state(w, found ? &f : NULL, from_opener);
		if (zw_layout.has_failsafe && ZW_REASON_IS_DROP(o->reason))
			decide_failsafe(w);
		if (zw_layout.variants)
			judge_staged(w);
		if (zw_layout.has_bans && o->ban_s)
			zw_ban(w);
	}
	return 0;
}

/*
 * Remembering a first fragment is called from here and not from within the stages: the stacks of functions that call
 * each other may take 512 bytes together, of which Linux 6.1 counts each in steps of 32, and both ways lead into the
 * flow table.
 *
 * Returns false if it leaves the packet's hello wanted (tls.h) and nothing is decided: it is to be asked again when that is known.
 */
static __always_inline bool decide(struct work *w)
{
	zw_decide_stages(w);
	if (w->packet.hello == HELLO_WANTED)
		return false;
	if (w->packet.fragment && w->packet.fragment != FRAGMENT_LATER)
		zw_remember_first(w);
	return true;
}

#endif
