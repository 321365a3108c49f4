// SPDX-License-Identifier: GPL-2.0-only
#include "base/yaml_print.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define WIDTH 120
#define INDENT 6 /* of what goes on in another line */

struct writer {
	FILE *to;
	size_t column;
};

static void put(struct writer *w, const char *text)
{
	fputs(text, w->to);
	w->column += strlen(text);
}

static void end_line(struct writer *w)
{
	putc('\n', w->to);
	w->column = 0;
}

/* Words that YAML 1.1 takes for something else (type repository: null, bool). */
static bool is_special(const char *text)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y", "n" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(text, words[i]))
			return true;
	return false;
}

/* Digits with nothing but what numbers and dates have besides. */
static bool is_number_like(const char *text)
{
	return isdigit((unsigned char)*text) && !text[strspn(text, "0123456789abcdefABCDEFxo+-_.eETZ:")] && !strchr(text, '/');
}

/* An IPv4 address or a range of them: three dots or more make no number. */
static bool has_dots(const char *text)
{
	size_t dots = 0;

	for (; *text; text++)
		dots += *text == '.';
	return dots >= 3;
}

static bool is_plain(const char *text)
{
	if (!isalnum((unsigned char)*text) || is_special(text) || (is_number_like(text) && !has_dots(text)))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("_./-", *text))
			return false;
	return true;
}

/* A string of JSON is one of YAML in double quotes (YAML 1.2, 1.3). */
static void put_scalar(struct writer *w, struct json_object *value)
{
	bool plain = json_object_get_type(value) != json_type_string || is_plain(json_object_get_string(value));

	put(w, plain ? json_object_get_string(value) :
		       json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void put_key(struct writer *w, const char *key)
{
	struct json_object *text = json_object_new_string(key);

	put_scalar(w, text);
	json_object_put(text);
}

static void put_flow(struct writer *w, struct json_object *value);

static void put_comma(struct writer *w)
{
	put(w, ",");
	if (w->column < WIDTH) {
		put(w, " ");
		return;
	}
	end_line(w);
	for (int i = 0; i < INDENT; i++)
		put(w, " ");
}

static void put_flow_list(struct writer *w, struct json_object *list)
{
	put(w, "[");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		if (i)
			put_comma(w);
		put_flow(w, json_object_array_get_idx(list, i));
	}
	put(w, "]");
}

static void put_flow_map(struct writer *w, struct json_object *map)
{
	bool first = true;

	put(w, "{");
	json_object_object_foreach(map, key, value) {
		if (!first)
			put_comma(w);
		first = false;
		put_key(w, key);
		put(w, ": ");
		put_flow(w, value);
	}
	put(w, "}");
}

static void put_flow(struct writer *w, struct json_object *value)
{
	if (json_object_is_type(value, json_type_array))
		put_flow_list(w, value);
	else if (json_object_is_type(value, json_type_object))
		put_flow_map(w, value);
	else
		put_scalar(w, value);
}

static bool is_list_of_maps(struct json_object *value)
{
	return json_object_is_type(value, json_type_array) && json_object_array_length(value) &&
	       json_object_is_type(json_object_array_get_idx(value, 0), json_type_object);
}

static void put_entries(struct writer *w, struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		put(w, "  - ");
		put_flow(w, json_object_array_get_idx(list, i));
		end_line(w);
	}
}

static void put_block(struct writer *w, struct json_object *map)
{
	json_object_object_foreach(map, key, value) {
		put(w, "  ");
		put_key(w, key);
		put(w, ": ");
		put_flow(w, value);
		end_line(w);
	}
}

void yaml_print(struct json_object *map, FILE *to)
{
	struct writer w = { .to = to };

	json_object_object_foreach(map, key, value) {
		bool block = json_object_is_type(value, json_type_object) && json_object_object_length(value);

		put_key(&w, key);
		put(&w, ":");
		if (block || is_list_of_maps(value)) {
			end_line(&w);
			block ? put_block(&w, value) : put_entries(&w, value);
			continue;
		}
		put(&w, " ");
		put_flow(&w, value);
		end_line(&w);
	}
}
