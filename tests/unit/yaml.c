// SPDX-License-Identifier: GPL-2.0-only
/* The tree that is read from YAML: shape, places, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/util.h"
#include "base/yaml.h"

struct reading {
	struct diag *diag;
	struct yaml_tree *tree;
	const struct node *root;
};

static struct reading read_text(const char *text)
{
	struct reading reading = { .diag = diag_new() };
	int file = diag_file(reading.diag, "f", text, strlen(text));

	assert_int_equal(yaml_tree_read(text, strlen(text), file, reading.diag, &reading.tree), 0);
	reading.root = yaml_tree_root(reading.tree);
	return reading;
}

static void forget(struct reading *reading)
{
	yaml_tree_free(reading->tree);
	diag_free(reading->diag);
}

static void is_at(const struct node *node, unsigned line, unsigned column, unsigned length)
{
	assert_int_equal(node->place.line, line);
	assert_int_equal(node->place.column, column);
	assert_int_equal(node->place.length, length);
}

static void every_node_has_its_place(void **state)
{
	struct reading r = read_text("a: [x, 'y z']\n"
				     "größe:\n"
				     "  - {k: v}\n"
				     "  - 010\n"
				     "empty:\n");
	const struct node *a, *list, *key, *map;

	(void)state;
	assert_int_equal(diag_errors(r.diag), 0);
	assert_int_equal(r.root->kind, NODE_MAP);
	assert_int_equal(r.root->count, 3);
	a = r.root->child;
	is_at(a, 1, 1, 1);
	list = a->next;
	assert_int_equal(list->kind, NODE_LIST);
	assert_int_equal(list->count, 2);
	is_at(list, 1, 4, 10);
	assert_string_equal(list->child->text, "x");
	assert_false(list->child->quoted);
	assert_string_equal(list->child->next->text, "y z");
	assert_true(list->child->next->quoted);
	is_at(list->child->next, 1, 8, 5);
	key = list->next;
	is_at(key, 2, 1, 5);
	map = key->next->child;
	assert_int_equal(map->kind, NODE_MAP);
	is_at(map, 3, 5, 6);
	is_at(map->child->next, 3, 9, 1);
	assert_string_equal(map->next->text, "010");
	key = key->next->next;
	assert_string_equal(key->next->text, "");
	assert_false(key->next->quoted);
	forget(&r);
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned errors;
		bool broken;
	} rows[] = {
		{ "a: 1\nb: 2\n", 0, false },
		{ "", 0, false },
		{ "\xef\xbb\xbf" "a: 1\n", 0, false },
		{ "%YAML 1.1\n---\na: 1\n...\n", 0, false },
		{ "a: &x 1\nb: *x\n", 2, false },
		{ "a: &x !!str 1\n", 2, false },
		{ "a: 1\na: 2\na: 3\n", 2, false },
		{ "[1, 2]: 3\n", 1, false },
		{ "a: 1\n---\nb: 1\n", 1, true },
		{ "a: [1\n", 1, true },
		{ "a: \"\\0\"\n", 1, false },
		{ "a: \x01\n", 1, true },
		{ "a: \xc0\xaf\n", 1, true }, /* an overlong '/' */
		{ "a: \xed\xa0\x80\n", 1, true }, /* a surrogate */
		{ "a: \xf4\x90\x80\x80\n", 1, true }, /* beyond U+10FFFF */
		{ "a: \xc2\x85\n", 1, true },
		{ "a: 1\rb: 2\n", 1, true },
		{ "*x : 1\n", 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reading r = read_text(rows[i].text);

		if (diag_errors(r.diag) != rows[i].errors)
			print_error("row %zu\n", i);
		assert_int_equal(diag_errors(r.diag), rows[i].errors);
		assert_int_equal(yaml_tree_is_broken(r.tree), rows[i].broken);
		forget(&r);
	}
}

static void duplicates_among_many_keys_are_found(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct reading r;

	(void)state;
	for (int i = 0; i < 5000; i++)
		fprintf(out, "key-%d: 1\n", i);
	fprintf(out, "key-77: 2\nkey-4999: 3\n");
	fclose(out);
	r = read_text(text);
	assert_int_equal(diag_errors(r.diag), 2);
	assert_int_equal(r.root->count, 5000);
	forget(&r);
	free(text);
}

/* What stood before a mistake is read; what was open is marked as cut. */
static void a_broken_text_gives_what_was_read(void **state)
{
	struct reading r = read_text("a: {b: c}\nd: [e, f\n");

	(void)state;
	assert_true(yaml_tree_is_broken(r.tree));
	assert_true(r.root->cut);
	assert_int_equal(r.root->count, 2);
	assert_false(r.root->child->next->cut);
	assert_true(r.root->child->next->next->next->cut);
	forget(&r);
}

static void depth_has_an_end(void **state)
{
	char text[2 * YAML_DEPTH + 8];
	struct reading r;

	(void)state;
	memset(text, '[', YAML_DEPTH);
	memset(text + YAML_DEPTH, ']', YAML_DEPTH);
	strcpy(text + 2 * YAML_DEPTH, "\n");
	r = read_text(text);
	assert_int_equal(diag_errors(r.diag), 0);
	forget(&r);
	memset(text, '[', YAML_DEPTH + 1);
	r = read_text(text);
	assert_int_equal(diag_errors(r.diag), 1);
	assert_true(yaml_tree_is_broken(r.tree));
	forget(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_node_has_its_place),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(duplicates_among_many_keys_are_found),
		cmocka_unit_test(a_broken_text_gives_what_was_read),
		cmocka_unit_test(depth_has_an_end),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
