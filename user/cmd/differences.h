/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `diff` found, and the words that its text and its JSON share.
 */
#ifndef ZW_DIFFERENCES_H
#define ZW_DIFFERENCES_H

#include "cmd/command.h"
#include "cmd/running.h"
#include "policy/moments.h"
#include "simulate/diff.h"
#include "watch/buffer.h"

struct json_object;

/* One of the two that are compared. */
struct differing {
	const char *word; /* as given */
	char **files; /* of a policy: the file, or those of the directory */
	size_t file_count;
	struct policy *policy;
	const struct tables *tables; /* compiled, or of what runs */
	struct tables *compiled;
	struct diag *diag;
	struct running running; /* of files: empty */
};

/* What differs at one time. */
struct difference {
	struct moment moment;
	struct diff diff;
};

/* A region, and between which instants it is one: rules have `until`. */
struct dated_region {
	struct moment moment; /* TIME_BEGIN: from now on */
	const struct diff_region *region;
	char *key; /* says all of the region; NULL: there is but one moment */
};

struct differences {
	struct differing sides[DIFF_SIDES];
	int64_t since; /* Unix seconds: of what is over then nothing is told */
	bool host_known;
	const struct rule
		*host_rule; /* with the host not known, the first rule that names it or world; NULL: none */
	const struct diag *host_diag; /* knows the rule's file */
	struct difference *times; /* one after the other; at least one */
	size_t time_count;
	struct dated_region *changes; /* grows by array_grow */
	size_t change_count;
	size_t of_kind[DIFF_KINDS];
	size_t widening; /* changes and settings that widen */
	const struct diff *settings; /* that has them: they do not depend on the time */
};

static inline bool differences_are_none(const struct differences *differences)
{
	return !differences->change_count && !differences->settings->setting_count;
}

/* What runs (side->running) as one side: tables as the kernel has them; the policy, from the files that were kept, for what
 * tables do not say. 0 or -errno, mistakes in side->diag. */
int differences_take_running(struct differing *side);

/* Of two sides with policy and tables: the rest. 0; -ENOMEM; -EINVAL: tables cannot be read. */
int differences_find(struct differences *differences);
void differences_clear(struct differences *differences);

/*
 * A region's sets and services, in words (by the names of services that a policy has) and as JSON: `audit` has regions, too. The
 * objects are the caller's.
 */
void region_put_set(struct buffer *b, const struct diff_set *set);
void region_put_service(struct buffer *b, const struct policy *names, const struct diff_service *service);
struct json_object *region_json_set(const struct diff_set *set);
struct json_object *region_json_service(const struct diff_service *service);

/* All that is told of a region, as a text to compare it by; the caller's. NULL: out of memory. */
char *region_key(const struct diff_region *region);

/* diff_text.c, diff_json.c: to stdout. 0 or -ENOMEM. */
int differences_print(const struct differences *differences, bool colour);
int differences_print_json(const struct differences *differences);
struct json_object *differences_json(const struct differences *differences); /* the caller's; NULL: out of memory */

#endif
