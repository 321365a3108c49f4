/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading a whole regular file, of a bounded size; and writing another text into one. */
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

/* All of the bytes to a file that is open, and on the disk. 0 or -errno. */
int file_write_all(int fd, const void *bytes, size_t len);

/*
 * Another text for a regular file, in one step: under a name of its own beside it, on the disk, then in its place, with its owner,
 * group and mode; a symbolic link goes on to point to it. 0 or -errno; -ESTALE: it does not hold `old` any more.
 */
int file_replace(const char *path, const char *old, size_t old_len, const char *text, size_t len);

/* What file_read's error means, for people. */
const char *file_problem(int err);

#endif
