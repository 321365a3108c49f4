/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Diagnostics: what the user's files have wrong, each with its place, collected and printed together.
 */
#ifndef ZW_DIAG_H
#define ZW_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Lines and columns count from 1 (columns in characters); line 0: the file as a whole. `file` is an index that diag_file returned. */
struct place {
	int file;
	unsigned line, column, length;
};

struct diag;

struct diag *diag_new(void); /* NULL: out of memory */
void diag_free(struct diag *diag);

/* Makes a file known under the name to show; text (len bytes, may be NULL) is copied to quote lines from. Returns its index or -ENOMEM. */
int diag_file(struct diag *diag, const char *name, const char *text, size_t len);
const char *diag_file_name(const struct diag *diag, int file);

/* Forgets what was reported and the files' lines. Their names stay, so that places still mean what they meant. */
void diag_forget(struct diag *diag);

/* Keeps one line of a file that was made known without its text (a feed), so that it can be quoted. 0 or -ENOMEM. */
int diag_quote(struct diag *diag, int file, unsigned line, const char *text, size_t len);

/* place NULL: no place (a command-line matter). fix NULL: none known. */
void diag_error(struct diag *diag, const struct place *place, const char *fix, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void diag_warning(struct diag *diag, const struct place *place, const char *fix, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Turns every warning reported so far into an error (--werror). */
void diag_promote(struct diag *diag);

size_t diag_errors(const struct diag *diag);
size_t diag_warnings(const struct diag *diag);

/* In order of files, then lines, then columns. Text as in house style, or a JSON array of objects. */
void diag_print(const struct diag *diag, FILE *out, bool colour);
struct json_object;
struct json_object *diag_json(const struct diag *diag); /* caller owns */

#endif
