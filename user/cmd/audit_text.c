// SPDX-License-Identifier: GPL-2.0-only
/* An audit for people: a paragraph for each kind of finding, a line or more for each rule. */
#include <json-c/json.h>

#include "base/util.h"
#include "cmd/audited.h"
#include "cmd/differences.h"
#include "cmd/view.h"
#include "watch/report.h"

#define LEFT_SHOWN 6 /* regions of a rule */

static const char *const heads[AUDIT_KINDS] = {
	[AUDIT_SHADOWED] = "earlier rules decide all of it",
	[AUDIT_REDUNDANT] = "without it, every packet has the same verdict",
	[AUDIT_PARTLY] = "earlier rules decide a part of it",
	[AUDIT_NOTHING] = "there are no packets that it matches",
	[AUDIT_EXPIRED] = "its end has passed",
	[AUDIT_EXPIRING] = "it ends soon",
	[AUDIT_UNUSED] = "it has decided no packet",
	[AUDIT_ANY] = "it allows anything",
	[AUDIT_WIDE] = "it allows a wide network",
	[AUDIT_OWNERLESS] = "nobody owns it",
	[AUDIT_UNREACHABLE] = "nothing may go to it, and nothing may come from it",
	[AUDIT_UNNAMED] = "nothing names it",
};

static void print_place(const struct audited *x, const struct place *place)
{
	if (place->line)
		printf("  %s:%u", diag_file_name(x->diag, place->file), place->line);
}

static void print_time(const char *word, int64_t time, int64_t now)
{
	struct json_object *text = report_time(time);
	int64_t away = time < now ? now - time : time - now;

	printf("      %s %s (%s%s%s)\n", word, json_object_get_string(text), time < now ? "" : "in ", view_seconds(away),
	       time < now ? " ago" : "");
	json_object_put(text);
}

/* "zone corp: 10.0.0.0/8"; an address written in the rule is its own name. */
static void print_wide(const struct audit_finding *finding)
{
	char range[RANGE_TEXT_MAX];

	range_print(finding->family, &finding->range, range);
	if (finding->zone->kind == ZONE_DECLARED)
		printf("      zone %s: %s\n", finding->zone->name, range);
	else
		printf("      %s\n", range);
}

/* "gateway → db, tcp/1-79" */
static int print_region(const struct audited *x, const struct diff_region *region)
{
	struct buffer text = { 0 };
	int err;

	region_put_set(&text, &region->from);
	buffer_put(&text, " → ");
	region_put_set(&text, &region->to);
	buffer_put(&text, ", ");
	region_put_service(&text, x->policy, &region->service);
	err = text.failed ? -ENOMEM : 0;
	if (!err)
		printf("      left: %s\n", text.data);
	buffer_free(&text);
	return err;
}

static int print_left(const struct audited *x, const struct rule *rule)
{
	const struct left_region *region;
	size_t count = left_of(&x->left, rule, &region);
	int err = 0;

	for (size_t i = 0; i < count && i < LEFT_SHOWN && !err; i++)
		err = print_region(x, region[i].region);
	if (count > LEFT_SHOWN)
		printf("      and %zu more; -o json has them\n", count - LEFT_SHOWN);
	return err;
}

static int print_evidence(const struct audited *x, const struct audit_finding *finding)
{
	char by[NAMED_TEXT_MAX];

	if (finding->named) {
		named_print(finding->named, x->diag, by);
		printf("      %s %s\n", finding->kind == AUDIT_REDUNDANT ? "without it:" : "before it:", by);
	}
	if (finding->why)
		printf("      %s\n", finding->why);
	if (finding->kind == AUDIT_WIDE)
		print_wide(finding);
	if (finding->kind == AUDIT_EXPIRED || finding->kind == AUDIT_EXPIRING)
		print_time(finding->kind == AUDIT_EXPIRED ? "ended" : "ends", finding->rule->until, x->options.now);
	return finding->kind == AUDIT_PARTLY ? print_left(x, finding->rule) : 0;
}

static bool is_same_subject(const struct audit_finding *a, const struct audit_finding *b)
{
	return a->kind == b->kind && a->rule && a->rule == b->rule;
}

static void print_subject(const struct audited *x, const struct audit_finding *finding)
{
	printf("  %s", finding->rule ? finding->rule->id : finding->zone->name);
	print_place(x, audit_place(finding));
	if (finding->rule && finding->rule->owner)
		printf("  owner %s", finding->rule->owner);
	printf("\n");
}

/* A rule may be wide at both ends. */
static size_t count_subjects(const struct audit *audit, enum audit_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < audit->count; i++)
		count += audit->v[i].kind == kind && !(i && is_same_subject(&audit->v[i], &audit->v[i - 1]));
	return count;
}

static void print_head(const struct audited *x, enum audit_kind kind)
{
	bool are_zones = kind == AUDIT_UNREACHABLE || kind == AUDIT_UNNAMED;
	const char *since = view_string(x->rules, "since");
	size_t count = count_subjects(&x->audit, kind);

	printf("%s, %zu %s%s: %s", audit_kind_name(kind), count, are_zones ? "zone" : "rule", count == 1 ? "" : "s", heads[kind]);
	if (kind == AUDIT_UNUSED && *since)
		printf(" since %s (%s), when generation %llu was applied, or before", since, view_age(since),
		       (unsigned long long)view_number(x->rules, "generation"));
	printf("\n");
}

static int print_kinds(const struct audited *x)
{
	int err = 0;

	for (size_t i = 0; i < x->audit.count && !err; i++) {
		const struct audit_finding *finding = &x->audit.v[i];

		if (!i || finding->kind != finding[-1].kind) {
			printf("%s", i ? "\n" : "");
			print_head(x, finding->kind);
		}
		if (!i || !is_same_subject(finding, finding - 1))
			print_subject(x, finding);
		err = print_evidence(x, finding);
	}
	return err;
}

int audited_print(const struct audited *x)
{
	int err = print_kinds(x);

	printf("%sfindings: %zu; rules: %zu; zones: %zu\n", x->audit.count ? "\n" : "", x->audit.count, x->policy->rules.count,
	       audited_zones(x));
	if (!x->rules)
		printf("not known: which rules are used (--running and --usage look at what is applied here)\n");
	if (audited_lacks_host(x))
		printf("not known: the addresses of the host (--host): rules that name host or world were not compared\n");
	if (x->audit.of_kind[AUDIT_PARTLY] > LEFT_RULES_MAX)
		printf("not written out: what is left of partly shadowed rules, since they are more than %d\n", LEFT_RULES_MAX);
	return err;
}
