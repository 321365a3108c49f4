// SPDX-License-Identifier: GPL-2.0-only
#include "watch/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ 0 };
}

void buffer_clear(struct buffer *buffer)
{
	buffer->len = 0;
	buffer->failed = false;
}

bool buffer_grow(struct buffer *buffer, size_t more)
{
	size_t room = buffer->room ? buffer->room : 256;
	char *data;

	while (room - buffer->len <= more)
		room *= 2;
	if (room == buffer->room)
		return true;
	data = realloc(buffer->data, room);
	if (!data) {
		buffer->failed = true;
		return false;
	}
	buffer->data = data;
	buffer->room = room;
	return true;
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (len < 0 || !buffer_grow(buffer, len))
		return;
	va_start(arguments, format);
	vsnprintf(buffer->data + buffer->len, len + 1, format, arguments);
	va_end(arguments);
	buffer->len += len;
}

void buffer_number(struct buffer *buffer, uint64_t number)
{
	char text[20], *at = text + sizeof(text);

	do
		*--at = '0' + number % 10;
	while (number /= 10);
	buffer_add(buffer, at, text + sizeof(text) - at);
}

void buffer_consume(struct buffer *buffer, size_t len)
{
	if (!len)
		return;
	buffer->len -= len;
	memmove(buffer->data, buffer->data + len, buffer->len);
	buffer->data[buffer->len] = '\0';
}

/* Length of the UTF-8 sequence at text (RFC 3629 4: no overlong forms, no surrogates), 0 if it is none. */
static size_t utf8_len(const unsigned char *text)
{
	static const struct { unsigned char first, last, low, high, len; } forms[] = {
		{ 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (text[0] < forms[i].first || text[0] > forms[i].last)
			continue;
		if (forms[i].len > 1 && (text[1] < forms[i].low || text[1] > forms[i].high))
			return 0;
		for (size_t j = 2; j < forms[i].len; j++)
			if ((text[j] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

/* C0, DEL, and C1 (U+0080..U+009F), which terminals obey. */
static bool is_control(const unsigned char *text)
{
	return text[0] < 0x20 || text[0] == 0x7f || (text[0] == 0xc2 && text[1] < 0xa0);
}

void buffer_json_string(struct buffer *buffer, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	buffer_put(buffer, "\"");
	while (*at) {
		size_t len = utf8_len(at);

		if (!len)
			buffer_put(buffer, "\\ufffd");
		else if (*at == '"' || *at == '\\')
			buffer_printf(buffer, "\\%c", *at);
		else if (is_control(at))
			buffer_printf(buffer, "\\u%04x", len == 2 ? at[1] : at[0]);
		else
			buffer_add(buffer, (const char *)at, len);
		at += len ? len : 1;
	}
	buffer_put(buffer, "\"");
}

void buffer_json_or_null(struct buffer *buffer, const char *text)
{
	if (text && *text)
		buffer_json_string(buffer, text);
	else
		buffer_put(buffer, "null");
}

/* One character, or a byte that is none. Returns how many bytes it has. */
static size_t put_plain(struct buffer *buffer, const unsigned char *at)
{
	size_t len = utf8_len(at);

	if (!len || is_control(at))
		buffer_put(buffer, "?");
	else
		buffer_add(buffer, (const char *)at, len);
	return len ? len : 1;
}

void buffer_plain(struct buffer *buffer, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at)
		at += put_plain(buffer, at);
}

void buffer_xml(struct buffer *buffer, const char *text)
{
	static const char special[] = "&<>\"'\n";
	static const char *const escaped[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "\n" };
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		const char *found = strchr(special, *at);

		if (found)
			buffer_put(buffer, escaped[found - special]);
		at += found ? 1 : put_plain(buffer, at);
	}
}
