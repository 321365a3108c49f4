/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A strict reading of YAML: a tree of nodes, each with its place. Scalars stay strings: nothing is guessed to be a
 * number, a date or a truth value. Refused, each with a diagnostic: what is not UTF-8, control characters, anchors,
 * aliases, tags, a second document, duplicate keys, keys that are not scalars, nesting deeper than YAML_DEPTH.
 */
#ifndef ZW_YAML_H
#define ZW_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"

#define YAML_DEPTH 32
#define YAML_NODES (16u << 20)

enum node_kind {
	NODE_SCALAR,
	NODE_LIST,
	NODE_MAP,
	NODE_BAD, /* something refused stood here, and was reported */
};

struct node {
	enum node_kind kind;
	bool quoted; /* a scalar in quotes or a block */
	bool cut; /* the text became unreadable inside this node: what is missing may be there */
	struct place place;
	size_t count; /* elements of a list, keys of a map */
	const char *text; /* of a scalar; no control characters but tab and newline */
	struct node *child; /* first element; in a map key, value, key, value … */
	struct node *next;
};

#define node_for_each(node, list) for (const struct node *node = (list)->child; node; node = node->next)
#define node_for_each_key(key, map) for (const struct node *key = (map)->child; key; key = key->next->next)

struct yaml_tree;

/*
 * Reads len bytes, which diag knows as `file`. Mistakes go to diag; what was readable before and around them is in the
 * tree all the same. Returns 0 or -ENOMEM.
 */
int yaml_tree_read(const char *text, size_t len, int file, struct diag *diag, struct yaml_tree **ret_yaml);
const struct node *yaml_tree_root(const struct yaml_tree *yaml); /* NULL: there is none */
bool yaml_tree_is_broken(const struct yaml_tree *yaml); /* the rest of the text could not be read */
void yaml_tree_free(struct yaml_tree *yaml);

#endif
