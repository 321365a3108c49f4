/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The confirmed policy on disk, for the next boot: what is pinned does not outlive one.
 *
 * /var/lib/zonewall/NAME/confirmed is the pack (base/files.h) of the last generation that was confirmed, `former` of the
 * one before whose files were others, in case the first is damaged or a later version of zonewall refuses it. Only files
 * are kept, not tables: these depend on the host's addresses, and on the version. `down` is an empty file that is there
 * after `zonewall down`, for which the unit of the boot looks.
 */
#ifndef ZW_SAVED_H
#define ZW_SAVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct files;

/* SAVED_FAILSAFE is on no disk: a policy that lets in what is always let in and nothing else, on all interfaces. */
enum saved { SAVED_CONFIRMED, SAVED_FORMER, SAVED_FAILSAFE };
const char *saved_name(enum saved which); /* its file's */

/*
 * The pinned generation is confirmed: keeps its files, in one step, and takes `down` back. Needs the instance's lock. A
 * failure is a warning: the generation decides all the same. SAVED_FAILSAFE is not kept.
 */
void saved_keep(const char *instance, uint32_t generation);

/*
 * A file with these bytes, which takes the place of the one before when it is on the disk, under a name of its own before. 0
 * or -errno, silent.
 */
int saved_replace(const char *path, const void *data, size_t len);

/* 0; -ENOENT: none is saved; -EPROTO: it is damaged, or of another version; -errno. Silent. */
int saved_read(const char *instance, enum saved which, struct files **ret_files);

/* What was taken off shall not come back with a boot. A failure is a warning. */
void saved_mark_down(const char *instance);
bool saved_is_down(const char *instance);

#endif
