// SPDX-License-Identifier: GPL-2.0-only
/* What a policy file comes to: the model that the compiler and the oracle read. Its mistakes are golden tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "base/util.h"
#include "policy/policy.h"

#define HEAD "version: 1\ndefaults: {action: drop}\n"

static char directory[] = "/tmp/zonewall-policy-XXXXXX";

static int enter(void **state)
{
	(void)state;
	return mkdtemp(directory) && !chdir(directory) ? 0 : -1;
}

static int leave(void **state)
{
	static const char *const names[] = { "a.yaml", "b.yaml", "c.yaml", "feed.txt" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlink(names[i]);
	return chdir("/") || rmdir(directory);
}

static void write_file(const char *name, const char *text)
{
	FILE *out = fopen(name, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

/* The policy of a.yaml with this text, and what was said of it. */
static struct policy *read_policy(const char *text, struct diag **ret_diag)
{
	const char *const files[] = { "a.yaml" };
	struct diag *diag = diag_new();
	struct policy *policy = NULL;

	write_file("a.yaml", text);
	if (policy_read(files, 1, diag, &policy))
		diag_print(diag, stderr, false);
	assert_non_null(policy);
	if (ret_diag)
		*ret_diag = diag;
	else
		diag_free(diag);
	return policy;
}

static bool holds(const struct policy *policy, const char *zone, const char *text)
{
	int index = policy_find_zone(policy, zone);
	struct addr addr;

	assert_true(index >= 0);
	assert_int_equal(addr_parse(text, &addr), 0);
	return ranges_contain(&policy->zones[index].set, &addr);
}

static void sets_unite_and_subtract(void **state)
{
	struct policy *policy;

	(void)state;
	write_file("feed.txt", "203.0.113.0/24 # a comment\n\n  198.51.100.1-198.51.100.9\r\n2001:db8::/32\n");
	policy = read_policy(HEAD "zones:\n"
				  "  all: {zones: [data, feed], addresses: [10.9.0.1], except: [10.2.0.7, 203.0.113.128/25]}\n"
				  "  data: {zones: [db, cache]}\n"
				  "  db: {addresses: [10.2.0.0/24], except: [10.2.0.250]}\n"
				  "  cache: [10.3.0.0/24, 10.2.0.250, \"fd00::/64\"]\n"
				  "  feed: {file: feed.txt}\n", NULL);
	assert_int_equal(policy_resolve(policy, NULL), 0);
	assert_true(holds(policy, "db", "10.2.0.249") && !holds(policy, "db", "10.2.0.250"));
	/* `except` is of the zone that has it: what another member lists stays. */
	assert_true(holds(policy, "data", "10.2.0.250") && holds(policy, "data", "10.2.0.7"));
	assert_true(holds(policy, "all", "10.2.0.250") && !holds(policy, "all", "10.2.0.7"));
	assert_true(holds(policy, "all", "10.9.0.1") && holds(policy, "all", "fd00::1"));
	assert_true(holds(policy, "all", "203.0.113.127") && !holds(policy, "all", "203.0.113.128"));
	assert_true(holds(policy, "feed", "198.51.100.9") && !holds(policy, "feed", "198.51.100.10"));
	assert_true(holds(policy, "feed", "2001:db8:ffff::"));
	assert_true(policy->zones[policy_find_zone(policy, "all")].is_union);
	assert_false(policy->zones[policy_find_zone(policy, "db")].is_union);
	assert_int_equal(policy->file_count, 2);
	policy_free(policy);
}

static void a_column_of_csv_is_a_feed(void **state)
{
	struct policy *policy;
	const struct zone *zone;

	(void)state;
	write_file("feed.txt", "# when, \"the ip\" ,port\r\n\r\n\"2026-01-01, noon\",\"192.0.2.7\",80\r\n"
			       "\"a \"\"b\"\"\", 2001:db8::/32 ,80\r\n # 10.0.0.1\r\nx,198.51.100.0/24");
	policy = read_policy(HEAD "zones:\n  feed: {file: feed.txt, column: the ip, max-age: 2h, min-entries: 3, on-error: skip}\n", NULL);
	assert_int_equal(policy_resolve(policy, NULL), 0);
	zone = &policy->zones[policy_find_zone(policy, "feed")];
	assert_int_equal(zone->feed.entries, 3);
	assert_int_equal(zone->feed.max_age_s, 7200);
	assert_true(zone->feed.skip && zone->feed.min_entries == 3);
	assert_true(holds(policy, "feed", "192.0.2.7") && !holds(policy, "feed", "192.0.2.8"));
	assert_true(holds(policy, "feed", "2001:db8:ffff::") && holds(policy, "feed", "198.51.100.255"));
	assert_false(holds(policy, "feed", "10.0.0.1"));
	policy_free(policy);
}

static void host_and_world_share_what_is_left(void **state)
{
	static const char *const host_text[] = { "10.2.0.9", "192.0.2.5", "127.0.0.1", "169.254.3.4", "fd00::5",
						 "fe80::5", "::1" };
	struct policy *policy = read_policy(
		HEAD "zones:\n"
		     "  db: {addresses: [10.2.0.0/24], except: [10.2.0.250]}\n"
		     "rules:\n  - {id: a, from: 10.77.0.0/16, to: db, service: tcp/1, action: allow}\n", NULL);
	struct ranges host = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(host_text); i++) {
		struct addr addr;

		assert_int_equal(addr_parse(host_text[i], &addr), 0);
		assert_int_equal(ranges_add(&host, addr.family, addr.value, addr.value), 0);
	}
	assert_int_equal(ranges_normalise(&host), 0);
	assert_int_equal(policy_resolve(policy, &host), 0);
	assert_true(policy->host_known);
	assert_true(holds(policy, "host", "10.2.0.9") && holds(policy, "host", "192.0.2.5") &&
		    holds(policy, "host", "fd00::5"));
	assert_false(holds(policy, "host", "127.0.0.1") || holds(policy, "host", "169.254.3.4") ||
		     holds(policy, "host", "fe80::5") || holds(policy, "host", "::1"));
	/* Listed, even if by `except`; the host's own; what no unicast packet has. */
	assert_false(holds(policy, "world", "10.2.0.1") || holds(policy, "world", "10.2.0.250"));
	assert_false(holds(policy, "world", "192.0.2.5") || holds(policy, "world", "fd00::5"));
	assert_false(holds(policy, "world", "0.0.0.0") || holds(policy, "world", "127.9.9.9") ||
		     holds(policy, "world", "224.0.0.1") || holds(policy, "world", "239.255.255.255") ||
		     holds(policy, "world", "255.255.255.255"));
	assert_false(holds(policy, "world", "::") || holds(policy, "world", "::1") || holds(policy, "world", "ff02::1") ||
		     holds(policy, "world", "::ffff:8.8.8.8"));
	/* A literal in a rule is no zone that lists an address. */
	assert_true(holds(policy, "world", "10.77.0.1") && holds(policy, "world", "8.8.8.8") &&
		    holds(policy, "world", "2001:db8::1") && holds(policy, "world", "fe80::5"));
	assert_true(holds(policy, "any", "0.0.0.0") && holds(policy, "any", "ff02::1"));

	assert_int_equal(policy_resolve(policy, NULL), 0);
	assert_false(policy->host_known);
	assert_true(ranges_empty(&policy->zones[ZONE_INDEX_HOST].set));
	assert_true(holds(policy, "world", "192.0.2.5"));
	ranges_clear(&host);
	policy_free(policy);
}

static void is_selector(const struct selector *selector, int protocol, unsigned first, unsigned last)
{
	assert_int_equal(selector->any_protocol, protocol < 0);
	assert_int_equal(selector->protocol, protocol < 0 ? 0 : protocol);
	assert_int_equal(selector->first, first);
	assert_int_equal(selector->last, last);
}

static void services_are_flat(void **state)
{
	struct policy *policy = read_policy(
		HEAD "services:\n  web: [tcp/443, tcp/80, tcp/81-90]\n  more: [web, udp/53, icmp/echo-request]\n"
		     "rules:\n"
		     "  - {id: a, from: any, to: any, service: [more, tcp/85-100, proto/47, icmpv6/1/4], action: drop}\n"
		     "  - {id: b, from: any, to: any, service: [web, any], action: drop}\n"
		     "  - {id: c, from: any, to: any, service: web, action: drop}\n"
		     "  - {id: d, from: any, to: any, service: proto/6, action: drop}\n", NULL);
	const struct selectors *service = &policy->rules.v[0].service;

	(void)state;
	assert_int_equal(service->count, 6);
	is_selector(&service->v[0], 1, 8 << 8, 8 << 8 | 255);
	is_selector(&service->v[1], 6, 80, 100);
	is_selector(&service->v[2], 6, 443, 443);
	is_selector(&service->v[3], 17, 53, 53);
	is_selector(&service->v[4], 47, 0, 65535);
	is_selector(&service->v[5], 58, 1 << 8 | 4, 1 << 8 | 4);
	assert_string_equal(policy->rules.v[0].service_text, "more, tcp/85-100, proto/47, icmpv6/1/4");
	assert_int_equal(policy->rules.v[1].service.count, 1);
	is_selector(&policy->rules.v[1].service.v[0], -1, 0, 65535);
	assert_string_equal(policy->rules.v[2].service_text, "web");
	is_selector(&policy->rules.v[3].service.v[0], 6, 0, 65535);
	policy_free(policy);
}

static void rules_have_all_they_say(void **state)
{
	struct policy *policy = read_policy(
		"version: 1\ndefaults: {action: allow, log: none, non-ip: allow, tcp: strict, flows: 1000}\n"
		"tiers: [first, second]\nzones: {a: [10.0.0.1], b: [10.0.0.2]}\n"
		"rules:\n"
		"  - {id: one, tier: first, from: [b, a, 10.9.0.1, b], to: 10.9.0.1, service: tcp/1, action: allow, log: all,\n"
		"     limit: {rate: 90/m, per: source, ban: 90m}, tls: {require: true, min: \"1.2\"}, owner: me,\n"
		"     until: 2026-12-31T01:00:00+01:00, mode: stage}\n"
		"  - {id: two, from: any, to: host, service: tcp/1, action: allow, limit: {rate: 50/s}}\n", NULL);
	const struct rule *one = &policy->rules.v[0], *two = &policy->rules.v[1];

	(void)state;
	assert_int_equal(policy->default_action, ACTION_ALLOW);
	assert_int_equal(policy->intra_zone, ACTION_ALLOW);
	assert_false(policy->intra_zone_set);
	assert_int_equal(policy->log, LOG_NOTHING);
	assert_true(policy->allow_non_ip && policy->tcp_strict);
	assert_int_equal(policy->flows, 1000);
	assert_int_equal(policy->zone_count, 6);
	assert_int_equal(policy->zones[5].kind, ZONE_LITERAL);
	assert_int_equal(one->from.count, 3);
	assert_int_equal(one->from.zone[0], 3);
	assert_int_equal(one->from.zone[1], 4);
	assert_int_equal(one->from.zone[2], 5);
	assert_int_equal(one->to.zone[0], 5);
	assert_int_equal(one->tier, 0);
	assert_int_equal(two->tier, 1);
	assert_int_equal(one->log, LOG_ALL);
	assert_int_equal(two->log, LOG_UNSET);
	assert_int_equal(one->mode, MODE_STAGE);
	assert_true(one->limit.set && one->limit.per_source);
	assert_int_equal(one->limit.per_hour, 5400);
	assert_int_equal(one->limit.burst, 1);
	assert_int_equal(one->limit.ban_s, 5400);
	assert_int_equal(two->limit.burst, 50);
	assert_true(one->tls_require && one->tls_min_1_2);
	assert_true(one->expires);
	assert_int_equal(one->until, 1798675200);
	assert_string_equal(one->owner, "me");
	assert_int_equal(one->place.line, 6);
	assert_int_equal(one->place.column, 10);
	policy_free(policy);
}

static void failsafe_has_a_default(void **state)
{
	struct policy *policy = read_policy(HEAD, NULL);
	const struct rule *entry = policy->failsafe.v;

	(void)state;
	assert_true(policy->failsafe_is_default);
	assert_int_equal(policy->failsafe.count, 1);
	assert_string_equal(entry->id, "failsafe-1");
	assert_int_equal(entry->from.zone[0], ZONE_INDEX_ANY);
	assert_int_equal(entry->to.zone[0], ZONE_INDEX_HOST);
	assert_int_equal(entry->action, ACTION_ALLOW);
	is_selector(&entry->service.v[0], 6, 22, 22);
	assert_int_equal(policy->tier_count, 1);
	assert_string_equal(policy->tiers[0], "app");
	policy_free(policy);
	policy = read_policy(HEAD "failsafe: []\n", NULL);
	assert_false(policy->failsafe_is_default);
	assert_int_equal(policy->failsafe.count, 0);
	policy_free(policy);
}

/* An included file's rules come before those of the file that includes it; a file met again is skipped. */
static void includes_keep_their_order(void **state)
{
	struct policy *policy;

	(void)state;
	write_file("b.yaml", "version: 1\ninclude: [c.yaml]\nrules:\n  - {id: b, from: any, to: any, service: tcp/1, action: drop}\n");
	write_file("c.yaml", "version: 1\nrules:\n  - {id: c, from: any, to: any, service: tcp/1, action: drop}\n");
	policy = read_policy(HEAD "rules:\n  - {id: a, from: any, to: any, service: tcp/1, action: drop}\n"
				  "include: [\"[bc].yaml\", c.yaml]\n", NULL);
	assert_int_equal(policy->rules.count, 3);
	assert_string_equal(policy->rules.v[0].id, "c");
	assert_string_equal(policy->rules.v[1].id, "b");
	assert_string_equal(policy->rules.v[2].id, "a");
	assert_int_equal(policy->file_count, 3);
	assert_string_equal(policy->files[0], "a.yaml");
	policy_free(policy);
}

static void the_rest_is_kept(void **state)
{
	struct diag *diag;
	struct policy *policy = read_policy(
		HEAD "zones: {a: [10.0.0.1]}\n"
		     "interfaces:\n  - {match: [eth0, \"veth*\"], xdp: off}\n  - {match: [eth1], source: a}\n"
		     "rules:\n  - {id: r, from: a, to: any, service: tcp/1, action: allow, tls: {require: true}, until: 2999-01-01T00:00:00Z}\n"
		     "never:\n  - {from: a, to: a, service: any}\n"
		     "always:\n  - {id: must, from: a, to: any, service: tcp/1}\n"
		     "tests:\n  - {from: 10.0.0.1, to: 10.0.0.2, service: icmp/8, expect: allow, by: r}\n", &diag);

	(void)state;
	assert_int_equal(policy->interface_count, 2);
	assert_int_equal(policy->interfaces[0].pattern_count, 2);
	assert_string_equal(policy->interfaces[0].pattern[1], "veth*");
	assert_true(policy->interfaces[0].has_xdp && !policy->interfaces[0].has_source);
	assert_int_equal(policy->interfaces[0].xdp, XDP_OFF);
	assert_true(!policy->interfaces[1].has_xdp && policy->interfaces[1].has_source);
	assert_int_equal(policy->interfaces[1].source, 3);
	assert_string_equal(policy->never.v[0].id, "never-1");
	assert_string_equal(policy->always.v[0].id, "must");
	assert_int_equal(policy->test_count, 1);
	is_selector(&policy->tests[0].service, 1, 8 << 8, 8 << 8);
	assert_string_equal(policy->tests[0].by, "r");
	assert_int_equal(diag_errors(diag), 0);
	assert_int_equal(diag_warnings(diag), 0);
	diag_free(diag);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_unite_and_subtract),
		cmocka_unit_test(a_column_of_csv_is_a_feed),
		cmocka_unit_test(host_and_world_share_what_is_left),
		cmocka_unit_test(services_are_flat),
		cmocka_unit_test(rules_have_all_they_say),
		cmocka_unit_test(failsafe_has_a_default),
		cmocka_unit_test(includes_keep_their_order),
		cmocka_unit_test(the_rest_is_kept),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, enter, leave);
}
