// SPDX-License-Identifier: GPL-2.0-only
/* The keys `version`, `defaults`, `tiers`, `interfaces` and `tests`. */
#include <net/if.h>

#include "policy/schema.h"

#define FLOWS_MAX (1u << 27) /* a family: 8 GiB of flows */

void read_version(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	(void)into;
	if (want_text(reader, value, "a version") && strcmp(value->text, "1"))
		diag_error(reader->diag, &value->place, "write version: 1", "version '%.60s' of the language is not known",
			   value->text);
}

/* Reports a key that only one file may have. Returns true the first time. */
static bool is_first(struct reader *reader, const struct node *key, bool *seen, struct place *place)
{
	char fix[FIX_MAX], text[160];

	if (!*seen) {
		*seen = true;
		*place = key->place;
		return true;
	}
	snprintf(fix, sizeof(fix), "it stands already at %s", place_print(reader, place, text, sizeof(text)));
	diag_error(reader->diag, &key->place, fix, "'%s' may stand in one file only", key->text);
	return false;
}

static const char *const drop_or_allow[] = { "drop", "allow", NULL };

static void read_action(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	if (want_word(reader, value, drop_or_allow) == ACTION_ALLOW)
		((struct policy *)into)->default_action = ACTION_ALLOW;
}

static void read_intra_zone(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct policy *policy = into;

	(void)key;
	policy->intra_zone_set = true;
	policy->intra_zone = want_word(reader, value, drop_or_allow) == ACTION_ALLOW ? ACTION_ALLOW : ACTION_DROP;
}

static void read_log(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	static const char *const words[] = { "drops", "all", "none", NULL };
	int word = want_word(reader, value, words);

	(void)key;
	if (word >= 0)
		((struct policy *)into)->log = LOG_DROPS + word;
}

static void read_non_ip(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	((struct policy *)into)->allow_non_ip = want_word(reader, value, drop_or_allow) == ACTION_ALLOW;
}

static void read_tcp(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	static const char *const words[] = { "loose", "strict", NULL };

	(void)key;
	((struct policy *)into)->tcp_strict = want_word(reader, value, words) == 1;
}

static void read_flows(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	if (value->kind == NODE_SCALAR && !strcmp(value->text, "auto"))
		return;
	want_number(reader, value, 1, FLOWS_MAX, &((struct policy *)into)->flows);
}

static const struct schema defaults_schema = {
	"defaults",
	(const struct field[]){
		{ "action", true, read_action },
		{ "intra-zone", false, read_intra_zone },
		{ "log", false, read_log },
		{ "non-ip", false, read_non_ip },
		{ "tcp", false, read_tcp },
		{ "flows", false, read_flows },
		{ 0 },
	},
};

void read_defaults(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct policy *policy = reader->policy;

	(void)into;
	if (!is_first(reader, key, &reader->has_defaults, &reader->defaults_at))
		return;
	schema_read(reader, &defaults_schema, value, policy);
	if (!policy->intra_zone_set)
		policy->intra_zone = policy->default_action;
}

static void read_tier_name(struct reader *reader, const struct node *node)
{
	struct policy *policy = reader->policy;
	char *name;

	if (!want_text(reader, node, "a name") || !name_check(reader, node, "a tier"))
		return;
	name = strdup(node->text);
	if (failed(reader, name ? 0 : -ENOMEM) || !define(reader, &reader->tiers, node, name, "tier") ||
	    failed(reader, array_grow(&policy->tiers, policy->tier_count, sizeof(*policy->tiers)))) {
		free(name);
		return;
	}
	policy->tiers[policy->tier_count++] = name;
}

void read_tiers(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)into;
	if (!is_first(reader, key, &reader->has_tiers, &reader->tiers_at) ||
	    !want_list(reader, value, "a list of names"))
		return;
	if (!value->count)
		diag_error(reader->diag, &value->place, "leave 'tiers' away for one tier, 'app'", "a policy has at least one tier");
	node_for_each(node, value)
		read_tier_name(reader, node);
}

static const char glob_characters[] = "*?[";

static void read_pattern(struct reader *reader, const struct node *node, struct interface_match *match)
{
	const char *text = want_text(reader, node, "the name of an interface, or a pattern");
	char *copy;

	if (!text)
		return;
	if (!strcmp(text, "lo")) {
		diag_error(reader->diag, &node->place, NULL, "zonewall does not attach to 'lo'");
		return;
	}
	if (strpbrk(text, "/ :\t\n") || (!strpbrk(text, glob_characters) && strlen(text) >= IF_NAMESIZE)) {
		diag_error(reader->diag, &node->place, "a name has at most 15 characters, without space, '/' and ':'",
			   "'%.60s' cannot be the name of an interface", text);
		return;
	}
	copy = strdup(text);
	if (failed(reader, copy ? 0 : -ENOMEM) ||
	    failed(reader, array_grow(&match->pattern, match->pattern_count, sizeof(*match->pattern)))) {
		free(copy);
		return;
	}
	match->pattern[match->pattern_count++] = copy;
}

static void read_match(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	if (!want_list(reader, value, "a list of interfaces"))
		return;
	if (!value->count)
		diag_warning(reader->diag, &value->place, NULL, "the list is empty: it matches nothing");
	node_for_each(node, value)
		read_pattern(reader, node, into);
}

static void read_xdp(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	static const char *const words[] = { "auto", "native", "generic", "off", NULL };
	struct interface_match *match = into;
	int word = want_word(reader, value, words);

	(void)key;
	match->has_xdp = true;
	match->xdp = word < 0 ? XDP_AUTO : XDP_AUTO + word;
}

static void read_source(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct interface_match *match = into;
	int zone = read_zone(reader, value);

	(void)key;
	match->has_source = true;
	match->source = zone < 0 ? ZONE_INDEX_ANY : zone;
}

static const struct schema interface_schema = {
	"an entry of interfaces",
	(const struct field[]){
		{ "match", true, read_match },
		{ "xdp", false, read_xdp },
		{ "source", false, read_source },
		{ 0 },
	},
};

void read_interfaces(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct policy *policy = reader->policy;

	(void)key;
	(void)into;
	if (!want_list(reader, value, "a list of entries"))
		return;
	node_for_each(node, value) {
		struct interface_match match = { .place = node->place };

		schema_read(reader, &interface_schema, node, &match);
		if (failed(reader, array_grow(&policy->interfaces, policy->interface_count, sizeof(match)))) {
			for (size_t i = 0; i < match.pattern_count; i++)
				free(match.pattern[i]);
			free(match.pattern);
			return;
		}
		policy->interfaces[policy->interface_count++] = match;
	}
}

struct test_draft {
	struct test test;
	bool has_from, has_to;
};

static bool read_address(struct reader *reader, const struct node *value, struct addr *addr)
{
	if (!want_text(reader, value, "an address"))
		return false;
	if (!addr_parse(value->text, addr))
		return true;
	diag_error(reader->diag, &value->place, "a test is about one packet: name one address on each side",
		   "'%.60s' is not an address", value->text);
	return false;
}

static void read_test_from(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct test_draft *draft = into;

	(void)key;
	draft->has_from = read_address(reader, value, &draft->test.from);
}

static void read_test_to(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct test_draft *draft = into;

	(void)key;
	draft->has_to = read_address(reader, value, &draft->test.to);
}

/* One protocol and one port. An ICMP type without a code is code 0; a protocol without ports has port 0. */
static void read_test_service(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct selectors selectors = { 0 };
	struct selector *one = &((struct test_draft *)into)->test.service;
	bool good = want_text(reader, value, "a service") && read_service(reader, value, &selectors, NULL);

	(void)key;
	if (good && selectors.count)
		*one = selectors.v[0];
	free(selectors.v);
	if (!good)
		return;
	if (selectors.count == 1 && !one->any_protocol) {
		bool is_icmp = one->protocol == 1 || one->protocol == 58;
		bool has_ports = one->protocol == 6 || one->protocol == 17 || one->protocol == 132;

		if (one->first == one->last)
			return;
		if ((is_icmp && one->first >> 8 == one->last >> 8) || (!is_icmp && !has_ports)) {
			one->last = one->first;
			return;
		}
	}
	diag_error(reader->diag, &value->place, "write tcp/443, icmp/echo-request or proto/47",
		   "a test is about one packet: '%.60s' is more than one protocol and port", value->text);
}

static void read_expect(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	(void)key;
	if (want_word(reader, value, drop_or_allow) == EXPECT_ALLOW)
		((struct test_draft *)into)->test.expect = EXPECT_ALLOW;
}

static void read_by(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	static const char *const builtin[] = { "default", "intra-zone", "failsafe", NULL };
	struct test *test = &((struct test_draft *)into)->test;

	(void)key;
	if (!want_text(reader, value, "the id of a rule, or a reason"))
		return;
	if (!index_find(&reader->ids_given.index, value->text, &(unsigned){ 0 }) && !reason_is_known(value->text)) {
		report_undefined(reader, value, &reader->ids_given, "rule", builtin);
		return;
	}
	test->by = strdup(value->text);
	failed(reader, test->by ? 0 : -ENOMEM);
}

static const struct schema test_schema = {
	"a test",
	(const struct field[]){
		{ "from", true, read_test_from },
		{ "to", true, read_test_to },
		{ "service", true, read_test_service },
		{ "expect", true, read_expect },
		{ "by", false, read_by },
		{ 0 },
	},
};

static void check_test(struct reader *reader, const struct test_draft *draft, const struct place *place)
{
	const struct test *test = &draft->test;

	if (!draft->has_from || !draft->has_to)
		return;
	if (test->from.family != test->to.family)
		diag_error(reader->diag, place, NULL, "the addresses of a test are of different families");
	else if (test->service.protocol == (test->from.family == 4 ? 58 : 1))
		diag_error(reader->diag, place, NULL, "%s",
			   test->from.family == 4 ? "icmpv6 is for IPv6 addresses" : "icmp is for IPv4 addresses");
}

void read_tests(struct reader *reader, const struct node *key, const struct node *value, void *into)
{
	struct policy *policy = reader->policy;

	(void)key;
	(void)into;
	if (!want_list(reader, value, "a list of tests"))
		return;
	node_for_each(node, value) {
		struct test_draft draft = { .test.place = node->place };

		if (schema_read(reader, &test_schema, node, &draft))
			check_test(reader, &draft, &node->place);
		if (failed(reader, array_grow(&policy->tests, policy->test_count, sizeof(draft.test)))) {
			free(draft.test.by);
			return;
		}
		policy->tests[policy->test_count++] = draft.test;
	}
}
