// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/line.h"

#include "base/util.h"

struct line_reader {
	int fd;
	size_t max;
	size_t begin, end; /* what is read and not yet given out */
	bool at_end, is_passing; /* is_passing: the rest of a line that was too long */
	size_t size;
	char bytes[];
};

int line_reader_new(int fd, size_t max, struct line_reader **ret_reader)
{
	size_t size = 2 * max + 1;
	struct line_reader *reader = malloc(sizeof(*reader) + size + 1);

	if (!reader)
		return -ENOMEM;
	*reader = (struct line_reader){ .fd = fd, .max = max, .size = size };
	*ret_reader = reader;
	return 0;
}

void line_reader_free(struct line_reader *reader)
{
	free(reader);
}

static char *newline(const struct line_reader *reader)
{
	return memchr(reader->bytes + reader->begin, '\n', reader->end - reader->begin);
}

bool line_reader_has_next(const struct line_reader *reader)
{
	return newline(reader) != NULL;
}

/* More bytes behind what is there. 0 or -errno. */
static int fill(struct line_reader *reader)
{
	ssize_t got;

	memmove(reader->bytes, reader->bytes + reader->begin, reader->end - reader->begin);
	reader->end -= reader->begin;
	reader->begin = 0;
	do
		got = read(reader->fd, reader->bytes + reader->end, reader->size - reader->end);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	reader->at_end = got == 0;
	reader->end += got;
	return 0;
}

/* Finds where the line ends. 1; 0 if there is nothing more; -E2BIG; -errno. */
static int find_end(struct line_reader *reader, char **ret_end)
{
	for (;;) {
		size_t have = reader->end - reader->begin;
		char *end = newline(reader);
		int r;

		if (!end && reader->at_end)
			end = reader->bytes + reader->end;
		if (!end && have > reader->max) {
			reader->is_passing = true;
			reader->begin = reader->end;
		}
		if (end) {
			*ret_end = end;
			return have > 0 || reader->is_passing;
		}
		r = fill(reader);
		if (r)
			return r;
	}
}

int line_reader_next(struct line_reader *reader, char **ret_line, size_t *ret_len)
{
	char *end = NULL, *line;
	int r = find_end(reader, &end);

	if (r <= 0)
		return r;
	line = reader->bytes + reader->begin;
	reader->begin = end - reader->bytes + (end < reader->bytes + reader->end);
	if (reader->is_passing || (size_t)(end - line) > reader->max) {
		reader->is_passing = false;
		return -E2BIG;
	}
	*end = '\0'; /* over the newline, or in the byte behind the buffer */
	*ret_line = line;
	*ret_len = end - line;
	return 1;
}
