/* SPDX-License-Identifier: GPL-2.0-only */
#include "evasion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

#define POLICY(tcp)                                                                                                        \
	"version: 1\n"                                                                                                     \
	"defaults: {action: drop, tcp: " tcp "}\n"                                                                         \
	"zones:\n"                                                                                                         \
	"  red: [10.1.0.0/16, 10.11.0.0/16, \"fd00:1::/32\"]\n"                                                            \
	"  blue: [10.2.0.0/16, 10.12.0.0/16, \"fd00:2::/32\"]\n"                                                           \
	"failsafe: [{id: rescue, from: red, to: host, service: tcp/22}]\n"                                                 \
	"rules:\n"                                                                                                         \
	"  - {id: open, from: red, to: blue, service: [udp/53, tcp/80, sctp/2905], action: allow}\n"                       \
	"  - {id: ping, from: red, to: blue, service: [icmp/echo-request, icmpv6/echo-request], action: allow}\n"          \
	"  - {id: peers, from: red, to: red, service: tcp/7000, action: allow}\n"                                          \
	"  - {id: private, from: red, to: blue, service: tcp/8443, action: allow, tls: {require: true, min: \"1.2\"}}\n"  \
	"  - {id: front, from: world, to: blue, service: tcp/443, action: allow}\n"                                        \
	"  - {id: mine, from: host, to: any, service: [tcp/443, udp/53], action: allow}\n"                                 \
	"  - {id: groups, from: any, to: [224.0.0.0/4, \"ff00::/8\"], service: udp/5353, action: allow}\n"

const char evasion_policy_loose[] = POLICY("loose"), evasion_policy_strict[] = POLICY("strict");
const uint8_t evasion_mac[6] = {2, 0, 0, 0, 0, 10};

const struct evasion_group *const evasion_groups[] = {
	&evasion_link, &evasion_headers,   &evasion_fragments, &evasion_addresses,
	&evasion_tcp,  &evasion_tcp_flags, &evasion_tls,       &evasion_icmp,
	&evasion_disguises,
};
const size_t evasion_group_count = sizeof(evasion_groups) / sizeof(evasion_groups[0]);

/* Ends by name. %s is the number of the hosts, as 10.1.%s or fd00:1::%s wants it. */
static const struct {
	const char *name, *v4, *v6;
} ends[] = {
	{"red", "10.1.%s", "fd00:1::%s"},	 {"blue", "10.2.%s", "fd00:2::%s"},
	{"red2", "10.11.%s", "fd00:1:0:1::%s"},	 {"blue2", "10.12.%s", "fd00:2:0:1::%s"},
	{"host", "10.9.0.1", "fd00:9::1"},	 {"world", "192.0.2.1", "2001:db8::1"},
	{"none", "0.0.0.0", "::"},		 {"loopback", "127.0.0.1", "::1"},
	{"group", "224.0.0.251", "ff02::fb"},
};

const struct evasion_step *evasion_trick(const struct evasion_case *c)
{
	int last = 0;

	while (last + 1 < EVASION_STEPS && c->steps[last + 1].reason)
		last++;
	return &c->steps[last];
}

static const char *resolve(const char *name, int family, unsigned number, char text[48])
{
	char host[16];

	snprintf(host, sizeof(host), family == 4 ? "%u.%u" : "%x", family == 4 ? number >> 8 : number, number & 255);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(ends[i].name, name)) {
			/* NOLINTNEXTLINE: a format of the table above */
			snprintf(text, 48, family == 4 ? ends[i].v4 : ends[i].v6, host);
			return text;
		}
	return name;
}

struct names {
	char from[48], to[48];
};

static void set_ends(struct packet_spec *spec, bool back, int family, unsigned number, struct names *names)
{
	spec->from = resolve(spec->from ? spec->from : back ? "blue" : "red", family, number, names->from);
	spec->to = resolve(spec->to ? spec->to : back ? "red" : "blue", family, number, names->to);
}

static uint32_t sum(uint32_t so_far, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		so_far += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return so_far;
}

static void put_checksum(uint8_t *at, uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	at[0] = ~sum >> 8;
	at[1] = ~sum;
}

static size_t checksum_offset(unsigned protocol)
{
	return protocol == P_TCP ? 16 : protocol == P_UDP ? 6 : protocol == P_ICMP || protocol == P_ICMPV6 ? 2 : 0;
}

/* RFC 1071; with it a real host takes the packet. Datagrams that are cut into fragments go without (UDP). */
static void set_checksums(struct packet *p, const struct packet_spec *spec, int family)
{
	unsigned protocol = spec->protocol ? spec->protocol : P_TCP;
	uint8_t *ip = p->data + p->l3, *l4 = p->data + p->l4;
	size_t at = checksum_offset(protocol), len = p->data + p->len - l4;
	uint32_t pseudo = 0;

	if (family == 4 && p->l3 + 20 <= p->len && p->l4 <= p->len)
		put_checksum(ip + 10, sum(0, ip, p->l4 - p->l3 < 60 ? p->l4 - p->l3 : 60));
	if (!at || p->l4 + at + 2 > p->len || spec->more || spec->offset || spec->pad)
		return;
	if (protocol != P_ICMP)
		pseudo = sum(protocol + len, ip + (family == 4 ? 12 : 8), family == 4 ? 8 : 32);
	put_checksum(l4 + at, sum(pseudo, l4, len));
}

/* The packet that the step carries: an ICMP error quotes it, a tunnel hides it. */
static void set_inner(struct packet_spec *spec, const struct evasion_step *step, int family, unsigned number,
		      struct packet *inner)
{
	struct packet_spec inner_spec = *step->inner;
	struct names names;

	set_ends(&inner_spec, step->inner_back, family, number, &names);
	packet_build(&inner_spec, inner);
	spec->payload = inner->data + inner->l3;
	spec->payload_len = inner->len - inner->l3;
}

static void insert_shim(struct packet *p, const char *hex)
{
	uint8_t shim[64];
	size_t len = packet_hex(hex, shim, sizeof(shim));

	if (p->len + len > sizeof(p->data))
		abort();
	memmove(p->data + p->l3 + len, p->data + p->l3, p->len - p->l3);
	memcpy(p->data + p->l3, shim, len);
	p->len += len;
	p->l3 += len;
	p->l4 += len;
}

#define OPTION_BYTES "01010035003500350035003500350035003500350035003500350035003500350035003500350035"

void evasion_build(const struct evasion_case *c, const struct evasion_step *step, int family, unsigned turn,
		   unsigned number, struct packet *p)
{
	bool trick = step == evasion_trick(c);
	struct packet_spec spec = step->packet;
	struct names names;
	struct packet inner;
	char options[81] = OPTION_BYTES;

	set_ends(&spec, step->back, family, number, &names);
	if (step->inner)
		set_inner(&spec, step, family, number, &inner);
	if (trick && c->sweep == SWEEP_FLAGS)
		spec.flags = turn | F_NONE;
	if (trick && c->sweep == SWEEP_OPTIONS) {
		options[(turn + 1) * 8] = 0;
		spec.options = options;
	}
	packet_build(&spec, p);
	set_checksums(p, &spec, family);
	if (step->shim)
		insert_shim(p, step->shim);
	if (step->poke)
		packet_hex(step->poke, p->data + p->l3 + step->poke_at, sizeof(p->data) - p->l3 - step->poke_at);
	if (trick && c->sweep == SWEEP_CUT)
		p->len = 14 + turn;
}

unsigned evasion_turns(const struct evasion_case *c, int family)
{
	struct evasion_case whole = *c;
	struct packet packet;

	if (c->family && c->family != family)
		return 0;
	switch (c->sweep) {
	case SWEEP_FLAGS:
		return 64;
	case SWEEP_OPTIONS:
		return 10;
	case SWEEP_CUT:
		whole.sweep = SWEEP_NONE;
		evasion_build(&whole, evasion_trick(&whole), family, 0, 1, &packet);
		return packet.len - 14;
	default:
		return 1;
	}
}

/* The six combinations of SYN, FIN, RST and ACK that a TCP sends. */
static bool is_possible(unsigned flags)
{
	unsigned f = flags & (F_SYN | F_FIN | F_RST | F_ACK);

	return f == F_SYN || f == (F_SYN | F_ACK) || f == F_ACK || f == (F_FIN | F_ACK) || f == F_RST ||
	       f == (F_RST | F_ACK);
}

enum zw_reason evasion_want(const struct evasion_case *c, const struct evasion_step *step, enum zw_hook hook,
			    unsigned turn)
{
	if (c->sweep == SWEEP_FLAGS && step == evasion_trick(c)) {
		if (!is_possible(turn))
			return ZW_DROP_TCP_STATE;
		if (turn & F_SYN)
			return turn & F_ACK ? step->syn_ack : step->syn;
	}
	if (hook == ZW_HOOK_EGRESS && step->leaving)
		return step->leaving;
	if (hook == ZW_HOOK_XDP && step->xdp)
		return step->xdp;
	return step->reason;
}
