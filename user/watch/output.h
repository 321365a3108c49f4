/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the loader writes events: nowhere, standard output, or a file, as text or JSON lines.
 *
 * Who has stopped reading our standard output does not stop the loader: what is not taken is kept up to a bound, and then
 * left out, with a line that says how much.
 */
#ifndef ZW_OUTPUT_H
#define ZW_OUTPUT_H

#include <stdbool.h>

#include "watch/event.h"

struct output;

/* where: "none", "stdout", or a file to append to. Tells what is wrong; 0 or -errno. */
int output_open(const char *where, bool json, bool colour, struct output **ret_output);
void output_free(struct output *output);

void output_add(struct output *output, const struct event *event);
/* What is no packet's: {"schema", "time", "what"}, or a line of text. */
void output_note(struct output *output, const char *schema, const char *what);
void output_flush(struct output *output);
/* Opens the file anew: somebody has moved it away. On failure the old one is kept; tells. */
void output_reopen(struct output *output);

#endif
