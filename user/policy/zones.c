// SPDX-License-Identifier: GPL-2.0-only
/* The key `zones`, and zones where they are named. */
#include "policy/address.h"
#include "policy/feed.h"
#include "policy/schema.h"

static const char *const builtin_zones[] = { "any", "host", "world", NULL };

static int find_builtin(const char *name)
{
	for (size_t i = 0; builtin_zones[i]; i++)
		if (!strcmp(builtin_zones[i], name))
			return i;
	return -1;
}

/* A new zone at the end of the policy's. Returns its index or -1. */
static int add_zone(struct reader *reader, const char *name, enum zone_kind kind, const struct place *place)
{
	struct policy *policy = reader->policy;
	char *copy = strdup(name);

	if (failed(reader, copy ? 0 : -ENOMEM) ||
	    failed(reader, array_grow(&policy->zones, policy->zone_count, sizeof(*policy->zones)))) {
		free(copy);
		return -1;
	}
	policy->zones[policy->zone_count] = (struct zone){ .name = copy, .kind = kind, .place = *place };
	return policy->zone_count++;
}

void declare_zones(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	(void)into;
	if (value->kind != NODE_MAP) {
		if (value->kind != NODE_BAD)
			diag_error(reader->diag, &value->place, NULL, "expected a map of zones by their names");
		return;
	}
	node_for_each_key(zone, value) {
		/* A name that may not be is known all the same, so that what uses it is not another mistake. */
		if (!name_check(reader, zone, "a zone") && find_builtin(zone->text) >= 0)
			continue;
		if (!define(reader, &reader->zones, zone, zone->text, "zone"))
			continue;
		add_zone(reader, zone->text, ZONE_DECLARED, &zone->place);
		if (reader->zones.count == ZONES_MAX + 1)
			diag_error(reader->diag, &zone->place, NULL, "the policy has more than %u zones", ZONES_MAX);
	}
}

/* Counts an entry against the limit of all. False: there is no room for it. */
bool take_prefix(struct reader *reader)
{
	if (reader->prefixes == PREFIXES_MAX) {
		reader->prefixes_full = true;
		return false;
	}
	reader->prefixes++;
	return true;
}

/* Reads the entries of a list of addresses. Returns whether all were. */
static bool read_addresses(struct reader *reader, const struct node *list, struct ranges *ranges)
{
	struct address_problem problem;
	struct address_range range;
	bool good = true;

	if (!want_list(reader, list, "a list of addresses"))
		return false;
	if (!list->count)
		diag_warning(reader->diag, &list->place, NULL, "the list is empty: it matches nothing");
	node_for_each(node, list) {
		if (!want_text(reader, node, "an address, a CIDR or a range")) {
			good = false;
			continue;
		}
		if (address_read(node->text, &range, &problem)) {
			bool is_zone = index_find(&reader->zones.index, node->text, &(unsigned){ 0 });

			diag_error(reader->diag, &node->place,
				   is_zone	   ? "a zone that unites others lists them under 'zones:'" :
				   problem.fix[0] ? problem.fix :
						    NULL,
				   "%s", problem.what);
			good = false;
		} else if (take_prefix(reader)) {
			failed(reader, ranges_add(ranges, range.family, range.first, range.last));
		}
	}
	return good;
}

/* What was written of a zone, besides what goes straight into it. */
struct zone_text {
	unsigned zone;
	const struct node *file;
	const struct node *of_file[4]; /* keys that are for zones with a file */
	size_t of_file_count;
	bool has_source, bad;
};

static void read_list(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct zone_text *text = into;
	struct zone *zone = &reader->policy->zones[text->zone];

	text->has_source = true;
	(void)key;
	text->bad |= !read_addresses(reader, value, &zone->listed);
}

static void read_except(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct zone_text *text = into;

	(void)key;
	text->bad |= !read_addresses(reader, value, &reader->policy->zones[text->zone].except);
}

static bool add_member(struct reader *reader, struct zone *zone, unsigned member)
{
	if (failed(reader, array_grow(&zone->zones, zone->zone_count, sizeof(*zone->zones))))
		return false;
	zone->zones[zone->zone_count++] = member;
	return true;
}

static void read_member(struct reader *reader, struct zone_text *text, const struct node *node)
{
	unsigned found;

	if (!want_text(reader, node, "the name of a zone")) {
		text->bad = true;
	} else if (index_find(&reader->zones.index, node->text, &found)) {
		add_member(reader, &reader->policy->zones[text->zone], ZONE_INDEX_FIRST_DECLARED + found);
	} else if (find_builtin(node->text) >= 0) {
		diag_error(reader->diag, &node->place, "name it in the rules, beside the zone",
			   "a zone cannot unite the built-in zone '%s'", node->text);
		text->bad = true;
	} else if (address_is_meant(node->text)) {
		diag_error(reader->diag, &node->place, "addresses stand under 'addresses:'", "'%.60s' is not a zone",
			   node->text);
		text->bad = true;
	} else {
		report_undefined(reader, node, &reader->zones, "zone", NULL);
		text->bad = true;
	}
}

static void read_members(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct zone_text *text = into;

	(void)key;
	text->has_source = true;
	reader->policy->zones[text->zone].is_union = true;
	if (!want_list(reader, value, "a list of zones")) {
		text->bad = true;
		return;
	}
	if (!value->count)
		diag_warning(reader->diag, &value->place, NULL, "the list is empty: it matches nothing");
	node_for_each(node, value)
		read_member(reader, text, node);
}

static void read_file_key(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct zone_text *text = into;

	(void)key;
	text->has_source = true;
	if (want_text(reader, value, "a path"))
		text->file = value;
	else
		text->bad = true;
}

static void note_key(struct zone_text *text, const struct node *key)
{
	if (text->of_file_count < ARRAY_LEN(text->of_file)) /* one that is given twice is a mistake by itself */
		text->of_file[text->of_file_count++] = key;
}

static struct zone_feed *feed_of(struct reader *reader, const struct zone_text *text)
{
	return &reader->policy->zones[text->zone].feed;
}

static void read_on_error(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	static const char *const words[] = { "refuse", "skip", NULL };
	struct zone_text *text = into;

	note_key(text, key);
	feed_of(reader, text)->skip = want_word(reader, value, words) == 1;
}

static void read_min_entries(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct zone_text *text = into;

	note_key(text, key);
	want_number(reader, value, 0, PREFIXES_MAX, &feed_of(reader, text)->min_entries);
}

static void read_max_age(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct zone_text *text = into;

	note_key(text, key);
	want_time(reader, value, &feed_of(reader, text)->max_age_s);
}

static void read_column(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct zone_text *text = into;
	struct zone_feed *feed = feed_of(reader, text);

	note_key(text, key);
	if (!want_text(reader, value, "the name of a column")) {
		text->bad = true;
		return;
	}
	free(feed->column);
	feed->column = strdup(value->text);
	failed(reader, feed->column ? 0 : -ENOMEM);
}

static const struct schema zone_schema = {
	"a zone",
	(const struct field[]){
		{ "addresses", false, read_list },
		{ "except", false, read_except },
		{ "zones", false, read_members },
		{ "file", false, read_file_key },
		{ "on-error", false, read_on_error },
		{ "min-entries", false, read_min_entries },
		{ "max-age", false, read_max_age },
		{ "column", false, read_column },
		{ 0 },
	},
};

static void read_feed(struct reader *reader, struct zone_text *text)
{
	struct zone *zone = &reader->policy->zones[text->zone];
	_cleanup_free_ char *path = path_beside(reader->document, text->file->text);
	struct file_text file = { 0 };
	_cleanup_free_ char *bytes = NULL;
	int err;

	zone->file = strdup(text->file->text);
	if (failed(reader, path && zone->file ? 0 : -ENOMEM))
		return;
	err = files_read(reader->files, path, FEED_FILE_BYTES, &file);
	bytes = file.text;
	if (err == -ENOMEM) {
		reader->out_of_memory = true;
		return;
	}
	if (err) {
		diag_error(reader->diag, &text->file->place, NULL, "cannot read '%.120s': %s", path, file_problem(err));
		text->bad = true;
		return;
	}
	zone->feed.path = take_ptr(path);
	if (failed(reader, remember_file(reader, zone->feed.path)))
		return;
	text->bad |= !feed_read(reader, zone, &text->file->place, bytes, file.len, &zone->listed);
}

static void check_zone_keys(struct reader *reader, const struct zone_text *text, const struct node *value)
{
	if (!text->has_source && !value->cut)
		diag_error(reader->diag, &value->place, NULL, "a zone needs one of the keys 'addresses', 'zones', 'file'");
	for (size_t i = 0; i < text->of_file_count && !text->file; i++)
		diag_error(reader->diag, &text->of_file[i]->place, NULL, "'%s' is for zones with 'file'", text->of_file[i]->text);
}

static void read_zone_body(struct reader *reader, unsigned zone, const struct node *value)
{
	struct zone_text text = { .zone = zone };

	if (value->kind == NODE_MAP) {
		size_t errors = diag_errors(reader->diag);

		schema_read(reader, &zone_schema, value, &text);
		if (diag_errors(reader->diag) == errors)
			check_zone_keys(reader, &text, value);
		if (text.file)
			read_feed(reader, &text);
	} else {
		text.bad = !read_addresses(reader, value, &reader->policy->zones[zone].listed);
	}
	reader->zone_bad[zone] = text.bad;
}

static size_t entries_of(const struct zone *zone)
{
	return zone->listed.v4_count + zone->listed.v6_count + zone->except.v4_count + zone->except.v6_count;
}

static void check_prefixes(struct reader *reader)
{
	const struct policy *policy = reader->policy;
	const struct zone *most = &policy->zones[0];

	if (!reader->prefixes_full)
		return;
	for (size_t i = 0; i < policy->zone_count; i++)
		if (entries_of(&policy->zones[i]) > entries_of(most))
			most = &policy->zones[i];
	diag_error(reader->diag, &most->place, NULL,
		   "the zones list more than %u addresses and prefixes; this one has the most, %zu of what was read",
		   PREFIXES_MAX, entries_of(most));
}

/*
 * Unions of unions can say more in a few lines than fits anywhere. Counted as if no ranges overlapped, members first.
 */
static void check_unions(struct reader *reader)
{
	struct policy *policy = reader->policy;
	_cleanup_free_ unsigned *order = array_new(policy->zone_count, sizeof(*order));
	_cleanup_free_ size_t *size = array_new(policy->zone_count, sizeof(*size));
	size_t total = 0;
	int cycle;

	if (!order || !size || zones_order(policy, order, &cycle) < 0) {
		reader->out_of_memory = true;
		return;
	}
	if (cycle >= 0) {
		diag_error(reader->diag, &policy->zones[cycle].place, NULL, "zone '%s' contains itself",
			   policy->zones[cycle].name);
		return;
	}
	for (size_t i = 0; i < policy->zone_count; i++) {
		const struct zone *zone = &policy->zones[order[i]];
		size_t *own = &size[order[i]];

		*own = entries_of(zone);
		for (size_t j = 0; j < zone->zone_count; j++)
			*own += size[zone->zones[j]];
		total += *own;
		if (total > RANGES_MAX) {
			diag_error(reader->diag, &zone->place, NULL,
				   "the zones unite more than %u ranges in all; this one has %zu", RANGES_MAX, *own);
			return;
		}
	}
}

void read_zones(struct reader *reader)
{
	reader->zone_bad = array_new(reader->policy->zone_count, sizeof(*reader->zone_bad));
	if (!reader->zone_bad) {
		reader->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < reader->zones.count && !reader->out_of_memory; i++) {
		reader->document = reader->zones.v[i].document;
		read_zone_body(reader, ZONE_INDEX_FIRST_DECLARED + i, reader->zones.v[i].node->next);
	}
	if (reader->out_of_memory)
		return;
	check_prefixes(reader);
	check_unions(reader);
}

static int read_literal(struct reader *reader, const struct node *node)
{
	struct address_problem problem;
	struct address_range range;
	unsigned known;
	int zone;

	if (index_find(&reader->literals, node->text, &known))
		return known;
	if (address_read(node->text, &range, &problem)) {
		diag_error(reader->diag, &node->place, *problem.fix ? problem.fix : NULL, "%s", problem.what);
		return -1;
	}
	if (!take_prefix(reader))
		return -1;
	zone = add_zone(reader, node->text, ZONE_LITERAL, &node->place);
	if (zone < 0 ||
	    failed(reader, ranges_add(&reader->policy->zones[zone].listed, range.family, range.first, range.last)) ||
	    failed(reader, index_add(&reader->literals, reader->policy->zones[zone].name, zone)))
		return -1;
	return zone;
}

int read_zone(struct reader *reader, const struct node *node)
{
	unsigned found;
	int builtin;

	if (!want_text(reader, node, "a zone or an address"))
		return -1;
	if (index_find(&reader->zones.index, node->text, &found))
		return ZONE_INDEX_FIRST_DECLARED + found;
	builtin = find_builtin(node->text);
	if (builtin >= 0)
		return builtin;
	if (address_is_meant(node->text))
		return read_literal(reader, node);
	report_undefined(reader, node, &reader->zones, "zone", builtin_zones);
	return -1;
}

static int compare(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

static void sort_list(struct zone_list *list)
{
	size_t kept = 0;

	if (!list->count)
		return;
	qsort(list->zone, list->count, sizeof(*list->zone), compare);
	for (size_t i = 1; i < list->count; i++)
		if (list->zone[i] != list->zone[kept])
			list->zone[++kept] = list->zone[i];
	list->count = kept + 1;
}

static bool add_to_list(struct reader *reader, const struct node *node, struct zone_list *list)
{
	int zone = read_zone(reader, node);

	if (zone < 0 || failed(reader, array_grow(&list->zone, list->count, sizeof(*list->zone))))
		return false;
	list->zone[list->count++] = zone;
	return true;
}

bool read_zone_list(struct reader *reader, const struct node *value, struct zone_list *ret_list)
{
	bool good = true;

	if (value->kind != NODE_LIST)
		return add_to_list(reader, value, ret_list);
	if (!value->count)
		diag_warning(reader->diag, &value->place, NULL, "the list is empty: it matches nothing");
	node_for_each(node, value)
		good &= add_to_list(reader, node, ret_list);
	sort_list(ret_list);
	return good;
}
