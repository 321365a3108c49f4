// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/block_book.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/util.h"
#include "kernel/edge.h"
#include "kernel/instance.h"
#include "kernel/jiffies.h"
#include "kernel/pins.h"
#include "kernel/saved.h"

#define BOOK_BYTES (64u << 20) /* then it is written anew */
#define BOOK_MAX (256u << 20)

int block_book_path(const char *instance, char *ret_path)
{
	return instance_state_path(instance, "blocked", ret_path);
}

bool block_reason_is_valid(const char *text)
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			return false;
	return strlen(text) <= BLOCK_REASON_MAX;
}

static void print_prefix(FILE *out, const struct blocked *what)
{
	const struct addr first = { what->family, what->first };
	char text[ADDR_TEXT_MAX];

	addr_print(&first, text);
	fprintf(out, "%s/%u", text, what->length);
}

static void print_note(FILE *out, const struct block_note *note)
{
	fputs("+ ", out);
	print_prefix(out, &note->what);
	fprintf(out, " %" PRId64 " %" PRId64 " %s\n", note->since, note->until, note->reason);
}

static bool read_prefix(char *text, struct blocked *ret_what)
{
	char *slash = strchr(text, '/'), *end;
	struct addr addr;
	unsigned long length;

	if (!slash)
		return false;
	*slash = '\0';
	length = strtoul(slash + 1, &end, 10);
	if (*end || addr_parse(text, &addr) || !length || length > (addr.family == 4 ? 32 : 128))
		return false;
	*ret_what = (struct blocked){ .family = addr.family, .length = length, .first = addr.value };
	return true;
}

/* A line without its end; what cannot be read (the machine stopped while it was written) is passed over. */
static bool read_line(char *line, struct block_note *ret_note, bool *ret_added)
{
	char prefix[ADDR_TEXT_MAX + 8];
	int at = 0;

	*ret_note = (struct block_note){ 0 };
	*ret_added = *line == '+';
	if (*line == '-')
		return sscanf(line, "- %55s", prefix) == 1 && read_prefix(prefix, &ret_note->what);
	if (sscanf(line, "+ %55s %" SCNd64 " %" SCNd64 " %n", prefix, &ret_note->since, &ret_note->until, &at) != 3 || !at)
		return false;
	snprintf(ret_note->reason, sizeof(ret_note->reason), "%s", line + at);
	return read_prefix(prefix, &ret_note->what);
}

static int by_prefix(const void *a, const void *b)
{
	const struct blocked *x = &((const struct block_note *)a)->what, *y = &((const struct block_note *)b)->what;

	if (x->family != y->family)
		return x->family - y->family;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (int)x->length - (int)y->length;
}

/* A note with the place of its line, so that the last line of a prefix counts. */
struct dated {
	struct block_note note;
	size_t line;
	bool added;
};

static int by_prefix_and_line(const void *a, const void *b)
{
	const struct dated *x = a, *y = b;
	int order = by_prefix(&x->note, &y->note);

	return order ? order : x->line < y->line ? -1 : x->line > y->line;
}

static int parse(char *text, struct dated **ret_dated, size_t *ret_count)
{
	size_t count = 0, lines = 0;
	char *next;

	for (char *line = text; line && *line; line = next) {
		struct dated dated = { .line = lines++ };

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!next || !read_line(line, &dated.note, &dated.added))
			continue;
		if (array_grow(ret_dated, count, sizeof(**ret_dated)))
			return -ENOMEM;
		(*ret_dated)[count++] = dated;
	}
	*ret_count = count;
	return 0;
}

/* The last word about each prefix, if it holds still. */
static int settle(struct dated *dated, size_t count, struct block_note **ret_notes, size_t *ret_count)
{
	struct block_note *notes = array_new(count, sizeof(*notes));
	int64_t now = time(NULL);
	size_t kept = 0;

	if (!notes)
		return -ENOMEM;
	if (count)
		qsort(dated, count, sizeof(*dated), by_prefix_and_line);
	for (size_t i = 0; i < count; i++) {
		bool last = i + 1 == count || by_prefix(&dated[i].note, &dated[i + 1].note);

		if (last && dated[i].added && (!dated[i].note.until || dated[i].note.until > now))
			notes[kept++] = dated[i].note;
	}
	*ret_notes = notes;
	*ret_count = kept;
	return 0;
}

int block_book_read(const char *instance, struct block_note **ret_notes, size_t *ret_count)
{
	_cleanup_free_ struct dated *dated = NULL;
	struct file_text file = { 0 };
	char path[PATH_MAX];
	size_t count = 0;
	int error = block_book_path(instance, path);

	if (!error)
		error = file_read(path, BOOK_MAX, &file);
	if (!error)
		error = parse(file.text, &dated, &count);
	free(file.text);
	if (error && error != -ENOENT)
		return error;
	return settle(dated, count, ret_notes, ret_count);
}

const struct block_note *block_book_find(const struct block_note *notes, size_t count, const struct blocked *what)
{
	struct block_note wanted = { .what = *what };

	return count ? bsearch(&wanted, notes, count, sizeof(*notes), by_prefix) : NULL;
}

static int rewrite(const char *path, const struct block_note *notes, size_t count)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int error;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		print_note(out, &notes[i]);
	error = fclose(out) ? -ENOMEM : saved_replace(path, text, len);
	free(text);
	return error;
}

/* Writes it anew if it has grown long. */
static int keep_short(const char *instance, const char *path)
{
	_cleanup_free_ struct block_note *notes = NULL;
	struct stat stat_of;
	size_t count;
	int error;

	if (stat(path, &stat_of) || stat_of.st_size < BOOK_BYTES)
		return 0;
	error = block_book_read(instance, &notes, &count);
	return error ? error : rewrite(path, notes, count);
}

/* Opens the book at its end. NULL: -errno in ret_error. */
static FILE *open_book(const char *instance, int *ret_error)
{
	char path[PATH_MAX], folder[PATH_MAX];
	FILE *book;
	int fd;

	*ret_error = instance_state_path(instance, "", folder);
	if (!*ret_error)
		*ret_error = pins_mkdir(folder, 0700);
	if (!*ret_error)
		*ret_error = block_book_path(instance, path);
	if (!*ret_error)
		*ret_error = keep_short(instance, path);
	if (*ret_error)
		return NULL;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	book = fd < 0 ? NULL : fdopen(fd, "a");
	if (!book)
		*ret_error = -errno;
	return book;
}

static int close_book(FILE *book)
{
	int error = fflush(book) || fdatasync(fileno(book)) ? -errno : 0;

	return fclose(book) && !error ? -errno : error;
}

int block_book_add(const char *instance, const struct block_note *notes, size_t count)
{
	int error;
	FILE *book = open_book(instance, &error);

	if (!book)
		return error;
	for (size_t i = 0; i < count; i++)
		print_note(book, &notes[i]);
	return close_book(book);
}

int block_book_remove(const char *instance, const struct blocked *what, size_t count)
{
	int error;
	FILE *book = open_book(instance, &error);

	if (!book)
		return error;
	for (size_t i = 0; i < count; i++) {
		fputs("- ", book);
		print_prefix(book, &what[i]);
		fputc('\n', book);
	}
	return close_book(book);
}

size_t block_book_restore(const char *instance, struct zw_blocks *blocks)
{
	_cleanup_free_ struct block_note *notes = NULL;
	char path[PATH_MAX];
	size_t count = 0, restored = 0;
	int64_t now = time(NULL);
	uint64_t jiffies;
	int error = block_book_read(instance, &notes, &count);

	if (!error && !count)
		return 0;
	if (!error)
		error = jiffies_now(&jiffies);
	for (size_t i = 0; i < count && !error; i++) {
		struct blocked what = notes[i].what;

		what.until = notes[i].until ? jiffies + (uint64_t)(notes[i].until - now) * jiffies_hz() : ZW_BLOCK_FOR_EVER;
		restored += !blocks_put(blocks, &what, jiffies);
	}
	if (!error && !block_book_path(instance, path))
		error = rewrite(path, notes, count);
	if (error || restored < count)
		edge_warn("not all of the block list could be restored: %zu of %zu prefixes are on it: %s", restored, count,
			  error ? strerror(-error) : "there is no room");
	return restored;
}

void block_book_forget(const char *instance)
{
	char path[PATH_MAX];

	if (!block_book_path(instance, path) && unlink(path) && errno != ENOENT)
		edge_warn("the block list will come back with the next policy: cannot remove %s: %s", path, strerror(errno));
}
