// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/published.h"

#include <fnmatch.h>
#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/diag.h"
#include "base/files.h"
#include "base/util.h"
#include "cmd/findings.h"
#include "kernel/edge.h"
#include "kernel/host.h"
#include "kernel/netdev.h"
#include "policy/policy.h"

DEFINE_CLEANUP(struct diag *, diag_free)
DEFINE_CLEANUP(struct policy *, policy_free)

static int resolve(struct policy *policy)
{
	struct ranges host = { 0 };
	int error = host_addresses(&host);

	if (!error)
		error = policy_resolve(policy, &host);
	ranges_clear(&host);
	return error ? edge_error(error, "cannot read this host's addresses") : 0;
}

static bool matches_some(const char *pattern, const struct netdev *devices, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!devices[i].is_loopback && !fnmatch(pattern, devices[i].name, 0))
			return true;
	return false;
}

/* Patterns that match nothing here and now. */
static void warn_of_interfaces(const struct policy *policy, struct diag *diag)
{
	_cleanup_free_ struct netdev *devices = NULL;
	size_t count;

	if (netdevs_read(&devices, &count))
		return; /* attaching will tell */
	for (size_t i = 0; i < policy->interface_count; i++) {
		const struct interface_match *match = &policy->interfaces[i];

		for (size_t j = 0; j < match->pattern_count; j++)
			if (!matches_some(match->pattern[j], devices, count))
				diag_warning(diag, &match->place, NULL, "no interface matches '%s' now",
					     match->pattern[j]);
	}
}

void publication_clear(struct publication *publication)
{
	tables_free(publication->tables);
	free(publication->pack);
	policy_free(publication->policy);
	diag_free(publication->diag);
}

/* What was read is packed beside the compiling: to deflate large feeds takes long. */
struct packing {
	const char *const *paths;
	size_t count;
	struct files *files;
	void *pack;
	size_t pack_len;
	pthread_t thread;
	bool started;
	int error;
};

static void *pack(void *argument)
{
	struct packing *packing = argument;

	packing->error = files_pack(packing->files, packing->paths, packing->count, &packing->pack, &packing->pack_len);
	files_free(packing->files); /* before the compiling needs most memory */
	packing->files = NULL;
	return NULL;
}

static void packing_begin(struct packing *packing)
{
	packing->started = !pthread_create(&packing->thread, NULL, pack, packing);
	if (!packing->started)
		pack(packing);
}

static void packing_wait(struct packing *packing)
{
	if (packing->started)
		pthread_join(packing->thread, NULL);
	packing->started = false;
}

/* The pack is the publication's, or nobody's. 0 or -errno, told. */
static int packing_end(struct packing *packing, struct publication *publication)
{
	packing_wait(packing);
	if (packing->error)
		return edge_error(packing->error, "cannot keep the policy's files");
	publication->pack = take_ptr(packing->pack);
	publication->pack_len = packing->pack_len;
	return 0;
}

static void packing_clear(struct packing *packing)
{
	packing_wait(packing);
	free(packing->pack);
	files_free(packing->files);
}

/* Reads, and begins to pack what was read. 0, or -errno with the reason in diag or told; the policy is the caller's anyway. */
static int read_policy(struct packing *packing, struct diag *diag, struct policy **ret_policy)
{
	int error = -ENOMEM;

	packing->files = files_new();
	if (packing->files)
		error = policy_read_from(packing->files, packing->paths, packing->count, NULL, diag, ret_policy);
	if (!error)
		packing_begin(packing);
	return error == -ENOMEM ? edge_error(error, "cannot read the policy") : error;
}

/* 0, or -errno with the reason in diag or told. */
static int compile(struct policy *policy, uint64_t budget_bytes, struct diag *diag, struct publication *publication)
{
	const struct compile_options options = { .analyse = true, .budget_bytes = budget_bytes };
	int error = resolve(policy);

	if (error)
		return error;
	policy_warn(policy, diag);
	warn_of_interfaces(policy, diag);
	if (!policy->interface_count)
		diag_error(diag, NULL, "name them under `interfaces:`", "the policy has no interfaces to attach to");
	if (diag_errors(diag))
		return -EINVAL;
	publication->flows = policy->flows;
	error = compile_policy(policy, &options, diag, &publication->tables);
	return error == -ENOMEM ? edge_error(error, "cannot compile the policy") : error;
}

static int test(const struct policy *policy, const struct tables *tables, const struct diag *diag, bool no_test)
{
	if (!no_test)
		return findings_check(policy, tables, diag);
	if (policy->test_count || policy->never.count || policy->always.count)
		edge_warn("--no-test: the policy's tests, never and always were not run");
	return EXIT_DONE;
}

int published_compile(const char *const *paths, size_t count, const struct published_options *options,
		      struct publication *ret_publication)
{
	_cleanup_(publication_clear) struct publication publication = { 0 };
	_cleanup_(packing_clear) struct packing packing = { .paths = paths, .count = count };
	_cleanup_(diag_freep) struct diag *diag = diag_new();
	_cleanup_(policy_freep) struct policy *policy = NULL;
	int error, status;

	if (!diag) {
		edge_error(ENOMEM, "cannot read the policy");
		return EXIT_FAILED;
	}
	error = read_policy(&packing, diag, &policy);
	if (!error)
		error = compile(policy, options->budget_bytes, diag, &publication);
	if (error == -ENOMEM)
		return EXIT_FAILED; /* what was half read has mistakes that nobody made */
	diag_print(diag, stderr, options->colour);
	if (!error && options->werror && diag_warnings(diag)) {
		fprintf(stderr, "zonewall: nothing was changed: --werror makes errors of warnings\n");
		return EXIT_POLICY;
	}
	if (error)
		return diag_errors(diag) ? EXIT_POLICY : EXIT_FAILED;
	status = test(policy, publication.tables, diag, options->no_test);
	if (status)
		return status;
	if (packing_end(&packing, &publication))
		return EXIT_FAILED;
	publication.policy = take_ptr(policy);
	publication.diag = take_ptr(diag);
	*ret_publication = publication;
	publication = (struct publication){ 0 };
	return EXIT_DONE;
}

static const char *change_name(enum change change)
{
	static const char *const names[] = { "kept", "attached", "detached" };

	return names[change];
}

static struct json_object *changes_json(const struct publish_report *report)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < report->change_count; i++) {
		const struct attach_change *change = &report->changes[i];
		struct json_object *item = json_object_new_object();

		json_object_object_add(item, "interface", json_object_new_string(change->ifname));
		json_object_object_add(item, "hook", json_object_new_string(attach_hook_name(change->hook)));
		json_object_object_add(item, "mode", json_object_new_string(attach_mode_name(change->mode)));
		json_object_object_add(item, "change", json_object_new_string(change_name(change->change)));
		json_object_array_add(list, item);
	}
	return list;
}

/* As in `status`. */
static struct json_object *trial_json(const struct publish_report *report)
{
	struct json_object *trial = json_object_new_object();

	json_object_object_add(trial, "left_seconds", json_object_new_int64(report->left_s));
	json_object_object_add(trial, "fallback", json_object_new_int64(report->fallback));
	return trial;
}

static void print_json(const char *verb, const struct publish_report *report, const struct tables *tables)
{
	struct json_object *root = json_object_new_object();
	char schema[32];

	snprintf(schema, sizeof(schema), "zonewall.%s/1", verb);
	json_object_object_add(root, "schema", json_object_new_string(schema));
	json_object_object_add(root, "generation", json_object_new_int64(report->generation));
	json_object_object_add(root, "previous", json_object_new_int64(report->previous));
	if (report->on_trial)
		json_object_object_add(root, "trial", trial_json(report));
	if (report->predecessor)
		json_object_object_add(root, "taken_over_from_abi", json_object_new_int64(report->predecessor));
	json_object_object_add(root, "attach_points", changes_json(report));
	if (report->tables_len) {
		json_object_object_add(root, "tables_bytes", json_object_new_int64(report->tables_len));
		json_object_object_add(root, "counters_bytes", json_object_new_int64(report->counters_len));
	}
	if (report->flows)
		json_object_object_add(root, "flows", json_object_new_int64(report->flows));
	if (report->seeded)
		json_object_object_add(root, "seeded", json_object_new_int64(report->seeded));
	if (tables) {
		json_object_object_add(root, "rules", json_object_new_int64(tables->layout.rule_count));
		json_object_object_add(root, "atoms", json_object_new_int64(tables->stats.atoms));
	}
	printf("%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

static void print_changes(const struct publish_report *report)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return;
	scols_table_new_column(table, "INTERFACE", 0, 0);
	scols_table_new_column(table, "HOOK", 0, 0);
	scols_table_new_column(table, "MODE", 0, 0);
	scols_table_new_column(table, "CHANGE", 0, 0);
	for (size_t i = 0; i < report->change_count; i++) {
		const struct attach_change *change = &report->changes[i];
		struct libscols_line *line = scols_table_new_line(table, NULL);

		if (!line)
			break;
		scols_line_set_data(line, 0, change->ifname);
		scols_line_set_data(line, 1, attach_hook_name(change->hook));
		scols_line_set_data(line, 2, attach_mode_name(change->mode));
		scols_line_set_data(line, 3, change_name(change->change));
	}
	if (report->change_count)
		scols_print_table(table);
	scols_unref_table(table);
}

/* "in 60s generation 4 is back unless it is confirmed before: zonewall confirm" */
static void print_trial(const struct publish_report *report)
{
	char back[32] = "everything passes again";

	if (report->fallback)
		snprintf(back, sizeof(back), "generation %u is back", report->fallback);
	printf("on trial: in %us %s, unless it is confirmed before: zonewall confirm\n", report->left_s, back);
}

static void print_head(const char *verb, const struct publish_report *report)
{
	if (!strcmp(verb, "confirm"))
		printf("generation %u is confirmed\n", report->generation);
	else if (!strcmp(verb, "down") && !report->previous)
		printf("detached\n");
	else if (!strcmp(verb, "down"))
		printf("detached; generation %u was the last\n", report->previous);
	else if (!report->generation)
		printf("everything passes, as before generation %u\n", report->previous);
	else if (report->previous)
		printf("generation %u is current (before: %u)\n", report->generation, report->previous);
	else
		printf("generation %u is current\n", report->generation);
}

static void print_text(const char *verb, const struct publish_report *report, const struct tables *tables)
{
	print_head(verb, report);
	if (report->on_trial)
		print_trial(report);
	if (report->predecessor)
		printf("taken over from a zonewall of ABI %u\n", report->predecessor);
	if (tables)
		printf("%u rules, %zu atoms, tables %.1f KiB, counters %.1f KiB, %llu flows a family\n",
		       tables->layout.rule_count, tables->stats.atoms, report->tables_len / 1024.0,
		       report->counters_len / 1024.0, (unsigned long long)report->flows);
	if (report->seeded)
		printf("%llu flows of live connections were taken over\n", (unsigned long long)report->seeded);
	print_changes(report);
}

void published_print(const struct globals *globals, const char *verb, const struct publish_report *report,
		     const struct tables *tables)
{
	if (globals->json)
		print_json(verb, report, tables);
	else
		print_text(verb, report, tables);
	if (report->flows_differ)
		edge_warn("another number of flows takes effect after 'zonewall down'; until then it is %llu a family",
			  (unsigned long long)report->flows);
}

int published_change(const struct globals *globals, const struct command *command,
		     int (*change)(const char *instance, struct publish_report *ret_report), int argc, char **argv)
{
	struct publish_report report = { 0 };
	int status;

	if (command_getopt(command, argc, argv) != -1)
		return EXIT_USAGE;
	if (optind < argc) {
		edge_error(0, "%s takes no arguments", command->name);
		return EXIT_USAGE;
	}
	status = edge_exit_status(change(globals->instance, &report));
	if (!status)
		published_print(globals, command->name, &report, NULL);
	publish_report_clear(&report);
	return status;
}

void published_warn_alone(const char *instance)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[PATH_MAX];

	instance_run_path(instance, "sock", path);
	if (strlen(path) >= sizeof(address.sun_path))
		return;
	strcpy(address.sun_path, path);
	/* A loader too busy to take the connection now is alive all the same. */
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) && errno != EAGAIN)
		edge_warn("'zonewall run' is not running: nobody follows new interfaces and addresses, nobody reads events");
}
