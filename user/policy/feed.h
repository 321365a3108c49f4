/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of addresses: an address, CIDR or range a line, as in ipset's .netset files, or a column of CSV (RFC 4180). In both a
 * line that begins with # is a comment; in a list so is what stands behind one.
 *
 * The column is named by the header: the first line, perhaps a comment, one of whose fields is its name.
 */
#ifndef ZW_FEED_H
#define ZW_FEED_H

#include "policy/reader.h"

/*
 * Reads the text (which is cut up) of zone->feed.path by the zone's terms into ranges, and counts its entries there. at: where
 * `file:` stands. Returns whether it was read as the zone wants it; what is wrong is in the reader's diag.
 */
bool feed_read(struct reader *reader, struct zone *zone, const struct place *at, char *text, size_t len,
	       struct ranges *ranges);

#endif
