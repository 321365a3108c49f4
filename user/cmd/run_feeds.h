/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The files of addresses (`file:` zones) of the policy that decides, as `zonewall run` follows them: what has changed, what of
 * it is good, what is wrong with the rest, and how old is what is in force. Told in the loader's messages, in its log of events
 * (schema "zonewall.feed/1") and in `status`.
 *
 * A change is heard of through inotify, of whatever happens in the files' folders; where that says nothing (other file systems,
 * links to elsewhere) the files are looked at every ten seconds. What is still changing between two looks is not read.
 */
#ifndef ZW_RUN_FEEDS_H
#define ZW_RUN_FEEDS_H

#include <stdbool.h>

struct files;
struct json_object;
struct output;
struct policy;
struct run_feeds;

/* How long after a change to look, and then again. */
#define FEEDS_SETTLE_MS 200

struct run_feeds *run_feeds_new(struct output *output); /* borrowed. NULL: out of memory */
void run_feeds_free(struct run_feeds *feeds);

int run_feeds_fd(const struct run_feeds *feeds); /* readable: something happened beside a file. -1: inotify refuses */
void run_feeds_read(struct run_feeds *feeds);

/*
 * The policy that decides now (borrowed until the next call), and from which folder its relative paths start, NULL: not known.
 * What is known of files that the one before had, too, stays.
 */
int run_feeds_follow(struct run_feeds *feeds, const struct policy *policy, const char *folder);

/* Is any file another than when it was read last? Settling: it is, but may be being written. */
enum feeds_state { FEEDS_SAME, FEEDS_SETTLING, FEEDS_CHANGED };
enum feeds_state run_feeds_look(struct run_feeds *feeds);

/*
 * Puts what has changed and is good into the policy's files, in the place of what was read before. Returns whether there is
 * any; then run_feeds_end() says what became of it. What is not good is told, and not read again before it changes.
 */
bool run_feeds_edit(struct run_feeds *feeds, struct files *files);
/* taken: it is in force now. Else it is not, for this reason. */
void run_feeds_end(struct run_feeds *feeds, bool taken, const char *why);

/* Adds "feeds", an array, and warnings to "warnings". */
void run_feeds_report(const struct run_feeds *feeds, struct json_object *report);

#endif
