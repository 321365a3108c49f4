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

int file_write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t written = write(fd, at, len);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			at += written;
			len -= written;
		}
	}
	return fsync(fd) ? -errno : 0;
}

static int check_text(const char *path, const char *text, size_t len)
{
	struct file_text file;
	int err = file_read(path, len, &file);

	if (err)
		return err == -EFBIG ? -ESTALE : err;
	if (file.len != len || memcmp(file.text, text, len))
		err = -ESTALE;
	free(file.text);
	return err;
}

/* As the file that it is to replace. Who may not give it that owner may not replace it. */
static int write_like(int fd, const char *path, const char *text, size_t len)
{
	struct stat st;

	if (stat(path, &st) || fchown(fd, st.st_uid, st.st_gid) || fchmod(fd, st.st_mode & 07777))
		return -errno;
	return file_write_all(fd, text, len);
}

int file_replace(const char *path, const char *old, size_t old_len, const char *text, size_t len)
{
	_cleanup_free_ char *real = realpath(path, NULL), *partial = NULL;
	_cleanup_close_ int fd = -1;
	int err;

	if (!real)
		return -errno;
	if (asprintf(&partial, "%s.XXXXXX", real) < 0)
		return -ENOMEM;
	fd = mkostemp(partial, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write_like(fd, real, text, len);
	if (!err)
		err = check_text(real, old, old_len);
	if (!err && rename(partial, real))
		err = -errno;
	if (err)
		unlink(partial);
	return err;
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
