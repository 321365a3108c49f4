// SPDX-License-Identifier: GPL-2.0-only
/* Files and includes: which documents make the policy, in which order. */
#include "policy/schema.h"

static void load(struct reader *reader, const char *path, const struct place *from);

static bool is_same(const struct file_id *a, const struct file_id *b)
{
	return a->device == b->device && a->inode == b->inode;
}

static bool is_among(const struct file_id *ids, size_t count, const struct file_id *id)
{
	for (size_t i = 0; i < count; i++)
		if (is_same(&ids[i], id))
			return true;
	return false;
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strndup(path, slash ? slash + 1 - path : 0);
}

char *path_beside(const struct document *document, const char *path)
{
	char *joined;

	if (asprintf(&joined, "%s%s", path[0] == '/' ? "" : document->directory, path) < 0)
		return NULL;
	return joined;
}

int remember_file(struct reader *reader, const char *path)
{
	struct policy *policy = reader->policy;
	char *name = strdup(path);

	if (!name || array_grow(&policy->files, policy->file_count, sizeof(*policy->files))) {
		free(name);
		return -ENOMEM;
	}
	policy->files[policy->file_count++] = name;
	return 0;
}

void document_free(struct document *document)
{
	if (!document)
		return;
	yaml_tree_free(document->yaml);
	free(document->directory);
	free(document);
}
DEFINE_CLEANUP(struct document *, document_free)

/* The part of a pattern that is a real path: what glob() would take for special in it is escaped. */
static char *escape(const char *path)
{
	char *escaped = malloc(2 * strlen(path) + 1), *to = escaped;

	if (!escaped)
		return NULL;
	for (; *path; path++) {
		if (strchr("*?[]\\", *path))
			*to++ = '\\';
		*to++ = *path;
	}
	*to = 0;
	return escaped;
}

static void include_glob(struct reader *reader, const struct document *document, const struct node *node)
{
	_cleanup_free_ char *directory = escape(node->text[0] == '/' ? "" : document->directory);
	_cleanup_free_ char *pattern = NULL;
	char **paths = NULL;
	size_t count = 0;
	int err;

	if (!directory || asprintf(&pattern, "%s%s", directory, node->text) < 0) {
		reader->out_of_memory = true;
		return;
	}
	err = files_glob(reader->files, pattern, &paths, &count);
	if (err == -ENOENT)
		diag_warning(reader->diag, &node->place, NULL, "'%.120s' matches no file", node->text);
	else
		failed(reader, err);
	for (size_t i = 0; i < count; i++)
		load(reader, paths[i], &node->place);
	files_paths_free(paths, count);
}

static void include(struct reader *reader, const struct document *document, const struct node *node)
{
	_cleanup_free_ char *path = NULL;

	if (!want_text(reader, node, "a path"))
		return;
	if (strpbrk(node->text, "*?[")) {
		include_glob(reader, document, node);
		return;
	}
	path = path_beside(document, node->text);
	if (!path)
		reader->out_of_memory = true;
	else
		load(reader, path, &node->place);
}

static void read_includes(struct reader *reader, const struct document *document, const struct node *root)
{
	node_for_each_key(key, root) {
		if (strcmp(key->text, "include") || !want_list(reader, key->next, "a list of paths"))
			continue;
		node_for_each(node, key->next)
			include(reader, document, node);
	}
}

/* Takes note of a file that was opened. False: it is not to be read (again). */
static bool enter(struct reader *reader, const struct file_id *id, const char *path, const struct place *from)
{
	if (is_among(reader->stack, reader->depth, id)) {
		diag_error(reader->diag, from, "take this include away", "'%.120s' includes itself", path);
		return false;
	}
	if (is_among(reader->ids, reader->id_count, id))
		return false;
	if (reader->depth == INCLUDE_DEPTH || reader->id_count == FILES_MAX) {
		diag_error(reader->diag, from, NULL,
			   reader->depth == INCLUDE_DEPTH ? "'%.120s': includes are nested deeper than %u" :
							    "'%.120s': the policy has more than %u files",
			   path, reader->depth == INCLUDE_DEPTH ? INCLUDE_DEPTH : FILES_MAX);
		reader->incomplete = true;
		return false;
	}
	if (failed(reader, array_grow(&reader->ids, reader->id_count, sizeof(*reader->ids))))
		return false;
	reader->ids[reader->id_count++] = *id;
	return true;
}

static void report_unreadable(struct reader *reader, const char *path, const struct place *from, int err)
{
	struct place place = { .file = -1 };
	char fix[FIX_MAX];

	reader->incomplete = true;
	if (err == -ENOMEM) {
		reader->out_of_memory = true;
		return;
	}
	if (err == -EFBIG)
		snprintf(fix, sizeof(fix), "split it, and include its parts: a policy file has at most %u MiB",
			 POLICY_FILE_BYTES >> 20);
	if (!from) {
		place.file = diag_file(reader->diag, path, NULL, 0);
		from = &place;
	}
	diag_error(reader->diag, from, err == -EFBIG ? fix : NULL, "cannot read '%.120s': %s", path, file_problem(err));
}

static void check_root(struct reader *reader, struct document *document)
{
	const struct node *root = yaml_tree_root(document->yaml);
	struct place place = { .file = document->file };

	reader->incomplete |= yaml_tree_is_broken(document->yaml);
	if (root && root->kind == NODE_MAP)
		read_includes(reader, document, root);
	else
		reader->incomplete = true;
	if (!yaml_tree_is_broken(document->yaml) && (!root || (root->kind == NODE_SCALAR && !*root->text)))
		diag_error(reader->diag, &place, "a policy begins with 'version: 1'", "the file is empty");
}

static void load(struct reader *reader, const char *path, const struct place *from)
{
	_cleanup_(document_freep) struct document *document = calloc(1, sizeof(*document));
	struct file_text file = { 0 };
	_cleanup_free_ char *text = NULL;
	int err;

	if (!document || !(document->directory = directory_of(path))) {
		reader->out_of_memory = true;
		return;
	}
	err = files_read(reader->files, path, POLICY_FILE_BYTES, &file);
	text = file.text;
	if (err) {
		report_unreadable(reader, path, from, err);
		return;
	}
	if (!enter(reader, &file.id, path, from) || failed(reader, remember_file(reader, path)))
		return;
	document->file = diag_file(reader->diag, path, text, file.len);
	if (document->file < 0 || yaml_tree_read(text, file.len, document->file, reader->diag, &document->yaml)) {
		reader->out_of_memory = true;
		return;
	}
	reader->stack[reader->depth++] = file.id;
	check_root(reader, document);
	reader->depth--;
	/* After what it includes: an included file's lists come first. */
	if (!failed(reader, array_grow(&reader->documents, reader->document_count, sizeof(*reader->documents))))
		reader->documents[reader->document_count++] = take_ptr(document);
}

void load_files(struct reader *reader, const char *const *files, size_t count)
{
	for (size_t i = 0; i < count; i++)
		load(reader, files[i], NULL);
}
