// SPDX-License-Identifier: GPL-2.0-only
#include "compile/analyse.h"

static int count_ports(struct analyser *a)
{
	size_t classes = services_classes(a->m->services);
	uint8_t *origins = calloc(classes + 1, 1);
	int err = origins ? 0 : -ENOMEM;

	if (!err)
		services_origins(a->m->services, origins);
	for (int i = 0; i < ORIGINS && !err; i++) {
		a->before[i] = calloc(classes + 1, sizeof(**a->before));
		if (!a->before[i])
			err = -ENOMEM;
		for (size_t c = 0; c < classes && !err; c++)
			a->before[i][c + 1] = a->before[i][c] + (origins[c] >> i & 1);
	}
	free(origins);
	return err;
}

static int find_end_origins(struct analyser *a, int number)
{
	const struct side *side = &a->m->entries->side[number];

	a->origins[number] = calloc(sets_count(&side->ends) + 1, 1);
	if (!a->origins[number])
		return -ENOMEM;
	for (size_t c = 0; c < sets_count(&side->classes); c++) {
		size_t ends;
		const uint32_t *end = sets_get(&side->classes, c, &ends);

		a->any_origins[number] |= side->origins[c];
		for (size_t i = 0; i < ends; i++)
			a->origins[number][end[i]] |= side->origins[c];
	}
	return 0;
}

bool analyser_has_packets(const struct analyser *a, unsigned origins, uint32_t first, uint32_t end)
{
	for (int i = 0; i < ORIGINS; i++)
		if (origins >> i & 1 && a->before[i][first] != a->before[i][end])
			return true;
	return false;
}

/* Of which origins packets go from one end of the entry to the other. */
static unsigned origins_between(const struct analyser *a, uint32_t entry)
{
	unsigned origins = ~0u;

	for (int side = 0; side < 2; side++) {
		uint32_t end = entry_at(a, entry)->end[side];

		origins &= end == END_ANY ? a->any_origins[side] : a->origins[side][end];
	}
	return origins;
}

/* Is there a packet that the entry matches? */
static bool can_match(const struct analyser *a, uint32_t entry)
{
	unsigned origins = origins_between(a, entry);
	size_t runs;
	const struct class_run *run = services_runs(a->m->services, entry_at(a, entry)->service, &runs);

	for (size_t i = 0; i < runs; i++)
		if (analyser_has_packets(a, origins, run[i].first, run[i].last + 1))
			return true;
	return false;
}

static bool is_known(const struct analyser *a, uint32_t entry)
{
	return !unknown_names(a, entry);
}

static bool is_needed(const struct analyser *a, uint32_t entry)
{
	return is_known(a, entry) && (a->finding[entry].decides || !entry_at(a, entry)->rule);
}

static int keep_entries(struct analyser *a, bool (*keep)(const struct analyser *a, uint32_t entry))
{
	int err;

	a->list.count = 0;
	err = array_reserve(&a->list, a->entries.entry.count);
	for (size_t i = 0; i < a->entries.entry.count && !err; i++)
		if (keep(a, a->entries.entry.v[i]))
			a->list.v[a->list.count++] = a->entries.entry.v[i];
	return err;
}

/* Calls step for each case that has packets, with the entries that are kept. */
static int each_case(struct analyser *a, bool (*keep)(const struct analyser *a, uint32_t entry), void (*step)(struct analyser *a))
{
	int err = 0;

	for (size_t i = 0; i < sets_count(&a->m->cases) && !err; i++) {
		if (!a->m->origins.v[i])
			continue;
		err = matrix_case(a->m, &a->near, i, &a->entries);
		if (!err)
			err = keep_entries(a, keep);
		if (!err)
			err = judge_fill(a, a->list.v, a->list.count, a->m->origins.v[i]);
		if (!err)
			step(a);
	}
	return err;
}

/* Rules that many others of the same ends and tier hide are in no case: who decides is found in their own combination. */
static int name_hidden(struct analyser *a)
{
	int err = 0;

	for (size_t i = 0; i < sets_count(&a->m->combinations) && !err; i++) {
		size_t count, live;
		const uint32_t *list = lists_get(&a->m->entries_of, i, &count), *first = lists_get(&a->m->live_of, i, &live);

		if (live == count || unknown_names(a, *list))
			continue;
		err = judge_fill(a, first, live, origins_between(a, *list));
		for (size_t j = 0; j < count && !err; j++)
			if (!a->finding[list[j]].decides && !a->finding[list[j]].by.count)
				judge_name_deciders(a, list[j]);
	}
	return err;
}

static int prepare(struct analyser *a)
{
	struct rows rows = { 0 };
	int err = count_ports(a);

	for (int side = 0; side < 2 && !err; side++)
		err = find_end_origins(a, side);
	if (!err)
		err = matrix_live(a->m, &rows, 2, &a->near);
	rows_clear(&rows);
	return err;
}

/*
 * First with all rules. Then without those that decide nothing: what would follow each of the others once they are
 * gone? Of two rules that say the same the later is shadowed, and the earlier is not called redundant as well.
 */
static int find(struct analyser *a)
{
	int err = each_case(a, is_known, judge_deciders);

	a->naming = true;
	if (!err)
		err = each_case(a, is_needed, judge_followers);
	if (!err)
		err = name_hidden(a);
	return err ? err : unknown_doubt(a);
}

static int hand_over(const struct analyser *a, struct analysis **ret_analysis)
{
	struct analysis *analysis = calloc(1, sizeof(*analysis));

	if (analysis)
		analysis->v = calloc(a->m->entries->all.count + 1, sizeof(*analysis->v));
	if (!analysis || !analysis->v) {
		free(analysis);
		return -ENOMEM;
	}
	for (size_t i = 0; i < a->m->entries->all.count; i++) {
		const struct finding *finding = &a->finding[i];
		bool is_judged = is_known(a, i) && can_match(a, i);

		if (entry_at(a, i)->rule && !entry_at(a, i)->staged)
			analysis->v[analysis->count++] = (struct rule_finding){
				.rule = entry_at(a, i)->rule,
				.shadowed = is_judged && !finding->decides,
				.partly = is_judged && finding->decides && finding->loses,
				.redundant = is_judged && finding->decides && !finding->differs,
				.by = finding->by,
				.instead = finding->instead,
			};
	}
	*ret_analysis = analysis;
	return 0;
}

static void analyser_clear(struct analyser *a)
{
	free(a->finding);
	for (int i = 0; i < ORIGINS; i++)
		free(a->before[i]);
	free(a->origins[0]);
	free(a->origins[1]);
	lists_clear(&a->near);
	case_entries_clear(&a->entries);
	pieces_clear(&a->pieces);
	array_free(&a->list);
	array_free(&a->real_before);
	array_free(&a->words);
	array_free(&a->tier);
	array_free(&a->next);
}

int analyse(const struct policy *policy, const struct matrix *matrix, struct analysis **ret_analysis)
{
	struct analyser a = { .policy = policy, .m = matrix };
	int err;

	a.finding = calloc(matrix->entries->all.count + 1, sizeof(*a.finding));
	err = a.finding ? prepare(&a) : -ENOMEM;
	if (!err)
		err = find(&a);
	if (!err)
		err = hand_over(&a, ret_analysis);
	analyser_clear(&a);
	return err;
}
