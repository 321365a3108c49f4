/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A line of `zonewall simulate`: a packet as JSON (design section 11). Nothing is guessed: an unknown key, a wrong type
 * or a value out of range is an error that names the key.
 */
#ifndef ZW_INPUT_H
#define ZW_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define INPUT_LINE_MAX (1u << 20) /* bytes, without the newline */
#define INPUT_TAGS_MAX 8
#define INPUT_ERROR_MAX 256

struct input {
	bool is_frame; /* `bytes` is the whole Ethernet frame; of the rest only hook, interface and time are set */
	struct addr from, to;
	uint8_t protocol;
	uint16_t sport, dport;
	uint8_t icmp[2]; /* type, code */
	uint8_t tcp_flags; /* as in the header */
	bool has_fragment, more;
	uint32_t fragment_id;
	uint32_t offset; /* bytes */
	uint16_t vlan[INPUT_TAGS_MAX]; /* outermost first */
	size_t vlan_count;
	bool has_seq, has_ack, has_time;
	uint32_t seq, ack;
	double time; /* Unix seconds */
	bool has_hook, egress;
	char interface[16]; /* where it enters; "" if the line does not say */
	const uint8_t *bytes; /* payload or frame; belongs to the parser, until its next line */
	size_t len;
};

struct input_parser;

int input_parser_new(struct input_parser **ret_parser); /* 0 or -ENOMEM */
void input_parser_free(struct input_parser *parser);

/* Reads one line of len bytes, behind which stands a newline or a zero byte. 0; -EINVAL with what is wrong in ret_error; -ENOMEM. */
int input_parse(struct input_parser *parser, const char *line, size_t len, struct input *ret_input,
		char ret_error[INPUT_ERROR_MAX]);

#endif
