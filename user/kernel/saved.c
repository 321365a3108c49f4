// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/saved.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/files.h"
#include "base/util.h"
#include "kernel/edge.h"
#include "kernel/instance.h"
#include "kernel/pins.h"

#define DOWN "down"
#define SAVED_MAX (1ull << 30) /* a pack holds all files of a policy, deflated */

/* Without the key, failsafe is SSH to this host, from anywhere. */
#define FAILSAFE_PATH "(failsafe only)"
#define FAILSAFE_PACK_MAX 1024
static const char failsafe_text[] = "version: 1\n"
				    "defaults: {action: drop}\n"
				    "interfaces: [{match: ['*']}]\n";

const char *saved_name(enum saved which)
{
	return which == SAVED_CONFIRMED ? "confirmed" : "former";
}

int saved_replace(const char *path, const void *data, size_t len)
{
	char partial[PATH_MAX + 8];
	_cleanup_close_ int fd = -1;
	int error;

	snprintf(partial, sizeof(partial), "%s.new", path);
	fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	error = file_write_all(fd, data, len);
	if (!error && rename(partial, path))
		error = -errno;
	return error;
}

struct bytes {
	const void *data;
	size_t len;
};

static bool holds(const char *path, const struct bytes *bytes)
{
	struct file_text file;
	bool same;

	if (file_read(path, SAVED_MAX, &file))
		return false;
	same = file.len == bytes->len && !memcmp(file.text, bytes->data, file.len);
	free(file.text);
	return same;
}

/* By a second name first, which takes the place of the one before. */
static int keep_former(const char *confirmed, const char *former)
{
	char partial[PATH_MAX + 8];

	snprintf(partial, sizeof(partial), "%s.new", former);
	if (unlink(partial) && errno != ENOENT)
		return -errno;
	if (link(confirmed, partial))
		return errno == ENOENT ? 0 : -errno;
	return rename(partial, former) ? -errno : 0;
}

/*
 * What was confirmed before stays as `former`. At each step one of the two is whole that was before. What is `former` itself,
 * after a rollback or where the other one was damaged, is exchanged with it.
 */
static int keep(const char *instance, const struct bytes *bytes)
{
	char confirmed[PATH_MAX], former[PATH_MAX], folder[PATH_MAX];
	int error = instance_state_path(instance, "", folder);

	if (!error)
		error = pins_mkdir(folder, 0700);
	if (error)
		return error;
	instance_state_path(instance, saved_name(SAVED_CONFIRMED), confirmed);
	instance_state_path(instance, saved_name(SAVED_FORMER), former);
	if (holds(confirmed, bytes) || (holds(former, bytes) &&
					!renameat2(AT_FDCWD, confirmed, AT_FDCWD, former, RENAME_EXCHANGE)))
		return 0;
	error = keep_former(confirmed, former);
	return error ? error : saved_replace(confirmed, bytes->data, bytes->len);
}

/* It is not of the user's making, and must not take the place of what is, however damaged. */
static bool is_failsafe(const struct bytes *bytes)
{
	struct files *files;
	const char *const *named;
	size_t count;
	bool is;

	if (bytes->len > FAILSAFE_PACK_MAX || files_unpack(bytes->data, bytes->len, &files))
		return false;
	named = files_named(files, &count);
	is = count == 1 && !strcmp(named[0], FAILSAFE_PATH);
	files_free(files);
	return is;
}

void saved_keep(const char *instance, uint32_t generation)
{
	char path[PATH_MAX];
	struct bytes bytes;
	bool is_own = false;
	int error;

	pins_path(path, instance, "/gen-%u/zw_policy", generation);
	error = pins_map_whole(path, &bytes.data, &bytes.len);
	if (!error) {
		is_own = is_failsafe(&bytes);
		error = is_own ? 0 : keep(instance, &bytes);
		munmap((void *)bytes.data, pins_mapped_len(bytes.len));
	}
	if (!error && !is_own && !instance_state_path(instance, DOWN, path) && unlink(path) && errno != ENOENT)
		error = -errno;
	if (error)
		edge_warn("generation %u decides, but would not come back after a boot: its policy cannot be saved: %s",
			  generation, strerror(-error));
}

int saved_read(const char *instance, enum saved which, struct files **ret_files)
{
	struct file_text file;
	char path[PATH_MAX];
	int error;

	if (which == SAVED_FAILSAFE)
		return files_of_text(FAILSAFE_PATH, failsafe_text, sizeof(failsafe_text) - 1, ret_files);
	error = instance_state_path(instance, saved_name(which), path);
	if (!error)
		error = file_read(path, SAVED_MAX, &file);
	if (error)
		return error;
	error = files_unpack(file.text, file.len, ret_files);
	free(file.text);
	return error == -EINVAL ? -EPROTO : error;
}

void saved_mark_down(const char *instance)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	if (!instance_state_path(instance, DOWN, path))
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && errno != ENOENT) /* no folder: nothing was ever saved that could come back */
		edge_warn("the policy will come back with the next boot: cannot make %s: %s", path, strerror(errno));
}

bool saved_is_down(const char *instance)
{
	char path[PATH_MAX];

	return !instance_state_path(instance, DOWN, path) && !access(path, F_OK);
}
