// SPDX-License-Identifier: GPL-2.0-only
#include "watch/flow_stream.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "watch/flow_filter.h"
#include "watch/flow_line.h"

enum sort { SORT_NONE, SORT_BYTES, SORT_PACKETS, SORT_AGE, SORT_IDLE, SORTS };

static const char *const sorts[SORTS] = { "", "bytes", "packets", "age", "idle" };

struct flow_stream {
	struct flow_source source;
	bool owns_source;
	struct flow_filter filter;
	bool by_name; /* the filter looks at names */
	bool text, only_count;
	enum sort sort;
	uint64_t left; /* lines that may still be told */
	unsigned table; /* what to look at next */
	uint64_t slot;
	uint64_t told, changing;
	bool ended;
};

static bool has_flag(struct json_object *request, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(request, key, &value) && json_object_get_boolean(value);
}

static int read_sort(struct json_object *request, const struct filter_error *error, enum sort *ret_sort)
{
	struct json_object *value;
	const char *text;

	*ret_sort = SORT_NONE;
	if (!json_object_object_get_ex(request, "sort", &value))
		return 0;
	text = json_object_get_string(value);
	for (int i = 1; text && i < SORTS; i++)
		if (!strcmp(text, sorts[i]))
			*ret_sort = i;
	return *ret_sort ? 0 : filter_refuse(error, "not an order (bytes, packets, age, idle)", text ? text : "");
}

static int read_request(struct flow_stream *stream, struct json_object *request, const struct filter_error *error)
{
	struct json_object *filters = NULL, *limit;
	int r;

	json_object_object_get_ex(request, "filters", &filters);
	r = flow_filter_read(filters, error, &stream->filter);
	if (!r)
		r = read_sort(request, error, &stream->sort);
	if (r)
		return r;
	stream->by_name = flow_filter_has_names(&stream->filter);
	stream->text = has_flag(request, "text");
	stream->only_count = has_flag(request, "count");
	stream->left = UINT64_MAX;
	if (json_object_object_get_ex(request, "limit", &limit) && !stream->sort)
		stream->left = json_object_get_int64(limit) < 0 ? 0 : json_object_get_int64(limit);
	return 0;
}

int flow_request_check(struct json_object *request, const struct filter_error *error)
{
	struct flow_stream stream = { 0 };

	return read_request(&stream, request, error);
}

int flow_stream_new(const struct flow_source *source, struct json_object *request, const struct filter_error *error,
		    struct flow_stream **ret_stream)
{
	struct flow_stream *stream = calloc(1, sizeof(*stream));
	int r;

	if (!stream) {
		filter_refuse(error, "out of memory", "flows");
		return -ENOMEM;
	}
	stream->source = *source;
	r = read_request(stream, request, error);
	if (!r)
		r = flow_filter_check(&stream->filter, source, error);
	if (r)
		free(stream);
	else
		*ret_stream = stream;
	return r;
}

int flow_stream_open(const struct instance *instance, struct json_object *request, const struct filter_error *error,
		     struct flow_stream **ret_stream)
{
	struct flow_source source;
	int r = flow_source_open(instance, &source);

	if (r) {
		filter_refuse(error, "cannot read the flow tables", strerror(-r));
		return r;
	}
	r = flow_stream_new(&source, request, error, ret_stream);
	if (r)
		flow_source_close(&source);
	else
		(*ret_stream)->owns_source = true;
	return r;
}

void flow_stream_free(struct flow_stream *stream)
{
	if (!stream)
		return;
	if (stream->owns_source)
		flow_source_close(&stream->source);
	free(stream);
}

static uint64_t sort_key(enum sort sort, const struct flow_record *flow)
{
	switch (sort) {
	case SORT_BYTES:
		return flow->bytes[0] + flow->bytes[1];
	case SORT_PACKETS:
		return flow->packets[0] + flow->packets[1];
	case SORT_AGE:
		return flow->age;
	default:
		return ~flow->idle;
	}
}

static void put_key(uint64_t key, struct buffer *out)
{
	char digits[17];

	for (int i = 15; i >= 0; i--, key >>= 4)
		digits[i] = "0123456789abcdef"[key & 15];
	digits[16] = '\t';
	buffer_add(out, digits, sizeof(digits));
}

static void tell(struct flow_stream *stream, struct flow_seen *flow, struct buffer *out)
{
	if (!flow_filter_matches(&stream->filter, &flow->record))
		return;
	if (stream->by_name || !stream->only_count)
		flow_source_name(&stream->source, flow);
	if (stream->by_name && !flow_filter_matches_names(&stream->filter, flow))
		return;
	stream->told++;
	stream->left--;
	if (stream->only_count)
		return;
	if (stream->sort)
		put_key(sort_key(stream->sort, &flow->record), out);
	if (stream->text)
		flow_row(flow, stream->source.hz, out);
	else
		flow_json(flow, stream->source.hz, out);
	buffer_add(out, "\n", 1);
}

/* Looks at up to so many slots of the present table. Returns how many it was. */
static uint64_t look(struct flow_stream *stream, struct buffer *out, size_t room, uint64_t slots)
{
	const struct flow_table *table = &stream->source.tables[stream->table];
	uint64_t count = flow_table_slots(table), now = flow_source_now(&stream->source), from = stream->slot;
	struct flow_seen flow;

	if (stream->filter.family && stream->filter.family != table->family)
		count = 0;
	while (stream->slot < count && stream->slot - from < slots && out->len < room && stream->left) {
		enum flow_read got = flow_read(table, stream->slot++, now, &flow.record);

		if (got == FLOW_READ)
			tell(stream, &flow, out);
		stream->changing += got == FLOW_CHANGING;
	}
	slots = stream->slot - from;
	if (stream->slot >= count) {
		stream->table++;
		stream->slot = 0;
	}
	return slots;
}

static void end(struct flow_stream *stream, struct buffer *out)
{
	if (stream->only_count)
		buffer_printf(out, "{\"schema\":\"" FLOW_COUNT_SCHEMA "\",\"flows\":%llu,\"changing\":%llu}\n",
			      (unsigned long long)stream->told, (unsigned long long)stream->changing);
	else if (stream->changing)
		buffer_printf(out, "{\"schema\":\"" FLOW_CHANGING_SCHEMA "\",\"flows\":%llu}\n",
			      (unsigned long long)stream->changing);
	stream->ended = true;
}

bool flow_stream_add(struct flow_stream *stream, struct buffer *out, size_t room, uint64_t slots)
{
	while (stream->table < 2 && slots && out->len < room && stream->left)
		slots -= look(stream, out, room, slots);
	if (!stream->ended && (stream->table == 2 || !stream->left))
		end(stream, out);
	return !stream->ended;
}
