// SPDX-License-Identifier: GPL-2.0-only
/*
 * Differences as JSON: a contract. Keys are there always; what has no value is null.
 *
 * old, new: source (as given), generation (of what runs); host_known; widened, narrowed, terms: how many regions of each
 * kind; widens: how many regions and settings let more pass than before; regions: kind, widens, from, to, service, old, new,
 * begins, ends (between which instants, where rules have until); settings: what, widens, old, new.
 * from, to: "of", without what is in "except": {"zone", "in": "old" or "new" where they differ} or {"addresses"}.
 * service: all_but, places (if all_but is true: all places but these), source_ports.
 * old, new of a region: verdict, reason, rule (id, place, owner), failsafe (id, place, owner), limit, tls, log; the last
 * four are of kind terms, else null.
 */
#include <errno.h>
#include <json-c/json.h>

#include "base/util.h"
#include "cmd/differences.h"
#include "cmd/moment_words.h"
#include "kernel/instance.h"
#include "policy/canonical.h"
#include "simulate/decision.h"

#define DIFF_SCHEMA "zonewall.diff/1"

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	add(object, key, text && *text ? json_object_new_string(text) : NULL);
}

static struct json_object *json_term(const struct diff_term *term)
{
	struct json_object *object = json_object_new_object();
	char text[RANGE_TEXT_MAX];

	if (term->zone) {
		add_text(object, "zone", term->zone);
		add_text(object, "in",
			 term->side == DIFF_SIDES ? NULL
			 : term->side == DIFF_OLD ? "old"
						  : "new");
	} else {
		range_print(term->family, &term->range, text);
		add_text(object, "addresses", text);
	}
	return object;
}

static struct json_object *json_terms(const struct diff_term *terms, size_t count)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, json_term(&terms[i]));
	return list;
}

struct json_object *region_json_set(const struct diff_set *set)
{
	struct json_object *object = json_object_new_object();

	add(object, "of", json_terms(set->of, set->of_count));
	add(object, "except", json_terms(set->except, set->except_count));
	return object;
}

struct json_object *region_json_service(const struct diff_service *service)
{
	struct json_object *object = json_object_new_object();
	bool is_all = service->others.count < service->places.count;
	char text[16];

	add(object, "all_but", json_object_new_boolean(is_all));
	add(object, "places", canonical_service(is_all ? &service->others : &service->places));
	snprintf(text, sizeof(text), service->sport_first == service->sport_last ? "%u" : "%u-%u",
		 service->sport_first, service->sport_last);
	add_text(object, "source_ports", service->sport_first || service->sport_last != 65535 ? text : NULL);
	return object;
}

static struct json_object *json_rule(const struct rule_name *rule)
{
	struct json_object *object;

	if (!rule)
		return NULL;
	object = json_object_new_object();
	add_text(object, "id", rule->id);
	add_text(object, "place", rule->place);
	add_text(object, "owner", rule->owner);
	return object;
}

static const char *log_word(unsigned log)
{
	return log & ZW_CELL_LOG_ALL ? "all" : log & ZW_CELL_LOG ? "first" : "none";
}

static struct json_object *json_cause(const struct diff_cause *cause, bool has_terms)
{
	struct json_object *object = json_object_new_object();

	add_text(object, "verdict", ZW_REASON_IS_DROP(cause->reason) ? "drop" : "allow");
	add_text(object, "reason", reason_name(cause->reason));
	add(object, "rule", json_rule(cause->rule));
	add(object, "failsafe", json_rule(cause->failsafe));
	add(object, "limit", has_terms ? json_object_new_boolean(cause->has_limit) : NULL);
	add(object, "tls", has_terms ? json_object_new_boolean(cause->has_tls) : NULL);
	add_text(object, "log", has_terms ? log_word(cause->log) : NULL);
	return object;
}

static struct json_object *json_region(const struct diff_region *region)
{
	static const char *const kinds[] = { "widened", "narrowed", "terms" };
	struct json_object *object = json_object_new_object();
	bool has_terms = region->kind == DIFF_TERMS;

	add_text(object, "kind", kinds[region->kind]);
	add(object, "widens", json_object_new_boolean(region->widens));
	add(object, "from", region_json_set(&region->from));
	add(object, "to", region_json_set(&region->to));
	add(object, "service", region_json_service(&region->service));
	add(object, "old", json_cause(&region->cause[DIFF_OLD], has_terms));
	add(object, "new", json_cause(&region->cause[DIFF_NEW], has_terms));
	return object;
}

char *region_key(const struct diff_region *region)
{
	struct json_object *object = json_region(region);
	const char *text = object ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN) : NULL;
	char *key = text ? strdup(text) : NULL;

	json_object_put(object);
	return key;
}

static void add_time(struct json_object *object, const char *key, int64_t time)
{
	struct buffer text = { 0 };

	if (time != TIME_BEGIN && time != TIME_END)
		put_instant(&text, time);
	add_text(object, key, text.data);
	buffer_free(&text);
}

static struct json_object *json_change(const struct dated_region *change)
{
	struct json_object *object = json_region(change->region);

	add_time(object, "begins", change->moment.begin);
	add_time(object, "ends", change->moment.end);
	return object;
}

static struct json_object *json_changes(const struct differences *d)
{
	struct json_object *list = json_object_new_array();

	for (int kind = 0; kind < DIFF_KINDS; kind++)
		for (size_t i = 0; i < d->change_count; i++)
			if ((int)d->changes[i].region->kind == kind)
				json_object_array_add(list, json_change(&d->changes[i]));
	return list;
}

static struct json_object *json_setting(const struct diff_setting *setting)
{
	struct json_object *object = json_object_new_object();

	add_text(object, "what", setting->what);
	add(object, "widens", json_object_new_boolean(setting->widens));
	add_text(object, "old", setting->before);
	add_text(object, "new", setting->after);
	return object;
}

static struct json_object *json_side(const struct differing *side)
{
	struct json_object *object = json_object_new_object();
	const struct generation *generation = side->running.generation;

	add_text(object, "source", side->word);
	add(object, "generation", generation ? json_object_new_int64(generation->number) : NULL);
	return object;
}

struct json_object *differences_json(const struct differences *d)
{
	struct json_object *object = json_object_new_object(), *settings = json_object_new_array();

	if (!object || !settings)
		return NULL;
	for (size_t i = 0; i < d->settings->setting_count; i++)
		json_object_array_add(settings, json_setting(&d->settings->settings[i]));
	add_text(object, "schema", DIFF_SCHEMA);
	add(object, "old", json_side(&d->sides[DIFF_OLD]));
	add(object, "new", json_side(&d->sides[DIFF_NEW]));
	add(object, "host_known", json_object_new_boolean(d->host_known));
	add(object, "widened", json_object_new_int64(d->of_kind[DIFF_WIDENED]));
	add(object, "narrowed", json_object_new_int64(d->of_kind[DIFF_NARROWED]));
	add(object, "terms", json_object_new_int64(d->of_kind[DIFF_TERMS]));
	add(object, "widens", json_object_new_int64(d->widening));
	add(object, "regions", json_changes(d));
	add(object, "settings", settings);
	return object;
}

int differences_print_json(const struct differences *d)
{
	struct json_object *object = differences_json(d);

	if (!object)
		return -ENOMEM;
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
	return 0;
}
