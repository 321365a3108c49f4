/* SPDX-License-Identifier: GPL-2.0-only */
/* From a line's fields to the bytes of an Ethernet frame, as a well-behaved sender would write them. */
#ifndef ZW_FRAME_H
#define ZW_FRAME_H

#include "simulate/input.h"

#define FRAME_MAX (14 + 4 * INPUT_TAGS_MAX + 40 + 65535)

/*
 * Lengths and checksums are right (those of a fragmented packet's transport header for what this fragment carries).
 * VLAN tags are 802.1Q, the outer one of two or more 802.1ad. TTL and hop limit are 64; 255 for neighbour discovery and
 * 1 for MLD and IGMP, whose receivers ignore anything else. ICMP echo has the source port as its identifier.
 * Returns the frame's length, or 0 if the packet would be longer than an IP packet can be.
 */
size_t frame_build(const struct input *input, uint8_t ret_frame[FRAME_MAX]);

#endif
