/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of a snapshot of flows (watch/flow_stream.h), as they come, to stdout: as they are, or sorted, or as a table.
 *
 * A million lines are too many for libsmartcols, which keeps and measures each cell: the columns are as wide as the first
 * thousand rows need, which are kept until then; the others are printed as they come.
 */
#ifndef ZW_FLOW_PRINT_H
#define ZW_FLOW_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flow_print;

struct flow_print_options {
	bool text; /* lines are rows */
	bool count; /* there are none, only how many there would be */
	bool sort; /* each line begins with its key */
	uint64_t limit; /* of sorted lines; UINT64_MAX: all */
};

struct flow_print *flow_print_new(const struct flow_print_options *options); /* NULL: out of memory */
void flow_print_free(struct flow_print *print);

/* Takes whole lines. context: a struct flow_print. 0 or -errno: of stdout, or -ENOMEM. */
int flow_print_take(void *context, const char *lines, size_t len);
/* Prints what was kept; says on standard error what could not be read. 0 or -errno. */
int flow_print_end(struct flow_print *print);

#endif
