// SPDX-License-Identifier: GPL-2.0-only
#include "simulate/diff_settings.h"

#include <stdarg.h>

#include "base/util.h"

struct settings {
	const struct diff_source *sources;
	const struct joint *joint;
	struct diff *diff;
};

/* Texts are copied; NULL: it is not there. */
__attribute__((format(printf, 5, 6))) static int add(struct settings *s, bool widens, const char *before,
						     const char *after, const char *format, ...)
{
	struct diff_setting setting = {
		.widens = widens,
		.before = strdup(before ? before : "none"),
		.after = strdup(after ? after : "none"),
	};
	va_list args;
	int err = array_grow(&s->diff->settings, s->diff->setting_count, sizeof(setting));

	va_start(args, format);
	if (vasprintf(&setting.what, format, args) < 0)
		setting.what = NULL;
	va_end(args);
	if (err || !setting.what || !setting.before || !setting.after) {
		free(setting.what);
		free(setting.before);
		free(setting.after);
		return -ENOMEM;
	}
	s->diff->settings[s->diff->setting_count++] = setting;
	return 0;
}

/* --- Defaults ------------------------------------------------------------------------------------------------------- */

static const char *log_name(const struct policy *policy)
{
	static const char *const names[] = {
		[LOG_DROPS] = "drops", [LOG_EVERYTHING] = "all", [LOG_NOTHING] = "none"
	};

	return names[policy->log];
}

static void flows_name(const struct policy *policy, char text[24])
{
	if (policy->flows)
		snprintf(text, 24, "%llu", (unsigned long long)policy->flows);
	else
		strcpy(text, "auto");
}

/* widening: the text that lets pass more than any other; NULL: none does. */
static int compare(struct settings *s, const char *what, const char *before, const char *after,
		   const char *widening)
{
	if (!strcmp(before, after))
		return 0;
	return add(s, widening && !strcmp(after, widening), before, after, "%s", what);
}

static int compare_defaults(struct settings *s)
{
	const struct policy *old = s->sources[DIFF_OLD].policy, *new = s->sources[DIFF_NEW].policy;
	char before[24], after[24];
	int err = compare(s, "defaults.log", log_name(old), log_name(new), NULL);

	if (!err)
		err = compare(s, "defaults.non-ip", old->allow_non_ip ? "allow" : "drop",
			      new->allow_non_ip ? "allow" : "drop", "allow");
	if (!err)
		err = compare(s, "defaults.tcp", old->tcp_strict ? "strict" : "loose",
			      new->tcp_strict ? "strict" : "loose", "loose");
	if (err)
		return err;
	flows_name(old, before);
	flows_name(new, after);
	return compare(s, "defaults.flows", before, after, NULL);
}

/* --- Interfaces ------------------------------------------------------------------------------------------------------ */

/* Does a source set (zonewall.h, "Origins") hold an atom? */
static bool holds(const struct diff_source *source, const struct joint *joint, enum diff_side side,
		  uint32_t set, uint32_t atom)
{
	const uint8_t *tables = source->tables;
	const uint32_t *bits =
		(const void *)(tables + (size_t)source->layout->origins * sizeof(struct zw_line));
	uint32_t origin = cells_origin(space_cells(joint->space[side]), atom);

	return set <= source->layout->source_sets && origin / 32 < source->layout->origin_words &&
	       bits[(size_t)(set - 1) * source->layout->origin_words + origin / 32] >> origin % 32 & 1;
}

static bool is_same_source(const struct settings *s, uint32_t old, uint32_t new)
{
	if (!old || !new)
		return !old == !new;
	for (size_t i = 0; i < s->joint->count; i++) {
		const struct element *element = &s->joint->elements[i];

		if (element->origins[SIDE_SOURCE] &&
		    holds(&s->sources[0], s->joint, DIFF_OLD, old, element->atom[DIFF_OLD]) !=
			    holds(&s->sources[1], s->joint, DIFF_NEW, new, element->atom[DIFF_NEW]))
			return false;
	}
	return true;
}

static const char *xdp_name(const struct interface_name *interface)
{
	static const char *const modes[] = { "auto", "native", "generic", "off" };

	return interface->has_xdp && interface->xdp < ARRAY_LEN(modes) ? modes[interface->xdp] : "not said";
}

/* The same pattern in both. */
static int compare_interface(struct settings *s, const struct interface_name *old,
			     const struct interface_name *new)
{
	int err = 0;

	if (strcmp(xdp_name(old), xdp_name(new)))
		err = add(s, false, xdp_name(old), xdp_name(new), "interface %s: xdp", old->pattern);
	if (err || is_same_source(s, old->source_set, new->source_set))
		return err;
	if (old->source_set && new->source_set && !strcmp(old->source, new->source))
		return add(s, true, old->source, "other addresses", "interface %s: source", old->pattern);
	return add(s, old->source_set, old->source_set ? old->source : "any",
		   new->source_set ? new->source : "any", "interface %s: source", old->pattern);
}

/* What all entries of a pattern say, a later one over a former; its pattern is NULL if there is none. */
static struct interface_name merge(const struct interface_name *list, size_t count, const char *pattern)
{
	struct interface_name merged = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].pattern, pattern))
			continue;
		merged.pattern = pattern;
		if (list[i].has_xdp) {
			merged.has_xdp = true;
			merged.xdp = list[i].xdp;
		}
		if (list[i].source_set) {
			merged.source_set = list[i].source_set;
			merged.source = list[i].source;
		}
	}
	return merged;
}

static bool is_first(const struct interface_name *list, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (!strcmp(list[i].pattern, list[at].pattern))
			return false;
	return true;
}

/* The same entries in the same order: then patterns that match one interface override each other as before. */
static bool is_same_list(const struct settings *s, const struct interface_name *old, size_t old_count,
			 const struct interface_name *new, size_t new_count)
{
	for (size_t i = 0; i < old_count && i < new_count; i++)
		if (strcmp(old[i].pattern, new[i].pattern) || strcmp(xdp_name(&old[i]), xdp_name(&new[i])) ||
		    !is_same_source(s, old[i].source_set, new[i].source_set))
			return false;
	return old_count == new_count;
}

static int compare_interfaces(struct settings *s)
{
	const struct interface_name *old, *new;
	size_t old_count = names_interfaces(s->sources[DIFF_OLD].names, &old);
	size_t new_count = names_interfaces(s->sources[DIFF_NEW].names, &new),
	       changes = s->diff->setting_count;
	int err = 0;

	if (is_same_list(s, old, old_count, new, new_count))
		return 0;
	for (size_t i = 0; i < old_count && !err; i++) {
		struct interface_name before = merge(old, old_count, old[i].pattern);
		struct interface_name after = merge(new, new_count, old[i].pattern);

		if (is_first(old, i))
			err = after.pattern ? compare_interface(s, &before, &after)
					    : add(s, true, "attached", NULL, "interface %s", old[i].pattern);
	}
	for (size_t i = 0; i < new_count && !err; i++)
		if (is_first(new, i) && !merge(old, old_count, new[i].pattern).pattern)
			err = add(s, false, NULL, "attached", "interface %s", new[i].pattern);
	if (!err && s->diff->setting_count == changes)
		err = add(s, true, "one order", "another", "interfaces: which entry overrides which");
	return err;
}

/* --- Staged rules ----------------------------------------------------------------------------------------------------- */

static bool is_same_set(const struct policy *old, const struct zone_list *a, const struct policy *new,
			const struct zone_list *b, int *ret_err)
{
	struct ranges x = { 0 }, y = { 0 };
	bool same;
	int err = policy_union(old, a, &x);

	if (!err)
		err = policy_union(new, b, &y);
	same = !err && x.v4_count == y.v4_count && x.v6_count == y.v6_count &&
	       (!x.v4_count || !memcmp(x.v4, y.v4, x.v4_count * sizeof(*x.v4))) &&
	       (!x.v6_count || !memcmp(x.v6, y.v6, x.v6_count * sizeof(*x.v6)));
	ranges_clear(&x);
	ranges_clear(&y);
	*ret_err = *ret_err ? *ret_err : err;
	return same;
}

static bool is_same_service(const struct selectors *a, const struct selectors *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->v[i].any_protocol != b->v[i].any_protocol || a->v[i].protocol != b->v[i].protocol ||
		    a->v[i].first != b->v[i].first || a->v[i].last != b->v[i].last)
			return false;
	return true;
}

static int compare_staged(struct settings *s, const struct rule *old, const struct rule *new)
{
	const struct policy *before = s->sources[DIFF_OLD].policy, *after = s->sources[DIFF_NEW].policy;
	int err = 0;
	bool is_same = old->action == new->action &&is_same_service(&old->service, &new->service) &&
		       !strcmp(before->tiers[old->tier], after->tiers[new->tier]) &&
		       is_same_set(before, &old->from, after, &new->from, &err) &&
		       is_same_set(before, &old->to, after, &new->to, &err);

	return err || is_same
		       ? err
		       : add(s, false, "staged", "staged, with another meaning", "staged rule %s", old->id);
}

static const struct rule *find_staged(const struct policy *policy, const char *id)
{
	for (size_t i = 0; i < policy->rules.count; i++)
		if (policy->rules.v[i].mode == MODE_STAGE && !strcmp(policy->rules.v[i].id, id))
			return &policy->rules.v[i];
	return NULL;
}

static int compare_all_staged(struct settings *s)
{
	const struct policy *old = s->sources[DIFF_OLD].policy, *new = s->sources[DIFF_NEW].policy;
	int err = 0;

	for (size_t i = 0; i < old->rules.count && !err; i++) {
		const struct rule *rule = &old->rules.v[i];
		const struct rule *other = rule->mode == MODE_STAGE ? find_staged(new, rule->id) : NULL;

		if (rule->mode == MODE_STAGE)
			err = other ? compare_staged(s, rule, other)
				    : add(s, false, "staged", NULL, "staged rule %s", rule->id);
	}
	for (size_t i = 0; i < new->rules.count && !err; i++)
		if (new->rules.v[i].mode == MODE_STAGE && !find_staged(old, new->rules.v[i].id))
			err = add(s, false, NULL, "staged", "staged rule %s", new->rules.v[i].id);
	return err;
}

int diff_settings(const struct diff_source sources[DIFF_SIDES], const struct joint *joint, struct diff *diff)
{
	struct settings settings = { sources, joint, diff };
	int err = compare_defaults(&settings);

	if (!err)
		err = compare_interfaces(&settings);
	return err ? err : compare_all_staged(&settings);
}
