/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A policy of scale.h that is published as `apply` does it, on an interface of its own: what is measured are its
 * programs behind the attached gate. All functions exit with a message if something is refused.
 */
#ifndef ZW_PUBLISHED_H
#define ZW_PUBLISHED_H

#include "bench/drive.h"
#include "bench/scale.h"

#define CACHED 1024u
#define UNCACHED 65536u

struct published {
	struct scale scale;
	char instance[64], interface[16];
	unsigned ifindex;
	int gate; /* the attached XDP program */
};

/* As instance PREFIX-N on interface bN, or all that scale's pattern matches. flows: entries a family. */
void published_new(struct published *p, const struct scale *scale, const char *prefix, unsigned n, uint64_t flows);
void published_down(struct published *p);

enum packet_kind {
	DENIED, /* SYNs that the default drops */
	MISSING, /* ACKs of no flow, which the default drops */
	ESTABLISHED, /* ACKs of open flows */
	NEW, /* SYNs to the open port */
	MIXED, /* one of eight reasons each */
};

/* Packets of flows 0 to flows - 1 (a power of two), at random. */
struct packets published_packets(const struct published *p, enum packet_kind kind, uint32_t flows);

/* Opens flows 0 to flows - 1, by handshakes; the policy allows so many of them. Ends the bench if they are not established then. */
void published_open_flows(const struct published *p, struct drive *drive, uint32_t flows, uint32_t allowed);

#endif
