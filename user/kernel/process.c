// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/process.h"

#include <dirent.h>
#include <limits.h>

#include "base/util.h"

long process_parent(const char *pid)
{
	char path[64], line[256];
	long parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "PPid: %ld", &parent) == 1)
			break;
	fclose(file);
	return parent;
}

void process_name(const char *pid, char *ret_name, size_t len)
{
	char path[64];
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(ret_name, len, file))
		ret_name[0] = '\0';
	ret_name[strcspn(ret_name, "\n")] = '\0';
}

int process_sockets(const char *pid, uint32_t **inodes, size_t *count)
{
	char path[64], target[64];
	struct dirent *entry;
	int error = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && !error && (entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		uint32_t inode;

		target[len > 0 ? len : 0] = '\0';
		if (sscanf(target, "socket:[%u]", &inode) != 1)
			continue;
		error = array_grow(inodes, *count, sizeof(**inodes));
		if (!error)
			(*inodes)[(*count)++] = inode;
	}
	if (dir)
		closedir(dir);
	return error;
}
