/* SPDX-License-Identifier: GPL-2.0-only */
#include "oracle_flow.h"
#include "oracle_tls.h"

#include <stdlib.h>
#include <string.h>

enum { ICMP = 1, TCP = 6, UDP = 17, AH = 51, ICMPV6 = 58, SCTP = 132 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { OPENER = 0, OTHER = 1 };

/* Section 5, timeouts in seconds. */
static const double timeouts[ZW_FLOW_STATES] = {
	[ZW_FLOW_TCP_SYN] = 120,
	[ZW_FLOW_TCP_SYN_ACK] = 60,
	[ZW_FLOW_TCP_ESTABLISHED] = 432000,
	[ZW_FLOW_TCP_FIN] = 120,
	[ZW_FLOW_TCP_CLOSING] = 30,
	[ZW_FLOW_TCP_RESET] = 10,
	[ZW_FLOW_TCP_PICKED_UP] = 300,
	[ZW_FLOW_UDP] = 30,
	[ZW_FLOW_UDP_REPLIED] = 30,
	[ZW_FLOW_UDP_CONFIRMED] = 120,
	[ZW_FLOW_ICMP] = 30,
	[ZW_FLOW_SCTP] = 60,
	[ZW_FLOW_SCTP_REPLIED] = 60,
	[ZW_FLOW_SCTP_CONFIRMED] = 210,
	[ZW_FLOW_OTHER] = 600,
};

/* Who speaks to whom: of a packet, or of the packet that an ICMP error quotes. */
struct ends {
	int family;
	uint8_t protocol;
	struct addr from, to;
	uint16_t source_port, port;
	bool echo_request, echo_reply;
};

/* What a side of a TCP connection has sent: up to `end`, and up to `acked` the other side has acknowledged it. */
struct sent {
	bool known;
	uint32_t acked, end;
};

struct flow {
	struct flow *next;
	struct ends opening; /* of the first packet */
	enum zw_flow_state state;
	bool fin[2];
	struct sent sent[2];
	double seen;
	const struct rule *rule;
	enum oracle_tls tls; /* while it waits, `sent` of the opener is the number of its first byte */
	bool tls_1_2; /* what it was checked as */
	struct oracle_asked asked;
};

struct first_fragment {
	struct first_fragment *next;
	struct addr from, to;
	uint8_t protocol;
	uint32_t id;
	size_t holds; /* bytes of the datagram, to the end of its fixed header; of an ICMP error, all that it quotes */
	double seen;
	bool forgotten;
	const struct rule *rule;
	struct oracle_asked asked;
	enum oracle_tls tls; /* of its flow then */
	bool tls_1_2;
};

struct oracle_flows {
	struct flow *first; /* the newest */
	struct first_fragment *fragments; /* the newest */
};

struct oracle_flows *oracle_flows_new(void)
{
	return calloc(1, sizeof(struct oracle_flows));
}

void oracle_flows_free(struct oracle_flows *flows)
{
	while (flows && flows->fragments) {
		struct first_fragment *fragment = flows->fragments;

		flows->fragments = fragment->next;
		free(fragment);
	}
	while (flows && flows->first) {
		struct flow *flow = flows->first;

		flows->first = flow->next;
		free(flow);
	}
	free(flows);
}

static bool is_echo(uint8_t protocol, unsigned type, bool request)
{
	return (protocol == ICMP && type == (request ? 8 : 0)) || (protocol == ICMPV6 && type == (request ? 128 : 129));
}

static struct ends ends_of(const struct oracle_packet *p)
{
	struct ends e = {.family = p->family, .protocol = p->protocol, .from = p->from, .to = p->to};

	if (p->protocol == ICMP || p->protocol == ICMPV6) {
		e.echo_request = is_echo(p->protocol, p->port >> 8, true);
		e.echo_reply = is_echo(p->protocol, p->port >> 8, false);
		e.source_port = e.port = p->identifier;
	} else {
		e.source_port = p->source_port;
		e.port = p->port;
	}
	return e;
}

static bool is_same(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->value == b->value;
}

/* Do these ends belong to the flow, and on which side does their source stand? */
static bool belongs(const struct flow *flow, const struct ends *e, int *ret_side)
{
	const struct ends *o = &flow->opening;
	bool icmp = e->protocol == ICMP || e->protocol == ICMPV6;
	bool forth = is_same(&e->from, &o->from) && is_same(&e->to, &o->to) && e->source_port == o->source_port &&
		     e->port == o->port;
	bool back = is_same(&e->from, &o->to) && is_same(&e->to, &o->from) && e->source_port == o->port &&
		    e->port == o->source_port;

	if (e->family != o->family || e->protocol != o->protocol)
		return false;
	if (icmp) { /* only an echo request leaves a flow, whose only reply is the echo reply the other way */
		forth = forth && e->echo_request;
		back = back && e->echo_reply;
	}
	*ret_side = forth ? OPENER : OTHER;
	return forth || back;
}

static struct flow *find(struct oracle_flows *flows, const struct ends *e, double now, int *ret_side)
{
	for (struct flow *flow = flows->first; flow; flow = flow->next)
		if (belongs(flow, e, ret_side))
			return now - flow->seen <= timeouts[flow->state] ? flow : NULL;
	return NULL;
}

static bool is_syn(const struct oracle_packet *p)
{
	return p->protocol == TCP && (p->tcp_flags & (SYN | ACK)) == SYN;
}

static bool is_closing(const struct flow *flow)
{
	return flow->state == ZW_FLOW_TCP_CLOSING || flow->state == ZW_FLOW_TCP_RESET;
}

/* --- Sequence numbers: as the header of the flow code's windows says ------------------------------------------- */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Of what is not acknowledged, the last 65,534 bytes. */
static uint32_t window_start(const struct sent *sent)
{
	return sent->end - least(sent->end - sent->acked, 65534);
}

static bool in_window(const struct sent *sent, uint32_t number)
{
	return sent->known && number - window_start(sent) <= sent->end - window_start(sent);
}

static bool is_after(uint32_t a, uint32_t b)
{
	return a != b && a - b < 0x80000000;
}

static uint32_t end_of(const struct oracle_packet *p)
{
	return p->sequence + p->payload_len + (p->tcp_flags & SYN ? 1 : 0) + (p->tcp_flags & FIN ? 1 : 0);
}

static void follow_sent(struct sent *sent, uint32_t from, uint32_t end)
{
	if (!sent->known)
		*sent = (struct sent){true, from, end};
	else if (is_after(end, sent->end))
		sent->end = end;
}

static void follow_acked(struct sent *sent, uint32_t number)
{
	if (!sent->known || is_after(number, sent->end))
		*sent = (struct sent){true, number, number};
	else if (sent->end - number < sent->end - sent->acked)
		sent->acked = number;
}

/* Which of the packet's flags count, and the windows after it. */
static uint8_t counting_flags(struct flow *flow, const struct oracle_packet *p, int side)
{
	struct sent *mine = &flow->sent[side], *others = &flow->sent[!side];
	uint8_t flags = p->tcp_flags;
	bool opening = flow->state == ZW_FLOW_TCP_SYN || flow->state == ZW_FLOW_TCP_SYN_ACK;
	bool answered = !opening && flow->state != ZW_FLOW_TCP_PICKED_UP;
	bool acknowledges = (flags & ACK) && in_window(others, p->acknowledgement);
	bool continues = in_window(mine, p->sequence);

	if (flags & RST) {
		if (flow->state == ZW_FLOW_TCP_SYN && side == OTHER)
			return acknowledges ? RST : 0;
		return continues && (p->sequence == mine->end || p->sequence == window_start(mine)) ? RST : 0;
	}
	if (flags & SYN) {
		if (!opening || side == OPENER || (others->known && !acknowledges))
			return 0;
		*mine = (struct sent){true, p->sequence + 1, end_of(p)};
		follow_acked(others, p->acknowledgement);
		return flags;
	}
	if (!acknowledges && !continues && (mine->known || others->known))
		return 0;
	if (flow->tls == TLS_WAITS && side == OPENER && (flags & FIN) && continues && acknowledges)
		flow->tls = TLS_REFUSED; /* it has ended without a byte */
	if (!answered && side == OTHER && !continues)
		mine->known = false; /* it begins elsewhere than it was thought to */
	if (flow->tls != TLS_WAITS || side == OTHER)
		follow_sent(mine, p->sequence, end_of(p));
	if (flow->tls == TLS_WAITS && side == OTHER) {
		if (!others->known && continues) /* to the other side, what it has not received begins there */
			follow_acked(others, p->acknowledgement);
	} else if ((flags & ACK) && (answered || acknowledges)) {
		follow_acked(others, p->acknowledgement);
	}
	if (!acknowledges)
		flags &= ~ACK;
	return continues && acknowledges ? flags : flags & ~FIN;
}

/* The table in the header of the flow code; flags: those that count. */
static enum zw_flow_state next_tcp(const struct flow *flow, uint8_t flags, int side)
{
	if (flags & RST)
		return ZW_FLOW_TCP_RESET;
	if (is_closing(flow))
		return flow->state;
	if (flow->fin[OPENER] && flow->fin[OTHER])
		return ZW_FLOW_TCP_CLOSING;
	if (flow->fin[OPENER] || flow->fin[OTHER])
		return ZW_FLOW_TCP_FIN;
	switch (flow->state) {
	case ZW_FLOW_TCP_SYN:
		return side == OTHER && (flags & SYN) ? ZW_FLOW_TCP_SYN_ACK : ZW_FLOW_TCP_SYN;
	case ZW_FLOW_TCP_SYN_ACK:
	case ZW_FLOW_TCP_PICKED_UP:
		return side == OPENER && (flags & ACK) ? ZW_FLOW_TCP_ESTABLISHED : flow->state;
	default:
		return flow->state;
	}
}

static enum zw_flow_state next_other(enum zw_flow_state state, int side)
{
	if (state == ZW_FLOW_UDP && side == OTHER)
		return ZW_FLOW_UDP_REPLIED;
	if (state == ZW_FLOW_UDP_REPLIED && side == OPENER)
		return ZW_FLOW_UDP_CONFIRMED;
	if (state == ZW_FLOW_SCTP && side == OTHER)
		return ZW_FLOW_SCTP_REPLIED;
	if (state == ZW_FLOW_SCTP_REPLIED && side == OPENER)
		return ZW_FLOW_SCTP_CONFIRMED;
	return state;
}

static void advance(struct flow *flow, const struct oracle_packet *p, int side)
{
	if (p->protocol == TCP) {
		uint8_t flags = counting_flags(flow, p, side);

		if (flags & FIN)
			flow->fin[side] = true;
		flow->state = next_tcp(flow, flags, side);
	} else {
		flow->state = next_other(flow->state, side);
	}
	flow->seen = p->time;
}

static unsigned be16(const uint8_t *bytes)
{
	return bytes[0] << 8 | bytes[1];
}

/* Extension headers of a quoted packet. Returns the bytes they take, or len if something is wrong. */
static size_t quoted_chain(const uint8_t *bytes, size_t len, int family, uint8_t *protocol)
{
	size_t at = 0;
	int fragments = 0;

	for (int headers = 0; len - at >= 8; headers++) {
		const uint8_t *header = bytes + at;
		uint8_t is = *protocol;
		size_t step = is == AH ? (header[1] + 2) * 4 : is == 44 ? 8 : (header[1] + 1) * 8;

		if (is != AH && !(family == 6 && (is == 0 || is == 43 || is == 44 || is == 60 || is == 135)))
			return at;
		if (headers == 8 || step > len - at || at + step > 256)
			return len;
		if ((is == 0 && headers) || (is == 43 && header[3]) || (is == 44 && (fragments++ || (be16(header + 2) & 0xfff8))))
			return len; /* no packet of a live flow looks so, or it is a later fragment */
		*protocol = header[0];
		at += step;
	}
	return len;
}

/* What an ICMP error quotes: offset 0, and at least 8 bytes after its headers. */
static bool read_quoted(const struct oracle_packet *p, struct ends *ret_ends)
{
	const uint8_t *ip = p->transport + 8, *transport;
	size_t len = p->transport_len - 8, header = p->family == 4 ? 20 : 40;
	struct ends e = {.family = p->family};

	if (len < header || ip[0] >> 4 != p->family)
		return false;
	if (p->family == 4) {
		header = (ip[0] & 15) * 4;
		if (header < 20 || len < header || (be16(ip + 6) & 0x1fff))
			return false;
	}
	e.protocol = p->family == 4 ? ip[9] : ip[6];
	e.from = addr_from_bytes(p->family, ip + (p->family == 4 ? 12 : 8));
	e.to = addr_from_bytes(p->family, ip + (p->family == 4 ? 16 : 24));
	header += quoted_chain(ip + header, len - header, p->family, &e.protocol);
	if (len < header + 8)
		return false;
	transport = ip + header;
	if (e.protocol == ICMP || e.protocol == ICMPV6) {
		e.echo_request = is_echo(e.protocol, transport[0], true);
		e.echo_reply = is_echo(e.protocol, transport[0], false);
		e.source_port = e.port = be16(transport + 4);
	} else if (e.protocol == TCP || e.protocol == UDP || e.protocol == SCTP) {
		e.source_port = be16(transport);
		e.port = be16(transport + 2);
	}
	*ret_ends = e;
	return true;
}

static bool is_error(const struct oracle_packet *p)
{
	unsigned type = p->port >> 8;

	if (p->protocol == ICMP)
		return type == 3 || type == 11 || type == 12;
	return p->protocol == ICMPV6 && type >= 1 && type <= 4;
}

/* Stage tls for a packet of the flow. */
static bool passes_tls(struct flow *flow, const struct oracle_packet *p, int side)
{
	const struct sent *sent = &flow->sent[OPENER];
	bool passes;

	bool waited = flow->tls == TLS_WAITS;

	flow->tls = oracle_tls_next(flow->tls, flow->rule, p, side == OPENER, sent->known ? &sent->end : NULL, &passes);
	if (waited && flow->tls == TLS_CHECKED)
		flow->tls_1_2 = oracle_tls_is_1_2(p);
	return passes;
}

/* Section 4: the flows of a rule end with it. Whatever allows their first packet then is their rule from now on. */
static bool is_allowed(const struct oracle *oracle, struct flow *flow, double now)
{
	const struct rule *rule;

	if (!oracle_rule_ended(flow->rule, now))
		return true;
	if (!oracle_policy_allows(oracle, &flow->asked, now, &rule) || !oracle_tls_goes_on(&flow->tls, flow->tls_1_2, rule))
		return false;
	flow->rule = rule;
	return true;
}

enum zw_reason oracle_flows_decide(const struct oracle *oracle, struct oracle_flows *flows, struct oracle_packet *p,
				   const struct rule **ret_rule)
{
	struct ends e = ends_of(p);
	struct flow *flow;
	int side;

	if (is_syn(p))
		return ZW_REASON_NONE;
	flow = find(flows, &e, p->time, &side);
	if (flow) {
		bool allowed = is_allowed(oracle, flow, p->time);

		*ret_rule = flow->rule;
		p->asked = flow->asked;
		if (!allowed)
			return ZW_DROP_REVOKED;
		if (!passes_tls(flow, p, side))
			return ZW_DROP_PLAINTEXT;
		p->tls = flow->tls;
		p->tls_1_2 = flow->tls_1_2;
		advance(flow, p, side);
		return ZW_ALLOW_FLOW;
	}
	if (!is_error(p) || !read_quoted(p, &e) || !is_same(&p->to, &e.from))
		return ZW_REASON_NONE;
	flow = find(flows, &e, p->time, &side);
	if (!flow || !is_allowed(oracle, flow, p->time))
		return ZW_REASON_NONE;
	*ret_rule = flow->rule;
	p->tls = flow->tls;
	p->tls_1_2 = flow->tls_1_2;
	return ZW_ALLOW_RELATED;
}

static enum zw_flow_state opening_state(const struct oracle_packet *p, const struct ends *e)
{
	switch (p->protocol) {
	case TCP:
		if (is_syn(p))
			return ZW_FLOW_TCP_SYN;
		return (p->tcp_flags & (SYN | ACK | RST | FIN)) == ACK ? ZW_FLOW_TCP_PICKED_UP : ZW_FLOW_FREE;
	case UDP:
		return ZW_FLOW_UDP;
	case SCTP:
		return ZW_FLOW_SCTP;
	case ICMP:
	case ICMPV6:
		return e->echo_request ? ZW_FLOW_ICMP : ZW_FLOW_FREE;
	}
	return ZW_FLOW_OTHER;
}

/* The flow that a packet which policy allows belongs to, and which stays as it is. */
static struct flow *opened_before(struct oracle_flows *flows, const struct ends *e, double now, int *ret_side)
{
	struct flow *flow = find(flows, e, now, ret_side);

	return flow && !is_closing(flow) && flow->state != ZW_FLOW_TCP_PICKED_UP ? flow : NULL;
}

bool oracle_flows_has_opening(struct oracle_flows *flows, const struct oracle_packet *p)
{
	struct ends e = ends_of(p);
	int side;

	return is_syn(p) && opened_before(flows, &e, p->time, &side);
}

bool oracle_flows_pass_tls(struct oracle_flows *flows, const struct oracle_packet *p, const struct rule *rule)
{
	struct ends e = ends_of(p);
	int side;
	struct flow *flow = flows ? opened_before(flows, &e, p->time, &side) : NULL;

	if (flow && flow->rule && flow->rule->tls_require)
		return passes_tls(flow, p, side);
	return oracle_tls_first(rule, p) != TLS_REFUSED;
}

bool oracle_flows_open(struct oracle_flows *flows, const struct oracle_packet *p, const struct rule *rule)
{
	struct ends e = ends_of(p);
	enum zw_flow_state state = opening_state(p, &e);
	struct flow *flow;
	int side;

	if (state == ZW_FLOW_FREE)
		return true;
	flow = opened_before(flows, &e, p->time, &side);
	if (flow) {
		/* A SYN that repeats the opening, or the other side's: the first opener owns the flow. */
		if (side == OPENER && (flow->state == ZW_FLOW_TCP_SYN || flow->state == ZW_FLOW_TCP_SYN_ACK) &&
		    !in_window(&flow->sent[OPENER], p->sequence + 1))
			flow->sent[OPENER].known = false; /* which of the two will be answered? */
		return false;
	}
	flow = calloc(1, sizeof(*flow));
	if (!flow)
		abort();
	*flow = (struct flow){.next = flows->first, .opening = e, .state = state, .seen = p->time, .rule = rule,
			      .tls = oracle_tls_first(rule, p), .tls_1_2 = oracle_tls_is_1_2(p), .asked = p->asked};
	if (p->protocol == TCP)
		flow->sent[OPENER] = (struct sent){true, p->sequence + (is_syn(p) ? 1 : 0), end_of(p)};
	flows->first = flow;
	return true;
}

/* The last one of this key. */
static struct first_fragment *find_fragment(struct oracle_flows *flows, const struct oracle_packet *p)
{
	for (struct first_fragment *f = flows->fragments; f; f = f->next)
		if (is_same(&f->from, &p->from) && is_same(&f->to, &p->to) && f->protocol == p->fragment_protocol &&
		    f->id == p->fragment_id)
			return !f->forgotten && p->time - f->seen <= 30 ? f : NULL;
	return NULL;
}

/* It was decided as a packet, and is again: failsafe overrides. */
static const struct rule *again(const struct oracle *oracle, const struct first_fragment *f, double now, bool *ret_allowed)
{
	const struct rule *rule = f->rule;
	enum oracle_tls tls = f->tls;

	*ret_allowed = !oracle_rule_ended(rule, now) || (oracle_policy_allows(oracle, &f->asked, now, &rule) &&
							 oracle_tls_goes_on(&tls, f->tls_1_2, rule));
	if (*ret_allowed)
		return rule;
	rule = oracle_failsafe(oracle, &f->asked);
	*ret_allowed = rule;
	return rule;
}

bool oracle_fragment_passes(const struct oracle *oracle, struct oracle_flows *flows, const struct oracle_packet *p,
			    const struct rule **ret_rule)
{
	struct first_fragment *f = find_fragment(flows, p);
	const struct rule *rule;
	bool allowed;

	if (!f || p->fragment_at < f->holds || p->fragment_at + p->fragment_len > 65535 ||
	    (p->more_fragments && p->fragment_len % 8))
		return false;
	rule = again(oracle, f, p->time, &allowed);
	if (allowed)
		*ret_rule = rule;
	return allowed;
}

void oracle_fragment_first(struct oracle_flows *flows, const struct oracle_packet *p, bool allowed, size_t fixed_header,
			   const struct rule *rule)
{
	struct first_fragment *f = find_fragment(flows, p);

	if (!allowed) {
		if (f)
			f->forgotten = true;
		return;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		abort();
	if (rule && rule->tls_require && p->payload_len >= 11) /* a ClientHello's first bytes may have been read, too */
		fixed_header = p->transport_len - p->payload_len + 11;
	*f = (struct first_fragment){
		.next = flows->fragments,
		.from = p->from,
		.to = p->to,
		.protocol = p->fragment_protocol,
		.id = p->fragment_id,
		.holds = is_error(p) ? p->fragment_len : p->transport - p->fragment_data + fixed_header,
		.seen = p->time,
		.rule = rule,
		.asked = p->asked,
		.tls = p->tls,
		.tls_1_2 = p->tls_1_2,
	};
	flows->fragments = f;
}
