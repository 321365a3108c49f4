// SPDX-License-Identifier: GPL-2.0-only
#include "watch/block_notes.h"

#include <limits.h>
#include <sys/stat.h>

#include "base/util.h"
#include "kernel/instance.h"

struct block_notes {
	const char *instance;
	struct block_note *v;
	size_t count;
	bool has_length[2][129]; /* prefixes of it are there: IPv4, IPv6 */
	struct timespec changed; /* the book as it was read */
	off_t size;
	bool stale;
};

struct block_notes *block_notes_new(const char *instance)
{
	struct block_notes *notes = calloc(1, sizeof(*notes));

	if (!notes)
		return NULL;
	notes->instance = instance;
	notes->stale = true;
	return notes;
}

void block_notes_free(struct block_notes *notes)
{
	if (notes)
		free(notes->v);
	free(notes);
}

void block_notes_tick(struct block_notes *notes)
{
	notes->stale = true;
}

static void read_again(struct block_notes *notes)
{
	free(take_ptr(notes->v));
	memset(notes->has_length, 0, sizeof(notes->has_length));
	if (block_book_read(notes->instance, &notes->v, &notes->count))
		notes->count = 0;
	for (size_t i = 0; i < notes->count; i++)
		notes->has_length[notes->v[i].what.family == 6][notes->v[i].what.length] = true;
}

static void refresh(struct block_notes *notes)
{
	char path[PATH_MAX];
	struct stat found = { 0 };

	notes->stale = false;
	if (!block_book_path(notes->instance, path) && stat(path, &found))
		found = (struct stat){ 0 };
	if (found.st_size == notes->size && found.st_mtim.tv_sec == notes->changed.tv_sec &&
	    found.st_mtim.tv_nsec == notes->changed.tv_nsec)
		return;
	notes->size = found.st_size;
	notes->changed = found.st_mtim;
	read_again(notes);
}

const char *block_notes_find(struct block_notes *notes, int family, const void *wire_address)
{
	const struct addr addr = addr_from_bytes(family, wire_address);
	unsigned bits = family == 4 ? 32 : 128;

	if (notes->stale)
		refresh(notes);
	for (unsigned length = bits; length; length--) {
		struct blocked what = { .family = family, .length = length };
		const struct block_note *note;

		if (!notes->has_length[family == 6][length])
			continue;
		what.first = addr.value >> (bits - length) << (bits - length);
		note = block_book_find(notes->v, notes->count, &what);
		if (note)
			return note->reason;
	}
	return "";
}
