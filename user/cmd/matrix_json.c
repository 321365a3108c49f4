// SPDX-License-Identifier: GPL-2.0-only
/*
 * The matrix for programs: a contract. `cells` are those in which something is open; in all others nothing is.
 */
#include "cmd/matrix.h"
#include "cmd/view.h"
#include "policy/canonical.h"
#include "simulate/decision.h"

#define MATRIX_SCHEMA "zonewall.matrix/1"

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text && *text ? json_object_new_string(text) : NULL);
}

static struct json_object *json_names(const struct matrix_view *view, const unsigned *zones, size_t count)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, json_object_new_string(matrix_zone(view, zones[i])));
	return list;
}

static struct json_object *json_rule(const struct matrix_view *view, uint32_t number)
{
	const struct rule_name *name = names_rule(view->tables->names, number);
	const struct rule *rule = view->rules[number];
	struct json_object *object = json_object_new_object();

	add_text(object, "id", name->id);
	json_object_object_add(object, "failsafe", json_object_new_boolean(name->is_failsafe));
	add_text(object, "place", name->place);
	add_text(object, "owner", name->owner);
	add_text(object, "action", action_name(rule->action));
	json_object_object_add(object, "from", json_names(view, rule->from.zone, rule->from.count));
	json_object_object_add(object, "to", json_names(view, rule->to.zone, rule->to.count));
	add_text(object, "service", name->service);
	return object;
}

static struct json_object *json_rules(const struct matrix_view *view)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t number = 1; number <= names_rule_count(view->tables->names); number++)
		if (view->rules[number])
			json_object_array_add(list, json_rule(view, number));
	return list;
}

static struct json_object *json_open(const struct matrix_words *words)
{
	struct json_object *list = json_object_new_array();

	for (int i = 0; i < OPEN_WAYS; i++) {
		struct json_object *open = words->open[matrix_ways[i]];
		struct json_object *object;

		if (!open)
			continue;
		object = json_object_new_object();
		json_object_object_add(object, "services", json_object_get(open));
		json_object_object_add(object, "partly",
				       json_object_new_boolean(matrix_ways[i] & OPEN_PARTLY));
		json_object_object_add(object, "failsafe",
				       json_object_new_boolean(matrix_ways[i] & OPEN_FAILSAFE));
		json_object_object_add(object, "places",
				       canonical_service(&words->cell->open[matrix_ways[i]]));
		json_object_array_add(list, object);
	}
	return list;
}

static struct json_object *json_deciders(const struct matrix_view *view, const struct matrix_cell *cell,
					 bool allow)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < cell->decider_count; i++) {
		const struct matrix_decider *decider = &cell->deciders[i];
		struct json_object *object;

		if (decider->allow != allow)
			continue;
		object = json_object_new_object();
		add_text(object, "reason", reason_name(decider->reason));
		add_text(object, "rule", decider->rule ? view->rules[decider->rule]->id : NULL);
		json_object_array_add(list, object);
	}
	return list;
}

static int add_cell(const struct matrix_view *view, size_t row, size_t column, struct json_object *cells)
{
	struct json_object *object;
	struct matrix_words words;
	int err = matrix_words(view, row, column, &words);

	if (err || !words.cell->some) {
		matrix_words_clear(&words);
		return err;
	}
	object = json_object_new_object();
	add_text(object, "from", matrix_zone(view, view->from[row]));
	add_text(object, "to", matrix_zone(view, view->to[column]));
	json_object_object_add(object, "all", json_object_new_boolean(words.cell->all));
	json_object_object_add(object, "open", json_open(&words));
	json_object_object_add(object, "allowed_by", json_deciders(view, words.cell, true));
	json_object_object_add(object, "dropped_by", json_deciders(view, words.cell, false));
	json_object_array_add(cells, object);
	matrix_words_clear(&words);
	return 0;
}

int matrix_print_json(const struct matrix_view *view)
{
	struct json_object *object = json_object_new_object(), *cells = json_object_new_array();
	int err = 0;

	for (size_t row = 0; row < view->from_count && !err; row++)
		for (size_t column = 0; column < view->to_count && !err; column++)
			err = add_cell(view, row, column, cells);
	add_text(object, "schema", MATRIX_SCHEMA);
	json_object_object_add(object, "host_known", json_object_new_boolean(view->policy->host_known));
	json_object_object_add(object, "from", json_names(view, view->from, view->from_count));
	json_object_object_add(object, "to", json_names(view, view->to, view->to_count));
	json_object_object_add(object, "cells", cells);
	json_object_object_add(object, "rules", json_rules(view));
	if (!err)
		view_json(object);
	json_object_put(object);
	return err;
}
