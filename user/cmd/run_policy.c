// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/run_policy.h"

#include <json-c/json.h>
#include <string.h>

#include "base/files.h"
#include "base/util.h"
#include "cmd/findings.h"
#include "cmd/run_feeds.h"
#include "compile/candidate.h"
#include "kernel/edge.h"
#include "kernel/host.h"
#include "kernel/instance.h"
#include "kernel/publish.h"
#include "kernel/saved.h"
#include "policy/policy.h"

DEFINE_CLEANUP(struct files *, files_free)
DEFINE_CLEANUP(struct generation *, generation_free)
DEFINE_CLEANUP(struct instance *, instance_free)
DEFINE_CLEANUP(struct tables *, tables_free)

/* A policy as it was read. */
struct reading {
	struct policy *policy;
	struct diag *diag; /* knows its files by name */
	void *pack; /* its files */
	size_t pack_len;
	char *folder; /* from which their relative paths start; NULL: not known */
	struct policy *candidate; /* that is staged beside it; NULL: none is */
	void *candidate_pack;
	size_t candidate_len;
};

struct run_policy {
	const struct globals *globals;
	const char *const *files;
	size_t file_count;
	uint64_t budget_bytes;
	struct run_feeds *feeds; /* NULL: nobody follows them */
	struct reading last; /* without a mistake: of these files, or of a generation that somebody else published */
	struct ranges host; /* as resolved last */
	uint32_t seen; /* what decided when reading began */
	uint32_t generation; /* as published last, 0 never */
};

static void reading_clear(struct reading *reading)
{
	policy_free(reading->policy);
	diag_free(reading->diag);
	free(reading->pack);
	free(reading->folder);
	policy_free(reading->candidate);
	free(reading->candidate_pack);
}

struct run_policy *run_policy_new(const struct globals *globals, const char *const *files, size_t count, uint64_t budget_bytes)
{
	struct run_policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return NULL;
	policy->globals = globals;
	policy->files = files;
	policy->file_count = count;
	policy->budget_bytes = budget_bytes;
	return policy;
}

void run_policy_free(struct run_policy *policy)
{
	if (!policy)
		return;
	reading_clear(&policy->last);
	ranges_clear(&policy->host);
	free(policy);
}

void run_policy_set_feeds(struct run_policy *policy, struct run_feeds *feeds)
{
	policy->feeds = feeds;
}

bool run_policy_has_files(const struct run_policy *policy)
{
	return policy->file_count;
}

struct json_object *run_policy_files(const struct run_policy *policy)
{
	struct json_object *files = json_object_new_array();

	for (size_t i = 0; i < policy->file_count; i++)
		json_object_array_add(files, json_object_new_string(policy->files[i]));
	return files;
}

static void take_host(struct run_policy *policy, struct ranges *host)
{
	ranges_clear(&policy->host);
	policy->host = *host;
	*host = (struct ranges){ 0 };
}

static bool same_ranges(const struct range *a, size_t a_count, const struct range *b, size_t b_count)
{
	return a_count == b_count && (!a_count || !memcmp(a, b, a_count * sizeof(*a)));
}

bool run_policy_host_changed(const struct run_policy *policy)
{
	struct ranges host = { 0 };
	bool same;

	if (host_addresses(&host))
		return true;
	same = same_ranges(host.v4, host.v4_count, policy->host.v4, policy->host.v4_count) &&
	       same_ranges(host.v6, host.v6_count, policy->host.v6, policy->host.v6_count);
	ranges_clear(&host);
	return !same;
}

void run_policy_host_seen(struct run_policy *policy)
{
	struct ranges host = { 0 };

	if (!host_addresses(&host))
		take_host(policy, &host);
}

bool run_policy_is_current(const struct run_policy *policy, uint32_t generation)
{
	return policy->last.policy && generation == policy->generation;
}

/* Does it hold what was not admitted before? */
static bool is_new(enum run_policy_what what)
{
	return what == RUN_POLICY_READ || what == RUN_POLICY_FEEDS;
}

/* What apply also says of a policy it has read (published.c). */
static void judge(const struct policy *policy, struct diag *diag)
{
	policy_warn(policy, diag);
	if (!policy->interface_count)
		diag_error(diag, NULL, "name them under `interfaces:`", "the policy has no interfaces to attach to");
}

/* 0, or -errno with the reason in diag or told. */
static int compile(const struct reading *reading, uint64_t budget_bytes, enum run_policy_what what, const struct ranges *host,
		   struct tables **ret_tables)
{
	struct policy *policy = reading->policy;
	struct diag *diag = reading->diag;

	const struct compile_options options = {
		.analyse = what == RUN_POLICY_READ,
		/* What was read before was admitted then, by whatever budget: another address of the host must not end that. */
		.budget_bytes = is_new(what) ? budget_bytes : ZW_TABLES_MAX,
	};
	int r = policy_resolve(policy, host);

	if (!r && reading->candidate)
		r = policy_resolve(reading->candidate, host);
	if (r)
		return edge_error(r, "cannot resolve the policy");
	if (what == RUN_POLICY_READ)
		judge(policy, diag); /* its warnings are not said again when an address changes */
	if (diag_errors(diag))
		return -EINVAL;
	r = reading->candidate ? candidate_compile(policy, reading->candidate, &options, diag, ret_tables)
			       : compile_policy(policy, &options, diag, ret_tables);
	return r == -ENOMEM ? edge_error(r, "cannot compile the policy") : r;
}

/*
 * Files that do not keep what they promise are refused, as by apply. Not so when only an address of the host changed: the
 * old generation would take the host for another, so the new one is published and the failure told.
 */
static int test(const struct policy *policy, enum run_policy_what what, const struct tables *tables,
		const struct diag *diag)
{
	if (is_new(what))
		return findings_check(policy, tables, diag);
	findings_warn(policy, tables, diag);
	return EXIT_DONE;
}

static int publish_tables(struct run_policy *run, const struct reading *reading, enum run_policy_what what,
			  const struct tables *tables, struct publish_report *ret_report)
{
	const struct publish_options options = {
		.compare = true,
		.seen = run->seen,
		.flows = reading->policy->flows,
		.pack = reading->pack,
		.pack_len = reading->pack_len,
		.candidate = reading->candidate_pack,
		.candidate_len = reading->candidate_len,
		.quiet = what != RUN_POLICY_READ,
		.same_policy = what != RUN_POLICY_READ,
		.is_running = run->generation,
	};

	return edge_exit_status(publish(run->globals->instance, tables, &options, ret_report));
}

/* The same policy for the same addresses gives the same tables. */
static bool decides_already(const struct run_policy *run, const struct tables *tables)
{
	_cleanup_(instance_freep) struct instance *instance = NULL;
	_cleanup_(generation_freep) struct generation *generation = NULL;

	return !instance_open(run->globals->instance, &instance) &&
	       !generation_open(instance, run->generation, &generation) && generation->tables_len == tables->len &&
	       !memcmp(generation->tables, tables->bytes, tables->len);
}

static int publish_reading(struct run_policy *run, const struct reading *reading, enum run_policy_what what,
			   struct publish_report *ret_report)
{
	_cleanup_(tables_freep) struct tables *tables = NULL;
	struct diag *diag = reading->diag;
	struct ranges host = { 0 };
	int r, status = EXIT_DONE;
	bool same = false;

	r = host_addresses(&host);
	if (r)
		return edge_exit_status(edge_error(r, "cannot read the addresses of this host"));
	r = compile(reading, run->budget_bytes, what, &host, &tables);
	if (what != RUN_POLICY_FEEDS || diag_errors(diag))
		diag_print(diag, stderr, false); /* not each warning again with each feed */
	if (r)
		status = diag_errors(diag) ? EXIT_POLICY : edge_exit_status(r);
	if (!status)
		status = test(reading->policy, what, tables, diag);
	if (!status)
		same = what == RUN_POLICY_COMPARE && decides_already(run, tables);
	if (!status && !same)
		status = publish_tables(run, reading, what, tables, ret_report);
	if (!status)
		take_host(run, &host);
	if (!status && !same)
		run->generation = ret_report->generation;
	ranges_clear(&host);
	return status;
}

/* Reads and packs. 0; -EINVAL with the reasons in diag; -ENOMEM. */
static int read_from(struct files *files, const char *const *paths, size_t count, struct reading *reading)
{
	int r;

	reading->diag = diag_new();
	if (!files || !reading->diag)
		return -ENOMEM;
	r = policy_read_from(files, paths, count, NULL, reading->diag, &reading->policy);
	if (!r)
		r = files_pack(files, paths, count, &reading->pack, &reading->pack_len);
	if (!r && files_folder(files))
		reading->folder = strdup(files_folder(files));
	return r;
}

/* What the policy's files of addresses hold in `old`, where they are among `files`. Returns whether any is. */
static bool take_feeds(const struct policy *policy, struct files *old, struct files *files)
{
	bool any = false;

	for (size_t i = 0; i < policy->zone_count; i++) {
		const char *path = policy->zones[i].feed.path;
		struct file_text text;

		if (!path || files_read(old, path, SIZE_MAX, &text))
			continue;
		any |= !files_edit(files, path, text.text, text.len);
		free(text.text);
	}
	return any;
}

/* The files, with what the generation that decides has of files of addresses. Returns whether there is any of it. */
static bool fall_back(const struct run_policy *run, struct files *files)
{
	_cleanup_(instance_freep) struct instance *instance = NULL;
	_cleanup_(files_freep) struct files *old = NULL;
	_cleanup_(reading_clear) struct reading reading = { 0 };
	const char *const *paths;
	size_t count;

	if (!run->feeds || instance_open(run->globals->instance, &instance) ||
	    generation_files(instance, instance_current(instance), &old))
		return false;
	paths = files_named(old, &count);
	return !read_from(old, paths, count, &reading) && take_feeds(reading.policy, old, files);
}

/* A file of addresses that has become bad while nobody followed it must not keep the loader from its work. */
static int read_files(const struct run_policy *run, struct reading *reading)
{
	_cleanup_(files_freep) struct files *files = files_new();
	int r = read_from(files, run->files, run->file_count, reading);
	struct reading again = { 0 };

	if (r != -EINVAL || !fall_back(run, files))
		return r;
	if (read_from(files, run->files, run->file_count, &again)) {
		reading_clear(&again);
		return r;
	}
	edge_warn("a file of addresses is not good: what it held in the generation that decides is taken");
	reading_clear(reading);
	*reading = again;
	return 0;
}

/* Returns an exit status, having told what is wrong. */
static int tell_reading(int error, const struct reading *reading)
{
	if (error == -ENOMEM)
		return edge_exit_status(edge_error(error, "cannot read the policy"));
	if (error)
		diag_print(reading->diag, stderr, false);
	return error ? EXIT_POLICY : EXIT_DONE;
}

static void take_reading(struct run_policy *run, struct reading *reading)
{
	reading_clear(&run->last);
	run->last = *reading;
	*reading = (struct reading){ 0 };
	if (run->feeds && run_feeds_follow(run->feeds, run->last.policy, run->last.folder))
		edge_warn("files of addresses are not followed: out of memory");
}

static int read_and_publish(struct run_policy *run, struct publish_report *ret_report)
{
	_cleanup_(reading_clear) struct reading reading = { 0 };
	int status = tell_reading(read_files(run, &reading), &reading);

	if (!status)
		status = publish_reading(run, &reading, RUN_POLICY_READ, ret_report);
	if (!status)
		take_reading(run, &reading);
	return status;
}

int run_policy_take(struct run_policy *run, struct files *files)
{
	_cleanup_(reading_clear) struct reading reading = { 0 };
	size_t count;
	const char *const *paths = files_named(files, &count);
	int status = tell_reading(read_from(files, paths, count, &reading), &reading);

	if (!status)
		take_reading(run, &reading);
	return status;
}

/* Reads and packs the candidate that is staged in a generation, if one is. 0 or as read_from(). */
static int read_candidate(struct files *files, struct reading *reading)
{
	size_t count;
	const char *const *paths = files_named(files, &count);
	int r = policy_read_from(files, paths, count, NULL, reading->diag, &reading->candidate);

	return r ? r : files_pack(files, paths, count, &reading->candidate_pack, &reading->candidate_len);
}

static int adopt_candidate(struct run_policy *run, const struct instance *instance, uint32_t generation)
{
	_cleanup_(files_freep) struct files *files = NULL;
	int r = generation_candidate(instance, generation, &files);

	if (r == -ENOENT)
		return EXIT_DONE;
	if (r)
		return edge_exit_status(edge_error(r, "cannot read the candidate of generation %u", generation));
	return tell_reading(read_candidate(files, &run->last), &run->last);
}

int run_policy_adopt(struct run_policy *run, const struct instance *instance, uint32_t generation)
{
	_cleanup_(files_freep) struct files *files = NULL;
	int r = generation_files(instance, generation, &files), status;

	if (r)
		return edge_exit_status(edge_error(r, "cannot read the policy of generation %u", generation));
	status = run_policy_take(run, files);
	if (!status)
		status = adopt_candidate(run, instance, generation);
	if (!status)
		run->generation = generation;
	return status;
}

/* The same candidate stays beside a policy that is read again. */
static int keep_candidate(const struct reading *last, struct reading *reading)
{
	_cleanup_(files_freep) struct files *files = NULL;
	int r = last->candidate ? files_unpack(last->candidate_pack, last->candidate_len, &files) : 0;

	if (r)
		return edge_exit_status(edge_error(r, "cannot unpack the candidate"));
	return files ? tell_reading(read_candidate(files, reading), reading) : EXIT_DONE;
}

/* The policy as it was read, with other files of addresses. Without any that is new and good nothing is done. */
static int refresh(struct run_policy *run, struct publish_report *ret_report)
{
	_cleanup_(files_freep) struct files *files = NULL;
	_cleanup_(reading_clear) struct reading reading = { 0 };
	const char *const *paths;
	size_t count;
	int status, r = files_unpack(run->last.pack, run->last.pack_len, &files);

	if (r)
		return edge_exit_status(edge_error(r, "cannot unpack the policy"));
	if (!run_feeds_edit(run->feeds, files))
		return EXIT_DONE;
	paths = files_named(files, &count);
	status = tell_reading(read_from(files, paths, count, &reading), &reading);
	if (!status)
		status = keep_candidate(&run->last, &reading);
	if (!status)
		status = publish_reading(run, &reading, RUN_POLICY_FEEDS, ret_report);
	if (!status)
		take_reading(run, &reading);
	run_feeds_end(run->feeds, !status, "the policy with it could not be published: see the loader's messages");
	return status;
}

int run_policy_apply(struct run_policy *run, enum run_policy_what what, struct publish_report *ret_report)
{
	run->seen = what == RUN_POLICY_RESOLVE || what == RUN_POLICY_FEEDS ? run->generation : publish_seen(run->globals->instance);
	if (what == RUN_POLICY_READ)
		return read_and_publish(run, ret_report);
	if (what == RUN_POLICY_FEEDS)
		return refresh(run, ret_report);
	diag_forget(run->last.diag);
	return publish_reading(run, &run->last, what, ret_report);
}

static int read_saved(const char *instance, enum saved which, struct files **ret_files)
{
	int error = saved_read(instance, which, ret_files);
	char path[PATH_MAX];

	if (!error)
		return EXIT_DONE;
	instance_state_path(instance, saved_name(which), path);
	if (error == -EPROTO)
		edge_error(0, "%s is damaged, or of another version of zonewall", path);
	else
		edge_error(error, "cannot read %s", path);
	return edge_exit_status(error);
}

int run_policy_restore(struct run_policy *run, enum saved which, struct publish_report *ret_report)
{
	_cleanup_(files_freep) struct files *files = NULL;
	int status = read_saved(run->globals->instance, which, &files);

	if (!status)
		status = run_policy_take(run, files);
	return status ? status : run_policy_apply(run, RUN_POLICY_RESOLVE, ret_report);
}
