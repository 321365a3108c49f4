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
	diff_clear(&differences->diff);
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

static struct diff_source source_of(const struct differing *side)
{
	return (struct diff_source){ side->tables->bytes, &side->tables->layout, side->tables->names,
				     side->policy };
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

		err = host_use_find(d->sides[i].policy, &use);
		for (size_t j = 0; j < use.count && !d->host_rule && !err; j++)
			if (!is_built_in(d, &use.v[j])) {
				d->host_rule = use.v[j].rule;
				d->host_diag = d->sides[i].diag;
			}
		host_use_clear(&use);
	}
	return err;
}

int differences_find(struct differences *d)
{
	const struct diff_source sources[DIFF_SIDES] = { source_of(&d->sides[DIFF_OLD]),
							 source_of(&d->sides[DIFF_NEW]) };
	int err = find_host_rule(d);

	return err ? err : diff_find(sources, &d->diff);
}
