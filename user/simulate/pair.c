// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/pair.h"

#include "base/util.h"

enum { ROW_POLICY, ROW_FAILSAFE, ROW_EXCHANGED };

int pair_read(struct cells *cells, uint32_t source, uint32_t destination, struct pair *ret_pair)
{
	struct pair pair = { .failsafe = ROW_NONE, .exchanged = ROW_NONE };
	int err = cells_row(cells, ZW_MATRIX_POLICY, source, destination, &pair.policy);

	if (!err && cells_has_failsafe(cells))
		err = cells_row(cells, ZW_MATRIX_FAILSAFE, source, destination, &pair.failsafe);
	if (!err && cells_has_failsafe(cells))
		err = cells_row(cells, ZW_MATRIX_FAILSAFE, destination, source, &pair.exchanged);
	*ret_pair = pair;
	return err;
}

bool pair_has_failsafe(const struct cells *cells, const struct pair *pair)
{
	return cells_row_allows(cells, pair->failsafe) || cells_row_allows(cells, pair->exchanged);
}

static struct cursor cursor_at(const struct cells *cells, uint32_t row)
{
	size_t count;
	const struct cell_run *runs = cells_runs(cells, row, &count);

	return (struct cursor){ runs, runs + count - 1 };
}

struct pair_walk pair_walk(const struct cells *cells, const struct pair *pair)
{
	return (struct pair_walk){
		.row = { cursor_at(cells, pair->policy), cursor_at(cells, pair->failsafe),
			 cursor_at(cells, pair->exchanged) },
		.classes = cells_class_count(cells),
	};
}

struct pair_walk row_walk(const struct cells *cells, uint32_t row)
{
	return pair_walk(cells, &(struct pair){ .policy = row });
}

bool pair_next(struct pair_walk *walk, struct pair_run *ret_run)
{
	struct cursor *row = walk->row;
	uint32_t end = walk->classes;

	if (walk->class == walk->classes)
		return false;
	for (int i = 0; i < 3; i++) {
		if (row[i].run < row[i].last && row[i].run[1].first <= walk->class)
			row[i].run++;
		if (row[i].run < row[i].last && row[i].run[1].first < end)
			end = row[i].run[1].first;
	}
	*ret_run = (struct pair_run){ walk->class, end, row[ROW_POLICY].run->value,
				      row[ROW_FAILSAFE].run->value, row[ROW_EXCHANGED].run->value };
	walk->class = end;
	return true;
}
