/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shortest way through the tables, written from zonewall.h alone and for tests alone: what the compiler made is
 * read here without the code that made it and without the code that packets run.
 */
#ifndef ZW_COMPILE_WALK_H
#define ZW_COMPILE_WALK_H

#include "base/addr.h"
#include "compile/tables.h"

static inline const void *walk_line(const struct tables *t, uint32_t line)
{
	return (const char *)t->bytes + (size_t)line * 64;
}

/* The answer for a key in the search tree at this line. *reads counts the lines read. */
static inline uint32_t walk_search(const struct tables *t, uint32_t line, uint16_t key, unsigned *reads)
{
	for (;;) {
		const struct zw_line *l = walk_line(t, line);
		unsigned n = 0;

		while (n < ZW_LINE_BOUNDS && zw_line_bound(l, n) <= key)
			n++;
		(*reads)++;
		if (!(l->value[n] & ZW_LINK))
			return l->value[n];
		line = l->value[n] & ~ZW_LINK;
	}
}

/* The atom of a key among sparse ones: key by key. keys: how many the line stands for. */
static inline uint32_t walk_sparse(const struct tables *t, const struct zw_sparse *s, uint16_t key, unsigned keys, unsigned *reads)
{
	uint32_t outside = zw_sparse_lane(s->key, ZW_SPARSE_KEYS);

	(*reads)++;
	if (zw_sparse_lane(s->differs, ZW_SPARSE_KEYS)) {
		(*reads)++;
		return ((const uint16_t *)walk_line(t, s->key[0]))[key % keys];
	}
	for (int i = 0; i < ZW_SPARSE_KEYS; i++) {
		uint16_t differs = zw_sparse_lane(s->differs, i);

		if (differs && zw_sparse_lane(s->key, i) == key)
			return outside ^ differs;
	}
	return outside;
}

/* What a key leads to from a step. */
static inline uint32_t walk_key(const struct tables *t, uint32_t step, uint16_t key, unsigned *reads)
{
	if ((step & ZW_SPARSE) == ZW_SPARSE) {
		unsigned keys = 65536 >> (step >> ZW_SPARSE_SHIFT & 15);

		return walk_sparse(t, walk_line(t, (step & ZW_SPARSE_LINE) + key / keys), key, keys, reads);
	}
	if (step & ZW_BLOCK) {
		step = ((const uint32_t *)walk_line(t, step & ZW_STEP_INDEX))[key / 256];
		(*reads)++;
		if (step & ZW_BLOCK) {
			(*reads)++;
			return ((const uint32_t *)walk_line(t, step & ZW_STEP_INDEX))[key % 256];
		}
	}
	return step & ZW_NEXT ? walk_search(t, step & ZW_STEP_INDEX, key, reads) : step;
}

static inline uint32_t walk_atom4(const struct tables *t, uint32_t address, unsigned *reads)
{
	uint32_t step = ((const uint32_t *)walk_line(t, t->layout.root4))[address >> 16];

	(*reads)++;
	return walk_key(t, step, address, reads);
}

/* The atom of an address among lone prefixes. */
static inline uint32_t walk_lone(const struct zw_lone *l, u128 address)
{
	for (unsigned i = 0; i < l->used; i++) {
		u128 prefix = (u128)(address >> 112) << 112 | (u128)l->high[i] << 96 | (u128)l->middle[i] << 64 | l->low[i];

		if (address >> l->open[i] == prefix >> l->open[i])
			return l->inside[i];
	}
	return l->outside;
}

static inline uint32_t walk_atom6(const struct tables *t, u128 address, unsigned *reads)
{
	uint32_t step = ((const uint32_t *)walk_line(t, t->layout.root6))[address >> 112];
	unsigned chunk = 1;

	(*reads)++;
	for (;;) {
		if (step & ZW_LONE) {
			(*reads)++;
			return walk_lone(walk_line(t, step & ZW_STEP_INDEX), address);
		}
		if (step & ZW_TAIL) {
			const struct zw_tail *tail = walk_line(t, step & ZW_STEP_INDEX);
			u128 mask = (u128)tail->mask[0] << 64 | tail->mask[1];
			u128 prefix = (u128)tail->prefix[0] << 64 | tail->prefix[1];

			step = (address & mask) == prefix ? tail->inside : tail->outside;
			chunk = tail->chunk;
			(*reads)++;
		} else if (step & (ZW_NEXT | ZW_BLOCK)) {
			step = walk_key(t, step, address >> (112 - 16 * chunk), reads);
			chunk++;
		} else {
			return step;
		}
	}
}

static inline uint32_t walk_atom(const struct tables *t, const struct addr *a)
{
	unsigned reads = 0;

	return a->family == 4 ? walk_atom4(t, a->value, &reads) : walk_atom6(t, a->value, &reads);
}

static inline uint16_t walk_port(const struct tables *t, uint8_t protocol, uint16_t port)
{
	static const uint8_t tables[ZW_PORT_TABLES] = { 6, 17, 132, 1, 58 };

	for (int i = 0; i < ZW_PORT_TABLES; i++)
		if (tables[i] == protocol && t->layout.ports[i])
			return ((const uint16_t *)walk_line(t, t->layout.ports[i]))[port];
	return ((const uint16_t *)walk_line(t, t->layout.protocols))[protocol];
}

static inline const struct zw_atom *walk_get_atom(const struct tables *t, uint32_t atom)
{
	return (const struct zw_atom *)walk_line(t, t->layout.atoms) + atom;
}

/* Does the source set (from 1) hold the atom? */
static inline bool walk_origin(const struct tables *t, uint32_t source_set, uint32_t atom)
{
	const uint32_t *bits = walk_line(t, t->layout.origins);
	uint32_t origin = walk_get_atom(t, atom)->origin;

	return bits[(size_t)(source_set - 1) * t->layout.origin_words + origin / 32] >> origin % 32 & 1;
}

/* The default row of a pair of groups. */
static inline uint32_t walk_default(const struct tables *t, const struct zw_matrix *m, uint32_t source, uint32_t destination)
{
	const uint32_t *usual = (const uint32_t *)walk_line(t, m->usual) + (size_t)source * zw_usual_words(m->default_destinations);

	if (usual[1 + destination / 32] >> destination % 32 & 1)
		return ((const uint32_t *)walk_line(t, m->defaults))[(size_t)source * m->default_destinations + destination];
	return usual[0];
}

/* The row of a pair of a sparse matrix that is written down for it, or NULL. */
static inline const uint32_t *walk_pair(const struct tables *t, const struct zw_matrix *m, uint32_t source, uint32_t destination)
{
	uint32_t at = zw_pair_hash(source, destination);

	for (int i = 0; i < ZW_PAIR_PROBES; i++, at++) {
		const struct zw_pair_bucket *b = walk_line(t, m->pairs + (at & (m->pair_buckets - 1)));

		for (unsigned j = 0; j < b->used; j++)
			if (b->pair[j].source == source && b->pair[j].destination == destination)
				return &b->pair[j].row;
		if (b->used < ZW_PAIRS_A_BUCKET)
			break;
	}
	return NULL;
}

static inline uint32_t walk_cell(const struct tables *t, enum zw_matrix_id id, uint32_t source,
				 uint32_t destination, uint16_t port_class)
{
	const struct zw_matrix *m = &t->layout.matrix[id];
	const struct zw_atom *from = walk_get_atom(t, source), *to = walk_get_atom(t, destination);
	uint32_t s = from->classes[id].source, d = to->classes[id].destination, row;
	unsigned reads = 0;

	if (m->pair_buckets) {
		row = walk_default(t, m, from->group[0], to->group[1]);
		if (row & ZW_PAIRS && walk_pair(t, m, s, d))
			row = *walk_pair(t, m, s, d);
		row &= ~ZW_PAIRS;
	} else {
		row = ((const uint32_t *)walk_line(t, m->pairs))[(size_t)s * m->destinations + d];
	}
	return row & ZW_LINK ? walk_search(t, row & ~ZW_LINK, port_class, &reads) : row;
}

/* What a cell of the tables means at a time (Unix seconds); ret_staged: as in struct zw_variant. */
static inline uint32_t walk_variant(const struct tables *t, uint32_t cell, uint64_t now, uint32_t *ret_staged)
{
	const struct zw_variant *v = walk_line(t, t->layout.variants);

	*ret_staged = 0;
	while (cell & ZW_CELL_VARIANT) {
		const struct zw_variant *variant = &v[cell & ZW_CELL_RULE];

		if (!variant->until || now < variant->until) {
			*ret_staged = variant->staged;
			return variant->cell;
		}
		cell = variant->next;
	}
	return cell;
}

/* When a rule ends (Unix seconds), that flows ask for. */
static inline uint64_t walk_instant(const struct tables *t, uint32_t rule)
{
	return ((const uint64_t *)walk_line(t, t->layout.instants))[rule];
}

#endif
