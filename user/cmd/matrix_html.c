// SPDX-License-Identifier: GPL-2.0-only
/*
 * The matrix as a page: nothing is loaded from anywhere, no script runs. A cell links to its pair below, which names what
 * decides there; that links to the rules. Every text of the policy goes through buffer_xml.
 */
#include "base/util.h"
#include "cmd/matrix.h"
#include "cmd/moment_words.h"
#include "policy/canonical.h"

#define CHIPS_MAX 6 /* of a cell; its pair has all */
#define ADDRESSES_MAX 8 /* of a zone that are shown at once */

static const char style[] =
	":root{color-scheme:light "
	"dark;--bg:#fff;--fg:#1c2126;--dim:#69737d;--line:#d8dee4;--head:#f4f6f8;--open:#dff3e4;"
	"--open-line:#6fb585;--part:#fff3d1;--part-line:#c9a227;--safe:#e2ecfb;--safe-line:#6c95cf;--mark:#"
	"fdf6b2}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#14181c;--fg:#e3e8ed;--dim:#8d98a3;--line:#333b43;--"
	"head:#1d2329;"
	"--open:#16381f;--open-line:#3f8a56;--part:#3b3010;--part-line:#a3841f;--safe:#172b47;--safe-line:#"
	"4a74ad;--mark:#4a4415}}\n"
	"*{box-sizing:border-box}body{margin:0 "
	"auto;padding:1.5rem;max-width:110rem;background:var(--bg);color:var(--fg);"
	"font:15px/1.45 system-ui,sans-serif}\n"
	"h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}h3{font-size:1rem;margin:0 "
	"0 .3rem}"
	"p{margin:.3rem 0}.dim,td.none{color:var(--dim)}a{color:inherit}code{font:.9em "
	"ui-monospace,monospace}\n"
	".scroll{overflow:auto;max-height:85vh;border:1px solid var(--line);border-radius:6px}\n"
	"table{border-collapse:separate;border-spacing:0;font-size:.92rem}th,td{padding:.35rem "
	".6rem;text-align:left;"
	"vertical-align:top;border-right:1px solid var(--line);border-bottom:1px solid var(--line)}\n"
	"th{background:var(--head);font-weight:600;white-space:nowrap}thead "
	"th{position:sticky;top:0;z-index:2}"
	"tbody th{position:sticky;left:0;z-index:1}thead th:first-child{left:0;z-index:3}\n"
	"tbody tr:hover td:not(.void){background:var(--head)}"
	"td.void{background:repeating-linear-gradient(45deg,transparent 0 5px,var(--head) 5px 7px)}\n"
	"td a.cell{display:block;text-decoration:none}td a.cell:hover,td a.cell:focus{outline:2px solid "
	"var(--safe-line);"
	"outline-offset:3px;border-radius:3px}\n"
	".chip{display:inline-block;margin:.08rem .2rem .08rem 0;padding:0 .4rem;border:1px solid "
	"var(--open-line);"
	"border-radius:4px;background:var(--open);white-space:nowrap}.chip.wide{white-space:normal}"
	".chip.partly{border-style:dashed;border-color:var(--part-line);background:var(--part)}"
	".chip.failsafe{border-color:var(--safe-line);background:var(--safe)}.chip small{color:var(--dim)}\n"
	".pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(21rem,1fr));gap:.8rem}"
	".pair{border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem}.pair ul{margin:.3rem 0 "
	"0;padding-left:1.1rem}"
	".pair:target,tr:target>*{background:var(--mark)}.pair,tr{scroll-margin-top:3rem}\n"
	"@media print{.scroll{max-height:none;overflow:visible}}\n";

struct page {
	const struct matrix_view *view;
	struct buffer text;
};

static void put(struct page *page, const char *html)
{
	buffer_put(&page->text, html);
}

static void put_text(struct page *page, const char *text)
{
	buffer_xml(&page->text, text);
}

static void put_zone(struct page *page, unsigned zone)
{
	const struct zone *z = &page->view->policy->zones[zone];

	if (z->kind == ZONE_LITERAL || z->kind == ZONE_ANY) {
		put_text(page, z->name);
		return;
	}
	buffer_printf(&page->text, "<a href=\"#z%u\">", zone);
	put_text(page, z->name);
	put(page, "</a>");
}

static void put_zones(struct page *page, const struct zone_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		put(page, i ? ", " : "");
		put_zone(page, list->zone[i]);
	}
}

/* --- The matrix ---------------------------------------------------------------------------------------------------- */

static void put_chip(struct page *page, const char *service, unsigned way)
{
	buffer_printf(&page->text, "<span class=\"chip%s%s%s\">", way & OPEN_PARTLY ? " partly" : "",
		      way & OPEN_FAILSAFE ? " failsafe" : "", strlen(service) > 28 ? " wide" : "");
	put_text(page, service);
	if (way)
		buffer_printf(&page->text, " <small>%s</small>", matrix_way(way));
	put(page, "</span>");
}

static void put_chips(struct page *page, const struct matrix_words *words, size_t most)
{
	size_t count = 0;

	for (int i = 0; i < OPEN_WAYS; i++) {
		struct json_object *open = words->open[matrix_ways[i]];

		for (size_t n = 0; n < matrix_services(open); n++)
			if (count++ < most)
				put_chip(page, matrix_service(open, n), matrix_ways[i]);
	}
	if (count > most)
		buffer_printf(&page->text, "<span class=\"dim\">+%zu</span>", count - most);
}

/* What is shown over a cell: "allowed by rule x; dropped by default". */
static void put_hint(struct page *page, const struct matrix_cell *cell)
{
	struct buffer name = { 0 };

	for (size_t i = 0; i < cell->decider_count; i++) {
		const struct matrix_decider *decider = &cell->deciders[i];
		bool again = i && cell->deciders[i - 1].allow == decider->allow;

		buffer_clear(&name);
		matrix_put_decider(page->view, decider, &name);
		put(page, again ? ", " : i ? "\n" : "");
		put(page, again ? "" : decider->allow ? "allowed by " : "dropped by ");
		put_text(page, name.data);
	}
	page->text.failed |= name.failed;
	buffer_free(&name);
}

static void put_cell(struct page *page, size_t row, size_t column, const struct matrix_words *words)
{
	if (words->cell->is_empty) {
		put(page, "<td class=\"void\" title=\"no packet goes this way\"></td>");
		return;
	}
	put(page, words->cell->some ? "<td title=\"" : "<td class=\"none\" title=\"");
	put_hint(page, words->cell);
	put(page, "\">");
	if (words->cell->some) {
		buffer_printf(&page->text, "<a class=\"cell\" href=\"#p%zu-%zu\">", row, column);
		put_chips(page, words, CHIPS_MAX);
		put(page, "</a>");
	} else {
		put(page, "–");
	}
	put(page, "</td>");
}

static int put_row(struct page *page, size_t row)
{
	const struct matrix_view *view = page->view;
	int err = 0;

	put(page, "<tr><th scope=\"row\">");
	put_zone(page, view->from[row]);
	put(page, "</th>");
	for (size_t column = 0; column < view->to_count && !err; column++) {
		struct matrix_words words;

		err = matrix_words(view, row, column, &words);
		if (!err)
			put_cell(page, row, column, &words);
		matrix_words_clear(&words);
	}
	put(page, "</tr>\n");
	return err;
}

static int put_matrix(struct page *page)
{
	const struct matrix_view *view = page->view;
	int err = 0;

	put(page, "<div class=\"scroll\"><table>\n<thead><tr><th>from ↓ to →</th>");
	for (size_t i = 0; i < view->to_count; i++) {
		put(page, "<th scope=\"col\">");
		put_zone(page, view->to[i]);
		put(page, "</th>");
	}
	put(page, "</tr></thead>\n<tbody>\n");
	for (size_t row = 0; row < view->from_count && !err; row++)
		err = put_row(page, row);
	put(page, "</tbody></table></div>\n");
	return err;
}

static void put_legend(struct page *page)
{
	put(page,
	    "<p class=\"dim\"><span class=\"chip\">service</span> open between all addresses of the two "
	    "zones "
	    "<span class=\"chip partly\">service <small>partly</small></span> between some of them only "
	    "<span class=\"chip failsafe\">service <small>failsafe</small></span> by failsafe, whatever the "
	    "rules say "
	    "· – nothing is open · hatched: no packet goes this way. Who opens a connection; its answers "
	    "need no rule.</p>\n");
}

/* --- Pairs --------------------------------------------------------------------------------------------------------- */

static void put_decider(struct page *page, const struct matrix_decider *decider)
{
	struct buffer text = { 0 };

	matrix_put_decider(page->view, decider, &text);
	if (decider->rule)
		buffer_printf(&page->text, "<a href=\"#r%u\">", decider->rule);
	put_text(page, text.data ? text.data : "");
	put(page, decider->rule ? "</a>" : "");
	page->text.failed |= text.failed;
	buffer_free(&text);
}

/* What allows stands with its place and ends, a line each. */
static void put_allowing(struct page *page, const struct matrix_decider *decider)
{
	struct buffer text = { 0 };

	put(page, "<li>allowed by ");
	put_decider(page, decider);
	matrix_put_rule(page->view, decider, &text);
	if (text.len) {
		put(page, "<br><span class=\"dim\">");
		put_text(page, text.data);
		put(page, "</span>");
	}
	put(page, "</li>");
	page->text.failed |= text.failed;
	buffer_free(&text);
}

static void put_deciders(struct page *page, const struct matrix_cell *cell)
{
	const char *before = "<li>else dropped by ";

	put(page, "<ul>");
	for (size_t i = 0; i < cell->decider_count; i++) {
		if (cell->deciders[i].allow) {
			put_allowing(page, &cell->deciders[i]);
			continue;
		}
		put(page, before);
		put_decider(page, &cell->deciders[i]);
		before = ", ";
	}
	put(page, *before == ',' ? "</li></ul>" : "</ul>");
}

static int put_pair(struct page *page, size_t row, size_t column)
{
	const struct matrix_view *view = page->view;
	struct matrix_words words;
	int err = matrix_words(view, row, column, &words);

	if (!err && words.cell->some) {
		buffer_printf(&page->text, "<div class=\"pair\" id=\"p%zu-%zu\"><h3>", row, column);
		put_zone(page, view->from[row]);
		put(page, " → ");
		put_zone(page, view->to[column]);
		put(page, "</h3>");
		put_chips(page, &words, SIZE_MAX);
		put_deciders(page, words.cell);
		put(page, "</div>\n");
	}
	matrix_words_clear(&words);
	return err;
}

static int put_pairs(struct page *page)
{
	int err = 0;

	put(page, "<h2>Pairs and what decides</h2>\n<div class=\"pairs\">\n");
	for (size_t row = 0; row < page->view->from_count && !err; row++)
		for (size_t column = 0; column < page->view->to_count && !err; column++)
			err = put_pair(page, row, column);
	put(page, "</div>\n");
	return err;
}

/* --- Rules and zones ----------------------------------------------------------------------------------------------- */

static void put_rule(struct page *page, uint32_t number)
{
	const struct rule_name *name = names_rule(page->view->tables->names, number);
	const struct rule *rule = page->view->rules[number];

	buffer_printf(&page->text, "<tr id=\"r%u\"><th scope=\"row\">", number);
	put_text(page, name->id);
	buffer_printf(&page->text, "</th><td>%s%s", action_name(rule->action),
		      name->is_failsafe          ? " (failsafe)"
		      : rule->mode == MODE_STAGE ? " (staged)"
						 : "");
	if (rule->expires) {
		put(page, " until ");
		put_instant(&page->text, rule->until);
	}
	put(page, "</td><td>");
	put_zones(page, &rule->from);
	put(page, "</td><td>");
	put_zones(page, &rule->to);
	put(page, "</td><td>");
	put_text(page, name->service);
	put(page, "</td><td>");
	put_text(page, name->owner);
	put(page, "</td><td>");
	put_text(page, *name->place ? name->place : "built in");
	put(page, "</td></tr>\n");
}

static void put_rules(struct page *page)
{
	put(page, "<h2>Rules</h2>\n<div "
		  "class=\"scroll\"><table>\n<thead><tr><th>rule</th><th>action</th><th>from</th><th>to</th>"
		  "<th>service</th><th>owner</th><th>place</th></tr></thead>\n<tbody>\n");
	for (uint32_t number = 1; number <= names_rule_count(page->view->tables->names); number++)
		if (page->view->rules[number])
			put_rule(page, number);
	put(page, "</tbody></table></div>\n");
}

static int put_addresses(struct page *page, const struct ranges *set)
{
	struct json_object *list = canonical_addresses(set);
	size_t count = list ? json_object_array_length(list) : 0;

	if (count > ADDRESSES_MAX)
		buffer_printf(&page->text, "<details><summary>%zu ranges</summary>", count);
	for (size_t i = 0; i < count; i++) {
		put(page, i ? ", <code>" : "<code>");
		put_text(page, json_object_get_string(json_object_array_get_idx(list, i)));
		put(page, "</code>");
	}
	put(page, count > ADDRESSES_MAX ? "</details>" : "");
	json_object_put(list);
	return list ? 0 : -ENOMEM;
}

static int put_zone_rows(struct page *page)
{
	const struct policy *policy = page->view->policy;
	int err = 0;

	put(page,
	    "<h2>Zones</h2>\n<div "
	    "class=\"scroll\"><table>\n<thead><tr><th>zone</th><th>addresses</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < policy->zone_count && !err; i++) {
		const struct zone *zone = &policy->zones[i];

		if (zone->kind == ZONE_LITERAL || zone->kind == ZONE_ANY)
			continue;
		buffer_printf(&page->text, "<tr id=\"z%zu\"><th scope=\"row\">", i);
		put_text(page, zone->name);
		put(page, "</th><td>");
		err = put_addresses(page, &zone->set);
		put(page, "</td></tr>\n");
	}
	put(page, "</tbody></table></div>\n");
	return err;
}

/* --- The page ------------------------------------------------------------------------------------------------------ */

static void put_head(struct page *page)
{
	const struct policy *policy = page->view->policy;

	put(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
	put_text(page, policy->file_count ? policy->files[0] : "policy");
	put(page, ": who may open what</title>\n<style>\n");
	put(page, style);
	put(page, "</style>\n</head>\n<body>\n<h1>Who may open what</h1>\n<p class=\"dim\">");
	for (size_t i = 0; i < policy->file_count; i++) {
		put(page, i ? ", <code>" : "<code>");
		put_text(page, policy->files[i]);
		put(page, "</code>");
	}
	buffer_printf(&page->text, "<br>what no rule decides: %s; inside a zone: %s</p>\n",
		      action_name(policy->default_action), action_name(policy->intra_zone));
}

int matrix_print_html(const struct matrix_view *view)
{
	struct page page = { .view = view };
	int err;

	put_head(&page);
	err = matrix_put_notes(view, "<p>Note: ", ".</p>\n", &page.text);
	put(&page, "<h2>From each zone to each other</h2>\n");
	if (!err)
		err = put_matrix(&page);
	put_legend(&page);
	if (!err)
		err = put_pairs(&page);
	put_rules(&page);
	if (!err)
		err = put_zone_rows(&page);
	put(&page, "</body>\n</html>\n");
	return err ? (buffer_free(&page.text), err) : matrix_flush(&page.text);
}
