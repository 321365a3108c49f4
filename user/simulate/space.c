// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/space.h"

#include <netinet/in.h>

#include "base/util.h"
#include "simulate/pick.h"
#include "simulate/places.h"

struct space {
	struct atom_ranges ranges[2]; /* IPv4, IPv6 */
	struct cells *cells;
	struct place_classes sports; /* of UDP and SCTP */
	uint32_t *seen[2]; /* of each kind of a source (destination): the last question that met it */
	uint32_t questions;
};

/* A region's packets of one family and origin. */
struct asked {
	struct space *space;
	const struct region *region;
	struct origin origin;
	unsigned wanted;
	struct place_classes classes; /* of the region's service */
	uint8_t *memo; /* of each policy row: KNOWN and what was found, without failsafe */
	size_t memo_count;
	struct space_answer *answer;
};
#define KNOWN 4u

/* --- The object ------------------------------------------------------------------------------------------------- */

static int find_sports(struct space *space)
{
	struct selector any = { .any_protocol = true, .last = 65535 };
	const struct selectors service = { &any, 1 };
	const struct origin origin = { .family = 4 };

	return place_classes_find(space->cells, &service, &origin, &space->sports);
}

int space_new(const void *tables, const struct zw_layout *layout, int64_t time, struct space **ret_space)
{
	struct space *space = calloc(1, sizeof(*space));
	int err;

	if (!space)
		return -ENOMEM;
	err = cells_new(tables, layout, time, &space->cells);
	for (int i = 0; i < 2 && !err; i++) {
		err = atom_ranges_read(tables, layout, i ? 6 : 4, &space->ranges[i]);
		if (!err)
			space->seen[i] = array_new(cells_kind_count(space->cells, i), sizeof(*space->seen[i]));
		if (!err && !space->seen[i])
			err = -ENOMEM;
	}
	if (!err)
		err = find_sports(space);
	if (err) {
		space_free(space);
		return err;
	}
	*ret_space = space;
	return 0;
}

void space_free(struct space *space)
{
	if (!space)
		return;
	for (int i = 0; i < 2; i++) {
		atom_ranges_clear(&space->ranges[i]);
		free(space->seen[i]);
	}
	place_classes_clear(&space->sports);
	cells_free(space->cells);
	free(space);
}

const struct atom_ranges *space_ranges(const struct space *space, int family)
{
	return &space->ranges[family == 6];
}

struct cells *space_cells(struct space *space)
{
	return space->cells;
}

const struct place_classes *space_sports(const struct space *space)
{
	return &space->sports;
}

uint32_t space_atom(const struct space *space, const struct addr *addr)
{
	const struct atom_ranges *ranges = space_ranges(space, addr->family);

	return ranges->v[atom_ranges_at(ranges, addr->value)].atom;
}

/* --- One packet --------------------------------------------------------------------------------------------------- */

void space_decide(struct space *space, const struct space_packet *packet, struct decision *ret_decision)
{
	uint32_t source = space_atom(space, &packet->from), destination = space_atom(space, &packet->to), cell = 0;
	enum zw_reason reason = ZW_DROP_DEFAULT;
	struct pair pair;

	/* Without memory for a row that was not asked for before, as with tables that cannot be read: a drop. */
	if (!pair_read(space->cells, source, destination, &pair))
		reason = pair_decide(space->cells, &pair, packet, &cell);
	*ret_decision = (struct decision){
		.allow = !ZW_REASON_IS_DROP(reason),
		.reason = reason,
		.rule = cell & ZW_CELL_RULE,
		.atom = { source, destination },
	};
}

/* --- All services of a pair of atoms -------------------------------------------------------------------------- */

static unsigned verdict_of(bool allowed)
{
	return allowed ? SPACE_ALLOWED : SPACE_DROPPED;
}

/* What source ports of a kind make of packets that only failsafe, with ends exchanged, could let pass. */
static unsigned verdicts_of_sports(const struct asked *q, uint32_t exchanged, int kind)
{
	const struct cells *cells = q->space->cells;
	struct pair_walk walk = row_walk(cells, exchanged);
	struct pair_run run;
	unsigned found = 0;

	if (q->origin.unspecified)
		return verdict_of(cell_allows(cells_cell(cells, exchanged, cells_class(cells, IPPROTO_UDP, DHCP_CLIENT))));
	while (pair_next(&walk, &run))
		if (place_classes_hold(&q->space->sports, kind, run.first, run.end))
			found |= verdict_of(cell_allows(run.policy));
	return found;
}

/* Of a run that neither policy nor failsafe allows as it is. */
static unsigned exchanged_verdicts(const unsigned sports[PLACE_KINDS], int kind, const struct pair_run *run)
{
	if (place_has_sport(kind))
		return sports[kind];
	return verdict_of(kind != PLACE_TCP && cell_allows(run->exchanged));
}

/* All services of the region. */
static unsigned verdicts_of_pair(const struct asked *q, const struct pair *pair)
{
	struct pair_walk walk = pair_walk(q->space->cells, pair);
	unsigned sports[PLACE_KINDS] = { 0 }, found = 0;
	struct pair_run run;

	for (int kind = 0; kind < PLACE_KINDS; kind++)
		if (place_has_sport(kind))
			sports[kind] = verdicts_of_sports(q, pair->exchanged, kind);
	while (pair_next(&walk, &run))
		for (int kind = 0; kind < PLACE_KINDS; kind++)
			if (place_classes_hold(&q->classes, kind, run.first, run.end))
				found |= cell_allows(run.policy) || cell_allows(run.failsafe) ?
						 SPACE_ALLOWED :
						 exchanged_verdicts(sports, kind, &run);
	return found;
}

/* The same, each policy row once where failsafe has no say: nearly everywhere. 0 or -ENOMEM. */
static int verdicts(struct asked *q, const struct pair *pair, unsigned *ret_found)
{
	if (pair_has_failsafe(q->space->cells, pair)) {
		*ret_found = verdicts_of_pair(q, pair);
		return 0;
	}
	for (; q->memo_count <= pair->policy; q->memo_count++) {
		if (array_grow(&q->memo, q->memo_count, sizeof(*q->memo)))
			return -ENOMEM;
		q->memo[q->memo_count] = 0;
	}
	if (!q->memo[pair->policy])
		q->memo[pair->policy] = KNOWN | verdicts_of_pair(q, &(struct pair){ .policy = pair->policy });
	*ret_found = q->memo[pair->policy] & ~KNOWN;
	return 0;
}

static void show(const struct asked *q, const struct pair *pair, const struct end *from, const struct end *to,
		 unsigned wanted)
{
	struct space_packet *packet = wanted == SPACE_ALLOWED ? &q->answer->allowed : &q->answer->dropped;

	*packet = (struct space_packet){ .from = from->addr, .to = to->addr };
	if (from->addr.value == to->addr.value && to->addr.value < to->last)
		packet->to.value++; /* few hosts talk to themselves */
	pair_pick(q->space->cells, pair, q->region->service, &q->origin, wanted == SPACE_ALLOWED, packet);
	q->answer->found |= wanted;
}

/* --- All addresses of a region ---------------------------------------------------------------------------------- */

/* An address of a range that people would write: no network's own, none from before the first ones in use. */
static u128 plain_address(int family, u128 first, u128 last)
{
	u128 used = family == 4 ? (u128)1 << 24 : (u128)0x2000 << 112;
	u128 example = family == 4 ? 0xc0000201 : (u128)0x20010db8 << 96 | 1; /* RFC 5737, RFC 3849 */

	if (first < used && last >= example)
		return example;
	return first < last && !(first & 0xff) ? first + 1 : first;
}

/* Adds an address of each kind in set[0..count). */
static int add_ends(struct space *space, enum side side, int family, const struct range *set, size_t count,
		    struct ends *ends)
{
	const struct atom_ranges *ranges = space_ranges(space, family);

	for (size_t i = 0; i < count; i++)
		for (size_t r = atom_ranges_at(ranges, set[i].first); r < ranges->count && ranges->v[r].first <= set[i].last; r++) {
			const struct atom_range *range = &ranges->v[r];
			uint32_t *seen = &space->seen[side][cells_kind(space->cells, side, range->atom)];
			u128 first = range->first > set[i].first ? range->first : set[i].first;
			u128 last = range->last < set[i].last ? range->last : set[i].last;

			if (*seen == space->questions)
				continue;
			*seen = space->questions;
			if (array_grow(&ends->v, ends->count, sizeof(*ends->v)))
				return -ENOMEM;
			ends->v[ends->count++] =
				(struct end){ range->atom, { family, plain_address(family, first, last) }, last };
		}
	return 0;
}

int space_sources(struct space *space, const struct origin *origin, const struct ranges *set, struct ends *ends)
{
	const struct addr unspecified = { .family = origin->family };
	const struct range only = { 0, 0 };

	space->questions++;
	if (origin->unspecified)
		return ranges_contain(set, &unspecified) ? add_ends(space, SIDE_SOURCE, origin->family, &only, 1, ends) : 0;
	return origin->family == 4 ? add_ends(space, SIDE_SOURCE, 4, set->v4, set->v4_count, ends) :
				     add_ends(space, SIDE_SOURCE, 6, set->v6, set->v6_count, ends);
}

int space_destinations(struct space *space, int family, const struct ranges *set, struct ends *ends)
{
	space->questions++;
	return family == 4 ? add_ends(space, SIDE_DESTINATION, 4, set->v4, set->v4_count, ends) :
			     add_ends(space, SIDE_DESTINATION, 6, set->v6, set->v6_count, ends);
}

static int ask_pair(struct asked *q, const struct end *from, const struct end *to)
{
	struct pair pair;
	unsigned found;
	int err = pair_read(q->space->cells, from->atom, to->atom, &pair);

	if (!err)
		err = verdicts(q, &pair, &found);
	if (err)
		return err;
	found &= q->wanted & ~q->answer->found;
	if (found & SPACE_ALLOWED)
		show(q, &pair, from, to, SPACE_ALLOWED);
	if (found & SPACE_DROPPED)
		show(q, &pair, from, to, SPACE_DROPPED);
	return 0;
}

/*
 * Could some pair, of all there are, have a packet that is wanted? What one of a pair's rows allows is allowed, and what
 * is dropped its policy row does not allow: so each row tells by itself.
 */
static int ask_rows(struct asked *q, bool *ret_could)
{
	struct cells *cells = q->space->cells;
	int err = cells_read_all(cells, ZW_MATRIX_POLICY);

	if (!err && cells_has_failsafe(cells))
		err = cells_read_all(cells, ZW_MATRIX_FAILSAFE);
	*ret_could = false;
	for (uint32_t row = ROW_NONE + 1; row < cells_row_count(cells) && !err && !*ret_could; row++) {
		bool is_policy = cells_row_matrix(cells, row) == ZW_MATRIX_POLICY;
		struct pair pair = { .policy = is_policy ? row : ROW_NONE };
		unsigned found;

		if (!is_policy)
			pair.failsafe = pair.exchanged = row;
		err = verdicts(q, &pair, &found);
		*ret_could = !err && found & q->wanted & (is_policy ? SPACE_ALLOWED | SPACE_DROPPED : SPACE_ALLOWED);
	}
	return err;
}

/* Are these so many of all pairs that looking at every row there is costs less? */
static bool are_most(const struct space *space, const struct ends *from, const struct ends *to)
{
	size_t all = (size_t)cells_kind_count(space->cells, SIDE_SOURCE) * cells_kind_count(space->cells, SIDE_DESTINATION);

	return from->count * to->count > all / 8;
}

static int ask_pairs(struct asked *q, const struct ends *from, const struct ends *to)
{
	bool could = true;
	int err = 0;

	if (are_most(q->space, from, to))
		err = ask_rows(q, &could);
	if (!could)
		return err;
	for (size_t i = 0; i < from->count && !err; i++)
		for (size_t j = 0; j < to->count && !err && q->answer->found != q->wanted; j++)
			err = ask_pair(q, &from->v[i], &to->v[j]);
	return err;
}

/* What may be a source and what a destination, whatever the region says. */
struct sets {
	struct ranges source, destination;
};

static int ask_origin(struct asked *q, const struct sets *sets)
{
	struct ends from = { 0 }, to = { 0 };
	struct space *space = q->space;
	int err;

	err = space_sources(space, &q->origin, q->origin.unspecified ? q->region->source : &sets->source, &from);
	if (!err && from.count)
		err = space_destinations(space, q->origin.family, &sets->destination, &to);
	if (!err && to.count)
		err = place_classes_find(space->cells, q->region->service, &q->origin, &q->classes);
	if (!err && q->classes.any) {
		q->answer->is_empty = false;
		err = ask_pairs(q, &from, &to);
	}
	place_classes_clear(&q->classes);
	free(q->memo);
	free(from.v);
	free(to.v);
	return err;
}

int space_ask(struct space *space, const struct region *region, unsigned wanted, struct space_answer *ret_answer)
{
	struct space_answer answer = { .is_empty = true };
	struct sets sets = { 0 };
	int err = packets_sources(region->source, &sets.source);

	if (!err)
		err = packets_destinations(region->destination, &sets.destination);
	for (size_t i = 0; i < ORIGINS && !err && (answer.is_empty || answer.found != wanted); i++) {
		struct asked question = {
			.space = space,
			.region = region,
			.origin = packet_origins[i],
			.wanted = wanted,
			.answer = &answer,
		};

		err = ask_origin(&question, &sets);
	}
	ranges_clear(&sets.source);
	ranges_clear(&sets.destination);
	if (!err)
		*ret_answer = answer;
	return err;
}
