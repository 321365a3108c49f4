// SPDX-License-Identifier: GPL-2.0-only
/* Events as lines, what filters match of them, and the store of the last ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "watch/event.h"
#include "watch/filter.h"
#include "watch/store.h"

#define TIME 1795381445123456789ll /* 2026-11-22T21:04:05.123456789Z */

static struct event tcp4(void)
{
	struct event event = {
		.time_ns = TIME, .count = 1, .hook = ZW_HOOK_XDP, .has_packet = true, .length_bytes = 60,
		.source_port = 40000, .tcp_flags = 0x02, .interface = "veth-gw", .rule = "", .staged = "", .cgroup = "",
		.from_zones = "gateway", .to_zones = "db,data", .block_reason = "",
		.key = { .generation = 7, .port = htons(5432), .protocol = 6, .reason = ZW_DROP_DEFAULT, .family = 4,
			 .slot = 3 },
	};

	inet_pton(AF_INET, "10.1.0.7", event.key.source);
	inet_pton(AF_INET, "10.2.0.9", event.key.destination);
	return event;
}

static struct event repeats(void)
{
	struct event event = tcp4();

	event.has_packet = false;
	event.count = 3;
	event.staged = "try-db";
	return event;
}

static struct event udp6(void)
{
	struct event event = tcp4();

	event.key.family = 6;
	event.key.protocol = 17;
	event.key.port = htons(53);
	event.key.reason = ZW_DROP_RULE;
	event.key.flags = ZW_EVENT_EGRESS;
	event.hook = ZW_HOOK_EGRESS;
	event.rule = "no-dns";
	event.vlan = 5;
	event.cgroup = "/system.slice/resolver.service";
	event.to_zones = "world";
	inet_pton(AF_INET6, "fd00:1::7", event.key.source);
	inet_pton(AF_INET6, "2001:db8::53", event.key.destination);
	return event;
}

static struct event ping(void)
{
	struct event event = tcp4();

	event.key.protocol = 1;
	event.key.port = htons(8 << 8 | 0);
	event.to_zones = "";
	return event;
}

static struct event folded(void)
{
	return (struct event){
		.time_ns = TIME, .count = 123456, .hook = ZW_HOOKS, .interface = "", .rule = "guests", .staged = "", .cgroup = "",
		.from_zones = "", .to_zones = "", .block_reason = "",
		.key = { .generation = 7, .reason = ZW_DROP_RULE, .flags = ZW_EVENT_FOLDED },
	};
}

static struct event overrun(void)
{
	struct event event = tcp4();

	event.key.reason = ZW_DROP_LIMIT;
	event.key.flags = ZW_EVENT_BANNED;
	event.rule = "login";
	return event;
}

static struct event frame(void)
{
	struct event event = tcp4();

	event.key = (struct zw_event_key){ .reason = ZW_DROP_ETHERTYPE, .generation = 7, .slot = 3 };
	event.from_zones = event.to_zones = "";
	return event;
}

static struct event blocked(void)
{
	struct event event = tcp4();

	event.key.reason = ZW_DROP_BLOCKED;
	event.block_reason = "a scan";
	return event;
}

static const struct {
	const char *name;
	struct event (*event)(void);
	const char *text, *json;
} lines[] = {
	{ "a packet that no rule allows", tcp4,
	  "21:04:05 drop 10.1.0.7:40000 → 10.2.0.9:5432/tcp gateway → db,data default (no rule allows it) on veth-gw",
	  "{\"schema\":\"zonewall.event/1\",\"time\":\"2026-11-22T21:04:05.123456Z\",\"interface\":\"veth-gw\","
	  "\"hook\":\"xdp\",\"direction\":\"ingress\",\"from\":\"10.1.0.7\",\"to\":\"10.2.0.9\",\"sport\":40000,"
	  "\"dport\":5432,\"icmp\":null,\"protocol\":\"tcp\",\"length\":60,\"tcp_flags\":\"S\",\"vlan\":null,"
	  "\"from_zones\":[\"gateway\"],\"to_zones\":[\"db\",\"data\"],\"verdict\":\"drop\",\"reason\":\"default\","
	  "\"rule\":null,\"staged\":null,\"count\":1,\"folded\":false,\"banned\":false,\"generation\":7,\"cgroup\":null,\"block_reason\":null}" },
	{ "repeats of it have a count, and nothing of one packet", repeats,
	  "21:04:05 drop 10.1.0.7 → 10.2.0.9:5432/tcp gateway → db,data default (no rule allows it); staged try-db would allow it on veth-gw ×3",
	  "{\"schema\":\"zonewall.event/1\",\"time\":\"2026-11-22T21:04:05.123456Z\",\"interface\":\"veth-gw\","
	  "\"hook\":\"xdp\",\"direction\":\"ingress\",\"from\":\"10.1.0.7\",\"to\":\"10.2.0.9\",\"sport\":null,"
	  "\"dport\":5432,\"icmp\":null,\"protocol\":\"tcp\",\"length\":null,\"tcp_flags\":null,\"vlan\":null,"
	  "\"from_zones\":[\"gateway\"],\"to_zones\":[\"db\",\"data\"],\"verdict\":\"drop\",\"reason\":\"default\","
	  "\"rule\":null,\"staged\":\"try-db\",\"count\":3,\"folded\":false,\"banned\":false,\"generation\":7,\"cgroup\":null,\"block_reason\":null}" },
	{ "a local sender's packet that a rule drops on its way out", udp6,
	  "21:04:05 drop [fd00:1::7]:40000 → [2001:db8::53]:53/udp gateway → world rule no-dns leaving veth-gw by "
	  "/system.slice/resolver.service",
	  "{\"schema\":\"zonewall.event/1\",\"time\":\"2026-11-22T21:04:05.123456Z\",\"interface\":\"veth-gw\","
	  "\"hook\":\"egress\",\"direction\":\"egress\",\"from\":\"fd00:1::7\",\"to\":\"2001:db8::53\","
	  "\"sport\":40000,\"dport\":53,\"icmp\":null,\"protocol\":\"udp\",\"length\":60,\"tcp_flags\":null,"
	  "\"vlan\":5,\"from_zones\":[\"gateway\"],\"to_zones\":[\"world\"],\"verdict\":\"drop\",\"reason\":\"rule\","
	  "\"rule\":\"no-dns\",\"staged\":null,\"count\":1,\"folded\":false,\"banned\":false,\"generation\":7,"
	  "\"cgroup\":\"/system.slice/resolver.service\",\"block_reason\":null}" },
	{ "an echo request", ping,
	  "21:04:05 drop 10.1.0.7 → 10.2.0.9 icmp/8/0 gateway → - default (no rule allows it) on veth-gw",
	  "{\"schema\":\"zonewall.event/1\",\"time\":\"2026-11-22T21:04:05.123456Z\",\"interface\":\"veth-gw\","
	  "\"hook\":\"xdp\",\"direction\":\"ingress\",\"from\":\"10.1.0.7\",\"to\":\"10.2.0.9\",\"sport\":null,"
	  "\"dport\":null,\"icmp\":[8,0],\"protocol\":\"icmp\",\"length\":60,\"tcp_flags\":null,\"vlan\":null,"
	  "\"from_zones\":[\"gateway\"],\"to_zones\":[],\"verdict\":\"drop\",\"reason\":\"default\",\"rule\":null,\"staged\":null,"
	  "\"count\":1,\"folded\":false,\"banned\":false,\"generation\":7,\"cgroup\":null,\"block_reason\":null}" },
	{ "a flood, folded by its rule", folded,
	  "21:04:05 drop many rule guests ×123456",
	  "{\"schema\":\"zonewall.event/1\",\"time\":\"2026-11-22T21:04:05.123456Z\",\"interface\":null,"
	  "\"hook\":null,\"direction\":null,\"from\":null,\"to\":null,\"sport\":null,\"dport\":null,\"icmp\":null,"
	  "\"protocol\":null,\"length\":null,\"tcp_flags\":null,\"vlan\":null,\"from_zones\":[],\"to_zones\":[],"
	  "\"verdict\":\"drop\",\"reason\":\"rule\",\"rule\":\"guests\",\"staged\":null,\"count\":123456,\"folded\":true,\"banned\":false,"
	  "\"generation\":7,\"cgroup\":null,\"block_reason\":null}" },
	{ "a packet beyond a limit that bans", overrun,
	  "21:04:05 drop 10.1.0.7:40000 → 10.2.0.9:5432/tcp gateway → db,data limit login (more new flows than the rule's limit), its source is blocked now on veth-gw",
	  "{\"schema\":\"zonewall.event/1\",\"time\":\"2026-11-22T21:04:05.123456Z\",\"interface\":\"veth-gw\","
	  "\"hook\":\"xdp\",\"direction\":\"ingress\",\"from\":\"10.1.0.7\",\"to\":\"10.2.0.9\",\"sport\":40000,"
	  "\"dport\":5432,\"icmp\":null,\"protocol\":\"tcp\",\"length\":60,\"tcp_flags\":\"S\",\"vlan\":null,"
	  "\"from_zones\":[\"gateway\"],\"to_zones\":[\"db\",\"data\"],\"verdict\":\"drop\",\"reason\":\"limit\","
	  "\"rule\":\"login\",\"staged\":null,\"count\":1,\"folded\":false,\"banned\":true,\"generation\":7,\"cgroup\":null,\"block_reason\":null}" },
	{ "a packet whose end somebody has blocked, and why", blocked,
	  "21:04:05 drop 10.1.0.7:40000 → 10.2.0.9:5432/tcp gateway → db,data blocked (on the block list: a scan) on veth-gw",
	  "{\"schema\":\"zonewall.event/1\",\"time\":\"2026-11-22T21:04:05.123456Z\",\"interface\":\"veth-gw\","
	  "\"hook\":\"xdp\",\"direction\":\"ingress\",\"from\":\"10.1.0.7\",\"to\":\"10.2.0.9\",\"sport\":40000,"
	  "\"dport\":5432,\"icmp\":null,\"protocol\":\"tcp\",\"length\":60,\"tcp_flags\":\"S\",\"vlan\":null,"
	  "\"from_zones\":[\"gateway\"],\"to_zones\":[\"db\",\"data\"],\"verdict\":\"drop\",\"reason\":\"blocked\","
	  "\"rule\":null,\"staged\":null,\"count\":1,\"folded\":false,\"banned\":false,\"generation\":7,\"cgroup\":null,\"block_reason\":\"a scan\"}" },
	{ "a frame that is not IP", frame,
	  "21:04:05 drop a frame ethertype (neither IPv4 nor IPv6) on veth-gw",
	  "{\"schema\":\"zonewall.event/1\",\"time\":\"2026-11-22T21:04:05.123456Z\",\"interface\":\"veth-gw\","
	  "\"hook\":\"xdp\",\"direction\":\"ingress\",\"from\":null,\"to\":null,\"sport\":null,\"dport\":null,"
	  "\"icmp\":null,\"protocol\":null,\"length\":60,\"tcp_flags\":null,\"vlan\":null,\"from_zones\":[],"
	  "\"to_zones\":[],\"verdict\":\"drop\",\"reason\":\"ethertype\",\"rule\":null,\"staged\":null,\"count\":1,\"folded\":false,\"banned\":false,"
	  "\"generation\":7,\"cgroup\":null,\"block_reason\":null}" },
};

static void events_as_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct event event = lines[i].event();
		struct buffer buffer = { 0 };
		struct json_object *object;

		event_text(&event, false, &buffer);
		assert_string_equal(buffer.data, lines[i].text);
		buffer_clear(&buffer);
		event_json(&event, &buffer);
		assert_string_equal(buffer.data, lines[i].json);
		object = json_tokener_parse(buffer.data);
		assert_non_null(object);
		assert_int_equal(json_object_object_length(object), 26);
		json_object_put(object);
		buffer_free(&buffer);
	}
}

/* Names of interfaces and control groups are somebody else's: neither format may be broken by them. */
static void strangers_names_are_escaped(void **state)
{
	struct event event = tcp4();
	struct buffer buffer = { 0 };
	struct json_object *object, *value;

	(void)state;
	event.interface = "a\"b\\c\nd\033[31m";
	event.cgroup = "/x\xff\xc2\x9b\xed\xa0\x80\xc3\xa9\xf0\x9f\x94\xa5";
	event_json(&event, &buffer);
	assert_null(strchr(buffer.data, '\n'));
	assert_null(strchr(buffer.data, '\033'));
	object = json_tokener_parse(buffer.data);
	assert_non_null(object);
	assert_true(json_object_object_get_ex(object, "interface", &value));
	assert_string_equal(json_object_get_string(value), event.interface);
	assert_true(json_object_object_get_ex(object, "cgroup", &value));
	assert_string_equal(json_object_get_string(value),
			    "/x\xef\xbf\xbd\xc2\x9b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\xf0\x9f\x94\xa5");
	json_object_put(object);
	buffer_clear(&buffer);
	event_text(&event, false, &buffer);
	assert_non_null(strstr(buffer.data, "on a\"b\\c?d?[31m by /x??\?\?\?é🔥"));
	buffer_free(&buffer);
}

static void every_drop_reason_has_words(void **state)
{
	(void)state;
	for (int reason = ZW_DROP_ETHERTYPE; reason <= ZW_DROP_PLAINTEXT; reason++)
		assert_true(reason == ZW_DROP_RULE || *event_reason_text(reason));
}

static const struct {
	const char *filter; /* JSON */
	struct event (*event)(void);
	bool matches;
} matches[] = {
	{ "{}", tcp4, true },
	{ "{}", folded, true },
	{ "{\"zone\":\"gateway\"}", tcp4, true },
	{ "{\"zone\":\"data\"}", tcp4, true },
	{ "{\"zone\":\"dat\"}", tcp4, false },
	{ "{\"zone\":\"gateway,db\"}", tcp4, false },
	{ "{\"zone\":\"data\"}", folded, false },
	{ "{\"from\":\"10.1.0.7\"}", tcp4, true },
	{ "{\"from\":\"10.1.0.8\"}", tcp4, false },
	{ "{\"from\":\"10.1.0.0/24\"}", tcp4, true },
	{ "{\"from\":\"10.1.1.9/16\"}", tcp4, true },
	{ "{\"from\":\"0.0.0.0/0\"}", tcp4, true },
	{ "{\"from\":\"0.0.0.0/0\"}", udp6, false },
	{ "{\"from\":\"::/0\"}", udp6, true },
	{ "{\"from\":\"::/0\"}", folded, false },
	{ "{\"to\":\"2001:db8::/32\"}", udp6, true },
	{ "{\"to\":\"fd00::/8\"}", udp6, false },
	{ "{\"from\":\"gateway\",\"to\":\"db\"}", tcp4, true },
	{ "{\"from\":\"db\"}", tcp4, false },
	{ "{\"to\":\"world\"}", udp6, true },
	{ "{\"port\":5432}", tcp4, true },
	{ "{\"port\":\"5432\"}", tcp4, true },
	{ "{\"port\":40000}", tcp4, true },
	{ "{\"port\":40000}", repeats, false },
	{ "{\"port\":2048}", ping, false },
	{ "{\"port\":0}", folded, false },
	{ "{\"rule\":\"no-dns\"}", udp6, true },
	{ "{\"staged\":\"changed\"}", repeats, true },
	{ "{\"staged\":\"changed\"}", tcp4, false },
	{ "{\"rule\":\"no-dns\"}", tcp4, false },
	{ "{\"rule\":\"guests\"}", folded, true },
	{ "{\"reason\":\"default\"}", tcp4, true },
	{ "{\"reason\":\"rule\"}", tcp4, false },
	{ "{\"reason\":\"rule\"}", udp6, true },
	{ "{\"interface\":\"veth-gw\"}", tcp4, true },
	{ "{\"interface\":\"veth\"}", tcp4, false },
	{ "{\"verdict\":\"allow\"}", tcp4, false },
	{ "{\"verdict\":\"any\"}", tcp4, true },
};

static void filters_match(void **state)
{
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
		struct json_object *object = json_tokener_parse(matches[i].filter);
		struct event event = matches[i].event();
		struct filter filter;

		print_message("# %s\n", matches[i].filter);
		assert_int_equal(filter_read(object, &filter, why, sizeof(why)), 0);
		assert_int_equal(filter_matches(&filter, &event), matches[i].matches);
		json_object_put(object);
	}
}

static void allowed_packets_are_shown_on_demand(void **state)
{
	struct event event = tcp4();
	struct filter filter;
	char why[256];
	struct json_object *object = json_tokener_parse("{\"verdict\":\"any\",\"reason\":\"rule\"}");

	(void)state;
	event.key.reason = ZW_ALLOW_RULE;
	assert_int_equal(filter_read(NULL, &filter, why, sizeof(why)), 0);
	assert_false(filter_matches(&filter, &event));
	assert_int_equal(filter_read(object, &filter, why, sizeof(why)), 0);
	assert_true(filter_matches(&filter, &event));
	json_object_put(object);
}

static void old_events_are_left_out(void **state)
{
	struct event event = tcp4();
	struct filter filter;
	char why[256];

	(void)state;
	assert_int_equal(filter_read(NULL, &filter, why, sizeof(why)), 0);
	filter.since_ns = TIME;
	assert_true(filter_matches(&filter, &event));
	filter.since_ns = TIME + 1;
	assert_false(filter_matches(&filter, &event));
}

static void wrong_filters_are_refused(void **state)
{
	static const struct { const char *filter, *why; } rows[] = {
		{ "[]", "not an object" },
		{ "{\"zones\":\"a\"}", "no such filter: 'zones'" },
		{ "{\"zone\":\"\"}", "not a name" },
		{ "{\"zone\":null}", "not a name" },
		{ "{\"from\":\"10.1.0.0/33\"}", "not an address, CIDR or zone: '10.1.0.0/33'" },
		{ "{\"from\":\"10.1.0.0/\"}", "not an address, CIDR or zone" },
		{ "{\"from\":\"::g\"}", "not an address, CIDR or zone" },
		{ "{\"to\":\"::/-1\"}", "not an address, CIDR or zone" },
		{ "{\"port\":65536}", "not a port" },
		{ "{\"port\":-1}", "not a port" },
		{ "{\"port\":\"\"}", "not a port" },
		{ "{\"reason\":\"because\"}", "no such reason" },
		{ "{\"verdict\":\"pass\"}", "not a verdict" },
		{ "{\"staged\":\"yes\"}", "asked for by 'changed'" },
		{ "{\"rule\":\"a123456789012345678901234567890123456789012345678901234567890123\"}", "not a name" },
	};
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_object *object = json_tokener_parse(rows[i].filter);
		struct filter filter;

		print_message("# %s\n", rows[i].filter);
		assert_int_equal(filter_read(object, &filter, why, sizeof(why)), -EINVAL);
		assert_non_null(strstr(why, rows[i].why));
		json_object_put(object);
	}
}

static void the_store_keeps_the_last(void **state)
{
	struct store *store = store_new(4);
	struct event event = tcp4();

	(void)state;
	assert_non_null(store);
	assert_null(store_get(store, 0));
	for (int i = 0; i < 10; i++) {
		event.count = i;
		event.rule = i % 2 ? "odd" : "even";
		assert_int_equal(store_add(store, &event), 0);
	}
	assert_int_equal(store_first(store), 6);
	assert_int_equal(store_end(store), 10);
	assert_null(store_get(store, 5));
	assert_null(store_get(store, 10));
	for (int i = 6; i < 10; i++) {
		assert_int_equal(store_get(store, i)->count, i);
		assert_string_equal(store_get(store, i)->rule, i % 2 ? "odd" : "even");
		assert_string_equal(store_get(store, i)->to_zones, "db,data");
	}
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_as_lines),
		cmocka_unit_test(strangers_names_are_escaped),
		cmocka_unit_test(every_drop_reason_has_words),
		cmocka_unit_test(filters_match),
		cmocka_unit_test(allowed_packets_are_shown_on_demand),
		cmocka_unit_test(old_events_are_left_out),
		cmocka_unit_test(wrong_filters_are_refused),
		cmocka_unit_test(the_store_keeps_the_last),
	};

	setenv("TZ", "UTC0", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
