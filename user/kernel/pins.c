// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/magic.h>

#include "base/util.h"
#include "kernel/edge.h"
#include "kernel/process.h"

/* Returns the text's length. */
static int folder_path(char *ret_path, const char *instance)
{
	int len = snprintf(ret_path, PATH_MAX, "%s/%s", PINS_OWN, instance);

	/* The BPF file system refuses names with dots, which names of instances may have. */
	for (char *dot = ret_path; (dot = strchr(dot, '.')); )
		*dot = '~';
	return len;
}

static void path_of(char *ret_path, const char *instance, unsigned abi, const char *format, va_list args)
{
	int len = folder_path(ret_path, instance);

	len += snprintf(ret_path + len, PATH_MAX - len, "/abi-%u", abi);
	vsnprintf(ret_path + len, PATH_MAX - len, format, args);
}

void pins_path(char *ret_path, const char *instance, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	path_of(ret_path, instance, ZW_ABI, format, args);
	va_end(args);
}

void pins_path_of(char *ret_path, const char *instance, unsigned abi, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	path_of(ret_path, instance, abi, format, args);
	va_end(args);
}

unsigned pins_other_abi(const char *instance)
{
	char path[PATH_MAX];
	struct dirent *entry;
	unsigned abi = 0;
	DIR *dir;

	folder_path(path, instance);
	dir = opendir(path);
	while (dir && !abi && (entry = readdir(dir))) {
		char more;

		if (sscanf(entry->d_name, "abi-%u%c", &abi, &more) != 1 || abi == ZW_ABI)
			abi = 0;
	}
	if (dir)
		closedir(dir);
	return abi;
}

bool pins_are_others(const char *instance)
{
	char path[PATH_MAX];

	pins_path(path, instance, "%s", "");
	return access(path, F_OK) && pins_other_abi(instance);
}

void pins_remove_leftovers(const char *instance)
{
	char path[PATH_MAX], below[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	folder_path(path, instance);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		unsigned abi;
		char word[8];

		if (sscanf(entry->d_name, "abi-%u-%7s", &abi, word) == 2 &&
		    snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < (int)sizeof(below))
			pins_remove(below);
	}
	if (dir)
		closedir(dir);
}

/* 1, 0, or an error that was told. */
static int is_bpffs(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return edge_error(errno, "cannot look at %s", path);
	return (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/* 0 if it cannot be known. */
static ino_t mount_namespace(const char *pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
	return stat(path, &st) ? 0 : st.st_ino;
}

/*
 * The nearest ancestor in another mount namespace, e.g. the shell that called `ip netns exec`. Returns false if there is
 * none: then our namespace was there before us, and stays.
 */
static bool find_outer_process(char *ret_pid, size_t len)
{
	ino_t own = mount_namespace("self"), other;
	long pid = process_parent("self");

	while (own && pid > 0) {
		snprintf(ret_pid, len, "%ld", pid);
		other = mount_namespace(ret_pid);
		if (!other)
			return false;
		if (other != own)
			return true;
		pid = process_parent(ret_pid);
	}
	return false;
}

/* A mount namespace of this command alone, such as `ip netns exec` makes, takes its own mounts with it. */
static bool is_lost_with_us(bool mounted)
{
	char pid[24], path[64];
	struct stat own, outer;

	if (!find_outer_process(pid, sizeof(pid)))
		return false;
	snprintf(path, sizeof(path), "/proc/%s/root" PINS_ROOT, pid);
	return !mounted || stat(PINS_ROOT, &own) || stat(path, &outer) || own.st_dev != outer.st_dev;
}

/* The name that `ip netns` knows our network namespace by, or "NAME". */
static void netns_name(char *ret_name, size_t len)
{
	struct stat own, other;
	struct dirent *entry;
	DIR *dir = opendir("/run/netns");

	snprintf(ret_name, len, "NAME");
	if (!dir || stat("/proc/self/ns/net", &own)) {
		if (dir)
			closedir(dir);
		return;
	}
	while ((entry = readdir(dir)))
		if (!fstatat(dirfd(dir), entry->d_name, &other, 0) && other.st_ino == own.st_ino &&
		    other.st_dev == own.st_dev)
			snprintf(ret_name, len, "%s", entry->d_name);
	closedir(dir);
}

/* A second one above the first would hide what is pinned: it is mounted only where there is certainly none. */
static int see_to_mount(void)
{
	char name[256];
	int mounted;

	if (access(PINS_ROOT, F_OK) && errno == ENOENT)
		return edge_error(EOPNOTSUPP, "there is no " PINS_ROOT " (is sysfs mounted, has the kernel BPF?)");
	mounted = is_bpffs(PINS_ROOT);
	if (mounted < 0)
		return mounted;
	if (is_lost_with_us(mounted)) {
		netns_name(name, sizeof(name));
		return edge_error(0,
				  "the BPF file system of this mount namespace would vanish with this command, and the "
				  "firewall with it\nfix: nsenter --net=/run/netns/%s zonewall ...",
				  name);
	}
	if (mounted)
		return 0;
	if (mount("bpf", PINS_ROOT, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, "mode=0700"))
		return edge_error(errno,
				  "cannot mount the BPF file system (mount -t bpf bpf " PINS_ROOT
				  ", which takes CAP_SYS_ADMIN)");
	return 0;
}

int pins_prepare(void)
{
	struct stat st;
	int error = see_to_mount(), mounted;

	if (error)
		return error;
	if (mkdir(PINS_OWN, 0700) && errno != EEXIST)
		return edge_error(errno, "cannot make " PINS_OWN);
	mounted = is_bpffs(PINS_OWN);
	if (mounted < 0)
		return mounted;
	if (!mounted || lstat(PINS_OWN, &st))
		return edge_error(EPERM, PINS_OWN " is not on a BPF file system");
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077)
		return edge_error(EPERM, PINS_OWN " must be a folder of user %u that nobody else may enter",
				  geteuid());
	return 0;
}

int pins_mkdir(const char *path, mode_t mode)
{
	char partial[PATH_MAX];

	snprintf(partial, sizeof(partial), "%s", path);
	for (char *slash = strchr(partial + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(partial, 0755) && errno != EEXIST && errno != EROFS && access(partial, F_OK))
			return -errno;
		*slash = '/';
	}
	return mkdir(partial, mode) && errno != EEXIST ? -errno : 0;
}

void pins_remove(const char *path)
{
	char below[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	if (!unlink(path) || !(dir = opendir(path)))
		return;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < (int)sizeof(below))
			pins_remove(below);
	}
	closedir(dir);
	rmdir(path);
}

#define LOCK_TRIES (60 * 200) /* a minute */
#define LOCK_SAID 200 /* a second: whoever waits is told why */

static void note_holder(int fd)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%d\n", getpid());

	if (!ftruncate(fd, 0) && pwrite(fd, text, len, 0) < 0)
		return; /* the text is a help for people only */
}

/* The process that has the lock, or "unknown". */
static const char *read_holder(int fd, char *ret_text, size_t size)
{
	ssize_t len = pread(fd, ret_text, size - 1, 0);

	ret_text[len > 0 ? len : 0] = '\0';
	ret_text[strcspn(ret_text, "\n")] = '\0';
	return ret_text[0] ? ret_text : "unknown";
}

int pins_lock(const char *instance, int *ret_fd)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000000 };
	char path[PATH_MAX], holder[24];
	_cleanup_close_ int fd = -1;
	int error;

	error = instance_run_path(instance, "", path);
	if (!error)
		error = pins_mkdir(path, 0755);
	if (error)
		return edge_error(error, "cannot make %s", path);
	instance_run_path(instance, "lock", path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return edge_error(errno, "cannot open %s", path);
	for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB); tries++) {
		if (errno != EWOULDBLOCK)
			return edge_error(errno, "cannot lock %s", path);
		if (tries == LOCK_SAID)
			edge_warn("waiting for another zonewall (process %s) that is publishing to instance '%s'",
				  read_holder(fd, holder, sizeof(holder)), instance);
		if (tries == LOCK_TRIES)
			return edge_error(EBUSY, "another zonewall (process %s) is publishing to instance '%s'",
					  read_holder(fd, holder, sizeof(holder)), instance);
		nanosleep(&pause, NULL);
	}
	note_holder(fd);
	*ret_fd = take_fd(&fd);
	return 0;
}

bool pins_are_locked(const char *instance)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = -1;

	if (instance_run_path(instance, "lock", path))
		return false;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;
}

size_t pins_mapped_len(size_t value_size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (value_size + page - 1) / page * page;
}

/* value_size 0: any; head 0: all of it. */
static int map_array(const char *path, size_t value_size, size_t head, bool writable, void **ret_memory, size_t *ret_value_size)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	_cleanup_close_ int fd = bpf_obj_get(path);
	void *memory;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.max_entries != 1 || !(info.map_flags & BPF_F_MMAPABLE) ||
	    (value_size && info.value_size != value_size) || info.value_size < head)
		return -EPROTO;
	memory = mmap(NULL, pins_mapped_len(head ? head : info.value_size), writable ? PROT_READ | PROT_WRITE : PROT_READ,
		      MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	*ret_value_size = info.value_size;
	return 0;
}

int pins_map(const char *path, size_t value_size, bool writable, void **ret_memory)
{
	return map_array(path, value_size, 0, writable, ret_memory, &value_size);
}

int pins_map_head(const char *path, size_t len, const void **ret_memory)
{
	size_t value_size;
	void *memory;
	int error = map_array(path, 0, len, false, &memory, &value_size);

	if (!error)
		*ret_memory = memory;
	return error;
}

int pins_map_whole(const char *path, const void **ret_memory, size_t *ret_value_size)
{
	void *memory;
	int error = map_array(path, 0, 0, false, &memory, ret_value_size);

	if (!error)
		*ret_memory = memory;
	return error;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int pins_generations(const char *instance, uint32_t **ret_numbers, size_t *ret_count)
{
	_cleanup_free_ uint32_t *numbers = NULL;
	char path[PATH_MAX];
	struct dirent *entry;
	size_t count = 0;
	int error = 0;
	DIR *dir;

	pins_path(path, instance, "%s", "");
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)) && !error) {
		uint32_t number;

		if (sscanf(entry->d_name, "gen-%u", &number) != 1)
			continue;
		error = array_grow(&numbers, count, sizeof(*numbers));
		if (!error)
			numbers[count++] = number;
	}
	closedir(dir);
	if (error)
		return error;
	if (count)
		qsort(numbers, count, sizeof(*numbers), by_number);
	*ret_numbers = take_ptr(numbers);
	*ret_count = count;
	return 0;
}

int pins_create_array(const char *name, size_t value_size)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(__u32), value_size, 1, &options);

	return fd < 0 ? -errno : fd;
}
