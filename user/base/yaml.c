// SPDX-License-Identifier: GPL-2.0-only
#include <yaml.h>

#include "base/index.h"
#include "base/util.h"
#include "base/yaml.h"

#ifdef __has_feature /* clang's way to say what gcc says with __SANITIZE_ADDRESS__ */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define BLOCK_BYTES 0 /* each piece has memory of its own, so that a read beyond its end is seen */
#else
#define BLOCK_BYTES (128u << 10)
#endif
/* Maps with fewer keys are searched for duplicates in a plain loop. */
#define FEW_KEYS 12

struct block {
	struct block *next;
	size_t used, size;
	max_align_t bytes[];
};

struct yaml_tree {
	struct block *blocks;
	struct node *root;
	size_t nodes;
	bool broken;
};

/* A collection that is being read, and where its next child goes. */
struct level {
	struct node *node;
	struct node **end;
};

struct reader {
	struct yaml_tree *yaml;
	struct diag *diag;
	int file;
	yaml_parser_t parser;
	struct level level[YAML_DEPTH];
	struct node *last;
	unsigned depth;
	unsigned documents;
	bool out_of_memory;
};

static void *take(struct yaml_tree *yaml, size_t size)
{
	struct block *block = yaml->blocks;
	size_t bytes = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);

	if (!block || block->size - block->used < bytes) {
		size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;

		block = malloc(sizeof(*block) + room);
		if (!block)
			return NULL;
		*block = (struct block){ .next = yaml->blocks, .size = room };
		yaml->blocks = block;
	}
	block->used += bytes;
	return (char *)block->bytes + block->used - bytes;
}

void yaml_tree_free(struct yaml_tree *yaml)
{
	if (!yaml)
		return;
	while (yaml->blocks) {
		struct block *block = yaml->blocks;

		yaml->blocks = block->next;
		free(block);
	}
	free(yaml);
}
DEFINE_CLEANUP(struct yaml_tree *, yaml_tree_free)

const struct node *yaml_tree_root(const struct yaml_tree *yaml)
{
	return yaml->root;
}

bool yaml_tree_is_broken(const struct yaml_tree *yaml)
{
	return yaml->broken;
}

static struct place place_of(const struct reader *reader, const yaml_mark_t *start, const yaml_mark_t *end)
{
	struct place place = { reader->file, start->line + 1, start->column + 1, 1 };

	if (end && end->line == start->line && end->column > start->column)
		place.length = end->column - start->column;
	return place;
}

/* Puts a node where the collection that is open expects its next child. */
static void append(struct reader *reader, struct node *node)
{
	struct level *level;

	if (!reader->depth) {
		reader->yaml->root = node;
		return;
	}
	level = &reader->level[reader->depth - 1];
	*level->end = node;
	level->end = &node->next;
	level->node->count++;
}

static struct node *new_node(struct reader *reader, enum node_kind kind, const yaml_event_t *event)
{
	struct node *node = take(reader->yaml, sizeof(*node));

	if (!node) {
		reader->out_of_memory = true;
		return NULL;
	}
	*node = (struct node){ .kind = kind, .place = place_of(reader, &event->start_mark, &event->end_mark) };
	if (++reader->yaml->nodes > YAML_NODES) {
		diag_error(reader->diag, &node->place, "split the file, and include its parts",
			   "the file holds more than %u values", YAML_NODES);
		reader->yaml->broken = true;
	}
	append(reader, node);
	reader->last = node;
	return node;
}

static void refuse_properties(struct reader *reader, const yaml_event_t *event, const yaml_char_t *anchor,
			      const yaml_char_t *tag)
{
	struct place place = place_of(reader, &event->start_mark, NULL);

	if (anchor)
		diag_error(reader->diag, &place, "write the value out", "anchors ('&%.60s') are not read", anchor);
	if (tag)
		diag_error(reader->diag, &place, "leave the tag away", "tags ('%.60s') are not read", tag);
}

static bool has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < 0x20 && text[i] != '\t' && text[i] != '\n') || text[i] == 0x7f)
			return true;
	return false;
}

static void read_scalar(struct reader *reader, const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct node *node = new_node(reader, NODE_SCALAR, event);
	char *text;

	if (!node)
		return;
	/* "!" is what the parser says of some plain scalars; a tag that was written stands in neither flag. */
	refuse_properties(reader, event, event->data.scalar.anchor, event->data.scalar.tag);
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (has_control(value, len)) {
		diag_error(reader->diag, &node->place, NULL, "a string holds a control character");
		node->kind = NODE_BAD;
		return;
	}
	text = take(reader->yaml, len + 1);
	if (!text) {
		reader->out_of_memory = true;
		return;
	}
	memcpy(text, value, len + 1);
	node->text = text;
}

static void open_collection(struct reader *reader, const yaml_event_t *event, enum node_kind kind)
{
	bool list = kind == NODE_LIST;
	struct node *node;

	if (reader->depth == YAML_DEPTH) {
		struct place place = place_of(reader, &event->start_mark, NULL);

		diag_error(reader->diag, &place, NULL, "nested deeper than %d", YAML_DEPTH);
		reader->yaml->broken = true;
		return;
	}
	node = new_node(reader, kind, event);
	if (!node)
		return;
	refuse_properties(reader, event, list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor,
			  list ? event->data.sequence_start.tag : event->data.mapping_start.tag);
	reader->level[reader->depth++] = (struct level){ node, &node->child };
}

static void report_duplicate(struct reader *reader, const struct node *key, const struct node *first)
{
	_cleanup_free_ char *fix = NULL;

	if (asprintf(&fix, "it stands already at %s:%u:%u", diag_file_name(reader->diag, reader->file),
		     first->place.line, first->place.column) < 0)
		fix = NULL;
	diag_error(reader->diag, &key->place, fix, "the key '%.60s' is given twice", key->text);
}

/* The earlier key with the same text, or NULL. A map with many keys has an index into `keys`. */
static const struct node *find_before(const struct node *map, const struct node *key, const struct index *index,
				      const struct node **keys)
{
	unsigned found;

	if (keys)
		return index_find(index, key->text, &found) ? keys[found] : NULL;
	for (const struct node *before = map->child; before != key; before = before->next->next)
		if (before->text && !strcmp(before->text, key->text))
			return before;
	return NULL;
}

/* A key given twice is reported, and its second value taken out of the map; so is what is no key at all. */
static int check_keys(struct reader *reader, struct node *map)
{
	_cleanup_(index_clear) struct index index = { 0 };
	_cleanup_free_ const struct node **keys = NULL;
	struct node **link = &map->child;
	unsigned kept = 0;
	bool many = map->count > FEW_KEYS;

	if (many) {
		keys = array_new(map->count, sizeof(*keys));
		if (!keys)
			return -ENOMEM;
	}
	while (*link) {
		struct node *key = *link;
		const struct node *first = NULL;

		if (key->kind == NODE_SCALAR)
			first = find_before(map, key, &index, keys);
		else if (key->kind != NODE_BAD)
			diag_error(reader->diag, &key->place, NULL, "a key must be a plain string");
		if (first)
			report_duplicate(reader, key, first);
		if (first || key->kind != NODE_SCALAR) {
			*link = key->next->next;
			continue;
		}
		if (many) {
			keys[kept] = key;
			if (index_add(&index, key->text, kept))
				return -ENOMEM;
		}
		kept++;
		link = &key->next->next;
	}
	map->count = kept;
	return 0;
}

static void close_collection(struct reader *reader, const yaml_event_t *event)
{
	struct node *node;

	if (!reader->depth)
		return;
	node = reader->level[--reader->depth].node;
	if (node->kind == NODE_MAP) {
		/* A text that ended between a key and its value leaves a key alone. */
		if (node->count % 2) {
			struct node **link = &node->child;

			while ((*link)->next)
				link = &(*link)->next->next;
			*link = NULL;
		}
		node->count /= 2;
		if (check_keys(reader, node))
			reader->out_of_memory = true;
	}
	if (!event)
		node->cut = true;
	else if (event->end_mark.line + 1 == node->place.line && event->end_mark.column + 1 > node->place.column)
		node->place.length = event->end_mark.column + 1 - node->place.column;
	if (node->child && (!event || node->place.length == 1))
		node->place.length = node->kind == NODE_MAP ? node->child->place.length : 1;
}

static void read_alias(struct reader *reader, const yaml_event_t *event)
{
	struct node *node = new_node(reader, NODE_BAD, event);

	if (node)
		diag_error(reader->diag, &node->place, "write the value out", "aliases ('*%.60s') are not read",
			   event->data.alias.anchor);
}

static void begin_document(struct reader *reader, const yaml_event_t *event)
{
	struct place place = place_of(reader, &event->start_mark, &event->end_mark);

	if (!reader->documents++)
		return;
	diag_error(reader->diag, &place, "put it into a file of its own, and include that",
		   "a second document begins here; a file holds one");
	reader->yaml->broken = true;
}

static void take_event(struct reader *reader, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		begin_document(reader, event);
		break;
	case YAML_SCALAR_EVENT:
		read_scalar(reader, event);
		break;
	case YAML_ALIAS_EVENT:
		read_alias(reader, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		open_collection(reader, event, NODE_LIST);
		break;
	case YAML_MAPPING_START_EVENT:
		open_collection(reader, event, NODE_MAP);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_collection(reader, event);
		break;
	default:
		break;
	}
}

static const char *fix_of(const yaml_parser_t *parser, const char *text, size_t len)
{
	size_t line = 0, at = 0;

	while (at < len && line < parser->problem_mark.line)
		line += text[at++] == '\n';
	for (; at < len && text[at] != '\n'; at++)
		if (text[at] == '\t')
			return "indent with spaces, not with tabs";
	return NULL;
}

static void report_syntax(struct reader *reader, const char *text, size_t len)
{
	const yaml_parser_t *parser = &reader->parser;
	struct place place = place_of(reader, &parser->problem_mark, NULL);

	if (parser->error == YAML_MEMORY_ERROR) {
		reader->out_of_memory = true;
		return;
	}
	diag_error(reader->diag, &place, fix_of(parser, text, len), "not valid YAML: %s%s%s",
		   parser->problem ? parser->problem : "unreadable", parser->context ? ", " : "",
		   parser->context ? parser->context : "");
	reader->yaml->broken = true;
	/* A plain scalar runs on over line ends: the last one may have swallowed what the mistake set free. */
	if (reader->last && reader->last->kind == NODE_SCALAR)
		reader->last->kind = NODE_BAD;
}

static void parse(struct reader *reader, const char *text, size_t len)
{
	yaml_event_type_t type = YAML_NO_EVENT;

	yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text, len);
	while (type != YAML_STREAM_END_EVENT && !reader->yaml->broken && !reader->out_of_memory) {
		yaml_event_t event;

		if (!yaml_parser_parse(&reader->parser, &event)) {
			report_syntax(reader, text, len);
			break;
		}
		type = event.type;
		take_event(reader, &event);
		yaml_event_delete(&event);
	}
	while (reader->depth)
		close_collection(reader, NULL);
}

/* Length of the well-formed UTF-8 character at text (RFC 3629 4), 0 if it is none. */
static size_t utf8_len(const unsigned char *text, size_t left)
{
	unsigned char c = text[0];
	size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) || (c == 0xf0 && text[1] < 0x90) ||
	    (c == 0xf4 && text[1] > 0x8f))
		return 0;
	return len;
}

/*
 * YAML breaks lines also at U+0085, U+2028, U+2029 and a lone carriage return, which no editor counts: with them,
 * places would be wrong. Those and all other control characters are refused before the parser sees them.
 */
static bool is_refused(const unsigned char *text, size_t len, size_t left)
{
	if (len == 1)
		return text[0] == 0x7f || (text[0] < 0x20 && text[0] != '\t' && text[0] != '\n' &&
					   !(text[0] == '\r' && left > 1 && text[1] == '\n'));
	if (len == 2)
		return text[0] == 0xc2 && text[1] < 0xa0;
	return len == 3 && text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9);
}

/* Is the text UTF-8 without what is_refused? Reports the first character that is not. */
static bool check_text(struct reader *reader, const char *text, size_t len)
{
	struct place place = { reader->file, 1, 1, 1 };

	for (size_t i = 0, n; i < len; i += n) {
		const unsigned char *at = (const unsigned char *)text + i;

		n = utf8_len(at, len - i);
		if (!n || is_refused(at, n, len - i)) {
			diag_error(reader->diag, &place, NULL,
				   !n ? "not a text file: a byte (0x%02x) that is not UTF-8" :
				   n == 1 ? "not a text file: a control character (0x%02x)" :
					    "a control character or line separator (0x%02x…) other than newline",
				   at[0]);
			return false;
		}
		place.column++;
		if (*at == '\n') {
			place.line++;
			place.column = 1;
		}
	}
	return true;
}

int yaml_tree_read(const char *text, size_t len, int file, struct diag *diag, struct yaml_tree **ret_yaml)
{
	_cleanup_(yaml_tree_freep) struct yaml_tree *yaml = calloc(1, sizeof(*yaml));
	struct reader reader = { .yaml = yaml, .diag = diag, .file = file };

	if (!yaml)
		return -ENOMEM;
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) { /* a byte order mark */
		text += 3;
		len -= 3;
	}
	if (!check_text(&reader, text, len)) {
		yaml->broken = true;
	} else {
		if (!yaml_parser_initialize(&reader.parser))
			return -ENOMEM;
		parse(&reader, text, len);
		yaml_parser_delete(&reader.parser);
	}
	if (reader.out_of_memory)
		return -ENOMEM;
	*ret_yaml = take_ptr(yaml);
	return 0;
}
