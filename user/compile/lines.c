// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "compile/lines.h"

int lines_add(struct lines *lines, size_t count, uint32_t *ret_first)
{
	int err;

	if (count > lines->budget || lines->all.count > lines->budget - count)
		return -E2BIG;
	err = array_reserve(&lines->all, count);
	if (err)
		return err;
	memset(lines->all.v + lines->all.count, 0, count * sizeof(*lines->all.v));
	*ret_first = lines->all.count;
	lines->all.count += count;
	return 0;
}

int lines_add_bytes(struct lines *lines, size_t len, uint32_t *ret_first)
{
	return lines_add(lines, (len + sizeof(struct zw_line) - 1) / sizeof(struct zw_line), ret_first);
}

#define CHILDREN (ZW_LINE_BOUNDS + 1)

unsigned search_depth(size_t count)
{
	unsigned depth = 1;

	for (size_t reach = CHILDREN; reach < count; reach *= CHILDREN)
		depth++;
	return depth;
}

size_t search_lines(size_t count)
{
	return count > 1 ? (count - 1 + ZW_LINE_BOUNDS - 1) / ZW_LINE_BOUNDS : 1;
}

/*
 * A line of ten children turns one run into ten, so ceil((count - 1) / 9) lines are the least. They are reached if
 * every line but one is full: the first children take as much as their depth can hold, the others at least one run.
 */
int search_build(struct lines *lines, const struct run *runs, size_t count, uint32_t *ret_line)
{
	uint32_t bound[ZW_LINE_BOUNDS];
	struct zw_line line = { 0 };
	size_t children = count < CHILDREN ? count : CHILDREN, reach = 1, at = 0;
	int err = lines_add(lines, 1, ret_line);

	if (err)
		return err;
	for (unsigned depth = search_depth(count); depth > 1; depth--)
		reach *= CHILDREN;
	for (size_t i = 0; i < ZW_LINE_BOUNDS; i++)
		bound[i] = ZW_NO_BOUND;
	for (size_t i = 0; i < children; i++) {
		size_t spare = count - at - (children - i), n = spare >= reach ? reach : spare + 1;

		line.value[i] = runs[at].value;
		if (i)
			bound[i - 1] = runs[at].key;
		if (n > 1) {
			err = search_build(lines, runs + at, n, &line.value[i]);
			if (err)
				return err;
			line.value[i] |= ZW_LINK;
		}
		at += n;
	}
	for (size_t i = children; i < CHILDREN; i++)
		line.value[i] = line.value[children - 1];
	for (size_t i = 0; i < ZW_LINE_BOUNDS; i++)
		line.bounds[i / 3] |= (uint64_t)bound[i] << i % 3 * 21;
	*(struct zw_line *)lines_at(lines, *ret_line) = line;
	return 0;
}
