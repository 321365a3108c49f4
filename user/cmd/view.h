/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `rules` and `status` share: getting the report, from the loader or from the pins, and printing tables of it.
 */
#ifndef ZW_VIEW_H
#define ZW_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/command.h"

struct json_object;
struct instance;
struct libscols_table;

/*
 * Asks the loader; if it is not there, makes the report from the pins, if the rights allow. Returns an exit status,
 * having told what is wrong; the caller owns the report.
 */
int view_report(const struct globals *globals, const char *request,
		struct json_object *(*make)(const struct instance *instance, const char *name),
		struct json_object **ret_report);

/* Says that nothing is published under this name; returns the exit status that goes with it. */
int view_nothing_published(const char *instance);

/* The report as it is, in a line. */
void view_json(struct json_object *report);

/* Values of an object; "", 0, false if they are absent or null. */
const char *view_string(struct json_object *object, const char *key);
uint64_t view_number(struct json_object *object, const char *key);
bool view_bool(struct json_object *object, const char *key);
struct json_object *view_get(struct json_object *object, const char *key); /* NULL if absent */

/* "1.2M"; "3.4 MiB". The text is good until the eighth next call. */
const char *view_count(uint64_t count);
const char *view_bytes(uint64_t bytes);
/* "3s", "5m", "2h", "4d". */
const char *view_seconds(uint64_t seconds);
/* How long ago an RFC 3339 time is, so; "never" for "". */
const char *view_age(const char *time);

/* A table whose columns are the words of `columns`, separated by spaces; a word that begins with '>' is for numbers. */
struct libscols_table *view_table(const struct globals *globals, const char *columns);
/* Adds a line: as many strings as there are columns. */
void view_line(struct libscols_table *table, ...);
void view_print(struct libscols_table *table); /* and frees it */

#endif
