// SPDX-License-Identifier: GPL-2.0-only
/*
 * Texts of any bytes to the YAML layer. The tree keeps what base/yaml.h says of it; and what was read without a mistake and is
 * printed by base/yaml_print.h reads as the same tree.
 */
#include <json-c/json.h>
#include <stdio.h>

#include "base/util.h"
#include "base/yaml.h"
#include "base/yaml_print.h"

#define KEY_MAX 256 /* YAML takes no longer keys than 1,024 characters in a line, and those of policies are far shorter */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FILE *nowhere;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	nowhere = fopen("/dev/null", "w");
	if (!nowhere)
		abort();
	return 0;
}

static void want(bool good)
{
	if (!good)
		abort();
}

/* What was learned of a tree while it was looked at. */
struct look {
	size_t text_len; /* of what was read */
	bool bad; /* something refused stands in it */
	bool long_key;
};

static void check_text(const char *text)
{
	for (; *text; text++)
		want((unsigned char)*text >= ' ' || *text == '\t' || *text == '\n');
}

static void check_keys(const struct node *map, struct look *look)
{
	node_for_each_key(key, map) {
		want(key->kind == NODE_SCALAR && key->next);
		look->long_key |= strlen(key->text) > KEY_MAX;
	}
}

static void check_node(const struct node *parent, unsigned depth, struct look *look)
{
	size_t count = 0;

	want(parent->place.line >= 1 && parent->place.line <= look->text_len + 1);
	want(parent->place.column >= 1 && parent->place.column <= look->text_len + 1);
	look->bad |= parent->kind == NODE_BAD || parent->cut;
	if (parent->kind == NODE_SCALAR)
		check_text(parent->text);
	if (parent->kind != NODE_LIST && parent->kind != NODE_MAP) {
		want(!parent->child);
		return;
	}
	want(depth <= YAML_DEPTH);
	node_for_each(node, parent) {
		check_node(node, depth + 1, look);
		count++;
	}
	want(count == (parent->kind == NODE_MAP ? 2 * parent->count : parent->count));
	if (parent->kind == NODE_MAP)
		check_keys(parent, look);
}

static struct json_object *json_of(const struct node *parent)
{
	struct json_object *object;

	if (parent->kind == NODE_SCALAR)
		return json_object_new_string(parent->text);
	object = parent->kind == NODE_MAP ? json_object_new_object() : json_object_new_array();
	if (parent->kind == NODE_LIST) {
		node_for_each(node, parent)
			json_object_array_add(object, json_of(node));
		return object;
	}
	node_for_each_key(key, parent)
		json_object_object_add(object, key->text, json_of(key->next));
	want((size_t)json_object_object_length(object) == parent->count); /* no key stands there twice */
	return object;
}

static bool is_same(const struct node *a, const struct node *b)
{
	if (a->kind != b->kind || a->count != b->count)
		return false;
	if (a->kind == NODE_SCALAR)
		return !strcmp(a->text, b->text);
	for (a = a->child, b = b->child; a && b; a = a->next, b = b->next)
		if (!is_same(a, b))
			return false;
	return !a && !b;
}

static struct yaml_tree *read_text(const char *text, size_t len, struct diag *diag)
{
	struct yaml_tree *tree = NULL;
	int file = diag_file(diag, "text.yaml", text, len);

	want(file >= 0 && !yaml_tree_read(text, len, file, diag, &tree));
	return tree;
}

static void print_and_read(const struct node *map)
{
	struct json_object *object = json_of(map);
	struct diag *diag = diag_new();
	struct yaml_tree *again;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	yaml_print(object, to);
	fclose(to);
	again = read_text(text, len, diag);
	if (diag_errors(diag) || !yaml_tree_root(again) || !is_same(map, yaml_tree_root(again))) {
		fprintf(stderr, "%s", text);
		diag_print(diag, stderr, false);
		abort();
	}
	yaml_tree_free(again);
	diag_free(diag);
	free(text);
	json_object_put(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct look look = { .text_len = size };
	struct diag *diag = diag_new();
	struct yaml_tree *tree = read_text((const char *)data, size, diag);
	const struct node *root = yaml_tree_root(tree);

	if (root)
		check_node(root, 1, &look);
	want(!(look.bad || yaml_tree_is_broken(tree)) || diag_errors(diag));
	diag_print(diag, nowhere, false);
	if (root && root->kind == NODE_MAP && root->count && !diag_errors(diag) && !look.long_key)
		print_and_read(root);
	yaml_tree_free(tree);
	diag_free(diag);
	return 0;
}
