// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/cells.h"

#include "base/util.h"
#include "variant.h"

#define PORTS 65536u

/* Cells of rules by the rule's number; cells of no rule, of which there are few, by their flags before them. */
#define CELL_FLAGS 4096u

static const uint8_t with_ports[ZW_PORT_TABLES] = { 6, 17, 132, 1, 58 }; /* in the order of enum zw_port_table */

struct runs {
	struct cell_run *v; /* grows by array_grow */
	size_t count;
};

/* runs.v[first..first + count) of all rows' runs. */
struct row {
	size_t first, count;
	enum zw_matrix_id matrix;
	bool allows;
};

struct cells {
	const uint8_t *tables;
	struct zw_layout layout;
	uint64_t time; /* Unix seconds */
	struct runs ports[ZW_PORT_TABLES];
	struct cell_run others[256]; /* of protocols without ports: their one run */
	uint32_t class_count;
	uint32_t *kind_of[2]; /* of each atom */
	uint32_t kind_count[2];
	uint32_t *row_at; /* of each line: the row that it begins, 0 if it was not asked for yet */
	uint32_t *row_of_cell[ZW_MATRICES]; /* of each cell (see cell_index()): the row that it is alone, 0 likewise */
	struct row *rows;
	size_t row_count;
	struct runs runs; /* of all rows */
	bool has_all[ZW_MATRICES]; /* every row of the matrix was read */
};

/* lookup.h finds the tables in globals, as the kernel's programs do. */
static const struct cells *current;

static void use(const struct cells *cells)
{
	if (current == cells)
		return;
	current = cells;
	zw_tables_bytes = cells->tables;
	zw_layout = cells->layout;
}

static int add_run(struct runs *runs, size_t bottom, uint32_t first, uint32_t value)
{
	if (runs->count > bottom && runs->v[runs->count - 1].value == value)
		return 0;
	if (array_grow(&runs->v, runs->count, sizeof(*runs->v)))
		return -ENOMEM;
	runs->v[runs->count++] = (struct cell_run){ first, value };
	return 0;
}

static void note_class(struct cells *cells, uint32_t class)
{
	if (class >= cells->class_count)
		cells->class_count = class + 1;
}

static int read_ports(struct cells *cells)
{
	for (unsigned protocol = 0; protocol < 256; protocol++) {
		cells->others[protocol].value = port_class(protocol, 0);
		note_class(cells, cells->others[protocol].value);
	}
	for (int table = 0; table < ZW_PORT_TABLES; table++) {
		uint32_t ports = cells->layout.ports[table] ? PORTS : 1;

		for (uint32_t port = 0; port < ports; port++) {
			uint32_t class = port_class(with_ports[table], port);

			note_class(cells, class);
			if (add_run(&cells->ports[table], 0, port, class))
				return -ENOMEM;
		}
	}
	return 0;
}

/* What tells two atoms apart on one side: classes of both matrices, of failsafe on either side (it exchanges ends). */
struct signature {
	uint32_t policy, failsafe, exchanged, atom;
};

static int compare_signatures(const void *a, const void *b)
{
	const struct signature *x = a, *y = b;

	if (x->policy != y->policy)
		return x->policy < y->policy ? -1 : 1;
	if (x->failsafe != y->failsafe)
		return x->failsafe < y->failsafe ? -1 : 1;
	return x->exchanged < y->exchanged ? -1 : x->exchanged > y->exchanged;
}

static struct signature sign(const struct zw_atom *atom, enum side side, uint32_t number)
{
	const struct zw_classes *policy = &atom->classes[ZW_MATRIX_POLICY], *failsafe = &atom->classes[ZW_MATRIX_FAILSAFE];

	if (side == SIDE_SOURCE)
		return (struct signature){ policy->source, failsafe->source, failsafe->destination, number };
	return (struct signature){ policy->destination, failsafe->destination, failsafe->source, number };
}

static int find_kinds(struct cells *cells, enum side side)
{
	uint32_t count = cells->layout.atom_count, kind = 0;
	_cleanup_free_ struct signature *signatures = array_new(count, sizeof(*signatures));

	cells->kind_of[side] = array_new(count, sizeof(*cells->kind_of[side]));
	if (!signatures || !cells->kind_of[side])
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct zw_atom *atom = get_atom(i);

		if (!atom)
			return -EINVAL;
		signatures[i] = sign(atom, side, i);
	}
	qsort(signatures, count, sizeof(*signatures), compare_signatures);
	for (uint32_t i = 0; i < count; i++) {
		if (i && compare_signatures(&signatures[i - 1], &signatures[i]))
			kind++;
		cells->kind_of[side][signatures[i].atom] = kind;
	}
	cells->kind_count[side] = kind + 1;
	return 0;
}

static int add_row(struct cells *cells, struct row row)
{
	for (size_t i = row.first; i < row.first + row.count; i++)
		row.allows = row.allows || cells->runs.v[i].value & ZW_CELL_ALLOW;
	if (array_grow(&cells->rows, cells->row_count, sizeof(*cells->rows)))
		return -ENOMEM;
	cells->rows[cells->row_count++] = row;
	return 0;
}

int cells_new(const void *tables, const struct zw_layout *layout, int64_t time, struct cells **ret_cells)
{
	struct cells *cells = calloc(1, sizeof(*cells));
	int err;

	if (!cells)
		return -ENOMEM;
	cells->tables = tables;
	cells->layout = *layout;
	cells->time = time > 0 ? time : 0;
	cells->row_at = array_new(layout->lines, sizeof(*cells->row_at));
	use(cells);
	for (int m = 0; m < ZW_MATRICES; m++)
		cells->row_of_cell[m] = array_new(CELL_FLAGS + layout->rule_count + 1ull, sizeof(*cells->row_of_cell[m]));
	err = cells->row_at && cells->row_of_cell[0] && cells->row_of_cell[1] ? read_ports(cells) : -ENOMEM;
	for (int side = 0; side < 2 && !err; side++)
		err = find_kinds(cells, side);
	if (!err)
		err = add_run(&cells->runs, 0, 0, 0);
	if (!err)
		err = add_row(cells, (struct row){ .count = 1 }); /* ROW_NONE */
	if (err) {
		cells_free(cells);
		return err;
	}
	*ret_cells = cells;
	return 0;
}

void cells_free(struct cells *cells)
{
	if (!cells)
		return;
	if (current == cells)
		current = NULL;
	for (int table = 0; table < ZW_PORT_TABLES; table++)
		free(cells->ports[table].v);
	free(cells->kind_of[0]);
	free(cells->kind_of[1]);
	free(cells->row_at);
	for (int m = 0; m < ZW_MATRICES; m++)
		free(cells->row_of_cell[m]);
	free(cells->rows);
	free(cells->runs.v);
	free(cells);
}

bool cells_has_failsafe(const struct cells *cells)
{
	return cells->layout.has_failsafe;
}

uint32_t cells_class_count(const struct cells *cells)
{
	return cells->class_count;
}

const struct cell_run *cells_ports(const struct cells *cells, uint8_t protocol, size_t *ret_count)
{
	for (int table = 0; table < ZW_PORT_TABLES; table++)
		if (with_ports[table] == protocol) {
			*ret_count = cells->ports[table].count;
			return cells->ports[table].v;
		}
	*ret_count = 1;
	return &cells->others[protocol];
}

/* Index of the run that holds `at`. */
static size_t find_run(const struct cell_run *runs, size_t count, uint32_t at)
{
	size_t low = 0, high = count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (runs[middle].first <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

uint32_t cells_class(const struct cells *cells, uint8_t protocol, uint16_t port)
{
	size_t count;
	const struct cell_run *runs = cells_ports(cells, protocol, &count);

	return runs[find_run(runs, count, port)].value;
}

const struct zw_atom *cells_atom(struct cells *cells, uint32_t atom)
{
	use(cells);
	return get_atom(atom);
}

uint32_t cells_kind(const struct cells *cells, enum side side, uint32_t atom)
{
	return cells->kind_of[side][atom];
}

uint32_t cells_kind_count(const struct cells *cells, enum side side)
{
	return cells->kind_count[side];
}

/*
 * A cell as it is at that time, as if its rule had no end. What failsafe lets in only because this host has no address yet is no
 * part of what the policy means.
 */
static uint32_t cell_then(const struct cells *cells, enum zw_matrix_id matrix, uint32_t cell)
{
	struct asked asked = { .seconds = cells->time };

	if (matrix == ZW_MATRIX_FAILSAFE && (cell & ZW_CELL_AT_BOOT))
		return 0;
	return (cell & ZW_CELL_VARIANT ? zw_current_cell(cell, &asked) : cell) & ~ZW_CELL_EXPIRES;
}

/* The part of a search tree (zonewall.h) that keys low..high lead to. */
static int read_tree(struct cells *cells, enum zw_matrix_id matrix, size_t bottom, uint32_t at, uint32_t low, uint32_t high, int depth)
{
	const struct zw_line *line = table_lines(at, 1);
	int err = 0;

	for (unsigned n = 0; line && n <= ZW_LINE_BOUNDS && !err; n++) {
		uint32_t first = n ? zw_line_bound(line, n - 1) : 0, end = n < ZW_LINE_BOUNDS ? zw_line_bound(line, n) : PORTS;

		if (first < low)
			first = low;
		if (end > high + 1)
			end = high + 1;
		if (first >= end)
			continue;
		if (!(line->value[n] & ZW_LINK))
			err = add_run(&cells->runs, bottom, first, cell_then(cells, matrix, line->value[n]));
		else if (depth < ZW_SEARCH_DEPTH)
			err = read_tree(cells, matrix, bottom, line->value[n] & ~ZW_LINK, first, end - 1, depth + 1);
	}
	return err;
}

static size_t cell_index(uint32_t cell)
{
	return cell & ZW_CELL_RULE ? CELL_FLAGS + (cell & ZW_CELL_RULE) : cell >> 20 & (CELL_FLAGS - 1);
}

/* Where is noted which row this is? NULL: of damaged tables, nowhere. */
static uint32_t *noted_row(struct cells *cells, enum zw_matrix_id matrix, uint32_t row)
{
	if (row & ZW_LINK)
		return (row & ~ZW_LINK) < cells->layout.lines ? &cells->row_at[row & ~ZW_LINK] : NULL;
	return (row & ZW_CELL_RULE) <= cells->layout.rule_count ? &cells->row_of_cell[matrix][cell_index(row)] : NULL;
}

/* What a row of the tables (zonewall.h) says. */
static int read_row(struct cells *cells, enum zw_matrix_id matrix, uint32_t word, uint32_t *ret_row)
{
	struct row row = { .first = cells->runs.count, .matrix = matrix };
	uint32_t *noted;
	int err = 0;

	if (!(word & ZW_LINK))
		word = cell_then(cells, matrix, word);
	noted = noted_row(cells, matrix, word);

	if (noted && *noted) {
		*ret_row = *noted;
		return 0;
	}
	if (word & ZW_LINK)
		err = read_tree(cells, matrix, row.first, word & ~ZW_LINK, 0, cells->class_count - 1, 0);
	if (!err && cells->runs.count == row.first)
		err = add_run(&cells->runs, row.first, 0, word & ZW_LINK ? 0 : word);
	row.count = cells->runs.count - row.first;
	if (!err)
		err = add_row(cells, row);
	if (err)
		return err;
	*ret_row = cells->row_count - 1;
	if (noted)
		*noted = *ret_row;
	return 0;
}

int cells_row(struct cells *cells, enum zw_matrix_id matrix, uint32_t source, uint32_t destination, uint32_t *ret_row)
{
	use(cells);
	return read_row(cells, matrix, find_row(matrix, source, destination), ret_row);
}

/* `count` rows that stand one after the other. */
static int read_words(struct cells *cells, enum zw_matrix_id matrix, uint32_t line, uint32_t count)
{
	uint32_t row;
	int err = 0;

	for (uint32_t i = 0; i < count && !err; i++)
		err = read_row(cells, matrix, section_word(line, i, count) & ~ZW_PAIRS, &row);
	return err;
}

static int read_buckets(struct cells *cells, enum zw_matrix_id matrix, const struct zw_matrix *m)
{
	uint32_t row;
	int err = 0;

	for (uint32_t i = 0; i < m->pair_buckets && !err; i++) {
		const struct zw_pair_bucket *bucket = table_lines((uint64_t)m->pairs + i, 1);

		for (uint32_t j = 0; bucket && j < bucket->used && j < ZW_PAIRS_A_BUCKET && !err; j++)
			err = read_row(cells, matrix, bucket->pair[j].row, &row);
	}
	return err ? err : read_words(cells, matrix, m->defaults, m->default_count);
}

/* Every atom was read by find_kinds(). */
static const struct zw_atom *atom_at(const struct cells *cells, uint32_t atom)
{
	return (const struct zw_atom *)(cells->tables + (size_t)cells->layout.atoms * sizeof(struct zw_line)) + atom;
}

uint32_t cells_policy_class(const struct cells *cells, enum side side, uint32_t atom)
{
	const struct zw_classes *classes = &atom_at(cells, atom)->classes[ZW_MATRIX_POLICY];

	return side == SIDE_SOURCE ? classes->source : classes->destination;
}

uint32_t cells_policy_group(const struct cells *cells, enum side side, uint32_t atom)
{
	if (!cells->layout.matrix[ZW_MATRIX_POLICY].pair_buckets)
		return cells_policy_class(cells, side, atom);
	return atom_at(cells, atom)->group[side];
}

struct zw_classes cells_failsafe_classes(const struct cells *cells, uint32_t atom)
{
	return atom_at(cells, atom)->classes[ZW_MATRIX_FAILSAFE];
}

uint32_t cells_origin(const struct cells *cells, uint32_t atom)
{
	return atom_at(cells, atom)->origin;
}

int cells_group_row(struct cells *cells, uint32_t source, uint32_t destination, uint32_t *ret_row)
{
	const struct zw_matrix *m = &cells->layout.matrix[ZW_MATRIX_POLICY];
	uint32_t line = m->pair_buckets ? m->defaults : m->pairs;
	uint32_t stride = m->pair_buckets ? m->default_destinations : m->destinations;
	uint32_t count = m->pair_buckets ? m->default_count : m->pair_count;

	use(cells);
	return read_row(cells, ZW_MATRIX_POLICY,
			section_word(line, (uint64_t)source * stride + destination, count) & ~ZW_PAIRS, ret_row);
}

static int walk_bucket(const struct zw_pair_bucket *bucket,
		       int (*visit)(void *context, uint32_t source, uint32_t destination), void *context)
{
	int r = 0;

	for (uint32_t i = 0; i < bucket->used && i < ZW_PAIRS_A_BUCKET && !r; i++)
		r = visit(context, bucket->pair[i].source, bucket->pair[i].destination);
	return r;
}

int cells_walk_pairs(const struct cells *cells, int (*visit)(void *context, uint32_t source, uint32_t destination),
		     void *context)
{
	const struct zw_matrix *m = &cells->layout.matrix[ZW_MATRIX_POLICY];
	int r = 0;

	for (uint32_t i = 0; i < m->pair_buckets && !r; i++) {
		const struct zw_pair_bucket *bucket;

		use(cells); /* visit may have asked another generation */
		bucket = table_lines((uint64_t)m->pairs + i, 1);
		r = bucket ? walk_bucket(bucket, visit, context) : 0;
	}
	return r;
}

int cells_read_all(struct cells *cells, enum zw_matrix_id matrix)
{
	const struct zw_matrix *m = &cells->layout.matrix[matrix];
	int err;

	if (cells->has_all[matrix])
		return 0;
	use(cells);
	err = m->pair_buckets ? read_buckets(cells, matrix, m) : read_words(cells, matrix, m->pairs, m->pair_count);
	cells->has_all[matrix] = !err;
	return err;
}

enum zw_matrix_id cells_row_matrix(const struct cells *cells, uint32_t row)
{
	return cells->rows[row].matrix;
}

const struct cell_run *cells_runs(const struct cells *cells, uint32_t row, size_t *ret_count)
{
	*ret_count = cells->rows[row].count;
	return cells->runs.v + cells->rows[row].first;
}

uint32_t cells_cell(const struct cells *cells, uint32_t row, uint32_t class)
{
	size_t count;
	const struct cell_run *runs = cells_runs(cells, row, &count);

	return runs[find_run(runs, count, class)].value;
}

bool cells_row_allows(const struct cells *cells, uint32_t row)
{
	return cells->rows[row].allows;
}

uint32_t cells_row_count(const struct cells *cells)
{
	return cells->row_count;
}
