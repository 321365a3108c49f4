// SPDX-License-Identifier: GPL-2.0-only
#include "policy/unstage.h"

#include "base/util.h"
#include "base/yaml.h"

DEFINE_CLEANUP(struct diag *, diag_free)
DEFINE_CLEANUP(struct yaml_tree *, yaml_tree_free)

/* --- Where the key stands -------------------------------------------------------------------------------------------- */

static const struct node *find_key(const struct node *map, const char *name)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	node_for_each_key(key, map)
		if (!strcmp(key->text, name))
			return key;
	return NULL;
}

static bool has_id(const struct node *rule, const char *id)
{
	const struct node *key = find_key(rule, "id");

	return key && key->next->kind == NODE_SCALAR && !strcmp(key->next->text, id);
}

/* The rule's map; NULL: there is none. */
static const struct node *find_rule(const struct node *root, const char *id)
{
	const struct node *rules = find_key(root, "rules");

	if (!rules || rules->next->kind != NODE_LIST)
		return NULL;
	node_for_each(node, rules->next)
		if (has_id(node, id))
			return node;
	return NULL;
}

/* --- Bytes ----------------------------------------------------------------------------------------------------------- */

struct text {
	const char *bytes;
	size_t len;
};

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Columns count characters. A byte order mark in front of the first line is none. */
static size_t offset_of(const struct text *text, unsigned line, unsigned column)
{
	size_t at = text->len >= 3 && !memcmp(text->bytes, "\xef\xbb\xbf", 3) ? 3 : 0;

	for (unsigned i = 1; i < line && at < text->len; at++)
		i += text->bytes[at] == '\n';
	for (unsigned i = 1; i < column && at < text->len; i++)
		for (at++; at < text->len && is_continuation(text->bytes[at]); at++)
			;
	return at;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t skip_blanks(const struct text *text, size_t at)
{
	while (at < text->len && is_blank(text->bytes[at]))
		at++;
	return at;
}

static bool ends_line(const struct text *text, size_t at)
{
	return at == text->len || text->bytes[at] == '\n';
}

static size_t line_begin(const struct text *text, size_t at)
{
	while (at && text->bytes[at - 1] != '\n')
		at--;
	return at;
}

static size_t line_end(const struct text *text, size_t at)
{
	while (!ends_line(text, at))
		at++;
	return at;
}

/* Where what stands in front of it ends. */
static size_t skip_back(const struct text *text, size_t at, bool over_lines)
{
	while (at && (is_blank(text->bytes[at - 1]) || (over_lines && text->bytes[at - 1] == '\n')))
		at--;
	return at;
}

/* --- What goes ------------------------------------------------------------------------------------------------------- */

/* Bytes first..end. */
struct cut {
	size_t first, end;
};

/* Does a comment stand in one of the lines between? As good as: is there a '#'? */
static bool may_have_comment(const struct text *text, size_t first, size_t end)
{
	size_t begin = line_begin(text, first);

	return line_begin(text, end) != begin && memchr(text->bytes + begin, '#', end - begin);
}

/* In braces: with the comma behind it; of the last key, with the one before it. A comma behind the last key may stay. */
static struct cut cut_comma(const struct text *text, struct cut cut)
{
	size_t next = skip_blanks(text, cut.end), before = skip_back(text, cut.first, true);

	if (next < text->len && text->bytes[next] == ',')
		cut.end = skip_blanks(text, next + 1);
	else if (before && text->bytes[before - 1] == ',' && !may_have_comment(text, before - 1, cut.first))
		cut.first = before - 1;
	return cut;
}

/* The first key of an element, behind its dash: the next line's key takes its place. */
static struct cut cut_to_next_key(const struct text *text, struct cut cut)
{
	size_t next = skip_blanks(text, cut.end + (cut.end < text->len));

	if (!ends_line(text, next) && text->bytes[next] != '#')
		cut.end = next;
	else
		cut.first = skip_back(text, cut.first, false);
	return cut;
}

/* The end of the line goes with it: all of the line if nothing stands in front; no spaces stay behind what does. */
static struct cut cut_line_end(const struct text *text, struct cut cut)
{
	size_t before = skip_back(text, cut.first, false);

	if (before == line_begin(text, cut.first))
		return (struct cut){ before, cut.end + (cut.end < text->len) };
	if (text->bytes[before - 1] == '-')
		return cut_to_next_key(text, cut);
	cut.first = before;
	return cut;
}

static struct cut cut_line(const struct text *text, struct cut cut)
{
	size_t rest = skip_blanks(text, cut.end);
	bool is_apart = !cut.first || is_blank(text->bytes[cut.first - 1]) || text->bytes[cut.first - 1] == '\n';

	if (ends_line(text, rest))
		return cut_line_end(text, (struct cut){ cut.first, rest });
	if (text->bytes[rest] == '#' && is_apart) /* of two gaps before a comment one stays */
		cut.end = rest;
	return cut;
}

static struct cut cut_of(const struct text *text, const struct node *rule, const struct node *key)
{
	const struct place *name = &key->place, *value = &key->next->place;
	size_t map = offset_of(text, rule->place.line, rule->place.column);
	struct cut cut = {
		offset_of(text, name->line, name->column),
		offset_of(text, value->line, value->column + value->length),
	};

	if (map < text->len && text->bytes[map] == '{')
		cut = cut_comma(text, cut);
	return cut_line(text, cut);
}

/* --- The whole ------------------------------------------------------------------------------------------------------- */

static char *copy_parts(const struct text *text, size_t begin, struct cut cut, size_t end)
{
	size_t head = cut.first - begin, tail = end > cut.end ? end - cut.end : 0;
	char *copy = malloc(head + tail + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text->bytes + begin, head);
	memcpy(copy + head, text->bytes + cut.end, tail);
	copy[head + tail] = 0;
	return copy;
}

static int make(const struct text *text, struct cut cut, struct unstaged *ret_unstaged)
{
	size_t begin = line_begin(text, cut.first);
	/* A line that goes as a whole ends where the next one begins. */
	size_t end = line_end(text, cut.end > cut.first && text->bytes[cut.end - 1] == '\n' ? cut.end - 1 : cut.end);
	struct unstaged unstaged = {
		.text = copy_parts(text, 0, cut, text->len),
		.len = text->len - (cut.end - cut.first),
		.before = copy_parts(text, begin, (struct cut){ begin, begin }, end),
		.after = copy_parts(text, begin, cut, end),
	};

	if (!unstaged.text || !unstaged.before || !unstaged.after) {
		unstaged_clear(&unstaged);
		return -ENOMEM;
	}
	*ret_unstaged = unstaged;
	return 0;
}

int unstage(const char *bytes, size_t len, const char *id, struct unstaged *ret_unstaged)
{
	_cleanup_(diag_freep) struct diag *diag = diag_new();
	_cleanup_(yaml_tree_freep) struct yaml_tree *yaml = NULL;
	const struct text text = { bytes, len };
	const struct node *rule, *key;

	if (!diag || yaml_tree_read(bytes, len, 0, diag, &yaml))
		return -ENOMEM;
	rule = find_rule(yaml_tree_root(yaml), id);
	key = find_key(rule, "mode");
	if (!key)
		return -ENOENT;
	return make(&text, cut_of(&text, rule, key), ret_unstaged);
}

void unstaged_clear(struct unstaged *unstaged)
{
	free(unstaged->text);
	free(unstaged->before);
	free(unstaged->after);
	*unstaged = (struct unstaged){ 0 };
}
