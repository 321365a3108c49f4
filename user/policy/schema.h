/* SPDX-License-Identifier: GPL-2.0-only */
/* The keys of a map as a table, and what is said of values that are not of the type they should be. */
#ifndef ZW_SCHEMA_H
#define ZW_SCHEMA_H

#include "policy/reader.h"

typedef void read_field(struct reader *reader, const struct node *key, const struct node *value, void *into);

struct field {
	const char *name;
	bool required;
	read_field *read; /* NULL: known, and read at another time */
};

struct schema {
	const char *what; /* "a rule": for messages */
	const struct field *fields; /* ends with a NULL name */
};

/* Reports unknown and missing keys, and reads each known one. Returns false if value is no map. */
bool schema_read(struct reader *reader, const struct schema *schema, const struct node *value, void *into);

/* Reads known keys only; everything else was reported before. */
void schema_read_again(struct reader *reader, const struct schema *schema, const struct node *value, void *into);

/* The text of a scalar that is not empty, or NULL after a report; `what` is what was expected: "a zone". */
const char *want_text(struct reader *reader, const struct node *value, const char *what);
bool want_list(struct reader *reader, const struct node *value, const char *what);

/* The position in `words` (ends with NULL), or -1 after a report. */
int want_word(struct reader *reader, const struct node *value, const char *const *words);

/* A decimal number without leading zeros. 0, or -EINVAL after a report. */
int want_number(struct reader *reader, const struct node *value, uint64_t min, uint64_t max, uint64_t *ret_number);

/* The same without a report. */
int number_read(const char *text, uint64_t max, uint64_t *ret_number);

#endif
