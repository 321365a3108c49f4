// SPDX-License-Identifier: GPL-2.0-only
/*
 * An audit as JSON: a contract. Keys are there always; what has no value is null.
 *
 * {"schema":"zonewall.audit/1","rules":N,"zones":N,"usage":null|{"generation":N,"since":TIME},"host_known":B,
 *  "counts":{KIND:N,...},"findings":[{"kind","rule","zone","owner","place","by":[{"rule","place"},...],"by_others",
 *  "by_default","by_intra_zone","left","why","range","until"},...]}
 *
 * by: who decides before a (partly) shadowed rule, or instead of a redundant one; others: there are more than are listed.
 * left: of a partly shadowed rule, the regions that it decides, as zonewall.diff/1 has them: {"from","to","service"}; null
 * beyond LEFT_RULES_MAX such rules.
 * A policy with errors: {"schema","diagnostics":[...]}, as `check` has them.
 */
#include <json-c/json.h>

#include "base/util.h"
#include "cmd/audited.h"
#include "cmd/differences.h"
#include "cmd/view.h"
#include "watch/report.h"

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static struct json_object *text_or_null(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static struct json_object *json_place(const struct audited *x, const struct place *place)
{
	char text[4096];

	if (!place->line)
		return NULL;
	snprintf(text, sizeof(text), "%s:%u", diag_file_name(x->diag, place->file), place->line);
	return json_object_new_string(text);
}

static struct json_object *json_rules(const struct audited *x, const struct named *named)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < named->count; i++) {
		struct json_object *object = json_object_new_object();

		add(object, "rule", json_object_new_string(named->rule[i]->id));
		add(object, "place", json_place(x, &named->rule[i]->place));
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *json_range(const struct audit_finding *finding)
{
	char text[RANGE_TEXT_MAX];

	if (finding->kind != AUDIT_WIDE)
		return NULL;
	range_print(finding->family, &finding->range, text);
	return json_object_new_string(text);
}

static struct json_object *json_left(const struct audited *x, const struct audit_finding *finding)
{
	const struct left_region *region;
	size_t count = finding->kind == AUDIT_PARTLY ? left_of(&x->left, finding->rule, &region) : 0;
	struct json_object *array = count ? json_object_new_array() : NULL;

	for (size_t i = 0; i < count; i++) {
		struct json_object *object = json_object_new_object();

		add(object, "from", region_json_set(&region[i].region->from));
		add(object, "to", region_json_set(&region[i].region->to));
		add(object, "service", region_json_service(&region[i].region->service));
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *json_finding(const struct audited *x, const struct audit_finding *finding)
{
	static const struct named nobody;
	const struct named *named = finding->named ? finding->named : &nobody;
	struct json_object *object = json_object_new_object();

	add(object, "kind", json_object_new_string(audit_kind_name(finding->kind)));
	add(object, "rule", text_or_null(finding->rule ? finding->rule->id : NULL));
	add(object, "zone", text_or_null(finding->zone ? finding->zone->name : NULL));
	add(object, "owner", text_or_null(finding->rule ? finding->rule->owner : NULL));
	add(object, "place", json_place(x, audit_place(finding)));
	add(object, "by", json_rules(x, named));
	add(object, "by_others", json_object_new_boolean(named->more));
	add(object, "by_default", json_object_new_boolean(named->by_default));
	add(object, "by_intra_zone", json_object_new_boolean(named->intra_zone));
	add(object, "left", json_left(x, finding));
	add(object, "why", text_or_null(finding->why));
	add(object, "range", json_range(finding));
	add(object, "until", finding->rule && finding->rule->expires ? report_time(finding->rule->until) : NULL);
	return object;
}

static struct json_object *json_usage(const struct audited *x)
{
	struct json_object *object;

	if (!x->rules)
		return NULL;
	object = json_object_new_object();
	add(object, "generation", json_object_new_uint64(view_number(x->rules, "generation")));
	add(object, "since", *view_string(x->rules, "since") ? json_object_new_string(view_string(x->rules, "since")) : NULL);
	return object;
}

static struct json_object *json_counts(const struct audited *x)
{
	struct json_object *object = json_object_new_object();

	for (int kind = 0; kind < AUDIT_KINDS; kind++)
		add(object, audit_kind_name(kind), json_object_new_uint64(x->audit.of_kind[kind]));
	return object;
}

void audited_print_json(const struct audited *x)
{
	struct json_object *object = json_object_new_object(), *findings = json_object_new_array();

	for (size_t i = 0; i < x->audit.count; i++)
		json_object_array_add(findings, json_finding(x, &x->audit.v[i]));
	add(object, "schema", json_object_new_string("zonewall.audit/1"));
	add(object, "rules", json_object_new_uint64(x->policy->rules.count));
	add(object, "zones", json_object_new_uint64(audited_zones(x)));
	add(object, "usage", json_usage(x));
	add(object, "host_known", json_object_new_boolean(x->policy->host_known));
	add(object, "counts", json_counts(x));
	add(object, "findings", findings);
	view_json(object);
	json_object_put(object);
}
