// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes a policy of design section 13's size (scale.h) as files: FOLDER/policy.yaml, whose zones take their addresses
 * from a feed each.
 *
 *   scale_files [-r RULES] [-p PREFIXES] [-z ZONES] [-6] [-i INTERFACE] SHAPE FOLDER
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/scale.h"

static FILE *create(const char *folder, const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	if (!file) {
		fprintf(stderr, "scale_files: cannot write %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return file;
}

static void finish(FILE *file)
{
	if (fclose(file)) {
		fprintf(stderr, "scale_files: cannot write: %s\n", strerror(errno));
		exit(1);
	}
}

static void write_feed(const char *folder, const struct zone *zone)
{
	FILE *feed = create(folder, zone->name);
	char text[RANGE_TEXT_MAX];

	for (size_t i = 0; i < zone->set.v4_count; i++) {
		range_print(4, &zone->set.v4[i], text);
		fprintf(feed, "%s\n", text);
	}
	for (size_t i = 0; i < zone->set.v6_count; i++) {
		range_print(6, &zone->set.v6[i], text);
		fprintf(feed, "%s\n", text);
	}
	finish(feed);
}

static void write_end(FILE *out, const char *key, const struct policy *policy, const struct zone_list *list)
{
	const struct zone *zone = &policy->zones[list->zone[0]];
	bool is_v4 = zone->set.v4_count;
	char text[RANGE_TEXT_MAX];

	if (zone->kind == ZONE_LITERAL)
		range_print(is_v4 ? 4 : 6, is_v4 ? zone->set.v4 : zone->set.v6, text);
	fprintf(out, ", %s: \"%s\"", key, zone->kind == ZONE_LITERAL ? text : zone->name);
}

static void write_rule(FILE *out, const struct policy *policy, const struct rule *rule)
{
	static const char *const actions[] = {
		[ACTION_ALLOW] = "allow", [ACTION_DROP] = "drop", [ACTION_PASS] = "pass"
	};
	const struct selector *service = &rule->service.v[0];

	fprintf(out, "  - {id: %s, tier: %s", rule->id, policy->tiers[rule->tier]);
	write_end(out, "from", policy, &rule->from);
	write_end(out, "to", policy, &rule->to);
	fprintf(out, ", service: %s/%u-%u, action: %s}\n", service->protocol == 6 ? "tcp" : "udp", service->first,
		service->last, actions[rule->action]);
}

static void write_policy(const char *folder, const struct policy *policy, const char *interface)
{
	FILE *out = create(folder, "policy.yaml");

	fprintf(out, "version: 1\ndefaults: {action: drop, log: none}\n");
	fprintf(out, "interfaces: [{match: [%s]}]\ntiers: [%s, %s]\nzones:\n", interface, policy->tiers[0],
		policy->tiers[1]);
	for (size_t i = ZONE_INDEX_FIRST_DECLARED; i < policy->zone_count; i++) {
		if (policy->zones[i].kind != ZONE_DECLARED)
			continue;
		fprintf(out, "  %s: {file: %s}\n", policy->zones[i].name, policy->zones[i].name);
		write_feed(folder, &policy->zones[i]);
	}
	fprintf(out, "rules:\n");
	for (size_t i = 0; i < policy->rules.count; i++)
		write_rule(out, policy, &policy->rules.v[i]);
	finish(out);
}

static bool read_shape(const char *name, struct scale *scale)
{
	for (int i = 0; i < PLAN_SHAPES; i++)
		if (!strcmp(name, plan_shape_names[i])) {
			scale->shape = i;
			return true;
		}
	return false;
}

int main(int argc, char **argv)
{
	struct scale scale = { .family = 4, SCALE_FULL, .cidr_bits = 4, .open_port = OPEN_PORT };
	const char *interface = "b0";
	int option;

	while ((option = getopt(argc, argv, SCALE_OPTIONS "6i:")) != -1) {
		if (option == '6')
			scale.family = 6;
		else if (option == 'i')
			interface = optarg;
		else if (!scale_set_size(&scale, option, optarg))
			return 2;
	}
	if (argc - optind != 2 || !read_shape(argv[optind], &scale)) {
		fprintf(stderr, "usage: scale_files [-r RULES] [-p PREFIXES] [-z ZONES] [-6] [-i INTERFACE] "
				"dense|routing|feed FOLDER\n");
		return 2;
	}
	write_policy(argv[optind + 1], scale_policy(&scale), interface);
	return 0;
}
