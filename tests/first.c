/* SPDX-License-Identifier: GPL-2.0-only */
#include "first.h"

#include <stdio.h>

#include "packet.h"

static struct addr some_address(struct random *random, const struct model *model, int family)
{
	static const char *const special[2][8] = {
		{ "0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.1", "169.254.0.1", "239.1.1.1", "128.0.0.0", "1.2.3.4" },
		{ "::", "::1", "ff02::1", "ff02::1:2", "fe80::1", "fe80::2", "::ffff:10.0.0.1", "fec0::1" },
	};
	struct addr addr = { 0 };

	for (int tries = 0; tries < 20 && random_percent(random, 93) && model->point_count; tries++) {
		addr = model->points[random_below(random, model->point_count)];
		if (addr.family == family)
			break;
	}
	if (addr.family != family)
		addr_parse(special[family == 6][random_below(random, 8)], &addr);
	if (random_percent(random, 8))
		addr.value ^= (u128)1 << random_below(random, family == 4 ? 32 : 128);
	return addr;
}

static void some_service(struct random *random, const struct model *model, struct first_packet *p)
{
	static const uint8_t protocols[] = { 1, 2, 6, 6, 17, 17, 47, 51, 58, 132, 0, 43, 59, 60, 255 };
	static const uint16_t ports[] = { 0, 67, 68, 546, 547, 65535 };

	p->sport = random_percent(random, 60) ? 40000 : ports[random_below(random, 6)];
	if (random_percent(random, 80) && model->port_count) {
		size_t i = random_below(random, model->port_count);

		p->protocol = model->ports[i].protocol;
		p->port = model->ports[i].port + (random_percent(random, 40) ? random_below(random, 3) - 1 : 0);
		if (random_percent(random, 15))
			p->sport = model->ports[random_below(random, model->port_count)].port;
	} else {
		p->protocol = protocols[random_below(random, sizeof(protocols))];
		p->port = random_percent(random, 50) ? ports[random_below(random, 6)] : random_below(random, 65536);
		if (p->protocol == 1 || p->protocol == 58)
			p->port = (p->protocol == 1 ? random_below(random, 20) : 125 + random_below(random, 20)) << 8;
	}
	if (p->protocol != 1 && p->protocol != 6 && p->protocol != 17 && p->protocol != 58 && p->protocol != 132)
		p->port = 0;
}

void first_draw(struct random *random, const struct model *model, struct first_packet *p)
{
	int family = random_percent(random, 50) ? 4 : 6;

	*p = (struct first_packet){ .from = some_address(random, model, family), .to = some_address(random, model, family) };
	some_service(random, model, p);
	p->egress = random_percent(random, 40);
	if (random_percent(random, 40))
		p->interface = generate_interface(random);
}

void first_describe(const struct first_packet *p, char ret_text[FIRST_TEXT])
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	addr_print(&p->from, from);
	addr_print(&p->to, to);
	snprintf(ret_text, FIRST_TEXT, "%s -> %s protocol %u port %u from port %u %s %s", from, to, p->protocol, p->port, p->sport,
		 p->egress ? "leaves" : "enters", p->interface ? p->interface : "-");
}

void first_ask(struct oracle *oracle, const struct first_packet *p, struct oracle_answer *ret_answer)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
	bool nd = p->protocol == 58 && p->port >> 8 >= 133 && p->port >> 8 <= 137;
	bool one = p->protocol == 2 || (p->protocol == 58 && ((p->port >> 8 >= 130 && p->port >> 8 <= 132) || p->port >> 8 == 143));
	struct packet_spec spec = {
		.from = from, .to = to, .protocol = p->protocol, .protocol_zero = !p->protocol, .sport = p->sport,
		.dport = p->port, .type = p->port >> 8, .code = p->port & 255, .hop_limit = nd ? 255 : one ? 1 : 64,
	};
	struct packet packet;
	struct oracle_frame frame = { .egress = p->egress, .interface = p->interface };

	addr_print(&p->from, from);
	addr_print(&p->to, to);
	packet_build(&spec, &packet);
	if (!p->sport && (p->protocol == 6 || p->protocol == 17 || p->protocol == 132))
		packet.data[packet.l4] = packet.data[packet.l4 + 1] = 0; /* packet.c means another by 0 */
	frame.data = packet.data;
	frame.len = packet.len;
	oracle_decide(oracle, &frame, ret_answer);
}

