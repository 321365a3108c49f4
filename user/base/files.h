/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files that a policy is read from: those of the file system, which can be kept as they are read; or such kept ones,
 * from a pack of bytes. So what was applied can be read again, whatever has become of the files since.
 *
 * A pack is the files' paths, identities and contents, which of them were named rather than included, and from which folder
 * relative paths start, deflated (zlib, RFC 1950). Host byte order: it does not leave the machine.
 */
#ifndef ZW_FILES_H
#define ZW_FILES_H

#include "base/file.h"

struct files;

/* Of the file system; what is read is kept, for files_pack(). NULL: out of memory. */
struct files *files_new(void);
/* 0; -EINVAL: that is no pack, or not a whole one; -ENOMEM. The bytes are not needed afterwards. */
int files_unpack(const void *bytes, size_t len, struct files **ret_files);
/* As if of a pack with one file, that was named. Path and text are copied. 0 or -ENOMEM. */
int files_of_text(const char *path, const char *text, size_t len, struct files **ret_files);
void files_free(struct files *files);

/* As file_read(). NULL: of the file system, and nothing is kept. Of a pack: -ENOENT if the path is not in it. */
int files_read(struct files *files, const char *path, size_t limit, struct file_text *ret_file);

/* The paths that match (glob(7)), sorted by their bytes. -ENOENT: none does; -ENOMEM. files_paths_free() frees them. */
int files_glob(struct files *files, const char *pattern, char ***ret_paths, size_t *ret_count);
void files_paths_free(char **paths, size_t count);

/* Everything that was read; `named` are the paths that a policy was asked for by. 0 or -ENOMEM. The caller frees. */
int files_pack(struct files *files, const char *const *named, size_t count, void **ret_bytes, size_t *ret_len);
/*
 * From here on everything is read from what was kept, and this path as if its file held this text (copied). 0; -ENOENT: it was
 * not read; -ENOMEM.
 */
int files_edit(struct files *files, const char *path, const char *text, size_t len);

/* Of a pack: the working directory of who made it first; NULL: an older version did. Borrowed. */
const char *files_folder(const struct files *files);

/* Of a pack: those paths. Borrowed. */
const char *const *files_named(const struct files *files, size_t *ret_count);

#endif
