/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A snapshot of the flows as lines that are made as they are taken: one pass over both tables, in their order. Asked
 * for by a JSON object, all of whose keys but the first are optional:
 *
 *   {"request":"flows","filters":{...},"limit":100,"count":true,"sort":"bytes","text":true}
 *
 * filters: flow_filter.h. limit: so many lines, the first met. count: no lines, only how many there would be. text: rows of
 * fields (flow_row) instead of JSON. sort: nothing is sorted here, but each line begins with 16 hexadecimal digits by
 * which the taker can (descending: packets, bytes, age; ascending: idle) and a tab; limit is his matter then.
 *
 * The last line, if slots could not be read because they were being written, says how many: FLOW_CHANGING_SCHEMA. It is
 * JSON also among rows, and has no digits.
 */
#ifndef ZW_FLOW_STREAM_H
#define ZW_FLOW_STREAM_H

#include "watch/buffer.h"
#include "watch/filter.h"
#include "watch/flow_source.h"

struct flow_stream;

/* What can be seen to be wrong with a request without knowing what is published. 0, or -EINVAL with the error's text. */
int flow_request_check(struct json_object *request, const struct filter_error *error);

/* Borrows the source; 0, -ENOMEM, or -EINVAL with the error's text. */
int flow_stream_new(const struct flow_source *source, struct json_object *request, const struct filter_error *error,
		    struct flow_stream **ret_stream);
/* Opens the instance's own source. 0, or -errno with the error's text. */
int flow_stream_open(const struct instance *instance, struct json_object *request, const struct filter_error *error,
		     struct flow_stream **ret_stream);
void flow_stream_free(struct flow_stream *stream);

/* Adds lines until `out` holds `room` bytes or more, or `slots` slots were looked at. False: that was all. */
bool flow_stream_add(struct flow_stream *stream, struct buffer *out, size_t room, uint64_t slots);

#endif
