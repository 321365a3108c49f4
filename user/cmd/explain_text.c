// SPDX-License-Identifier: GPL-2.0-only
/*
 * An explanation for people: the answer in a line, then how it came about, a row for each thing that had a say.
 */
#include <errno.h>
#include <unistd.h>

#include "base/util.h"
#include "cmd/explained.h"

#define LABEL_MIN 11

struct page {
	const struct explained *explained;
	struct buffer text;
	size_t width; /* of labels */
	bool colour;
};

/* "gateway-to-db (policies/web.yaml:14, owner payments)" */
static void put_rule(struct page *page, const struct rule *rule)
{
	struct buffer *b = &page->text;

	buffer_plain(b, rule->id);
	if (!rule->place.line) {
		buffer_put(b, " (built in)");
		return;
	}
	buffer_put(b, " (");
	put_place(b, page->explained, &rule->place);
	if (rule->owner) {
		buffer_put(b, ", owner ");
		buffer_plain(b, rule->owner);
	}
	buffer_put(b, ")");
}

/* Labels are ASCII but for names of tiers, which are too. */
static void begin_row(struct page *page, const char *label, const char *name)
{
	buffer_printf(&page->text, "  %s%s%-*s  ", label, *name ? " " : "",
		      (int)(page->width - strlen(label) - !!*name), name);
}

static void row(struct page *page, const char *label, const char *text)
{
	begin_row(page, label, "");
	buffer_printf(&page->text, "%s\n", text);
}

static void put_verdict(struct page *page, bool allow)
{
	buffer_printf(&page->text, "%s%s%s", !page->colour ? "" : allow ? "\033[32m" : "\033[31m",
		      allow ? "allow" : "drop", page->colour ? "\033[0m" : "");
}

static void put_ends(struct page *page, const struct first_packet *packet)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	addr_print(&packet->from, from);
	addr_print(&packet->to, to);
	buffer_printf(&page->text, "%s → %s ", from, to);
	put_packet_service(&page->text, packet);
}

/* Who decided before failsafe: "rule no-telnet (…)", "the default". */
static void put_policy_decider(struct page *page, const struct explanation *e)
{
	if (e->policy_rule) {
		buffer_put(&page->text, "rule ");
		put_rule(page, e->policy_rule);
	} else {
		buffer_put(&page->text, e->shared ? "intra-zone" : "the default");
	}
}

/* What follows the packet in the first line. */
static void put_because(struct page *page, const struct explanation *e)
{
	struct buffer *b = &page->text;

	switch (e->reason) {
	case ZW_ALLOW_RULE:
	case ZW_DROP_RULE:
		buffer_put(b, "by rule ");
		put_rule(page, e->rule);
		break;
	case ZW_ALLOW_FAILSAFE:
		buffer_put(b, "by failsafe ");
		put_rule(page, e->rule);
		buffer_put(b, "; ");
		put_policy_decider(page, e);
		buffer_put(b, " alone would drop it");
		break;
	case ZW_ALLOW_INTRA_ZONE:
		buffer_printf(b, "by intra-zone: both ends are in %s", e->shared->name);
		break;
	case ZW_ALLOW_DEFAULT:
		buffer_put(b, "by default: no rule decides it");
		break;
	case ZW_DROP_DEFAULT:
		buffer_put(b, "by default: no rule allows it");
		if (e->shared)
			buffer_printf(b, ", and both ends being in %s does not", e->shared->name);
		break;
	default:
		buffer_printf(b, "as %s: %s", reason_name(e->reason), e->why);
	}
}

static void put_end(struct page *page, const char *label, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	addr_print(addr, text);
	begin_row(page, label, "");
	buffer_printf(&page->text, "%s is in ", text);
	if (!put_zones_of(&page->text, page->explained->policy, addr))
		buffer_put(&page->text, "no zone");
	buffer_put(&page->text, "\n");
}

static void put_interface(struct page *page, const struct first_packet *packet, const struct interface_match *source)
{
	if (!packet->interface)
		return;
	begin_row(page, packet->egress ? "leaves" : "enters", "");
	buffer_plain(&page->text, packet->interface);
	if (source) {
		buffer_printf(&page->text, ", which takes packets from %s only (",
			      page->explained->policy->zones[source->source].name);
		put_place(&page->text, page->explained, &source->place);
		buffer_put(&page->text, ")");
	}
	buffer_put(&page->text, "\n");
}

static void put_tier(struct page *page, const struct explain_tier *step)
{
	static const char *const deeds[] = { " drops it", " allows it", " passes it on" };
	struct buffer *b = &page->text;

	begin_row(page, "tier", page->explained->policy->tiers[step->tier]);
	if (step->ended) {
		put_rule(page, step->ended);
		buffer_printf(b, " would %s it, but it ended at ", action_name(step->ended->action));
		put_instant(b, step->ended->until);
		buffer_put(b, "\n");
		begin_row(page, "", "");
	}
	if (step->staged) {
		put_rule(page, step->staged);
		buffer_printf(b, " would %s it, but it is staged\n",
			      action_name(step->staged->action));
		begin_row(page, "", "");
	}
	if (step->rule) {
		put_rule(page, step->rule);
		buffer_put(b, deeds[step->rule->action]);
	} else {
		buffer_put(b, step->staged ? "no enforced rule matches" : step->ended ? "no other rule matches" : "no rule matches");
	}
	buffer_put(b, "\n");
}

static void put_after_tiers(struct page *page, const struct explanation *e)
{
	const struct policy *policy = page->explained->policy;

	begin_row(page, "intra-zone", "");
	if (e->shared) {
		buffer_printf(&page->text, "both ends are in %s: %s\n", e->shared->name, action_name(policy->intra_zone));
		return;
	}
	buffer_put(&page->text, "the ends share no zone\n");
	row(page, "default", action_name(policy->default_action));
}

static void put_failsafe(struct page *page, const struct explanation *e)
{
	begin_row(page, "failsafe", "");
	if (e->reason == ZW_ALLOW_FAILSAFE) {
		put_rule(page, e->rule);
		buffer_put(&page->text, e->reversed ? " lets it pass, as an answer to what the entry allows\n" : " lets it pass\n");
	} else {
		buffer_put(&page->text, "no entry matches\n");
	}
}

static void put_rule_conditions(struct page *page, const struct rule *rule)
{
	struct buffer conditions = { 0 };

	if (put_conditions(&conditions, rule, page->explained->at))
		row(page, "provided", conditions.data);
	page->text.failed |= conditions.failed;
	buffer_free(&conditions);
}

/* Was the staged rule told of with its tier? */
static bool is_shown(const struct explanation *e, const struct rule *staged)
{
	for (size_t i = 0; i < e->tier_count; i++)
		if (e->tiers[i].staged == staged)
			return true;
	return false;
}

static void put_policy(struct page *page, const struct explanation *e)
{
	for (size_t i = 0; i < e->tier_count; i++)
		put_tier(page, &e->tiers[i]);
	if (e->after_tiers)
		put_after_tiers(page, e);
	if (ZW_REASON_IS_DROP(e->policy_reason))
		put_failsafe(page, e);
	if (e->reason == ZW_ALLOW_RULE)
		put_rule_conditions(page, e->rule);
	if (e->staged && !is_shown(e, e->staged)) {
		begin_row(page, "if enforced", "");
		buffer_printf(&page->text, "staged rule %s would decide: %s\n", e->staged->id,
			      action_name(e->staged->action));
	}
}

static void put_follows(struct page *page)
{
	struct buffer *b = &page->text;

	for (size_t i = 0; i < page->explained->follows_count; i++) {
		const struct follows *follows = &page->explained->follows[i];

		begin_row(page, i ? "" : "later", "");
		buffer_printf(b, "%s from ", ZW_REASON_IS_DROP(follows->reason) ? "drop" : "allow");
		put_instant(b, follows->from);
		buffer_put(b, " on, by ");
		if (follows->rule)
			put_rule(page, follows->rule);
		else
			buffer_put(b, reason_name(follows->reason));
		buffer_put(b, "\n");
	}
}

/* "from is gateway, not guest" */
static void put_end_miss(struct page *page, const char *field, const struct zone_list *list, const struct addr *addr)
{
	const struct policy *policy = page->explained->policy;
	char text[ADDR_TEXT_MAX];

	buffer_printf(&page->text, "%s is ", field);
	put_zone_list(&page->text, policy, list->zone, list->count);
	if (lacks_family(policy, list, addr->family)) {
		buffer_printf(&page->text, ", which has no IPv%d address", addr->family);
		return;
	}
	buffer_put(&page->text, ", not ");
	addr_print(addr, text);
	if (!put_zones_of(&page->text, policy, addr))
		buffer_put(&page->text, text);
}

static void put_miss(struct page *page, const struct miss *miss)
{
	const struct first_packet *packet = &page->explained->packet;
	struct buffer *b = &page->text;

	buffer_put(b, "  ");
	put_rule(page, miss->rule);
	buffer_put(b, "\n    ");
	if (miss->passed) {
		buffer_put(b, "matches, but before it ");
		put_rule(page, miss->passed);
		buffer_put(b, " passes to the next tier");
	}
	if (miss->from)
		put_end_miss(page, "from", &miss->rule->from, &packet->from);
	if (miss->to) {
		buffer_put(b, miss->from ? "; " : "");
		put_end_miss(page, "to", &miss->rule->to, &packet->to);
	}
	if (miss->service) {
		buffer_put(b, miss->from || miss->to ? "; service is " : "service is ");
		put_rule_service(b, miss->rule);
		buffer_put(b, ", not ");
		put_packet_service(b, packet);
	}
	buffer_put(b, "\n");
}

static void put_misses(struct page *page, const struct explanation *e)
{
	struct buffer *b = &page->text;

	if (!e->miss_count)
		return;
	buffer_put(b, "\nnearest rules that allow\n");
	for (size_t i = 0; i < e->miss_count; i++)
		put_miss(page, &e->miss[i]);
	if (e->more_misses)
		buffer_printf(b, "  and %zu more as near\n", e->more_misses);
}

static void put_notes(struct page *page)
{
	if (page->explained->note_count)
		buffer_put(&page->text, "\n");
	for (size_t i = 0; i < page->explained->note_count; i++)
		buffer_printf(&page->text, "note: %s\n", page->explained->note[i]);
}

static void measure(struct page *page)
{
	const struct explanation *e = &page->explained->explanation;

	page->width = LABEL_MIN;
	for (size_t i = 0; i < e->tier_count; i++) {
		size_t len = strlen("tier ") + strlen(page->explained->policy->tiers[e->tiers[i].tier]);

		page->width = len > page->width ? len : page->width;
	}
}

static void put_packet(struct page *page)
{
	const struct explained *x = page->explained;
	const struct explanation *e = &x->explanation;

	measure(page);
	put_verdict(page, !ZW_REASON_IS_DROP(e->reason));
	buffer_put(&page->text, "  ");
	put_ends(page, &x->packet);
	buffer_put(&page->text, ZW_REASON_IS_DROP(e->reason) ? "\n      " : "\n       ");
	put_because(page, e);
	buffer_put(&page->text, "\n\n");
	put_end(page, "from", &x->packet.from);
	put_end(page, "to", &x->packet.to);
	put_interface(page, &x->packet, e->source);
	put_policy(page, e);
	put_follows(page);
	put_misses(page, e);
}

/* --- An answer about zones --------------------------------------------------------------------------------------- */

static void put_outcome(struct page *page, const struct reach_outcome *outcome)
{
	const struct rule *rule = explained_rule(page->explained, outcome->rule);
	bool by_default = outcome->reason == ZW_ALLOW_DEFAULT || outcome->reason == ZW_DROP_DEFAULT ||
			  outcome->reason == ZW_ALLOW_INTRA_ZONE;
	struct buffer *b = &page->text;

	begin_row(page, outcome->allow ? "allow" : "drop", "");
	put_ends(page, &outcome->example);
	if (rule) {
		buffer_put(b, outcome->reason == ZW_ALLOW_FAILSAFE ? " by failsafe " : " by rule ");
		put_rule(page, rule);
	} else {
		buffer_printf(b, " %s %s", by_default ? "by" : "as", reason_name(outcome->reason));
	}
	buffer_put(b, "\n");
}

static void put_outcomes(struct page *page, bool allow)
{
	const struct reach_outcome *shown[SHOWN_MAX];
	size_t count = shown_outcomes(&page->explained->reach, allow, shown);

	for (size_t i = 0; i < count && i < SHOWN_MAX; i++)
		put_outcome(page, shown[i]);
	if (count > SHOWN_MAX) {
		begin_row(page, "", "");
		buffer_printf(&page->text, "and %zu more %s\n", count - SHOWN_MAX, allow ? "that allow" : "that drop");
	}
}

static void put_answer(struct page *page)
{
	static const char *const answers[][2] = {
		[REACH_NONE] = { "none", "there is no such packet" },
		[REACH_NO] = { "no", "nothing may pass" },
		[REACH_PARTLY] = { "partly", "some may pass, some may not" },
		[REACH_YES] = { "yes", "everything may pass" },
	};
	const struct question *q = &page->explained->question;
	enum reach_answer answer = reach_answer(&page->explained->reach);
	struct buffer *b = &page->text;

	page->width = strlen("allow");
	buffer_printf(b, "%s  ", answers[answer][0]);
	buffer_plain(b, q->from);
	buffer_put(b, " → ");
	buffer_plain(b, q->to);
	buffer_put(b, " ");
	buffer_plain(b, q->service);
	buffer_printf(b, ": %s\n\n", answers[answer][1]);
	put_outcomes(page, true);
	put_outcomes(page, false);
}

int explained_print(const struct explained *explained, bool colour)
{
	struct page page = { .explained = explained, .colour = colour };

	if (explained->is_packet)
		put_packet(&page);
	else
		put_answer(&page);
	put_notes(&page);
	if (!page.text.failed)
		fputs(page.text.data, stdout);
	buffer_free(&page.text);
	return page.text.failed ? -ENOMEM : 0;
}
