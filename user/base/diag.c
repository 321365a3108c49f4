// SPDX-License-Identifier: GPL-2.0-only
#include <json-c/json.h>
#include <stdarg.h>

#include "base/diag.h"
#include "base/util.h"

/* A longer source line is shown in part, around the caret. */
#define SHOWN_CHARS 120
#define SHOWN_BEFORE 50

struct line {
	unsigned number;
	char *text;
	size_t len;
};

struct file {
	char *name;
	char *text; /* NULL: only the quoted lines are known */
	size_t len;
	size_t *starts; /* of its lines; made when the first one is quoted */
	size_t line_count;
	struct line *quoted;
	size_t quoted_count;
	struct spot {
		unsigned line, column;
		size_t offset; /* of the column, in the line */
	} shown; /* where the last part shown began: the next mistake of a long line is looked for from there */
};

struct entry {
	bool is_error, has_place;
	struct place place;
	size_t sequence;
	char *message, *fix;
};

struct diag {
	struct file *files;
	size_t file_count;
	struct entry *entries;
	size_t entry_count, errors;
	bool lost; /* an entry that memory was too short for: counts as an error */
};

struct diag *diag_new(void)
{
	return calloc(1, sizeof(struct diag));
}

static void forget_lines(struct file *file)
{
	for (size_t i = 0; i < file->quoted_count; i++)
		free(file->quoted[i].text);
	free(file->quoted);
	free(file->starts);
	free(file->text);
	*file = (struct file){ .name = file->name };
}

static void free_file(struct file *file)
{
	forget_lines(file);
	free(file->name);
}

void diag_forget(struct diag *diag)
{
	for (size_t i = 0; i < diag->file_count; i++)
		forget_lines(&diag->files[i]);
	for (size_t i = 0; i < diag->entry_count; i++) {
		free(diag->entries[i].message);
		free(diag->entries[i].fix);
	}
	free(diag->entries);
	*diag = (struct diag){ .files = diag->files, .file_count = diag->file_count };
}

void diag_free(struct diag *diag)
{
	if (!diag)
		return;
	diag_forget(diag);
	for (size_t i = 0; i < diag->file_count; i++)
		free_file(&diag->files[i]);
	free(diag->files);
	free(diag);
}

static char *copy(const char *text, size_t len)
{
	char *bytes = malloc(len + 1);

	if (bytes) {
		memcpy(bytes, text, len);
		bytes[len] = 0;
	}
	return bytes;
}

int diag_file(struct diag *diag, const char *name, const char *text, size_t len)
{
	struct file file = { .name = strdup(name), .text = text ? copy(text, len) : NULL, .len = text ? len : 0 };

	if (!file.name || (text && !file.text) || array_grow(&diag->files, diag->file_count, sizeof(file))) {
		free_file(&file);
		return -ENOMEM;
	}
	diag->files[diag->file_count] = file;
	return diag->file_count++;
}

const char *diag_file_name(const struct diag *diag, int file)
{
	return file >= 0 && (size_t)file < diag->file_count ? diag->files[file].name : NULL;
}

int diag_quote(struct diag *diag, int file, unsigned line, const char *text, size_t len)
{
	struct file *f = &diag->files[file];
	struct line quoted = { line, copy(text, len), len };

	if (!quoted.text || array_grow(&f->quoted, f->quoted_count, sizeof(quoted))) {
		free(quoted.text);
		return -ENOMEM;
	}
	f->quoted[f->quoted_count++] = quoted;
	return 0;
}

static __attribute__((format(printf, 5, 0))) void add(struct diag *diag, bool is_error, const struct place *place,
						      const char *fix, const char *format, va_list args)
{
	struct entry entry = { .is_error = is_error, .has_place = place, .sequence = diag->entry_count };

	if (place)
		entry.place = *place;
	diag->errors += is_error;
	if (vasprintf(&entry.message, format, args) < 0)
		entry.message = NULL;
	entry.fix = fix ? strdup(fix) : NULL;
	if (!entry.message || (fix && !entry.fix) || array_grow(&diag->entries, diag->entry_count, sizeof(entry))) {
		free(entry.message);
		free(entry.fix);
		diag->lost = true;
		return;
	}
	diag->entries[diag->entry_count++] = entry;
}

void diag_error(struct diag *diag, const struct place *place, const char *fix, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(diag, true, place, fix, format, args);
	va_end(args);
}

void diag_warning(struct diag *diag, const struct place *place, const char *fix, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(diag, false, place, fix, format, args);
	va_end(args);
}

void diag_promote(struct diag *diag)
{
	for (size_t i = 0; i < diag->entry_count; i++) {
		diag->errors += !diag->entries[i].is_error;
		diag->entries[i].is_error = true;
	}
}

size_t diag_errors(const struct diag *diag)
{
	return diag->errors + (diag->lost && !diag->errors);
}

size_t diag_warnings(const struct diag *diag)
{
	size_t count = 0;

	for (size_t i = 0; i < diag->entry_count; i++)
		count += !diag->entries[i].is_error;
	return count;
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;

	if (x->has_place != y->has_place)
		return x->has_place ? -1 : 1;
	if (x->place.file != y->place.file)
		return x->place.file < y->place.file ? -1 : 1;
	if (x->place.line != y->place.line)
		return x->place.line < y->place.line ? -1 : 1;
	if (x->place.column != y->place.column)
		return x->place.column < y->place.column ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* The entries in the order of the files. NULL if out of memory. */
static const struct entry **sort(const struct diag *diag)
{
	const struct entry **sorted = array_new(diag->entry_count, sizeof(*sorted));

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < diag->entry_count; i++)
		sorted[i] = &diag->entries[i];
	qsort(sorted, diag->entry_count, sizeof(*sorted), compare);
	return sorted;
}

static int index_lines(struct file *file)
{
	size_t count = 0;
	const char *at = file->text, *end = file->text + file->len;

	while (at) {
		if (array_grow(&file->starts, count, sizeof(*file->starts)))
			return -ENOMEM;
		file->starts[count++] = at - file->text;
		at = memchr(at, '\n', end - at);
		at = at ? at + 1 : NULL;
	}
	file->line_count = count;
	return 0;
}

/* The text of a line without its end. NULL if it is not known. */
static const char *find_line(struct file *file, unsigned line, size_t *ret_len)
{
	const char *text;
	size_t end;

	for (size_t i = 0; i < file->quoted_count; i++)
		if (file->quoted[i].number == line) {
			*ret_len = file->quoted[i].len;
			return file->quoted[i].text;
		}
	if (!file->text || (!file->starts && index_lines(file)) || !line || line > file->line_count)
		return NULL;
	text = file->text + file->starts[line - 1];
	end = line < file->line_count ? file->starts[line] - 1 : file->len;
	*ret_len = end - file->starts[line - 1];
	if (*ret_len && text[*ret_len - 1] == '\r')
		--*ret_len;
	return text;
}

/* Bytes of the character at text, 1 for what is not UTF-8. */
static size_t char_len(const char *text, size_t left)
{
	unsigned char c = *text;
	size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

	if (len > left)
		return 1;
	for (size_t i = 1; i < len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 1;
	return len;
}

/* What a terminal could take as a command is shown as '?': C0 and C1 controls, and bytes that are not UTF-8. */
static bool is_unsafe(const char *text, size_t len)
{
	unsigned char c = *text;

	if (len == 1)
		return (c < 0x20 && c != '\t') || c >= 0x7f;
	return c == 0xc2 && (unsigned char)text[1] < 0xa0;
}

static void print_char(FILE *out, const char *text, size_t len)
{
	if (is_unsafe(text, len))
		putc_unlocked('?', out);
	else if (len == 1)
		putc_unlocked(*text, out); /* nearly all, and fwrite() takes ten times as long */
	else
		fwrite(text, 1, len, out);
}

static void print_text(FILE *out, const char *text)
{
	for (size_t left = strlen(text), len; left; text += len, left -= len) {
		len = char_len(text, left);
		print_char(out, text, len);
	}
}

/* The offset of a column, or of the line's end if that comes first; ret_column tells which. */
static size_t find_column(struct file *file, unsigned line, unsigned column, const char *text, size_t len,
			  unsigned *ret_column)
{
	struct spot *spot = &file->shown;

	if (spot->line != line || spot->column > column)
		*spot = (struct spot){ .line = line, .column = 1 };
	for (; spot->offset < len && spot->column < column; spot->column++)
		spot->offset += char_len(text + spot->offset, len - spot->offset);
	*ret_column = spot->column;
	return spot->offset;
}

/*
 * The source line and a caret under the place. The indent of the caret repeats the tabs of the line, so that it stands
 * right whatever their width.
 */
static void print_source(FILE *out, struct file *file, const struct place *place, const char *text, size_t len)
{
	unsigned column = place->column ? place->column : 1, from = 1, at;
	size_t indent_len = 0, width = 0, begin;
	char indent[SHOWN_CHARS];
	int gutter;

	if (column > SHOWN_CHARS - SHOWN_BEFORE / 2)
		from = column - SHOWN_BEFORE;
	begin = find_column(file, place->line, from, text, len, &at);
	gutter = fprintf(out, "%5u", place->line);
	fprintf(out, " | %s", from > 1 ? "..." : "");
	for (size_t i = begin, n; i < len; i += n, at++) {
		n = char_len(text + i, len - i);
		if (at >= from + SHOWN_CHARS) {
			fputs("...", out);
			break;
		}
		print_char(out, text + i, n);
		if (at < column && indent_len < sizeof(indent))
			indent[indent_len++] = text[i] == '\t' ? '\t' : ' ';
		else if (width < place->length)
			width++;
	}
	fprintf(out, "\n%*s | %s%.*s^", gutter, "", from > 1 ? "   " : "", (int)indent_len, indent);
	while (width-- > 1)
		fputc('~', out);
	fputc('\n', out);
}

static void print_place(const struct diag *diag, FILE *out, const struct entry *entry)
{
	const char *name = entry->has_place ? diag_file_name(diag, entry->place.file) : NULL;

	if (!name)
		return;
	print_text(out, name);
	if (entry->place.line)
		fprintf(out, ":%u:%u", entry->place.line, entry->place.column);
	fputs(": ", out);
}

static void print_entry(const struct diag *diag, FILE *out, bool colour, const struct entry *entry)
{
	const char *start = !colour ? "" : entry->is_error ? "\033[1;31m" : "\033[1;33m";
	const char *text;
	size_t len;

	print_place(diag, out, entry);
	fprintf(out, "%s%s:%s ", start, entry->is_error ? "error" : "warning", colour ? "\033[0m" : "");
	print_text(out, entry->message);
	fputc('\n', out);
	if (entry->has_place && entry->place.line && diag_file_name(diag, entry->place.file)) {
		text = find_line(&diag->files[entry->place.file], entry->place.line, &len);
		if (text)
			print_source(out, &diag->files[entry->place.file], &entry->place, text, len);
	}
	if (entry->fix) {
		fputs("  fix: ", out);
		print_text(out, entry->fix);
		fputc('\n', out);
	}
}

static void print_entries(const struct diag *diag, FILE *out, bool colour)
{
	_cleanup_free_ const struct entry **sorted = sort(diag);

	if (!sorted || diag->lost)
		fputs("error: out of memory\n", out);
	for (size_t i = 0; sorted && i < diag->entry_count; i++)
		print_entry(diag, out, colour, sorted[i]);
}

/* Standard error is written line by line: what may be a hundred thousand warnings is put together first. */
void diag_print(const struct diag *diag, FILE *out, bool colour)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *all = diag->entry_count ? open_memstream(&text, &len) : NULL;

	print_entries(diag, all ? all : out, colour);
	if (all && !fclose(all))
		fwrite(text, 1, len, out);
}

/* JSON is UTF-8: the same characters are replaced as on a terminal, the rest is escaped by json-c. */
static struct json_object *json_text(const char *text)
{
	_cleanup_free_ char *clean = strdup(text);
	struct json_object *json;
	size_t left = strlen(text), at = 0;

	if (!clean)
		return NULL;
	for (size_t len; left; text += len, left -= len) {
		len = char_len(text, left);
		if (is_unsafe(text, len)) {
			clean[at++] = '?';
			continue;
		}
		memcpy(clean + at, text, len);
		at += len;
	}
	json = json_object_new_string_len(clean, at);
	return json;
}

static struct json_object *json_entry(const struct diag *diag, const struct entry *entry)
{
	struct json_object *object = json_object_new_object();
	const char *name = entry->has_place ? diag_file_name(diag, entry->place.file) : NULL;

	if (!object)
		return NULL;
	json_object_object_add(object, "severity", json_object_new_string(entry->is_error ? "error" : "warning"));
	json_object_object_add(object, "file", name ? json_text(name) : NULL);
	if (name && entry->place.line) {
		json_object_object_add(object, "line", json_object_new_int64(entry->place.line));
		json_object_object_add(object, "column", json_object_new_int64(entry->place.column));
		json_object_object_add(object, "length", json_object_new_int64(entry->place.length));
	}
	json_object_object_add(object, "message", json_text(entry->message));
	json_object_object_add(object, "fix", entry->fix ? json_text(entry->fix) : NULL);
	return object;
}

struct json_object *diag_json(const struct diag *diag)
{
	_cleanup_free_ const struct entry **sorted = sort(diag);
	struct json_object *array = json_object_new_array();

	if (!sorted || !array) {
		json_object_put(array);
		return NULL;
	}
	for (size_t i = 0; i < diag->entry_count; i++)
		json_object_array_add(array, json_entry(diag, sorted[i]));
	return array;
}
