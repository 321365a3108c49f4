// SPDX-License-Identifier: GPL-2.0-only
#include "base/files.h"

#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <zlib.h>

#include "base/util.h"

struct kept {
	char *path, *text;
	size_t len;
	struct file_id id;
};

struct files {
	bool is_pack;
	struct kept *kept;
	size_t count;
	char **named;
	size_t named_count;
};

/*
 * What a pack begins with; the rest is deflated: paths that were named, then files. One without a path is the folder, which
 * older versions do not have, and do not ask for.
 */
struct pack_header {
	char magic[8];
	uint32_t version, pad;
	uint64_t named, files;
	uint64_t len; /* of the rest, inflated */
};
#define MAGIC "zwfiles"
#define VERSION 1
#define INFLATED_MAX (1ull << 32)

struct pack_file {
	uint64_t device, inode, path_len, text_len; /* the path and the text follow */
};

static void free_kept(struct kept *kept)
{
	free(kept->path);
	free(kept->text);
}

struct files *files_new(void)
{
	return calloc(1, sizeof(struct files));
}

void files_paths_free(char **paths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
}

void files_free(struct files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->count; i++)
		free_kept(&files->kept[i]);
	free(files->kept);
	files_paths_free(files->named, files->named_count);
	free(files);
}

DEFINE_CLEANUP(struct files *, files_free)

static const struct kept *find(const struct files *files, const char *path)
{
	for (size_t i = 0; i < files->count; i++)
		if (!strcmp(files->kept[i].path, path))
			return &files->kept[i];
	return NULL;
}

/* A copy with a NUL behind it. */
static char *copy(const char *bytes, size_t len)
{
	char *text = malloc(len + 1);

	if (!text)
		return NULL;
	memcpy(text, bytes, len);
	text[len] = 0;
	return text;
}

static int add_path(char ***paths, size_t *count, const char *path, size_t len)
{
	char *added = copy(path, len);

	if (!added || array_grow(paths, *count, sizeof(**paths))) {
		free(added);
		return -ENOMEM;
	}
	(*paths)[(*count)++] = added;
	return 0;
}

static int keep(struct files *files, const char *path, size_t path_len, const struct file_text *file)
{
	struct kept kept = { copy(path, path_len), copy(file->text, file->len), file->len, file->id };

	if (!kept.path || !kept.text || array_grow(&files->kept, files->count, sizeof(*files->kept))) {
		free_kept(&kept);
		return -ENOMEM;
	}
	files->kept[files->count++] = kept;
	return 0;
}

static int read_kept(const struct files *files, const char *path, size_t limit, struct file_text *ret_file)
{
	const struct kept *kept = find(files, path);

	if (!kept)
		return -ENOENT;
	if (kept->len > limit)
		return -EFBIG;
	*ret_file = (struct file_text){ copy(kept->text, kept->len), kept->len, kept->id };
	return ret_file->text ? 0 : -ENOMEM;
}

int files_read(struct files *files, const char *path, size_t limit, struct file_text *ret_file)
{
	int err;

	if (files && files->is_pack)
		return read_kept(files, path, limit, ret_file);
	err = file_read(path, limit, ret_file);
	if (err || !files || find(files, path))
		return err;
	err = keep(files, path, strlen(path), ret_file);
	if (err)
		free(take_ptr(ret_file->text));
	return err;
}

int files_of_text(const char *path, const char *text, size_t len, struct files **ret_files)
{
	const struct file_text file = { .text = (char *)text, .len = len };
	_cleanup_(files_freep) struct files *files = files_new();

	if (!files || keep(files, path, strlen(path), &file) ||
	    add_path(&files->named, &files->named_count, path, strlen(path)))
		return -ENOMEM;
	files->is_pack = true;
	*ret_files = take_ptr(files);
	return 0;
}

int files_edit(struct files *files, const char *path, const char *text, size_t len)
{
	struct kept *kept = (struct kept *)find(files, path);
	char *copied;

	if (!kept)
		return -ENOENT;
	copied = copy(text, len);
	if (!copied)
		return -ENOMEM;
	free(kept->text);
	kept->text = copied;
	kept->len = len;
	files->is_pack = true;
	return 0;
}

/* --- Patterns ---------------------------------------------------------------------------------------------------- */

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int glob_kept(const struct files *files, const char *pattern, char ***paths, size_t *count)
{
	int err = 0;

	for (size_t i = 0; !err && i < files->count; i++)
		if (*files->kept[i].path && !fnmatch(pattern, files->kept[i].path, FNM_PATHNAME | FNM_PERIOD))
			err = add_path(paths, count, files->kept[i].path, strlen(files->kept[i].path));
	return err;
}

static int glob_disk(const char *pattern, char ***paths, size_t *count)
{
	glob_t found = { 0 };
	int err = glob(pattern, GLOB_NOSORT, NULL, &found);

	if (err)
		return err == GLOB_NOSPACE ? -ENOMEM : 0;
	for (size_t i = 0; !err && i < found.gl_pathc; i++)
		err = add_path(paths, count, found.gl_pathv[i], strlen(found.gl_pathv[i]));
	globfree(&found);
	return err;
}

int files_glob(struct files *files, const char *pattern, char ***ret_paths, size_t *ret_count)
{
	bool is_pack = files && files->is_pack;
	char **paths = NULL;
	size_t count = 0;
	int err = is_pack ? glob_kept(files, pattern, &paths, &count) : glob_disk(pattern, &paths, &count);

	if (!err && !count)
		err = -ENOENT;
	if (err) {
		files_paths_free(paths, count);
		return err;
	}
	/* By bytes: the order must not depend on the locale. */
	qsort(paths, count, sizeof(*paths), compare_paths);
	*ret_paths = paths;
	*ret_count = count;
	return 0;
}

/* --- Packs ------------------------------------------------------------------------------------------------------- */

#define FOLDER ""

const char *files_folder(const struct files *files)
{
	const struct kept *folder = find(files, FOLDER);

	return folder ? folder->text : NULL;
}

static int keep_folder(struct files *files)
{
	char folder[PATH_MAX];
	struct file_text file = { .text = folder };

	if (files_folder(files) || !getcwd(folder, sizeof(folder)))
		return 0;
	file.len = strlen(folder);
	return keep(files, FOLDER, 0, &file);
}

static uint64_t plain_length(const struct files *files, const char *const *named, size_t count)
{
	uint64_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += sizeof(uint64_t) + strlen(named[i]);
	for (size_t i = 0; i < files->count; i++)
		len += sizeof(struct pack_file) + strlen(files->kept[i].path) + files->kept[i].len;
	return len;
}

/* Piece by piece: large feeds need not be in memory twice. The stream has room for all that can come of them. */
static void put(z_stream *stream, const void *bytes, size_t len)
{
	stream->next_in = (Bytef *)bytes;
	stream->avail_in = len;
	deflate(stream, Z_NO_FLUSH);
}

static void put_all(z_stream *stream, const struct files *files, const char *const *named, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t len = strlen(named[i]);

		put(stream, &len, sizeof(len));
		put(stream, named[i], len);
	}
	for (size_t i = 0; i < files->count; i++) {
		const struct kept *kept = &files->kept[i];
		const struct pack_file head = { kept->id.device, kept->id.inode, strlen(kept->path), kept->len };

		put(stream, &head, sizeof(head));
		put(stream, kept->path, head.path_len);
		put(stream, kept->text, kept->len);
	}
}

int files_pack(struct files *files, const char *const *named, size_t count, void **ret_bytes, size_t *ret_len)
{
	struct pack_header header = { .magic = MAGIC, .version = VERSION, .named = count };
	_cleanup_free_ char *packed = NULL;
	z_stream stream = { 0 };
	size_t room;
	bool done;

	if (keep_folder(files))
		return -ENOMEM;
	header.files = files->count;
	header.len = plain_length(files, named, count);
	room = compressBound(header.len);
	packed = malloc(sizeof(header) + room);
	if (!packed || room > UINT_MAX)
		return -ENOMEM;
	memcpy(packed, &header, sizeof(header));
	/* The fastest level: the time is an apply's, and policies shrink to a tenth all the same. */
	if (deflateInit(&stream, Z_BEST_SPEED) != Z_OK)
		return -ENOMEM;
	stream.next_out = (Bytef *)packed + sizeof(header);
	stream.avail_out = room;
	put_all(&stream, files, named, count);
	done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
	deflateEnd(&stream);
	if (!done)
		return -ENOMEM;
	*ret_bytes = take_ptr(packed);
	*ret_len = sizeof(header) + stream.total_out;
	return 0;
}

/* What is left of the inflated bytes. */
struct rest {
	const char *at;
	uint64_t len;
};

static const char *take(struct rest *rest, uint64_t len)
{
	const char *taken = rest->at;

	if (rest->len < len)
		return NULL;
	rest->at += len;
	rest->len -= len;
	return taken;
}

static int unpack_named(struct files *files, struct rest *rest)
{
	const char *head = take(rest, sizeof(uint64_t)), *path;
	uint64_t len = 0;

	if (head)
		memcpy(&len, head, sizeof(len));
	path = head ? take(rest, len) : NULL;
	return path ? add_path(&files->named, &files->named_count, path, len) : -EINVAL;
}

static int unpack_file(struct files *files, struct rest *rest)
{
	const char *bytes = take(rest, sizeof(struct pack_file)), *path, *text;
	struct pack_file head = { 0 };
	struct file_text file;

	if (bytes)
		memcpy(&head, bytes, sizeof(head));
	path = bytes ? take(rest, head.path_len) : NULL;
	text = path ? take(rest, head.text_len) : NULL;
	if (!text)
		return -EINVAL;
	file = (struct file_text){ (char *)text, head.text_len, { head.device, head.inode } };
	return keep(files, path, head.path_len, &file);
}

static int unpack_all(const struct pack_header *header, struct rest *rest, struct files *files)
{
	int err = 0;

	for (uint64_t i = 0; !err && i < header->named; i++)
		err = unpack_named(files, rest);
	for (uint64_t i = 0; !err && i < header->files; i++)
		err = unpack_file(files, rest);
	return err ? err : rest->len ? -EINVAL : 0;
}

int files_unpack(const void *bytes, size_t len, struct files **ret_files)
{
	_cleanup_(files_freep) struct files *files = files_new();
	_cleanup_free_ char *plain = NULL;
	struct pack_header header;
	uLongf plain_len;
	int err;

	if (len < sizeof(header))
		return -EINVAL;
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.magic, MAGIC, sizeof(header.magic)) || header.version != VERSION || header.len > INFLATED_MAX)
		return -EINVAL;
	plain_len = header.len;
	plain = malloc(header.len + 1);
	if (!files || !plain)
		return -ENOMEM;
	if (uncompress((Bytef *)plain, &plain_len, (const Bytef *)bytes + sizeof(header), len - sizeof(header)) != Z_OK ||
	    plain_len != header.len)
		return -EINVAL;
	files->is_pack = true;
	err = unpack_all(&header, &(struct rest){ plain, plain_len }, files);
	if (!err)
		*ret_files = take_ptr(files);
	return err;
}

const char *const *files_named(const struct files *files, size_t *ret_count)
{
	*ret_count = files->named_count;
	return (const char *const *)files->named;
}
