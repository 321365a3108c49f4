/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A generation's decisions as runs: what the tables (zonewall.h) answer for one packet, read for all packets at once.
 *
 *   protocol ──> runs of ports, each with its port class
 *   atom, as a source or destination ──> kind: atoms whose rows are the same in both matrices, whoever the other is
 *   pair of atoms, matrix ──> row ──> runs of port classes, each with its cell
 *
 * So whoever compares or proves walks over kinds instead of addresses and over runs instead of ports, and decides each
 * row once. Rows are read when they are first asked for.
 */
#ifndef ZW_CELLS_H
#define ZW_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zonewall.h"

struct cells;

/* From `first` (a port or a port class) to before the next run's: value is a port class or a cell. */
struct cell_run {
	uint32_t first, value;
};

/*
 * What holds at a time (Unix seconds; TIME_BEGIN: before any rule ended). tables are borrowed until cells_free. 0; -ENOMEM; -EINVAL
 * if they are damaged.
 */
int cells_new(const void *tables, const struct zw_layout *layout, int64_t time, struct cells **ret_cells);
void cells_free(struct cells *cells);

bool cells_has_failsafe(const struct cells *cells); /* does the policy have entries? */

/* Port classes are 0..count - 1. */
uint32_t cells_class_count(const struct cells *cells);

/* Runs of the ports (0..65535, see zonewall.h) of a protocol. A protocol without ports has one run. */
const struct cell_run *cells_ports(const struct cells *cells, uint8_t protocol, size_t *ret_count);
uint32_t cells_class(const struct cells *cells, uint8_t protocol, uint16_t port);

const struct zw_atom *cells_atom(struct cells *cells, uint32_t atom);

enum side { SIDE_SOURCE, SIDE_DESTINATION };
uint32_t cells_kind(const struct cells *cells, enum side side, uint32_t atom); /* 0..count - 1 */
uint32_t cells_kind_count(const struct cells *cells, enum side side);

/* The row of a pair of atoms: a number for the functions below. 0 or -ENOMEM. ROW_NONE allows nothing. */
#define ROW_NONE 0
int cells_row(struct cells *cells, enum zw_matrix_id matrix, uint32_t source, uint32_t destination, uint32_t *ret_row);

/* The runs end at class_count. Valid until the next cells_row. */
const struct cell_run *cells_runs(const struct cells *cells, uint32_t row, size_t *ret_count);
uint32_t cells_cell(const struct cells *cells, uint32_t row, uint32_t class);
bool cells_row_allows(const struct cells *cells, uint32_t row); /* some class */

/*
 * How the policy matrix is stored (zonewall.h): each pair of groups of atoms has a row, but for pairs of classes that stand
 * by themselves. Where the matrix is a plain array, classes are the groups.
 */
uint32_t cells_policy_class(const struct cells *cells, enum side side, uint32_t atom);
uint32_t cells_policy_group(const struct cells *cells, enum side side, uint32_t atom);
int cells_group_row(struct cells *cells, uint32_t source, uint32_t destination, uint32_t *ret_row); /* 0 or -ENOMEM */

/* Calls visit for each pair of classes that stands by itself, while it returns 0. Returns what it returned last. */
int cells_walk_pairs(const struct cells *cells, int (*visit)(void *context, uint32_t source, uint32_t destination),
		     void *context);

/* The failsafe matrix's classes of an atom; its origin class. */
struct zw_classes cells_failsafe_classes(const struct cells *cells, uint32_t atom);
uint32_t cells_origin(const struct cells *cells, uint32_t atom);

/* Reads the rows of all pairs of a matrix: then they are those from 1 to before the count that are its own. 0 or -ENOMEM. */
int cells_read_all(struct cells *cells, enum zw_matrix_id matrix);
uint32_t cells_row_count(const struct cells *cells); /* read so far, ROW_NONE among them */
enum zw_matrix_id cells_row_matrix(const struct cells *cells, uint32_t row);

#endif
