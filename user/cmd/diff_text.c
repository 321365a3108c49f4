// SPDX-License-Identifier: GPL-2.0-only
/*
 * Differences for people: a region is a line, and what decides it before and now are two more.
 */
#include <errno.h>
#include <stdio.h>

#include "base/util.h"
#include "cmd/differences.h"
#include "cmd/explained.h"
#include "cmd/service_words.h"
#include "simulate/decision.h"

struct page {
	const struct differences *differences;
	struct policy names; /* services alone, by which places are named */
	struct buffer text;
	bool colour;
};

/* --- Sets and services ------------------------------------------------------------------------------------------------ */

static void put_term(struct buffer *b, const struct diff_term *term)
{
	char text[RANGE_TEXT_MAX];

	if (term->zone) {
		buffer_plain(b, term->zone);
		if (term->side != DIFF_SIDES)
			buffer_put(b, term->side == DIFF_OLD ? " (old)" : " (new)");
		return;
	}
	range_print(term->family, &term->range, text);
	buffer_put(b, text);
}

static void put_terms(struct buffer *b, const struct diff_term *terms, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buffer_put(b, i ? ", " : "");
		put_term(b, &terms[i]);
	}
}

void region_put_set(struct buffer *b, const struct diff_set *set)
{
	put_terms(b, set->of, set->of_count);
	if (!set->except_count)
		return;
	buffer_put(b, " but ");
	put_terms(b, set->except, set->except_count);
}

static int add_all(struct selectors *set, const struct selectors *more)
{
	for (size_t i = 0; i < more->count; i++) {
		if (array_grow(&set->v, set->count, sizeof(*set->v)))
			return -ENOMEM;
		set->v[set->count++] = more->v[i];
	}
	return 0;
}

void region_put_service(struct buffer *b, const struct policy *names, const struct diff_service *service)
{
	struct json_object *words = NULL;
	struct selectors possible = { 0 };
	int err = add_all(&possible, &service->places);

	if (!err)
		err = add_all(&possible, &service->others);
	if (!err)
		err = service_words(names, &possible, &service->places, &words);
	b->failed |= err;
	for (size_t i = 0; !err && i < json_object_array_length(words); i++) {
		buffer_put(b, i ? ", " : "");
		buffer_plain(b, json_object_get_string(json_object_array_get_idx(words, i)));
	}
	json_object_put(words);
	free(possible.v);
	if (!service->sport_first && service->sport_last == 65535)
		return;
	buffer_printf(b,
		      service->sport_first == service->sport_last ? " from source port %u"
								  : " from source ports %u-%u",
		      service->sport_first, service->sport_last);
}

/* --- Names of services -------------------------------------------------------------------------------------------------- */

static bool has_all(const struct selectors *a, const struct selectors *b)
{
	return service_common(a, b) == service_common(a, a) && service_common(a, b) == service_common(b, b);
}

static const struct named_service *find_service(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->service_count; i++)
		if (!strcmp(policy->services[i].name, name))
			return &policy->services[i];
	return NULL;
}

/* Borrowed: what both policies call so, or one of them, unless they mean different things by it. */
static int name_services(struct page *page)
{
	const struct policy *old = page->differences->sides[DIFF_OLD].policy;
	const struct policy *new = page->differences->sides[DIFF_NEW].policy;
	struct named_service *services =
		array_new(old->service_count + new->service_count, sizeof(*services));
	size_t count = 0;

	if (!services)
		return -ENOMEM;
	for (size_t i = 0; i < new->service_count; i++) {
		const struct named_service *other = find_service(old, new->services[i].name);

		if (!other || has_all(&other->selectors, &new->services[i].selectors))
			services[count++] = new->services[i];
	}
	for (size_t i = 0; i < old->service_count; i++)
		if (!find_service(new, old->services[i].name))
			services[count++] = old->services[i];
	page->names = (struct policy){ .services = services, .service_count = count };
	return 0;
}

/* --- Regions ------------------------------------------------------------------------------------------------------------ */

/* "gateway-to-db (new/web.yaml:14, owner payments)" */
static void put_rule(struct buffer *b, const struct rule_name *rule)
{
	buffer_plain(b, rule->id);
	buffer_put(b, " (");
	buffer_plain(b, *rule->place ? rule->place : "built in");
	if (*rule->owner) {
		buffer_put(b, ", owner ");
		buffer_plain(b, rule->owner);
	}
	buffer_put(b, ")");
}

static void put_log(struct buffer *b, const struct diff_cause *cause)
{
	if (cause->log & ZW_CELL_LOG_ALL)
		buffer_put(b, "every packet is logged");
	else if (cause->log & ZW_CELL_LOG)
		buffer_put(b, ZW_REASON_IS_DROP(cause->reason) ? "logged" : "the first packet is logged");
	else
		buffer_put(b, "not logged");
}

/* What differs besides the verdict, of this side and the other. */
static void put_terms_of(struct buffer *b, const struct diff_cause *cause, const struct diff_cause *other)
{
	bool is_limited = cause->has_limit || cause->has_tls;

	if (is_limited) {
		buffer_put(b, "; ");
		if (!cause->written || !put_conditions(b, cause->written, INT64_MIN))
			buffer_put(b, cause->has_limit ? "limited" : "if it begins with TLS");
	} else if (other->has_limit || other->has_tls) {
		buffer_put(b, "; without conditions");
	}
	if (cause->failsafe) {
		buffer_put(b, "; whatever else, by failsafe ");
		put_rule(b, cause->failsafe);
	} else if (other->failsafe) {
		buffer_put(b, "; not in failsafe");
	}
	if (cause->log != other->log) {
		buffer_put(b, "; ");
		put_log(b, cause);
	}
}

static void put_cause(struct page *page, const char *when, const struct diff_region *region,
		      enum diff_side side)
{
	const struct diff_cause *cause = &region->cause[side];
	struct buffer *b = &page->text;

	buffer_printf(b, "    %-6s  %s by %s", when, ZW_REASON_IS_DROP(cause->reason) ? "drop" : "allow",
		      reason_name(cause->reason));
	if (cause->rule) {
		buffer_put(b, " ");
		put_rule(b, cause->rule);
	}
	if (region->kind == DIFF_TERMS)
		put_terms_of(b, cause, &region->cause[!side]);
	buffer_put(b, "\n");
}

static void put_region(struct page *page, const struct dated_region *change)
{
	const struct diff_region *region = change->region;
	static const char marks[] = { '+', '-', '~' };
	static const char *const colours[] = { "\033[32m", "\033[31m", "\033[33m" };
	struct buffer *b = &page->text;

	buffer_printf(b, "%s%c ", page->colour ? colours[region->kind] : "", marks[region->kind]);
	region_put_set(b, &region->from);
	buffer_put(b, " → ");
	region_put_set(b, &region->to);
	buffer_put(b, ": ");
	region_put_service(b, &page->names, &region->service);
	buffer_put(b, page->colour ? "\033[0m" : "");
	if (change->moment.begin != TIME_BEGIN || change->moment.end != TIME_END)
		buffer_put(b, ",");
	put_moment(b, &change->moment);
	buffer_put(b, "\n");
	put_cause(page, "before", region, DIFF_OLD);
	put_cause(page, "now", region, DIFF_NEW);
}

static void put_regions(struct page *page, enum diff_kind kind)
{
	static const char *const heads[] = { "allowed now, dropped before\n\n",
					     "dropped now, allowed before\n\n",
					     "the same verdict, on other terms\n\n" };
	const struct differences *d = page->differences;

	if (!d->of_kind[kind])
		return;
	buffer_put(&page->text, heads[kind]);
	for (size_t i = 0; i < d->change_count; i++)
		if (d->changes[i].region->kind == kind)
			put_region(page, &d->changes[i]);
	buffer_put(&page->text, "\n");
}

static void put_settings(struct page *page)
{
	const struct diff *diff = page->differences->settings;
	struct buffer *b = &page->text;

	if (!diff->setting_count)
		return;
	buffer_put(b, "settings\n\n");
	for (size_t i = 0; i < diff->setting_count; i++) {
		buffer_put(b, "~ ");
		buffer_plain(b, diff->settings[i].what);
		buffer_put(b, ": ");
		buffer_plain(b, diff->settings[i].before);
		buffer_put(b, " → ");
		buffer_plain(b, diff->settings[i].after);
		buffer_put(b, diff->settings[i].widens ? " (lets more pass)\n" : "\n");
	}
	buffer_put(b, "\n");
}

static void put_sum(struct page *page)
{
	const struct differences *d = page->differences;

	if (differences_are_none(d))
		buffer_put(&page->text, "no change in meaning\n");
	else
		buffer_printf(&page->text, "%zu widened, %zu narrowed, %zu on other terms, %zu setting%s\n",
			      d->of_kind[DIFF_WIDENED], d->of_kind[DIFF_NARROWED], d->of_kind[DIFF_TERMS],
			      d->settings->setting_count, d->settings->setting_count == 1 ? "" : "s");
}

static void put_note(struct page *page)
{
	const struct rule *rule = page->differences->host_rule;
	const struct diag *diag = page->differences->host_diag;

	if (rule)
		buffer_printf(&page->text,
			      "note: the host's addresses are not known, so nothing is from or to host, as "
			      "rule %s (%s:%u) has it "
			      "(--host ADDR)\n",
			      rule->id, diag_file_name(diag, rule->place.file), rule->place.line);
}

int differences_print(const struct differences *differences, bool colour)
{
	struct page page = { .differences = differences, .colour = colour };
	int err = name_services(&page);

	if (err)
		return err;
	for (int kind = 0; kind < DIFF_KINDS; kind++)
		put_regions(&page, kind);
	put_settings(&page);
	put_sum(&page);
	put_note(&page);
	err = page.text.failed ? -ENOMEM : 0;
	if (!err)
		fwrite(page.text.data, 1, page.text.len, stdout);
	buffer_free(&page.text);
	free(page.names.services);
	return err;
}
