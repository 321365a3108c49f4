/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines from a descriptor, each bounded, with no more memory than one of them needs. */
#ifndef ZW_LINE_H
#define ZW_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct line_reader;

int line_reader_new(int fd, size_t max, struct line_reader **ret_reader); /* fd is borrowed; 0 or -ENOMEM */
void line_reader_free(struct line_reader *reader);

/* Can the next line be had without waiting for input? */
bool line_reader_has_next(const struct line_reader *reader);

/*
 * 1 and the line (valid until the next call, without its newline, behind it stands a zero byte); 0 at the end; -E2BIG
 * for a line longer than max, which is passed over; or -errno of read(2). A last line without a newline is a line.
 */
int line_reader_next(struct line_reader *reader, char **ret_line, size_t *ret_len);

#endif
