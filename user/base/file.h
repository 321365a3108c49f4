/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading a whole regular file, of a bounded size. */
#ifndef ZW_FILE_H
#define ZW_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Which file it is, whatever its path says. */
struct file_id {
	dev_t device;
	ino_t inode;
};

struct file_text {
	char *text; /* len bytes and a NUL; owned */
	size_t len;
	struct file_id id;
};

/*
 * Reads a regular file of at most limit bytes. Never waits: a FIFO, a device, a socket or a directory is refused before
 * a byte is read. Returns 0 or -errno: -EFBIG if it is too large, -EISDIR, and -ENODEV for the other kinds.
 */
int file_read(const char *path, size_t limit, struct file_text *ret_file);

/* What file_read's error means, for people. */
const char *file_problem(int err);

#endif
