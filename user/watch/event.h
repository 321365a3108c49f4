/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An event as people and programs read it: what was told, with the names that go with its numbers.
 *
 * As JSON (a contract, schema "zonewall.event/1") it is one object a line with always the same fields; what is not
 * known is null. Repeats have a count, and no length, source port, flags; a "folded" event has no addresses either; with "banned"
 * one, its source was put on the block list.
 */
#ifndef ZW_EVENT_H
#define ZW_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/instance.h"
#include "watch/buffer.h"
#include "watch/reader.h"
#include "zonewall.h"

#define EVENT_SCHEMA "zonewall.event/1"

struct event {
	int64_t time_ns; /* Unix time */
	uint64_t count;
	struct zw_event_key key;
	enum zw_hook hook; /* ZW_HOOKS: unknown */
	bool has_packet; /* the next five are known */
	uint32_t length_bytes;
	uint16_t source_port;
	uint16_t vlan;
	uint8_t tcp_flags;
	/* Owned, in one block with the event; "" if there is none or it is not known. */
	const char *interface, *rule, *cgroup;
	const char *staged; /* id of the staged rule that would make the other verdict of the packet, if it was a first one */
	const char *from_zones, *to_zones; /* names with commas between them */
	const char *block_reason; /* why one of its ends is on the block list, as somebody said */
};

/* Copies the event and its strings into one block; free() it. NULL: out of memory. */
struct event *event_copy(const struct event *event);

/* A line without its newline. */
void event_json(const struct event *event, struct buffer *buffer);
void event_text(const struct event *event, bool colour, struct buffer *buffer);

/* What there is to say of a reason beyond its name: "no rule allows it". */
const char *event_reason_text(enum zw_reason reason);

/* A protocol as a policy writes it: "tcp", "proto/47". */
void protocol_text(uint8_t protocol, char text[16]);

/* Finds the names for what was told: zones, rule, interface, control group. Opens generations as they are needed. */
struct decorator;

struct decorator *decorator_new(const struct instance *instance); /* the instance is borrowed. NULL: out of memory */
void decorator_free(struct decorator *decorator);
/* The event to tell; its strings are valid until the next call. */
void decorator_decorate(struct decorator *decorator, const struct told *told, struct event *ret_event);
/* Once a second: forgets generations that are gone and what may have changed. */
void decorator_tick(struct decorator *decorator);

#endif
