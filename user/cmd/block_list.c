// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/block.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>

#include "base/util.h"
#include "cmd/view.h"
#include "kernel/edge.h"
#include "kernel/instance.h"
#include "kernel/jiffies.h"
#include "kernel/pins.h"
#include "policy/address.h"

static int refuse(const struct prefixes *prefixes, const char *word, const char *what, const char *fix)
{
	fprintf(stderr, "zonewall %s: '%s': %s\n", prefixes->command, word, what);
	if (*fix)
		fprintf(stderr, "fix: %s\n", fix);
	return EXIT_USAGE;
}

int prefixes_add(struct prefixes *prefixes, const char *word)
{
	struct address_problem problem;
	struct address_range range;
	struct blocked blocked;

	if (address_read(word, &range, &problem))
		return refuse(prefixes, word, problem.what, problem.fix);
	if (!blocked_from_range(range.family, &(struct range){ range.first, range.last }, &blocked))
		return refuse(prefixes, word, "a range that is no CIDR", "name the CIDRs that it is made of");
	if (!blocked.length)
		return refuse(prefixes, word, "that is every address", "a policy that drops everything says so itself");
	if (array_grow(&prefixes->v, prefixes->count, sizeof(*prefixes->v)))
		return edge_exit_status(edge_error(ENOMEM, "cannot read the addresses"));
	prefixes->v[prefixes->count++] = blocked;
	return EXIT_DONE;
}

/* One a line, as in a file of addresses. */
static int read_lines(struct prefixes *prefixes)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int status = EXIT_DONE;

	while (!status && getline(&line, &size, stdin) >= 0) {
		char *word = line + strspn(line, " \t");

		word[strcspn(word, " \t\r\n#")] = '\0';
		if (*word)
			status = prefixes_add(prefixes, word);
	}
	return status;
}

int prefixes_read(struct prefixes *prefixes, int count, char **words)
{
	int status = EXIT_DONE;

	if (!count) {
		fprintf(stderr, "zonewall %s: which address?\n", prefixes->command);
		return EXIT_USAGE;
	}
	for (int i = 0; i < count && !status; i++)
		status = strcmp(words[i], "-") ? prefixes_add(prefixes, words[i]) : read_lines(prefixes);
	return status;
}

void prefixes_clear(struct prefixes *prefixes)
{
	free(prefixes->v);
}

/* Not the lock of an apply, which may take seconds: nothing of what that changes is the list's. */
static int lock(const char *instance, int *ret_lock)
{
	char path[PATH_MAX];
	int fd, r = instance_run_path(instance, "", path);

	if (!r)
		r = pins_mkdir(path, 0755);
	if (!r)
		r = instance_run_path(instance, "block.lock", path);
	if (r)
		return edge_error(r, "cannot make %s", path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return edge_error(errno, "cannot open %s", path);
	while (flock(fd, LOCK_EX))
		if (errno != EINTR) {
			r = errno;
			close(fd);
			return edge_error(r, "cannot lock %s", path);
		}
	*ret_lock = fd;
	return 0;
}

static int open_list(const char *instance, struct block_list *list)
{
	int r = lock(instance, &list->lock);

	if (r)
		return r;
	r = blocks_open(instance, true, &list->blocks);
	if (!r)
		r = jiffies_now(&list->now);
	return r && r != -ENOENT ? edge_error(r, "cannot open the block list (missing: %s)", edge_missing_rights()) : r;
}

int block_list_open(const struct globals *globals, struct block_list *ret_list)
{
	struct block_list list = { .lock = -1 };
	int r;

	if (*edge_missing_rights())
		return edge_exit_status(edge_error(EPERM, "changing the block list lacks %s", edge_missing_rights()));
	r = open_list(globals->instance, &list);
	if (!r) {
		*ret_list = list;
		return EXIT_DONE;
	}
	block_list_close(&list);
	return r == -ENOENT ? view_nothing_published(globals->instance) : edge_exit_status(r);
}

void block_list_close(struct block_list *list)
{
	blocks_close(list->blocks);
	closep(&list->lock);
}
