// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/util.h"

static int check_kind(const struct stat *st, size_t limit)
{
	if (S_ISDIR(st->st_mode))
		return -EISDIR;
	if (!S_ISREG(st->st_mode))
		return -ENODEV;
	return st->st_size > 0 && (uint64_t)st->st_size > limit ? -EFBIG : 0;
}

/* Reads up to limit bytes and one more, so that a file that grows meanwhile, or says 0 as /proc does, is bounded too. */
static int read_all(int fd, size_t expected, size_t limit, char **ret_text, size_t *ret_len)
{
	size_t size = expected + 2, len = 0;
	_cleanup_free_ char *text = malloc(size);

	while (text) {
		ssize_t got = read(fd, text + len, size - len - 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		len += got;
		if (len > limit)
			return -EFBIG;
		if (!got) {
			text[len] = 0;
			*ret_text = take_ptr(text);
			*ret_len = len;
			return 0;
		}
		if (len == size - 1) {
			char *grown = realloc(text, size *= 2);

			if (!grown)
				return -ENOMEM;
			text = grown;
		}
	}
	return -ENOMEM;
}

int file_read(const char *path, size_t limit, struct file_text *ret_file)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int err;

	/* Opening a device can do something; so ask first, and once more for what was opened. */
	if (stat(path, &st))
		return -errno;
	err = check_kind(&st, limit);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	err = check_kind(&st, limit);
	if (err)
		return err;
	ret_file->id = (struct file_id){ st.st_dev, st.st_ino };
	return read_all(fd, st.st_size, limit, &ret_file->text, &ret_file->len);
}

const char *file_problem(int err)
{
	switch (-err) {
	case EISDIR:
		return "it is a directory";
	case ENODEV:
		return "it is not a regular file";
	case EFBIG:
		return "it is too large";
	default:
		return strerror(-err);
	}
}
