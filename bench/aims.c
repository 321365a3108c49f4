// SPDX-License-Identifier: GPL-2.0-only
#include "bench/aims.h"

#include "base/util.h"

#define AT_MOST false
#define AT_LEAST true

const struct aim aims[] = {
	{ "P1", "parse, over the floor", 1.25, 1.15, AT_MOST },
	{ "P2", "stateful drop, full tables, cached, over the floor", 2.4, 1.9, AT_MOST },
	{ "P3", "the same, uncached, over the floor", 8, 6, AT_MOST },
	{ "P3 hashes", "the same, over the pipeline on kernel hashes", 0.75, 0.75, AT_MOST },
	{ "P4 cached", "established, 1,024 flows, over the floor", 1.75, 1.4, AT_MOST },
	{ "P4 uncached", "established, 65,536 flows, over the floor", 5, 3, AT_MOST },
	{ "P5", "100,000 rules over 10", 1.1, 1, AT_MOST },
	{ "P6", "1,000,000 prefixes over 1,000, cached", 1.25, 1, AT_MOST },
	{ "P6 tries", "LPM-trie pipeline, 1,000,000 prefixes, uncached, over ours", 10, 20, AT_LEAST },
	{ "P7 map", "nftables ingress verdict map over ours", 4, 6, AT_LEAST },
	{ "P7 conntrack", "nftables behind conntrack over ours", 7, 10, AT_LEAST },
	{ "P7 linear", "nftables, 1,000 linear ingress rules, over ours", 100, 200, AT_LEAST },
	{ "P8", "xdp-filter by IP over ours", 1.25, 2, AT_LEAST },
	{ "P9 nothing", "accepted traffic over nothing attached", 0.95, 0.99, AT_LEAST },
	{ "P9 nftables", "accepted traffic over nftables, same stateful policy", 1, 1, AT_LEAST },
	{ "P10", "new flow, uncached, over the LRU-hash pipeline", 0.75, 0.5, AT_MOST },
	{ "P11 one", "drops with events on over off, flood of one flow", 1.2, 1.05, AT_MOST },
	{ "P11 many", "drops with events on over off, flood of 65,536 flows", 1.2, 1.05, AT_MOST },
	{ "P12", "clock reads on the established and the denied path", 0, 0, AT_MOST },
	{ "P13 cached", "IPv6 over IPv4: P2, P4, P7, P10", 1.75, 1.3, AT_MOST },
	{ "P13 uncached", "IPv6 over IPv4: P3, P6, P14", 2.5, 1.75, AT_MOST },
	{ "P14 rules", "apply of 1,000 rules, ms", 100, 40, AT_MOST },
	{ "P14 full", "apply of full tables, ms", 3000, 1000, AT_MOST },
	{ "P14 memory", "memory of the full compile, MiB", 1024, 400, AT_MOST },
	{ "P15", "adversaries, over the uncached P3", 2, 1.5, AT_MOST },
	{ "P16", "packets lost or wrongly decided in 1,000 applies", 0, 0, AT_MOST },
	{ "two CPUs", "work of two CPUs over one's, where the floor's is 2", 1.8, 1.8, AT_LEAST },
};
const size_t aim_count = ARRAY_LEN(aims);

const struct aim *aim_find(const char *row)
{
	for (size_t i = 0; i < aim_count; i++)
		if (!strcmp(aims[i].row, row))
			return &aims[i];
	return NULL;
}

enum aim_reached aim_judge(const struct aim *aim, double compared)
{
	/* Not a number is neither. */
	if (aim->at_least ? compared >= aim->aim : compared <= aim->aim)
		return AIM_REACHED;
	return (aim->at_least ? compared >= aim->must : compared <= aim->must) ? AIM_MET : AIM_MISSED;
}
