/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What others did to what is published: pins removed, programs detached, replaced, their qdisc deleted, the gate's slots
 * edited. Looked for every second, and when the kernel tells of a change; told in the loader's messages, in its log of events
 * (schema "zonewall.drift/1") and, the last of them, in `status`. Pins (kernel/keeper.h) and slots (kernel/slots.h) are put back
 * here; attach points by publish_follow().
 */
#ifndef ZW_DRIFT_H
#define ZW_DRIFT_H

#include <stdbool.h>

#include "kernel/instance.h"

struct drift;
struct json_object;
struct output;

struct drift *drift_new(struct output *output); /* borrowed. NULL: out of memory */
void drift_free(struct drift *drift);

/* Another instance, or the same published anew; NULL: none. Borrowed until the next call. */
void drift_watch(struct drift *drift, const struct instance *instance);

/* Looks and tells. True: attach points lack their program, which publish_follow() gives them; then look again. */
bool drift_look(struct drift *drift);

/* Adds what was told last: "drift", an array of {time, what}; and a warning, if that was within ten minutes. */
void drift_report(const struct drift *drift, struct json_object *report);

#endif
