// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/run_feeds.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#include "base/files.h"
#include "base/util.h"
#include "policy/policy.h"
#include "watch/output.h"
#include "watch/report.h"

/* What stat says of a file; -errno in `error`: nothing. */
struct look {
	int error;
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct feed {
	char *path; /* as the policy's files have it */
	char *place; /* where it is on this machine */
	struct look seen, done; /* the last look; when it was read last */
	int64_t changed; /* the time of what is in force; 0: not known */
	char *problem; /* why that on the disk is not; NULL */
	int64_t problem_since;
	bool edited; /* waits for run_feeds_end() */
};

struct run_feeds {
	struct output *output;
	const struct policy *policy;
	struct feed *v; /* each path once */
	size_t count;
	int inotify;
};

struct run_feeds *run_feeds_new(struct output *output)
{
	struct run_feeds *feeds = calloc(1, sizeof(*feeds));

	if (!feeds)
		return NULL;
	feeds->output = output;
	feeds->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	return feeds;
}

static void clear_feed(struct feed *feed)
{
	free(feed->path);
	free(feed->place);
	free(feed->problem);
}

static void clear_all(struct feed *feeds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		clear_feed(&feeds[i]);
	free(feeds);
}

void run_feeds_free(struct run_feeds *feeds)
{
	if (!feeds)
		return;
	clear_all(feeds->v, feeds->count);
	closep(&feeds->inotify);
	free(feeds);
}

int run_feeds_fd(const struct run_feeds *feeds)
{
	return feeds->inotify;
}

/* Whatever it was: what there is to know the files say themselves. */
void run_feeds_read(struct run_feeds *feeds)
{
	char events[4096];

	while (read(feeds->inotify, events, sizeof(events)) > 0)
		;
}

static void tell(struct run_feeds *feeds, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct run_feeds *feeds, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (!text)
		return;
	fprintf(stderr, "zonewall: feed: %s\n", text);
	output_note(feeds->output, "zonewall.feed/1", text);
	free(text);
}

/* Takes the text over. The same again is no news. */
static void refuse(struct run_feeds *feeds, struct feed *feed, char *why)
{
	if (!feed->problem)
		feed->problem_since = time(NULL);
	if (why && (!feed->problem || strcmp(feed->problem, why)))
		tell(feeds, "%s is not taken, what it held before stays in force: %s", feed->path, why);
	free(feed->problem);
	feed->problem = why;
}

static void accept(struct feed *feed)
{
	free(take_ptr(feed->problem));
	feed->changed = feed->done.changed.tv_sec;
}

/* --- Looking */

static struct look look_at(const struct feed *feed)
{
	struct stat found;

	if (stat(feed->place, &found))
		return (struct look){ .error = -errno };
	return (struct look){
		.device = found.st_dev, .inode = found.st_ino, .size = found.st_size, .changed = found.st_mtim
	};
}

static bool is_same(const struct look *a, const struct look *b)
{
	return a->error == b->error && a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

enum feeds_state run_feeds_look(struct run_feeds *feeds)
{
	enum feeds_state state = FEEDS_SAME;

	for (size_t i = 0; i < feeds->count; i++) {
		struct feed *feed = &feeds->v[i];
		struct look look = look_at(feed);

		if (!is_same(&look, &feed->done))
			state = !is_same(&look, &feed->seen) ? FEEDS_SETTLING : state == FEEDS_SAME ? FEEDS_CHANGED : state;
		feed->seen = look;
	}
	return state;
}

/* --- Which there are */

static struct feed *find(struct feed *feeds, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(feeds[i].path, path))
			return &feeds[i];
	return NULL;
}

static void watch_folder(const struct run_feeds *feeds, const struct feed *feed)
{
	_cleanup_free_ char *folder = strdup(feed->place);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!slash || feeds->inotify < 0)
		return;
	slash[slash == folder] = '\0';
	inotify_add_watch(feeds->inotify, folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE);
}

static int add_feed(struct run_feeds *feeds, const char *path, const char *folder, struct feed **all, size_t *count)
{
	const struct feed *known = find(feeds->v, feeds->count, path);
	struct feed feed = { .path = strdup(path) };

	if (*path == '/' || !folder)
		feed.place = strdup(path);
	else if (asprintf(&feed.place, "%s/%s", folder, path) < 0)
		feed.place = NULL;
	if (!feed.path || !feed.place || array_grow(all, *count, sizeof(**all))) {
		clear_feed(&feed);
		return -ENOMEM;
	}
	if (known && !strcmp(known->place, feed.place)) {
		feed.seen = known->seen;
		feed.done = known->done;
		feed.changed = known->changed;
		feed.edited = known->edited;
		feed.problem = known->problem ? strdup(known->problem) : NULL;
		feed.problem_since = known->problem_since;
	} else {
		feed.done.error = 1; /* as no look is: it is read once, to know whether it is what is in force */
	}
	(*all)[(*count)++] = feed;
	watch_folder(feeds, &feed);
	return 0;
}

int run_feeds_follow(struct run_feeds *feeds, const struct policy *policy, const char *folder)
{
	struct feed *all = NULL;
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < policy->zone_count && !r; i++) {
		const char *path = policy->zones[i].feed.path;

		if (path && !find(all, count, path))
			r = add_feed(feeds, path, folder, &all, &count);
	}
	if (r) {
		clear_all(all, count);
		return r;
	}
	clear_all(feeds->v, feeds->count);
	feeds->v = all;
	feeds->count = count;
	feeds->policy = policy;
	return 0;
}

/* --- What is good */

/* The first thing that is wrong, in one line; the caller frees. */
static char *first_line(const struct diag *diag)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	diag_print(diag, out, false);
	fclose(out);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* By the terms of each zone that it is the file of. NULL: it is good; else why not, to be freed. */
static char *judge(const struct run_feeds *feeds, const struct feed *feed, const struct file_text *file)
{
	for (size_t i = 0; i < feeds->policy->zone_count; i++) {
		const struct zone *zone = &feeds->policy->zones[i];
		_cleanup_free_ char *text = NULL;
		struct diag *diag;
		char *why = NULL;

		if (!zone->feed.path || strcmp(zone->feed.path, feed->path))
			continue;
		text = malloc(file->len + 1); /* reading cuts it up */
		diag = diag_new();
		if (!text || !diag) {
			diag_free(diag);
			return strdup("out of memory");
		}
		memcpy(text, file->text, file->len + 1);
		if (!policy_check_feed(zone, text, file->len, diag))
			why = diag_errors(diag) ? first_line(diag) : strdup("it has more entries than a policy may have");
		diag_free(diag);
		if (why)
			return why;
	}
	return NULL;
}

/* What a file that was cut off looks like and a line alone does not tell. */
static const char *cut_off(const struct file_text *file, const struct file_text *before)
{
	if (!file->len && before->len)
		return "it is empty, without so much as a comment: it was cut off";
	if (file->len && file->text[file->len - 1] != '\n' && before->len && before->text[before->len - 1] == '\n')
		return "its last line has no end, where there was one: it was cut off";
	return NULL;
}

/* Reads it, and puts it into the files if it is new and good. */
static void edit(struct run_feeds *feeds, struct feed *feed, struct files *files)
{
	struct file_text file = { 0 }, before = { 0 };
	char *why = NULL;
	int r;

	feed->done = feed->seen;
	r = file_read(feed->place, FEED_FILE_BYTES, &file);
	if (r) {
		if (asprintf(&why, "cannot read '%s': %s", feed->place, file_problem(r)) >= 0)
			refuse(feeds, feed, why);
		return;
	}
	r = files_read(files, feed->path, SIZE_MAX, &before);
	if (!r && before.len == file.len && !memcmp(before.text, file.text, file.len)) {
		accept(feed);
	} else if (!r) {
		const char *cut = cut_off(&file, &before);

		why = cut ? strdup(cut) : judge(feeds, feed, &file);
		if (why)
			refuse(feeds, feed, why);
		else
			feed->edited = !files_edit(files, feed->path, file.text, file.len);
	}
	free(file.text);
	free(before.text);
}

bool run_feeds_edit(struct run_feeds *feeds, struct files *files)
{
	bool any = false;

	for (size_t i = 0; i < feeds->count; i++) {
		struct feed *feed = &feeds->v[i];

		if (!is_same(&feed->seen, &feed->done))
			edit(feeds, feed, files);
		any |= feed->edited;
	}
	return any;
}

static size_t entries_of(const struct run_feeds *feeds, const char *path)
{
	for (size_t i = 0; i < feeds->policy->zone_count; i++)
		if (feeds->policy->zones[i].feed.path && !strcmp(feeds->policy->zones[i].feed.path, path))
			return feeds->policy->zones[i].feed.entries;
	return 0;
}

void run_feeds_end(struct run_feeds *feeds, bool taken, const char *why)
{
	for (size_t i = 0; i < feeds->count; i++) {
		struct feed *feed = &feeds->v[i];

		if (!feed->edited)
			continue;
		feed->edited = false;
		if (!taken) {
			refuse(feeds, feed, strdup(why));
			continue;
		}
		accept(feed);
		tell(feeds, "%s has changed: %zu entries are in force", feed->path, entries_of(feeds, feed->path));
	}
}

/* --- Telling */

static struct json_object *report_zone(const struct zone *zone, const struct feed *feed, int64_t age_s)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "zone", json_object_new_string(zone->name));
	json_object_object_add(object, "file", json_object_new_string(feed->path));
	json_object_object_add(object, "entries", json_object_new_uint64(zone->feed.entries));
	json_object_object_add(object, "changed", feed->changed ? report_time(feed->changed) : NULL);
	json_object_object_add(object, "age_s", feed->changed ? json_object_new_int64(age_s) : NULL);
	json_object_object_add(object, "max_age_s", zone->feed.max_age_s ? json_object_new_uint64(zone->feed.max_age_s) : NULL);
	json_object_object_add(object, "problem", feed->problem ? json_object_new_string(feed->problem) : NULL);
	json_object_object_add(object, "problem_since", feed->problem ? report_time(feed->problem_since) : NULL);
	return object;
}

void run_feeds_report(const struct run_feeds *feeds, struct json_object *report)
{
	struct json_object *array = json_object_new_array(), *warnings = json_object_object_get(report, "warnings");
	size_t zones = feeds->policy ? feeds->policy->zone_count : 0;

	for (size_t i = 0; i < zones; i++) {
		const struct zone *zone = &feeds->policy->zones[i];
		const struct feed *feed = zone->feed.path ? find(feeds->v, feeds->count, zone->feed.path) : NULL;
		int64_t age_s = feed ? time(NULL) - feed->changed : 0;

		if (!feed)
			continue;
		json_object_array_add(array, report_zone(zone, feed, age_s));
		if (feed->problem)
			report_warn(warnings, "zone '%s': %s is not taken, what it held before stays in force: %s", zone->name, feed->path,
			     feed->problem);
		if (zone->feed.max_age_s && feed->changed && age_s > (int64_t)zone->feed.max_age_s)
			report_warn(warnings, "zone '%s': what is in force of %s is %lld s old, more than max-age (%u s)", zone->name,
			     feed->path, (long long)age_s, zone->feed.max_age_s);
	}
	json_object_object_add(report, "feeds", array);
}
