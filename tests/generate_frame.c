/* SPDX-License-Identifier: GPL-2.0-only */
#include <math.h>
#include <string.h>

#include "generate.h"

#define pick(random, array) ((array)[random_below(random, sizeof(array) / sizeof((array)[0]))])

static const char *const special4[] = {"0.0.0.0", "255.255.255.255", "127.0.0.1", "127.255.255.255", "224.0.0.1",
				       "239.255.255.255", "169.254.0.1", "240.0.0.1", "126.255.255.255", "128.0.0.0",
				       "223.255.255.255", "0.0.0.1"};
static const char *const special6[] = {"::", "::1", "::2", "ff02::1", "ff02::1:2", "ff02::16", "fe80::1", "fe80::2",
				       "febf::1", "fec0::1", "::ffff:10.0.0.1", "::fffe:10.0.0.1", "feff::1", "ff00::"};

static void some_address(struct random *random, const struct model *model, int family, char *text)
{
	struct addr addr = {.family = family};

	if (random_percent(random, 6)) {
		strcpy(text, family == 4 ? pick(random, special4) : pick(random, special6));
		return;
	}
	for (int tries = 0; tries < 20 && model->point_count; tries++) {
		const struct addr *point = &model->points[random_below(random, model->point_count)];

		if (point->family != family)
			continue;
		addr = *point;
		if (random_percent(random, 10))
			addr.value ^= (u128)1 << random_below(random, family == 4 ? 32 : 128);
		addr_print(&addr, text);
		return;
	}
	addr.value = family == 4 ? (u128)(uint32_t)random_next(random) :
				   (u128)random_next(random) << 64 | random_next(random);
	addr_print(&addr, text);
}

static void some_protocol(struct random *random, const struct model *model, int family, struct packet_spec *spec)
{
	static const unsigned protocols[] = {P_TCP, P_TCP, P_TCP, P_UDP, P_UDP, P_ICMP, P_ICMPV6, P_SCTP, P_IGMP, P_GRE,
					     P_ESP, P_AH, 0, 43, 44, 60, 59, 135, 4, 41, 255};
	static const unsigned ports[] = {0, 1, 67, 68, 546, 547, 65534, 65535};
	unsigned port = random_percent(random, 40) ? pick(random, ports) : random_below(random, 65536);

	spec->protocol = pick(random, protocols);
	if (spec->protocol == P_ICMP || spec->protocol == P_ICMPV6) {
		if (random_percent(random, 90))
			spec->protocol = family == 4 ? P_ICMP : P_ICMPV6;
		port = (family == 4 ? random_below(random, 20) : 125 + random_below(random, 20)) << 8 |
		       random_below(random, 3);
	}
	if (model->port_count && random_percent(random, 75)) {
		size_t i = random_below(random, model->port_count);

		spec->protocol = model->ports[i].protocol;
		port = (uint16_t)(model->ports[i].port + random_below(random, 3) - 1);
		if (random_percent(random, 60))
			port = model->ports[i].port;
	}
	spec->protocol_zero = !spec->protocol;
	spec->dport = port;
	spec->type = port >> 8;
	spec->code = port & 255;
	spec->sport = random_percent(random, 60) ? 40000 : 1 + random_below(random, 65535);
	if (model->port_count && random_percent(random, 20))
		spec->sport = model->ports[random_below(random, model->port_count)].port;
	if (random_percent(random, 10))
		spec->sport = pick(random, ports);
	if (random_percent(random, 5)) {
		spec->protocol = P_UDP;
		spec->sport = pick(random, ports);
		spec->dport = pick(random, ports);
	}
}

static void some_flags(struct random *random, struct packet_spec *spec)
{
	static const unsigned good[] = {F_SYN, F_SYN, F_SYN, F_SYN | F_ACK, F_ACK, F_FIN | F_ACK, F_RST, F_RST | F_ACK,
					F_ACK | F_PSH, F_SYN | F_ECE | F_CWR};

	spec->flags = pick(random, good);
	if (random_percent(random, 5)) {
		spec->flags = random_below(random, 256);
		if (!spec->flags)
			spec->flags = F_NONE;
	}
}

/* Bytes of a payload: sometimes what a ClientHello begins with, or nearly; cut at, just before or behind what must be there. */
static void some_payload(struct random *random, struct packet_spec *spec, unsigned most)
{
	static const uint8_t begins[][1536] = {
		{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3}, {22, 3, 3, 2, 0, 1, 0, 1, 252, 3, 3}, {22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 2},
		{22, 3, 0, 2, 0, 1, 0, 1, 252, 3, 1}, {22, 3, 1, 2, 0, 1, 0, 1, 252, 4, 0}, {22, 3, 1, 2, 0, 2, 0, 1, 252, 3, 3},
		{22, 2, 1, 2, 0, 1, 0, 1, 252, 3, 3}, {23, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3}, {22, 3, 1, 2, 0, 1, 0, 1, 252, 2, 255},
	};
	static const unsigned lengths[] = {10, 11, 12, 1, 16, 40};

	spec->payload_len = random_percent(random, 20) ? most : random_below(random, 100);
	if (!random_percent(random, 60))
		return;
	spec->payload = random_percent(random, 60) ? begins[0] : pick(random, begins);
	if (random_percent(random, 30))
		spec->payload_len = pick(random, lengths);
}

/* What stage essentials is about, and its neighbours. */
static void essential(struct random *random, int family, struct packet_spec *spec)
{
	static const unsigned ports[][2] = {{68, 67}, {67, 68}, {546, 547}, {547, 546}}, limits[] = {255, 1, 254, 2};
	static const char *const to4[] = {"255.255.255.255", "224.0.0.22", "10.0.0.1"};
	static const char *const to6[] = {"ff02::1:2", "ff02::1", "ff02::16", "fe80::1"};
	unsigned pair = random_below(random, 4);

	if (random_percent(random, 60))
		spec->from = family == 4 ? random_percent(random, 50) ? "0.0.0.0" : spec->from :
			     random_percent(random, 20) ? "::" : "fe80::2";
	if (random_percent(random, 60))
		spec->to = family == 4 ? pick(random, to4) : pick(random, to6);
	spec->hop_limit = pick(random, limits);
	if (random_percent(random, 50)) {
		spec->protocol = P_UDP;
		spec->sport = ports[pair][0];
		spec->dport = ports[pair][1];
		if (random_percent(random, 20))
			spec->dmac = "02000000000a";
	} else {
		spec->protocol = family == 4 ? P_IGMP : P_ICMPV6;
		spec->type = random_percent(random, 80) ? 129 + random_below(random, 10) : 143;
	}
	if (family == 6 && random_percent(random, 20))
		spec->chain = "hop";
}

/* One bend of a good packet; some bends make it only unusual, others malformed. */
static void bend(struct random *random, int family, struct packet_spec *spec)
{
	static const unsigned limits[] = {1, 2, 255, 254};
	static const char *const chains6[] = {"hop", "dst", "rt", "rt:1", "ah", "mh", "hop dst rt frag", "dst hop",
					      "frag frag", "frag", "hop hop", "dst dst dst dst dst dst dst dst",
					      "dst dst dst dst dst dst dst dst dst", "dst:31", "dst:30 dst", "dst:30",
					      "ah ah", "hop:5 dst:3", "dst:31 dst", "ah:62", "ah:63", "ah:1", "ah:0"};
	static const char *const chains4[] = {"ah", "ah ah", "ah:62", "ah:63", "ah:1", "ah:0", "ah:2",
					      "ah ah ah ah ah ah ah ah", "ah ah ah ah ah ah ah ah ah"};
	static const char *const options[] = {"01", "94040000", "07070400000000", "83070400000000", "89070400000000",
					      "0100", "4403", "44", "4400", "4401", "01010183030400", "440c05000000000000000000",
					      "00830304", "44290000", "01010101010101010101010101010101"};
	static const uint16_t tpids[] = {0x8100, 0x88a8, 0x8100, 0x9100};
	static const unsigned types[] = {0x0806, 0x0800, 0x86dd, 0x0100, 0x88cc, 0x8035, 0x8847, 0x8100, 0x88a8, 0xffff};
	static const char *const macs[] = {"0180c2000000", "0180c200000e", "0180c200000f", "0180c2000010", "0180c2010000",
					   "02000000000a", "ffffffffffff", "0180c3000000", "3333ff000001"};

	switch (random_below(random, 16)) {
	case 0:
		spec->tags = 1 + random_below(random, 3);
		for (unsigned i = 0; i < spec->tags; i++) {
			spec->tpid[i] = pick(random, tpids);
			spec->vid[i] = random_below(random, 65536);
		}
		break;
	case 1: case 2:
		spec->fragment = true;
		spec->more = random_below(random, 2);
		spec->offset = random_below(random, 2) ? 0 : 8 * random_below(random, 8192);
		spec->id = random_next(random) & 0xffff;
		break;
	case 3: case 4:
		spec->chain = family == 4 ? pick(random, chains4) : pick(random, chains6);
		if (random_percent(random, 20))
			spec->chain_len = random_below(random, 256) | 0x100;
		spec->fragment = spec->more = random_percent(random, 20);
		break;
	case 5:
		if (family == 4)
			spec->options = pick(random, options);
		break;
	case 6:
		spec->ether_type = pick(random, types);
		break;
	case 7:
		spec->dmac = pick(random, macs);
		break;
	case 8:
		spec->ip_cut = random_below(random, 60);
		spec->fragment = spec->more = random_percent(random, 50);
		break;
	case 9:
		spec->cut = random_below(random, 60);
		break;
	case 10:
		spec->total_add = (int)random_below(random, 80) - 40;
		break;
	case 11:
		spec->doff = random_below(random, 2) ? (int)random_below(random, 16) : NOTHING;
		spec->payload_len = random_below(random, 48);
		spec->fragment = spec->more = random_percent(random, 30);
		break;
	case 12:
		spec->protocol = P_UDP;
		spec->udp_len = random_below(random, 2) ? (int)random_below(random, 40) : NOTHING;
		spec->fragment = spec->more = random_percent(random, 30);
		break;
	case 13:
		spec->version = random_below(random, 16);
		spec->ihl = random_below(random, 16);
		spec->payload_len = random_below(random, 64);
		break;
	case 14:
		spec->pad = random_below(random, 64);
		break;
	default:
		spec->hop_limit = pick(random, limits);
		if (random_percent(random, 40)) {
			spec->protocol = family == 4 ? P_IGMP : P_ICMPV6;
			spec->type = 128 + random_below(random, 18);
		}
		break;
	}
}

void generate_frame(struct random *random, const struct model *model, unsigned odd, struct packet *ret_packet)
{
	int family = random_percent(random, 50) ? 4 : 6;
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
	struct packet_spec spec = {.from = from, .to = to};

	some_address(random, model, family, from);
	some_address(random, model, family, to);
	some_protocol(random, model, family, &spec);
	some_flags(random, &spec);
	if (random_percent(random, 30))
		some_payload(random, &spec, 100);
	if (random_percent(random, 5))
		spec.hop_limit = 255;
	spec.seq = random_next(random);
	spec.ack = random_next(random);
	if (random_percent(random, odd / 4))
		essential(random, family, &spec);
	for (unsigned chance = odd; random_percent(random, chance); chance /= 2)
		bend(random, family, &spec);
	packet_build(&spec, ret_packet);
	if (random_percent(random, odd / 5) && ret_packet->len)
		ret_packet->data[random_below(random, ret_packet->len)] ^= 1 << random_below(random, 8);
	if (random_percent(random, odd / 10))
		ret_packet->len = random_below(random, ret_packet->len + 1);
}

/* --- Conversations ----------------------------------------------------------------------------------------------- */

void talk_begin(struct random *random, const struct model *model, struct talk *ret_talk)
{
	static const uint8_t protocols[] = {P_TCP, P_TCP, P_TCP, P_UDP, P_UDP, P_ICMP, P_SCTP, P_GRE};

	memset(ret_talk, 0, sizeof(*ret_talk));
	ret_talk->model = model;
	ret_talk->time = GENERATE_BEGIN + random_below(random, 1000);
	for (size_t i = 0; i < sizeof(ret_talk->pair) / sizeof(ret_talk->pair[0]); i++) {
		struct talk_pair *pair = &ret_talk->pair[i];

		pair->family = random_percent(random, 50) ? 4 : 6;
		some_address(random, model, pair->family, pair->end[0]);
		do /* who talks to itself has flows without direction */
			some_address(random, model, pair->family, pair->end[1]);
		while (!strcmp(pair->end[0], pair->end[1]));
		pair->protocol = pick(random, protocols);
		if (pair->protocol == P_ICMP && pair->family == 6)
			pair->protocol = P_ICMPV6;
		pair->next[0] = random_next(random);
		pair->next[1] = random_next(random);
		pair->port[0] = 40000 + random_below(random, 2);
		pair->port[1] = random_below(random, 65536);
		for (size_t tries = 0; tries < 10 && model->port_count; tries++) {
			size_t j = random_below(random, model->port_count);

			if (model->ports[j].protocol == pair->protocol)
				pair->port[1] = model->ports[j].port;
		}
		if (i && random_percent(random, 30))
			*pair = ret_talk->pair[i - 1]; /* and another kind of traffic between the same ends */
	}
}

/* An error about an earlier packet, mostly to who sent it. */
static void quote(struct random *random, const struct packet *earlier, struct packet *ret_packet)
{
	static const unsigned types4[] = {3, 11, 12, 4, 5}, types6[] = {1, 2, 3, 4, 5};
	const uint8_t *ip = earlier->data + earlier->l3;
	int family = ip[0] >> 4;
	struct addr from = addr_from_bytes(family, ip + (family == 4 ? 16 : 24));
	struct addr to = addr_from_bytes(family, ip + (family == 4 ? 12 : 8));
	char text[2][ADDR_TEXT_MAX];
	struct packet_spec spec = {
		.from = text[0],
		.to = text[1],
		.protocol = family == 4 ? P_ICMP : P_ICMPV6,
		.type = family == 4 ? pick(random, types4) : pick(random, types6),
		.payload = ip,
		.payload_len = earlier->len - earlier->l3,
	};

	if (random_percent(random, 10))
		from = to;
	if (random_percent(random, 30))
		spec.ip_cut = random_below(random, spec.payload_len);
	addr_print(&from, text[0]);
	addr_print(&to, text[1]);
	packet_build(&spec, ret_packet);
}

/* A fragment: its identification is one of two, so that later ones meet their firsts. */
static void part(struct random *random, struct packet_spec *spec)
{
	static const unsigned offsets[] = {0, 0, 0, 8, 16, 24, 32, 1480, 65496, 65528};

	spec->fragment = true;
	spec->more = random_percent(random, 70);
	spec->offset = pick(random, offsets);
	spec->payload_len = 8 * random_below(random, 6) + (random_percent(random, 30) ? random_below(random, 8) : 0);
}

/* Mostly the right number; else one at, just before or just behind an end of some window, or any. */
static uint32_t some_number(struct random *random, uint32_t right)
{
	static const int32_t aside[] = {-1, 1, -2, 2, -100, 100, -65534, -65535, -65536, 65534, 65535, 70000, -70000};

	if (random_percent(random, 75))
		return right;
	return random_percent(random, 10) ? (uint32_t)random_next(random) : right + (uint32_t)pick(random, aside);
}

/* The next step of a connection from its opening on, most of the time: who speaks, and with which flags. */
static void some_step(struct random *random, struct talk_pair *pair, bool *back, unsigned *flags)
{
	static const unsigned opening[] = {F_SYN, F_SYN | F_ACK, F_ACK};

	if (random_percent(random, 4))
		pair->said = 0;
	if (random_percent(random, 30))
		return;
	if (pair->said < 3) {
		*back = pair->said == 1;
		*flags = opening[pair->said++];
	} else {
		*flags = random_percent(random, 15) ? F_FIN | F_ACK : F_ACK;
	}
}

/* Numbers of a sender that mostly behaves well, and sometimes says again what it said. */
static void some_numbers(struct random *random, struct talk_pair *pair, bool back, struct packet_spec *spec)
{
	unsigned taken = !!(spec->flags & F_SYN) + !!(spec->flags & F_FIN);

	if (random_percent(random, 40))
		some_payload(random, spec, 1400);
	spec->seq = some_number(random, pair->next[back]);
	spec->ack = some_number(random, pair->next[!back]);
	if (random_percent(random, 90))
		pair->next[back] = spec->seq + spec->payload_len + taken;
}

/* What a side says; a packet that becomes a first fragment begins a train. */
static void say(struct random *random, struct talk *talk, unsigned number, struct packet *ret_packet)
{
	struct talk_pair *pair = &talk->pair[number];
	bool back = random_percent(random, 50);
	unsigned flags = 0;
	struct packet_spec spec;

	if (pair->protocol == P_TCP)
		some_step(random, pair, &back, &flags);
	spec = (struct packet_spec){.from = pair->end[back], .to = pair->end[!back], .protocol = pair->protocol,
				    .sport = pair->port[back], .dport = pair->port[!back], .id = 1 + random_below(random, 2)};
	if (pair->protocol == P_ICMP)
		spec.type = random_percent(random, 90) ? back ? 0 : 8 : random_below(random, 20);
	if (pair->protocol == P_ICMPV6)
		spec.type = random_percent(random, 90) ? back ? 129 : 128 : 127 + random_below(random, 12);
	some_flags(random, &spec);
	if (spec.flags & F_RST && random_percent(random, 70))
		spec.flags = F_ACK;
	if (flags)
		spec.flags = flags;
	if (pair->protocol == P_TCP)
		some_numbers(random, pair, back, &spec);
	if (random_percent(random, 15)) {
		part(random, &spec);
		if (!spec.offset && spec.more)
			talk->train = (struct talk_train){number, spec.id, 1 + random_below(random, 4), back};
	} else if (random_percent(random, 10))
		bend(random, pair->family, &spec);
	packet_build(&spec, ret_packet);
}

/* A later fragment of the train: mostly the same way, with the same identification. */
static void follow(struct random *random, struct talk *talk, struct packet *ret_packet)
{
	const struct talk_pair *pair = &talk->pair[talk->train.pair];
	bool back = talk->train.back ^ random_percent(random, 5);
	struct packet_spec spec = {.from = pair->end[back], .to = pair->end[!back], .protocol = pair->protocol,
				   .sport = pair->port[back], .dport = pair->port[!back],
				   .id = talk->train.id ^ random_percent(random, 5), .flags = F_ACK};

	if (pair->protocol == P_ICMP || pair->protocol == P_ICMPV6)
		spec.type = pair->protocol == P_ICMP ? 8 : 128;
	part(random, &spec);
	if (!spec.offset)
		spec.offset = 40;
	talk->train.left--;
	packet_build(&spec, ret_packet);
}

/* Until the next rule has ended, if connections live for so long. */
static void wait_for_end(struct talk *talk)
{
	double until = talk->time + 400000;

	for (size_t i = 0; i < talk->model->rule_count; i++)
		if (talk->model->rules[i].until > talk->time && talk->model->rules[i].until < until)
			until = talk->model->rules[i].until;
	if (until < talk->time + 400000)
		talk->time += 11 * ceil((until - talk->time) / 11);
}

/*
 * Time moves in steps of 11 seconds: no sum of them comes near a timeout, where a clock of ticks and one of seconds may
 * differ.
 */
void talk_next(struct random *random, struct talk *talk, const struct packet *earlier, struct packet *ret_packet)
{
	static const unsigned steps[] = {1, 1, 2, 3, 6, 10, 11, 19, 20, 27, 28, 55, 40000};

	bool has_ip = earlier && earlier->len > earlier->l3 + 40 &&
		      (earlier->data[earlier->l3] >> 4 == 4 || earlier->data[earlier->l3] >> 4 == 6);

	if (random_percent(random, 15))
		talk->time += 11 * pick(random, steps);
	else if (random_percent(random, 3))
		wait_for_end(talk);
	if (has_ip && random_percent(random, 12))
		quote(random, earlier, ret_packet);
	else if (talk->train.left && random_percent(random, 70))
		follow(random, talk, ret_packet);
	else
		say(random, talk, random_below(random, sizeof(talk->pair) / sizeof(talk->pair[0])), ret_packet);
}
