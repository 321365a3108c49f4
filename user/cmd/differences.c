// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two policies that are compared, wherever they come from: what `diff` and `apply --dry-run` share.
 */
#include "cmd/differences.h"

#include "base/files.h"
#include "base/util.h"
#include "simulate/host_use.h"

static void clear_side(struct differing *side)
{
	for (size_t i = 0; i < side->file_count; i++)
		free(side->files[i]);
	free(side->files);
	tables_free(side->compiled);
	policy_free(side->policy);
	diag_free(side->diag);
	running_close(&side->running);
}

void differences_clear(struct differences *differences)
{
	for (size_t i = 0; i < differences->time_count; i++)
		diff_clear(&differences->times[i].diff);
	free(differences->times);
	for (size_t i = 0; i < differences->change_count; i++)
		free(differences->changes[i].key);
	free(differences->changes);
	clear_side(&differences->sides[DIFF_OLD]);
	clear_side(&differences->sides[DIFF_NEW]);
}

int differences_take_running(struct differing *side)
{
	size_t count;
	const char *const *paths = files_named(side->running.files, &count);
	int err = policy_read_from(side->running.files, paths, count, NULL, side->diag, &side->policy);

	side->tables = &side->running.tables;
	return err ? err : policy_resolve(side->policy, &side->running.host);
}

/* Failsafe to `host` that neither policy says, and that is the same in both, changes nothing. */
static bool is_built_in(const struct differences *d, const struct host_user *user)
{
	return user->is_failsafe && d->sides[DIFF_OLD].policy->failsafe_is_default &&
	       d->sides[DIFF_NEW].policy->failsafe_is_default;
}

/* With the host not known, what names it matches nothing: a change that concerns it may be missing. */
static int find_host_rule(struct differences *d)
{
	int err = 0;

	for (int i = DIFF_NEW; i >= 0 && !d->host_known && !d->host_rule && !err; i--) {
		struct host_use use = { 0 };

		err = host_use_find(d->sides[i].policy, d->since, &use);
		for (size_t j = 0; j < use.count && !d->host_rule && !err; j++)
			if (!is_built_in(d, &use.v[j])) {
				d->host_rule = use.v[j].rule;
				d->host_diag = d->sides[i].diag;
			}
		host_use_clear(&use);
	}
	return err;
}

/* --- Moments ---------------------------------------------------------------------------------------------------------- */

static struct diff_source source_at(const struct differing *side, int64_t time)
{
	return (struct diff_source){ side->tables->bytes, &side->tables->layout, side->tables->names, side->policy, time };
}

static int find_at(const struct differences *d, const struct moment *moment, struct difference *time)
{
	const struct diff_source sources[DIFF_SIDES] = {
		source_at(&d->sides[DIFF_OLD], moment->begin),
		source_at(&d->sides[DIFF_NEW], moment->begin),
	};

	time->moment = *moment;
	return diff_find(sources, &time->diff);
}

static int find_all(struct differences *d)
{
	const struct policy *const policies[DIFF_SIDES] = { d->sides[DIFF_OLD].policy, d->sides[DIFF_NEW].policy };
	struct moments moments = { 0 };
	int err = moments_find(policies, DIFF_SIDES, d->since, &moments);

	d->times = err ? NULL : array_new(moments.count, sizeof(*d->times));
	if (!err && !d->times)
		err = -ENOMEM;
	for (size_t i = 0; i < moments.count && !err; i++)
		err = find_at(d, &moments.v[i], &d->times[d->time_count++]);
	moments_clear(&moments);
	return err;
}

/* --- Changes ------------------------------------------------------------------------------------------------------------ */

/* What a region of this moment goes on with, among the first `known`. */
static struct dated_region *find_before(struct differences *d, size_t known, const struct moment *moment, const char *key)
{
	for (size_t i = 0; i < known; i++)
		if (d->changes[i].moment.end == moment->begin && !strcmp(d->changes[i].key, key))
			return &d->changes[i];
	return NULL;
}

static int add_change(struct differences *d, const struct moment *moment, const struct diff_region *region, char *key)
{
	if (array_grow(&d->changes, d->change_count, sizeof(*d->changes))) {
		free(key);
		return -ENOMEM;
	}
	d->changes[d->change_count++] = (struct dated_region){ *moment, region, key };
	d->of_kind[region->kind]++;
	d->widening += region->widens;
	return 0;
}

/* Where there is but one moment, nothing goes on, and no keys are needed. */
static int add_regions(struct differences *d, const struct difference *time)
{
	size_t known = d->change_count;
	int err = 0;

	for (size_t i = 0; i < time->diff.region_count && !err; i++) {
		const struct diff_region *region = &time->diff.regions[i];
		char *key = d->time_count > 1 ? region_key(region) : NULL;
		struct dated_region *before;

		if (d->time_count > 1 && !key)
			return -ENOMEM;
		before = find_before(d, known, &time->moment, key);
		if (before) {
			before->moment.end = time->moment.end;
			free(key);
		} else {
			err = add_change(d, &time->moment, region, key);
		}
	}
	return err;
}

/* Now is no instant at which anything changes. */
static void widen_first(struct differences *d)
{
	for (size_t i = 0; i < d->change_count; i++)
		if (d->changes[i].moment.begin == d->since)
			d->changes[i].moment.begin = TIME_BEGIN;
}

static int list_changes(struct differences *d)
{
	int err = 0;

	for (size_t i = 0; i < d->time_count && !err; i++)
		err = add_regions(d, &d->times[i]);
	widen_first(d);
	d->settings = &d->times[0].diff;
	for (size_t i = 0; i < d->settings->setting_count; i++)
		d->widening += d->settings->settings[i].widens;
	return err;
}

int differences_find(struct differences *d)
{
	int err = find_host_rule(d);

	if (!err)
		err = find_all(d);
	return err ? err : list_changes(d);
}
