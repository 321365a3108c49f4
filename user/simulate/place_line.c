// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/place_line.h"

#include <netinet/in.h>

#include "base/util.h"
#include "simulate/space.h"

static const uint8_t places_ported[PLACES_PORTED] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP,
						      IPPROTO_ICMPV6 };

static bool has_ports(uint8_t protocol)
{
	for (int i = 0; i < PLACES_PORTED; i++)
		if (places_ported[i] == protocol)
			return true;
	return false;
}

int places_protocol(uint32_t place)
{
	uint8_t protocol = place - PLACES_OTHERS;

	if (place < PLACES_OTHERS)
		return places_ported[place >> 16];
	return has_ports(protocol) || protocol == IPPROTO_AH ? -1 : protocol;
}

static uint32_t run_last(const struct cell_run *run, size_t i, size_t count)
{
	return i + 1 < count ? run[i + 1].first - 1 : 65535;
}

/* Where either generation's runs of a protocol begin. `base`: the place of port 0. */
static int cut_protocol(struct place_line *line, struct cells *const cells[DIFF_SIDES], uint8_t protocol,
			uint32_t base, uint32_t max)
{
	size_t count[DIFF_SIDES], at[DIFF_SIDES] = { 0 };
	const struct cell_run *runs[DIFF_SIDES];

	for (int i = 0; i < DIFF_SIDES; i++)
		runs[i] = cells_ports(cells[i], protocol, &count[i]);
	for (uint32_t first = 0, last; first <= max; first = last + 1) {
		struct place_cut cut = { .first = base + first, .kind = place_kind(protocol) };

		last = max;
		for (int i = 0; i < DIFF_SIDES; i++) {
			while (run_last(runs[i], at[i], count[i]) < first)
				at[i]++;
			cut.class[i] = runs[i][at[i]].value;
			if (run_last(runs[i], at[i], count[i]) < last)
				last = run_last(runs[i], at[i], count[i]);
		}
		cut.last = base + last;
		if (array_push(&line->cuts, cut))
			return -ENOMEM;
	}
	return 0;
}

int place_line_cut(struct cells *const cells[DIFF_SIDES], struct place_line *line)
{
	int err = 0;

	for (int i = 0; i < PLACES_PORTED && !err; i++) {
		if (i < PLACE_KINDS)
			line->begin[i] = line->cuts.count;
		err = cut_protocol(line, cells, places_ported[i], i * 65536u, 65535);
	}
	line->begin[PLACE_KINDS] = line->cuts.count;
	for (unsigned protocol = 0; protocol < 256 && !err; protocol++)
		if (places_protocol(PLACES_OTHERS + protocol) >= 0)
			err = cut_protocol(line, cells, protocol, PLACES_OTHERS + protocol, 0);
	return err;
}

/* Is some place of first..last one that packets of this origin can go to, from one of these source ports? */
static bool has_origin(const struct origin *origin, uint32_t first, uint32_t last, uint32_t sports)
{
	static const struct selector all = { .any_protocol = true, .last = 65535 };
	static const struct selectors any = { (struct selector *)&all, 1 };

	for (uint32_t at = first; at <= last; at = at < PLACES_OTHERS ? (at | 0xffff) + 1 : at + 1) {
		uint32_t end = at < PLACES_OTHERS ? at | 0xffff : at;
		uint32_t port = at < PLACES_OTHERS ? at & 0xffff : 0;
		int protocol = places_protocol(at);

		if (protocol == IPPROTO_UDP && origin->unspecified) {
			if (sports >> 16 > DHCP_CLIENT || (sports & 0xffff) < DHCP_CLIENT)
				continue;
			if (port <= DHCP_SERVER && DHCP_SERVER <= ((end < last ? end : last) & 0xffff))
				port = DHCP_SERVER;
		}
		if (protocol >= 0 && places_hold(&any, origin, protocol, port))
			return true;
	}
	return false;
}

unsigned places_origins(uint32_t first, uint32_t last, uint32_t sports)
{
	unsigned origins = 0;

	for (int i = 0; i < ORIGINS; i++)
		if (has_origin(&packet_origins[i], first, last, sports))
			origins |= 1u << i;
	return origins;
}

void place_line_clear(struct place_line *line)
{
	array_free(&line->cuts);
}
