// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/keeper.h"

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include <bpf/bpf.h>

#include "base/util.h"
#include "kernel/hook.h"
#include "kernel/pins.h"
#include "kernel/saved.h"

struct kept {
	char *file; /* below the instance's folder: "links/xdp-3" */
	ino_t inode; /* of the pin: another one is another object's */
	int fd;
	bool seen;
};

struct keeper {
	const struct instance *instance;
	struct kept *kept;
	size_t count;
	size_t last; /* found last: folders are read in the same order each time */
};

static void path_of(const struct keeper *keeper, const char *file, char *ret_path)
{
	pins_path(ret_path, instance_name(keeper->instance), "/%s", file);
}

static void let_go(struct kept *kept)
{
	free(kept->file);
	closep(&kept->fd);
}

void keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return;
	for (size_t i = 0; i < keeper->count; i++)
		let_go(&keeper->kept[i]);
	free(keeper->kept);
	free(keeper);
}

static struct kept *find(struct keeper *keeper, const char *file)
{
	for (size_t i = 0; i < keeper->count; i++) {
		keeper->last = (keeper->last + 1) % keeper->count;
		if (!strcmp(keeper->kept[keeper->last].file, file))
			return &keeper->kept[keeper->last];
	}
	return NULL;
}

/* A pin that is there: known already, another object's than before, or new. What cannot be opened is left alone. */
static void meet(struct keeper *keeper, const char *file)
{
	struct kept *kept = find(keeper, file);
	char path[PATH_MAX];
	struct stat st;
	int fd;

	path_of(keeper, file, path);
	if (stat(path, &st) || (kept && kept->inode == st.st_ino)) {
		if (kept)
			kept->seen = true;
		return;
	}
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	if (!kept) {
		if (array_grow(&keeper->kept, keeper->count, sizeof(*keeper->kept)) || !(file = strdup(file))) {
			close(fd);
			return;
		}
		kept = &keeper->kept[keeper->count++];
		*kept = (struct kept){ .file = (char *)file, .fd = -1 };
	}
	closep(&kept->fd);
	*kept = (struct kept){ .file = kept->file, .inode = st.st_ino, .fd = fd, .seen = true };
}

static void meet_all(struct keeper *keeper, const char *folder)
{
	char path[PATH_MAX], file[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	path_of(keeper, folder, path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s%s%s", folder, *folder ? "/" : "", entry->d_name);
		if (entry->d_type == DT_DIR)
			meet_all(keeper, file);
		else
			meet(keeper, file);
	}
	if (dir)
		closedir(dir);
}

static bool is_link(const struct kept *kept)
{
	return !strncmp(kept->file, "links/", 6);
}

static bool is_attached(const struct kept *kept)
{
	unsigned ifindex;
	uint32_t id;

	return !hook_read_link_fd(kept->fd, &ifindex, &id) && ifindex;
}

/* Links are detached before `down` removes anything; without any, it leaves its mark. */
static bool was_taken_down(const struct keeper *keeper)
{
	char path[PATH_MAX];
	bool links = false;

	path_of(keeper, "", path);
	if (!access(path, F_OK))
		return false;
	for (size_t i = 0; i < keeper->count; i++) {
		if (is_link(&keeper->kept[i]) && is_attached(&keeper->kept[i]))
			return false;
		links |= is_link(&keeper->kept[i]);
	}
	return links || saved_is_down(instance_name(keeper->instance));
}

static bool is_in_slot(const volatile struct zw_gate *gate, uint32_t generation)
{
	for (unsigned slot = 0; slot < ZW_GATE_SLOTS; slot++)
		if (gate->generation[slot] == generation)
			return true;
	return false;
}

static bool is_wanted(const struct keeper *keeper, const struct kept *kept, bool down)
{
	const volatile struct zw_gate *gate = instance_gate(keeper->instance);
	uint32_t generation;

	if (is_link(kept))
		return is_attached(kept);
	if (sscanf(kept->file, "gen-%u/", &generation) == 1)
		return !down && is_in_slot(gate, generation);
	return !down;
}

static int put_back(const struct keeper *keeper, const struct kept *kept)
{
	char path[PATH_MAX], folder[PATH_MAX];
	int error;

	path_of(keeper, kept->file, path);
	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	error = pins_mkdir(folder, 0700);
	return error ? error : bpf_obj_pin(kept->fd, path) ? -errno : 0;
}

/* Under the lock, where nothing is half done. */
static void mend(struct keeper *keeper, void (*tell)(void *, const char *, int), void *context)
{
	bool down = was_taken_down(keeper);
	size_t count = 0;

	if (!down)
		pins_prepare(); /* it tells */
	for (size_t i = 0; i < keeper->count; i++) {
		struct kept *kept = &keeper->kept[i];
		char path[PATH_MAX];

		path_of(keeper, kept->file, path);
		if (!access(path, F_OK)) {
			keeper->kept[count++] = *kept;
		} else if (is_wanted(keeper, kept, down)) {
			tell(context, path, put_back(keeper, kept));
			keeper->kept[count++] = *kept;
		} else {
			let_go(kept);
		}
	}
	keeper->count = count;
}

static bool lacks_some(struct keeper *keeper)
{
	bool lacks = false;

	for (size_t i = 0; i < keeper->count; i++)
		keeper->kept[i].seen = false;
	meet_all(keeper, "");
	for (size_t i = 0; i < keeper->count; i++)
		lacks |= !keeper->kept[i].seen;
	return lacks;
}

struct keeper *keeper_new(const struct instance *instance)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));

	if (keeper) {
		keeper->instance = instance;
		meet_all(keeper, "");
	}
	return keeper;
}

void keeper_look(struct keeper *keeper, void (*tell)(void *context, const char *path, int error), void *context)
{
	const char *instance = instance_name(keeper->instance);
	_cleanup_close_ int lock = -1;

	if (!lacks_some(keeper) || pins_lock(instance, &lock) || pins_are_others(instance))
		return; /* what another ABI has taken over is not ours to put back */
	lacks_some(keeper); /* as it is now */
	mend(keeper, tell, context);
}
