/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which events somebody wants to see. Written as a JSON object, all of whose keys are optional and must all hold:
 *
 *   zone       a zone of either end            rule       a rule's or failsafe's id
 *   from, to   an address, CIDR or zone        reason     a reason's name
 *   port       destination or source port      interface  an interface's name
 *   verdict    "drop" (default), "allow", "any"
 *   staged     "changed": a staged rule would make the other verdict
 */
#ifndef ZW_FILTER_H
#define ZW_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "watch/event.h"

struct json_object;

#define FILTER_NAME_MAX 64

/* Where a reader says what is wrong with a value. */
struct filter_error {
	char *text;
	size_t room;
};

/* An end of the packet: by address (family not 0) or by zone (not empty), or any. */
struct filter_end {
	int family;
	struct range range;
	char zone[FILTER_NAME_MAX];
};

struct filter {
	char zone[FILTER_NAME_MAX], rule[FILTER_NAME_MAX], interface[FILTER_NAME_MAX];
	struct filter_end from, to;
	bool has_port, staged;
	uint16_t port;
	uint32_t reasons; /* bit mask by number */
	int64_t since_ns; /* Unix time */
};

/* object may be NULL: everything that was dropped. -EINVAL: what is wrong stands in ret_why. */
int filter_read(struct json_object *object, struct filter *ret_filter, char *ret_why, size_t why_len);
bool filter_matches(const struct filter *filter, const struct event *event);

/* Values of filters, for others that have some of the same. 0, or -EINVAL with the error's text. */
int filter_refuse(const struct filter_error *error, const char *what, const char *value); /* "what: 'value'"; -EINVAL */
int filter_read_name(const struct filter_error *error, const char *value, char ret_name[FILTER_NAME_MAX]);
int filter_read_end(const struct filter_error *error, const char *value, struct filter_end *ret_end);
int filter_read_port(const struct filter_error *error, const char *value, uint16_t *ret_port);

/* Is this an address of the end's range? wire: 4 or 16 bytes. */
bool filter_end_has(const struct filter_end *end, int family, const void *wire);

#endif
