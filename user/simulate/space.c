// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/space.h"

#include <netinet/in.h>

#include "base/util.h"
#include "simulate/places.h"

#define PLAIN_SPORT 40000

struct space {
	struct zw_layout layout;
	struct atom_ranges ranges[2]; /* IPv4, IPv6 */
	struct cells *cells;
	uint32_t *sports_before[PLACE_KINDS]; /* of UDP and SCTP, see struct asked */
	uint32_t *seen[2]; /* of each kind of a source (destination): the last question that met it */
	uint32_t questions;
};

/* An address of a region, one for each kind of atom. */
struct end {
	uint32_t atom;
	struct addr addr;
	u128 last; /* up to here all addresses are of this atom and in the region */
};

struct ends {
	struct end *v; /* grows by array_grow */
	size_t count;
};

/* The rows of a pair of atoms. exchanged: failsafe's for the pair the other way round. */
struct rows {
	uint32_t policy, failsafe, exchanged;
	unsigned sports[PLACE_KINDS]; /* UDP, SCTP: what `exchanged` makes of the source ports that there are */
};

/*
 * A region's packets of one family and origin. before[kind][class] is how many port classes below `class` have places of
 * that kind in the region: so a run of classes meets the region if the numbers at its ends differ.
 */
struct asked {
	struct space *space;
	const struct region *region;
	struct origin origin;
	unsigned wanted;
	uint32_t *before[PLACE_KINDS];
	uint8_t *memo; /* of each policy row: KNOWN and what was found, without failsafe */
	size_t memo_count;
	struct space_answer *answer;
};
#define KNOWN 4u

static bool is_exchanged_by_port(enum place_kind kind)
{
	return kind == PLACE_UDP || kind == PLACE_SCTP;
}

/* --- Sets of port classes ------------------------------------------------------------------------------------- */

struct marks {
	uint32_t **before;
};

static bool mark(void *context, uint8_t protocol, uint16_t first, uint16_t last, uint32_t class)
{
	struct marks *marks = context;

	(void)first, (void)last;
	marks->before[place_kind(protocol)][class + 1] = 1;
	return true;
}

/* Makes sums of marks; returns whether there are any. */
static bool sum_up(const struct cells *cells, uint32_t *before[PLACE_KINDS])
{
	uint32_t classes = cells_class_count(cells);
	bool any = false;

	for (int kind = 0; kind < PLACE_KINDS; kind++) {
		for (uint32_t class = 0; class < classes; class++)
			before[kind][class + 1] += before[kind][class];
		any = any || before[kind][classes];
	}
	return any;
}

static int find_classes(const struct cells *cells, const struct selectors *service, const struct origin *origin,
			uint32_t *before[PLACE_KINDS], bool *ret_any)
{
	struct marks marks = { before };

	for (int kind = 0; kind < PLACE_KINDS; kind++) {
		before[kind] = array_new(cells_class_count(cells) + (size_t)1, sizeof(*before[kind]));
		if (!before[kind])
			return -ENOMEM;
	}
	places_walk(cells, service, origin, mark, &marks);
	*ret_any = sum_up(cells, before);
	return 0;
}

static bool holds_class(uint32_t *const before[PLACE_KINDS], int kind, uint32_t first, uint32_t end)
{
	return before[kind][end] != before[kind][first];
}

/* --- The object ------------------------------------------------------------------------------------------------- */

static int find_sports(struct space *space)
{
	struct selector any = { .any_protocol = true, .last = 65535 };
	const struct selectors service = { &any, 1 };
	const struct origin origin = { .family = 4 };
	bool some;

	return find_classes(space->cells, &service, &origin, space->sports_before, &some);
}

int space_new(const void *tables, const struct zw_layout *layout, struct space **ret_space)
{
	struct space *space = calloc(1, sizeof(*space));
	int err;

	if (!space)
		return -ENOMEM;
	space->layout = *layout;
	err = cells_new(tables, layout, &space->cells);
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
	for (int kind = 0; kind < PLACE_KINDS; kind++)
		free(space->sports_before[kind]);
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

/* Index of the range that holds an address. */
static size_t find_range(const struct atom_ranges *ranges, u128 at)
{
	size_t low = 0, high = ranges->count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (ranges->v[middle].first <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

uint32_t space_atom(const struct space *space, const struct addr *addr)
{
	const struct atom_ranges *ranges = space_ranges(space, addr->family);

	return ranges->v[find_range(ranges, addr->value)].atom;
}

/* --- One packet --------------------------------------------------------------------------------------------------- */

static int read_rows(struct space *space, uint32_t source, uint32_t destination, struct rows *ret_rows)
{
	struct rows rows = { .failsafe = ROW_NONE, .exchanged = ROW_NONE };
	int err = cells_row(space->cells, ZW_MATRIX_POLICY, source, destination, &rows.policy);

	if (!err && space->layout.has_failsafe)
		err = cells_row(space->cells, ZW_MATRIX_FAILSAFE, source, destination, &rows.failsafe);
	if (!err && space->layout.has_failsafe)
		err = cells_row(space->cells, ZW_MATRIX_FAILSAFE, destination, source, &rows.exchanged);
	*ret_rows = rows;
	return err;
}

/* The failsafe entry (a cell) that lets a packet pass as if it went the other way; else a cell that does not allow. */
static uint32_t exchanged_cell(const struct space *space, const struct rows *rows, const struct space_packet *packet)
{
	enum place_kind kind = place_kind(packet->protocol);
	uint16_t port = is_exchanged_by_port(kind) ? packet->sport : packet->port;

	if (kind == PLACE_TCP)
		return 0;
	return cells_cell(space->cells, rows->exchanged, cells_class(space->cells, packet->protocol, port));
}

/* As stage policy, then failsafe over it (bpf/decide.h). */
static enum zw_reason decide_packet(const struct space *space, const struct rows *rows, const struct space_packet *packet,
				    uint32_t *ret_cell)
{
	uint32_t class = cells_class(space->cells, packet->protocol, packet->port);
	uint32_t cell = cells_cell(space->cells, rows->policy, class), failsafe;

	*ret_cell = cell;
	if (cell & ZW_CELL_ALLOW)
		return cell & ZW_CELL_RULE ? ZW_ALLOW_RULE : cell & ZW_CELL_INTRA ? ZW_ALLOW_INTRA_ZONE : ZW_ALLOW_DEFAULT;
	failsafe = cells_cell(space->cells, rows->failsafe, class);
	if (!(failsafe & ZW_CELL_ALLOW))
		failsafe = exchanged_cell(space, rows, packet);
	if (failsafe & ZW_CELL_ALLOW) {
		*ret_cell = failsafe;
		return ZW_ALLOW_FAILSAFE;
	}
	return cell & ZW_CELL_RULE ? ZW_DROP_RULE : ZW_DROP_DEFAULT;
}

static unsigned verdict_of(enum zw_reason reason)
{
	return ZW_REASON_IS_DROP(reason) ? SPACE_DROPPED : SPACE_ALLOWED;
}

void space_decide(struct space *space, const struct space_packet *packet, struct decision *ret_decision)
{
	uint32_t source = space_atom(space, &packet->from), destination = space_atom(space, &packet->to), cell = 0;
	enum zw_reason reason = ZW_DROP_DEFAULT;
	struct rows rows;

	/* Without memory for a row that was not asked for before, as with tables that cannot be read: a drop. */
	if (!read_rows(space, source, destination, &rows))
		reason = decide_packet(space, &rows, packet, &cell);
	*ret_decision = (struct decision){
		.allow = !ZW_REASON_IS_DROP(reason),
		.reason = reason,
		.rule = cell & ZW_CELL_RULE,
		.atom = { source, destination },
	};
}

/* --- All services of a pair of atoms -------------------------------------------------------------------------- */

/* A row's runs, from the first to the last. */
struct cursor {
	const struct cell_run *run, *last;
};

static struct cursor cursor_at(const struct cells *cells, uint32_t row)
{
	size_t count;
	const struct cell_run *runs = cells_runs(cells, row, &count);

	return (struct cursor){ runs, runs + count - 1 };
}

/* Where the cursor's run ends, at most at `end`. */
static uint32_t run_end(const struct cursor *cursor, uint32_t end)
{
	return cursor->run < cursor->last && cursor->run[1].first < end ? cursor->run[1].first : end;
}

static void move_to(struct cursor *cursor, uint32_t class)
{
	if (cursor->run < cursor->last && cursor->run[1].first <= class)
		cursor->run++;
}

static bool allows(const struct cursor *cursor)
{
	return cursor->run->value & ZW_CELL_ALLOW;
}

/* What a row makes of the classes in a set. */
static unsigned verdicts_of_row(const struct cells *cells, uint32_t row, const uint32_t *before)
{
	struct cursor cursor = cursor_at(cells, row);
	uint32_t classes = cells_class_count(cells), class = 0, end;
	unsigned found = 0;

	for (; class < classes; class = end, move_to(&cursor, class)) {
		end = run_end(&cursor, classes);
		if (before[end] != before[class])
			found |= allows(&cursor) ? SPACE_ALLOWED : SPACE_DROPPED;
	}
	return found;
}

/* What source ports make of a packet that only failsafe, with ends exchanged, could let pass. */
static void judge_sports(const struct asked *q, struct rows *rows)
{
	const struct cells *cells = q->space->cells;

	for (int kind = 0; kind < PLACE_KINDS; kind++) {
		if (!is_exchanged_by_port(kind))
			continue;
		if (!q->origin.unspecified)
			rows->sports[kind] = verdicts_of_row(cells, rows->exchanged, q->space->sports_before[kind]);
		else
			rows->sports[kind] = cells_cell(cells, rows->exchanged, cells_class(cells, IPPROTO_UDP, DHCP_CLIENT)) &
							     ZW_CELL_ALLOW ?
						     SPACE_ALLOWED :
						     SPACE_DROPPED;
	}
}

/* Places of a kind, in classes for which each row has one cell: policy's and failsafe's do not allow them. */
static unsigned exchanged_verdict(const struct rows *rows, int kind, const struct cursor *exchanged)
{
	if (kind == PLACE_TCP)
		return SPACE_DROPPED;
	if (is_exchanged_by_port(kind))
		return rows->sports[kind];
	return allows(exchanged) ? SPACE_ALLOWED : SPACE_DROPPED;
}

/* All services of the region, for these rows. */
static unsigned verdicts_of_rows(const struct asked *q, struct rows *rows)
{
	const struct cells *cells = q->space->cells;
	struct cursor policy = cursor_at(cells, rows->policy), failsafe = cursor_at(cells, rows->failsafe),
		      exchanged = cursor_at(cells, rows->exchanged);
	uint32_t classes = cells_class_count(cells), class = 0, end;
	unsigned found = 0;

	judge_sports(q, rows);
	while (class < classes) {
		end = run_end(&exchanged, run_end(&failsafe, run_end(&policy, classes)));
		for (int kind = 0; kind < PLACE_KINDS; kind++)
			if (holds_class(q->before, kind, class, end))
				found |= allows(&policy) || allows(&failsafe) ? SPACE_ALLOWED :
										exchanged_verdict(rows, kind, &exchanged);
		class = end;
		move_to(&policy, class);
		move_to(&failsafe, class);
		move_to(&exchanged, class);
	}
	return found;
}

/* The same, each policy row once where failsafe has no say: nearly everywhere. 0 or -ENOMEM. */
static int verdicts(struct asked *q, struct rows *rows, unsigned *ret_found)
{
	const struct cells *cells = q->space->cells;

	if (cells_row_allows(cells, rows->failsafe) || cells_row_allows(cells, rows->exchanged)) {
		*ret_found = verdicts_of_rows(q, rows);
		return 0;
	}
	for (; q->memo_count <= rows->policy; q->memo_count++) {
		if (array_grow(&q->memo, q->memo_count, sizeof(*q->memo)))
			return -ENOMEM;
		q->memo[q->memo_count] = 0;
	}
	if (!q->memo[rows->policy]) {
		struct rows alone = { .policy = rows->policy };

		q->memo[rows->policy] = KNOWN | verdicts_of_rows(q, &alone);
	}
	*ret_found = q->memo[rows->policy] & ~KNOWN;
	return 0;
}

/* --- A packet to show ------------------------------------------------------------------------------------------- */

struct pick {
	const struct asked *question;
	const struct rows *rows;
	unsigned wanted; /* SPACE_ALLOWED or SPACE_DROPPED */
	struct space_packet *packet; /* its addresses are set */
};

static bool is_wanted(const struct pick *pick)
{
	uint32_t cell;

	return verdict_of(decide_packet(pick->question->space, pick->rows, pick->packet, &cell)) == pick->wanted;
}

/* Is there a source port with which the packet gets the verdict? A plain one, else the first. */
static bool pick_sport(const struct pick *pick)
{
	size_t count;
	const struct cell_run *run = cells_ports(pick->question->space->cells, pick->packet->protocol, &count);

	pick->packet->sport = pick->question->origin.unspecified ? DHCP_CLIENT : PLAIN_SPORT;
	if (is_wanted(pick))
		return true;
	if (pick->question->origin.unspecified || !is_exchanged_by_port(place_kind(pick->packet->protocol)))
		return false;
	for (size_t i = 0; i < count; i++) {
		pick->packet->sport = run[i].first;
		if (is_wanted(pick))
			return true;
	}
	return false;
}

/* A visitor: stops at the first places with the verdict. Port 0 is a port, but none that people would try. */
static bool pick_place(void *context, uint8_t protocol, uint16_t first, uint16_t last, uint32_t class)
{
	const struct pick *pick = context;

	(void)class;
	pick->packet->protocol = protocol;
	pick->packet->port = !first && last && place_kind(protocol) != PLACE_OTHER ? 1 : first;
	return !pick_sport(pick);
}

/* Ports that everybody knows, and that stand for the region if they are in it. */
static const struct {
	uint8_t protocol;
	uint16_t port;
} well_known[] = {
	{ IPPROTO_TCP, 443 }, { IPPROTO_TCP, 80 },	   { IPPROTO_TCP, 22 },
	{ IPPROTO_UDP, 53 },  { IPPROTO_ICMP, 8 << 8 }, { IPPROTO_ICMPV6, 128 << 8 },
};

static void pick_packet(const struct pick *pick)
{
	const struct asked *q = pick->question;

	for (size_t i = 0; i < ARRAY_LEN(well_known); i++)
		if (places_hold(q->region->service, &q->origin, well_known[i].protocol, well_known[i].port) &&
		    !pick_place((void *)pick, well_known[i].protocol, well_known[i].port, well_known[i].port, 0))
			return;
	places_walk(q->space->cells, q->region->service, &q->origin, pick_place, (void *)pick);
}

static void show(const struct asked *q, const struct rows *rows, const struct end *from, const struct end *to,
		 unsigned wanted)
{
	struct space_packet *packet = wanted == SPACE_ALLOWED ? &q->answer->allowed : &q->answer->dropped;
	const struct pick pick = { q, rows, wanted, packet };

	*packet = (struct space_packet){ .from = from->addr, .to = to->addr };
	if (from->addr.value == to->addr.value && to->addr.value < to->last)
		packet->to.value++; /* few hosts talk to themselves */
	pick_packet(&pick);
	if (place_kind(packet->protocol) == PLACE_OTHER)
		packet->sport = 0;
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
		for (size_t r = find_range(ranges, set[i].first); r < ranges->count && ranges->v[r].first <= set[i].last; r++) {
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

static int find_ends(struct space *space, enum side side, int family, const struct ranges *set, struct ends *ends)
{
	if (family == 4)
		return add_ends(space, side, 4, set->v4, set->v4_count, ends);
	return add_ends(space, side, 6, set->v6, set->v6_count, ends);
}

/* The unspecified address, if the set has it. */
static int find_unspecified(struct space *space, int family, const struct ranges *set, struct ends *ends)
{
	const struct addr addr = { .family = family };
	const struct range only = { 0, 0 };

	return ranges_contain(set, &addr) ? add_ends(space, SIDE_SOURCE, family, &only, 1, ends) : 0;
}

static int ask_pair(struct asked *q, const struct end *from, const struct end *to)
{
	struct rows rows;
	unsigned found;
	int err = read_rows(q->space, from->atom, to->atom, &rows);

	if (!err)
		err = verdicts(q, &rows, &found);
	if (err)
		return err;
	found &= q->wanted & ~q->answer->found;
	if (found & SPACE_ALLOWED)
		show(q, &rows, from, to, SPACE_ALLOWED);
	if (found & SPACE_DROPPED)
		show(q, &rows, from, to, SPACE_DROPPED);
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

	if (!err && q->space->layout.has_failsafe)
		err = cells_read_all(cells, ZW_MATRIX_FAILSAFE);
	*ret_could = false;
	for (uint32_t row = ROW_NONE + 1; row < cells_row_count(cells) && !err && !*ret_could; row++) {
		bool is_policy = cells_row_matrix(cells, row) == ZW_MATRIX_POLICY;
		struct rows rows = { .policy = is_policy ? row : ROW_NONE };
		unsigned found;

		if (!is_policy)
			rows.failsafe = rows.exchanged = row;
		err = verdicts(q, &rows, &found);
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
	bool some = false;
	int err;

	space->questions++;
	err = q->origin.unspecified ? find_unspecified(space, q->origin.family, q->region->source, &from) :
				      find_ends(space, SIDE_SOURCE, q->origin.family, &sets->source, &from);
	if (!err && from.count)
		err = find_ends(space, SIDE_DESTINATION, q->origin.family, &sets->destination, &to);
	if (!err && to.count)
		err = find_classes(space->cells, q->region->service, &q->origin, q->before, &some);
	if (!err && some) {
		q->answer->is_empty = false;
		err = ask_pairs(q, &from, &to);
	}
	for (int kind = 0; kind < PLACE_KINDS; kind++)
		free(q->before[kind]);
	free(q->memo);
	free(from.v);
	free(to.v);
	return err;
}

int space_ask(struct space *space, const struct region *region, unsigned wanted, struct space_answer *ret_answer)
{
	/* Packets from the unspecified address are the least plain ones. */
	static const struct origin origins[] = { { 4, false }, { 6, false }, { 4, true }, { 6, true } };
	struct space_answer answer = { .is_empty = true };
	struct sets sets = { 0 };
	int err = places_sources(region->source, &sets.source);

	if (!err)
		err = places_destinations(region->destination, &sets.destination);
	for (size_t i = 0; i < ARRAY_LEN(origins) && !err && (answer.is_empty || answer.found != wanted); i++) {
		struct asked question = {
			.space = space,
			.region = region,
			.origin = origins[i],
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
