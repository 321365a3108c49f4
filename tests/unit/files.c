// SPDX-License-Identifier: GPL-2.0-only
/* Files that are kept: what is packed is read again as it was, by name and by pattern; what is no pack is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/files.h"
#include "base/util.h"

DEFINE_CLEANUP(struct files *, files_free)

static char folder[] = "/tmp/zonewall-files-XXXXXX";

static char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void write_file(const char *name, const char *text, size_t len)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(mkdir(path_of("d"), 0700), 0);
	write_file("main", "one\n", 4);
	write_file("d/b", "", 0);
	write_file("d/a", "a\0b", 3);
	write_file("d/.hidden", "h", 1);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "main", "d/a", "d/b", "d/.hidden", "d", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		remove(path_of(names[i]));
	return 0;
}

static void assert_text(struct files *files, const char *name, const char *text, size_t len, struct file_id *ret_id)
{
	struct file_text file = { 0 };

	assert_int_equal(files_read(files, path_of(name), 100, &file), 0);
	assert_int_equal(file.len, len);
	assert_memory_equal(file.text, text, len);
	assert_int_equal(file.text[len], 0);
	*ret_id = file.id;
	free(file.text);
}

/* Reads all but `skip` of the folder's files, and packs them. */
static void pack(void **ret_bytes, size_t *ret_len, struct file_id ret_ids[3])
{
	_cleanup_(files_freep) struct files *files = files_new();
	const char *named[] = { "main", "" };

	assert_non_null(files);
	assert_text(files, "main", "one\n", 4, &ret_ids[0]);
	assert_text(files, "d/a", "a\0b", 3, &ret_ids[1]);
	assert_text(files, "d/b", "", 0, &ret_ids[2]);
	assert_text(files, "main", "one\n", 4, &ret_ids[0]);
	assert_int_equal(files_pack(files, named, 2, ret_bytes, ret_len), 0);
}

static void a_pack_is_read_as_the_files_were(void **state)
{
	_cleanup_(files_freep) struct files *files = NULL;
	_cleanup_free_ void *bytes = NULL;
	struct file_id before[3], after[3];
	struct file_text file;
	const char *const *named;
	size_t len, count;

	(void)state;
	pack(&bytes, &len, before);
	assert_int_equal(files_unpack(bytes, len, &files), 0);
	write_file("main", "two\n", 4);
	remove(path_of("d/a"));
	assert_text(files, "main", "one\n", 4, &after[0]);
	assert_text(files, "d/a", "a\0b", 3, &after[1]);
	assert_text(files, "d/b", "", 0, &after[2]);
	for (int i = 0; i < 3; i++)
		assert_true(before[i].device == after[i].device && before[i].inode == after[i].inode);
	assert_int_equal(files_read(files, path_of("d/.hidden"), 100, &file), -ENOENT);
	assert_int_equal(files_read(files, path_of("main"), 3, &file), -EFBIG);
	named = files_named(files, &count);
	assert_int_equal(count, 2);
	assert_string_equal(named[0], "main");
	assert_string_equal(named[1], "");
	write_file("main", "one\n", 4);
	write_file("d/a", "a\0b", 3);
}

static void assert_paths(struct files *files, const char *pattern, const char *const *names, size_t wanted)
{
	char **paths = NULL;
	size_t count = 0;
	int err = files_glob(files, path_of(pattern), &paths, &count);

	assert_int_equal(err, wanted ? 0 : -ENOENT);
	assert_int_equal(count, wanted);
	for (size_t i = 0; i < wanted; i++)
		assert_string_equal(paths[i], path_of(names[i]));
	files_paths_free(paths, count);
}

/* A pattern finds in a pack what it found on disk. */
static void patterns_find_the_same(void **state)
{
	static const struct {
		const char *pattern;
		const char *names[2];
		size_t count;
	} rows[] = {
		{ "d/*", { "d/a", "d/b" }, 2 }, { "*", { "d", "main" }, 2 },   { "*/[b-z]", { "d/b" }, 1 },
		{ "d/?", { "d/a", "d/b" }, 2 }, { "d/c*", { NULL }, 0 },       { "\\m*", { "main" }, 1 },
		{ "*n", { "main" }, 1 },        { "*/main", { NULL }, 0 },
	};
	_cleanup_(files_freep) struct files *files = NULL;
	_cleanup_free_ void *bytes = NULL;
	struct file_id ids[3];
	size_t len;

	(void)state;
	pack(&bytes, &len, ids);
	assert_int_equal(files_unpack(bytes, len, &files), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		/* A folder is on disk, and nothing that a policy could have read. */
		bool folder_matches = !strcmp(rows[i].pattern, "*");

		assert_paths(NULL, rows[i].pattern, rows[i].names, rows[i].count);
		assert_paths(files, rows[i].pattern, rows[i].names + folder_matches, rows[i].count - folder_matches);
	}
}

static void damage_is_noticed(void **state)
{
	_cleanup_free_ unsigned char *bytes = NULL;
	struct file_id ids[3];
	size_t len, noticed = 0;

	(void)state;
	pack((void **)&bytes, &len, ids);
	for (size_t cut = 0; cut < len; cut++) {
		struct files *files = NULL;

		assert_int_equal(files_unpack(bytes, cut, &files), -EINVAL);
	}
	/* Each byte: it is noticed, or says the same in other words (the padding; which zeros are repeated). */
	for (size_t i = 0; i < len; i++) {
		_cleanup_(files_freep) struct files *files = NULL;

		bytes[i] ^= 0x01;
		if (files_unpack(bytes, len, &files)) {
			noticed++;
		} else {
			assert_text(files, "main", "one\n", 4, &ids[0]);
			assert_text(files, "d/a", "a\0b", 3, &ids[1]);
			assert_text(files, "d/b", "", 0, &ids[2]);
		}
		bytes[i] ^= 0x01;
	}
	assert_true(noticed + 16 > len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pack_is_read_as_the_files_were),
		cmocka_unit_test(patterns_find_the_same),
		cmocka_unit_test(damage_is_noticed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
