// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/matrix.h"

#include "base/util.h"
#include "cmd/moment_words.h"
#include "policy/near.h"
#include "simulate/host_use.h"

/* --- Rows and columns ---------------------------------------------------------------------------------------------- */

static int out_of_memory(void)
{
	fprintf(stderr, "zonewall show: out of memory\n");
	return EXIT_FAILED;
}

static bool is_literal(const struct zone *zone)
{
	return zone->kind == ZONE_LITERAL;
}

static int unknown_zone(const struct policy *policy, const char *option, const char *name)
{
	struct near near = near_begin(name);

	for (size_t i = 0; i < policy->zone_count; i++)
		if (!is_literal(&policy->zones[i]))
			near_try(&near, policy->zones[i].name, i);
	fprintf(stderr, "zonewall show: %s: there is no zone '%s'\n", option, name);
	if (near_found(&near))
		fprintf(stderr, "fix: did you mean '%s'?\n", policy->zones[near.best].name);
	return EXIT_USAGE;
}

static int add_zone(unsigned **zones, size_t *count, unsigned zone)
{
	if (array_grow(zones, *count, sizeof(**zones)))
		return out_of_memory();
	(*zones)[(*count)++] = zone;
	return EXIT_DONE;
}

static int add_named(const struct policy *policy, const char *option, const char *names, unsigned **zones,
		     size_t *count)
{
	_cleanup_free_ char *copy = strdup(names);
	int status = copy ? EXIT_DONE : out_of_memory();
	char *save;

	for (char *name = copy ? strtok_r(copy, ",", &save) : NULL; name && !status;
	     name = strtok_r(NULL, ",", &save)) {
		int zone = policy_find_zone(policy, name);

		if (zone < 0 || is_literal(&policy->zones[zone]))
			return unknown_zone(policy, option, name);
		status = add_zone(zones, count, zone);
	}
	if (!status && !*count) {
		fprintf(stderr, "zonewall show: %s needs the name of a zone\n", option);
		return EXIT_USAGE;
	}
	return status;
}

/* Declared zones as they are defined, then host and world. */
static int add_all(const struct policy *policy, unsigned **zones, size_t *count)
{
	static const unsigned last[] = { ZONE_INDEX_HOST, ZONE_INDEX_WORLD };
	int status = EXIT_DONE;

	for (size_t i = ZONE_INDEX_FIRST_DECLARED; i < policy->zone_count && !status; i++)
		if (!is_literal(&policy->zones[i]) && !ranges_empty(&policy->zones[i].set))
			status = add_zone(zones, count, i);
	for (size_t i = 0; i < ARRAY_LEN(last) && !status; i++)
		if (!ranges_empty(&policy->zones[last[i]].set))
			status = add_zone(zones, count, last[i]);
	return status;
}

static int add_zones(const struct policy *policy, const char *option, const char *names, unsigned **zones,
		     size_t *count)
{
	return names ? add_named(policy, option, names, zones, count) : add_all(policy, zones, count);
}

/* --- The view ------------------------------------------------------------------------------------------------------ */

static void note_rules(const struct names *names, const struct rules *rules, const struct rule **by_number)
{
	for (size_t i = 0; i < rules->count; i++)
		by_number[names_find_rule(names, rules->v[i].id)] = &rules->v[i];
	by_number[0] = NULL;
}

int matrix_view_open(const struct policy *policy, const struct tables *tables, int64_t at, const char *from,
		     const char *to, struct matrix_view *ret_view)
{
	struct matrix_view view = { .policy = policy, .tables = tables, .at = at };
	int status = add_zones(policy, "--from", from, &view.from, &view.from_count);

	if (!status)
		status = add_zones(policy, "--to", to, &view.to, &view.to_count);
	view.rules = array_new(names_rule_count(tables->names) + 1, sizeof(*view.rules));
	if (!status && (!view.rules || zone_matrix_new(policy, tables, at, &view.matrix)))
		status = out_of_memory();
	if (status) {
		matrix_view_clear(&view);
		return status;
	}
	note_rules(tables->names, &policy->failsafe, view.rules);
	note_rules(tables->names, &policy->rules, view.rules);
	*ret_view = view;
	return EXIT_DONE;
}

void matrix_view_clear(struct matrix_view *view)
{
	zone_matrix_free(view->matrix);
	free(view->rules);
	free(view->from);
	free(view->to);
	*view = (struct matrix_view){ 0 };
}

/* --- Words --------------------------------------------------------------------------------------------------------- */

int matrix_words(const struct matrix_view *view, size_t row, size_t column, struct matrix_words *ret_words)
{
	struct matrix_words words = { 0 };
	int err = zone_matrix_cell(view->matrix, view->from[row], view->to[column], &words.cell);

	for (unsigned way = 0; way < OPEN_WAYS && !err; way++)
		if (words.cell->open[way].count)
			err = service_words(view->policy, &words.cell->possible, &words.cell->open[way],
					    &words.open[way]);
	if (err)
		matrix_words_clear(&words);
	*ret_words = words;
	return err;
}

void matrix_words_clear(struct matrix_words *words)
{
	for (unsigned way = 0; way < OPEN_WAYS; way++)
		json_object_put(words->open[way]);
	*words = (struct matrix_words){ 0 };
}

const char *matrix_way(unsigned way)
{
	static const char *const ways[OPEN_WAYS] = { "", "partly", "failsafe", "partly, failsafe" };

	return ways[way];
}

size_t matrix_services(const struct json_object *open)
{
	return open ? json_object_array_length(open) : 0;
}

const char *matrix_service(struct json_object *open, size_t index)
{
	return json_object_get_string(json_object_array_get_idx(open, index));
}

const unsigned matrix_ways[OPEN_WAYS] = { 0, OPEN_FAILSAFE, OPEN_PARTLY, OPEN_PARTLY | OPEN_FAILSAFE };

void matrix_put_cell(const struct matrix_words *words, struct buffer *text)
{
	size_t begin = text->len;

	for (int i = 0; i < OPEN_WAYS; i++) {
		struct json_object *open = words->open[matrix_ways[i]];

		for (size_t n = 0; n < matrix_services(open); n++) {
			buffer_put(text, text->len > begin ? ", " : "");
			buffer_put(text, matrix_service(open, n));
			if (matrix_ways[i])
				buffer_printf(text, " (%s)", matrix_way(matrix_ways[i]));
		}
	}
	buffer_put(text, text->len > begin ? "" : "-");
}

const char *matrix_zone(const struct matrix_view *view, unsigned zone)
{
	return view->policy->zones[zone].name;
}

void matrix_put_decider(const struct matrix_view *view, const struct matrix_decider *decider,
			struct buffer *text)
{
	if (!decider->rule) {
		buffer_put(text, decider->reason == ZW_ALLOW_INTRA_ZONE ? "intra-zone" : "default");
		return;
	}
	buffer_put(text, decider->reason == ZW_ALLOW_FAILSAFE ? "failsafe " : "rule ");
	buffer_plain(text, view->rules[decider->rule]->id);
}

static void put_zones(const struct matrix_view *view, const struct zone_list *list, struct buffer *text)
{
	for (size_t i = 0; i < list->count; i++) {
		buffer_put(text, i ? ", " : "");
		buffer_plain(text, matrix_zone(view, list->zone[i]));
	}
}

void matrix_put_rule(const struct matrix_view *view, const struct matrix_decider *decider,
		     struct buffer *text)
{
	const struct rule *rule = view->rules[decider->rule];
	const char *place = rule ? names_rule(view->tables->names, decider->rule)->place : "";

	if (!rule)
		return;
	buffer_plain(text, place);
	buffer_put(text, *place ? ": " : "");
	put_zones(view, &rule->from, text);
	buffer_put(text, " → ");
	put_zones(view, &rule->to, text);
}

/* --- Notes --------------------------------------------------------------------------------------------------------- */

static bool is_empty(const struct zone *zone)
{
	return zone->kind == ZONE_DECLARED && ranges_empty(&zone->set);
}

static void put_empty_zones(const struct policy *policy, const char *begin, const char *end,
			    struct buffer *text)
{
	const char *comma = "";

	for (size_t i = 0; i < policy->zone_count; i++) {
		if (!is_empty(&policy->zones[i]))
			continue;
		buffer_put(text, *comma ? comma : begin);
		buffer_put(text, *comma ? "" : "without addresses, and not shown: ");
		buffer_plain(text, policy->zones[i].name);
		comma = ", ";
	}
	buffer_put(text, *comma ? end : "");
}

static bool has_conditions(const struct rule *rule)
{
	return rule->mode == MODE_ENFORCE && (rule->limit.set || rule->tls_require);
}

/* When it is another matrix. */
static void put_next_end(const struct matrix_view *view, const char *begin, const char *end, struct buffer *text)
{
	const struct rule *first = policy_next_end(view->policy, view->at);

	if (!first)
		return;
	buffer_printf(text, "%srule %s ends at ", begin, first->id);
	put_instant(text, first->until);
	buffer_printf(text, ": --at shows the matrix of then%s", end);
}

int matrix_put_notes(const struct matrix_view *view, const char *begin, const char *end, struct buffer *text)
{
	const struct policy *policy = view->policy;
	struct host_use use = { 0 };
	bool conditions = false;
	int err = policy->host_known ? 0 : host_use_find(policy, view->at, &use);

	if (use.count)
		buffer_printf(text,
			      "%sthe host's addresses are not known: nothing is from or to host, and world "
			      "has them (--host ADDR)%s",
			      begin, end);
	host_use_clear(&use);
	put_empty_zones(policy, begin, end, text);
	for (size_t i = 0; i < policy->rules.count; i++)
		conditions |= has_conditions(&policy->rules.v[i]);
	if (conditions)
		buffer_printf(text, "%slimit and tls of rules count as if they were met%s", begin, end);
	put_next_end(view, begin, end, text);
	return err;
}

int matrix_flush(struct buffer *text)
{
	int err = text->failed ? -ENOMEM : 0;

	if (!err && text->len)
		fwrite(text->data, 1, text->len, stdout);
	buffer_free(text);
	return err;
}
