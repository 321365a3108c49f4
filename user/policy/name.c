// SPDX-License-Identifier: GPL-2.0-only
/* Names: their form, where they are defined, and what a misspelt one was meant to be. */
#include "policy/address.h"
#include "policy/near.h"
#include "policy/reader.h"

/* Looking for a near name costs a comparison with every name: only the first mistakes of very many get it. */
#define CANDIDATES_MAX 2000000
#define NAME_MAX_LEN 63

/* The reasons of design section 5, of drops and of allowed packets. */
static const char *const reasons[] = {
	"ethertype", "malformed", "spoofed",  "tcp-state", "fragment", "blocked", "revoked", "rule",
	"default",   "limit",	  "plaintext", "intra-zone", "failsafe", "essential", "flow", "related",
	"non-ip",
};

bool reason_is_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (!strcmp(reasons[i], name))
			return true;
	return false;
}

static bool is_reserved(const char *name)
{
	return !strcmp(name, "any") || !strcmp(name, "host") || !strcmp(name, "world") || reason_is_known(name);
}

/* Numbers as people and parsers write them: 80, 1.5, 0x1f, 1e6. */
static bool is_number(const char *name)
{
	size_t digits = strspn(name, "0123456789.");

	if (name[0] == '0' && (name[1] == 'x' || name[1] == 'X') && name[2])
		return !name[2 + strspn(name + 2, "0123456789abcdefABCDEF")];
	if (digits && (name[digits] == 'e' || name[digits] == 'E') && name[digits + 1])
		return !name[digits + 1 + strspn(name + digits + 1, "0123456789")];
	return digits && !name[digits];
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_well_formed(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > NAME_MAX_LEN || !is_letter_or_digit(name[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_letter_or_digit(name[i]) && !strchr("_.-", name[i]))
			return false;
	return true;
}

bool name_check(struct reader *reader, const struct node *node, const char *what)
{
	const char *name = node->text;

	if (!is_well_formed(name))
		diag_error(reader->diag, &node->place,
			   "a name has at most 63 letters, digits, '_', '.' and '-', and begins with a letter or a digit",
			   "'%.60s' cannot be the name of %s", name, what);
	else if (is_number(name) || address_is_meant(name))
		diag_error(reader->diag, &node->place, NULL, "'%.60s' cannot be the name of %s: it is a number or an address",
			   name, what);
	else if (is_reserved(name))
		diag_error(reader->diag, &node->place, NULL, "'%.60s' cannot be the name of %s: the word is reserved", name,
			   what);
	else
		return true;
	return false;
}

const char *place_print(const struct reader *reader, const struct place *place, char *text, size_t size)
{
	const char *name = diag_file_name(reader->diag, place->file);

	snprintf(text, size, "%.120s:%u:%u", name ? name : "", place->line, place->column);
	return text;
}

bool failed(struct reader *reader, int err)
{
	reader->out_of_memory |= err != 0;
	return err != 0;
}

bool define(struct reader *reader, struct definitions *definitions, const struct node *node, const char *name,
	    const char *what)
{
	char fix[FIX_MAX], place[160];
	unsigned first;

	if (index_find(&definitions->index, name, &first)) {
		snprintf(fix, sizeof(fix), "it is first defined at %s",
			 place_print(reader, &definitions->v[first].place, place, sizeof(place)));
		diag_error(reader->diag, &node->place, fix, "%s '%.63s' is defined twice", what, name);
		return false;
	}
	if (failed(reader, array_grow(&definitions->v, definitions->count, sizeof(*definitions->v))) ||
	    failed(reader, index_add(&definitions->index, name, definitions->count)))
		return false;
	definitions->v[definitions->count++] = (struct definition){
		.name = name, .place = node->place, .node = node, .document = reader->document
	};
	return true;
}

void definitions_clear(struct definitions *definitions)
{
	free(definitions->v);
	index_clear(&definitions->index);
}

void report_undefined(struct reader *reader, const struct node *node, const struct definitions *definitions,
		      const char *what, const char *const *builtin)
{
	struct near near = near_begin(node->text);
	char fix[FIX_MAX], place[160];
	size_t known = definitions->count;

	if (reader->incomplete)
		return;
	if (reader->candidates < CANDIDATES_MAX) {
		reader->candidates += known;
		for (size_t i = 0; i < known; i++)
			near_try(&near, definitions->v[i].name, i);
		for (size_t i = 0; builtin && builtin[i]; i++)
			near_try(&near, builtin[i], known + i);
	}
	if (!near_found(&near))
		*fix = 0;
	else if (near.best >= known)
		snprintf(fix, sizeof(fix), "did you mean '%s'?", builtin[near.best - known]);
	else
		snprintf(fix, sizeof(fix), "did you mean '%s' (%s)?", definitions->v[near.best].name,
			 place_print(reader, &definitions->v[near.best].place, place, sizeof(place)));
	diag_error(reader->diag, &node->place, *fix ? fix : NULL, "%s '%.63s' is not defined", what, node->text);
}
