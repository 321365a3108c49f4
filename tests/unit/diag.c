// SPDX-License-Identifier: GPL-2.0-only
/* What diagnostics look like, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "base/diag.h"
#include "base/util.h"

static void is_printed(const struct diag *diag, const char *want)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	diag_print(diag, out, false);
	fclose(out);
	assert_string_equal(text, want);
	free(text);
}

static void one(const char *source, struct place place, const char *want)
{
	struct diag *diag = diag_new();

	place.file = diag_file(diag, "f.yaml", source, strlen(source));
	diag_error(diag, &place, NULL, "what");
	is_printed(diag, want);
	diag_free(diag);
}

static void carets_stand_below_their_text(void **state)
{
	(void)state;
	one("a\nto: databse\n", (struct place){ 0, 2, 5, 7 },
	    "f.yaml:2:5: error: what\n    2 | to: databse\n      |     ^~~~~~~\n");
	one("\t\tto: x\r\n", (struct place){ 0, 1, 7, 1 },
	    "f.yaml:1:7: error: what\n    1 | \t\tto: x\n      | \t\t    ^\n");
	one("größe: x", (struct place){ 0, 1, 8, 1 }, "f.yaml:1:8: error: what\n    1 | größe: x\n      |        ^\n");
	/* The length ends with the line, and a place behind it still has a caret. */
	one("ab", (struct place){ 0, 1, 2, 99 }, "f.yaml:1:2: error: what\n    1 | ab\n      |  ^\n");
	one("ab", (struct place){ 0, 1, 3, 1 }, "f.yaml:1:3: error: what\n    1 | ab\n      |   ^\n");
	/* No such line, and the file as a whole. */
	one("ab", (struct place){ 0, 9, 1, 1 }, "f.yaml:9:1: error: what\n");
	one("ab", (struct place){ 0, 0, 0, 0 }, "f.yaml: error: what\n");
	/* What a terminal would take for a command. */
	one("a\033[31m\x7f\xff b", (struct place){ 0, 1, 10, 1 },
	    "f.yaml:1:10: error: what\n    1 | a?[31m?? b\n      |          ^\n");
}

static void order_is_by_place(void **state)
{
	struct diag *diag = diag_new();
	struct place a = { diag_file(diag, "a", NULL, 0), 7, 3, 1 }, b = { diag_file(diag, "b", NULL, 0), 1, 1, 1 };

	(void)state;
	diag_error(diag, NULL, NULL, "nowhere");
	diag_warning(diag, &b, "mend\033 it", "third");
	diag_error(diag, &a, NULL, "second");
	a.line = 2;
	diag_error(diag, &a, NULL, "first");
	is_printed(diag, "a:2:3: error: first\na:7:3: error: second\nb:1:1: warning: third\n  fix: mend? it\n"
			 "error: nowhere\n");
	assert_int_equal(diag_errors(diag), 3);
	assert_int_equal(diag_warnings(diag), 1);
	diag_promote(diag);
	assert_int_equal(diag_errors(diag), 4);
	assert_int_equal(diag_warnings(diag), 0);
	diag_free(diag);
}

static void a_line_of_a_feed_is_quoted(void **state)
{
	struct diag *diag = diag_new();
	struct place place = { diag_file(diag, "feed.txt", NULL, 0), 1000000, 1, 2 };

	(void)state;
	assert_int_equal(diag_quote(diag, place.file, 1000000, "xy", 2), 0);
	diag_error(diag, &place, NULL, "what");
	is_printed(diag, "feed.txt:1000000:1: error: what\n1000000 | xy\n        | ^~\n");
	diag_free(diag);
}

static void json_is_escaped(void **state)
{
	struct diag *diag = diag_new();
	struct place place = { diag_file(diag, "a\"b", "x", 1), 1, 1, 1 };
	struct json_object *array;

	(void)state;
	diag_warning(diag, &place, NULL, "bad \"%s\"", "\xff\n");
	array = diag_json(diag);
	assert_string_equal(json_object_to_json_string_ext(array, JSON_C_TO_STRING_PLAIN),
			    "[{\"severity\":\"warning\",\"file\":\"a\\\"b\",\"line\":1,\"column\":1,\"length\":1,"
			    "\"message\":\"bad \\\"??\\\"\",\"fix\":null}]");
	json_object_put(array);
	diag_free(diag);
}

/* Each part is looked for from where the one before began: together they must be what each alone is. */
static void a_long_line_is_shown_in_parts(void **state)
{
	static const unsigned columns[] = { 3, 150, 150, 299, 301 };
	char *want = NULL, text[900];
	size_t len;
	FILE *out = open_memstream(&want, &len);
	struct diag *diag = diag_new(), *alone;
	struct place place = { diag_file(diag, "f", NULL, 0), 1, 1, 2 };

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		memcpy(text + 3 * i, i % 3 ? "\u20ac" : "\ufffd", 3);
	place.file = diag_file(diag, "long", text, sizeof(text));
	for (unsigned i = 0; i < ARRAY_LEN(columns); i++) {
		place.column = columns[ARRAY_LEN(columns) - 1 - i];
		diag_error(diag, &place, NULL, "what");
		alone = diag_new();
		diag_error(alone, &(struct place){ diag_file(alone, "long", text, sizeof(text)), 1, columns[i], 2 }, NULL,
			   "what");
		diag_print(alone, out, false);
		diag_free(alone);
	}
	fclose(out);
	is_printed(diag, want);
	free(want);
	diag_free(diag);
}

static void a_file_keeps_its_name(void **state)
{
	struct diag *diag = diag_new();
	struct place place = { diag_file(diag, "f", "a\nb\n", 4), 2, 1, 1 };
	struct json_object *array;

	(void)state;
	diag_quote(diag, place.file, 7, "c", 1);
	diag_error(diag, &place, "none", "bad");
	diag_forget(diag);
	assert_int_equal(diag_errors(diag), 0);
	assert_string_equal(diag_file_name(diag, place.file), "f");
	diag_error(diag, &place, NULL, "worse");
	array = diag_json(diag);
	assert_string_equal(json_object_to_json_string_ext(array, JSON_C_TO_STRING_PLAIN),
			    "[{\"severity\":\"error\",\"file\":\"f\",\"line\":2,\"column\":1,\"length\":1,"
			    "\"message\":\"worse\",\"fix\":null}]");
	json_object_put(array);
	diag_free(diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carets_stand_below_their_text),
		cmocka_unit_test(order_is_by_place),
		cmocka_unit_test(a_line_of_a_feed_is_quoted),
		cmocka_unit_test(json_is_escaped),
		cmocka_unit_test(a_long_line_is_shown_in_parts),
		cmocka_unit_test(a_file_keeps_its_name),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
