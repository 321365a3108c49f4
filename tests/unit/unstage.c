// SPDX-License-Identifier: GPL-2.0-only
/*
 * `mode: stage` is taken out of a rule: rows of what a person would write, and rules written in every random way. What comes of
 * it is read as the same rule without the key, and is the old text without one piece, in which there was nothing else.
 *
 *   unstage [--seed N] [--texts N]
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "generate.h"
#include "policy/unstage.h"
#include "test.h"

static const struct row {
	const char *what, *before, *after;
} rows[] = {
	{ "between two keys in braces", "rules:\n  - {id: x, mode: stage, to: b}\n", "rules:\n  - {id: x, to: b}\n" },
	{ "the last key in braces", "rules:\n  - {id: x, to: b, mode: stage}\n", "rules:\n  - {id: x, to: b}\n" },
	{ "the first key in braces", "rules:\n  - {mode: stage, id: x}\n", "rules:\n  - {id: x}\n" },
	{ "the last key, with spaces", "rules: [{ id: x , mode: stage }]\n", "rules: [{ id: x  }]\n" },
	{ "in quotes, with a comment", "rules:\n- {id: x, 'mode' : \"stage\"} # why\n", "rules:\n- {id: x} # why\n" },
	{ "a line of its own in braces", "rules:\n  - {id: x,\n     mode: stage,\n     to: b}\n",
	  "rules:\n  - {id: x,\n     to: b}\n" },
	{ "at the end of a line in braces", "rules:\n  - {id: x, mode: stage,\n     to: b}\n",
	  "rules:\n  - {id: x,\n     to: b}\n" },
	{ "the last line in braces", "rules:\n  - {id: x,\n     mode: stage\n    }\n", "rules:\n  - {id: x\n    }\n" },
	{ "behind a comment, a comma stays", "rules:\n  - {id: x, # a, b,\n     mode: stage}\n",
	  "rules:\n  - {id: x, # a, b,\n     }\n" },
	{ "before a comment in braces", "rules:\n  - {id: x, mode: stage # b\n    }\n", "rules:\n  - {id: x # b\n    }\n" },
	{ "a comma before a comment", "rules:\n  - {id: x, mode: stage, # b\n     to: b}\n",
	  "rules:\n  - {id: x, # b\n     to: b}\n" },
	{ "a line of a block", "rules:\n  - id: x\n    mode: stage\n    to: b\n", "rules:\n  - id: x\n    to: b\n" },
	{ "the last line of a file without a newline", "rules:\n  - id: x\n    mode: stage", "rules:\n  - id: x\n" },
	{ "a line of a block with a comment", "rules:\n  - id: x\n    mode: stage  # not yet\n",
	  "rules:\n  - id: x\n    # not yet\n" },
	{ "the first key of a block", "rules:\n  - mode: stage\n    id: x\n", "rules:\n  - id: x\n" },
	{ "the first key of a block, with a comment", "rules:\n  - mode: stage # b\n    id: x\n",
	  "rules:\n  - # b\n    id: x\n" },
	{ "the first key of a block before a comment", "rules:\n  - mode: stage\n    # b\n    id: x\n",
	  "rules:\n  -\n    # b\n    id: x\n" },
	{ "a value on the next line", "rules:\n  - id: x\n    mode:\n      stage\n    to: b\n",
	  "rules:\n  - id: x\n    to: b\n" },
	{ "lines that end in CR LF", "rules:\r\n  - id: x\r\n    mode: stage\r\n    to: b\r\n",
	  "rules:\r\n  - id: x\r\n    to: b\r\n" },
	{ "behind letters of two bytes", "rules:\n  - {owner: \xc3\xa9\xc3\xa9, id: x, mode: stage, to: b}\n",
	  "rules:\n  - {owner: \xc3\xa9\xc3\xa9, id: x, to: b}\n" },
	{ "behind a byte order mark", "\xef\xbb\xbfrules: [{id: x, mode: stage}]\n", "\xef\xbb\xbfrules: [{id: x}]\n" },
	{ "not of another rule", "rules:\n  - {id: y, mode: stage}\n  - {id: x, mode: stage}\n",
	  "rules:\n  - {id: y, mode: stage}\n  - {id: x}\n" },
	{ "a rule without mode", "rules:\n  - {id: y, mode: stage}\n  - {id: x}\n", NULL },
	{ "no such rule", "rules:\n  - {id: y, mode: stage}\nnever:\n  - {id: x, mode: stage}\n", NULL },
};

static void try_row(const struct row *row)
{
	struct unstaged unstaged = { 0 };
	int err = unstage(row->before, strlen(row->before), "x", &unstaged);

	ok(row->after ? !err && !strcmp(unstaged.text, row->after) && unstaged.len == strlen(row->after) : err == -ENOENT, "%s",
	   row->what);
	if (!err && row->after && strcmp(unstaged.text, row->after))
		note_lines(unstaged.text);
	unstaged_clear(&unstaged);
}

/* --- Random texts ------------------------------------------------------------------------------------------------------ */

#define pick(random, array) ((array)[random_below(random, sizeof(array) / sizeof((array)[0]))])

static const char *const keys[] = { "id: x", "from: [a, b]", "to: \"b, # c\"", "owner: 'it''s {x}'", "log: none" };
#define KEYS 5

static void put_blanks(struct random *random, FILE *out)
{
	static const char *const blanks[] = { "", "", " ", "  ", "\t" };

	fputs(pick(random, blanks), out);
}

static void put_comment(struct random *random, FILE *out)
{
	static const char *const comments[] = { " # mode: stage, or so", "  #, {", " # \xc3\xa9" };

	fputs(pick(random, comments), out);
}

/* Perhaps a new line, within braces. */
static void put_gap(struct random *random, FILE *out)
{
	put_blanks(random, out);
	if (!random_percent(random, 25))
		return;
	if (random_percent(random, 40))
		put_comment(random, out);
	fputs("\n     ", out);
}

/* Keys in a random order, and the mode among them. */
static void shuffle(struct random *random, const char *order[KEYS + 1])
{
	static const char *const modes[] = { "mode: stage", "mode: \"stage\"", "'mode': stage", "mode:   'stage'" };

	memcpy(order, keys, sizeof(keys));
	order[KEYS] = pick(random, modes);
	for (unsigned i = KEYS; i; i--) {
		unsigned j = random_below(random, i + 1);
		const char *other = order[i];

		order[i] = order[j];
		order[j] = other;
	}
}

static void put_braces(struct random *random, FILE *out)
{
	const char *order[KEYS + 1];

	shuffle(random, order);
	fputs("  - {", out);
	for (int i = 0; i <= KEYS; i++) {
		put_gap(random, out);
		fputs(order[i], out);
		if (i < KEYS)
			put_blanks(random, out);
		else
			put_gap(random, out);
		fputs(i < KEYS ? "," : "}", out);
	}
	if (random_percent(random, 30))
		put_comment(random, out);
	fputs("\n", out);
}

static void put_block(struct random *random, FILE *out)
{
	const char *order[KEYS + 1];

	shuffle(random, order);
	for (int i = 0; i <= KEYS; i++) {
		fprintf(out, "%s%s", i ? "    " : "  - ", order[i]);
		put_blanks(random, out);
		if (random_percent(random, 30))
			put_comment(random, out);
		fputs("\n", out);
		if (random_percent(random, 10))
			fputs(random_percent(random, 50) ? "\n" : "    # between\n", out);
	}
}

static char *make_text(struct random *random)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fputs("version: 1\nrules:\n  - {id: y, mode: stage}\n", out);
	if (random_percent(random, 50))
		put_braces(random, out);
	else
		put_block(random, out);
	fputs("  - id: z\n    mode: stage\n", out);
	fclose(out);
	return text;
}

/* What a text says, in one line: the tree. "?" of the one that cannot be read. */
static void write_node(const struct node *node, const struct node *without, FILE *out)
{
	if (node->kind == NODE_SCALAR)
		fprintf(out, "'%s' ", node->text);
	if (node->kind == NODE_BAD)
		fputs("? ", out);
	if (node->kind != NODE_LIST && node->kind != NODE_MAP)
		return;
	fputs(node->kind == NODE_LIST ? "[ " : "{ ", out);
	for (const struct node *child = node->child; child; child = child->next) {
		if (child == without)
			child = child->next;
		else
			write_node(child, without, out);
	}
	fputs("] ", out);
}

/* The key mode of rule x. */
static const struct node *mode_of(const struct node *root)
{
	const struct node *rule = root->child->next->next->next->child->next; /* of the second key's list the second one */

	node_for_each_key(key, rule)
		if (!strcmp(key->text, "mode"))
			return key;
	return NULL;
}

static char *read_text(const char *text, bool without_mode)
{
	struct diag *diag = diag_new();
	struct yaml_tree *yaml = NULL;
	char *written = NULL;
	size_t len;
	FILE *out = open_memstream(&written, &len);

	if (yaml_tree_read(text, strlen(text), 0, diag, &yaml) || yaml_tree_is_broken(yaml) || diag_errors(diag))
		fputs("?", out);
	else
		write_node(yaml_tree_root(yaml), without_mode ? mode_of(yaml_tree_root(yaml)) : NULL, out);
	fclose(out);
	yaml_tree_free(yaml);
	diag_free(diag);
	return written;
}

/* Of what can be seen, but commas and quotes, the key and its value, and nothing else. */
static bool is_mode(const char *piece, size_t len)
{
	char seen[64] = "";

	for (size_t i = 0; i < len && len < sizeof(seen); i++)
		if (!isspace((unsigned char)piece[i]) && !strchr(",\"'", piece[i]))
			strncat(seen, &piece[i], 1);
	return !strcmp(seen, "mode:stage");
}

/* One piece is gone. Where it ends as what stands before it, it may be taken to be another one, further on in the text. */
static bool is_cut(const char *before, const struct unstaged *unstaged)
{
	size_t head = 0, gone = strlen(before) - unstaged->len;

	while (head < unstaged->len && before[head] == unstaged->text[head])
		head++;
	if (strcmp(before + head + gone, unstaged->text + head))
		return false;
	while (!is_mode(before + head, gone) && head && before[head - 1] == before[head - 1 + gone])
		head--;
	return is_mode(before + head, gone);
}

static bool try_text(uint64_t seed)
{
	struct random random = { seed * 0x9e3779b97f4a7c15ull };
	char *text = make_text(&random), *want = read_text(text, true), *got = NULL;
	struct unstaged unstaged = { 0 };
	bool good = *want != '?' && !unstage(text, strlen(text), "x", &unstaged);

	if (good) {
		got = read_text(unstaged.text, false);
		good = !strcmp(want, got) && is_cut(text, &unstaged);
	}
	if (!good) {
		note("seed %llu", (unsigned long long)seed);
		note_lines(text);
		note_lines(unstaged.text ? unstaged.text : "nothing");
	}
	unstaged_clear(&unstaged);
	free(text);
	free(want);
	free(got);
	return good;
}

int main(int argc, char **argv)
{
	uint64_t seed = 1;
	unsigned long texts = 20000, failed = 0;

	read_seed(argc, argv, "--texts", &seed, &texts);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		try_row(&rows[i]);
	for (unsigned long i = 0; i < texts && failed < 5; i++)
		failed += !try_text(seed + i);
	ok(!failed, "%lu rules are the same without it, and nothing else is gone", texts);
	return done();
}
