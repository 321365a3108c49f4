/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets of a capture (pcap or pcapng, through libpcap) as the Ethernet frames that the programs decide.
 *
 * Ethernet is taken as it is. Raw IP and Linux cooked packets ("any") get an Ethernet header with their protocol. Whom a cooked
 * one was addressed to is not recorded: a multicast that was received counts as one to the bridges' group (01:80:c2:00:00:0e),
 * which only matters to what is not IP.
 */
#ifndef ZW_CAPTURE_H
#define ZW_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "simulate/frame.h"

#define CAPTURE_ERROR_MAX 512

enum direction { DIRECTION_UNKNOWN, DIRECTION_IN, DIRECTION_OUT };

struct captured {
	const uint8_t *bytes; /* an Ethernet frame; belongs to the capture, until its next packet */
	size_t len; /* on the wire; what was not captured is zero. At most FRAME_MAX: no IP packet is longer */
	size_t captured; /* so many first bytes are the packet's own */
	double time; /* Unix seconds; not finite or negative in a broken file */
	enum direction direction;
	bool loopback; /* of a device that no hook stands at: lo, or netlink's */
};

struct capture;

/* Takes the file. Returns 0; -EINVAL with what is wrong in ret_error; -ENOMEM. */
int capture_open(FILE *file, struct capture **ret_capture, char ret_error[CAPTURE_ERROR_MAX]);
void capture_free(struct capture *capture);

/* "EN10MB", "LINUX_SLL2" as tcpdump has it; and for people. */
const char *capture_link(const struct capture *capture);
const char *capture_link_text(const struct capture *capture);

/* Returns 1; 0 at the end; -EINVAL if the rest cannot be read, with why in ret_error. */
int capture_next(struct capture *capture, struct captured *ret_captured, char ret_error[CAPTURE_ERROR_MAX]);

#endif
