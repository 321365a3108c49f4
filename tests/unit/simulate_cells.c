/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A generation read as ranges and runs is the generation: held against the shortest way through the tables (walk.h) at
 * every end of every range, for random policies over both families. And what damaged tables do: nothing worse than an
 * error or a wrong answer.
 */
#include <errno.h>

#include "compile/walk.h"
#include "generate.h"
#include "scene.h"
#include "policy/moments.h"
#include "simulate/space.h"
#include "test.h"

#define POLICIES 60
#define DAMAGES 400

#ifdef __SANITIZE_ADDRESS__
#define PAIRS 300
#else
#define PAIRS 3000
#endif

static bool open_random(uint64_t seed, struct random *random, struct scene *scene)
{
	struct model *model;
	char *yaml, *host;
	struct scene_options options = { 0 };
	int r;

	random->state = seed;
	model = model_new(random);
	yaml = model_yaml(model);
	host = model_host(model);
	options.host = host;
	options.dense_bytes = model->dense_bytes;
	r = scene_open(yaml, &options, scene);
	free(yaml);
	free(host);
	model_free(model);
	return !r;
}

/* Ascending, without gaps, from the first address to the last; and each range is as long as it can be. */
static bool ranges_are_whole(const struct tables *t, const struct atom_ranges *ranges, int family)
{
	u128 next = 0;

	for (size_t i = 0; i < ranges->count; i++) {
		const struct atom_range *range = &ranges->v[i];
		const struct addr first = { family, range->first }, last = { family, range->last };

		if (range->first != next || range->last < range->first || (i && range[-1].atom == range->atom))
			return false;
		if (walk_atom(t, &first) != range->atom || walk_atom(t, &last) != range->atom)
			return false;
		next = range->last + 1;
	}
	return ranges->count && ranges->v[ranges->count - 1].last == (family == 4 ? ADDR_MAX4 : ADDR_MAX6);
}

/* Mostly when a rule ends, or a second before. */
static int64_t draw_time(struct random *random, const struct tables *t)
{
	const uint64_t *instants = walk_line(t, t->layout.instants);

	if (!t->layout.instant_count || random_percent(random, 20))
		return TIME_BEGIN;
	return (int64_t)instants[random_below(random, t->layout.instant_count)] - random_below(random, 2);
}

/* What holds then, as if its rule had no end; what failsafe lets in at boot alone is left out. */
static uint32_t cell_at(const struct tables *t, enum zw_matrix_id matrix, uint32_t cell, int64_t time)
{
	uint32_t staged;

	if (matrix == ZW_MATRIX_FAILSAFE && (cell & ZW_CELL_AT_BOOT))
		return 0;
	return walk_variant(t, cell, time > 0 ? time : 0, &staged) & ~ZW_CELL_EXPIRES;
}

static bool cells_agree(struct random *random, const struct tables *t, int64_t time, struct cells *cells)
{
	static const uint8_t protocols[] = { P_TCP, P_UDP, P_SCTP, P_ICMP, P_ICMPV6, P_GRE, 0, 255 };

	for (int i = 0; i < PAIRS; i++) {
		uint32_t from = random_below(random, t->layout.atom_count), to = random_below(random, t->layout.atom_count), row;
		enum zw_matrix_id matrix = random_below(random, 2);
		uint8_t protocol = protocols[random_below(random, sizeof(protocols))];
		uint16_t port = random_percent(random, 50) ? random_below(random, 65536) : random_below(random, 512);
		uint16_t class = walk_port(t, protocol, port);

		if (cells_class(cells, protocol, port) != class || class >= cells_class_count(cells))
			return false;
		if (cells_row(cells, matrix, from, to, &row) ||
		    cells_cell(cells, row, class) != cell_at(t, matrix, walk_cell(t, matrix, from, to, class), time))
			return false;
	}
	return true;
}

/* Atoms of one kind have the same rows with every other atom. */
static bool kinds_are_alike(struct random *random, const struct tables *t, struct cells *cells)
{
	uint32_t count = t->layout.atom_count, a = random_below(random, count), b = random_below(random, count), rows[2];

	if (cells_kind(cells, SIDE_SOURCE, a) != cells_kind(cells, SIDE_SOURCE, b))
		return true;
	for (uint32_t other = 0; other < count; other++)
		for (int matrix = 0; matrix < 2; matrix++)
			if (cells_row(cells, matrix, a, other, &rows[0]) || cells_row(cells, matrix, b, other, &rows[1]) ||
			    rows[0] != rows[1])
				return false;
	return true;
}

static void random_policies(void)
{
	bool ranges = true, cells = true, kinds = true;

	for (uint64_t seed = 1; seed <= POLICIES; seed++) {
		struct random random;
		struct scene scene;
		struct space *space;
		int64_t time = 0;
		bool read = open_random(seed, &random, &scene);

		if (read) {
			time = draw_time(&random, scene.tables);
			read = !space_new(scene.tables->bytes, &scene.tables->layout, time, &space);
		}
		if (!read) {
			ok(false, "policy %llu is read", (unsigned long long)seed);
			return;
		}
		ranges = ranges && ranges_are_whole(scene.tables, space_ranges(space, 4), 4) &&
			 ranges_are_whole(scene.tables, space_ranges(space, 6), 6);
		cells = cells && cells_agree(&random, scene.tables, time, space_cells(space));
		for (int i = 0; i < 200; i++)
			kinds = kinds && kinds_are_alike(&random, scene.tables, space_cells(space));
		space_free(space);
		scene_close(&scene);
	}
	ok(ranges, "the ranges are all addresses, each with its atom");
	ok(cells, "every cell and port class is the tables'");
	ok(kinds, "atoms of a kind have the same rows");
}

/* Asks for everything. */
static int ask_all(const struct tables *t)
{
	static const struct selector any = { .any_protocol = true, .last = 65535 };
	static struct range all4 = { 0, ADDR_MAX4 }, all6 = { 0, ADDR_MAX6 };
	const struct ranges all = { &all4, 1, &all6, 1 };
	const struct selectors service = { (struct selector *)&any, 1 };
	const struct region region = { &all, &all, &service };
	struct space_answer answer;
	struct space *space;
	int err = space_new(t->bytes, &t->layout, TIME_BEGIN, &space);

	if (err)
		return err;
	err = space_ask(space, &region, SPACE_ALLOWED | SPACE_DROPPED, &answer);
	space_free(space);
	return err;
}

static void damaged_tables(void)
{
	unsigned refused = 0, read = 0;
	struct random random;
	struct scene scene;

	if (!open_random(7, &random, &scene)) {
		ok(false, "the policy is read");
		return;
	}
	for (int i = 0; i < DAMAGES; i++) {
		uint32_t *word = (uint32_t *)scene.tables->bytes + random_below(&random, scene.tables->len / 4);
		uint32_t good = *word;
		int err;

		*word = random_percent(&random, 50) ? good ^ 1u << random_below(&random, 32) : random_next(&random);
		err = ask_all(scene.tables);
		refused += err == -EINVAL;
		read += !err;
		*word = good;
	}
	ok(refused && refused + read == DAMAGES, "damaged tables are refused, or read and no more");
	ok(!ask_all(scene.tables), "undamaged ones are read");
	scene_close(&scene);
}

int main(void)
{
	random_policies();
	damaged_tables();
	return done();
}
