// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "compile/address.h"
#include "compile/analyse.h"
#include "compile/limits.h"
#include "compile/matrix.h"
#include "compile/names.h"
#include "compile/origins.h"
#include "compile/tables.h"

/* Design 4.9; rules have ZW_RULES_MAX. */
#define ZONES_MAX 16384
#define PREFIXES_MAX 4000000

/* A policy matrix of up to this many bytes is a plain array: one read less, and it stays in the cache. */
#define DENSE_BYTES ((uint64_t)16 << 20)

/* Everything a compilation holds. */
struct compiler {
	const struct policy *policy;
	struct diag *diag;
	uint64_t dense_bytes;
	uint32_t *order;
	struct services services;
	struct entries entries[ZW_MATRICES];
	struct atoms atoms;
	struct origins origins;
	struct matrix matrix[ZW_MATRICES];
	struct rows rows[ZW_MATRICES];
	struct lines lines;
	struct matrix_trouble costly; /* of the policy matrix */
	struct zw_layout layout;
	struct tables_stats stats;
	struct analysis *analysis;
};

static size_t range_count(const struct zone *zone)
{
	return zone->set.v4_count + zone->set.v6_count;
}

static const struct zone *largest_zone(const struct policy *policy)
{
	const struct zone *largest = NULL;

	for (size_t i = ZONE_INDEX_FIRST_DECLARED; i < policy->zone_count; i++)
		if (!largest || range_count(&policy->zones[i]) > range_count(largest))
			largest = &policy->zones[i];
	return largest;
}

/* Limits on what is written. All that are exceeded are told. */
static int check_limits(const struct policy *policy, struct diag *diag)
{
	size_t rules = policy->rules.count + policy->failsafe.count, zones = 0, prefixes = 0, limits = limits_count(policy);
	const struct zone *largest = largest_zone(policy);
	int err = 0;

	for (size_t i = ZONE_INDEX_FIRST_DECLARED; i < policy->zone_count; i++) {
		zones += policy->zones[i].kind == ZONE_DECLARED;
		if (!policy->zones[i].is_union)
			prefixes += range_count(&policy->zones[i]);
	}
	if (rules > ZW_RULES_MAX) {
		diag_error(diag, NULL, NULL, "%zu rules are more than the %u that are possible", rules,
			   ZW_RULES_MAX);
		err = -EINVAL;
	}
	if (zones > ZONES_MAX) {
		diag_error(diag, NULL, NULL, "%zu zones are more than the %u that are possible", zones,
			   ZONES_MAX);
		err = -EINVAL;
	}
	if (limits > ZW_LIMITED_RULES_MAX) {
		diag_error(diag, NULL, "let rules share: several ends and services in one rule have one limit",
			   "%zu rules have a limit; %u are possible", limits, ZW_LIMITED_RULES_MAX);
		err = -EINVAL;
	}
	if (prefixes > PREFIXES_MAX) {
		diag_error(diag, &largest->place, NULL,
			   "%zu address ranges are more than the %u that are possible; most are in zone '%s' "
			   "(%zu)",
			   prefixes, PREFIXES_MAX, largest->name, range_count(largest));
		err = -EINVAL;
	}
	return err;
}

static size_t budget_lines(const struct compile_options *options)
{
	uint64_t bytes = options ? options->budget_bytes : 0;

	if (!bytes) {
		long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

		bytes = pages > 0 && page > 0 ? (uint64_t)pages * page / 4 : ZW_TABLES_MAX;
	}
	if (bytes > ZW_TABLES_MAX)
		bytes = ZW_TABLES_MAX;
	return bytes / sizeof(struct zw_line);
}

/* What was added since the last part was closed is this part's. */
static void close_part(struct compiler *c, enum tables_part part)
{
	size_t total = 0;

	for (int i = 0; i < TABLES_PARTS; i++)
		total += c->stats.lines[i];
	c->stats.lines[part] += c->lines.all.count - total;
}

/* Over budget while `part` grew: names the part that is largest by now. */
static int over_budget(struct compiler *c, enum tables_part part, const struct matrix_trouble *trouble)
{
	static const char *const name[TABLES_PARTS] = { "addresses", "IPv6 addresses", "sets of zones", "sources of interfaces",
							"ports", "pairs of zones and their rows", "limits of rules",
							"rules that end or are staged" };
	size_t budget = c->lines.budget * sizeof(struct zw_line) >> 10;
	const char *fix = budget < ZW_TABLES_MAX >> 10 ? "allow more with --budget, up to 512M" : NULL;
	const struct zone *zone = largest_zone(c->policy);
	enum tables_part largest = part;

	close_part(c, part);
	for (int i = 0; i < TABLES_PARTS; i++)
		if (c->stats.lines[i] > c->stats.lines[largest])
			largest = i;
	if ((largest == TABLES_PAIRS || part == TABLES_PAIRS) && trouble && trouble->rule)
		diag_error(c->diag, &trouble->rule->place, fix,
			   "the tables need more than their budget of %zu KiB; %s cost most, and rule '%s' "
			   "most of these "
			   "(%" PRIu64 " source classes x %" PRIu64 " destination classes)",
			   budget, name[TABLES_PAIRS], trouble->rule->id, trouble->rule_sources,
			   trouble->rule_destinations);
	else if (zone && largest != TABLES_PORTS && largest != TABLES_ORIGINS)
		diag_error(c->diag, &zone->place, fix,
			   "the tables need more than their budget of %zu KiB; %s cost most, and zone '%s' "
			   "has most of them "
			   "(%zu ranges)",
			   budget, name[largest], zone->name, range_count(zone));
	else
		diag_error(c->diag, NULL, fix,
			   "the tables need more than their budget of %zu KiB; %s cost most", budget,
			   name[largest]);
	return -EINVAL;
}

static int too_many_pairs(struct compiler *c, enum zw_matrix_id id, const struct matrix_trouble *trouble)
{
	if (id == ZW_MATRIX_FAILSAFE)
		diag_error(c->diag, NULL, "use fewer different zones and addresses in failsafe",
			   "the failsafe entries tell %" PRIu64 " pairs of address classes apart; %" PRIu64
			   " are possible",
			   trouble->pairs, (uint64_t)DEFAULT_ROWS_MAX);
	else if (trouble->defaults)
		diag_error(c->diag, NULL, "give zones that many rules with 'any' name the same rules",
			   "rules with 'any' on one side tell %" PRIu64
			   " pairs of address groups apart; %" PRIu64 " are possible",
			   trouble->pairs, (uint64_t)DEFAULT_ROWS_MAX);
	else
		diag_error(c->diag, trouble->rule ? &trouble->rule->place : NULL,
			   "make zones overlap less: each different overlap is a class of its own",
			   "the rules name %" PRIu64 " pairs of address classes, more than the %" PRIu64
			   " that are possible; rule '%s' names %" PRIu64 " x %" PRIu64,
			   trouble->pairs, (uint64_t)NAMED_PAIRS_MAX,
			   trouble->rule ? trouble->rule->id : "intra-zone", trouble->rule_sources,
			   trouble->rule_destinations);
	return -EINVAL;
}

/* What rules say: entries, and the port classes of all their services. */
static int read_rules(struct compiler *c)
{
	int err = rules_order(c->policy, &c->order);

	if (!err)
		err = entries_of_rules(c->policy, c->order, &c->services, &c->entries[ZW_MATRIX_POLICY]);
	if (!err)
		err = entries_of_failsafe(c->policy, &c->services, &c->entries[ZW_MATRIX_FAILSAFE]);
	if (!err)
		err = services_cut(&c->services);
	if (err == -E2BIG) {
		diag_error(c->diag, NULL, "use fewer different ports and ranges",
			   "the services of the rules tell more than %u groups of ports apart",
			   PORT_CLASSES_MAX);
		return -EINVAL;
	}
	return err;
}

static void mark_used(const struct entries *entries, bool *used)
{
	for (size_t i = 0; i < entries->all.count; i++) {
		const struct rule *rule = entries->all.v[i].rule;

		for (size_t j = 0; rule && j < rule->from.count; j++)
			used[rule->from.zone[j]] = true;
		for (size_t j = 0; rule && j < rule->to.count; j++)
			used[rule->to.zone[j]] = true;
	}
}

static void mark_sources(const struct policy *policy, bool *used)
{
	for (size_t i = 0; i < policy->interface_count; i++)
		if (policy->interfaces[i].has_source)
			used[policy->interfaces[i].source] = true;
}

static int cut_addresses(struct compiler *c)
{
	bool *used = calloc(c->policy->zone_count, sizeof(*used));
	int err = -ENOMEM;

	if (!used)
		return err;
	for (int m = 0; m < ZW_MATRICES; m++)
		mark_used(&c->entries[m], used);
	mark_sources(c->policy, used);
	err = atoms_build(c->policy, used, &c->atoms);
	free(used);
	if (err == -E2BIG) {
		const struct zone *zone = largest_zone(c->policy);

		diag_error(c->diag, &zone->place, "make zones overlap less",
			   "zones overlap in too many different ways; zone '%s' has most ranges (%zu)",
			   zone->name, range_count(zone));
		return -EINVAL;
	}
	for (int m = 0; m < ZW_MATRICES && !err; m++)
		for (int side = 0; side < 2 && !err; side++)
			err = side_classify(&c->entries[m].side[side], side, &c->atoms, c->policy->zone_count);
	return err ? err : origins_find(c->policy, &c->atoms, &c->origins);
}

static int write_family(struct compiler *c, int family)
{
	enum tables_part part = family == 4 ? TABLES_ADDRESSES4 : TABLES_ADDRESSES6;
	int err = address_build(&c->lines, family, family == 4 ? &c->atoms.v4 : &c->atoms.v6,
				family == 4 ? &c->layout.root4 : &c->layout.root6,
				family == 4 ? &c->stats.reads4 : &c->stats.reads6);

	if (err == -E2BIG)
		return over_budget(c, part, NULL);
	if (!err && family == 6) { /* each reads a line or two; the first one is the root's */
		c->layout.steps6 = c->stats.reads6 - 1;
		if (c->layout.steps6 > ZW_STEPS6_MAX)
			c->layout.steps6 = ZW_STEPS6_MAX;
	}
	close_part(c, part);
	return err;
}

/* Over budget with the origins: they are named if they cost more than any part so far, else that part is. */
static int too_many_origins(struct compiler *c)
{
	size_t classes = sets_count(&c->origins.classes), lines = origins_bytes(&c->origins) / sizeof(struct zw_line);

	for (int i = 0; i < TABLES_PARTS; i++)
		if (c->stats.lines[i] > lines)
			return over_budget(c, TABLES_ORIGINS, NULL);
	diag_error(c->diag, NULL, "let interfaces share zones as their source",
		   "the tables need more than their budget of %zu KiB; sources of interfaces cost most "
		   "(%" PRIu32 " sources x %zu kinds of addresses that they tell apart)",
		   c->lines.budget * sizeof(struct zw_line) >> 10, c->origins.set_count, classes);
	return -EINVAL;
}

static int write_origins(struct compiler *c)
{
	int err = origins_write(&c->origins, &c->lines, &c->layout);

	if (err == -E2BIG)
		return too_many_origins(c);
	close_part(c, TABLES_ORIGINS);
	return err;
}

static int write_ports(struct compiler *c)
{
	int err = services_write(&c->services, &c->lines, &c->layout);

	if (err == -E2BIG)
		return over_budget(c, TABLES_PORTS, NULL);
	close_part(c, TABLES_PORTS);
	return err;
}

static int too_many_variants(struct compiler *c)
{
	const struct variants *variants = &c->rows[ZW_MATRIX_POLICY].variants;
	const struct rule *rule = variants->costly;

	if (sets_count(&variants->all) > ZW_VARIANTS_MAX) {
		diag_error(c->diag, &rule->place, "let rules end together, or take away those that have ended",
			   "rules that end or are staged tell more than %u decisions apart; rule '%s' is one of them",
			   ZW_VARIANTS_MAX, rule->id);
		return -EINVAL;
	}
	diag_error(c->diag, &rule->place, "let rules end together, or take away those that have ended",
		   "rule '%s' is one of more than %u that end one after the other for the same packets", rule->id,
		   ZW_VARIANTS_CHAIN - 1);
	return -EINVAL;
}

static int write_matrix(struct compiler *c, enum zw_matrix_id id)
{
	struct matrix_trouble trouble;
	struct matrix *matrix = &c->matrix[id];
	/* The failsafe matrix is dense whatever its size (zonewall.h). */
	uint64_t dense_bytes = id == ZW_MATRIX_FAILSAFE ? UINT64_MAX : c->dense_bytes;
	int err = matrix_build(matrix, &c->entries[id], &c->services, dense_bytes, &c->rows[id], &c->lines,
			       &trouble);

	if (err == -E2BIG && trouble.pairs)
		return too_many_pairs(c, id, &trouble);
	if (err == -ERANGE)
		return too_many_variants(c);
	if (!err)
		err = matrix_write(matrix, &c->lines, &c->layout.matrix[id]);
	if (err == -E2BIG)
		return over_budget(c, TABLES_PAIRS, &trouble);
	close_part(c, TABLES_PAIRS);
	c->stats.row_reads[id] = rows_reads(&c->rows[id]);
	if (id == ZW_MATRIX_POLICY)
		c->costly = trouble;
	return err;
}

/* Who may come in whatever else is decided. An entry from anywhere guards nobody: nothing could be blocked then. */
static int find_guarded(const struct policy *policy, struct ranges *ret_guarded)
{
	int err = 0;

	for (size_t i = 0; i < policy->failsafe.count; i++) {
		const struct zone_list *from = &policy->failsafe.v[i].from;
		bool anywhere = false;

		for (size_t j = 0; j < from->count; j++)
			anywhere |= from->zone[j] == ZONE_INDEX_ANY;
		for (size_t j = 0; j < from->count && !anywhere && !err; j++)
			err = ranges_add_all(ret_guarded, &policy->zones[from->zone[j]].set);
	}
	return err ? err : ranges_normalise(ret_guarded);
}

static int write_limits(struct compiler *c)
{
	struct ranges spared = { 0 };
	int err = limits_ban(c->policy) ? find_guarded(c->policy, &spared) : 0;

	if (!err)
		err = limits_write(c->policy, c->order, &spared, &c->lines, &c->layout);
	ranges_clear(&spared);
	if (err == -E2BIG)
		return over_budget(c, TABLES_LIMITS, NULL);
	close_part(c, TABLES_LIMITS);
	return err;
}

static int write_terms(struct compiler *c)
{
	int err = variants_write(&c->rows[ZW_MATRIX_POLICY].variants, &c->entries[ZW_MATRIX_POLICY], &c->lines, &c->layout);

	if (err == -E2BIG)
		return over_budget(c, TABLES_TERMS, NULL);
	close_part(c, TABLES_TERMS);
	return err;
}

/* After the matrices: an atom names its classes in both. */
static int write_atoms(struct compiler *c)
{
	const struct matrix *policy = &c->matrix[ZW_MATRIX_POLICY];
	size_t count = atoms_count(&c->atoms), n;
	int err = lines_add_bytes(&c->lines, count * sizeof(struct zw_atom), &c->layout.atoms);

	if (err == -E2BIG)
		return over_budget(c, TABLES_ATOMS, NULL);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++) {
		struct zw_atom *atom = (struct zw_atom *)lines_at(&c->lines, c->layout.atoms) + i;
		const uint32_t *zone = sets_get(&c->atoms.zones, i, &n);

		for (int m = 0; m < ZW_MATRICES; m++) {
			atom->classes[m].source = c->entries[m].side[0].class_of[i];
			atom->classes[m].destination = c->entries[m].side[1].class_of[i];
		}
		atom->group[0] = policy->group_of[0][atom->classes[ZW_MATRIX_POLICY].source];
		atom->group[1] = policy->group_of[1][atom->classes[ZW_MATRIX_POLICY].destination];
		if (n && zone[0] == ZONE_INDEX_HOST)
			atom->flags |= ZW_ATOM_HOST;
		atom->origin = c->origins.class_of ? c->origins.class_of[i] : 0;
	}
	c->layout.atom_count = count;
	close_part(c, TABLES_ATOMS);
	return 0;
}

static void fill_layout(struct compiler *c)
{
	const struct policy *policy = c->policy;
	struct zw_layout *layout = &c->layout;

	layout->lines = c->lines.all.count;
	layout->rule_count = policy->rules.count + policy->failsafe.count;
	layout->log_drops = policy->log != LOG_NOTHING;
	layout->allow_non_ip = policy->allow_non_ip;
	layout->tcp_strict = policy->tcp_strict;
	layout->has_failsafe = policy->failsafe.count != 0;
	for (size_t i = 0; i < policy->rules.count; i++) {
		bool staged = policy->rules.v[i].mode == MODE_STAGE;

		*(staged ? &layout->has_staged_tls : &layout->has_tls) |= policy->rules.v[i].tls_require;
	}
}

/* The declared zone with most ranges, by its place in the names; and the rule that names most pairs, by its number. */
static void find_costly(struct compiler *c)
{
	const struct policy *policy = c->policy;
	uint32_t declared = 0;

	for (size_t i = ZONE_INDEX_FIRST_DECLARED; i < policy->zone_count; i++) {
		const struct zone *zone = &policy->zones[i];

		if (zone->kind != ZONE_DECLARED)
			continue;
		if (range_count(zone) > c->stats.costly_zone_ranges) {
			c->stats.costly_zone = declared;
			c->stats.costly_zone_ranges = range_count(zone);
		}
		declared++;
	}
	for (size_t i = 0; c->costly.rule && i < policy->rules.count && !c->stats.costly_rule; i++)
		if (&policy->rules.v[c->order[i]] == c->costly.rule)
			c->stats.costly_rule = i + 1;
	c->stats.costly_rule_sources = c->costly.rule_sources;
	c->stats.costly_rule_destinations = c->costly.rule_destinations;
}

static void fill_stats(struct compiler *c)
{
	const struct entries *entries = &c->entries[ZW_MATRIX_POLICY];

	find_costly(c);
	c->stats.atoms = atoms_count(&c->atoms);
	c->stats.source_classes = sets_count(&entries->side[0].classes);
	c->stats.destination_classes = sets_count(&entries->side[1].classes);
	c->stats.port_classes = services_classes(&c->services);
	c->stats.rows = sets_count(&c->rows[ZW_MATRIX_POLICY].runs);
	c->stats.pairs = c->layout.matrix[ZW_MATRIX_POLICY].pair_count;
	c->stats.sparse = c->layout.matrix[ZW_MATRIX_POLICY].pair_buckets != 0;
}

static int build(struct compiler *c, const struct compile_options *options)
{
	int err = check_limits(c->policy, c->diag);

	if (!err)
		err = read_rules(c);
	if (!err)
		err = cut_addresses(c);
	if (!err)
		err = write_family(c, 4);
	if (!err)
		err = write_family(c, 6);
	if (!err)
		err = write_origins(c);
	if (!err)
		err = write_ports(c);
	for (int m = 0; m < ZW_MATRICES && !err; m++)
		err = write_matrix(c, m);
	if (!err)
		err = write_limits(c);
	if (!err)
		err = write_terms(c);
	if (!err)
		err = write_atoms(c);
	if (!err && options && options->analyse)
		err = analyse(c->policy, &c->matrix[ZW_MATRIX_POLICY], &c->analysis);
	if (err)
		return err;
	if (c->analysis)
		analysis_warn(c->analysis, c->diag);
	fill_layout(c);
	fill_stats(c);
	return 0;
}

/*
 * The lines where they are, less the room that was not needed: a copy of the largest tables would take as much again, in time and
 * in memory. They only move up to where a cache line begins, for which there is room behind them.
 */
static int take_lines(struct lines *lines, struct tables *tables)
{
	int err = array_reserve(&lines->all, 1);
	void *shrunk, *aligned;

	if (err)
		return err;
	tables->len = lines->all.count * sizeof(struct zw_line);
	shrunk = realloc(lines->all.v, tables->len + sizeof(struct zw_line));
	tables->memory = shrunk ? shrunk : lines->all.v;
	lines->all.v = NULL;
	aligned = (char *)tables->memory + (-(uintptr_t)tables->memory & (sizeof(struct zw_line) - 1));
	tables->bytes = memmove(aligned, tables->memory, tables->len);
	return 0;
}

static int hand_over(struct compiler *c, struct tables **ret_tables)
{
	struct tables *tables = calloc(1, sizeof(*tables));
	int err = tables ? take_lines(&c->lines, tables) : -ENOMEM;

	if (!err) {
		tables->layout = c->layout;
		tables->stats = c->stats;
		tables->analysis = take_ptr(c->analysis);
		err = find_guarded(c->policy, &tables->guarded);
	}
	if (!err)
		err = names_make(c->policy, c->order, &c->atoms, &c->origins, c->diag, &tables->names);
	if (err) {
		tables_free(tables);
		return err;
	}
	*ret_tables = tables;
	return 0;
}

static void compiler_clear(struct compiler *c)
{
	free(c->order);
	analysis_free(c->analysis);
	services_clear(&c->services);
	atoms_clear(&c->atoms);
	origins_clear(&c->origins);
	array_free(&c->lines.all);
	for (int m = 0; m < ZW_MATRICES; m++) {
		entries_clear(&c->entries[m]);
		matrix_clear(&c->matrix[m]);
		rows_clear(&c->rows[m]);
	}
}

int compile_policy(const struct policy *policy, const struct compile_options *options, struct diag *diag,
		   struct tables **ret_tables)
{
	struct compiler c = {
		.policy = policy,
		.diag = diag,
		.lines.budget = budget_lines(options),
		.dense_bytes = options && options->dense_bytes ? options->dense_bytes : DENSE_BYTES,
	};
	int err = build(&c, options);

	if (!err)
		err = hand_over(&c, ret_tables);
	compiler_clear(&c);
	return err;
}

void tables_free(struct tables *tables)
{
	if (!tables)
		return;
	free(tables->memory);
	names_free(tables->names);
	ranges_clear(&tables->guarded);
	analysis_free(tables->analysis);
	free(tables);
}
