// SPDX-License-Identifier: GPL-2.0-only
#include "policy/feed.h"

#include "policy/address.h"

/* Of one feed, so many mistakes are shown line by line; the rest is counted. */
#define MISTAKES_SHOWN 50
#define LINE_MAX_SHOWN 200
#define BLANKS " \t\r"

/* A feed and what is told of it. */
struct feed {
	const struct zone_feed *terms;
	int file;
	int column; /* its number from 0; -1: of CSV whose header has not come, or no CSV */
	bool no_header; /* it does not come any more */
	size_t mistakes, entries;
	struct place place; /* of the line */
	char line[LINE_MAX_SHOWN]; /* what stood there, for a quotation: reading cuts it up */
};

static void report(struct reader *reader, struct feed *feed, const char *fix, const char *what)
{
	if (feed->mistakes++ >= MISTAKES_SHOWN)
		return;
	failed(reader, diag_quote(reader->diag, feed->file, feed->place.line, feed->line, strlen(feed->line)));
	if (feed->terms->skip && !feed->no_header)
		diag_warning(reader->diag, &feed->place, fix, "%s", what);
	else
		diag_error(reader->diag, &feed->place, fix, "%s", what);
}

/* A feed with a few wrong digits must not be able to name half of the world. */
static bool is_too_wide(const struct address_range *range)
{
	u128 more = range->last - range->first;

	return range->family == 4 ? more >= (u128)1 << 24 : more >= (u128)1 << 112;
}

static void cut_blanks(char *text, size_t len)
{
	while (len && strchr(BLANKS, text[len - 1]))
		len--;
	text[len] = 0;
}

static void read_entry(struct reader *reader, struct feed *feed, const char *text, struct ranges *ranges)
{
	struct address_problem problem;
	struct address_range range;

	feed->place.length = strlen(text);
	if (address_read(text, &range, &problem))
		report(reader, feed, *problem.fix ? problem.fix : NULL, problem.what);
	else if (is_too_wide(&range))
		report(reader, feed, "write it into the policy itself if it is meant",
		       "an entry wider than /8 (IPv6: /16) is too wide for a file of addresses");
	else if (take_prefix(reader)) {
		feed->entries++;
		failed(reader, ranges_add(ranges, range.family, range.first, range.last));
	}
}

static void read_plain(struct reader *reader, struct feed *feed, char *text, struct ranges *ranges)
{
	size_t indent = strspn(text, BLANKS);

	cut_blanks(text, strcspn(text, "#"));
	feed->place.column = indent + 1;
	if (text[0] && text[indent])
		read_entry(reader, feed, text + indent, ranges);
}

/* The next field of a line of CSV, without its quotes; *rest is what stands behind it, NULL at the end. NULL: there is none. */
static char *next_field(char **rest)
{
	char *at = *rest, *field, *end;

	if (!at)
		return NULL;
	at += strspn(at, BLANKS);
	field = end = at;
	if (*at == '"') {
		for (at++; *at && (*at != '"' || at[1] == '"'); at++) {
			at += *at == '"';
			*end++ = *at;
		}
		at += strcspn(at, ",");
	} else {
		at += strcspn(at, ",");
		end = at;
	}
	*rest = *at ? at + 1 : NULL;
	cut_blanks(field, end - field);
	return field;
}

static void find_column(struct feed *feed, char *text)
{
	char *rest = text + strspn(text, BLANKS "#"), *field;

	for (int i = 0; feed->column < 0 && (field = next_field(&rest)); i++)
		if (!strcmp(field, feed->terms->column))
			feed->column = i;
}

static void read_csv(struct reader *reader, struct feed *feed, char *text, struct ranges *ranges)
{
	size_t indent = strspn(text, BLANKS);
	bool comment = text[indent] == '#';
	char *rest = text, *field = NULL;

	feed->place.column = indent + 1;
	feed->place.length = 1;
	if (!text[indent])
		return;
	if (feed->column < 0) {
		find_column(feed, text);
		if (feed->column >= 0 || comment)
			return;
		feed->no_header = true;
		report(reader, feed, NULL, "the header has no field that is called as 'column' says");
		return;
	}
	if (comment)
		return;
	for (int i = 0; i <= feed->column; i++)
		field = next_field(&rest);
	if (!field) {
		report(reader, feed, NULL, "the line has fewer fields than the header");
		return;
	}
	feed->place.column = field - text + 1;
	read_entry(reader, feed, field, ranges);
}

static void read_line(struct reader *reader, struct feed *feed, char *text, size_t len, struct ranges *ranges)
{
	size_t shown = strnlen(text, sizeof(feed->line) - 1);

	feed->place.line++;
	memcpy(feed->line, text, shown);
	feed->line[shown] = 0;
	if (strlen(text) != len) {
		feed->place.column = strlen(text) + 1;
		feed->place.length = 1;
		report(reader, feed, NULL, "not a text file: a NUL byte");
	} else if (feed->terms->column) {
		read_csv(reader, feed, text, ranges);
	} else {
		read_plain(reader, feed, text, ranges);
	}
}

static void read_lines(struct reader *reader, struct feed *feed, char *text, size_t len, struct ranges *ranges)
{
	char *end = text + len, *next;

	if (!strncmp(text, "\xef\xbb\xbf", 3)) /* a byte order mark */
		text += 3;
	for (; text < end && !reader->prefixes_full && !feed->no_header; text = next) {
		next = memchr(text, '\n', end - text);
		next = next ? next : end;
		*next = 0;
		read_line(reader, feed, text, next - text, ranges);
		next++;
	}
}

/* Of the whole file. */
static void judge(struct reader *reader, const struct feed *feed, const struct zone *zone, const struct place *at)
{
	const struct place place = { .file = feed->file };
	size_t more = feed->mistakes > MISTAKES_SHOWN ? feed->mistakes - MISTAKES_SHOWN : 0;

	if (more && feed->terms->skip)
		diag_warning(reader->diag, &place, NULL, "%zu more lines were skipped", more);
	else if (more)
		diag_error(reader->diag, &place, NULL, "%zu more lines have mistakes", more);
	if (feed->no_header || (feed->mistakes && !feed->terms->skip))
		return; /* that there are few follows */
	if (feed->entries < feed->terms->min_entries)
		diag_error(reader->diag, at, NULL, "'%.120s' has %zu entries, fewer than min-entries (%llu)", zone->file,
			   feed->entries, (unsigned long long)feed->terms->min_entries);
	else if (!feed->entries && !feed->mistakes)
		diag_warning(reader->diag, at, NULL, "'%.120s' is empty: it matches nothing", zone->file);
}

/* at: NULL, the file itself. */
static bool read_all(struct reader *reader, const struct zone *zone, const struct place *at, char *text, size_t len,
		     struct ranges *ranges, size_t *ret_entries)
{
	struct feed feed = { .terms = &zone->feed, .column = -1 };

	feed.file = diag_file(reader->diag, zone->feed.path, NULL, 0);
	if (failed(reader, feed.file < 0 ? feed.file : 0))
		return false;
	feed.place.file = feed.file;
	read_lines(reader, &feed, text, len, ranges);
	judge(reader, &feed, zone, at ? at : &(struct place){ .file = feed.file });
	*ret_entries = feed.entries;
	return (!feed.mistakes || feed.terms->skip) && !feed.no_header;
}

bool feed_read(struct reader *reader, struct zone *zone, const struct place *at, char *text, size_t len,
	       struct ranges *ranges)
{
	return read_all(reader, zone, at, text, len, ranges, &zone->feed.entries);
}

bool policy_check_feed(const struct zone *zone, char *text, size_t len, struct diag *diag)
{
	struct reader reader = { .diag = diag };
	struct ranges ranges = { 0 };
	size_t entries;
	bool good = read_all(&reader, zone, NULL, text, len, &ranges, &entries) && !diag_errors(diag);

	ranges_clear(&ranges);
	return good && !reader.out_of_memory && !reader.prefixes_full;
}
