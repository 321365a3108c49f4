// SPDX-License-Identifier: GPL-2.0-only
/*
 * zonewall check: read and compile; print every mistake, or a summary of what was understood.
 */
#include <json-c/json.h>

#include "base/util.h"
#include "cmd/audited.h"
#include "cmd/budget.h"
#include "cmd/sources.h"
#include "compile/tables.h"
#include "policy/policy.h"

#define CHECK_SCHEMA "zonewall.check/1"

enum { OPTION_WERROR = 256, OPTION_WIDE, OPTION_REQUIRE, OPTION_HOST, OPTION_BUDGET };

static const struct option_help options[] = {
	{ { "werror", no_argument, NULL, OPTION_WERROR }, NULL, "warnings are errors" },
	{ { "wide", required_argument, NULL, OPTION_WIDE }, "LEN,LEN6",
	  "warn of allow rules with networks of this length, or wider ones" },
	{ { "require", required_argument, NULL, OPTION_REQUIRE }, "owner", "a rule without an owner is an error" },
	{ { "host", required_argument, NULL, OPTION_HOST }, "ADDR,...",
	  "addresses of the host that the policy is for; may be given again (default: not known)" },
	{ { "budget", required_argument, NULL, OPTION_BUDGET }, "SIZE", BUDGET_HELP },
	{ { NULL, 0, NULL, 0 }, NULL, NULL },
};

extern const struct command cmd_check;

struct arguments {
	bool werror;
	uint64_t budget_bytes; /* 0: the default */
	struct audit_options audit; /* what is asked for besides */
	struct sources sources;
};

static void clear_arguments(struct arguments *arguments)
{
	sources_clear(&arguments->sources);
}

static int out_of_memory(void)
{
	fprintf(stderr, "zonewall check: out of memory\n");
	return EXIT_FAILED;
}

static int read_require(struct arguments *arguments, const char *key)
{
	if (strcmp(key, "owner")) {
		fprintf(stderr, "zonewall check: --require: '%s' cannot be required\nfix: --require owner\n", key);
		return EXIT_USAGE;
	}
	arguments->audit.kinds |= 1u << AUDIT_OWNERLESS;
	return EXIT_DONE;
}

static int read_option(struct arguments *arguments, int option)
{
	switch (option) {
	case OPTION_WERROR:
		arguments->werror = true;
		return EXIT_DONE;
	case OPTION_WIDE:
		arguments->audit.kinds |= 1u << AUDIT_WIDE;
		return audit_read_wide("check", optarg, arguments->audit.wide);
	case OPTION_REQUIRE:
		return read_require(arguments, optarg);
	case OPTION_BUDGET:
		return budget_read("check", optarg, &arguments->budget_bytes);
	case OPTION_HOST:
		return sources_read_hosts(&arguments->sources, optarg);
	default:
		return EXIT_USAGE;
	}
}

static int read_arguments(struct arguments *arguments, int argc, char **argv)
{
	int option, status;

	memcpy(arguments->audit.wide, audit_wide_default, sizeof(arguments->audit.wide));
	while ((option = command_getopt(&cmd_check, argc, argv)) != -1) {
		status = read_option(arguments, option);
		if (status)
			return status;
	}
	return sources_read_words(&arguments->sources, argc - optind, argv + optind);
}

/* Everything that check finds out. Without a policy or tables there is an error in diag. */
struct result {
	struct policy *policy;
	struct tables *tables;
	struct diag *diag;
};

static void clear_result(struct result *result)
{
	tables_free(result->tables);
	policy_free(result->policy);
	diag_free(result->diag);
}

static void tell(const struct audit_finding *finding, struct diag *diag)
{
	const struct rule *rule = finding->rule;
	char range[RANGE_TEXT_MAX];

	if (finding->kind == AUDIT_OWNERLESS) {
		diag_error(diag, &rule->place, "owner: who asked for it, or where that is written", "rule '%s' has no owner", rule->id);
		return;
	}
	range_print(finding->family, &finding->range, range);
	if (finding->zone->kind == ZONE_DECLARED)
		diag_warning(diag, &rule->place, NULL, "rule '%s' allows a wide network: %s in zone '%s'", rule->id, range,
			     finding->zone->name);
	else
		diag_warning(diag, &rule->place, NULL, "rule '%s' allows a wide network: %s", rule->id, range);
}

/* What --wide and --require ask for. */
static int look_further(const struct arguments *arguments, struct result *result)
{
	struct audit audit;
	int err = audit_find(result->policy, result->tables, &arguments->audit, &audit);

	if (err)
		return err;
	for (size_t i = 0; i < audit.count; i++)
		tell(&audit.v[i], result->diag);
	audit_clear(&audit);
	return 0;
}

static int work(const struct arguments *arguments, struct result *result)
{
	const struct compile_options compile = { .analyse = true, .budget_bytes = arguments->budget_bytes };
	int err;

	result->diag = diag_new();
	if (!result->diag)
		return -ENOMEM;
	err = policy_read(arguments->sources.files, arguments->sources.file_count, result->diag, &result->policy);
	if (err)
		return err;
	err = policy_resolve(result->policy, arguments->sources.has_host ? &arguments->sources.host : NULL);
	if (err)
		return err;
	policy_warn(result->policy, result->diag);
	err = compile_policy(result->policy, &compile, result->diag, &result->tables);
	return err || !arguments->audit.kinds ? err : look_further(arguments, result);
}

static const char *log_name(enum default_log log)
{
	return log == LOG_EVERYTHING ? "all" : log == LOG_NOTHING ? "none" : "drops";
}

/* What a summary counts, so that text and JSON say the same. */
struct summary {
	size_t zones, literals, prefixes, services;
	size_t rules[3]; /* by action */
	size_t *tier_rules;
};

static void summarise(const struct policy *policy, struct summary *summary)
{
	for (size_t i = 0; i < policy->zone_count; i++) {
		const struct zone *zone = &policy->zones[i];

		summary->zones += zone->kind == ZONE_DECLARED;
		summary->literals += zone->kind == ZONE_LITERAL;
		summary->prefixes += zone->listed.v4_count + zone->listed.v6_count + zone->except.v4_count +
				     zone->except.v6_count;
	}
	for (size_t i = 0; i < policy->rules.count; i++) {
		summary->rules[policy->rules.v[i].action]++;
		if (summary->tier_rules)
			summary->tier_rules[policy->rules.v[i].tier]++;
	}
}

static void print_tables(const struct tables *tables)
{
	const struct tables_stats *stats = &tables->stats;

	printf("tables      %.1f MiB: %zu atoms, %zu source and %zu destination classes, %zu port classes, %zu rows\n",
	       tables->len / 1048576.0, stats->atoms, stats->source_classes, stats->destination_classes,
	       stats->port_classes, stats->rows);
	budget_print(tables, 0);
}

static void print_rules(const struct policy *policy, const struct summary *summary)
{
	printf("rules       %zu: %zu allow, %zu drop, %zu pass\n", policy->rules.count, summary->rules[ACTION_ALLOW],
	       summary->rules[ACTION_DROP], summary->rules[ACTION_PASS]);
	printf("tiers      ");
	for (size_t i = 0; i < policy->tier_count; i++)
		printf(" %s (%zu)%s", policy->tiers[i], summary->tier_rules ? summary->tier_rules[i] : 0,
		       i + 1 < policy->tier_count ? "," : "\n");
	printf("failsafe    ");
	for (size_t i = 0; i < policy->failsafe.count; i++)
		printf("%s%s", i ? ", " : "", policy->failsafe.v[i].service_text);
	printf("%s\n", policy->failsafe_is_default ? " from any to host (by default)" : policy->failsafe.count ? "" : "none");
}

/* What an entry says of its interfaces: " (xdp: off, source: db)". */
static void print_keys(const struct policy *policy, const struct interface_match *match)
{
	static const char *const modes[] = { "auto", "native", "generic", "off" };

	if (match->has_xdp)
		printf(" (xdp: %s", modes[match->xdp]);
	if (match->has_source)
		printf("%ssource: %s", match->has_xdp ? ", " : " (", policy->zones[match->source].name);
	if (match->has_xdp || match->has_source)
		putchar(')');
}

static void print_interfaces(const struct policy *policy)
{
	printf("interfaces ");
	for (size_t i = 0; i < policy->interface_count; i++) {
		const struct interface_match *match = &policy->interfaces[i];

		for (size_t j = 0; j < match->pattern_count; j++) {
			printf(" %s", match->pattern[j]);
			print_keys(policy, match);
		}
	}
	printf("%s\n", policy->interface_count ? "" : " none: the policy can be checked and simulated, not applied");
}

static void print_summary(const struct result *result, const struct summary *summary)
{
	const struct policy *policy = result->policy;

	printf("files       %zu\n", policy->file_count);
	printf("defaults    action %s, intra-zone %s, log %s, non-ip %s, tcp %s\n", action_name(policy->default_action),
	       action_name(policy->intra_zone), log_name(policy->log), policy->allow_non_ip ? "allow" : "drop",
	       policy->tcp_strict ? "strict" : "loose");
	printf("zones       %zu, and %zu addresses named in rules; %zu prefixes and ranges in all\n", summary->zones,
	       summary->literals, summary->prefixes);
	print_rules(policy, summary);
	print_interfaces(policy);
	print_tables(result->tables);
}

static void add_count(struct json_object *object, const char *key, uint64_t count)
{
	json_object_object_add(object, key, json_object_new_uint64(count));
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static struct json_object *json_tiers(const struct policy *policy, const struct summary *summary)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < policy->tier_count; i++) {
		struct json_object *tier = json_object_new_object();

		add_text(tier, "name", policy->tiers[i]);
		add_count(tier, "rules", summary->tier_rules ? summary->tier_rules[i] : 0);
		json_object_array_add(array, tier);
	}
	return array;
}

static struct json_object *json_strings(char **strings, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(array, json_object_new_string(strings[i]));
	return array;
}

static struct json_object *json_interfaces(const struct policy *policy)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < policy->interface_count; i++) {
		struct json_object *entry = json_object_new_object();

		json_object_object_add(entry, "match",
				       json_strings(policy->interfaces[i].pattern, policy->interfaces[i].pattern_count));
		json_object_array_add(array, entry);
	}
	return array;
}

static struct json_object *json_tables(const struct tables *tables)
{
	const struct tables_stats *stats = &tables->stats;
	struct json_object *object = json_object_new_object();

	add_count(object, "bytes", tables->len);
	add_count(object, "atoms", stats->atoms);
	add_count(object, "source_classes", stats->source_classes);
	add_count(object, "destination_classes", stats->destination_classes);
	add_count(object, "port_classes", stats->port_classes);
	add_count(object, "rows", stats->rows);
	add_count(object, "pairs", stats->pairs);
	json_object_object_add(object, "sparse", json_object_new_boolean(stats->sparse));
	budget_add_json(object, tables);
	return object;
}

static void json_summary(struct json_object *object, const struct result *result, const struct summary *summary)
{
	const struct policy *policy = result->policy;

	json_object_object_add(object, "files", json_strings(policy->files, policy->file_count));
	add_count(object, "zones", summary->zones);
	add_count(object, "prefixes", summary->prefixes);
	add_count(object, "rules", policy->rules.count);
	add_count(object, "failsafe", policy->failsafe.count);
	json_object_object_add(object, "tiers", json_tiers(policy, summary));
	json_object_object_add(object, "interfaces", json_interfaces(policy));
	json_object_object_add(object, "tables", json_tables(result->tables));
}

static void print_json(const struct result *result, const struct summary *summary, bool good)
{
	struct json_object *object = json_object_new_object();

	add_text(object, "schema", CHECK_SCHEMA);
	json_object_object_add(object, "ok", json_object_new_boolean(good));
	add_count(object, "errors", diag_errors(result->diag));
	add_count(object, "warnings", diag_warnings(result->diag));
	json_object_object_add(object, "diagnostics", diag_json(result->diag));
	if (result->policy && result->tables)
		json_summary(object, result, summary);
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

static void print_totals(const struct diag *diag)
{
	size_t errors = diag_errors(diag), warnings = diag_warnings(diag);

	if (errors || warnings)
		fprintf(stderr, "%zu error%s, %zu warning%s\n", errors, errors == 1 ? "" : "s", warnings,
			warnings == 1 ? "" : "s");
}

static int print(const struct globals *globals, const struct result *result)
{
	struct summary summary = { 0 };
	_cleanup_free_ size_t *tier_rules = array_new(result->policy ? result->policy->tier_count : 0, sizeof(*tier_rules));
	bool good = !diag_errors(result->diag);

	summary.tier_rules = tier_rules;
	if (result->policy)
		summarise(result->policy, &summary);
	if (globals->json) {
		print_json(result, &summary, good);
	} else {
		diag_print(result->diag, stderr, globals->colour && isatty(STDERR_FILENO));
		print_totals(result->diag);
		if (good && result->tables)
			print_summary(result, &summary);
	}
	return good ? EXIT_DONE : EXIT_POLICY;
}

static int run(const struct globals *globals, int argc, char **argv)
{
	_cleanup_(clear_arguments) struct arguments arguments = { .sources.command = "check" };
	_cleanup_(clear_result) struct result result = { 0 };
	int status = read_arguments(&arguments, argc, argv), err;

	if (status)
		return status;
	err = ranges_normalise(&arguments.sources.host);
	if (!err)
		err = work(&arguments, &result);
	if (err == -ENOMEM)
		return out_of_memory();
	if (arguments.werror)
		diag_promote(result.diag);
	return print(globals, &result);
}

const struct command cmd_check = {
	.name = "check",
	.arguments = "FILE...",
	.summary = "read a policy; print every mistake, or what was understood",
	.options = options,
	.run = run,
};
