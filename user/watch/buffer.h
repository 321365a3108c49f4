/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A text that grows. A failed allocation is remembered, so that a line is built without looking and judged once.
 */
#ifndef ZW_BUFFER_H
#define ZW_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
	char *data; /* len bytes, and a NUL unless it never grew */
	size_t len, room;
	bool failed; /* out of memory: data is not the whole */
};

void buffer_free(struct buffer *buffer); /* leaves it empty */
void buffer_clear(struct buffer *buffer); /* empty, memory kept */
bool buffer_grow(struct buffer *buffer, size_t more); /* room for `more` bytes and a NUL; false: out of memory */

/* In the header, since lines of a million flows are put together from constant pieces. */
static inline void buffer_add(struct buffer *buffer, const char *text, size_t len)
{
	if (buffer->room - buffer->len <= len && !buffer_grow(buffer, len))
		return;
	memcpy(buffer->data + buffer->len, text, len);
	buffer->len += len;
	buffer->data[buffer->len] = '\0';
}

static inline void buffer_put(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_number(struct buffer *buffer, uint64_t number); /* decimal */
void buffer_consume(struct buffer *buffer, size_t len); /* takes len bytes off the front */

/* A JSON string with its quotes (RFC 8259 7); bytes that are not UTF-8 become U+FFFD. NULL or "": null if so wanted. */
void buffer_json_string(struct buffer *buffer, const char *text);
void buffer_json_or_null(struct buffer *buffer, const char *text);

/* Text for a terminal: control characters and what is not UTF-8 become '?'. */
void buffer_plain(struct buffer *buffer, const char *text);

/* The same for an attribute or text of XML and HTML (XML 1.0 2.2, 2.4), where lines stay. */
void buffer_xml(struct buffer *buffer, const char *text);

#endif
