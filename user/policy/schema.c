// SPDX-License-Identifier: GPL-2.0-only
#include "policy/near.h"
#include "policy/schema.h"

/* What a node is, for "expected …, found …". */
static const char *describe(const struct node *node, char *text, size_t size)
{
	if (node->kind == NODE_LIST)
		return "a list";
	if (node->kind == NODE_MAP)
		return "a map";
	if (!*node->text)
		return node->quoted ? "an empty string" : "nothing";
	snprintf(text, size, "'%.60s'", node->text);
	return text;
}

static void report_type(struct reader *reader, const struct node *value, const char *what, const char *fix)
{
	char text[80];

	if (value->kind != NODE_BAD)
		diag_error(reader->diag, &value->place, fix, "expected %s, found %s", what,
			   describe(value, text, sizeof(text)));
}

const char *want_text(struct reader *reader, const struct node *value, const char *what)
{
	char fix[FIX_MAX], text[80];

	if (value->kind == NODE_SCALAR && *value->text)
		return value->text;
	/* `- fd00::` without quotes reads as a map with the key `fd00:`. */
	if (value->kind == NODE_MAP && value->count == 1 && strchr(value->child->text, ':')) {
		snprintf(fix, sizeof(fix), "put it in quotes: \"%.60s:\"", value->child->text);
		diag_error(reader->diag, &value->place, fix, "expected %s, found %s", what,
			   describe(value, text, sizeof(text)));
		return NULL;
	}
	report_type(reader, value, what, NULL);
	return NULL;
}

bool want_list(struct reader *reader, const struct node *value, const char *what)
{
	char fix[FIX_MAX];

	if (value->kind == NODE_LIST)
		return true;
	if (value->kind == NODE_SCALAR && *value->text)
		snprintf(fix, sizeof(fix), "write [%.60s]", value->text);
	else
		snprintf(fix, sizeof(fix), "write [] for an empty list");
	report_type(reader, value, what, value->kind == NODE_SCALAR ? fix : NULL);
	return false;
}

/* "drop, allow or pass" */
static void join(const char *const *words, char *text, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; words[i] && at < size; i++)
		at += snprintf(text + at, size - at, "%s%s", !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
}

int want_word(struct reader *reader, const struct node *value, const char *const *words)
{
	char what[FIX_MAX], fix[FIX_MAX];
	struct near near;

	join(words, what, sizeof(what));
	if (!want_text(reader, value, what))
		return -1;
	near = near_begin(value->text);
	for (size_t i = 0; words[i]; i++) {
		if (!strcmp(words[i], value->text))
			return i;
		near_try(&near, words[i], i);
	}
	if (near_found(&near))
		snprintf(fix, sizeof(fix), "did you mean '%s'?", words[near.best]);
	report_type(reader, value, what, near_found(&near) ? fix : NULL);
	return -1;
}

int number_read(const char *text, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number) || number > max)
			return -EINVAL;
	}
	*ret_number = number;
	return 0;
}

int want_number(struct reader *reader, const struct node *value, uint64_t min, uint64_t max, uint64_t *ret_number)
{
	char what[80];
	uint64_t number;

	snprintf(what, sizeof(what), "a number from %llu to %llu", (unsigned long long)min, (unsigned long long)max);
	if (!want_text(reader, value, what))
		return -EINVAL;
	if (number_read(value->text, max, &number) || number < min) {
		report_type(reader, value, what, NULL);
		return -EINVAL;
	}
	*ret_number = number;
	return 0;
}

static const struct field *find_field(const struct schema *schema, const char *name)
{
	for (const struct field *field = schema->fields; field->name; field++)
		if (!strcmp(field->name, name))
			return field;
	return NULL;
}

/* The field whose name is near to an unknown key, or NULL. */
static const struct field *guess_field(const struct schema *schema, const char *key)
{
	struct near near = near_begin(key);

	for (size_t i = 0; schema->fields[i].name; i++)
		near_try(&near, schema->fields[i].name, i);
	return near_found(&near) ? &schema->fields[near.best] : NULL;
}

static void report_unknown(struct reader *reader, const struct schema *schema, const struct node *key)
{
	const struct field *meant = guess_field(schema, key->text);
	char fix[FIX_MAX];
	size_t at;

	if (meant) {
		snprintf(fix, sizeof(fix), "did you mean '%s'?", meant->name);
	} else {
		at = snprintf(fix, sizeof(fix), "the keys are ");
		for (size_t i = 0; schema->fields[i].name && at < sizeof(fix); i++)
			at += snprintf(fix + at, sizeof(fix) - at, "%s%s", i ? ", " : "", schema->fields[i].name);
	}
	diag_error(reader->diag, &key->place, fix, "unknown key '%.60s' in %s", key->text, schema->what);
}

/* Is the field there, rightly written or not? A misspelt key is one mistake, not two. */
static bool has_key(const struct schema *schema, const struct node *map, const struct field *field)
{
	node_for_each_key(key, map)
		if (!strcmp(key->text, field->name))
			return true;
	node_for_each_key(key, map)
		if (!find_field(schema, key->text) && guess_field(schema, key->text) == field)
			return true;
	return false;
}

/* One mistake for each map: all the keys that it lacks. */
static void check_required(struct reader *reader, const struct schema *schema, const struct node *map)
{
	char missing[FIX_MAX];
	size_t at = 0;

	if (map->cut)
		return;
	for (const struct field *field = schema->fields; field->name; field++)
		if (field->required && !has_key(schema, map, field) && at < sizeof(missing))
			at += snprintf(missing + at, sizeof(missing) - at, "%s'%s'", at ? ", " : "", field->name);
	if (at)
		diag_error(reader->diag, &map->place, NULL, "%s needs the key%s %s", schema->what,
			   memchr(missing, ',', at < sizeof(missing) ? at : sizeof(missing) - 1) ? "s" : "", missing);
}

bool schema_read(struct reader *reader, const struct schema *schema, const struct node *value, void *into)
{
	char what[FIX_MAX];
	size_t at;

	if (value->kind != NODE_MAP) {
		at = snprintf(what, sizeof(what), "a map with ");
		for (size_t i = 0; schema->fields[i].name && at < sizeof(what); i++)
			at += snprintf(what + at, sizeof(what) - at, "%s%s", i ? ", " : "", schema->fields[i].name);
		report_type(reader, value, what, NULL);
		return false;
	}
	check_required(reader, schema, value);
	node_for_each_key(key, value) {
		const struct field *field = find_field(schema, key->text);

		if (!field)
			report_unknown(reader, schema, key);
		else if (field->read)
			field->read(reader, key, key->next, into);
	}
	return true;
}

void schema_read_again(struct reader *reader, const struct schema *schema, const struct node *value, void *into)
{
	node_for_each_key(key, value) {
		const struct field *field = find_field(schema, key->text);

		if (field && field->read)
			field->read(reader, key, key->next, into);
	}
}
