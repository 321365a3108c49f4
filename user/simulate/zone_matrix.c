// SPDX-License-Identifier: GPL-2.0-only
/*
 * A cell is made of the pairs of atoms of its two zones, each pair of rows once. What the rows say of each port class is
 * noted, for each origin and kind of place apart, since not all of these have packets to every place; then the notes are
 * read place by place.
 */
#include "simulate/zone_matrix.h"

#include <netinet/in.h>

#include "base/util.h"
#include "simulate/pair.h"
#include "simulate/space.h"

/* What becomes of packets: bits of a note. */
enum { NOTE_ALLOWED = 1, NOTE_DROPPED = 2, NOTE_FAILSAFE = 4 };

struct zone_ends {
	struct ends from[ORIGINS], to[2]; /* to: IPv4, IPv6 */
	bool known;
};

struct zone_matrix {
	const struct policy *policy;
	struct space *space;
	struct cells *cells;
	struct place_classes classes[ORIGINS]; /* of all services */
	struct zone_ends *zones;
	uint8_t *notes; /* [origin][kind][class] */
	struct pair_set met; /* those of one origin */
	struct pair *pairs[ORIGINS]; /* of the cell, each once; grow by array_grow */
	size_t pair_count[ORIGINS];
	/* Of each rule, then each reason: the last cell in which it dropped (allowed) something. */
	uint32_t *decided[2];
	uint32_t rule_count, cell_count;
	struct matrix_cell cell;
};

static const struct selector any_selector = { .any_protocol = true, .last = 65535 };
static const struct selectors any_service = { (struct selector *)&any_selector, 1 };

/* --- The object ---------------------------------------------------------------------------------------------------- */

static int make_room(struct zone_matrix *m, const struct tables *tables, int64_t time)
{
	size_t deciders = (size_t)tables->layout.rule_count + 1 + ZW_REASONS;
	int err = space_new(tables->bytes, &tables->layout, time, &m->space);

	if (err)
		return err;
	m->cells = space_cells(m->space);
	m->rule_count = tables->layout.rule_count;
	m->zones = array_new(m->policy->zone_count, sizeof(*m->zones));
	m->notes = array_new((size_t)ORIGINS * PLACE_KINDS * cells_class_count(m->cells),
			     sizeof(*m->notes));
	for (int i = 0; i < 2; i++)
		m->decided[i] = array_new(deciders, sizeof(*m->decided[i]));
	for (int i = 0; i < ORIGINS && !err; i++)
		err = place_classes_find(m->cells, &any_service, &packet_origins[i], &m->classes[i]);
	return m->zones && m->notes && m->decided[0] && m->decided[1] ? err : -ENOMEM;
}

int zone_matrix_new(const struct policy *policy, const struct tables *tables, int64_t time,
		    struct zone_matrix **ret_matrix)
{
	struct zone_matrix *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	m->policy = policy;
	err = make_room(m, tables, time);
	if (err) {
		zone_matrix_free(m);
		return err;
	}
	*ret_matrix = m;
	return 0;
}

static void clear_cell(struct matrix_cell *cell)
{
	for (int way = 0; way < OPEN_WAYS; way++)
		free(cell->open[way].v);
	free(cell->possible.v);
	free(cell->deciders);
	*cell = (struct matrix_cell){ 0 };
}

void zone_matrix_free(struct zone_matrix *m)
{
	if (!m)
		return;
	for (size_t i = 0; m->zones && i < m->policy->zone_count; i++) {
		for (int origin = 0; origin < ORIGINS; origin++)
			free(m->zones[i].from[origin].v);
		free(m->zones[i].to[0].v);
		free(m->zones[i].to[1].v);
	}
	for (int i = 0; i < ORIGINS; i++) {
		place_classes_clear(&m->classes[i]);
		free(m->pairs[i]);
	}
	clear_cell(&m->cell);
	free(m->decided[0]);
	free(m->decided[1]);
	free(m->zones);
	free(m->notes);
	pair_set_clear(&m->met);
	space_free(m->space);
	free(m);
}

/* --- The pairs of a cell ------------------------------------------------------------------------------------------- */

static int find_ends(struct zone_matrix *m, unsigned zone)
{
	const struct ranges *set = &m->policy->zones[zone].set;
	struct zone_ends *ends = &m->zones[zone];
	struct ranges sources = { 0 }, destinations = { 0 };
	int err = ends->known ? 0 : packets_sources(set, &sources);

	if (err || ends->known)
		return err;
	ends->known = true;
	err = packets_destinations(set, &destinations);
	for (int i = 0; i < ORIGINS && !err; i++)
		err = space_sources(m->space, &packet_origins[i],
				    packet_origins[i].unspecified ? set : &sources, &ends->from[i]);
	for (int i = 0; i < 2 && !err; i++)
		err = space_destinations(m->space, i ? 6 : 4, &destinations, &ends->to[i]);
	ranges_clear(&sources);
	ranges_clear(&destinations);
	return err;
}

static int add_pair(struct zone_matrix *m, int origin, uint32_t source, uint32_t destination)
{
	size_t *count = &m->pair_count[origin];
	struct pair pair;
	int err = pair_read(m->cells, source, destination, &pair), new;

	if (err)
		return err;
	new = pair_set_add(&m->met, &pair, 0);
	if (new <= 0)
		return new;
	if (array_grow(&m->pairs[origin], *count, sizeof(pair)))
		return -ENOMEM;
	m->pairs[origin][(*count)++] = pair;
	return 0;
}

static int find_pairs(struct zone_matrix *m, unsigned zone_from, unsigned zone_to)
{
	int err = 0;

	for (int origin = 0; origin < ORIGINS; origin++) {
		const struct ends *from = &m->zones[zone_from].from[origin];
		const struct ends *to = &m->zones[zone_to].to[packet_origins[origin].family == 6];

		pair_set_empty(&m->met);
		m->pair_count[origin] = 0;
		for (size_t i = 0; i < from->count; i++)
			for (size_t j = 0; j < to->count && !err; j++)
				err = add_pair(m, origin, from->v[i].atom, to->v[j].atom);
	}
	return err;
}

/* --- What their rows say ------------------------------------------------------------------------------------------- */

static int note_decider(struct zone_matrix *m, bool allow, enum zw_reason reason, uint32_t cell)
{
	uint32_t rule = cell & ZW_CELL_RULE;
	uint32_t *seen = &m->decided[allow][rule ? rule : m->rule_count + 1 + reason];

	if (*seen == m->cell_count)
		return 0;
	*seen = m->cell_count;
	if (array_grow(&m->cell.deciders, m->cell.decider_count, sizeof(*m->cell.deciders)))
		return -ENOMEM;
	m->cell.deciders[m->cell.decider_count++] = (struct matrix_decider){ allow, reason, rule };
	return 0;
}

static int note_policy(struct zone_matrix *m, uint32_t cell)
{
	return note_decider(m, cell_allows(cell), cell_reason(cell), cell);
}

/* Packets of a kind that only failsafe with their ends exchanged can let pass, by the source ports that the origin has. */
static int judge_sports(struct zone_matrix *m, const struct origin *origin, int kind, uint32_t exchanged,
			unsigned *ret_note)
{
	struct pair_walk walk = row_walk(m->cells, exchanged);
	struct pair_run run;
	uint32_t dhcp;
	int err = 0;

	*ret_note = cells_row_allows(m->cells, exchanged) ? 0 : NOTE_DROPPED;
	if (*ret_note)
		return 0;
	dhcp = cells_class(m->cells, IPPROTO_UDP, DHCP_CLIENT);
	while (!err && pair_next(&walk, &run)) {
		if (origin->unspecified
			    ? dhcp < run.first || dhcp >= run.end
			    : !place_classes_hold(space_sports(m->space), kind, run.first, run.end))
			continue;
		*ret_note |= cell_allows(run.policy) ? NOTE_ALLOWED | NOTE_FAILSAFE : NOTE_DROPPED;
		if (cell_allows(run.policy))
			err = note_decider(m, true, ZW_ALLOW_FAILSAFE, run.policy);
	}
	return err;
}

/* A run's places of a kind. */
static int judge(struct zone_matrix *m, const struct origin *origin, int kind, const struct pair *pair,
		 const struct pair_run *run, unsigned *ret_note)
{
	uint32_t entry = cell_allows(run->failsafe)                   ? run->failsafe
			 : kind == PLACE_TCP || place_has_sport(kind) ? 0
								      : run->exchanged;
	int err = 0;

	*ret_note = NOTE_DROPPED;
	if (cell_allows(run->policy))
		*ret_note = NOTE_ALLOWED;
	else if (cell_allows(entry))
		*ret_note = NOTE_ALLOWED | NOTE_FAILSAFE;
	else if (place_has_sport(kind))
		err = judge_sports(m, origin, kind, pair->exchanged, ret_note);
	if (!err && cell_allows(entry) && !cell_allows(run->policy))
		err = note_decider(m, true, ZW_ALLOW_FAILSAFE, entry);
	else if (!err && (cell_allows(run->policy) || *ret_note & NOTE_DROPPED))
		err = note_policy(m, run->policy);
	return err;
}

/* noting: something may be allowed in this cell, so places will be read. */
static int read_pair(struct zone_matrix *m, int origin, const struct pair *pair, bool noting)
{
	struct pair_walk walk = pair_walk(m->cells, pair);
	uint32_t classes = cells_class_count(m->cells);
	struct pair_run run;
	int err = 0;

	while (pair_next(&walk, &run))
		for (int kind = 0; kind < PLACE_KINDS && !err; kind++) {
			uint8_t *notes = m->notes + (size_t)(origin * PLACE_KINDS + kind) * classes;
			unsigned note;

			if (!place_classes_hold(&m->classes[origin], kind, run.first, run.end))
				continue;
			err = judge(m, &packet_origins[origin], kind, pair, &run, &note);
			for (uint32_t class = run.first; class < run.end && noting && !err; class++)
				notes[class] |= note;
		}
	return err;
}

/* --- Place by place ------------------------------------------------------------------------------------------------ */

static int add_place(struct selectors *places, uint8_t protocol, uint32_t first, uint32_t last)
{
	struct selector *end = places->count ? &places->v[places->count - 1] : NULL;

	if (end && end->protocol == protocol && end->last + 1u == first) {
		end->last = last;
		return 0;
	}
	if (array_grow(&places->v, places->count, sizeof(*places->v)))
		return -ENOMEM;
	places->v[places->count++] = (struct selector){ .protocol = protocol, .first = first, .last = last };
	return 0;
}

/* Ports of one class, for all of which the same origins have packets. */
static unsigned note_of(const struct zone_matrix *m, uint8_t protocol, uint32_t port, uint32_t class)
{
	uint32_t classes = cells_class_count(m->cells);
	unsigned note = 0;

	for (int origin = 0; origin < ORIGINS; origin++)
		if (places_hold(&any_service, &packet_origins[origin], protocol, port))
			note |= m->notes[(size_t)(origin * PLACE_KINDS + place_kind(protocol)) * classes + class];
	return note;
}

static int add_places(struct zone_matrix *m, uint8_t protocol, uint32_t first, uint32_t last, uint32_t class)
{
	struct matrix_cell *cell = &m->cell;
	unsigned note = note_of(m, protocol, first, class);
	unsigned way = (note & NOTE_DROPPED ? OPEN_PARTLY : 0) | (note & NOTE_FAILSAFE ? OPEN_FAILSAFE : 0);

	if (!note)
		return 0;
	cell->all &= !(note & NOTE_DROPPED);
	if (add_place(&cell->possible, protocol, first, last))
		return -ENOMEM;
	return note & NOTE_ALLOWED ? add_place(&cell->open[way], protocol, first, last) : 0;
}

/* From the unspecified address only one port of UDP is reached: runs are cut around it. */
static uint32_t cut(uint8_t protocol, uint32_t first, uint32_t last)
{
	if (protocol != IPPROTO_UDP || first > DHCP_SERVER || last < DHCP_SERVER)
		return last;
	return first == DHCP_SERVER ? DHCP_SERVER : DHCP_SERVER - 1;
}

static int read_protocol(struct zone_matrix *m, uint8_t protocol)
{
	size_t count;
	const struct cell_run *run = cells_ports(m->cells, protocol, &count);
	int err = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t end = i + 1 < count ? run[i + 1].first : 65536;

		for (uint32_t first = run[i].first, last; first < end && !err; first = last + 1) {
			last = cut(protocol, first, end - 1);
			err = add_places(m, protocol, first, last, run[i].value);
		}
	}
	return err;
}

static int compare_deciders(const void *a, const void *b)
{
	const struct matrix_decider *x = a, *y = b;

	if (x->allow != y->allow)
		return x->allow ? -1 : 1;
	if (!x->rule != !y->rule)
		return x->rule ? -1 : 1;
	return x->rule != y->rule ? (x->rule < y->rule ? -1 : 1) : (int)x->reason - (int)y->reason;
}

/* Most cells of most policies allow nothing. */
static bool may_allow(const struct zone_matrix *m)
{
	for (int origin = 0; origin < ORIGINS; origin++)
		for (size_t i = 0; i < m->pair_count[origin]; i++)
			if (cells_row_allows(m->cells, m->pairs[origin][i].policy) ||
			    pair_has_failsafe(m->cells, &m->pairs[origin][i]))
				return true;
	return false;
}

static int read_cell(struct zone_matrix *m)
{
	size_t notes = (size_t)ORIGINS * PLACE_KINDS * cells_class_count(m->cells);
	struct matrix_cell *cell = &m->cell;
	bool noting = may_allow(m);
	int err = 0;

	if (noting)
		memset(m->notes, 0, notes);
	for (int origin = 0; origin < ORIGINS; origin++)
		for (size_t i = 0; i < m->pair_count[origin] && !err; i++)
			err = read_pair(m, origin, &m->pairs[origin][i], noting);
	cell->is_empty = !cell->decider_count;
	if (err || cell->is_empty)
		return err;
	qsort(cell->deciders, cell->decider_count, sizeof(*cell->deciders), compare_deciders);
	cell->all = cell->some = cell->deciders[0].allow;
	for (unsigned protocol = 0; protocol < 256 && cell->some && !err; protocol++)
		err = read_protocol(m, protocol);
	return err;
}

int zone_matrix_cell(struct zone_matrix *m, unsigned from, unsigned to, const struct matrix_cell **ret_cell)
{
	int err = find_ends(m, from);

	clear_cell(&m->cell);
	m->cell_count++;
	if (!err)
		err = find_ends(m, to);
	if (!err)
		err = find_pairs(m, from, to);
	if (!err)
		err = read_cell(m);
	*ret_cell = &m->cell;
	return err;
}
